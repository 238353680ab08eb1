"""K-weighting: the ear's sensitivity as loudness meters have it, at any sampling rate.

ITU-R BS.1770-5, annex 1, states the coefficients of its two filters for 48 kHz only and asks that
other rates give the same frequency response. The filters are bilinear transforms of analogue ones,
a high shelf for the head and a high-pass (the "RLB" curve); their centre frequencies, gain and
quality, solved from the stated coefficients [2]_, give the coefficients at any rate by the same
transform. At 48 kHz that returns the standard's own numbers. The standard's high-pass has a gain a
little over 1 there, which is kept at all rates; implementations that keep its numerator 1, -2, 1
instead read 0.2 LU more at 8 kHz than at 48 kHz.

References
----------
.. [1] ITU-R BS.1770-5 (2023). Algorithms to measure audio programme loudness and true-peak audio
   level. Annex 1, tables 1 and 2.
.. [2] De Man (2018). Evaluation of implementations of the EBU R128 loudness measurement. 145th
   AES Convention. The same numbers stand in libebur128 and in FFmpeg's ebur128 filter.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

STATED_SR = 48000
"""Rate in Hz for which the standard states coefficients."""

SHELF_HZ, SHELF_GAIN_DB, SHELF_Q = 1681.974450955533, 3.999843853973347, 0.7071752369554196
SHELF_BAND_EXPONENT = 0.4996667741545416
"""The shelf's gain at its centre frequency, as a power of that at high frequencies."""

HIGH_PASS_HZ, HIGH_PASS_Q = 38.13547087602444, 0.5003270373238773

SURROUND_WEIGHT = 1.41
"""Power weight of channels between 60° and 120° to the side (BS.1770-5, annexes 1 and 3)."""

FAINTEST_STATE = 1e-30
"""State of a filter that is taken as none: -600 dB."""

SIDES = frozenset({"SL", "SR", "SDL", "SDR", "WL", "WR"})
REAR = frozenset({"BL", "BR"})
LOW_FREQUENCY = frozenset({"LFE", "LFE2"})

Coefficients = tuple["NDArray[np.float64]", "NDArray[np.float64]"]


def shelf_coefficients(sr: int) -> Coefficients:
    """Compute the first filter, which stands for the head.

    Parameters
    ----------
    sr : int
        Sampling rate in Hz. Under twice the centre frequency the shelf lies outside the band, and
        nothing is filtered.

    Returns
    -------
    tuple of ndarray of float64, shape (3,)
        Numerator and denominator, the latter beginning with 1.

    Examples
    --------
    >>> [float(x) for x in shelf_coefficients(48000)[0].round(8)]  # table 1 of the standard
    [1.53512486, -2.69169619, 1.19839281]
    """
    if sr <= 2 * SHELF_HZ:
        return np.array([1.0, 0, 0]), np.array([1.0, 0, 0])
    k = math.tan(math.pi * SHELF_HZ / sr)
    high = 10 ** (SHELF_GAIN_DB / 20)
    band = high**SHELF_BAND_EXPONENT
    a0 = 1 + k / SHELF_Q + k * k
    b = [high + band * k / SHELF_Q + k * k, 2 * (k * k - high), high - band * k / SHELF_Q + k * k]
    return np.array(b) / a0, np.array([a0, 2 * (k * k - 1), 1 - k / SHELF_Q + k * k]) / a0


def high_pass_coefficients(sr: int) -> Coefficients:
    """Compute the second filter, the high-pass.

    Parameters
    ----------
    sr : int
        Sampling rate in Hz.

    Returns
    -------
    tuple of ndarray of float64, shape (3,)
        Numerator and denominator, the latter beginning with 1.

    Examples
    --------
    >>> [float(x) for x in high_pass_coefficients(48000)[1].round(8)]  # table 2 of the standard
    [1.0, -1.99004745, 0.99007225]
    """
    k = math.tan(math.pi * HIGH_PASS_HZ / sr)
    a0, stated_a0 = _high_pass_a0(sr), _high_pass_a0(STATED_SR)
    return (
        np.array([1.0, -2.0, 1.0]) * stated_a0 / a0,
        np.array([a0, 2 * (k * k - 1), 1 - k / HIGH_PASS_Q + k * k]) / a0,
    )


def _high_pass_a0(sr: int) -> float:
    k = math.tan(math.pi * HIGH_PASS_HZ / sr)
    return 1 + k / HIGH_PASS_Q + k * k


def channel_weights(channels: Sequence[str]) -> NDArray[np.float64]:
    """Give the power weight of each channel.

    Parameters
    ----------
    channels : sequence of str
        FFmpeg's names, ``?`` where the place is not stated.

    Returns
    -------
    ndarray of float64, shape (n_channels,)
        1.41 for the surround channels, 0 for low-frequency effects, else 1 (BS.1770-5, annexes 1
        and 3). The rear pair is the surround pair of a layout without side channels (5.1 of
        ITU-R BS.775, at ±110°), and stands at ±135° or more in one with them (7.1). Six channels
        whose places are not stated are taken in the order of WAVE files, as 5.1.

    Examples
    --------
    >>> [float(x) for x in channel_weights(["FL", "FR", "FC", "LFE", "BL", "BR"])]
    [1.0, 1.0, 1.0, 0.0, 1.41, 1.41]
    """
    if list(channels) == ["?"] * 6:
        channels = ["FL", "FR", "FC", "LFE", "BL", "BR"]
    beside = SIDES if SIDES & set(channels) else REAR
    weights = [
        0.0 if name in LOW_FREQUENCY else SURROUND_WEIGHT if name in beside else 1.0
        for name in channels
    ]
    return np.array(weights)


class KWeighting:
    """The two filters in one, going through a recording piece by piece.

    Parameters
    ----------
    sr : int
        Sampling rate in Hz.
    n_channels : int
    """

    def __init__(self, sr: int, n_channels: int) -> None:
        (shelf_b, shelf_a), (pass_b, pass_a) = shelf_coefficients(sr), high_pass_coefficients(sr)
        self._sections = np.array([[*shelf_b, *shelf_a], [*pass_b, *pass_a]])
        self._state = np.zeros((2, n_channels, 2))

    def filter(self, y: NDArray[np.float32]) -> NDArray[np.float64]:
        """Weight the next piece.

        Parameters
        ----------
        y : ndarray of float32, shape (n_channels, n_samples)

        Returns
        -------
        ndarray of float64, shape (n_channels, n_samples)
        """
        from scipy.signal import sosfilt

        weighted, self._state = sosfilt(
            self._sections, y.astype(np.float64), axis=-1, zi=self._state
        )
        # In silence the state dies away to numbers that processors compute with very slowly.
        self._state[np.abs(self._state) < FAINTEST_STATE] = 0
        return np.asarray(weighted)
