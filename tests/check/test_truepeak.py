from __future__ import annotations

import numpy as np
import pytest

from asmr_classify.check.truepeak import TruePeak, amplitude_to_db
from tests.check.signals import SR, measure, silence, sine


def peak_db(y, sr=SR):
    return amplitude_to_db(measure(y, sr).peak)


def faded(y):
    """In and out, because a sine that is cut rings between its samples."""
    return y * np.hanning(y.shape[1]).astype(np.float32)


@pytest.mark.parametrize(
    ("divisor", "phase", "amplitude"),
    [(4, 0, 0.5), (4, 45, 0.5), (6, 60, 0.5), (8, 67.5, 0.5), (4, 45, 1.41)],
    ids=["15", "16", "17", "18", "19"],
)
def test_sines_of_tech_3341(divisor, phase, amplitude):
    """Tech 3341 allows +0.2 and -0.4 dB."""
    level = 20 * np.log10(amplitude)
    y = faded(sine(level, 1, hz=SR / divisor, phase_degrees=phase))
    assert level - 0.1 < peak_db(y) < level + 0.1


@pytest.mark.parametrize("share", [0.01, 0.1, 0.2, 0.3, 0.4, 0.45])
@pytest.mark.parametrize("sr", [8000, 44100, 192000])
def test_sines_between_samples_are_read_right_at_all_rates(share, sr):
    y = sine(-6, 0.5, sr=sr, hz=share * sr, phase_degrees=33)
    assert peak_db(faded(y), sr) == pytest.approx(-6, abs=0.2)


def test_a_peak_between_samples_is_told_with_its_place(rng):
    y = silence(5) + 0.001 * rng.standard_normal((2, 5 * SR)).astype(np.float32)
    y[1, 3 * SR : 3 * SR + 4800] += sine(-1, 0.1, hz=SR / 4, phase_degrees=45)[1] * np.hanning(4800)
    measured = measure(y)
    assert measured.peak > 1.2 * np.abs(y).max()
    assert measured.peak_at == pytest.approx(3.05, abs=0.01)


@pytest.mark.parametrize("place", [0, 1, 15, SR - 1, SR, 2 * SR - 1])
def test_a_single_sample_counts_wherever_it_stands(place):
    y = silence(2)
    y[0, place] = 0.7
    measured = measure(y)
    assert measured.peak == pytest.approx(0.7, abs=1e-6)
    assert measured.peak_at == pytest.approx(place / SR)


def test_skipping_what_cannot_be_higher_loses_nothing(rng):
    """The highest of all interpolated values, each computed by the definition."""
    y = rng.standard_normal((1, 3000)).astype(np.float32)
    y[0, 1500:] *= 0.6
    by_definition = np.abs(every_value(y[0].astype(float))).max()
    assert measure(y, 1000).peak == pytest.approx(by_definition, rel=1e-6)


def every_value(y):
    from asmr_classify.check.truepeak import _phases

    between = [np.convolve(y, filter_[::-1]) for filter_ in _phases()]
    return np.concatenate([y, *between])


def test_silence_has_no_level():
    assert measure(silence(1)).peak == 0
    assert amplitude_to_db(0.0) is None


def test_nothing_at_all():
    peak = TruePeak(1, SR)
    peak.finish()
    assert (peak.value, peak.at) == (0.0, 0.0)
