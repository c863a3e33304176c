"""axe-core, the accessibility engine of Deque, run in pages that tests have open."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def assert_accessible(page: Page) -> None:
    """Fails with axe-core's report if it finds anything in the page as it is now.

    All of its default rules apply: WCAG 2 A and AA, and its best practices.
    """
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
