"""Samples to frame features: one shared spectral analysis, and one shared texture analysis.

Conventions
-----------
Arrays of frames are time first: ``(n_frames, n_bands)``. Frame ``k`` covers samples
``[k * hop_length, k * hop_length + n_fft)``; nothing is padded, so a frame depends on its own
samples only and cutting a recording at a multiple of the hop never changes a frame. Levels are
dB relative to a full-scale square wave. Everything below ``fmin_hz`` is left out, so that rumble
and mains hum decide nothing.

References
----------
.. [1] McDermott and Simoncelli (2011). Sound texture perception via statistics of the auditory
   periphery. Neuron 71(5).
.. [2] Boersma (1993). Accurate short-term analysis of the fundamental frequency and the
   harmonics-to-noise ratio of a sampled sound. IFA Proceedings 17.
.. [3] Peeters (2004). A large set of audio features for sound description. IRCAM.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from asmr_classify.features.filterbanks import MelSettings, mel_filterbank
from asmr_classify.units import samples_to_frames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from asmr_classify.config import FrameSpec

FLOOR = 1e-20
"""Least power of a band, -200 dB: a whisper at -60 dBFS turned down by another 60 dB still stands
clear of it, so that only digital silence meets it and gain changes nothing."""

FLATNESS_FLOOR = 1e-8
"""Power that each bin gets of its frame's total before flatness, -80 dB: bins that a codec or a
sampling rate left empty would decide it otherwise, and a fixed floor would depend on the gain."""

N_FLATNESS_BANDS = 6
N_TEXTURE_BANDS = 12
TEXTURE_FMIN_HZ = 400.0
"""Lowest edge of the texture bands: an 8 ms Hann frame leaks hum up to 300 Hz."""

COMPRESSION = 0.15
"""Exponent from band power to compressed envelope: 0.3 on amplitude, as in [1]_."""

VOICE_BAND_HZ = (200.0, 4000.0)
VOICE_PITCH_HZ = (75.0, 500.0)
"""Search range of the voicing measure; the autocorrelation is taken of the band from 200 to
4000 Hz, so that mains hum cannot pass for a voice."""

ROLLOFF = 0.95
ROLLOFF_GROUP = 23
"""Bins that are summed together in the search of the roll-off: about the root of their number."""

CACHED_BINS = 1 << 17
"""Samples under the frames that are transformed at a time: their spectra take half a megabyte."""

SCALARS = (
    "level",
    "centroid",
    "bandwidth",
    "rolloff",
    "flatness",
    *(f"flatness_{k}" for k in range(N_FLATNESS_BANDS)),
    "voicing",
    "pitch",
)
"""Names of the columns of :attr:`Frames.scalars`: level in dB; centroid, bandwidth, roll-off and
pitch in octaves (re 1 kHz where a frequency); flatness in dB; voicing in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Frames:
    """Frame features of a stretch of sound.

    Parameters
    ----------
    logmel : ndarray of float32, shape (n_frames, n_mels), in dB
    scalars : ndarray of float32, shape (n_frames, len(SCALARS))
    texture : ndarray of float32, shape (n_texture_frames, N_TEXTURE_BANDS)
        Compressed band envelopes at the texture rate.
    """

    logmel: NDArray[np.float32]
    scalars: NDArray[np.float32]
    texture: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Bases:
    """Matrices that depend on the settings alone.

    ``sums`` takes all sums over bins in one product: mel bands, flatness bands, groups of bins,
    the total, and the first two moments of the frequency in octaves.
    """

    sums: NDArray[np.float32]
    n_groups: int
    flatness: NDArray[np.float32]
    texture: NDArray[np.float32]
    window: NDArray[np.float32]
    texture_window: NDArray[np.float32]
    taper: NDArray[np.float32]


def mel_settings(spec: FrameSpec) -> tuple[MelSettings, MelSettings]:
    """Give the settings of the filterbanks of the spectral and of the texture analysis."""
    mel = MelSettings(
        sr=spec.sr, n_fft=spec.n_fft, n_mels=spec.n_mels, fmin=spec.fmin_hz, fmax=spec.fmax_hz
    )
    texture = MelSettings(
        sr=spec.sr,
        n_fft=spec.texture_n_fft,
        n_mels=N_TEXTURE_BANDS,
        fmin=TEXTURE_FMIN_HZ,
        fmax=spec.fmax_hz,
    )
    return mel, texture


@cache
def _bases(spec: FrameSpec) -> _Bases:
    freqs = np.arange(spec.n_fft // 2 + 1) * spec.sr / spec.n_fft
    mel, texture = (mel_filterbank(**settings) for settings in mel_settings(spec))
    edges = np.geomspace(spec.fmin_hz, spec.fmax_hz, N_FLATNESS_BANDS + 1)
    bands = (freqs >= edges[:-1, None]) & (freqs < edges[1:, None])
    flatness = np.vstack([np.ones(len(freqs)), bands])
    flatness /= flatness.sum(axis=1, keepdims=True)
    n_groups = -(-len(freqs) // ROLLOFF_GROUP)
    groups = np.arange(len(freqs)) // ROLLOFF_GROUP == np.arange(n_groups)[:, None]
    octaves = np.log2(np.maximum(freqs, spec.fmin_hz) / 1000)
    moments = np.stack([np.ones(len(freqs)), octaves, np.square(octaves)])
    return _Bases(
        sums=_columns([*mel, *flatness, *groups, *moments]),
        n_groups=n_groups,
        flatness=_columns(flatness),
        texture=_columns(texture),
        window=_unit_window(spec.n_fft),
        texture_window=_unit_window(spec.texture_n_fft),
        taper=_taper(spec),
    )


def _columns(rows: Any) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.stack(rows, axis=1), dtype=np.float32)


def _hann(n_fft: int) -> NDArray[np.float64]:
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft))


def _unit_window(n_fft: int) -> NDArray[np.float32]:
    """Hann window scaled so that the summed power spectrum is the mean square of the frame."""
    window = _hann(n_fft)
    return np.asarray(window / np.sqrt(np.sum(window**2) * n_fft / 2), dtype=np.float32)


def _power_spectrum(
    y: NDArray[np.float32], n_fft: int, hop_length: int, window: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Compute the power of each frame and bin, shape (n_frames, n_fft // 2 + 1)."""
    from scipy import fft

    shape = (samples_to_frames(len(y), n_fft, hop_length), n_fft)
    strides = (hop_length * y.itemsize, y.itemsize)
    framed = np.lib.stride_tricks.as_strided(y, shape, strides, writeable=False)
    parts = fft.rfft(framed * window, axis=1).view(np.float32)
    np.square(parts, out=parts)
    return np.asarray(parts[:, ::2] + parts[:, 1::2])


def analyse(y: NDArray[np.float32], spec: FrameSpec) -> Frames:
    """Compute the frame features of a stretch of sound.

    Parameters
    ----------
    y : ndarray of float32, shape (n_samples,), mono
        Sound at the analysis rate, at least ``spec.n_fft`` samples, finite.
    spec : FrameSpec

    Returns
    -------
    Frames
    """
    spectral = [_analyse_some(piece, spec) for piece in _pieces(y, spec.n_fft, spec.hop_length)]
    texture = [
        _texture_of_some(piece, spec)
        for piece in _pieces(y, spec.texture_n_fft, spec.texture_hop_length)
    ]
    logmel = np.concatenate([mel for mel, _ in spectral])
    scalars = np.concatenate([columns for _, columns in spectral])
    return Frames(logmel=logmel, scalars=scalars, texture=np.concatenate(texture))


def _pieces(y: NDArray[np.float32], n_fft: int, hop_length: int) -> Iterator[NDArray[np.float32]]:
    """Cut sound into stretches whose spectra fit the processor's cache; no frame is lost."""
    n_frames = samples_to_frames(len(y), n_fft, hop_length)
    at_once = max(1, CACHED_BINS // n_fft)
    for first in range(0, n_frames, at_once):
        last = min(first + at_once, n_frames) - 1
        yield y[first * hop_length : last * hop_length + n_fft]


def _texture_of_some(y: NDArray[np.float32], spec: FrameSpec) -> NDArray[np.float32]:
    bases = _bases(spec)
    power = _power_spectrum(y, spec.texture_n_fft, spec.texture_hop_length, bases.texture_window)
    return np.asarray(np.power(power @ bases.texture + FLOOR, COMPRESSION))


def _to_db(power: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(10 * np.log10(power + FLOOR), dtype=np.float32)


def _analyse_some(
    y: NDArray[np.float32], spec: FrameSpec
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute log-mel bands and scalars of a few frames."""
    bases = _bases(spec)
    power = _power_spectrum(y, spec.n_fft, spec.hop_length, bases.window)
    power[:, : int(np.ceil(spec.fmin_hz * spec.n_fft / spec.sr))] = 0
    ends = np.cumsum([spec.n_mels, 1 + N_FLATNESS_BANDS, bases.n_groups])
    mel, bands, groups, moments = np.split(power @ bases.sums, ends, axis=1)
    total = moments[:, :1] + FLOOR
    centroid, square = (moments[:, 1:] / total).T
    bandwidth = np.sqrt(np.maximum(square - np.square(centroid), 0))
    rolloff = np.maximum(_rolloff_bin(power, groups) * (spec.sr / spec.n_fft), spec.fmin_hz)
    added = FLATNESS_FLOOR * total
    flatness = 10 * (np.log10(power + added) @ bases.flatness - np.log10(bands + added))
    voicing, pitch = _voicing(power, spec)
    columns = [
        _to_db(total[:, 0]),
        centroid,
        bandwidth,
        np.log2(rolloff / 1000),
        *flatness.T,
        voicing,
        pitch,
    ]
    return _to_db(mel), np.stack(columns, axis=1).astype(np.float32)


def _rolloff_bin(power: NDArray[np.float32], groups: NDArray[np.float32]) -> NDArray[np.int64]:
    """Find the first bin up to which a share of ``ROLLOFF`` of the power lies.

    Sums of groups of bins tell the group; only its own bins are then looked at one by one.
    """
    until = np.cumsum(groups, axis=1)
    enough = np.float32(ROLLOFF) * until[:, -1:]
    group = np.minimum((until < enough).sum(axis=1), groups.shape[1] - 1)[:, None]
    before = np.take_along_axis(until - groups, group, axis=1)
    bins = np.minimum(group * ROLLOFF_GROUP + np.arange(ROLLOFF_GROUP), power.shape[1] - 1)
    inside = np.cumsum(np.take_along_axis(power, bins, axis=1), axis=1) + before
    place = np.minimum((inside < enough).sum(axis=1), ROLLOFF_GROUP - 1)
    return np.asarray(np.minimum(group[:, 0] * ROLLOFF_GROUP + place, power.shape[1] - 1))


def _voicing(
    power: NDArray[np.float32], spec: FrameSpec
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Height and place of the highest peak of the normalised autocorrelation [2]_.

    Only bins inside the voice band are transformed back, which gives the autocorrelation at
    twice the band's upper edge; division by the window's own autocorrelation removes its taper.
    """
    from scipy import fft

    n_bins, lag_sr, (low, high) = _voice_lags(spec)
    banded = power[:, :n_bins].copy()
    banded[:, : int(np.ceil(VOICE_BAND_HZ[0] * spec.n_fft / spec.sr))] = 0
    r = fft.irfft(banded, axis=1)
    normalised = r[:, low : high + 1] * (1 / _bases(spec).taper)
    best = np.argmax(normalised, axis=1)
    height = np.take_along_axis(normalised, best[:, None], axis=1)[:, 0] / (r[:, 0] + FLOOR)
    return (
        np.clip(height, 0, 1).astype(np.float32),
        np.log2(lag_sr / (best + low) / 1000).astype(np.float32),
    )


def _voice_lags(spec: FrameSpec) -> tuple[int, float, tuple[int, int]]:
    """Give the number of bins of the voice band, the rate of lags, and their range."""
    n_bins = round(VOICE_BAND_HZ[1] * spec.n_fft / spec.sr) + 1
    lag_sr = 2 * (n_bins - 1) * spec.sr / spec.n_fft
    low, high = (int(lag_sr / hz) for hz in reversed(VOICE_PITCH_HZ))
    return n_bins, lag_sr, (low, high)


def _taper(spec: FrameSpec) -> NDArray[np.float32]:
    """Autocorrelation of the window at the lags of the voice."""
    from scipy import fft

    n_bins, _, (low, high) = _voice_lags(spec)
    r = fft.irfft(np.square(np.abs(fft.rfft(_hann(spec.n_fft))))[:n_bins])
    return np.asarray(r[low : high + 1] / r[0], dtype=np.float32)
