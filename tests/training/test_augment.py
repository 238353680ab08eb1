from __future__ import annotations

import numpy as np
import pytest

from asmr_classify.training.augment import (
    add_hiss,
    augment,
    change_speed,
    equalise,
    make_steady,
    mix,
    reverberate,
)

SR = 32000


def power(y):
    return float(np.mean(np.square(y)))


@pytest.fixture
def noise(rng):
    return rng.standard_normal(SR).astype(np.float32)


def test_the_same_seed_gives_the_same_copy(noise):
    first, second, third = (augment(noise, SR, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first[:100], third[:100])
    assert first.dtype == np.float32


@pytest.mark.parametrize("n_samples", [1, 2, 640])
def test_short_clips_survive(noise, n_samples):
    for seed in range(20):
        changed = augment(noise[:n_samples], SR, np.random.default_rng(seed))
        assert len(changed) > 0
        assert np.isfinite(changed).all()


def test_speed_changes_pitch():
    y = np.sin(2 * np.pi * 1000 * np.arange(SR) / SR).astype(np.float32)
    faster = change_speed(y, 2.0)
    assert len(faster) == pytest.approx(SR / 2, abs=2)
    assert np.argmax(np.abs(np.fft.rfft(faster))) * SR / len(faster) == pytest.approx(
        2000, rel=0.01
    )


def test_flat_gain_is_a_gain(noise):
    np.testing.assert_allclose(equalise(noise, SR, np.full(5, 6.0)), noise * 10**0.3, atol=1e-4)


def test_low_pass_removes_the_top(noise):
    spectrum = np.abs(np.fft.rfft(equalise(noise, SR, np.zeros(5), cutoff_hz=4000)))
    assert spectrum[5000:].max() < 1e-2 * spectrum[:3000].mean()


def test_hiss_stands_at_its_ratio(noise, rng):
    hissed = add_hiss(noise, rng, snr_db=20)
    assert 10 * np.log10(power(noise) / power(hissed - noise)) == pytest.approx(20, abs=0.1)


def test_reverberation_goes_on_after_the_sound(rng):
    y = np.zeros(SR, dtype=np.float32)
    y[:320] = 1
    wet = reverberate(y, SR, rng, seconds=0.4, ratio_db=-6)
    assert power(wet[1000:4000]) > 1e-6
    assert power(wet[-8000:]) < 1e-3 * power(wet[1000:4000])


def test_mixing_with_silence_changes_nothing(noise):
    assert np.array_equal(mix(noise, np.zeros_like(noise), ratio_db=0), noise)


def test_steady_noise_keeps_the_spectrum_and_loses_the_events(rng):
    y = np.zeros(SR, dtype=np.float32)
    y[1000:1200] = rng.standard_normal(200)
    steady = make_steady(y, rng)
    before, after = (np.abs(np.fft.rfft(x))[1:-1] for x in (y, steady))
    assert after == pytest.approx(before, rel=0.01, abs=0.01)
    assert power(steady) == pytest.approx(power(y), rel=0.01)
    loudest = max(power(part) for part in np.split(steady, 20))
    assert loudest < 2 * power(steady)
