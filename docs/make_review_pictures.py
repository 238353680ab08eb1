#!/usr/bin/env python3
"""Label the demo clips, ask about them, and take pictures of the page with Chromium.

usage: python -m docs.make_review_pictures [--output DIR]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from docs.make_report_pictures import PHONE, ROOT, SHOWN, WIDE
from tests.report.browser import find_chromium, launch, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PICTURES = {
    "review-dark.png": {**WIDE, "color_scheme": "dark"},
    "review-light.png": {**WIDE, "color_scheme": "light"},
    "review-phone.png": {**PHONE, "color_scheme": "dark"},
}
"""For each, how the page is opened."""


def take_picture(browser: Browser, address: str, output: Path) -> None:
    """Go to a clip, answer it, and take the picture."""
    page = browser.new_page(**PICTURES[output.name], reduced_motion="reduce")
    page.goto(address)
    wait_until(page, "document.getElementById('picture').dataset.drawn")
    # The page opens at the first clip without an answer, which may lie behind the one to show.
    while not str(page.locator("#place").text_content()).startswith("Stretch 1 "):
        step(page, "ArrowLeft")
    while page.locator("#name").text_content() != SHOWN:
        step(page, "ArrowRight")
    for label in ("whisper", "white noise"):
        button = page.get_by_role("button", name=label)
        if button.get_attribute("aria-pressed") == "false":
            button.click()
    wait_until(page, "!document.getElementById('opinion').hidden")
    page.wait_for_timeout(500)
    page.evaluate("document.getElementById('folder').textContent = 'data/demo/'")
    page.screenshot(path=str(output))
    page.close()


def step(page: Page, key: str) -> None:
    """Go to the clip before or behind."""
    before = page.locator("#place").text_content()
    page.keyboard.press(key)
    wait_until(page, f"document.getElementById('place').textContent !== {before!r}")


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs")
    folder = parser.parse_args().output.absolute()
    program = find_chromium()
    if program is None:
        raise SystemExit("no Chromium: install Debian's chromium, or Google Chrome")
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        command = [sys.executable, "-m", "asmr_classify", "review", "data/demo", "--no-browser"]
        command += ["--catalogue", str(Path(scratch) / "catalogue.sqlite"), "--quiet"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
            try:
                address = server.stdout.readline().strip() if server.stdout else ""
                browser = launch(playwright, program)
                for name in PICTURES:
                    take_picture(browser, address, folder / name)
                browser.close()
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
