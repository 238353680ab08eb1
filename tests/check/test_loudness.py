"""Loudness against closed forms and the test signals of EBU Tech 3341 and 3342."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asmr_classify.check.loudness import (
    MOMENTARY_STEPS,
    SHORT_TERM_STEPS,
    find_loudest,
    integrated_loudness,
    loudness_range,
    moving_power,
    power_to_lufs,
)
from tests.check.signals import SR, measure, noise, silence, sine, sines


def integrated(y, sr=SR, channels=None):
    return integrated_loudness(measure(y, sr, channels).powers)


TECH_3341 = {
    1: ((-23, 20),),
    2: ((-33, 20),),
    3: ((-36, 10), (-23, 60), (-36, 10)),
    4: ((-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)),
    5: ((-26, 20), (-20, 20.1), (-26, 20)),
}


@pytest.mark.parametrize("case", TECH_3341)
def test_integrated_loudness_of_tech_3341(case):
    expected = -33 if case == 2 else -23
    assert integrated(sines(*TECH_3341[case])) == pytest.approx(expected, abs=0.1)


def test_integrated_loudness_of_five_channels():
    """Tech 3341, case 6."""
    levels = (-28, -28, -24, -30, -30)
    y = np.concatenate([sine(level, 20, n_channels=1) for level in levels])
    assert integrated(y, channels=("FL", "FR", "FC", "SL", "SR")) == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize("sr", [8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000])
def test_the_rate_does_not_change_loudness(sr):
    # The bilinear transform bends the shelf where 4 kHz is the end of the band.
    within = 0.1 if sr > 8000 else 0.2
    assert integrated(sine(-23, 3, sr=sr), sr) == pytest.approx(-23, abs=within)


def test_short_term_and_momentary_loudness_hold_still_over_a_rhythm():
    """Tech 3341, cases 9 and 12: the windows always hold the same share of both levels."""
    y = sines(*((-20, 1.34), (-30, 1.66)) * 5)
    levels = power_to_lufs(moving_power(measure(y).powers, SHORT_TERM_STEPS))
    assert levels.min() == pytest.approx(-23, abs=0.1)
    assert levels.max() == pytest.approx(-23, abs=0.1)
    y = sines(*((-20, 0.18), (-30, 0.22)) * 25)
    levels = power_to_lufs(moving_power(measure(y).powers, MOMENTARY_STEPS))
    assert levels.min() == pytest.approx(-23, abs=0.1)
    assert levels.max() == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize("lead", [0.0, 0.15, 1.0, 2.85])
def test_the_loudest_three_seconds_are_found_wherever_they_begin(lead):
    """Tech 3341, case 10: a tone of 3 s anywhere."""
    powers = measure(np.concatenate([silence(lead), sine(-23, 3), silence(1)], axis=1)).powers
    loudest = find_loudest(powers, SHORT_TERM_STEPS)
    assert loudest.value == pytest.approx(-23, abs=0.1)
    assert loudest.start == pytest.approx(lead, abs=0.1)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [((-20, -30), 10), ((-20, -15), 5), ((-40, -20), 20), ((-50, -35, -20, -35, -50), 15)],
    ids=["1", "2", "3", "4"],
)
def test_loudness_range_of_tech_3342(levels, expected):
    y = sines(*((level, 20) for level in levels))
    assert loudness_range(measure(y).powers) == pytest.approx(expected, abs=1)


@settings(max_examples=20)
@given(st.floats(-25, 10))
def test_gain_moves_loudness_and_not_its_range(gain_db):
    rng = np.random.default_rng(3)
    y = np.concatenate([noise(rng, -30, 2), noise(rng, -36, 3)], axis=1)
    before, after = measure(y), measure(y * 10 ** (gain_db / 20))
    difference = integrated_loudness(after.powers) - integrated_loudness(before.powers)
    assert difference == pytest.approx(gain_db, abs=1e-3)
    assert loudness_range(after.powers) == pytest.approx(loudness_range(before.powers), abs=1e-3)


def test_a_mono_file_is_three_decibels_under_its_copy_on_two_channels():
    assert integrated(sine(-20, 2, n_channels=1)) == pytest.approx(-23, abs=0.1)
    assert integrated(sine(-20, 2)) == pytest.approx(-20, abs=0.1)


def test_the_low_frequency_channel_does_not_count():
    y = np.concatenate([sine(-20, 2, n_channels=3), sine(0, 2, n_channels=1), silence(2)])
    assert integrated(y) == pytest.approx(-20 - 3.01 + 10 * np.log10(3), abs=0.1)


@pytest.mark.parametrize(
    "y",
    [
        pytest.param(silence(5), id="silence"),
        pytest.param(sine(-80, 5), id="below the gate"),
        pytest.param(sine(-10, 0.39), id="shorter than a block"),
        pytest.param(silence(1 / SR), id="one sample"),
    ],
)
def test_what_is_too_quiet_or_too_short_has_no_loudness(y):
    powers = measure(y).powers
    assert np.isfinite(powers).all()
    assert integrated_loudness(powers) is None
    assert loudness_range(powers) is None
    assert find_loudest(powers, MOMENTARY_STEPS) is None


def test_silence_after_a_bang_stays_silence():
    """Filters and sums must not carry rounding of what was loud along."""
    powers = measure(np.concatenate([sine(0, 2), silence(8)], axis=1)).powers
    assert power_to_lufs(moving_power(powers, SHORT_TERM_STEPS))[-1] < -150
