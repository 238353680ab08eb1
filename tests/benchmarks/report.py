"""Tables of figures, as Markdown and JSON."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

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


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
