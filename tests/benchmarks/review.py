"""How soon the page of ``review`` is there, and can be listened to, in Chromium."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from playwright.sync_api import sync_playwright

from asmr_classify.catalogue import Catalogue
from asmr_classify.review.sound import make_wav
from asmr_classify.review.stretches import Stretch
from asmr_classify.timeline import Segment
from tests.benchmarks.measure import REPEATS
from tests.benchmarks.report import Table
from tests.catalogue.results import SETTINGS, found, heard
from tests.report.browser import find_chromium, launch, wait_until

if TYPE_CHECKING:
    from collections.abc import Generator

    from playwright.sync_api import Browser

KINDS = {"wav": "pcm_s16le", "flac": "flac", "m4a": "aac", "mp3": "libmp3lame", "mkv": "ac3"}
"""Recordings by extension, and their codecs."""

SR, SECONDS = 44100, 1800.0
PLACE = (SECONDS - 100, SECONDS - 94)
"""Of the first stretch: whoever cannot find a time has all before it to decode."""

N_RECORDINGS, N_SEGMENTS = 1000, 10

ABOUT = f"""\
The page: from when Chromium begins to ask for it until its first stretch can be played, near the
end of {SECONDS / 60:.0f} minutes of sound, {REPEATS} times, in the default order. A bare page holds
the same stretch as a ready WAV file and nothing else, and is served by Python's own server: it
takes the browser's own time. The command: from its start until it prints the address, with one
stretch, and with {N_RECORDINGS * N_SEGMENTS:,} around segments of {N_RECORDINGS:,} recordings, and
some between these. Ratios are of neighbours, measured by turns; milliseconds are those of the
machine as busy as it was."""

BARE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Bare</title><script>
const media = document.createElement("audio");
media.preload = "auto";
media.src = "stretch.wav";
</script></html>"""

WATCH = """
const create = Document.prototype.createElement;
Document.prototype.createElement = function (...named) {
  const made = create.apply(this, named);
  if (named[0] === "audio")
    made.addEventListener("canplay", () => { window.playable ??= performance.now(); });
  return made;
};
"""
"""Notes when the first sound can be played, in milliseconds after the page was asked for."""


def run() -> Table:
    """Measure each kind of recording, and the start of the command."""
    rows: list[tuple[object, ...]] = []
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as name:
        browser = launch(playwright, find_chromium() or "chromium")
        for kind, codec in KINDS.items():
            path = Path(name, f"long.{kind}")
            write_long(path, codec)
            rows.append((f"page, {kind}", *_page_row(browser, path)))
            path.unlink()
        browser.close()
        rows.append(("command, to the address", *_command_row(Path(name))))
    head = ("what", "median, ms", "slowest, ms", "over", "ratio")
    return Table("review", ABOUT, head, tuple(rows))


def write_long(path: Path, codec: str, duration: float = SECONDS) -> None:
    """Write much noise, the same second again and again."""
    y = np.random.default_rng(1).normal(0, 0.05, (1, SR)).astype(np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=SR, layout="mono")
        resampler = av.AudioResampler(stream.format, "mono", SR)
        for second in range(round(duration)):
            frame = av.AudioFrame.from_ndarray(y, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = SR, second * SR
            for piece in resampler.resample(frame):
                container.mux(stream.encode(piece))
        container.mux(stream.encode(None))


def _page_row(browser: Browser, path: Path) -> tuple[object, ...]:
    place = path.with_suffix(".sqlite")
    timeline = (Segment(*PLACE, "tap", 0.5),)
    result = heard(path, duration=SECONDS, decoded=SECONDS, segments=timeline)
    with Catalogue.open(str(place), create=True) as catalogue:
        catalogue.add(found(path), result, SETTINGS)
    pairs = []
    with served_bare(path, PLACE) as bare:
        for _ in range(REPEATS):
            with served(place) as address:
                pairs.append((until_playable(browser, address), until_playable(browser, bare)))
    ours = [one for one, _ in pairs]
    ratio = statistics.median(one / other for one, other in pairs)
    return statistics.median(ours), max(ours), "a bare page", ratio


def until_playable(browser: Browser, address: str) -> float:
    """Tell after how many milliseconds the first sound of a page can be played."""
    page = browser.new_page()
    page.add_init_script(WATCH)
    page.goto(address)
    wait_until(page, "window.playable !== undefined")
    took = page.evaluate("window.playable")
    page.close()
    return float(took)


@contextmanager
def served(catalogue: Path) -> Generator[str]:
    """Run the command, and give the address that it prints."""
    command = [sys.executable, "-m", "asmr_classify", "review", "--catalogue", str(catalogue)]
    with subprocess.Popen([*command, "--no-browser"], stdout=subprocess.PIPE, text=True) as program:
        try:
            yield program.stdout.readline().strip()  # type: ignore[union-attr]
        finally:
            program.kill()


@contextmanager
def served_bare(path: Path, place: tuple[float, float]) -> Generator[str]:
    """Serve a page that holds one stretch and nothing else."""
    with tempfile.TemporaryDirectory() as name:
        Path(name, "index.html").write_text(BARE, encoding="utf-8")
        sound = make_wav(Stretch(str(path), *place, SECONDS, {}))
        Path(name, "stretch.wav").write_bytes(sound)

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=name))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _command_row(folder: Path) -> tuple[object, ...]:
    few, many = folder / "few.sqlite", folder / "many.sqlite"
    fill(few, folder / "few", 1, 1)
    fill(many, folder / "many", N_RECORDINGS, N_SEGMENTS)
    pairs = [(until_address(few), until_address(many)) for _ in range(REPEATS)]
    ours = [1e3 * one for _, one in pairs]
    ratio = statistics.median(one / other for other, one in pairs)
    return statistics.median(ours), max(ours), "the same with one", ratio


def fill(catalogue: Path, folder: Path, n_recordings: int, n_segments: int) -> None:
    """Put recordings of many segments into a catalogue; all share the sound of one short file."""
    length = 10.0 * n_segments
    folder.mkdir()
    write_long(folder / "0.wav", "pcm_s16le", 1)
    content = (folder / "0.wav").read_bytes()
    with Catalogue.open(str(catalogue), create=True) as known:
        for k in range(n_recordings):
            path = folder / f"maker {k % 50}" / f"{k}.wav"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content + k.to_bytes(4, "little"))  # none is a copy of another
            segments = tuple(
                Segment(10.0 * j, 10.0 * j + 4 + (k + j) % 3, "tap", 0.5 + (k + 7 * j) % 50 / 100)
                for j in range(n_segments)
            )
            known.add(
                found(path),
                heard(path, duration=length, decoded=length, segments=segments),
                SETTINGS,
            )


def until_address(catalogue: Path) -> float:
    """Tell how many seconds the command takes until it prints the address."""
    began = time.perf_counter()
    with served(catalogue):
        return time.perf_counter() - began
