"""A real Chromium for tests, driven by Playwright. With SCREENSHOTS=1 its pictures are kept."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

SCREENSHOTS = Path(__file__).resolve().parent / "screenshots"
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@contextlib.contextmanager
def started() -> Iterator[Browser]:
    """A browser, closed at the end. The test fails if there is none on this machine."""
    named = os.environ.get("CHROMIUM", "chromium")
    found = [shutil.which(name) for name in (named, "chromium-browser", "google-chrome")]
    program = next(filter(None, found), None)
    if program is None:
        pytest.fail(
            "No Chromium was found. Install one (apt-get install chromium), "
            "or name one: CHROMIUM=/path make test"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        yield browser
        browser.close()


def photograph(page: Page, name: str) -> None:
    """Save what a page shows as tests/screenshots/{name}.png, for people to look at, if wanted."""
    if os.environ.get("SCREENSHOTS"):
        path = SCREENSHOTS / f"{name}.png"
        page.screenshot(path=path, full_page=True, animations="disabled")
