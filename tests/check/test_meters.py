"""Agreement with FFmpeg's ebur128 filter and with pyloudnorm."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from asmr_classify.check.loudness import (
    ABSOLUTE_GATE,
    MOMENTARY_STEPS,
    RELATIVE_GATE,
    SHORT_TERM_STEPS,
    find_loudest,
    integrated_loudness,
    loudness_range,
    moving_power,
    power_to_lufs,
)
from asmr_classify.media.decode import read_audio
from tests.check.meters import read_ebur128, read_pyloudnorm
from tests.check.signals import measure, noise, sines

PEAK_DIGITS = 0.0006
"""FFmpeg writes an amplitude with three digits."""


def near_a_gate(powers, within=0.05):
    """Whether a gating block lies so near a gate that other filters or rounding decide of it.

    The filters of pyloudnorm read 0.04 dB less than those of the standard, FFmpeg rounds to 0.01.
    """
    levels = power_to_lufs(moving_power(powers, MOMENTARY_STEPS))
    kept = levels[levels > ABSOLUTE_GATE]
    gate = power_to_lufs(np.mean(10 ** (kept / 10))) + 0.691 + RELATIVE_GATE if len(kept) else 0
    return min(np.abs(levels - ABSOLUTE_GATE).min(), np.abs(levels - gate).min()) < within


def check_agreement(y, sr):
    measured, theirs = measure(y, sr), read_ebur128(y, sr)
    powers = measured.powers
    ours = integrated_loudness(powers)
    stated = read_pyloudnorm(y, sr, "DeMan")
    if ours is None:
        assert theirs.integrated == ABSOLUTE_GATE
        assert stated == -np.inf
        return
    assert ours == pytest.approx(stated, abs=1e-6 if sr == 48000 else 0.1)
    if not near_a_gate(powers):
        assert ours == pytest.approx(theirs.integrated, abs=0.1)
        assert ours == pytest.approx(read_pyloudnorm(y, sr), abs=0.1)
    loudest = find_loudest(powers, MOMENTARY_STEPS).value
    within = 0.001 if sr == 48000 else 0.1
    assert loudest == pytest.approx(theirs.momentary, abs=within)
    if y.shape[1] > 3 * sr:
        loudest = find_loudest(powers, SHORT_TERM_STEPS).value
        assert loudest == pytest.approx(theirs.short_term, abs=within)
    assert measured.peak == pytest.approx(theirs.peak, rel=0.05, abs=PEAK_DIGITS)


@pytest.mark.parametrize("sr", [16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("n_channels", [1, 2, 6])
def test_noise_at_all_rates_and_channels(rng, sr, n_channels):
    y = np.concatenate(
        [noise(rng, level, 1.3, sr=sr, n_channels=n_channels) for level in (-30, -22, -27, -45)],
        axis=1,
    )
    check_agreement(y, sr)


@pytest.mark.parametrize("levels", [(-20, -30), (-40, -20), (-50, -35, -20, -35, -50)])
def test_the_loudness_range_is_that_of_ffmpeg(levels):
    """Short-term loudness has a standard, its percentiles have one rank of freedom."""
    y = sines(*((level, 20) for level in levels))
    ours = loudness_range(measure(y).powers)
    assert ours == pytest.approx(read_ebur128(y, 48000).range, abs=0.1)


def clips(folder, every):
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return [folder / row["path"] for row in csv.DictReader(file)][::every]


def test_recordings_agree(shared):
    """A sample of the corpus; ``python -m tests.benchmarks check`` takes all of it."""
    paths = clips(shared / "corpus", 100)
    assert len(paths) > 10
    for path in paths:
        check_agreement(read_audio(str(path), sr=48000)[None], 48000)
