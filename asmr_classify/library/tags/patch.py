"""The bytes that differ between two files, so that the one can be made from the other again.

A change of tags touches few bytes: some stay in their place from the beginning on, and those
behind what grew or shrank are only moved. So the old file is cut in two at the best place; what
lies before is compared with the new file from its beginning, what lies behind from its end, and
only the runs of bytes that differ are kept.
"""

from __future__ import annotations

import base64
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from numpy.typing import NDArray

BLOCK_BYTES = 1 << 16
"""Compared at once; the place of the cut is a multiple of it."""

MIN_GAP_BYTES = 16
"""Runs of bytes that differ are joined over gaps shorter than this: a run's place costs as much."""


@dataclass(frozen=True, slots=True)
class Patch:
    """How to make a file from another.

    Parameters
    ----------
    size : int
        Bytes of the file that is made.
    cut : int
        Bytes before it have the same offset in both files; those from it on have the same
        distance from the end.
    runs : tuple of (int, bytes)
        Offsets in the file that is made, and the bytes there that the other does not have.
    sha256 : str
        Of the file that is made.
    """

    size: int
    cut: int
    runs: tuple[tuple[int, bytes], ...]
    sha256: str

    @property
    def n_bytes(self) -> int:
        """Bytes that are kept."""
        return sum(len(data) for _, data in self.runs)

    def to_record(self) -> dict[str, Any]:
        """Turn into plain values, packed."""
        packed = zlib.compress(b"".join(data for _, data in self.runs))
        return {
            "size": self.size,
            "cut": self.cut,
            "runs": [[start, len(data)] for start, data in self.runs],
            "data": base64.b64encode(packed).decode(),
            "sha256": self.sha256,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """Turn plain values back."""
        data = zlib.decompress(base64.b64decode(record["data"]))
        runs, at = [], 0
        for start, length in record["runs"]:
            runs.append((start, data[at : at + length]))
            at += length
        return cls(record["size"], record["cut"], tuple(runs), record["sha256"])


def make_patch(wanted: str, source: str) -> Patch:
    """Find what is needed to make one file from another.

    Parameters
    ----------
    wanted, source : str
        The file that is to be made, and the one that it is to be made from.

    Returns
    -------
    Patch
    """
    size = Path(wanted).stat().st_size
    shift = Path(source).stat().st_size - size
    with Path(wanted).open("rb") as file, Path(source).open("rb") as other:
        costs, digest = _count_differences(file, other, size, shift)
        before, behind = costs[0].cumsum(), costs[1, ::-1].cumsum()[::-1]
        cut = min(size, BLOCK_BYTES * int(np.argmin(before + behind)))
        runs = []
        for k, start in enumerate(range(0, size, BLOCK_BYTES)):
            row, at = (0, start) if start < cut else (1, start + shift)
            if costs[row, k + 1 - row]:
                block = _read(file, start, min(BLOCK_BYTES, size - start))
                runs += [(start + a, block[a:b]) for a, b in _runs(_differs(block, other, at))]
    return Patch(size, cut, tuple(runs), digest)


def _count_differences(
    file: BinaryIO, other: BinaryIO, size: int, shift: int
) -> tuple[NDArray[np.int64], str]:
    """Count the bytes of each block that differ, and give the checksum of the file.

    Returns
    -------
    costs : ndarray of int64, shape (2, n_blocks + 1)
        Of block k, compared by distance from the beginning in ``[0, k + 1]``, and by distance
        from the end in ``[1, k]``.
    sha256 : str
    """
    costs = np.zeros((2, -(-size // BLOCK_BYTES) + 1), dtype=np.int64)
    checksum = hashlib.sha256()
    for k, start in enumerate(range(0, size, BLOCK_BYTES)):
        block = _read(file, start, min(BLOCK_BYTES, size - start))
        checksum.update(block)
        costs[0, k + 1] = _count(block, other, start)
        costs[1, k] = _count(block, other, start + shift) if shift else costs[0, k + 1]
    return costs, checksum.hexdigest()


def _read(file: BinaryIO, start: int, length: int) -> bytes:
    """Read some bytes; fewer where the file does not reach."""
    first = max(start, 0)
    file.seek(first)
    return file.read(max(0, start + length - first))


def _count(block: bytes, other: BinaryIO, start: int) -> int:
    if _read(other, start, len(block)) == block:  # as nearly all are, which numpy is not needed for
        return 0
    return int(np.count_nonzero(_differs(block, other, start)))


def _differs(block: bytes, other: BinaryIO, start: int) -> NDArray[np.bool_]:
    """Compare a block with the bytes of another file, which may not reach that far."""
    found = _read(other, start, len(block))
    differs = np.ones(len(block), dtype=np.bool_)
    first = min(len(block), max(0, -start))
    both = slice(first, first + len(found))
    differs[both] = np.frombuffer(block, np.uint8)[both] != np.frombuffer(found, np.uint8)
    return differs


def _runs(differs: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Give first and one past last of each run, short gaps bridged."""
    places = np.flatnonzero(differs)
    if not places.size:
        return []
    breaks = np.flatnonzero(np.diff(places) > MIN_GAP_BYTES)
    firsts = places[np.concatenate(([0], breaks + 1))]
    lasts = places[np.concatenate((breaks, [places.size - 1]))]
    return [(int(a), int(b) + 1) for a, b in zip(firsts, lasts, strict=True)]


def apply_patch(
    patch: Patch, source: str, target: str, *, on_bytes: Callable[[int], None] = lambda _: None
) -> bool:
    """Make the file that a patch tells of.

    Parameters
    ----------
    patch : Patch
    source : str
        What it is made from.
    target : str
        Where it is written.
    on_bytes : callable
        Is told how many more bytes were written.

    Returns
    -------
    bool
        Whether it is, byte for byte, the file that it should be.
    """
    checksum = hashlib.sha256()
    shift = Path(source).stat().st_size - patch.size
    with Path(source).open("rb") as file, Path(target).open("wb") as made:
        for start, block in _iter_blocks(patch, file, shift):
            for offset, data in _runs_within(patch, start, start + len(block)):
                block[offset - start : offset - start + len(data)] = data
            checksum.update(block)
            made.write(block)
            on_bytes(len(block))
        made.flush()
        os.fsync(made.fileno())
    return checksum.hexdigest() == patch.sha256


def _iter_blocks(patch: Patch, file: BinaryIO, shift: int) -> Iterator[tuple[int, bytearray]]:
    for start in range(0, patch.size, BLOCK_BYTES):
        length = min(BLOCK_BYTES, patch.size - start)
        at = start if start < patch.cut else start + shift
        block = bytearray(length)
        found = _read(file, at, length)
        first = min(length, max(0, -at))
        block[first : first + len(found)] = found
        yield start, block


def _runs_within(patch: Patch, start: int, end: int) -> list[tuple[int, bytes]]:
    """Give the runs that begin in a block; none reaches beyond the block it begins in."""
    from bisect import bisect_left

    first = bisect_left(patch.runs, start, key=lambda run: run[0])
    last = bisect_left(patch.runs, end, key=lambda run: run[0])
    return list(patch.runs[first:last])
