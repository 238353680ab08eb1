"""Media files that were damaged on purpose, each made anew from its seed.

Every container that is read, with bits turned over, cut short, spliced with others, or with fields
of its header set to what no encoder writes.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.media.make_media import RECIPES, write_media

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator

DURATION = 1.2
HEAD_BYTES = 300
"""So much of the beginning, or for boxes at the end of the end, counts as header."""

EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63, 2**64 - 1)


@cache
def sound_files() -> dict[str, bytes]:
    """Make a file of each container, by extension."""
    rng = np.random.default_rng(0)
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        for ending, recipe in RECIPES.items():
            t = np.arange(round(DURATION * recipe.sr)) / recipe.sr
            y = 0.2 * np.sin(2 * np.pi * 440 * t) + 0.05 * rng.standard_normal((2, len(t)))
            path = Path(folder) / f"a.{ending}"
            write_media(path, y.astype(np.float32), recipe, video_duration=DURATION)
            files[ending] = path.read_bytes()
    return files


def make_hostile(seed: int) -> tuple[str, bytes]:
    """Make the damaged file of a seed: its name, and what it holds."""
    rng = np.random.default_rng(seed)
    files = sound_files()
    ending = list(files)[rng.integers(len(files))]
    content = bytearray(files[ending])
    damages: list[Callable[[bytearray, Generator], bytearray]] = [_flip, _cut, _splice, _claim]
    names = []
    for _ in range(1 + (rng.random() < 0.3)):
        damage = damages[rng.integers(len(damages))]
        content = damage(content, rng)
        names.append(damage.__name__.strip("_"))
    return f"{seed:05d}-{'-'.join(names)}.{ending}", bytes(content)


def _flip(content: bytearray, rng: Generator) -> bytearray:
    for place in rng.integers(len(content), size=2 ** rng.integers(8)):
        content[place] ^= 1 << int(rng.integers(8))
    return content


def _cut(content: bytearray, rng: Generator) -> bytearray:
    first, last = sorted(rng.integers(len(content) + 1, size=2))
    if rng.random() < 0.5:
        return content[:last]
    return content[:first] + content[last:]


def _splice(content: bytearray, rng: Generator) -> bytearray:
    others = list(sound_files().values())
    other = others[rng.integers(len(others))]
    first, last = sorted(rng.integers(len(other) + 1, size=2))
    at = int(rng.integers(len(content) + 1))
    return content[:at] + other[first:last] + content[at:]


def _claim(content: bytearray, rng: Generator) -> bytearray:
    """Set fields of the header to extreme values."""
    for _ in range(rng.integers(1, 5)):
        size = int(2 ** rng.integers(4))
        place = int(rng.integers(min(HEAD_BYTES, max(1, len(content) - size))))
        if rng.random() < 0.3:
            place = max(0, len(content) - size - place)
        value = EXTREMES[rng.integers(len(EXTREMES))] % 256**size
        order = "little" if rng.random() < 0.5 else "big"
        content[place : place + size] = value.to_bytes(size, order)
    return content
