"""A hundred thousand tiny files in nested folders: first result, memory, and doing it again."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.report import Table
from tests.media.make_media import RECIPES, tone, write_media

N_FILES = 100_000
PER_FOLDER = 100

ABOUT = f"""\
{N_FILES:,} WAV files of 50 ms, in nested folders of {PER_FOLDER}, labelled into a JSONL file by as
many workers as there are cores; then the same command again, with nothing left to do. Memory is
that of the main process, which holds the list and the journal."""


ARRIVALS_ABOUT = f"""\
{N_FILES:,} files that arrive at once in a watched folder, in nested folders of {PER_FOLDER}. None
is known: what `watch` asks for until nothing is left, each file done as soon as it is given. The
clock is turned on by hand, so that nobody waits for files to settle; seconds are those of all
looks. Memory is that of a process which does nothing else."""

ARRIVE = """
import re, sys, time
from array import array
from pathlib import Path
from asmr_classify.watch.arrivals import Arrivals, Terms

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

clock, given, n_looks = [0.0], array("q"), 0
arrivals = Arrivals(Terms((sys.argv[1],)), lambda found: False, print, lambda: clock[0])
before = peak()
began = time.perf_counter()
n_early = len(arrivals.look())
clock[0] += 11
while settled := arrivals.look():
    n_looks += 1
    for found in settled:
        arrivals.done(found)
        given.append(hash(found.path))
took, most = time.perf_counter() - began, peak()
print(n_early, len(given), len(set(given)), n_looks, took, most, most - before)
"""
"""Linux only; ``getrusage`` would begin with the memory of whoever started it."""


def make_library(folder: Path, n_files: int) -> None:
    """Write one file, and copies of it under all the other names."""
    folder.mkdir()
    content = write_media(folder / "0.wav", tone(0.05, 16000), RECIPES["wav"]).read_bytes()
    for number in range(1, n_files):
        shelf = folder / f"{number // PER_FOLDER // 30:03d}" / f"{number // PER_FOLDER:05d}"
        shelf.mkdir(parents=True, exist_ok=True)
        (shelf / f"{number:06d}.wav").write_bytes(content)


def run(n_files: int = N_FILES) -> Table:
    """Measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_library(folder / "library", n_files)
        output = folder / "out.jsonl"
        rows = []
        for what in ("all to do", "nothing left to do"):
            first, took, early, peak = _label(folder / "library", output)
            n_results = output.read_bytes().count(b"\n")
            rows.append((what, n_results, first, took, peak, peak - early))
            output.unlink()
    head = ("run", "results", "first after s", "all after s", "peak MB", "MB over the first result")
    return Table("many-files", ABOUT, head, tuple(rows))


def _label(library: Path, output: Path) -> tuple[float, float, float, float]:
    """Seconds to the first result and to the end; MB at the first result and at most."""
    command = [
        sys.executable,
        "-m",
        "asmr_classify",
        "label",
        str(library),
        "-q",
        "-o",
        str(output),
    ]
    began = time.perf_counter()
    first, early, peak = None, 0.0, 0.0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            held = _held_by(process.pid)
            peak = max(peak, held)
            if first is None and output.exists() and output.stat().st_size:
                first, early = time.perf_counter() - began, held
            time.sleep(0.01 if first is None else 0.2)
    if process.returncode:
        raise RuntimeError(f"{command}: status {process.returncode}")
    took = time.perf_counter() - began
    return first if first is not None else took, took, early, peak


def _held_by(pid: int) -> float:
    """Memory that a process holds now, in MB (10⁶ bytes); Linux only."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def run_arrivals(n_files: int = N_FILES) -> Table:
    """Measure looks at a folder in which all files arrive at once."""
    with tempfile.TemporaryDirectory() as name:
        library = Path(name) / "library"
        make_library(library, n_files)
        command = [sys.executable, "-c", ARRIVE, str(library)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    *counts, took, peak, over = done.stdout.split()
    row = (n_files, *map(int, counts), float(took), *(int(kb) * 1024 / 1e6 for kb in (peak, over)))
    head = ("files", "given unsettled", "given", "distinct", "looks", "seconds", "peak MB")
    return Table("arrivals", ARRIVALS_ABOUT, (*head, "MB over the start"), (row,))
