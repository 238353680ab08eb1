"""Chromium, where it is installed."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page, Playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """Find a browser; Playwright's own is not fetched, it is large."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def launch(playwright: Playwright, program: str) -> Browser:
    """Start it without a window; as root, it runs only without its sandbox."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return playwright.chromium.launch(
        executable_path=program,
        args=["--no-sandbox", "--disable-dev-shm-usage"] if root else [],
    )


PATIENCE = 60.0
"""Seconds for which something is waited for; a busy machine takes many for what is quick."""


def wait_until(page: Page, expression: str) -> None:
    """Wait until an expression of JavaScript is true.

    Playwright's own ``wait_for_function`` evaluates in the page, which the page's policy forbids.
    """
    wait_for(page, lambda: page.evaluate(expression), expression)


def wait_for(page: Page, happened: Callable[[], object], what: str) -> None:
    """Wait until something has happened, while the page goes on."""
    end = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > end:
            raise TimeoutError(f"never came true: {what}")
        page.wait_for_timeout(20)
