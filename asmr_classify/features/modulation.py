"""Summaries of the log-mel spectrogram of each window as a picture: what moves in it, and how.

Both take frames of many windows, shape ``(n_windows, n_frames, n_mels)`` in dB, and return
``(n_windows, n_columns)``; the function of the same name with ``_columns`` names them. Both are
invariant to gain, as levels far below the window's peak are raised beforehand
(:func:`asmr_classify.features.statistics.lift`).

References
----------
.. [1] Chi, Ru and Shamma (2005). Multiresolution spectrotemporal analysis of complex sounds.
   JASA 118(2).
.. [2] Wang, Getreuer, Hughes, Lyon and Saurous (2017). Trainable frontend for robust and far-field
   keyword spotting. ICASSP.
.. [3] Lostanlen et al. (2019). Per-channel energy normalization: why and how. IEEE SPL 26(1).
"""

from __future__ import annotations

import itertools
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.features.statistics import mean_of_frames, spread_of_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

RATE_EDGES_HZ = (0.4, 1.0, 2.0, 4.0, 8.0, 16.0, 32.1)
"""Octaves of the rate at which levels go up and down; a window of 2 s resolves 0.5 Hz."""

SCALE_EDGES = (0.0, 0.03, 0.07, 0.13, 0.25, 0.51)
"""Octaves of the scale, in cycles a mel band: from all bands as one to each against the next."""

LEAST_SHARE = np.float32(1e-5)
"""Of the power of all modulation; less is no more than noise."""

LEAST_MODULATION_DB = 1e-3
"""Root mean square below which levels do not move: what rounding makes of a steady tone is less."""

GAIN, OFFSET = 0.8, 2.0
"""Of the normalisation: how far the background is divided out, and what is added before the square
root that compresses what is left. Offset and root are those of [2]_, as is the gain of 0.98 there;
the gain of 0.8 is in use for sounds outdoors [3]_ and leaves a steady noise some of its level."""

MEMORY_SECONDS = 0.4
"""Time constant of the background: librosa's default, which stands for the one of [2]_."""

MEAN_POWER = np.float32(1e3)
"""What each window's mean power is scaled to beforehand, so that the offset is small beside it and
means the same at any gain."""


def modulation_statistics(logmel: Array, rate: float) -> Array:
    """Measure spectro-temporal modulation, and whether ripples move up or down [1]_.

    Parameters
    ----------
    logmel : ndarray of float32, shape (n_windows, n_frames, n_mels), in dB
        Lifted.
    rate : float
        Frames a second.

    Returns
    -------
    ndarray of float32, shape (n_windows, n_columns)
        For each octave of the rate, decades of the share of power in each octave of the scale, and
        the difference between upward and downward, in [-1, 1].
    """
    from scipy import fft

    deviation = logmel - mean_of_frames(logmel)[:, None]
    spectrum = fft.fft(fft.rfft(deviation, axis=1), axis=2)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    rates, scales = _octaves(logmel.shape[1], logmel.shape[2], rate)
    shares = np.matmul(rates, power) @ scales
    total = shares[:, :, : len(SCALE_EDGES) - 1].sum(axis=(1, 2), keepdims=True)
    # By Parseval's theorem; rates of one sign hold half of the power.
    least = (LEAST_MODULATION_DB * deviation[0].size) ** 2 / 2
    shares /= np.maximum(total, np.float32(least))
    octaves = np.log10(shares[:, :, :-2] + LEAST_SHARE)
    up, down = shares[:, :, -2], shares[:, :, -1]
    direction = (up - down) / (up + down + LEAST_SHARE)
    columns = np.concatenate([octaves, direction[:, :, None]], axis=2)
    return np.asarray(columns.reshape(len(logmel), -1), dtype=np.float32)


def modulation_statistics_columns() -> list[str]:
    """Name the columns of :func:`modulation_statistics`."""
    whats = [*(f"scale_{k}" for k in range(len(SCALE_EDGES) - 1)), "direction"]
    return [f"modulation_{r}_{what}" for r in range(len(RATE_EDGES_HZ) - 1) for what in whats]


@cache
def _octaves(n_frames: int, n_mels: int, rate: float) -> tuple[Array, Array]:
    """Weights that sum a modulation spectrum over rates, and over scales and directions."""
    rates = np.arange(n_frames // 2 + 1) * rate / n_frames
    scales = np.fft.fftfreq(n_mels)
    of_rates = [(rates >= low) & (rates < high) for low, high in itertools.pairwise(RATE_EDGES_HZ)]
    size = np.abs(scales)
    of_scales = [(size >= low) & (size < high) for low, high in itertools.pairwise(SCALE_EDGES)]
    # A ripple of rate and scale of the same sign moves down; at half a cycle a band, neither way.
    moving = (size > SCALE_EDGES[1]) & (size < 0.5)
    of_scales += [moving & (scales < 0), moving & (scales > 0)]
    return np.array(of_rates, dtype=np.float32), np.array(of_scales, dtype=np.float32).T.copy()


def normalised_statistics(logmel: Array, rate: float) -> Array:
    """Summarise mel bands under per-channel energy normalisation [2]_: what stands out of each.

    Parameters
    ----------
    logmel : ndarray of float32, shape (n_windows, n_frames, n_mels), in dB
        Lifted.
    rate : float
        Frames a second.

    Returns
    -------
    ndarray of float32, shape (n_windows, 3 * n_mels)
        Mean, spread, and mean rise from frame to frame of each band.
    """
    power = np.exp(logmel * np.float32(np.log(10) / 10))
    power *= MEAN_POWER / power.mean(axis=(1, 2), keepdims=True)
    mean = mean_of_frames(power)
    # The background begins where it is on average, as nothing is known of what was before.
    smoother, start = _smoother(logmel.shape[1], rate)
    background = np.matmul(smoother, power) + start * mean[:, None]
    # Logarithms and roots, as powers take ten times as long.
    power *= np.exp(np.log(background) * np.float32(-GAIN))
    values = np.sqrt(power + np.float32(OFFSET)) - np.float32(np.sqrt(OFFSET))
    average = mean_of_frames(values)
    rise = mean_of_frames(np.maximum(np.diff(values, axis=1), 0))
    return np.concatenate([average, spread_of_frames(values - average[:, None]), rise], axis=1)


def normalised_statistics_columns(n_mels: int) -> list[str]:
    """Name the columns of :func:`normalised_statistics`."""
    whats = ("mean", "std", "rise")
    return [f"normalised_{what}_{band}" for what in whats for band in range(n_mels)]


@cache
def _smoother(n_frames: int, rate: float) -> tuple[Array, Array]:
    """Weights of a first-order low-pass filter, and how much of its start is left."""
    n_memory = MEMORY_SECONDS * rate
    step = (np.sqrt(1 + 4 * n_memory**2) - 1) / (2 * n_memory**2)
    age = np.subtract.outer(np.arange(n_frames), np.arange(n_frames))
    weights = np.where(age >= 0, step * (1 - step) ** np.maximum(age, 0), 0)
    left = (1 - step) ** np.arange(1, n_frames + 1)
    return weights.astype(np.float32), left.astype(np.float32)[:, None]
