"""Conversions between seconds, samples, frames and windows: the only index arithmetic.

Seconds are floats, all else integers. Positions are counted from 0; frame ``k`` covers samples
``[k * hop_length, k * hop_length + n_fft)``, so nothing before the first sample is looked at.
"""

from __future__ import annotations

import re

CLOCK = re.compile(r"(?:(\d+):(?=\d\d:))?(\d+):(\d\d(?:\.\d*)?)", re.ASCII)

MINUTE = 60


def time_to_seconds(text: str) -> float:
    """Convert a time that somebody wrote: seconds, or with minutes and hours as players show them.

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> time_to_seconds("62.5"), time_to_seconds("1:02.5"), time_to_seconds("1:00:01")
    (62.5, 62.5, 3601.0)
    """
    match = CLOCK.fullmatch(text)
    if match is None:
        return float(text)
    hours, minutes, seconds = float(match[1] or 0), float(match[2]), float(match[3])
    if seconds >= MINUTE or (match[1] and minutes >= MINUTE):
        raise ValueError(f"{text!r} has sixty or more where a minute or an hour is full")
    return MINUTE * (MINUTE * hours + minutes) + seconds


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
