"""Changed copies of a recording that keep its label: the ways in which sources differ.

A corpus holds few makers; what tells their microphones, rooms, codecs and editing apart leaks the
label unless training blurs it. Each copy draws its changes from a generator that the caller
seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class AugmentSpec:
    """How often and how far copies are changed.

    Parameters
    ----------
    eq_db : tuple of float
        Range of the standard deviation of the gain at each of ``eq_points`` octave-spaced
        frequencies: some copies are changed a little, some a lot.
    eq_points : int
    lowpass_probability : float
        Share of copies that lose the top of their band, because many corpora were recorded at
        16 kHz and bandwidth would become the cue.
    lowpass_hz : tuple of float
        Range of the cut-off, drawn evenly on a logarithmic scale.
    hiss_probability : float
    hiss_snr_db : tuple of float
        Range of the ratio of the recording to the added noise. More noise would be heard as
        ``white_noise``, whatever the label says.
    reverb_probability : float
    reverb_seconds : tuple of float
        Range of the time in which the reverberation falls by 60 dB.
    reverb_ratio_db : tuple of float
        Range of the ratio of reverberant to direct sound.
    speed_octaves : float
        Largest change of speed, and with it of pitch, to either side.
    """

    eq_db: tuple[float, float] = (2.0, 8.0)
    eq_points: int = 7
    lowpass_probability: float = 0.4
    lowpass_hz: tuple[float, float] = (3600.0, 11000.0)
    hiss_probability: float = 0.5
    hiss_snr_db: tuple[float, float] = (10.0, 45.0)
    reverb_probability: float = 0.45
    reverb_seconds: tuple[float, float] = (0.1, 0.6)
    reverb_ratio_db: tuple[float, float] = (-25.0, -5.0)
    speed_octaves: float = 0.2


def augment(
    y: NDArray[np.float32],
    sr: int,
    rng: np.random.Generator,
    spec: AugmentSpec | None = None,
) -> NDArray[np.float32]:
    """Make a changed copy of a recording.

    Parameters
    ----------
    y : ndarray of float32, shape (n_samples,), mono
    sr : int
        Sampling rate in Hz.
    rng : numpy.random.Generator
    spec : AugmentSpec, optional

    Returns
    -------
    ndarray of float32, shape (n_changed,)
        Of about the same length; speed changes it.
    """
    spec = spec or AugmentSpec()
    y = change_speed(y, 2 ** rng.uniform(-spec.speed_octaves, spec.speed_octaves))
    if rng.random() < spec.reverb_probability:
        y = reverberate(
            y,
            sr,
            rng,
            seconds=rng.uniform(*spec.reverb_seconds),
            ratio_db=rng.uniform(*spec.reverb_ratio_db),
        )
    cutoff_hz = None
    if rng.random() < spec.lowpass_probability:
        cutoff_hz = float(np.exp(rng.uniform(*np.log(spec.lowpass_hz))))
    gains_db = rng.normal(0, rng.uniform(*spec.eq_db), spec.eq_points)
    y = equalise(y, sr, gains_db, cutoff_hz=cutoff_hz)
    if rng.random() < spec.hiss_probability:
        y = add_hiss(y, rng, snr_db=rng.uniform(*spec.hiss_snr_db))
    return y


def change_speed(y: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """Play faster (factor over 1) or slower, by linear interpolation."""
    places = np.arange(0, len(y) - 1, factor) if len(y) > 1 else np.zeros(1)
    return np.asarray(np.interp(places, np.arange(len(y)), y), dtype=np.float32)


def equalise(
    y: NDArray[np.float32],
    sr: int,
    gains_db: NDArray[np.float64],
    *,
    cutoff_hz: float | None = None,
) -> NDArray[np.float32]:
    """Apply a smooth gain over frequency, and a steep low-pass as codecs and low rates do.

    Parameters
    ----------
    y : ndarray of float32, shape (n_samples,)
    sr : int
    gains_db : ndarray of float64, shape (n_points,)
        Gains at points spaced evenly on a logarithmic scale from 100 Hz to half the rate.
    cutoff_hz : float, optional
        Everything above is removed.
    """
    n_fft = fft.next_fast_len(len(y), real=True)
    freqs = np.arange(n_fft // 2 + 1) * sr / n_fft
    points = np.geomspace(100, sr / 2, len(gains_db))
    curve_db = np.interp(np.log(np.maximum(freqs, 1.0)), np.log(points), gains_db)
    gain = 10 ** (curve_db / 20)
    if cutoff_hz is not None:
        gain *= np.clip((1.04 * cutoff_hz - freqs) / (0.08 * cutoff_hz), 0, 1)
    changed = fft.irfft(fft.rfft(y, n_fft) * gain.astype(np.float32), n_fft)
    return np.asarray(changed[: len(y)], dtype=np.float32)


def add_hiss(
    y: NDArray[np.float32], rng: np.random.Generator, *, snr_db: float
) -> NDArray[np.float32]:
    """Add noise with a random tilt."""
    return mix(y, coloured_noise(len(y), rng), ratio_db=-snr_db)


def coloured_noise(n_samples: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Make noise between white and brown: it falls by 0 to 6 dB an octave, drawn evenly."""
    spectrum = fft.rfft(rng.standard_normal(n_samples).astype(np.float32))
    spectrum *= (np.maximum(np.arange(len(spectrum)), 1) ** -rng.uniform(0, 1)).astype(np.float32)
    return np.asarray(fft.irfft(spectrum, n_samples), dtype=np.float32)


def reverberate(
    y: NDArray[np.float32], sr: int, rng: np.random.Generator, *, seconds: float, ratio_db: float
) -> NDArray[np.float32]:
    """Add the reverberation of a diffuse room: exponentially decaying noise (Moorer 1979)."""
    n_samples = max(int(seconds * sr), 1)
    decay = 10 ** (-3 * np.arange(n_samples) / n_samples)
    response = (rng.standard_normal(n_samples) * decay).astype(np.float32)
    n_fft = fft.next_fast_len(len(y) + n_samples, real=True)
    wet = fft.irfft(fft.rfft(y, n_fft) * fft.rfft(response, n_fft), n_fft)[: len(y)]
    return mix(y, wet.astype(np.float32), ratio_db=ratio_db)


def make_steady(y: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Make steady noise with the spectrum of a recording, by drawing the phases anew.

    The sum of many components with independent phases is Gaussian and has no events in it
    (Theiler et al. 1992, there to test time series for structure).
    """
    spectrum = np.abs(fft.rfft(y))
    phases = np.exp(2j * np.pi * rng.random(len(spectrum)))
    return np.asarray(fft.irfft(spectrum * phases, len(y)), dtype=np.float32)


def mix(
    y: NDArray[np.float32], other: NDArray[np.float32], *, ratio_db: float
) -> NDArray[np.float32]:
    """Add another sound of the same length, ``ratio_db`` louder than this one by mean square."""
    power, other_power = float(np.mean(np.square(y))), float(np.mean(np.square(other)))
    if power == 0 or other_power == 0:
        return y
    return y + other * np.float32(np.sqrt(power / other_power) * 10 ** (ratio_db / 20))
