from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.check.signals import clicks, measure, noise, sine


def program(sr, n_channels, duration=3.7):
    """Something for every meter: noise, clicks, a delay, a loud moment."""
    rng = np.random.default_rng(5)
    y = noise(rng, -40, duration, sr=sr, n_channels=n_channels)
    y += clicks(np.arange(0.2, duration, 0.3), duration, sr=sr, n_channels=n_channels)
    y[0] = np.roll(y[0], round(0.0004 * sr))
    y[:, -sr:] *= 8
    return y


def same(one, other):
    for field in dataclasses.fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
        else:
            assert a == b, field.name


@pytest.mark.parametrize(("sr", "n_channels"), [(8000, 2), (11025, 1), (16000, 6)])
@settings(deadline=None, max_examples=12)
@given(sizes=st.lists(st.integers(1, 20_000), min_size=1, max_size=5))
def test_block_size_never_changes_any_figure(sr, n_channels, sizes):
    y = program(sr, n_channels)
    whole = measure(y, sr, sizes=(y.shape[1],))
    # Blocks of a few samples throughout would only take long.
    same(measure(y, sr, sizes=(*sizes, 5000)), whole)


def test_single_samples_are_blocks_too():
    y = program(1000, 2, duration=2.3)
    same(measure(y, 1000, sizes=(1,)), measure(y, 1000))


@pytest.mark.parametrize("n_samples", [1, 2, 10, 239, 240, 4799, 4800, 48_001])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_every_length_is_measured_without_nan(n_samples, n_channels):
    measured = measure(sine(-6, n_samples / 48000, n_channels=n_channels, phase_degrees=80))
    assert np.isfinite(measured.powers).all()
    assert len(measured.powers) == n_samples // 4800
    assert 0.4 < measured.peak < 1.2


def test_steps_of_a_rate_that_is_no_multiple_have_the_right_power():
    """11025 Hz has 1102.5 samples in 100 ms."""
    powers = measure(sine(-20, 4, sr=11025, n_channels=1), 11025).powers
    assert len(powers) == 40
    np.testing.assert_allclose(powers[5:], powers[20], rtol=0.02)
