"""Synthetic signals whose features have closed forms."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from asmr_classify.config import FrameSpec
from asmr_classify.features.frames import (
    FLATNESS_FLOOR,
    ROLLOFF,
    SCALARS,
    _bases,
    _power_spectrum,
    analyse,
)

SPEC = FrameSpec()
SR = SPEC.sr


def scalars(y, name):
    return analyse(y.astype(np.float32), SPEC).scalars[:, SCALARS.index(name)]


def tone(hz, seconds=1.0, amplitude=0.1):
    return amplitude * np.sin(2 * np.pi * hz * np.arange(int(SR * seconds)) / SR)


def test_shapes_follow_the_settings():
    frames = analyse(np.zeros(SR, dtype=np.float32), SPEC)
    n_frames = 1 + (SR - SPEC.n_fft) // SPEC.hop_length
    assert frames.logmel.shape == (n_frames, SPEC.n_mels)
    assert frames.scalars.shape == (n_frames, len(SCALARS))
    assert len(frames.texture) == 1 + (SR - SPEC.texture_n_fft) // SPEC.texture_hop_length


@pytest.mark.parametrize("hz", [500.0, 1000.0, 8000.0])
def test_a_tones_level_and_centroid(hz):
    # mean square of a sine is half its squared amplitude
    np.testing.assert_allclose(scalars(tone(hz), "level"), 10 * np.log10(0.1**2 / 2), atol=0.1)
    np.testing.assert_allclose(scalars(tone(hz), "centroid"), np.log2(hz / 1000), atol=0.02)


def test_noise_is_flat_and_a_tone_is_not(rng):
    noise = scalars(rng.standard_normal(SR), "flatness").mean()
    assert noise > -4  # the expected flatness of white noise is -2.5 dB, less for empty low bins
    assert scalars(tone(1000), "flatness").mean() < noise - 30


def test_mains_hum_decides_nothing(rng):
    hiss = 1e-3 * rng.standard_normal(SR)  # hum stands 30 dB above it
    quiet, hummed = (scalars(hiss + hum, "level") for hum in (0, tone(50, amplitude=0.045)))
    np.testing.assert_allclose(quiet, hummed, atol=0.5)


@pytest.mark.parametrize("hz", [100.0, 160.0, 400.0])
def test_a_pulse_train_is_voiced_at_its_pitch(hz):
    y = np.zeros(SR)
    y[:: round(SR / hz)] = 1
    assert scalars(y, "voicing").min() > 0.9
    pitch = scalars(y, "pitch")
    octaves_off = pitch - np.log2(hz / 1000)
    assert np.abs(octaves_off - np.round(octaves_off)).max() < 0.06  # subharmonics fit as well


def test_noise_and_hum_are_not_voiced(rng):
    noise = rng.standard_normal(SR)
    assert scalars(noise, "voicing").mean() < 0.4
    assert scalars(noise + tone(50, amplitude=20), "voicing").mean() < 0.4


def test_texture_is_fast_enough_for_a_click():
    y = np.zeros(SR, dtype=np.float32)
    y[SR // 2] = 1
    envelope = analyse(y, SPEC).texture[:, 6]
    loud = np.flatnonzero(envelope > envelope.max() / 2)
    assert len(loud) <= 3  # three frames of 8 ms at a hop of 4 ms hold the click
    middle = (loud.mean() * SPEC.texture_hop_length + SPEC.texture_n_fft / 2) / SR
    assert middle == pytest.approx(0.5, abs=0.004)


def test_scalars_are_those_of_librosa(rng):
    y = (rng.standard_normal(SR) * np.geomspace(1, 1e-3, SR) + tone(3000)).astype(np.float32)
    power = _power_spectrum(y, SPEC.n_fft, SPEC.hop_length, _bases(SPEC).window)
    power[:, : int(np.ceil(SPEC.fmin_hz * SPEC.n_fft / SR))] = 0
    rolloff = librosa.feature.spectral_rolloff(S=power.T, sr=SR, roll_percent=ROLLOFF)[0]
    np.testing.assert_allclose(scalars(y, "rolloff"), np.log2(rolloff / 1000), atol=1e-3)
    raised = power + FLATNESS_FLOOR * power.sum(axis=1, keepdims=True)
    flatness = librosa.feature.spectral_flatness(S=raised.T, power=1.0, amin=1e-30)[0]
    np.testing.assert_allclose(scalars(y, "flatness"), 10 * np.log10(flatness), atol=0.01)


def test_silence_is_finite():
    frames = analyse(np.zeros(SR, dtype=np.float32), SPEC)
    for array in (frames.logmel, frames.scalars, frames.texture):
        assert np.isfinite(array).all()
