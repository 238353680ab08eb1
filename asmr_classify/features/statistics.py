"""Summaries of the frames in each window: the columns that the model sees.

Every function takes frames of many windows, shape ``(n_windows, n_frames, n_bands)``, and returns
``(n_windows, n_columns)``; the function of the same name with ``_columns`` names them. All are
invariant to gain: levels are taken relative to the window's own, and levels further than
``DYNAMIC_RANGE_DB`` below its peak are raised beforehand, see :func:`lift`, so that digital silence
between sounds does not rule the statistics.

References
----------
.. [1] McDermott and Simoncelli (2011). Sound texture perception via statistics of the auditory
   periphery. Neuron 71(5).
.. [2] Bello et al. (2005). A tutorial on onset detection in music signals. IEEE TSAP 13(5).
.. [3] Davis and Mermelstein (1980). Comparison of parametric representations for monosyllabic
   word recognition. IEEE TASSP 28(4).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.features.frames import COMPRESSION, N_TEXTURE_BANDS, SCALARS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

DYNAMIC_RANGE_DB = 70.0
"""Levels further below the window's loudest are raised to this: about what a 12-bit recording
holds, and more than lossy codecs keep."""

LEAST_ENVELOPE = np.float32(10 ** (-DYNAMIC_RANGE_DB / 10 * COMPRESSION))
"""The same for compressed envelopes, relative to the window's highest: what a codec or a sampling
rate left empty would otherwise have a texture of its own."""

N_CEPSTRA = 13
"""Cepstral coefficients, as customary since [3]_."""

QUANTILES = (0.1, 0.5, 0.9)

MODULATION_EDGES_HZ = (0.4, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.1)
"""Octave bands of modulation, as in [1]_; a window of 2 s resolves 0.5 Hz."""

VOICED = 0.5
"""Voicing over which a frame counts as voiced: Boersma (1993) has 0.45 for the same measure."""

RISE_DB = (3.0, 6.0, 9.0, 12.0, 18.0)
"""Rises of the short-term level within ``RISE_FRAMES`` that count as an impulse."""

RISE_FRAMES = 2
"""Texture frames over which a rise is measured: 8 ms."""

PEAK_FRAMES = 9
"""An impulse is the largest rise among this many texture frames (35 ms), as listeners fuse
closer ones [2]_."""

DECAY_FRAMES = (2, 5, 13, 26, 51)
"""Texture frames after an impulse at which its decay is measured: 8 to 200 ms."""

IMPULSE_BANDS = {"all": slice(None), "low": slice(0, 4), "high": slice(8, None)}
"""Texture bands whose level is searched for impulses: knocks are low, crinkles high."""

PERIOD_FRAMES = (26, 255)
"""Lags at which regularity is looked for, in texture frames: 0.1 to 1 s."""

TINY = np.float32(1e-12)

LEAST_SPREAD = np.float32(1e-3)
"""Least relative spread of an envelope: steadier ones have no shape worth measuring."""


def lift(levels: Array) -> Array:
    """Raise levels further than ``DYNAMIC_RANGE_DB`` below the loudest of their window to that.

    Parameters
    ----------
    levels : ndarray of float32, shape (n_windows, n_frames, n_bands), in dB

    Returns
    -------
    ndarray of float32, of the same shape
    """
    return np.asarray(np.maximum(levels, levels.max(axis=(1, 2), keepdims=True) - DYNAMIC_RANGE_DB))


def spectral_statistics(logmel: Array) -> Array:
    """Summarise log-mel frames: background, events over it, spread, and change per band.

    Parameters
    ----------
    logmel : ndarray of float32, shape (n_windows, n_frames, n_mels), in dB
        Lifted.

    Returns
    -------
    ndarray of float32, shape (n_windows, 4 * n_mels + 3 * N_CEPSTRA), in dB
    """
    mean = mean_of_frames(logmel)
    deviation = logmel - mean[:, None]
    event = 10 * np.log10(mean_of_frames(np.exp(deviation * np.float32(np.log(10) / 10))))
    change = spread_of_frames(np.diff(logmel, axis=1))
    cepstra = logmel @ _cosines(logmel.shape[2])
    return np.concatenate(
        [
            mean - mean.mean(axis=1, keepdims=True),
            event,
            spread_of_frames(deviation),
            change,
            mean_of_frames(cepstra)[:, 1:],
            spread_of_frames(cepstra - mean_of_frames(cepstra)[:, None]),
            spread_of_frames(np.diff(cepstra, axis=1)),
        ],
        axis=1,
    )


def spectral_statistics_columns(n_mels: int) -> list[str]:
    """Name the columns of :func:`spectral_statistics`."""
    names = [
        f"mel_{what}_{band}"
        for what in ("mean", "event", "std", "change")
        for band in range(n_mels)
    ]
    names += [f"cepstrum_mean_{k}" for k in range(1, N_CEPSTRA)]
    return names + [f"cepstrum_{what}_{k}" for what in ("std", "change") for k in range(N_CEPSTRA)]


@cache
def _cosines(n_mels: int) -> Array:
    """Orthonormal DCT-II, shape (n_mels, N_CEPSTRA)."""
    from scipy import fft

    return np.asarray(fft.dct(np.eye(n_mels), norm="ortho")[:, :N_CEPSTRA], dtype=np.float32)


def mean_of_frames(values: Array) -> Array:
    """Average over frames, as a matrix product: NumPy's own mean takes ten times as long.

    Parameters
    ----------
    values : ndarray of float32, shape (n_windows, n_frames, n_bands)

    Returns
    -------
    ndarray of float32, shape (n_windows, n_bands)
    """
    n_frames = values.shape[1]
    weights = np.full((1, n_frames), 1 / n_frames, dtype=np.float32)
    return np.asarray(np.matmul(weights, values)[:, 0], dtype=np.float32)


def _mean_product(a: Array, b: Array) -> Array:
    """Mean over frames of the product of two."""
    return np.asarray(np.einsum("wfb,wfb->wb", a, b) / a.shape[1], dtype=np.float32)


def spread_of_frames(deviation: Array) -> Array:
    """Take the root mean square over frames; 0 where there is no frame.

    Parameters
    ----------
    deviation : ndarray of float32, shape (n_windows, n_frames, n_bands)

    Returns
    -------
    ndarray of float32, shape (n_windows, n_bands)
    """
    if deviation.shape[1] == 0:
        return np.zeros(deviation.shape[::2], dtype=np.float32)
    return np.asarray(np.sqrt(_mean_product(deviation, deviation)), dtype=np.float32)


def scalar_statistics(scalars: Array, logmel: Array) -> Array:
    """Summarise the scalar frame features and the flux, over time and where the energy is.

    Parameters
    ----------
    scalars : ndarray of float32, shape (n_windows, n_frames, len(SCALARS))
    logmel : ndarray of float32, shape (n_windows, n_frames, n_mels), in dB
        Lifted.

    Returns
    -------
    ndarray of float32, shape (n_windows, 6 * len(SCALARS) + 8)
    """
    level = np.maximum(scalars[:, :, 0], scalars[:, :, 0].max(axis=1, keepdims=True) - 70)
    level -= level.mean(axis=1, keepdims=True)
    values = np.concatenate([scalars, spectral_flux(logmel)[:, :, None]], axis=2)
    values[:, :, 0] = level
    weights = 10 ** (level / 20)
    weights /= weights.sum(axis=1, keepdims=True)
    ordered = np.sort(values, axis=1)
    at = [round(q * (values.shape[1] - 1)) for q in QUANTILES]
    voicing, pitch = values[:, :, SCALARS.index("voicing")], values[:, :, SCALARS.index("pitch")]
    return np.concatenate(
        [
            mean_of_frames(values)[:, 1:],  # that of the level is 0
            spread_of_frames(values - mean_of_frames(values)[:, None]),
            *(ordered[:, k] for k in at),
            np.einsum("wf,wfc->wc", weights, values),
            _voice_statistics(voicing, pitch, weights),
        ],
        axis=1,
    )


def scalar_statistics_columns() -> list[str]:
    """Name the columns of :func:`scalar_statistics`."""
    whats = ("mean", "std", *(f"q{round(100 * q)}" for q in QUANTILES), "weighted")
    names = [f"{name}_{what}" for what in whats for name in (*SCALARS, "flux")]
    names.remove(f"{SCALARS[0]}_mean")
    return [*names, "voiced_share", "voiced_energy", "voiced_pitch_std"]


def spectral_flux(logmel: Array) -> Array:
    """Mean rise over the bands since the frame before; 0 at the first frame of each window.

    As by :func:`librosa.onset.onset_strength`, whose import takes longer than a clip.

    Parameters
    ----------
    logmel : ndarray of float32, shape (n_windows, n_frames, n_mels), in dB

    Returns
    -------
    ndarray of float32, shape (n_windows, n_frames), in dB
    """
    rises = np.maximum(np.diff(logmel, axis=1), 0).mean(axis=2)
    return np.pad(rises, ((0, 0), (1, 0)))


def _voice_statistics(voicing: Array, pitch: Array, weights: Array) -> Array:
    """Share of voiced frames, their share of the energy, and how far their pitch moves."""
    voiced = voicing > VOICED
    count = np.maximum(voiced.sum(axis=1), 1)
    mean = (pitch * voiced).sum(axis=1) / count
    variance = (np.square(pitch - mean[:, None]) * voiced).sum(axis=1) / count
    return np.stack(
        [voiced.mean(axis=1), (weights * voiced).sum(axis=1), np.sqrt(variance)], axis=1
    )


def texture_statistics(envelopes: Array, rate: float) -> Array:
    """Summarise band envelopes as a sound texture [1]_.

    Parameters
    ----------
    envelopes : ndarray of float32, shape (n_windows, n_frames, N_TEXTURE_BANDS)
        Compressed envelopes.
    rate : float
        Frames a second.

    Returns
    -------
    ndarray of float32, shape (n_windows, n_columns)
        Relative level, spread, skewness and kurtosis of each band, correlations of all pairs of
        bands, and the power of modulation in octaves for each band.
    """
    envelopes = np.maximum(envelopes, envelopes.max(axis=(1, 2), keepdims=True) * LEAST_ENVELOPE)
    mean = mean_of_frames(envelopes)[:, None]
    relative = envelopes / mean - 1
    std = np.maximum(spread_of_frames(relative), LEAST_SPREAD)
    z = np.asarray(relative / std[:, None], dtype=np.float32)
    square = z * z
    upper = np.triu_indices(envelopes.shape[2], k=1)
    correlations = np.matmul(z.transpose(0, 2, 1), z) / z.shape[1]
    level = np.log2(mean[:, 0]) / COMPRESSION
    return np.concatenate(
        [
            level - level.mean(axis=1, keepdims=True),
            std,
            _mean_product(square, z),
            np.log2(_mean_product(square, square) + 1),
            correlations[:, upper[0], upper[1]],
            _modulation_power(relative, rate),
        ],
        axis=1,
    )


def texture_statistics_columns() -> list[str]:
    """Name the columns of :func:`texture_statistics`."""
    bands = range(N_TEXTURE_BANDS)
    names = [f"texture_{what}_{b}" for what in ("level", "std", "skew", "kurtosis") for b in bands]
    names += [f"texture_correlation_{a}_{b}" for a in bands for b in bands if a < b]
    octaves = range(len(MODULATION_EDGES_HZ) - 1)
    return names + [f"texture_modulation_{b}_{o}" for b in bands for o in octaves]


def _modulation_power(relative: Array, rate: float) -> Array:
    """Decades of modulation power per band and octave, shape (n_windows, n_bands * n_octaves)."""
    from scipy import fft

    n_fft = fft.next_fast_len(relative.shape[1], real=True)
    spectrum = fft.rfft(np.ascontiguousarray(relative.transpose(0, 2, 1)), n=n_fft, axis=2)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    freqs = np.arange(power.shape[2]) * rate / n_fft
    edges = np.array(MODULATION_EDGES_HZ)
    inside = (freqs >= edges[:-1, None]) & (freqs < edges[1:, None])
    per_octave = power @ inside.T.astype(np.float32) / np.float32(relative.shape[1] ** 2)
    return np.asarray(np.log10(per_octave + 1e-7).reshape(len(relative), -1), np.float32)


def impulse_statistics(envelopes: Array, rate: float) -> Array:
    """Summarise impulses: how many, how high, how regular, how they decay, in which bands.

    Parameters
    ----------
    envelopes : ndarray of float32, shape (n_windows, n_frames, N_TEXTURE_BANDS)
        Compressed envelopes.
    rate : float
        Frames a second.

    Returns
    -------
    ndarray of float32, shape (n_windows, n_columns)
    """
    levels = lift(np.asarray(10 / COMPRESSION * np.log10(envelopes), dtype=np.float32))
    columns = []
    means = np.ascontiguousarray((levels @ _impulse_bands()).transpose(2, 0, 1))
    rises_of = [_rises(level) for level in means]
    for level, rises in zip(means, rises_of, strict=True):
        columns += [_rates(rises, rate), _spacing(rises, rate), _decays(level, rises)]
        columns += [_level_spread(level), _regularity(rises)[:, None]]
    columns.append(_band_rises(levels, rises_of[0]))
    return np.concatenate(columns, axis=1)


def impulse_statistics_columns() -> list[str]:
    """Name the columns of :func:`impulse_statistics`."""
    names = []
    for bands in IMPULSE_BANDS:
        names += [f"impulse_{bands}_rate_{rise:g}db" for rise in RISE_DB]
        names += [f"impulse_{bands}_spacing_mean", f"impulse_{bands}_spacing_std"]
        names += [f"impulse_{bands}_decay_{frames}" for frames in DECAY_FRAMES]
        names += [f"impulse_{bands}_level_{what}" for what in ("q10", "q90", "q99", "max")]
        names.append(f"impulse_{bands}_regularity")
    return names + [f"impulse_band_rise_{b}" for b in range(N_TEXTURE_BANDS)]


@cache
def _impulse_bands() -> Array:
    """Weights that average the texture bands of each impulse band, one in a column."""
    inside = np.zeros((N_TEXTURE_BANDS, len(IMPULSE_BANDS)), dtype=np.float32)
    for k, bands in enumerate(IMPULSE_BANDS.values()):
        inside[bands, k] = 1
    return np.asarray(inside / inside.sum(axis=0), dtype=np.float32)


def _rises(level: Array) -> Array:
    """Rise of the level in dB at each impulse, 0 elsewhere."""
    from scipy import ndimage

    rise = np.zeros_like(level)
    rise[:, RISE_FRAMES:] = level[:, RISE_FRAMES:] - level[:, :-RISE_FRAMES]
    highest = ndimage.maximum_filter1d(rise, PEAK_FRAMES, axis=1, mode="constant")
    return np.where((rise == highest) & (rise >= RISE_DB[0]), rise, np.float32(0))


def _rates(rises: Array, rate: float) -> Array:
    """Impulses a second over each threshold, as log2(1 + rate)."""
    counts = np.stack([(rises >= threshold).sum(axis=1) for threshold in RISE_DB], axis=1)
    return np.asarray(np.log2(1 + counts * (rate / rises.shape[1])), np.float32)


def _spacing(rises: Array, rate: float) -> Array:
    """Mean and spread of log2 of the seconds between impulses of 6 dB; (1, 0) if fewer than two."""
    rows, columns = np.nonzero(rises >= RISE_DB[1])
    same = rows[1:] == rows[:-1]
    gaps = np.log2(np.maximum(np.diff(columns)[same], 1) / rate)
    where = rows[1:][same]
    count = np.bincount(where, minlength=len(rises))
    safe = np.maximum(count, 1)
    mean = np.bincount(where, gaps, minlength=len(rises)) / safe
    square = np.bincount(where, gaps**2, minlength=len(rises)) / safe
    mean_or_long = np.where(count > 0, mean, 1)
    return np.stack([mean_or_long, np.sqrt(np.maximum(square - mean**2, 0))], axis=1)


def _decays(level: Array, rises: Array) -> Array:
    """Mean fall of the level after impulses of 6 dB at each delay, in dB; 0 without impulses."""
    rows, columns = np.nonzero(rises >= RISE_DB[1])
    count = np.maximum(np.bincount(rows, minlength=len(level)), 1)
    falls = []
    for delay in DECAY_FRAMES:
        later = np.minimum(columns + delay, level.shape[1] - 1)
        fall = level[rows, later] - level[rows, columns]
        falls.append(np.bincount(rows, fall, minlength=len(level)) / count)
    return np.stack(falls, axis=1)


def _level_spread(level: Array) -> Array:
    """Low, high, near-top and top level relative to the median, in dB."""
    ordered = np.sort(level, axis=1)
    last = level.shape[1] - 1
    at = [round(q * last) for q in (0.1, 0.9, 0.99, 1.0)]
    return ordered[:, at] - ordered[:, [round(0.5 * last)]]


def _regularity(rises: Array) -> Array:
    """Highest normalised autocorrelation of the impulses at lags from 0.1 to 1 s, in [0, 1]."""
    from scipy import fft, ndimage

    n_frames = rises.shape[1]
    low, high = PERIOD_FRAMES
    if n_frames <= low:
        return np.zeros(len(rises), dtype=np.float32)
    soft = ndimage.uniform_filter1d(rises, 5, axis=1, mode="constant")
    spectrum = fft.rfft(soft, n=fft.next_fast_len(2 * n_frames, real=True), axis=1)
    r = fft.irfft(np.square(spectrum.real) + np.square(spectrum.imag), axis=1)
    peak = r[:, low : min(high, n_frames)].max(axis=1)
    return np.asarray(np.clip(peak / (r[:, 0] + TINY), 0, 1), np.float32)


def _band_rises(levels: Array, rises: Array) -> Array:
    """Mean rise of each band at impulses of 6 dB of all bands, in dB; 0 without impulses."""
    rows, columns = np.nonzero(rises >= RISE_DB[1])
    rise = levels[rows, columns] - levels[rows, columns - RISE_FRAMES]
    total = np.zeros((len(levels), levels.shape[2]))
    np.add.at(total, rows, rise)
    count = np.maximum(np.bincount(rows, minlength=len(levels)), 1)
    return np.asarray(total / count[:, None], np.float32)
