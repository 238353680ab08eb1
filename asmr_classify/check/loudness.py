"""Loudness of a programme: integrated, its range, and the loudest moments.

All follows from the K-weighted power of the steps of 100 ms that a recording is cut into, summed
over its channels by their weights. Loudness of a stretch with mean weighted power z is
``-0.691 + 10 log10(z)``, in LUFS; a step that the end of the file cuts is not counted.

References
----------
.. [1] ITU-R BS.1770-5 (2023), annex 1: K-weighting, channel weights, gating.
.. [2] EBU Tech 3341 (2023): momentary loudness over 400 ms, short-term over 3 s, each ten times a
   second.
.. [3] EBU Tech 3342 (2023): loudness range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Powers = NDArray[np.float64]

STEPS_PER_SECOND = 10
MOMENTARY_STEPS = 4
"""400 ms: also the gating block of BS.1770-5, with its overlap of 75 %."""

SHORT_TERM_STEPS = 30
"""3 s."""

OFFSET_DB = -0.691
"""Makes a full-scale sine of 997 Hz in one channel read -3.01 LUFS (BS.1770-5, annex 1)."""

ABSOLUTE_GATE = -70.0
"""LUFS; what lies below is silence (BS.1770-5)."""

RELATIVE_GATE = -10.0
"""LU to the loudness of what passes the absolute gate (BS.1770-5)."""

RANGE_GATE = -20.0
"""LU, the same for the loudness range (Tech 3342)."""

RANGE_PERCENTILES = (10, 95)
"""Of short-term loudness: the loudness range lies between them (Tech 3342)."""

FLOOR = 1e-20
"""Power of digital silence, so that its loudness is a number: about -200 LUFS."""


@dataclass(frozen=True, slots=True)
class Loudest:
    """The loudest moment of a recording.

    Parameters
    ----------
    value : float
        LUFS.
    start : float
        Seconds; where its window begins.
    """

    value: float
    start: float


def power_to_lufs(power: Powers) -> Powers:
    """Convert weighted power to loudness.

    Examples
    --------
    >>> float(power_to_lufs(np.array(1.0)))
    -0.691
    """
    return np.asarray(OFFSET_DB + 10 * np.log10(np.maximum(power, FLOOR)))


def moving_power(powers: Powers, n_steps: int) -> Powers:
    """Average the power of each run of so many steps.

    Parameters
    ----------
    powers : ndarray of float64, shape (n,)
    n_steps : int

    Returns
    -------
    ndarray of float64, shape (max(0, n - n_steps + 1),)
    """
    if len(powers) < n_steps:
        return np.zeros(0)
    sums = np.zeros(len(powers) - n_steps + 1)
    for first in range(n_steps):  # a running sum would carry rounding from loud parts into silence
        sums += powers[first : first + len(sums)]
    return sums / n_steps


def integrated_loudness(powers: Powers) -> float | None:
    """Compute the gated loudness of a whole programme (BS.1770-5, annex 1).

    Parameters
    ----------
    powers : ndarray of float64, shape (n_steps,)
        Weighted power of each 100 ms.

    Returns
    -------
    float or None
        LUFS; None if the recording is shorter than 400 ms or nowhere above -70 LUFS.

    Notes
    -----
    Of all 400 ms blocks, 100 ms apart, those above -70 LUFS count, and of these those that are
    less than 10 LU below their common loudness.
    """
    blocks = moving_power(powers, MOMENTARY_STEPS)
    kept = _gated(blocks, RELATIVE_GATE)
    return float(power_to_lufs(kept.mean())) if len(kept) else None


def loudness_range(powers: Powers) -> float | None:
    """Compute the spread of loudness on the scale of seconds (EBU Tech 3342).

    Parameters
    ----------
    powers : ndarray of float64, shape (n_steps,)
        Weighted power of each 100 ms.

    Returns
    -------
    float or None
        LU between the 10th and the 95th percentile of short-term loudness above -70 LUFS and
        above 20 LU below its mean; None if no 3 s of sound pass.
    """
    kept = np.sort(_gated(moving_power(powers, SHORT_TERM_STEPS), RANGE_GATE))
    if len(kept) == 0:
        return None
    # The standard's own program takes the element at round((n - 1) p), halves up.
    low, high = (kept[int((len(kept) - 1) * p / 100 + 0.5)] for p in RANGE_PERCENTILES)
    return float(power_to_lufs(high) - power_to_lufs(low))


def _gated(powers: Powers, relative: float) -> Powers:
    kept = powers[power_to_lufs(powers) > ABSOLUTE_GATE]
    if len(kept) == 0:
        return kept
    return np.asarray(kept[power_to_lufs(kept) > power_to_lufs(kept.mean()) + relative])


def find_loudest(powers: Powers, n_steps: int) -> Loudest | None:
    """Find the loudest window of so many steps (EBU Tech 3341: 4 momentary, 30 short-term).

    Returns
    -------
    Loudest or None
        The first of equals; None if the recording is shorter than the window or silent.
    """
    levels = power_to_lufs(moving_power(powers, n_steps))
    if len(levels) == 0 or levels.max() <= ABSOLUTE_GATE:
        return None
    place = int(np.argmax(levels))
    return Loudest(float(levels[place]), place / STEPS_PER_SECOND)
