"""Columns that were tried beside those of the package; ``search`` tells what they brought.

Each function takes a :class:`Sound` and gives one row a window, invariant to gain.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, signal

from asmr_classify.features.frames import COMPRESSION, Frames, analyse
from asmr_classify.features.statistics import PEAK_FRAMES, RISE_FRAMES, lift

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from asmr_classify.config import FrameSpec

    Array = NDArray[np.float32]

ONSET_BANDS_HZ = ((400, 2000), (2000, 6000), (6000, 14500))
ONSET_SAMPLES = (16, 32, 64, 128, 256, 512)
"""Half a millisecond to 16 ms at 32 kHz."""

TONE_N_FFT = 8192
TONE_EDGES_HZ = np.geomspace(200, 15000, 7)

IMPULSE_DB = 6.0
EVENT_FRAMES = 6
"""Texture frames that give the spectrum of an impulse: 23 ms."""


@dataclass(frozen=True)
class Sound:
    """A recording, its windows and its frames.

    Parameters
    ----------
    y : ndarray of float32, shape (n_samples,), mono
    intervals : ndarray of float64, shape (n_windows, 2), in seconds
    spec : FrameSpec
    """

    y: Array
    intervals: NDArray[np.float64]
    spec: FrameSpec

    @cached_property
    def padded(self) -> Array:
        """The recording, repeated until it holds two frames."""
        least = self.spec.n_fft + self.spec.hop_length
        return self.y if len(self.y) >= least else np.resize(self.y, least)

    @cached_property
    def frames(self) -> Frames:
        """Frame features of the whole."""
        return analyse(self.padded, self.spec)

    def samples(self) -> Iterator[slice]:
        """Go through the samples of each window."""
        least = self.spec.n_fft + self.spec.hop_length
        for start, end in self.intervals:
            last = min(max(round(end * self.spec.sr), least), len(self.padded))
            yield slice(max(0, min(round(start * self.spec.sr), last - least)), last)

    def logmel(self) -> Iterator[Array]:
        """Go through the log-mel frames of each window, shape (n_frames, n_mels), in dB."""
        for inside in self.samples():
            first = inside.start // self.spec.hop_length
            last = 1 + (inside.stop - self.spec.n_fft) // self.spec.hop_length
            levels = self.frames.logmel[first : max(last, first + 2)]
            yield lift(levels[None])[0]

    def texture(self) -> Iterator[Array]:
        """Go through the texture levels of each window, shape (n_frames, n_bands), in dB."""
        for inside in self.samples():
            first = inside.start // self.spec.texture_hop_length
            last = 1 + (inside.stop - self.spec.texture_n_fft) // self.spec.texture_hop_length
            envelopes = self.frames.texture[first : max(last, first + 2 * EVENT_FRAMES)]
            levels = 10 / COMPRESSION * np.log10(np.maximum(envelopes, 1e-9))
            yield lift(levels[None])[0]


def impulses_alike(sound: Sound) -> Array:
    """Compare the impulses of a window with each other: taps are alike, crinkles differ."""
    return _rows([_compare_impulses(levels) for levels in sound.texture()])


def _compare_impulses(levels: Array) -> NDArray[np.float64]:
    level = levels.mean(axis=1)
    rise = np.zeros_like(level)
    rise[RISE_FRAMES:] = level[RISE_FRAMES:] - level[:-RISE_FRAMES]
    peaks = (rise == ndimage.maximum_filter1d(rise, PEAK_FRAMES)) & (rise >= IMPULSE_DB)
    places = np.flatnonzero(peaks[:-EVENT_FRAMES])
    if len(places) == 0:
        return np.zeros(20)
    power = 10 ** (levels / 10)
    spectra = np.stack(
        [10 * np.log10(power[k : k + EVENT_FRAMES].mean(axis=0) + 1e-20) for k in places]
    )
    loudness = spectra.mean(axis=1)
    strong = loudness >= loudness.max() - 15
    spectra, loudness, places = spectra[strong], loudness[strong], places[strong]
    shapes = spectra - spectra.mean(axis=1, keepdims=True)
    likeness = np.corrcoef(shapes) if len(shapes) > 1 else np.ones((1, 1))
    pairs = likeness[np.triu_indices(len(likeness), 1)] if len(likeness) > 1 else np.zeros(1)
    next_to = np.diagonal(likeness, 1) if len(likeness) > 1 else np.zeros(1)
    weights = 10 ** (shapes / 10)
    centres = weights @ np.arange(levels.shape[1]) / weights.sum(axis=1)
    gaps = np.log2(np.diff(places)) if len(places) > 1 else np.full(1, 9.0)
    covered = np.zeros(len(power), dtype=bool)
    for k in places:
        covered[max(k - 1, 0) : k + 10] = True
    share = power[covered].sum() / power.sum()
    decays = [levels[np.minimum(places + d, len(levels) - 1)] - levels[places] for d in (13, 51)]
    thirds = [part.mean() for decay in decays for part in np.array_split(decay.mean(axis=0), 3)]
    return np.array(
        [
            np.log2(1 + len(places)),
            share,
            *(f(pairs) for f in (np.mean, np.min, np.median)),
            *(f(next_to) for f in (np.mean, np.min)),
            shapes.std(axis=0).mean(),
            *(f(centres) for f in (np.mean, np.std)),
            *(f(gaps) for f in (np.mean, np.std)),
            loudness.std(),
            decays[0].mean(axis=1).std(),
            *thirds,
        ]
    )


def tonal_peaks(sound: Sound) -> Array:
    """Tell how far narrow peaks stand out of the spectrum, by band: motors hum, rain does not."""
    rows = []
    for inside in sound.samples():
        y = sound.padded[inside]
        n_fft = min(TONE_N_FFT, len(y))
        freqs, _, parts = signal.stft(
            y, sound.spec.sr, nperseg=n_fft, noverlap=n_fft // 2, boundary=None, padded=False
        )
        power = np.square(np.abs(parts))
        levels = 10 * np.log10(power.mean(axis=1) + 1e-20)
        excess = levels - ndimage.median_filter(levels, 41)
        columns = []
        for low, high in itertools.pairwise(TONE_EDGES_HZ):
            part = excess[(freqs >= low) & (freqs < high)]
            part = part if len(part) else np.zeros(1)
            columns += [
                part.max(),
                np.maximum(part - 5, 0).mean(),
                np.log10((part > 6).mean() + 1e-3),
            ]
        rows.append(np.array(columns))
    return _rows(rows)


def fine_onsets(sound: Sound) -> Array:
    """Tell how spiky three bands are at resolutions from half a millisecond to 16 ms."""
    sums = []
    for band in ONSET_BANDS_HZ:
        sos = signal.butter(4, band, "band", fs=sound.spec.sr, output="sos")
        energy = np.square(signal.sosfilt(sos, sound.padded))
        sums.append(np.concatenate([[0.0], np.cumsum(energy)]))
    rows = []
    for inside in sound.samples():
        columns: list[float] = []
        for total in sums:
            for step in ONSET_SAMPLES:
                energy = np.diff(total[inside.start : inside.stop + 1 : step])
                levels = 10 * np.log10(np.maximum(energy, energy.max() * 1e-7) + 1e-20)
                median, high, top = np.quantile(levels, [0.5, 0.98, 1])
                columns += [top - median, high - median, np.abs(np.diff(levels)).mean()]
        rows.append(np.array(columns))
    return _rows(rows)


def _rows(rows: list[NDArray[np.float64]]) -> Array:
    return np.nan_to_num(np.array(rows, dtype=np.float32))


CANDIDATES: dict[str, Callable[[Sound], Array]] = {
    "impulses alike": impulses_alike,
    "tonal peaks": tonal_peaks,
    "onsets at six resolutions": fine_onsets,
}
