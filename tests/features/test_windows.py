"""The laws of window rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asmr_classify.config import FeatureSpec
from asmr_classify.features.schema import column_names
from asmr_classify.features.windows import (
    SPAN_WINDOWS,
    concatenate_rows,
    iter_window_rows,
    window_rows,
)

SPEC = FeatureSpec()
SR = SPEC.frames.sr


def recording(seconds, seed=3):
    rng = np.random.default_rng(seed)
    n_samples = int(seconds * SR)
    bursts = np.exp(-(np.arange(n_samples) % 9000) / 700)
    return (0.1 * rng.standard_normal(n_samples) * bursts).astype(np.float32)


LONG = recording(SPAN_WINDOWS + 3.37)
WHOLE = window_rows(LONG, SPEC)


@settings(max_examples=8)
@given(st.lists(st.integers(1, 300_000), min_size=1, max_size=12))
def test_block_size_never_changes_a_result(sizes):
    cuts = np.unique(np.clip(np.cumsum(sizes), 0, len(LONG)))
    rows = concatenate_rows(list(iter_window_rows(np.split(LONG, cuts), SPEC)))
    assert np.array_equal(rows.X, WHOLE.X)
    assert np.array_equal(rows.intervals, WHOLE.intervals)
    assert np.array_equal(rows.levels_db, WHOLE.levels_db)
    assert np.array_equal(rows.changes, WHOLE.changes)


def test_a_row_depends_on_its_own_window_only():
    k = SPAN_WINDOWS + 1  # beyond the first stretch that is computed together
    start, end = (np.round(WHOLE.intervals[k] * SR)).astype(int)
    alone = window_rows(LONG[start:end], SPEC)
    # BLAS sums in another order for another number of rows
    np.testing.assert_allclose(alone.X[0], WHOLE.X[k], rtol=1e-3, atol=1e-3)


@settings(max_examples=20)
@given(st.floats(1 / SR, 6.0))
def test_windows_cover_the_recording(seconds):
    y = recording(max(seconds, 1.5 / SR))
    rows = window_rows(y, SPEC)
    assert rows.intervals[0, 0] == 0
    assert rows.intervals[-1, 1] == pytest.approx(len(y) / SR)
    assert (rows.intervals[1:, 0] <= rows.intervals[:-1, 1]).all()
    assert len(np.unique(rows.intervals[:, 0])) == len(rows.intervals)
    assert np.isfinite(rows.X).all()


@pytest.mark.parametrize("octaves", [-10, -5, 3], ids=["-60 dB", "-30 dB", "+18 dB"])
def test_gain_changes_levels_only(octaves):
    # powers of two scale without rounding, so that nothing but a dependence on level can differ
    room = np.random.default_rng(4).standard_normal(3 * SR)
    y = (LONG[: 3 * SR] + 1e-3 * room).astype(np.float32)
    plain, scaled = (window_rows(z, SPEC) for z in (y, y * np.float32(2.0**octaves)))
    np.testing.assert_allclose(scaled.X, plain.X, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(scaled.changes, plain.changes, atol=0.02)
    gain_db = 20 * np.log10(2) * octaves
    np.testing.assert_allclose(scaled.levels_db - plain.levels_db, gain_db, atol=0.01)


@pytest.mark.parametrize("gain", [0.125, 2.0**-10], ids=["-18 dB", "-60 dB"])
def test_what_a_codec_left_empty_does_not_depend_on_gain(gain):
    spectrum = np.fft.rfft(np.random.default_rng(5).standard_normal(3 * SR))
    spectrum[len(spectrum) // 2 :] = 0
    y = (0.1 * np.fft.irfft(spectrum)).astype(np.float32)
    plain, scaled = (window_rows(z, SPEC).X for z in (y, y * np.float32(gain)))
    np.testing.assert_allclose(scaled, plain, atol=1e-2)


def test_columns_have_names_of_their_own():
    names = column_names(SPEC)
    assert len(set(names)) == len(names) == WHOLE.X.shape[1]


@pytest.mark.parametrize(
    "n_samples", [1, 640, SR // 2], ids=["one sample", "20 ms", "half a second"]
)
def test_short_clips_have_one_row(n_samples):
    rows = window_rows(LONG[:n_samples], SPEC)
    assert rows.X.shape == (1, WHOLE.X.shape[1])
    assert rows.intervals[0].tolist() == [0, n_samples / SR]


def test_nothing_gives_no_rows():
    assert list(iter_window_rows([], SPEC)) == []


def test_digital_silence_is_finite_and_far_down():
    rows = window_rows(np.zeros(3 * SR, dtype=np.float32), SPEC)
    assert np.isfinite(rows.X).all()
    assert (rows.levels_db < -150).all()
