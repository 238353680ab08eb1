"""Conversions between seconds, samples, frames and windows: the only index arithmetic.

Seconds are floats, all else integers. Positions are counted from 0; frame ``k`` covers samples
``[k * hop_length, k * hop_length + n_fft)``, so nothing before the first sample is looked at.
"""

from __future__ import annotations


def seconds_to_samples(seconds: float, sr: int) -> int:
    """Convert a time or duration to the nearest number of samples.

    Examples
    --------
    >>> seconds_to_samples(0.5, 32000)
    16000
    """
    return round(seconds * sr)


def samples_to_seconds(n_samples: int, sr: int) -> float:
    """Convert a number of samples to seconds.

    Examples
    --------
    >>> samples_to_seconds(16000, 32000)
    0.5
    """
    return n_samples / sr


def samples_to_frames(n_samples: int, n_fft: int, hop_length: int) -> int:
    """Count the whole frames in a number of samples.

    Examples
    --------
    >>> samples_to_frames(1024, 1024, 500), samples_to_frames(1523, 1024, 500)
    (1, 1)
    >>> samples_to_frames(1524, 1024, 500), samples_to_frames(100, 1024, 500)
    (2, 0)
    """
    return 0 if n_samples < n_fft else 1 + (n_samples - n_fft) // hop_length


def frames_to_samples(n_frames: int, n_fft: int, hop_length: int) -> int:
    """Count the samples that a number of frames covers, the least that yields them.

    Examples
    --------
    >>> frames_to_samples(2, 1024, 500)
    1524
    """
    return 0 if n_frames == 0 else n_fft + (n_frames - 1) * hop_length
