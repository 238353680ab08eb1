"""Pictures whose movement is known."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from asmr_classify.features.modulation import (
    EXPONENT,
    GAIN,
    MEAN_POWER,
    MEMORY_SECONDS,
    OFFSET,
    RATE_EDGES_HZ,
    SCALE_EDGES,
    modulation_statistics,
    modulation_statistics_columns,
    normalised_statistics,
    normalised_statistics_columns,
)

N_FRAMES, N_MELS, RATE = 126, 48, 64.0
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
        named(5 * np.sin(2 * np.pi * (3 * FRAMES + sign * 0.1 * BANDS)))["modulation_2_direction"]
        for sign in (-1, 1)
    )
    assert abs(rising) > 0.8
    assert rising == pytest.approx(-falling, abs=0.05)


def test_what_does_not_move_has_no_modulation():
    steady = np.tile(np.linspace(-60, -20, N_MELS), (N_FRAMES, 1))
    values = named(steady)
    assert all(values[k] == pytest.approx(-5) for k in values if "scale" in k)
    assert all(values[k] == pytest.approx(0, abs=0.01) for k in values if k.endswith("direction"))


def test_octaves_leave_no_gap():
    assert len(modulation_statistics_columns()) == (len(RATE_EDGES_HZ) - 1) * len(SCALE_EDGES)


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
                power=EXPONENT,
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
    assert loud / soft < 10 ** (30 / 20 / 2)  # what the root alone would leave of 30 dB
    assert columns["normalised_rise_6"] == pytest.approx(0, abs=1e-3)
