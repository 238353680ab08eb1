"""Tables of figures, as Markdown and JSON."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

OVER_DECODING = "over decoding and resampling alone"
FEATURES = "features of 60 s: ten of librosa from the waveform, over ours"
WORKERS = "two workers over one, 40 files of 60 s"
COLD = "one clip of 10 s, cold"
CODEC_NAMES = ("AAC", "MP3", "Opus", "WAV")
"""Names of rows."""

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
"""Marks in the README."""

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Table:
    """What one benchmark measured.

    Parameters
    ----------
    name : str
    about : str
        How it was measured, in a sentence or two.
    head : tuple of str
    rows : tuple of tuple
        Numbers as numbers; they are rounded for Markdown only.
    """

    name: str
    about: str
    head: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


def describe_machine() -> str:
    """Processor, cores, system and versions in one line."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "librosa", "av"))
    return (
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}, {libraries}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def to_markdown(table: Table, machine: str) -> str:
    """Write a table as a Markdown document."""
    lines = ["| " + " | ".join(table.head) + " |", "|" + " --- |" * len(table.head)]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in table.rows]
    return f"# {table.name}\n\n{table.about}\n\n" + "\n".join(lines) + f"\n\nOn {machine}.\n"


def figures_for_people(folder: Path) -> str:
    """Put the figures that matter most into sentences, from the tables in a folder."""
    speed = {row[0]: row for row in _rows(folder / "speed.json")}
    growth = _rows(folder / "growth.json")
    ratio = {codec: speed[f"label {codec}, {OVER_DECODING}"][1] for codec in CODEC_NAMES}
    aac = speed[f"label AAC, {OVER_DECODING}"][5]
    return (
        f"On one core, ten minutes of 48 kHz stereo AAC are labelled in {aac:.1f} s, "
        f"{600 / aac:.0f} times as fast as they play: {ratio['AAC']:.1f} times as long as "
        f"decoding and resampling alone takes (MP3 {ratio['MP3']:.1f}, "
        f"Opus {ratio['Opus']:.1f}, WAV {ratio['WAV']:.1f}). "
        f"Clips of five seconds go by at {speed['clips of 5 s, one process'][1]:.0f} a second. "
        f"Features are computed {speed[FEATURES][1]:.0f} times as fast as by ten calls of librosa "
        f"on the waveform, and two workers label {speed[WORKERS][1]:.1f} times as many files as "
        f"one. A ten-hour file takes {growth[-1][3]:.0f} MB of memory, {growth[-1][4]:.0f} MB more "
        f"than one of ten minutes. One clip, from a cold start, takes {speed[COLD][1]:.1f} s."
    )


def _rows(path: Path) -> list[list[Any]]:
    rows: list[list[Any]] = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return rows


def with_figures(readme: str, figures: str) -> str:
    """Put the figures between their marks in the README."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{figures}\n{END}{after}"


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
