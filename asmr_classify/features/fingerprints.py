"""Fingerprints of sounds, by which copies are found whatever was done to them.

People copy sounds: a clip comes back re-encoded, cut or turned down. Copies are found by
audio fingerprints [1]_, for which level, codec and bandwidth hardly matter: for every 16 ms, 32
bits tell whether the difference of neighbouring bands rises. Two sounds that are merely alike, two
recordings of rain say, agree in half of their bits; copies in far more. Clips that share a word of
32 bits are compared bit by bit, at the lag that fits best. Clips of a fraction of a second are too
short to tell chance from copy, and are let pass.

References
----------
.. [1] Haitsma and Kalker (2002). A highly robust audio fingerprinting system. ISMIR.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Bits = NDArray[np.bool_]

SR = 8000
N_FFT, HOP_LENGTH = 2048, 128
"""A quarter of a second, so that a cut between two frames changes little; a step of 16 ms."""

N_BITS = 32
BAND_EDGES_HZ = np.geomspace(200, 3600, N_BITS + 2)

MOST_SHARING = 20
"""A word that more clips share, of silence or a steady tone, tells nothing."""

LEAST_WORDS = 2
"""Words that two clips share before they are compared."""

LARGEST_ERROR = 0.35
"""Share of bits that differ between copies at most, as Haitsma and Kalker set it."""

LEAST_SIGMAS = 9.0
"""How far from one half that share must be at least, in standard deviations of chance: what
their threshold comes to on their 256 frames. Shorter clips must agree in more."""

LEAST_OVERLAP = 0.5
"""Of the shorter clip."""


def fingerprint(y: NDArray[np.float32]) -> Bits:
    """Compute the fingerprint of a sound.

    Parameters
    ----------
    y : ndarray of float32, shape (n_samples,), at ``SR``

    Returns
    -------
    ndarray of bool, shape (n_frames, N_BITS)
        Frames of digital silence are left out.
    """
    from scipy.fft import rfft

    padded = np.pad(y, (0, max(0, N_FFT + HOP_LENGTH - len(y))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP_LENGTH]
    power = np.square(np.abs(rfft(frames * np.hanning(N_FFT).astype(np.float32))))
    edges = np.round(BAND_EDGES_HZ * N_FFT / SR).astype(int)
    bands = np.log(np.add.reduceat(power, edges, axis=1)[:, :-1] + 1e-20)
    steps = np.diff(np.diff(bands, axis=1), axis=0)
    audible = power[1:].max(axis=1) > 0
    return np.asarray(steps[audible] > 0)


def candidate_pairs(prints: Sequence[Bits], folds: NDArray[np.int64]) -> list[tuple[int, int]]:
    """List pairs of clips in different folds that share words of their fingerprints.

    Parameters
    ----------
    prints : sequence of ndarray of bool, shape (n_frames, N_BITS)
    folds : ndarray of int64, shape (n_clips,)

    Returns
    -------
    list of tuple of int
        The lower index first.
    """
    words = [np.unique(np.packbits(bits, axis=1).view(">u4").ravel()) for bits in prints]
    owners = np.repeat(np.arange(len(words)), [len(part) for part in words])
    joined = np.concatenate(words)
    order = np.argsort(joined, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(joined[order]) > 0])
    sizes = np.diff(np.r_[starts, len(order)])
    shared: Counter[tuple[int, int]] = Counter()
    for start, size in zip(starts, sizes, strict=True):
        if 2 <= size <= MOST_SHARING:
            clips = owners[order[start : start + size]].tolist()
            shared.update((a, b) for a, b in combinations(clips, 2) if folds[a] != folds[b])
    return sorted(pair for pair, count in shared.items() if count >= LEAST_WORDS)


def bit_error(first: Bits, second: Bits) -> float | None:
    """Compare two fingerprints at the lag where they agree most.

    Parameters
    ----------
    first, second : ndarray of bool, shape (n_frames, N_BITS)

    Returns
    -------
    float or None
        Share of bits that differ; None if chance could make them agree as much.
    """
    from scipy.signal import fftconvolve

    a, b = (np.where(bits, 1.0, -1.0) for bits in (first, second))
    # Correlation in time, summed over bands: bits that agree less bits that do not, by lag.
    agreement = fftconvolve(a, b[::-1], axes=0).sum(axis=1)
    overlap = np.correlate(np.ones(len(a)), np.ones(len(b)), mode="full").round() * N_BITS
    error = (1 - agreement / overlap) / 2
    # Neighbouring bits hang together: errors vary three times as much as free ones would.
    sigmas = (0.5 - error) / (1.5 / np.sqrt(overlap))
    long_enough = overlap >= LEAST_OVERLAP * N_BITS * min(len(a), len(b))
    good = long_enough & (error <= LARGEST_ERROR) & (sigmas >= LEAST_SIGMAS)
    return float(max(error[good].min(), 0)) if good.any() else None
