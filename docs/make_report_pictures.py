#!/usr/bin/env python3
"""Label the demo clips, make a report of them, and take its pictures with Chromium.

usage: python -m docs.make_report_pictures [--output DIR]
"""

from __future__ import annotations

import argparse
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

from asmr_classify import label_paths
from asmr_classify.report import compute_waveforms, render_page, report_data, write_page
from tests.report.browser import find_chromium, launch, wait_until
from tests.report.conftest import draw_here

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parent.parent

WIDE: dict[str, Any] = {"viewport": {"width": 1280, "height": 1080}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
PICTURES: dict[str, tuple[dict[str, Any], str]] = {
    "report-dark.png": ({**WIDE, "color_scheme": "dark"}, "body"),
    "report-light.png": ({**WIDE, "color_scheme": "light"}, "#recordings"),
    "report-phone.png": ({**PHONE, "color_scheme": "dark"}, "#count"),
}
"""For each, how the page is opened, and what of it is at the top."""

SHOWN = "whisper-over-rain.flac"
"""The clip in the player: it holds two triggers at once."""


def make_report(path: Path) -> None:
    """Write a report of the demo clips."""
    os.chdir(ROOT)
    results = [*label_paths(["data/demo"], jobs=1)]
    data = report_data(
        results,
        folder=str(path.parent),
        made=datetime(2026, 1, 1, 21, 30, tzinfo=UTC),
        waveforms=compute_waveforms(results, work=draw_here).contents,
    )
    write_page(render_page(data), str(path))


def take_picture(browser: Browser, page_file: Path, output: Path) -> None:
    """Open the report, play a clip from a segment, and take the picture."""
    settings, top = PICTURES[output.name]
    page = browser.new_page(**settings, reduced_motion="reduce")
    page.goto(page_file.as_uri())
    page.get_by_role("button", name=f"Play data/demo/{SHOWN}").click()
    wait_until(page, "document.querySelector('audio')?.currentTime > 0")
    page.evaluate("document.querySelector('audio').pause()")
    page.evaluate("document.querySelector('audio').currentTime = 4.2")
    page.wait_for_timeout(300)
    page.mouse.move(0, 0)
    page.evaluate(f"document.querySelector('{top}').scrollIntoView()")
    page.screenshot(path=str(output))
    page.close()


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs")
    folder = parser.parse_args().output.absolute()
    program = find_chromium()
    if program is None:
        raise SystemExit("no Chromium: install Debian's chromium, or Google Chrome")
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        page_file = Path(scratch) / "report.html"
        make_report(page_file)
        browser = launch(playwright, program)
        for name in PICTURES:
            take_picture(browser, page_file, folder / name)
        browser.close()


if __name__ == "__main__":
    main()
