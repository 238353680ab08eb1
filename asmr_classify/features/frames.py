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
from typing import TYPE_CHECKING

import librosa
import numpy as np
from scipy import fft

if TYPE_CHECKING:
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

SCALARS = (
    "level",
    "centroid",
    "bandwidth",
    "rolloff",
    "flatness",
    *(f"flatness_{k}" for k in range(N_FLATNESS_BANDS)),
    "voicing",
    "pitch",
    "flux",
)
"""Names of the columns of :attr:`Frames.scalars`: level in dB; centroid, bandwidth, roll-off and
pitch in octaves (re 1 kHz where a frequency); flatness in dB; voicing in [0, 1]; flux in dB."""


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
    """Matrices that depend on the settings alone."""

    mel: NDArray[np.float32]
    flatness: NDArray[np.float32]
    octaves: NDArray[np.float32]
    texture: NDArray[np.float32]
    window: NDArray[np.float32]
    texture_window: NDArray[np.float32]


@cache
def _bases(spec: FrameSpec) -> _Bases:
    freqs = librosa.fft_frequencies(sr=spec.sr, n_fft=spec.n_fft)
    mel = librosa.filters.mel(
        sr=spec.sr, n_fft=spec.n_fft, n_mels=spec.n_mels, fmin=spec.fmin_hz, fmax=spec.fmax_hz
    )
    edges = np.geomspace(spec.fmin_hz, spec.fmax_hz, N_FLATNESS_BANDS + 1)
    inside = (freqs >= edges[:-1, None]) & (freqs < edges[1:, None])
    texture = librosa.filters.mel(
        sr=spec.sr,
        n_fft=spec.texture_n_fft,
        n_mels=N_TEXTURE_BANDS,
        fmin=TEXTURE_FMIN_HZ,
        fmax=spec.fmax_hz,
    )
    return _Bases(
        mel=np.ascontiguousarray(mel.T, dtype=np.float32),
        flatness=(inside / inside.sum(axis=1, keepdims=True)).T.astype(np.float32),
        octaves=np.log2(np.maximum(freqs, spec.fmin_hz) / 1000).astype(np.float32),
        texture=np.ascontiguousarray(texture.T, dtype=np.float32),
        window=_unit_window(spec.n_fft),
        texture_window=_unit_window(spec.texture_n_fft),
    )


def _unit_window(n_fft: int) -> NDArray[np.float32]:
    """Hann window scaled so that the summed power spectrum is the mean square of the frame."""
    window = librosa.filters.get_window("hann", n_fft)
    return np.asarray(window / np.sqrt(np.sum(window**2) * n_fft / 2), dtype=np.float32)


def power_spectrum(
    y: NDArray[np.float32], *, n_fft: int, hop_length: int, window: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Compute the power of each frame and bin.

    Parameters
    ----------
    y : ndarray of float32, shape (n_samples,), mono
        At least ``n_fft`` samples.
    n_fft, hop_length : int
        Frame and hop in samples.
    window : ndarray of float32, shape (n_fft,)

    Returns
    -------
    ndarray of float32, shape (n_frames, n_fft // 2 + 1)
    """
    framed = np.lib.stride_tricks.sliding_window_view(y, n_fft)[::hop_length]
    spectrum = fft.rfft(framed * window, axis=1)
    return np.asarray(np.square(spectrum.real) + np.square(spectrum.imag))


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
    bases = _bases(spec)
    power = power_spectrum(y, n_fft=spec.n_fft, hop_length=spec.hop_length, window=bases.window)
    short = power_spectrum(
        y, n_fft=spec.texture_n_fft, hop_length=spec.texture_hop_length, window=bases.texture_window
    )
    first = int(np.ceil(spec.fmin_hz * spec.n_fft / spec.sr))
    power[:, :first] = 0
    logmel = _to_db(power @ bases.mel)
    return Frames(
        logmel=logmel,
        scalars=_scalars(power, logmel, spec, bases),
        texture=np.power(short @ bases.texture + FLOOR, COMPRESSION),
    )


def _to_db(power: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(10 * np.log10(power + FLOOR), dtype=np.float32)


def _scalars(
    power: NDArray[np.float32], logmel: NDArray[np.float32], spec: FrameSpec, bases: _Bases
) -> NDArray[np.float32]:
    total = power.sum(axis=1, keepdims=True) + FLOOR
    centroid = power @ bases.octaves / total[:, 0]
    square = power @ np.square(bases.octaves) / total[:, 0]
    bandwidth = np.sqrt(np.maximum(square - np.square(centroid), 0))
    rolloff = librosa.feature.spectral_rolloff(
        S=power.T, sr=spec.sr, n_fft=spec.n_fft, roll_percent=0.95
    )[0]
    raised = power + FLATNESS_FLOOR * total
    flatness = librosa.feature.spectral_flatness(S=raised.T, power=1.0, amin=FLOOR)[0]
    band_flatness = _to_db(raised) @ bases.flatness - _to_db(raised @ bases.flatness)
    voicing, pitch = _voicing(power, spec)
    flux = librosa.onset.onset_strength(S=logmel.T, sr=spec.sr, center=False, detrend=False)
    columns = [
        _to_db(total[:, 0]),
        centroid,
        bandwidth,
        np.log2(np.maximum(rolloff, spec.fmin_hz) / 1000),
        _to_db(flatness),
        *band_flatness.T,
        voicing,
        pitch,
        flux[: len(power)],
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _voicing(
    power: NDArray[np.float32], spec: FrameSpec
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Height and place of the highest peak of the normalised autocorrelation [2]_.

    Only bins inside the voice band are transformed back, which gives the autocorrelation at
    twice the band's upper edge; division by the window's own autocorrelation removes its taper.
    """
    n_bins = round(VOICE_BAND_HZ[1] * spec.n_fft / spec.sr) + 1
    first = int(np.ceil(VOICE_BAND_HZ[0] * spec.n_fft / spec.sr))
    lag_sr = 2 * (n_bins - 1) * spec.sr / spec.n_fft
    low, high = (int(lag_sr / hz) for hz in reversed(VOICE_PITCH_HZ))
    banded = power[:, :n_bins].copy()
    banded[:, :first] = 0
    r = fft.irfft(banded, axis=1)[:, : high + 1]
    window = np.abs(fft.rfft(librosa.filters.get_window("hann", spec.n_fft))) ** 2
    taper = fft.irfft(window[:n_bins])[: high + 1]
    normalised = r[:, low:] / (r[:, :1] + FLOOR) / (taper[low:] / taper[0])
    best = np.argmax(normalised, axis=1)
    height = np.clip(np.take_along_axis(normalised, best[:, None], axis=1)[:, 0], 0, 1)
    return height.astype(np.float32), np.log2(lag_sr / (best + low) / 1000).astype(np.float32)
