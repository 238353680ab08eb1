"""Sudden loud moments: where the sound leaps above what the last minute has made the ear expect.

At each 100 ms the momentary loudness (400 ms, K-weighted, EBU Tech 3341) is set against the level
that it exceeded for one twentieth of the last minute of sound, three seconds in all. The *size* of
a moment is the difference in LU.

Why a high percentile, and not the median: between taps lies near-silence, and every tap of a
tapping video would count as sudden. What was heard for three seconds within a minute surprises
nobody. Why the last minute *of sound*: silence below the gate of BS.1770-5 (-70 LUFS) is skipped,
or whoever speaks again after a pause would count, and a bang after a minute of nothing would not.
A sound that swells takes three seconds to raise that level, so a size of s LU needs a rise faster
than s / 3 LU a second; one that fades in does not count.

The first four seconds of sound have no such minute before them, and are judged by the minute that
follows in its place: nothing has made the ear expect a bang with which a recording begins, least of
all after the quiet end of another one.

Ten phon more sound about twice as loud (the sone scale, ISO 532-1), and in sleep laboratories and
bedrooms the odds of waking rise with the highest level of a noise [1]_; neither gives a limit for
recordings, whose level a listener chooses. Short rises (tens of milliseconds) startle more than
slow ones; the rise time is told as far as steps of 100 ms can.

References
----------
.. [1] Basner and McGuire (2018). WHO Environmental Noise Guidelines for the European Region: a
   systematic review on environmental noise and effects on sleep. International Journal of
   Environmental Research and Public Health 15(3), 519.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.check.loudness import (
    ABSOLUTE_GATE,
    MOMENTARY_STEPS,
    STEPS_PER_SECOND,
    moving_power,
    power_to_lufs,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

LAST_MINUTE_STEPS = 60 * STEPS_PER_SECOND
EXCEEDED = 0.05
"""Share of the last minute that the level to compare with was exceeded: three seconds."""

LEAST_STEPS = 3 * STEPS_PER_SECOND
"""Sound that must have been heard before anything can be sudden, as long as a short-term window."""

SUDDEN_LU = 10.0
"""Least size of a moment that is listed: about twice as loud."""

MERGED_STEPS = LEAST_STEPS
"""Moments no further apart than this are one."""


NEARLY_DB = 3.0
"""A rise ends where half of the highest power is reached."""


@dataclass(frozen=True, slots=True)
class Startle:
    """One sudden loud moment.

    Parameters
    ----------
    start : float
        Seconds; where it rises above the level of the last minute by :data:`SUDDEN_LU`.
    size : float
        LU above the level of the last minute (at the beginning, of the next), at its loudest.
    level : float
        Momentary loudness there, in LUFS.
    rise : float
        Seconds that the level of single steps takes from the last minute's level to half its
        highest power, in steps of 0.1, at least 0.1.
    """

    start: float
    size: float
    level: float
    rise: float


@dataclass(frozen=True, slots=True)
class Sudden:
    """How sudden a recording gets.

    Parameters
    ----------
    largest : float or None
        Size of its most sudden moment in LU, at least 0, also where none is listed; None if less
        than about three seconds were heard.
    start : float or None
        Seconds; where that is. None where nothing rises above the last minute.
    moments : tuple of Startle
        Those of :data:`SUDDEN_LU` and more, largest first.
    """

    largest: float | None
    start: float | None
    moments: tuple[Startle, ...]


def find_startles(powers: NDArray[np.float64]) -> Sudden:
    """Find the sudden loud moments of a recording.

    Parameters
    ----------
    powers : ndarray of float64, shape (n_steps,)
        Weighted power of each 100 ms, see :mod:`asmr_classify.check.loudness`.

    Returns
    -------
    Sudden
    """
    levels = power_to_lufs(moving_power(powers, MOMENTARY_STEPS))
    sizes = levels - _expected(levels)
    judged = np.isfinite(sizes)
    if not judged.any():
        return Sudden(None, None, ())
    sizes = np.where(judged, sizes, -np.inf)
    moments = [
        _describe(first, last, powers, levels, sizes)
        for first, last in _iter_runs(sizes >= SUDDEN_LU)
    ]
    place = int(np.argmax(sizes))
    largest = max(0.0, float(sizes[place]))
    return Sudden(
        largest=largest,
        start=_newest_step(place) / STEPS_PER_SECOND if largest > 0 else None,
        moments=tuple(sorted(moments, key=lambda moment: (-moment.size, moment.start))),
    )


def _expected(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Level that each momentary window is set against; NaN where nothing is judged.

    It is taken once a second of sound, of the minute before that second, and where too little was
    heard before, of the minute after it; always without the windows that overlap those judged.
    """
    heard = np.flatnonzero(levels > ABSOLUTE_GATE)
    expected = np.full(len(levels), np.nan)
    for first in range(0, len(heard), STEPS_PER_SECOND):
        judged = heard[first : first + STEPS_PER_SECOND]
        end = first - MOMENTARY_STEPS + 1
        begin = first + STEPS_PER_SECOND + MOMENTARY_STEPS - 1
        minute = heard[begin : begin + LAST_MINUTE_STEPS]
        if end >= LEAST_STEPS:
            minute = heard[max(0, end - LAST_MINUTE_STEPS) : end]
        if len(minute) >= LEAST_STEPS:
            rank = int((1 - EXCEEDED) * (len(minute) - 1))
            expected[judged] = np.partition(levels[minute], rank)[rank]
    return expected


def _iter_runs(sudden: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Find runs of sudden windows as half-open pairs, close ones merged."""
    places = np.flatnonzero(sudden)
    gaps = np.flatnonzero(np.diff(places) > MERGED_STEPS)
    firsts = np.concatenate([places[:1], places[gaps + 1]])
    lasts = np.concatenate([places[gaps], places[-1:]])
    return zip(firsts.tolist(), (lasts + 1).tolist(), strict=True)


def _newest_step(window: int) -> int:
    """Tell the step that makes a window rise: its newest, but where the recording begins."""
    return window + MOMENTARY_STEPS - 1 if window else 0


def _describe(
    first: int,
    last: int,
    powers: NDArray[np.float64],
    levels: NDArray[np.float64],
    sizes: NDArray[np.float64],
) -> Startle:
    loudest = first + int(np.argmax(sizes[first:last]))
    expected = levels[loudest] - sizes[loudest]
    steps = power_to_lufs(powers[: loudest + MOMENTARY_STEPS])
    steps = steps[max(0, first - LEAST_STEPS) :]
    reached = int(np.argmax(steps >= steps.max() - NEARLY_DB))
    below = np.flatnonzero(steps[:reached] <= expected)
    rise = reached - int(below[-1]) if len(below) else reached
    return Startle(
        start=_newest_step(first) / STEPS_PER_SECOND,
        size=float(sizes[loudest]),
        level=float(levels[loudest]),
        rise=max(1, rise) / STEPS_PER_SECOND,
    )
