from __future__ import annotations

import numpy as np
import pytest

from asmr_classify.check.rhythm import measure_rhythm
from tests.check.signals import SR, clicks, measure, noise, silence, sine


def onsets(y, sr=SR):
    return measure(y, sr).onsets


@pytest.mark.parametrize("sr", [11025, 44100, 48000])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_a_click_train_of_two_a_second_is_regular(sr, n_channels):
    y = clicks(np.arange(0.25, 20, 0.5), 20, sr=sr, n_channels=n_channels)
    rhythm = measure_rhythm(onsets(y, sr), [(0.0, 20.0)])
    assert rhythm.rate == pytest.approx(2)
    assert rhythm.variation == pytest.approx(0, abs=0.02)
    assert rhythm.periodicity == pytest.approx(1)
    assert rhythm.period == pytest.approx(0.5, abs=0.005)


def test_onsets_are_found_where_they_are(rng):
    times = np.cumsum(rng.uniform(0.08, 0.6, 40))
    duration = times[-1] + 1
    y = clicks(times, duration) + noise(rng, -60, duration, n_channels=1)
    found = onsets(y)[:, 0]
    assert len(found) == len(times)
    assert np.abs(found - times).max() <= 0.0101


def test_clicks_at_random_are_irregular(rng):
    times = np.cumsum(0.05 + rng.exponential(0.25, 400))
    rhythm = measure_rhythm(np.column_stack([times, np.ones(400)]), [(0, times[-1] + 0.1)])
    assert rhythm.variation == pytest.approx(0.25 / 0.3, abs=0.1)  # dead time makes it less than 1
    assert rhythm.periodicity < 0.3


def test_a_beat_with_notes_left_out_is_still_periodic():
    beat = np.arange(0.5, 60, 0.25)
    times = beat[np.arange(len(beat)) % 8 != 5]
    rhythm = measure_rhythm(np.column_stack([times, np.ones(len(times))]), [(0, 60)])
    assert rhythm.variation > 0.25
    assert rhythm.periodicity > 0.7


@pytest.mark.parametrize(("jitter", "least", "most"), [(0.002, 0.0, 0.03), (0.05, 0.1, 0.4)])
def test_jitter_shows_in_the_variation(rng, jitter, least, most):
    times = np.arange(0.5, 60, 0.4) + rng.normal(0, jitter, 149)
    rhythm = measure_rhythm(np.column_stack([times, np.ones(149)]), [(0, 60)])
    assert least <= rhythm.variation <= most


def test_only_tapped_segments_count():
    y = clicks([*np.arange(1.1, 5, 0.5), *np.arange(6.05, 15, 0.1)], 15)
    rhythm = measure_rhythm(onsets(y), [(1.0, 5.0)])
    assert rhythm.rate == pytest.approx(2)
    assert rhythm.variation == pytest.approx(0, abs=0.02)


def test_the_gap_between_segments_is_no_interval():
    y = clicks([*np.arange(1.2, 5, 0.5), *np.arange(6.0, 10, 0.5)], 12)
    rhythm = measure_rhythm(onsets(y), [(1.0, 5.0), (5.5, 10.0)])
    assert rhythm.variation == pytest.approx(0, abs=0.02)


def test_faint_crackle_between_taps_does_not_count():
    taps = clicks(np.arange(0.5, 10, 0.5), 10)
    crackle = clicks(np.arange(0.7, 10, 0.5), 10, amplitude=0.01)
    assert measure_rhythm(onsets(taps + crackle), [(0, 10)]).rate == pytest.approx(1.9)


@pytest.mark.parametrize(
    "y",
    [
        pytest.param(silence(5, n_channels=1), id="silence"),
        pytest.param(sine(-20, 5, n_channels=1), id="tone"),
        pytest.param(sine(-20, 1 / SR, n_channels=1), id="one sample"),
    ],
)
def test_what_does_not_tap_has_no_onsets(y):
    assert len(onsets(y)) == 0


def test_steady_noise_has_no_onsets(rng):
    assert len(onsets(noise(rng, -20, 20))) == 0


def test_without_tapped_segments_there_is_no_rate():
    rhythm = measure_rhythm(np.zeros((0, 2)), [])
    assert (rhythm.rate, rhythm.variation, rhythm.periodicity) == (None, None, None)


def test_too_few_taps_have_a_rate_and_no_regularity():
    rhythm = measure_rhythm(np.array([[1.0, 1.0], [2.0, 1.0]]), [(0.0, 4.0)])
    assert rhythm.rate == 0.5
    assert rhythm.variation is None


@pytest.mark.parametrize(
    ("times", "intervals"),
    [
        ([1.0, 1.07, 1.14, 1.21, 1.28], [(0.0, 3.0)]),
        ([k + x for k in range(5) for x in (0.1, 0.16)], [(k, k + 0.9) for k in range(5)]),
    ],
    ids=["one flutter", "pairs"],
)
def test_taps_that_last_for_no_period_have_no_periodicity(times, intervals):
    rhythm = measure_rhythm(np.column_stack([times, np.ones(len(times))]), intervals)
    assert rhythm.variation == pytest.approx(0, abs=1e-6)
    assert (rhythm.periodicity, rhythm.period) == (None, None)
