"""The features of one recording, as Python gets them."""

from __future__ import annotations

import numpy as np
import pytest

import asmr_classify
from asmr_classify import features
from asmr_classify.config import FeatureSpec
from asmr_classify.errors import MissingExtraError, OpenError, UsageError
from asmr_classify.features import recording
from asmr_classify.features.table import FEATURES, By, iter_rows
from asmr_classify.features.windows import window_rows
from tests.conftest import DEMO

SPEC = FeatureSpec()
CLIP = DEMO / "tap-wood.flac"


def test_it_is_a_part_of_the_package():
    assert asmr_classify.features is features
    assert set(features.__all__) == {"names", "read"}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        features.nothing  # noqa: B018 (the access is the test)


def test_rows_of_windows_are_those_that_the_model_gets(rng):
    y = rng.normal(0, 0.1, 70 * SPEC.frames.sr).astype(np.float32)
    rows = np.concatenate(list(iter_rows([y[:100_000], y[100_000:]], SPEC, By.WINDOW)))
    expected = window_rows(y, SPEC)
    assert np.array_equal(rows[FEATURES], expected.X)
    assert np.array_equal(np.stack([rows["start"], rows["end"]], axis=1), expected.intervals)
    assert np.array_equal(rows["level_db"], expected.levels_db)


def test_the_row_of_a_file_is_the_mean_of_what_is_audible(rng):
    sr = SPEC.frames.sr
    loud = rng.normal(0, 0.1, 40 * sr).astype(np.float32)
    y = np.concatenate([loud, np.zeros(60 * sr, np.float32)])
    windows = window_rows(y, SPEC)
    audible = windows.levels_db >= -85
    [row] = np.concatenate(list(iter_rows([y], SPEC, By.FILE)))
    assert 0 < row["n_windows"] == audible.sum() < len(audible)
    assert row["duration"] == 100
    np.testing.assert_allclose(row[FEATURES], windows.X[audible].mean(axis=0, dtype=float), 1e-6)
    power = (10 ** (windows.levels_db[audible].astype(float) / 10)).mean()
    assert row["level_db"] == pytest.approx(10 * np.log10(power), abs=1e-4)


def test_the_row_of_silence_counts_no_window_and_is_finite():
    y = np.zeros(5 * SPEC.frames.sr, np.float32)
    [row] = np.concatenate(list(iter_rows([y], SPEC, By.FILE)))
    assert row["n_windows"] == 0
    np.testing.assert_allclose(row[FEATURES], window_rows(y, SPEC).X.mean(axis=0), 1e-6)
    assert np.isfinite(row[FEATURES]).all()


def test_no_sound_has_no_row():
    assert [list(iter_rows([], SPEC, by)) for by in By] == [[], []]


@pytest.mark.parametrize("by", ["window", "file"])
def test_a_frame_holds_what_the_array_holds(by):
    frame = features.read(CLIP, by=by, as_frame=True)
    array = features.read(CLIP, by=by)
    assert array.dtype == np.float32
    assert array.flags.c_contiguous
    assert np.array_equal(frame[features.names()].to_numpy(), array)
    assert set(frame["path"]) == {str(CLIP)}


def test_what_cannot_be_read_says_why(tmp_path):
    with pytest.raises(OpenError, match=r"none\.wav: "):
        features.read(tmp_path / "none.wav")
    with pytest.raises(UsageError, match="by 'minute': give 'window' or 'file'"):
        features.read(CLIP, by="minute")


def test_a_damaged_file_is_warned_of_and_gives_what_was_heard(tmp_path):
    cut = tmp_path / "cut.flac"
    cut.write_bytes(CLIP.read_bytes()[: CLIP.stat().st_size // 2])
    with pytest.warns(UserWarning, match=r"cut\.flac: "):
        rows = features.read(cut)
    assert 0 < len(rows) < len(features.read(CLIP))


def test_a_frame_needs_pandas(monkeypatch):
    monkeypatch.setattr(recording, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match="pip install pandas"):
        features.read(CLIP, as_frame=True)
