"""What listens to a recording at its own rate and channels, while it is labelled.

Blocks of any length are cut into chunks of one second, and every meter only ever sees those. Law:
block size never changes any figure. Memory does not grow but for 8 bytes each 100 ms, a row each
second and one each onset: some megabytes for ten hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.check.binaural import Channels, Comparison, Ears
from asmr_classify.check.loudness import STEPS_PER_SECOND
from asmr_classify.check.rhythm import TICKS_PER_SECOND, OnsetDetector
from asmr_classify.check.truepeak import TruePeak
from asmr_classify.check.weighting import KWeighting, channel_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from asmr_classify.media.decode import NativeBlock

TICKS_PER_STEP = TICKS_PER_SECOND // STEPS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a recording's sound.

    Parameters
    ----------
    powers : ndarray of float64, shape (n_steps,)
        Weighted power of each 100 ms.
    peak : float
        True peak as an amplitude; 1 is full scale.
    peak_at : float
        Seconds.
    ears : Ears
    onsets : ndarray of float64, shape (n_onsets, 2)
        Times in seconds and powers.
    """

    powers: NDArray[np.float64]
    peak: float
    peak_at: float
    ears: Ears
    onsets: NDArray[np.float64]

    @classmethod
    def nothing(cls) -> Measured:
        """Make the record of a recording without a single sample."""
        return cls(np.zeros(0), 0.0, 0.0, Ears(Channels.NONE), np.zeros((0, 2)))


class _Meters:
    """All meters of one recording, once its rate and channels are known."""

    def __init__(self, sr: int, channels: Sequence[str]) -> None:
        self.sr, self.n_channels = sr, len(channels)
        self.weights = channel_weights(channels)
        self.weighting = KWeighting(sr, self.n_channels)
        self.peak = TruePeak(self.n_channels, sr)
        self.comparison = Comparison(sr) if self.n_channels == 2 else None
        self.onsets = OnsetDetector()
        self.steps: list[NDArray[np.float64]] = []

    def hear(self, y: NDArray[np.float32]) -> None:
        """Measure a chunk: a second, or the rest at the end."""
        self.peak.hear(y)
        weighted = self.weighting.filter(y)
        if self.comparison is not None:
            self.comparison.hear(weighted.astype(np.float32))
        energies, n_samples = self._tick_energies(np.square(weighted))
        self.onsets.hear(energies.sum(axis=0) / np.maximum(n_samples, 1))
        n_steps = energies.shape[1] // TICKS_PER_STEP
        n_ticks, shape = n_steps * TICKS_PER_STEP, (n_steps, TICKS_PER_STEP)
        summed = energies[:, :n_ticks].reshape(self.n_channels, *shape).sum(axis=2)
        counts = n_samples[:n_ticks].reshape(shape).sum(axis=1)
        self.steps.append(self.weights @ summed / np.maximum(counts, 1))

    def _tick_energies(
        self, squares: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Sum each whole tick; where the rate is no multiple, ticks differ by one sample."""
        edges = np.arange(TICKS_PER_SECOND + 1) * self.sr // TICKS_PER_SECOND
        edges = edges[edges <= squares.shape[1]]
        if len(edges) < 2:
            return np.zeros((self.n_channels, 0)), np.zeros(0, dtype=np.int64)
        energies = np.add.reduceat(squares[:, : edges[-1]], edges[:-1], axis=1)
        return energies, np.diff(edges)

    def conclude(self) -> Measured:
        self.peak.finish()
        powers = np.concatenate(self.steps)
        return Measured(powers, self.peak.value, self.peak.at, self._ears(), self.onsets.onsets())

    def _ears(self) -> Ears:
        if self.comparison is not None:
            return self.comparison.conclude()
        return Ears(Channels.MONO if self.n_channels == 1 else Channels.SURROUND)


class Listener:
    """Takes the native blocks of one recording, and measures them.

    Give it to :func:`asmr_classify.classify.label_file`, or call it with each block.
    """

    def __init__(self) -> None:
        self._meters: _Meters | None = None
        self._held: list[NDArray[np.float32]] = []
        self._count = 0

    def __call__(self, block: NativeBlock) -> None:
        """Take the next block."""
        if self._meters is None:
            self._meters = _Meters(block.sr, block.channels)
        self._held.append(block.y)
        self._count += block.y.shape[1]
        if self._count >= self._meters.sr:
            self._hear_chunks(self._meters)

    def _hear_chunks(self, meters: _Meters) -> None:
        y = np.concatenate(self._held, axis=1)
        whole = self._count // meters.sr * meters.sr
        for start in range(0, whole, meters.sr):
            meters.hear(np.ascontiguousarray(y[:, start : start + meters.sr]))
        self._held, self._count = [y[:, whole:]], self._count - whole

    def conclude(self) -> Measured:
        """Tell what was measured, after the last block."""
        if self._meters is None:
            return Measured.nothing()
        if self._count:
            self._meters.hear(np.concatenate(self._held, axis=1))
            self._held, self._count = [], 0
        return self._meters.conclude()
