"""Summaries of signals that are known."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from asmr_classify.config import FeatureSpec
from asmr_classify.features.schema import column_names
from asmr_classify.features.statistics import spectral_flux
from asmr_classify.features.windows import window_rows

SPEC = FeatureSpec()
SR = SPEC.frames.sr
NAMES = list(column_names(SPEC))


def feature(y, name):
    return float(window_rows(y.astype(np.float32), SPEC).X[0, NAMES.index(name)])


def clicks(rate, rng, seconds=2.0):
    """Short decaying bursts at a steady rate over faint noise."""
    n_samples = int(seconds * SR)
    since = np.arange(n_samples) % round(SR / rate)
    return rng.standard_normal(n_samples) * (1e-3 + np.exp(-since / (0.004 * SR)))


@pytest.mark.parametrize("rate", [4, 8])
def test_impulses_are_counted(rate, rng):
    counted = 2 ** feature(clicks(rate, rng), "impulse_all_rate_12db") - 1
    assert counted == pytest.approx(rate, abs=1)


@pytest.mark.parametrize("rate", [4, 8])
def test_spacing_of_impulses(rate, rng):
    assert feature(clicks(rate, rng), "impulse_all_spacing_mean") == pytest.approx(
        -np.log2(rate), abs=0.35
    )


def test_steady_impulses_are_regular_and_noise_has_none(rng):
    steady = clicks(5, rng)
    noise = rng.standard_normal(2 * SR)
    assert feature(steady, "impulse_all_regularity") > 0.6
    assert feature(noise, "impulse_all_rate_12db") == 0


def test_impulses_decay(rng):
    y = clicks(4, rng)
    assert feature(y, "impulse_all_decay_26") < -20
    assert feature(y, "impulse_all_decay_2") > feature(y, "impulse_all_decay_26")


@pytest.mark.parametrize(("hz", "octave"), [(3, 2), (12, 4), (48, 6)])
def test_modulation_is_found_in_its_octave(hz, octave, rng):
    t = np.arange(2 * SR) / SR
    y = rng.standard_normal(2 * SR) * (1 + 0.9 * np.sin(2 * np.pi * hz * t))
    row = window_rows(y.astype(np.float32), SPEC).X[0]
    power = [row[NAMES.index(f"texture_modulation_6_{o}")] for o in range(7)]
    assert int(np.argmax(power)) == octave


def test_bands_that_move_together_correlate(rng):
    t = np.arange(2 * SR) / SR
    noise = rng.standard_normal(2 * SR)
    together = noise * (1.01 + np.sin(2 * np.pi * 4 * t))
    assert feature(together, "texture_correlation_3_9") > 0.7
    assert abs(feature(noise, "texture_correlation_3_9")) < 0.25


def test_flux_is_the_onset_strength_of_librosa(rng):
    logmel = rng.normal(-50, 8, (90, 48)).astype(np.float32)
    expected = librosa.onset.onset_strength(S=logmel.T, sr=SR, center=False)
    np.testing.assert_allclose(spectral_flux(logmel[None])[0], expected, atol=1e-3)


def test_a_voice_is_voiced_and_noise_is_not(rng):
    pulses = np.zeros(2 * SR)
    pulses[:: SR // 120] = 1
    assert feature(pulses, "voiced_share") > 0.9
    assert feature(rng.standard_normal(2 * SR), "voiced_share") < 0.1
