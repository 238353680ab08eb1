"""The rhythm of taps: how many a second, how regular, and how cyclic.

An onset is where the power of 5 ms rises above the mean of the 50 ms before by
:data:`RISE_DB`; another one counts 50 ms later at the earliest. What the file begins with is no
onset: nothing was before it. Onsets are found all along and counted where the labels say *tap*.

Regularity is the coefficient of variation of the intervals between onsets, 0 for a metronome and 1
for events at random (a Poisson process); intervals over two seconds are pauses, as beyond them
people hear no rhythm [2]_. *Periodicity* also sees a beat with notes left out or divided: the share
of onsets that are followed by another after the best period, less what onsets at random would give.

Fang et al. [1]_ start from the idea that cyclic patterns trigger ASMR, what is predictable in them
relaxing and what varies keeping interest, had listeners score patterns made with more or less
randomness, and found that smoothly spread, energy-dense cycles triggered most. They give no
limits, and there are none here by default.

References
----------
.. [1] Fang, Han, Sveen, Cao and Schotten (2025). How cyclic acoustic patterns influence ASMR
   perception: a signal processing perspective. arXiv:2504.00621.
.. [2] London (2012). Hearing in time: psychological aspects of musical meter. Oxford University
   Press. Chapter 2.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.check.loudness import FLOOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TICKS_PER_SECOND = 200
"""Powers of 5 ms, about the attack of a tap."""

BEFORE_TICKS = 10
"""50 ms: what an onset rises from, and the least interval between two."""

RISE_DB = 8.0
"""Power of 5 ms in steady noise of 1 kHz bandwidth varies by 2 dB (one standard deviation, from
``4.34 / sqrt(bandwidth · 5 ms)``): four times that is no chance."""

FAINTEST_DB = -25.0
"""Onsets this far below the louder half of them are the background, as in
:class:`~asmr_classify.config.DecisionSpec`."""

SILENCE_POWER = 1e-9
"""Added before levels are compared: rises below -90 dBFS are none."""

LONGEST_INTERVAL = 2.0
SHORTEST_PERIOD = 0.1
"""Seconds, from the shortest interval that is heard as rhythm to the longest beat [2]_."""

MATCH = 0.025
"""Seconds that an onset may stray from the period and still count as on it."""

NEARLY = 0.95
"""The best period is the shortest that matches nearly as well as any: its multiples match too."""

LEAST_INTERVALS = 4
"""Fewer say nothing of regularity."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The rhythm of tapping.

    Parameters
    ----------
    rate : float or None
        Onsets a second in tapped segments; None where there are none.
    variation : float or None
        Coefficient of variation of the intervals between onsets; None for too few.
    periodicity : float or None
        In [0, 1]; 1 where every onset has another one a period later; None for too few.
    period : float or None
        Seconds; the best period, if there is a periodicity.
    """

    rate: float | None = None
    variation: float | None = None
    periodicity: float | None = None
    period: float | None = None


class OnsetDetector:
    """Finds onsets, piece by piece."""

    def __init__(self) -> None:
        self._before = np.zeros(0)
        self._start = 0
        self._last = -BEFORE_TICKS
        self._onsets = array("d")  # tick and power by turns: tuples would take five times as much

    def hear(self, powers: NDArray[np.float64]) -> None:
        """Look at the powers of the next ticks.

        Parameters
        ----------
        powers : ndarray of float64, shape (n_ticks,)
            K-weighted power of each 5 ms, summed over channels.
        """
        held = np.concatenate([self._before, powers]) + 0.0
        first = BEFORE_TICKS
        if len(held) > first:
            means = np.convolve(held, np.full(BEFORE_TICKS, 1 / BEFORE_TICKS), "valid")[:-1]
            rises = (held[first:] + SILENCE_POWER) / (np.maximum(means, 0) + SILENCE_POWER)
            for place in np.flatnonzero(rises >= 10 ** (RISE_DB / 10)).tolist():
                self._add(self._start + first + place, float(held[first + place]))
        kept = min(len(held), BEFORE_TICKS)
        self._start += len(held) - kept
        self._before = held[len(held) - kept :]

    def _add(self, tick: int, power: float) -> None:
        if tick - self._last >= BEFORE_TICKS:
            self._onsets.extend((tick, power))
            self._last = tick
        elif self._onsets and tick - self._last <= 2:  # the attack goes on
            self._onsets[-1] = max(power, self._onsets[-1])

    def onsets(self) -> NDArray[np.float64]:
        """Give times and powers of the onsets, shape (n_onsets, 2), in seconds and mean square."""
        onsets = np.array(self._onsets).reshape(-1, 2)
        onsets[:, 0] /= TICKS_PER_SECOND
        return onsets


def measure_rhythm(onsets: NDArray[np.float64], intervals: Sequence[tuple[float, float]]) -> Rhythm:
    """Measure the rhythm of the tapped segments of a recording.

    Parameters
    ----------
    onsets : ndarray of float64, shape (n_onsets, 2)
        Times and powers, see :meth:`OnsetDetector.onsets`.
    intervals : sequence of (float, float)
        Start and end of the tapped segments in seconds, not overlapping.

    Returns
    -------
    Rhythm
    """
    duration = sum(end - start for start, end in intervals)
    if duration <= 0:
        return Rhythm()
    inside = np.zeros(len(onsets), dtype=np.intp)  # 0 outside, else the number of the segment
    for number, (start, end) in enumerate(intervals, 1):
        inside[slice(*np.searchsorted(onsets[:, 0], (start, end)))] = number
    kept = _without_faint(onsets, inside)
    times, segments = onsets[kept, 0], inside[kept]
    gaps = np.diff(times)[np.diff(segments) == 0]
    gaps = gaps[gaps <= LONGEST_INTERVAL]
    rate = len(times) / duration
    if len(gaps) < LEAST_INTERVALS:
        return Rhythm(rate)
    periodicity, period = _periodicity(times, segments, rate)
    return Rhythm(rate, float(gaps.std() / gaps.mean()), periodicity, period)


def _without_faint(onsets: NDArray[np.float64], inside: NDArray[np.intp]) -> NDArray[np.intp]:
    """Places of the onsets inside that are not far fainter than the louder half of them."""
    places = np.flatnonzero(inside)
    if len(places) == 0:
        return places
    powers = onsets[places, 1]
    louder = np.median(powers[powers >= np.median(powers)])
    return np.asarray(places[powers >= louder * 10 ** (FAINTEST_DB / 10)])


def _periodicity(
    times: NDArray[np.float64], segments: NDArray[np.intp], rate: float
) -> tuple[float, float] | tuple[None, None]:
    """Find the period after which most onsets are followed by another, and how many are.

    None where no onsets last for the shortest period.
    """
    n_lags = round(LONGEST_INTERVAL * TICKS_PER_SECOND)
    followed = np.zeros(n_lags + 1)
    for step in range(1, len(times)):
        lags = times[step:] - times[:-step]
        near = (lags <= LONGEST_INTERVAL) & (segments[step:] == segments[:-step])
        if not near.any():
            break
        places = np.round(lags[near] * TICKS_PER_SECOND).astype(np.intp)
        followed += np.bincount(places, minlength=n_lags + 1)[: n_lags + 1]
    half = round(MATCH * TICKS_PER_SECOND)
    matched = np.convolve(followed, np.ones(2 * half + 1), "same")
    shortest = round(SHORTEST_PERIOD * TICKS_PER_SECOND)
    could = np.roll(_could_be_followed(times, segments, n_lags), half)  # by the nearest lag
    by_chance = min(1.0, rate * (2 * half + 1) / TICKS_PER_SECOND)
    shares = np.where(could >= LEAST_INTERVALS, matched / np.maximum(could, 1), 0)
    if not shares[shortest:].any():
        return None, None
    good = shares[shortest:] >= NEARLY * shares[shortest:].max()
    best = shortest + int(np.argmax(good))
    excess = (min(1.0, shares[best]) - by_chance) / max(1 - by_chance, FLOOR)
    return max(0.0, float(excess)), _centre(followed, best, half) / TICKS_PER_SECOND


def _could_be_followed(
    times: NDArray[np.float64], segments: NDArray[np.intp], n_lags: int
) -> NDArray[np.float64]:
    """Count the onsets after which the segment's onsets go on for each lag."""
    ends = np.append(np.flatnonzero(np.diff(segments)), len(segments) - 1)
    left = times[ends][np.searchsorted(ends, np.arange(len(times)))] - times
    longest = np.minimum(np.round(left * TICKS_PER_SECOND), n_lags).astype(np.intp)
    counts = np.bincount(longest, minlength=n_lags + 1)
    return np.asarray(np.cumsum(counts[::-1])[::-1], dtype=np.float64)


def _centre(followed: NDArray[np.float64], best: int, half: int) -> float:
    """Mean of the lags that match, which the plateau of the best period blurs."""
    first, last = max(0, best - half), min(len(followed), best + half + 1)
    return float(np.average(np.arange(first, last), weights=followed[first:last]))
