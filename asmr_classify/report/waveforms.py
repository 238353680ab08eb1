"""Recordings to the peaks that a page draws.

A waveform is at most :data:`POINTS` bytes, each the highest absolute sample of its part of the
recording, relative to the highest of all. Half the decibels are drawn (a square root), and what is
quiet throughout fills the height too: real whispers sit at -60 dBFS, and would be a flat line.
They are kept below ``waveforms/`` in the user's cache, see :mod:`asmr_classify.report.kept`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.aggregate import Status
from asmr_classify.media.decode import AudioStream
from asmr_classify.report.drawing import draw_all
from asmr_classify.report.kept import Cache
from asmr_classify.units import seconds_to_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from asmr_classify.aggregate import FileResult
    from asmr_classify.report.drawing import Drawn, Work

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
    work: Work,
    cache: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Drawn:
    """Compute the waveforms of all recordings that were heard, or take them from the cache.

    Parameters
    ----------
    results : iterable of FileResult
    work : callable
        Who decodes, see :mod:`asmr_classify.report.drawing`.
    cache : Path, optional
        A folder; by default that of the user. Where it cannot be written, nothing is kept.
    on_progress : callable, optional
        Called with the number of recordings done and of all.

    Returns
    -------
    Drawn
        Of each the peaks, a byte the height at its part of what was decoded, 255 the highest. Of
        recordings that are gone or cannot be decoded, there are none.
    """
    paths = [result.path for result in results if result.status in HEARD]
    kept = Cache.of_user("waveforms", MAGIC) if cache is None else Cache(cache, MAGIC)
    return draw_all(paths, _compute, kept, work=work, on_progress=on_progress)


def _compute(path: str, on_progress: Callable[[float], None]) -> bytes:
    """Decode a recording to its waveform."""
    return draw_peaks(_decode_peaks(path, on_progress))


def _decode_peaks(path: str, on_progress: Callable[[float], None]) -> NDArray[np.float32]:
    """Find the peak of each :data:`PIECE` of a recording."""
    step = seconds_to_samples(PIECE, WAVEFORM_SR)
    highest = []
    with AudioStream.open(path, sr=WAVEFORM_SR) as stream:
        for block in stream.iter_blocks():
            starts = np.arange(0, block.y.size, step)
            highest.append(np.maximum.reduceat(np.abs(block.y), starts))
            on_progress(stream.decoded)
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
