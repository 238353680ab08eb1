"""Recordings to the peaks that a page draws, and the cache of them.

A waveform is at most :data:`POINTS` bytes, each the highest absolute sample of its part of the
recording, relative to the highest of all. Half the decibels are drawn (a square root), and what is
quiet throughout fills the height too: real whispers sit at -60 dBFS, and would be a flat line.

Layout of the cache, below ``waveforms/`` in the user's cache folder: a file per recording, named
by a hash of its absolute path, holds :data:`HEADER` and the peaks. The header repeats size and
time of change of the recording; where they differ, or the length is not what the header says, the
waveform is computed anew. Files are written beside and moved into place, so that one that was
broken off is never read.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import struct
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.aggregate import Status
from asmr_classify.errors import MediaError
from asmr_classify.folders import user_cache
from asmr_classify.media.decode import AudioStream
from asmr_classify.units import seconds_to_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from asmr_classify.aggregate import FileResult

logger = logging.getLogger(__name__)

POINTS = 360
"""Two or three pixels a point on a wide screen; more would not be seen."""

WAVEFORM_SR = 16000
"""In Hz. What is drawn is the envelope, and half the rate is half the work."""

PIECE = 0.01
"""Seconds of which the peak is kept while decoding: ten hours take 14 MB."""

QUIETEST = 1e-4
"""Peaks below -80 dBFS, the noise of 14 bits, are drawn as nothing."""

HEADER = struct.Struct("<4sHqq")
"""Magic, number of points, and size and mtime_ns of the recording."""

MAGIC = b"wav2"
"""Raised when peaks are computed otherwise."""

HEARD = frozenset({Status.OK, Status.PARTIAL, Status.SILENT})


@dataclass(frozen=True, slots=True)
class Waveforms:
    """The waveforms of some recordings.

    Parameters
    ----------
    peaks : dict of str to bytes
        By path; each byte is the height at its part of what was decoded, 255 the highest.
    n_cached : int
        How many were in the cache.
    """

    peaks: dict[str, bytes]
    n_cached: int = 0


@dataclass(frozen=True, slots=True)
class _Recording:
    """A recording as it is now, and the place of its waveform in the cache."""

    path: str
    size: int
    mtime_ns: int
    kept: Path | None

    @classmethod
    def find(cls, path: str, cache: Path | None) -> _Recording | None:
        """Find a recording; None if it is gone or no regular file."""
        try:
            status = Path(path).stat()
            name = hashlib.sha256(os.fsencode(Path(path).absolute())).hexdigest()
        except (OSError, ValueError):  # ValueError: what no path can hold, NUL say
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        kept = None if cache is None else cache / name[:2] / name[2:]
        return cls(path, status.st_size, status.st_mtime_ns, kept)


def compute_waveforms(
    results: Iterable[FileResult],
    *,
    cache: Path | None = None,
    jobs: int | None = None,
    stop: threading.Event | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Waveforms:
    """Compute the waveforms of all recordings that were heard, or take them from the cache.

    Parameters
    ----------
    results : iterable of FileResult
    cache : Path, optional
        A folder; by default that of the user. Where it cannot be written, nothing is kept.
    jobs : int, optional
        Threads; one per core by default. FFmpeg decodes without Python's lock.
    stop : threading.Event, optional
        Once set, no more is computed.
    on_progress : callable, optional
        Called in this thread with the number of recordings done and of all.

    Returns
    -------
    Waveforms
        Of recordings that are gone or cannot be decoded, there is none.
    """
    cache = default_cache() if cache is None else cache
    stop = threading.Event() if stop is None else stop
    paths = dict.fromkeys(result.path for result in results if result.status in HEARD)
    found = [x for x in (_Recording.find(path, cache) for path in paths) if x is not None]
    peaks = {x.path: kept for x in found if (kept := _read_kept(x)) is not None}
    n_cached = len(peaks)
    todo = [x for x in found if x.path not in peaks]
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        futures = {pool.submit(_compute, recording, stop): recording for recording in todo}
        try:
            for done, future in enumerate(as_completed(futures), start=n_cached + 1):
                computed = future.result()
                if computed is not None:
                    peaks[futures[future].path] = computed
                if on_progress is not None:
                    on_progress(done, len(found))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # what was raised need not wait for all
    return Waveforms(peaks, n_cached)


def default_cache() -> Path | None:
    """Give the folder of waveforms in the user's cache, if the user has one."""
    folder = user_cache()
    return None if folder is None else folder / "waveforms"


def _compute(recording: _Recording, stop: threading.Event) -> bytes | None:
    """Decode a recording to its waveform, and keep that; None if there is none, or told to stop."""
    if stop.is_set():
        return None
    try:
        highest = _decode_peaks(recording.path, stop)
    except MediaError as exc:
        logger.info("no waveform: %s", exc)
        return None
    if highest is None:
        return None
    peaks = draw_peaks(highest)
    _keep(recording, peaks)
    return peaks


def _decode_peaks(path: str, stop: threading.Event) -> NDArray[np.float32] | None:
    """Find the peak of each :data:`PIECE` of a recording; None if told to stop."""
    step = seconds_to_samples(PIECE, WAVEFORM_SR)
    highest = []
    with AudioStream.open(path, sr=WAVEFORM_SR) as stream:
        for block in stream.iter_blocks():
            if stop.is_set():
                return None
            starts = np.arange(0, block.y.size, step)
            highest.append(np.maximum.reduceat(np.abs(block.y), starts))
    return np.concatenate(highest)


def draw_peaks(highest: NDArray[np.float32]) -> bytes:
    """Turn the peaks of short pieces into a waveform.

    Parameters
    ----------
    highest : ndarray of float32, shape (n_pieces,), not negative
        At least one.

    Returns
    -------
    bytes
        ``min(n_pieces, POINTS)`` of them.

    Examples
    --------
    >>> list(draw_peaks(np.array([0.0, 0.01, 0.04], dtype=np.float32)))
    [0, 128, 255]
    """
    n_points = min(highest.size, POINTS)
    starts = np.arange(n_points) * highest.size // n_points
    peaks = np.maximum.reduceat(highest, starts)
    top = max(float(peaks.max()), QUIETEST)
    peaks = np.where(peaks < QUIETEST, 0, peaks)
    return np.round(255 * np.sqrt(peaks / top)).astype(np.uint8).tobytes()


def _read_kept(recording: _Recording) -> bytes | None:
    """Read a waveform from the cache; None if there is none of the recording as it is now."""
    if recording.kept is None:
        return None
    try:
        content = recording.kept.read_bytes()
        magic, n_points, size, mtime_ns = HEADER.unpack_from(content)
    except (OSError, struct.error):
        return None
    peaks = content[HEADER.size :]
    current = (MAGIC, len(peaks), recording.size, recording.mtime_ns)
    return peaks if (magic, n_points, size, mtime_ns) == current else None


def _keep(recording: _Recording, peaks: bytes) -> None:
    """Write a waveform into the cache, or do without where that is not possible."""
    if recording.kept is None:
        return
    header = HEADER.pack(MAGIC, len(peaks), recording.size, recording.mtime_ns)
    scratch = recording.kept.with_suffix(f".{os.getpid()}.{threading.get_ident()}.part")
    try:
        recording.kept.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(header + peaks)
        scratch.replace(recording.kept)
    except OSError:
        with suppress(OSError):
            scratch.unlink()
