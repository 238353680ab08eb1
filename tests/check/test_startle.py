from __future__ import annotations

import numpy as np
import pytest

from asmr_classify.check.startle import find_startles
from tests.check.signals import clicks, measure, noise, silence, sine


def sudden(y):
    return find_startles(measure(y).powers)


def joined(*parts):
    return np.concatenate(parts, axis=1)


def test_a_bang_is_told_with_its_time_size_and_rise(rng):
    found = sudden(joined(noise(rng, -50, 30), noise(rng, -30, 1), noise(rng, -50, 10)))
    [bang] = found.moments
    assert bang.start == pytest.approx(30, abs=0.11)
    assert bang.size == pytest.approx(20, abs=0.3)
    assert bang.rise == pytest.approx(0.1, abs=0.05)
    assert found.largest == bang.size


def test_the_largest_comes_first(rng):
    parts = []
    for level in (-35, -25, -30):
        parts += [noise(rng, -50, 30), noise(rng, level, 0.5)]
    found = sudden(joined(*parts, noise(rng, -50, 5)))
    assert [round(moment.size) for moment in found.moments] == [25, 20, 15]
    assert [round(moment.start) for moment in found.moments] == [60, 91, 30]


@pytest.mark.parametrize("gain_db", [-10, 20])
def test_gain_does_not_matter(rng, gain_db):
    y = joined(noise(rng, -45, 20), noise(rng, -30, 1), noise(rng, -45, 5))
    before, after = sudden(y), sudden(y * 10 ** (gain_db / 20))
    assert after.largest == pytest.approx(before.largest, abs=1e-3)
    assert len(after.moments) == len(before.moments) == 1


@pytest.mark.parametrize("every", [0.25, 1.0, 3.0])
def test_taps_that_go_on_are_no_surprise(rng, every):
    y = clicks(np.arange(0.5, 60, every), 60, n_channels=2) + noise(rng, -65, 60)
    found = sudden(y)
    assert all(moment.start < 10 for moment in found.moments)  # the first few may be


def test_the_first_tap_after_a_quiet_minute_is(rng):
    found = sudden(clicks([65.0], 70, n_channels=2) + noise(rng, -65, 70))
    assert [moment.start for moment in found.moments] == [pytest.approx(65, abs=0.11)]


def test_a_slow_swell_is_not_sudden(rng):
    n = 60 * 48000
    rising_db = np.linspace(-60, -10, n)  # 0.8 dB a second
    y = noise(rng, 0, 60) * (10 ** (rising_db / 20)).astype(np.float32)
    found = sudden(y)
    assert found.moments == ()
    assert 1 < found.largest < 6


def test_who_speaks_again_after_silence_does_not_startle(rng):
    found = sudden(joined(noise(rng, -30, 10), silence(90), noise(rng, -30, 10)))
    assert found.largest < 1


def test_a_bang_out_of_silence_does(rng):
    found = sudden(joined(noise(rng, -45, 10), silence(90), noise(rng, -20, 1), silence(5)))
    [bang] = found.moments
    assert bang.size == pytest.approx(25, abs=0.5)
    assert bang.start == pytest.approx(100, abs=0.11)


@pytest.mark.parametrize("before", [0, 90])
def test_a_bang_at_the_beginning_does(rng, before):
    bang = [noise(rng, -20, 0.5), noise(rng, -45, 30)]
    found = sudden(joined(silence(before), *bang) if before else joined(*bang))
    [moment] = found.moments
    assert moment.size == pytest.approx(25, abs=1)
    assert moment.start == pytest.approx(before, abs=0.11)
    assert (found.largest, found.start) == (moment.size, pytest.approx(before, abs=0.5))


@pytest.mark.parametrize("lasting", [0, 10])
def test_what_goes_on_as_it_began_does_not(rng, lasting):
    """What is loud for more than three seconds of the first minute is no leap, but a range."""
    found = sudden(joined(noise(rng, -20, 6 + lasting), noise(rng, -45, 30)))
    assert found.moments == ()


def test_what_is_steady_has_no_sudden_moment():
    found = sudden(sine(-30, 20))
    assert found.moments == ()
    assert found.largest == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("duration", [0.0001, 0.3, 3.0])
def test_too_little_sound_is_not_judged(duration):
    assert sudden(sine(-30, duration)).largest is None


def test_silence_is_not_judged():
    found = sudden(silence(30))
    assert (found.largest, found.start, found.moments) == (None, None, ())
