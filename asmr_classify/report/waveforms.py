"""Recordings to the peaks that a page draws.

A waveform is at most :data:`POINTS` bytes, each the highest absolute sample of its part of the
recording, relative to the highest of all. Half the decibels are drawn (a square root), and what is
quiet throughout fills the height too: real whispers sit at -60 dBFS, and would be a flat line.
They are kept below ``waveforms/`` in the user's cache, see :mod:`asmr_classify.report.kept`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.aggregate import Status
from asmr_classify.errors import MediaError
from asmr_classify.media.decode import AudioStream
from asmr_classify.report.kept import Cache, draw_all
from asmr_classify.units import seconds_to_samples

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from asmr_classify.aggregate import FileResult
    from asmr_classify.report.kept import Drawn

logger = logging.getLogger(__name__)

POINTS = 360
"""Two or three pixels a point on a wide screen; more would not be seen."""

WAVEFORM_SR = 16000
"""In Hz. What is drawn is the envelope, and half the rate is half the work."""

PIECE = 0.01
"""Seconds of which the peak is kept while decoding: ten hours take 14 MB."""

QUIETEST = 1e-4
"""Peaks below -80 dBFS, the noise of 14 bits, are drawn as nothing."""

MAGIC = b"wav2"
"""Raised when peaks are computed otherwise."""

HEARD = frozenset({Status.OK, Status.PARTIAL, Status.SILENT})


def compute_waveforms(
    results: Iterable[FileResult],
    *,
    cache: Path | None = None,
    jobs: int | None = None,
    stop: threading.Event | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Drawn:
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
    Drawn
        Of each the peaks, a byte the height at its part of what was decoded, 255 the highest. Of
        recordings that are gone or cannot be decoded, there are none.
    """
    paths = [result.path for result in results if result.status in HEARD]
    kept = Cache.of_user("waveforms", MAGIC) if cache is None else Cache(cache, MAGIC)
    return draw_all(paths, _compute, kept, jobs=jobs, stop=stop, on_progress=on_progress)


def _compute(path: str, stop: threading.Event) -> bytes | None:
    """Decode a recording to its waveform; None if there is none, or told to stop."""
    try:
        highest = _decode_peaks(path, stop)
    except MediaError as exc:
        logger.info("no waveform: %s", exc)
        return None
    return None if highest is None else draw_peaks(highest)


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
