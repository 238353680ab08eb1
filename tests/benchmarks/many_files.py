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
