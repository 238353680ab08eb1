"""Two channels or two ears: how alike both channels are, and how far apart in time and level.

Windows of one second are compared, K-weighted, so that rumble does not decide. The interaural
cross-correlation function is the correlation of both channels at delays within ±1 ms, about the
time that sound takes around a head; IACC is its highest absolute value (ISO 3382-1, annex B, where
it is defined for impulse responses; over running windows as in [1]_). 1 is the same sound in both
ears, 0 two sounds that have nothing in common. Each delay is normalised by the power of just the
samples that it compares, so that no value exceeds 1.

Shimokura [1]_ had listeners rate twenty triggers: what sounded close got the higher ASMR scores,
and sounds made by people seemed closer, and got higher scores, the lower their IACC. Honda et al.
[2]_ found that noise moved around the head gives more frisson than noise that stands, and frisson
to go with the variance of the interaural level difference. Neither gives limits, so there are
none here by default but for what is a mistake.

References
----------
.. [1] Shimokura (2022). Sound quality factors inducing the autonomous sensory meridian response.
   Audiology Research 12(5), 574-584.
.. [2] Honda et al. (2020). Proximal binaural sound can induce subjective frisson. Frontiers in
   Psychology 11, 316.
.. [3] ISO 3382-1:2009. Measurement of room acoustic parameters, part 1. Annex B.
.. [4] Brungart and Rabinowitz (1999). Auditory localization of nearby sources. Head-related
   transfer functions. Journal of the Acoustical Society of America 106(3).
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from asmr_classify.check.loudness import ABSOLUTE_GATE, FLOOR, power_to_lufs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Power = NDArray[np.float64] | np.float64 | float

MAX_DELAY = 0.001
"""Seconds (ISO 3382-1)."""

DEAD_DB = 40.0
"""A channel that is quieter than the other by more over the whole recording is dead: a source at
the ear makes 20 to 30 dB at high frequencies [4]_, and no voice stays at one ear throughout."""

DUAL_MONO_DB = (-30.0, -20.0)
"""Channels are the same where what one has and the other has not lies this far below the sound in
most windows, and over the whole recording. Good lossy encoders leave less, but for moments; two
microphones hardly ever leave so little. Encoders that put noise of their own into each channel
(some AAC at low rates) can hide dual mono: it then shows as stereo with an IACC near 1."""

OUT_OF_PHASE = -0.8
"""Correlation without delay from which on channels cancel each other: their sum, as a phone plays
it, then loses 10 dB or more."""

EAR_DELAY = (0.0001, 0.0009)
"""Seconds between ears of a source clearly to the side: 0.1 ms is about 10° off the middle, and
0.9 ms more than any head needs. Panning by level alone makes none."""

EAR_IACC = 0.3
"""A delay is believed where the channels agree at least as much; diffuse sound has none."""

BINAURAL_SHARE = 0.2
"""Share of the audible windows that must have such a delay. Spaced microphones make them too:
hence binaural-*like*."""


BLOCK = 96
"""Samples that are correlated at a time: the fastest of 16 to 128 at 48 kHz."""


class Channels(StrEnum):
    """What the channels of a recording are to each other."""

    NONE = "none"
    SILENT = "silent"
    MONO = "mono"
    DUAL_MONO = "dual_mono"
    ONE_DEAD = "one_dead"
    OUT_OF_PHASE = "out_of_phase"
    STEREO = "stereo"
    BINAURAL = "binaural_like"
    SURROUND = "surround"


@dataclass(frozen=True, slots=True)
class Ears:
    """How two channels stand to each other over a recording, in its audible windows.

    Parameters
    ----------
    channels : Channels
    iacc : float or None
        Median of IACC, in [0, 1]. This and what follows is None where there are not two live
        channels.
    delay_ms : float or None
        Median of the absolute delay at which IACC is reached, in milliseconds.
    level_difference : float or None
        dB by which the left channel is louder than the right, by their whole power.
    level_movement : float or None
        Standard deviation of the level difference of windows, in dB.
    """

    channels: Channels
    iacc: float | None = None
    delay_ms: float | None = None
    level_difference: float | None = None
    level_movement: float | None = None


@dataclass(frozen=True, slots=True)
class Likeness:
    """How two channels compare in one window.

    Parameters
    ----------
    left, right, cross : float
        Mean square of each, and mean product.
    iacc : float
        In [0, 1].
    delay : float
        Seconds; positive where the left channel is first.
    """

    left: float
    right: float
    cross: float
    iacc: float
    delay: float


def compare_channels(left: NDArray[np.float32], right: NDArray[np.float32], sr: int) -> Likeness:
    """Compare one window of two channels.

    Parameters
    ----------
    left, right : ndarray of float32, shape (n_samples,)
        At least one sample.
    sr : int
        Sampling rate in Hz.

    Returns
    -------
    Likeness
    """
    delay, iacc = _cross_correlation_peak(left, right, sr)
    n = len(left)
    return Likeness(
        left=float(np.dot(left, left)) / n,
        right=float(np.dot(right, right)) / n,
        cross=float(np.dot(left, right)) / n,
        iacc=iacc,
        delay=delay,
    )


def _cross_correlation_peak(
    left: NDArray[np.float32], right: NDArray[np.float32], sr: int
) -> tuple[float, float]:
    """Find the delay with the highest absolute correlation, the shortest of equals."""
    most = min(round(MAX_DELAY * sr), (len(left) - 1) // 2)
    middle = right[most : len(right) - most]
    n = len(middle)
    squares = np.square(left, dtype=np.float64)
    gone, come = (np.append(0.0, np.cumsum(part)) for part in (squares[: 2 * most], squares[n:]))
    powers = (squares[:n].sum() - gone + come) * float(np.dot(middle, middle))
    products = _products(left, middle)
    normalised = np.abs(products) / np.sqrt(np.maximum(powers, (n * FLOOR) ** 2))
    lags = most - np.arange(2 * most + 1)
    ranked = normalised - 1e-6 * np.abs(lags) / max(1, most)  # equal but for rounding
    best = int(np.argmax(ranked))
    return float(lags[best]) / sr, float(min(1.0, normalised[best]))


def _products(y: NDArray[np.float32], part: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum the products of a part with each stretch of ``y`` that is as long, first to last.

    One matrix product takes :data:`BLOCK` samples of the part against the stretch of ``y`` that
    they meet at any place; the sums of its diagonals are those wanted. Twice as fast as one by one.
    """
    n_places = len(y) - len(part) + 1
    whole = len(part) // BLOCK * BLOCK
    sums = np.zeros(n_places, dtype=np.float32)
    if whole:
        met = sliding_window_view(y[: whole + n_places - 1], BLOCK + n_places - 1)[::BLOCK]
        table = np.ascontiguousarray(part[:whole].reshape(-1, BLOCK).T @ met)
        sums += sliding_window_view(table.ravel(), n_places)[:: BLOCK + n_places].sum(axis=0)
    if whole < len(part):
        sums += np.correlate(y[whole:], part[whole:], "valid")
    return sums


class Comparison:
    """Keeps a few numbers of each window of a recording with two channels.

    Parameters
    ----------
    sr : int
        Sampling rate in Hz.
    """

    def __init__(self, sr: int) -> None:
        self._sr = sr
        self._windows = array("d")  # five a window: tuples would take five times as much

    def hear(self, weighted: NDArray[np.float32]) -> None:
        """Look at the next window.

        Parameters
        ----------
        weighted : ndarray of float32, shape (2, n_samples), K-weighted
        """
        if power_to_lufs(np.square(weighted, dtype=np.float64).mean(axis=1).sum()) > ABSOLUTE_GATE:
            like = compare_channels(weighted[0], weighted[1], self._sr)
            self._windows.extend((like.left, like.right, like.cross, like.iacc, like.delay))

    def conclude(self) -> Ears:
        """Tell what the two channels are to each other, by the windows above -70 LUFS.

        Without any, they are two channels, of which nothing more can be said.
        """
        if not self._windows:
            return Ears(Channels.STEREO)
        left, right, cross, iacc, delay = np.array(self._windows).reshape(-1, 5).T
        difference = _to_db(left.mean()) - _to_db(right.mean())
        kind = _kind_of(left, right, cross, iacc, delay)
        if kind is Channels.ONE_DEAD:
            return Ears(kind, level_difference=float(difference))
        return Ears(
            channels=kind,
            iacc=float(np.median(iacc)),
            delay_ms=float(1000 * np.median(np.abs(delay))),
            level_difference=float(difference),
            level_movement=float(np.std(_to_db(left) - _to_db(right))),
        )


def _kind_of(
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    cross: NDArray[np.float64],
    iacc: NDArray[np.float64],
    delay: NDArray[np.float64],
) -> Channels:
    """Tell the kind by columns over the audible windows."""
    if abs(_to_db(left.mean()) - _to_db(right.mean())) > DEAD_DB:
        return Channels.ONE_DEAD
    correlation = cross.mean() / np.sqrt(left.mean() * right.mean())
    if correlation <= OUT_OF_PHASE:
        return Channels.OUT_OF_PHASE
    in_windows = np.median(_unshared_db(left, right, cross))
    if (
        in_windows <= DUAL_MONO_DB[0]
        and _unshared_db(left.mean(), right.mean(), cross.mean()) <= DUAL_MONO_DB[1]
    ):
        return Channels.DUAL_MONO
    shortest, longest = EAR_DELAY
    aside = (iacc >= EAR_IACC) & (np.abs(delay) >= shortest) & (np.abs(delay) <= longest)
    return Channels.BINAURAL if aside.mean() >= BINAURAL_SHARE else Channels.STEREO


def _unshared_db(left: Power, right: Power, cross: Power) -> NDArray[np.float64]:
    """Share of one channel's power that the other at its best gain does not explain, in dB."""
    explained = np.square(cross) / np.maximum(np.asarray(left) * right, FLOOR**2)
    return _to_db(1 - np.minimum(explained, 1))


def _to_db(power: Power) -> NDArray[np.float64]:
    return np.asarray(10 * np.log10(np.maximum(power, FLOOR)))
