"""Where the level changes: sixteen times a second, how far it rises or falls there.

Windows of two seconds tell what sounds, but not when it begins to within a second. The level does:
at each point, the mean level of every mel band over the half second after it is compared with that
over the half second before. This is the two-sample test for a change of the mean [1]_ at a fixed
scale, the novelty of [2]_ with a kernel of one second. Each window covers the points in its middle,
so that those of overlapping windows follow each other without a gap.

References
----------
.. [1] Basseville and Nikiforov (1993). Detection of abrupt changes: theory and application.
.. [2] Foote (2000). Automatic audio segmentation using a measure of audio novelty. ICME.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.units import seconds_to_samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from asmr_classify.config import FeatureSpec

POINTS_PER_SECOND = 16
"""A sixteenth of a second is closer than listeners agree on when rustling begins."""

CONTEXT_SECONDS = 0.5
"""Compared on both sides: long enough to bridge the gaps between taps, short enough to place them
(0.25 to 1.5 s were tried on scenes)."""


@dataclass(frozen=True, slots=True)
class Changes:
    """How far the level rises and falls at points in time.

    Parameters
    ----------
    times : ndarray of float64, shape (n_points,)
        In seconds, ascending.
    rises_db, falls_db : ndarray of float32, shape (n_points,)
        Root mean square over the mel bands of what each rises, or falls; both may be over 0.
    """

    times: NDArray[np.float64]
    rises_db: NDArray[np.float32]
    falls_db: NDArray[np.float32]


def level_changes(logmel: NDArray[np.float32], spec: FeatureSpec) -> NDArray[np.float16]:
    """Measure the changes in the middle of each window.

    Parameters
    ----------
    logmel : ndarray of float32, shape (n_windows, n_frames, n_mels), in dB
        Lifted, see :func:`asmr_classify.features.statistics.lift`.
    spec : FeatureSpec

    Returns
    -------
    ndarray of float16, shape (n_windows, n_points, 2)
        Rise and fall in dB; 0 where a short recording has no sound on one of the sides.
    """
    steps = np.matmul(_contrasts(logmel.shape[1], spec), logmel)
    rises, falls = np.maximum(steps, 0), np.maximum(-steps, 0)
    squares = [np.square(part).mean(axis=2) for part in (rises, falls)]
    return np.asarray(np.sqrt(np.stack(squares, axis=2)), dtype=np.float16)


def join_changes(
    intervals: NDArray[np.float64], changes: NDArray[np.float16], spec: FeatureSpec
) -> Changes:
    """Put the changes of consecutive windows on one axis of time.

    Parameters
    ----------
    intervals : ndarray of float64, shape (n_windows, 2)
    changes : ndarray of float16, shape (n_windows, n_points, 2)
    spec : FeatureSpec

    Returns
    -------
    Changes
    """
    frames = spec.frames
    centre = (frames.n_fft - frames.hop_length) / 2
    offsets = (_points(spec) * frames.hop_length + centre) / frames.sr
    times = (intervals[:, :1] + offsets).ravel()
    # The window that ends at the last sample repeats points of the one before.
    new = np.concatenate([[True], times[1:] > np.maximum.accumulate(times)[:-1]])
    rises_db, falls_db = changes.reshape(-1, 2)[new].astype(np.float32).T
    return Changes(times[new], rises_db, falls_db)


@cache
def _points(spec: FeatureSpec) -> NDArray[np.int64]:
    """Frames of a window before which changes are measured."""
    sr, hop_length = spec.frames.sr, spec.frames.hop_length
    window, hop = spec.windows.duration, spec.windows.hop
    step = max(1, round(sr / hop_length / POINTS_PER_SECOND))
    first = seconds_to_samples((window - hop) / 2, sr) // hop_length
    n_frames = seconds_to_samples(hop, sr) // hop_length
    return first + step * np.arange(max(1, n_frames // step))


@cache
def _contrasts(n_frames: int, spec: FeatureSpec) -> NDArray[np.float32]:
    """Weights that take the mean before each point from that after it, (n_points, n_frames)."""
    context = max(1, round(CONTEXT_SECONDS * spec.frames.sr / spec.frames.hop_length))
    frame = np.arange(n_frames)
    point = _points(spec)[:, None]
    after = (frame >= point) & (frame < point + context)
    before = (frame < point) & (frame >= point - context)
    n_after, n_before = (side.sum(axis=1, keepdims=True) for side in (after, before))
    known = (n_after > 0) & (n_before > 0)
    weights = after / np.maximum(n_after, 1) - before / np.maximum(n_before, 1)
    return np.asarray(np.where(known, weights, 0), dtype=np.float32)
