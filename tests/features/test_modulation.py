"""Pictures whose movement is known."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from asmr_classify.config import FeatureSpec
from asmr_classify.features.modulation import (
    GAIN,
    MEAN_POWER,
    MEMORY_SECONDS,
    OFFSET,
    SCALE_EDGES,
    _octaves,
    modulation_statistics,
    modulation_statistics_columns,
    normalised_statistics,
    normalised_statistics_columns,
)
from asmr_classify.features.schema import column_names
from asmr_classify.features.windows import window_rows

SPEC = FeatureSpec()
N_FRAMES, N_MELS, RATE = 126, 48, 64.0
SCALES_AND_DIRECTION = len(SCALE_EDGES)
FRAMES = np.arange(N_FRAMES)[:, None] / RATE
BANDS = np.arange(N_MELS)[None, :]


def named(logmel):
    names = modulation_statistics_columns()
    return dict(
        zip(names, modulation_statistics(logmel[None].astype(np.float32), RATE)[0], strict=True)
    )


@pytest.mark.parametrize(("hz", "octave"), [(0.6, 0), (1.5, 1), (3, 2), (6, 3), (12, 4), (24, 5)])
@pytest.mark.parametrize(("scale", "band"), [(0.0, 0), (0.05, 1), (0.1, 2), (0.2, 3), (0.4, 4)])
def test_ripples_are_found_at_their_rate_and_scale(hz, octave, scale, band):
    ripple = 5 * np.sin(2 * np.pi * (hz * FRAMES + scale * BANDS))
    shares = {k: v for k, v in named(ripple).items() if not k.endswith("direction")}
    assert max(shares, key=shares.get) == f"modulation_{octave}_scale_{band}"
    assert max(shares.values()) > np.log10(0.5)


def test_ripples_that_rise_differ_from_those_that_fall():
    rising, falling = (
        5 * np.sin(2 * np.pi * (3 * FRAMES + sign * 0.1 * BANDS)) for sign in (-1, 1)
    )
    peaks = np.argmax(rising[:4, :14], axis=1)
    assert (np.diff(peaks) >= 0).all()
    assert peaks[-1] > peaks[0]
    assert named(rising)["modulation_2_direction"] > 0.8
    assert named(falling)["modulation_2_direction"] < -0.8


def test_noise_and_bands_against_each_other_have_no_direction(rng):
    pictures = rng.standard_normal((200, N_FRAMES, N_MELS)).astype(np.float32)
    noise = modulation_statistics(pictures, RATE).mean(axis=0)
    directions = noise[SCALES_AND_DIRECTION - 1 :: SCALES_AND_DIRECTION]
    np.testing.assert_allclose(directions, 0, atol=0.01)
    against = named(5 * np.sin(2 * np.pi * 3 * FRAMES) * (-1.0) ** BANDS)
    assert against["modulation_2_direction"] == pytest.approx(0, abs=0.01)


def test_what_does_not_move_has_no_modulation():
    steady = np.tile(np.linspace(-60, -20, N_MELS), (N_FRAMES, 1))
    values = named(steady)
    assert all(values[k] == pytest.approx(-5) for k in values if "scale" in k)
    assert all(values[k] == pytest.approx(0, abs=0.01) for k in values if k.endswith("direction"))


def test_octaves_leave_no_gap():
    of_rates, of_scales = _octaves(N_FRAMES, N_MELS, RATE)
    rates = np.arange(N_FRAMES // 2 + 1) * RATE / N_FRAMES
    assert (of_rates[:, (rates >= 0.5) & (rates <= 32)].sum(axis=0) == 1).all()
    assert (of_scales[:, : len(SCALE_EDGES) - 1].sum(axis=1) == 1).all()


def test_rounding_of_a_steady_tone_is_no_modulation():
    t = np.arange(2 * SPEC.frames.sr) / SPEC.frames.sr
    tone = (0.5 * np.sin(2 * np.pi * 1000 * t)).astype(np.float32)
    names = column_names(SPEC)
    own = [k for k, name in enumerate(names) if name.startswith("modulation_")]
    rows = [window_rows(tone * np.float32(gain), SPEC).X[0, own] for gain in (1, 0.1, 0.001)]
    np.testing.assert_allclose(rows[1:], [rows[0]] * 2, atol=0.01)


def test_normalisation_is_that_of_librosa(rng):
    logmel = rng.normal(-50, 8, (N_FRAMES, N_MELS)).astype(np.float32)
    power = 10 ** (logmel.astype(float) / 10)
    power *= MEAN_POWER / power.mean()
    # librosa's background begins at one, ours at the mean of the band: scale the bands to it
    expected = np.concatenate(
        [
            librosa.pcen(
                np.concatenate([np.full(2000, band.mean()), band]),
                sr=RATE,
                hop_length=1,
                gain=GAIN,
                bias=OFFSET,
                power=0.5,
                time_constant=MEMORY_SECONDS,
                eps=1e-12,
            )[None, 2000:]
            for band in power.T
        ]
    )
    row = normalised_statistics(logmel[None], RATE)[0].reshape(3, N_MELS)
    np.testing.assert_allclose(row[0], expected.mean(axis=1), rtol=1e-3)
    np.testing.assert_allclose(row[1], expected.std(axis=1), rtol=1e-3)
    rises = np.maximum(np.diff(expected, axis=1), 0).mean(axis=1)
    np.testing.assert_allclose(row[2], rises, rtol=1e-3)


def test_a_steady_background_is_divided_out():
    """A burst stands out as far in a loud band as in a soft one."""
    logmel = np.full((N_FRAMES, N_MELS), -70.0)
    logmel[:, :24] += 30
    logmel[60:63, [5, 40]] += 20
    values = normalised_statistics(logmel[None].astype(np.float32), RATE)[0]
    columns = dict(zip(normalised_statistics_columns(N_MELS), values, strict=True))
    loud, soft = columns["normalised_rise_5"], columns["normalised_rise_40"]
    assert loud > 0.05
    assert soft > 0.02
    assert loud / soft < 10 ** (30 / 20) / 5  # where the root alone leaves 15 of 30 dB
    assert columns["normalised_rise_6"] == pytest.approx(0, abs=1e-3)
