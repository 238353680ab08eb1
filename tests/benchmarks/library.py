"""Large libraries: finding among a hundred thousand files, and a report of five thousand."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np

from asmr_classify.aggregate import FileResult, Status
from asmr_classify.catalogue import Catalogue, contents, parse_query
from asmr_classify.labels import TRIGGERS
from asmr_classify.media.found import Found
from asmr_classify.report import render_page, report_data, write_page
from asmr_classify.timeline import Segment
from tests.benchmarks.measure import one_core, seconds
from tests.benchmarks.report import Table
from tests.report.browser import find_chromium, launch, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

N_KNOWN = (1_000, 10_000, 100_000)
N_REPORTED = (500, 5_000)

QUERY = "whisper>0.8 no_talking length:20m.. -crinkle path:sleep"

ABOUT = f"""\
Invented results, each of some triggers and a timeline of twelve segments. A catalogue that holds
them is asked `{QUERY}`: for the first twenty by length, and for how many there are; and filling it
is timed without hashing, as there are no files. A report of them is made, without waveforms, and
opened in Chromium: until it can be used, until what is typed into the filter by path is shown, and
until another column has sorted it."""


def invent(count: int, seed: int = 0) -> list[FileResult]:
    """Make up results of a library of sleep and study videos."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        scores = {label: float(score) for label, score in zip(TRIGGERS, rng.random(4), strict=True)}
        tags = tuple(sorted((t for t in TRIGGERS if scores[t] > 0.6), key=lambda t: -scores[t]))
        duration = float(rng.uniform(60, 7200))
        edges = np.sort(rng.uniform(0, duration, 24))
        segments = tuple(
            Segment(float(start), float(end), str(rng.choice(TRIGGERS)), 0.8)
            for start, end in edges.reshape(-1, 2)
        )
        folder = "sleep" if rng.random() < 0.3 else "study"
        talk = float(rng.choice([0.0, 30.0]))
        made.append(
            FileResult(
                path=f"/library/{folder}/maker {number % 97:02d}/video {number:06d}.mp4",
                status=Status.OK,
                model="invented@1",
                duration=duration,
                decoded=duration,
                trigger=tags[0] if tags else None,
                tags=tags,
                scores=scores,
                shares={label: score / 2 for label, score in scores.items()},
                segments=segments,
                no_talking=talk == 0,
                longest_talk=talk,
            )
        )
    return made


def run() -> Table:
    """Measure both."""
    rows: list[tuple[object, ...]] = []
    with tempfile.TemporaryDirectory() as name, one_core():
        for count in N_KNOWN:
            rows += _catalogue_rows(Path(name), count)
        for count in N_REPORTED:
            rows += _report_rows(Path(name), count)
    return Table("library", ABOUT, ("what", "files", "value", "unit"), tuple(rows))


def _catalogue_rows(folder: Path, count: int) -> list[tuple[object, ...]]:
    path = str(folder / f"{count}.sqlite")
    results = invent(count)
    with Catalogue.open(path, create=True) as catalogue:
        filling = seconds(lambda: fill(catalogue, results))
    query = parse_query(QUERY)
    with Catalogue.open(path) as catalogue:
        found = sum(1 for _ in catalogue.find(query))
        first = min(
            seconds(lambda: list(catalogue.find(query, sort=["length-"], limit=20)))
            for _ in range(5)
        )
        every = min(seconds(lambda: list(catalogue.find(query))) for _ in range(3))
    return [
        ("fill the catalogue, each", count, 1e3 * filling / count, "ms"),
        ("file of the catalogue", count, Path(path).stat().st_size / 1e6, "MB"),
        ("find the first twenty by length", count, 1e3 * first, "ms"),
        (f"find all {found:,}", count, 1e3 * every, "ms"),
    ]


def fill(catalogue: Catalogue, results: list[FileResult]) -> None:
    """Add results of files that do not exist."""

    def hash_of(path: str, *, size: int, mtime_ns: int) -> bytes:
        return hashlib.sha256(f"{path} {size} {mtime_ns}".encode()).digest()

    with mock.patch.object(contents, "hash_file", hash_of):
        for result in results:
            catalogue.add(Found(result.path, 10**6, 1, 1), result, "settings")


def _report_rows(folder: Path, count: int) -> list[tuple[object, ...]]:
    path = folder / f"{count}.html"
    results = [replace(result, path=f".{result.path}") for result in invent(count)]

    def make() -> None:
        data = report_data(results, folder=".", made=datetime.now(UTC))
        write_page(render_page(data), str(path))

    rows: list[tuple[object, ...]] = [
        ("make the report", count, 1e3 * min(seconds(make) for _ in range(3)), "ms"),
        ("page of the report", count, path.stat().st_size / 1e6, "MB"),
    ]
    return rows + _browser_rows(path, count)


def _browser_rows(path: Path, count: int) -> list[tuple[object, ...]]:
    """Open a report, filter and sort it; nothing where there is no Chromium."""
    program = find_chromium()
    if program is None:
        return []
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright, program)
        page = browser.new_page()
        opening = seconds(lambda: _open(page, path))
        filtering = seconds(lambda: _filter(page))
        sorting = seconds(lambda: _sort(page))
        browser.close()
    return [
        ("open the report", count, 1e3 * opening, "ms"),
        ("filter it by path", count, 1e3 * filtering, "ms"),
        ("sort it by length", count, 1e3 * sorting, "ms"),
    ]


def _open(page: Page, path: Path) -> None:
    page.goto(path.as_uri())
    wait_until(page, "document.documentElement.dataset.ready === 'yes'")


def _filter(page: Page) -> None:
    page.get_by_label("Find in path", exact=True).fill("maker 07")
    wait_until(page, "document.getElementById('count').textContent.includes(' of ')")


def _sort(page: Page) -> None:
    page.get_by_role("columnheader", name="Length").get_by_role("button").click()
    sorted_by = "document.querySelector('th[aria-sort]:not([aria-sort=none])').textContent"
    wait_until(page, f"{sorted_by}.includes('Length')")
