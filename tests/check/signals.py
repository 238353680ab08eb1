"""Signals with answers in closed form, and what the listener makes of them."""

from __future__ import annotations

import numpy as np

from asmr_classify.check.listener import Listener
from asmr_classify.media.decode import NativeBlock
from asmr_classify.threads import one_thread

SR = 48000
STEREO = ("FL", "FR")
NAMES = {1: ("?",), 2: STEREO, 6: ("FL", "FR", "FC", "LFE", "BL", "BR")}


def sine(level_dbfs, duration, *, sr=SR, hz=1000.0, n_channels=2, phase_degrees=0.0):
    """The same sine on each channel; its peak is at the level."""
    t = np.arange(round(duration * sr)) / sr
    y = 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * hz * t + np.radians(phase_degrees))
    return np.tile(y, (n_channels, 1)).astype(np.float32)


def sines(*levels_and_durations, **options):
    """Sines one after the other."""
    return np.concatenate(
        [sine(level, duration, **options) for level, duration in levels_and_durations], axis=1
    )


def silence(duration, *, sr=SR, n_channels=2):
    return np.zeros((n_channels, round(duration * sr)), dtype=np.float32)


def noise(rng, level_db, duration, *, sr=SR, n_channels=2):
    """White noise with a standard deviation at the level."""
    y = rng.standard_normal((n_channels, round(duration * sr)))
    return (10 ** (level_db / 20) * y).astype(np.float32)


def clicks(times, duration, *, sr=SR, n_channels=1, amplitude=0.5):
    """Clicks that die away within some milliseconds."""
    y = np.zeros(round(duration * sr))
    decay = amplitude * np.exp(-np.arange(round(0.03 * sr)) / (0.004 * sr))
    decay[1::2] *= -1
    for time in times:
        place = round(time * sr)
        tail = decay[: len(y) - place]
        y[place : place + len(tail)] += tail
    return np.tile(y, (n_channels, 1)).astype(np.float32)


def measure(y, sr=SR, channels=None, sizes=(32000,)):
    """Let the listener hear a signal in blocks of the given sizes, over and over."""
    y = np.asarray(y, dtype=np.float32)
    channels = channels or NAMES.get(len(y), ("?",) * len(y))
    listener, start, k = Listener(), 0, 0
    with one_thread():
        while start < y.shape[1]:
            size = max(1, sizes[k % len(sizes)])
            listener(NativeBlock(y[:, start : start + size].copy(), sr, channels))
            start, k = start + size, k + 1
        return listener.conclude()
