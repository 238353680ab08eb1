from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asmr_classify.check.listener import Listener
from asmr_classify.media.decode import AudioStream
from tests.check.signals import clicks, measure, noise, sine
from tests.media.clicks import write_clicks


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
@settings(max_examples=12)
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


def test_sound_that_begins_late_is_measured_late(tmp_path):
    """Silence before it changes no loudness, and every time is that of the player."""
    measured = []
    for sound_at in (0.0, 4.0):
        path = tmp_path / f"{sound_at}.mkv"
        write_clicks(path, "matroska", sound_at=sound_at, pictures=(0.0, 9.0))
        listener = Listener()
        with AudioStream.open(str(path), listener=listener) as stream:
            for _ in stream.iter_blocks():
                pass
        measured.append(listener.conclude())
    early, late = measured
    assert late.peak_at - early.peak_at == pytest.approx(4.0, abs=0.05)
    assert late.onsets[0, 0] == pytest.approx(4.0, abs=0.05)  # where there is sound at last
    assert late.onsets[1:, 0] - early.onsets[:, 0] == pytest.approx(4.0, abs=0.05)
    assert len(late.powers) - len(early.powers) == pytest.approx(40, abs=1)
    assert not late.powers[:39].any()
    assert late.peak == pytest.approx(early.peak, rel=0.01)
