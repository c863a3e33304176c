"""A real Chromium for tests, driven by Playwright."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

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
