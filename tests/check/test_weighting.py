from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import freqz

from asmr_classify.check.weighting import (
    KWeighting,
    channel_weights,
    high_pass_coefficients,
    shelf_coefficients,
)
from tests.conftest import ROOT

# ITU-R BS.1770-5, annex 1, tables 1 and 2.
SHELF = (
    [1.53512485958697, -2.69169618940638, 1.19839281085285],
    [1.0, -1.69065929318241, 0.73248077421585],
)
HIGH_PASS = ([1.0, -2.0, 1.0], [1.0, -1.99004745483398, 0.99007225036621])


@pytest.mark.parametrize(
    ("coefficients", "stated"),
    [
        pytest.param(shelf_coefficients, SHELF, id="shelf"),
        pytest.param(high_pass_coefficients, HIGH_PASS, id="high-pass"),
    ],
)
def test_at_48_khz_the_coefficients_are_those_of_the_standard(coefficients, stated):
    for ours, theirs in zip(coefficients(48000), stated, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-8)


def gain_db(sr, hz):
    gains = [
        freqz(*f(sr), worN=[hz], fs=sr)[1] for f in (shelf_coefficients, high_pass_coefficients)
    ]
    return 20 * np.log10(np.abs(np.prod(gains)))


@pytest.mark.parametrize("sr", [8000, 11025, 16000, 22050, 32000, 44100, 88200, 96000, 192000])
@pytest.mark.parametrize("hz", [20.0, 40.0, 100.0, 500.0, 1000.0])
def test_the_frequency_response_is_the_same_at_all_rates(sr, hz):
    assert gain_db(sr, hz) == pytest.approx(gain_db(48000, hz), abs=0.03 if sr > 16000 else 0.25)


@pytest.mark.parametrize("sr", [1000, 2000, 3363, 3365, 4000, 384_000, 1_000_000])
def test_the_filters_are_stable_at_odd_rates(sr, rng):
    y = KWeighting(sr, 1).filter(rng.standard_normal((1, 50_000)).astype(np.float32))
    assert np.isfinite(y).all()
    assert np.abs(y).max() < 50


@pytest.mark.parametrize(
    ("channels", "weights"),
    [
        (["FC"], [1]),
        (["FL", "FR"], [1, 1]),
        (["FL", "FR", "FC", "LFE", "BL", "BR"], [1, 1, 1, 0, 1.41, 1.41]),
        (["FL", "FR", "FC", "LFE", "SL", "SR"], [1, 1, 1, 0, 1.41, 1.41]),
        (["FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"], [1, 1, 1, 0, 1, 1, 1.41, 1.41]),
        (["FL", "FR", "FC", "BC"], [1, 1, 1, 1]),
        (["?"] * 6, [1, 1, 1, 0, 1.41, 1.41]),
        (["?"] * 4, [1, 1, 1, 1]),
    ],
    ids=lambda value: "-".join(map(str, value)),
)
def test_channels_count_by_where_they_stand(channels, weights):
    assert channel_weights(channels).tolist() == weights


@pytest.mark.parametrize("sr", [8000, 11025, 12000])
def test_below_16_khz_loudness_is_off_by_a_few_tenths_as_the_guide_says(sr):
    hz = np.arange(20.0, sr / 2, 50.0)
    errors = np.array([gain_db(sr, x) - gain_db(48000, x) for x in hz])
    assert np.abs(errors).max() < 0.3
    assert -0.25 < errors[(hz > 700) & (hz < 1500)].min() < -0.05
    assert errors[hz > 2000].min() > 0
    text = " ".join((ROOT / "docs/check.md").read_text(encoding="utf-8").split())
    assert "off by a few tenths of an LU at most: it reads low where" in text
