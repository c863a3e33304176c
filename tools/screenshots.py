"""The pictures in the READMEs: both apps, and a page of the embedded Hopsworks, in a browser.

make screenshots    # of the passengers of `make demo`, in a store of its own
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, ViewportSize, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
SIZE = ViewportSize(width=1280, height=960)
PAGE_SIZE = ViewportSize(width=1280, height=1080)
APPS = {  # folder of the app: picture, and a text that is there once the page is complete
    "huggingface-spaces-titanic": ("screenshot_predict.png", "Copy link"),
    "huggingface-spaces-titanic-monitor": ("screenshot_monitor.png", "Check the model:"),
}


def photograph(browser: Browser, folder: str, picture: str, text: str) -> None:
    """Start the app in `folder`, save what it shows as assets/{picture}, and stop it."""
    command = [sys.executable, "app.py"]
    with subprocess.Popen(command, cwd=ROOT / folder, stdout=subprocess.PIPE, text=True) as app:
        assert app.stdout is not None
        address = app.stdout.readline().split(" app: ")[1].strip()
        page = browser.new_page(viewport=SIZE, device_scale_factor=2)
        page.goto(address)
        page.get_by_text(text).wait_for()
        page.screenshot(path=ROOT / "assets" / picture, animations="disabled")
        app.terminate()


def photograph_feature_group(browser: Browser) -> None:
    """Sign in to the pages of the embedded Hopsworks; save that of the feature group titanic."""
    host, port = os.environ["HOPSWORKS_HOST"], os.environ["HOPSWORKS_PORT"]
    page = browser.new_page(viewport=PAGE_SIZE, ignore_https_errors=True)
    page.goto(f"https://{host}:{port}/p/1/fs/1/fg/1")
    page.get_by_label("API key").fill(os.environ["HOPSWORKS_API_KEY"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="titanic 1").wait_for()
    page.screenshot(path=ROOT / "assets" / "screenshot_pages.png")


def main() -> None:
    """Photograph both apps and a page of the Hopsworks that the environment names."""
    chromium = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for folder, (picture, text) in APPS.items():
            photograph(browser, folder, picture, text)
        photograph_feature_group(browser)
        browser.close()


if __name__ == "__main__":
    main()
