from __future__ import annotations

import runpy
import subprocess
import sys

import librosa
import numpy as np
import pytest

from asmr_classify.config import FrameSpec
from asmr_classify.errors import AsmrClassifyError
from asmr_classify.features import filterbanks
from asmr_classify.features.filterbanks import KEPT, mel_filterbank, name_of
from asmr_classify.features.frames import mel_settings
from tests.conftest import ROOT

SETTINGS = {"sr": 32000, "n_fft": 512, "n_mels": 20, "fmin": 100.0, "fmax": 15000.0}
"""Others than the default ones."""

SCRIPT = ROOT / "data" / "make_filterbanks.py"


@pytest.mark.parametrize("settings", mel_settings(FrameSpec()), ids=["spectral", "texture"])
def test_those_that_are_kept_are_librosas(settings, monkeypatch):
    monkeypatch.setattr(filterbanks, "import_mel", lambda: pytest.fail("librosa was asked"))
    kept, expected = mel_filterbank(**settings), librosa.filters.mel(**settings)
    assert (kept.shape, kept.dtype) == (expected.shape, np.float32)
    # Other processors may round the last digit otherwise.
    np.testing.assert_allclose(kept, expected, rtol=1e-5, atol=1e-9)


def test_all_others_librosa_makes():
    assert np.array_equal(mel_filterbank(**SETTINGS), librosa.filters.mel(**SETTINGS))


def test_the_script_makes_what_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["make_filterbanks", "--output", str(tmp_path / "new.npz")])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    with KEPT.open("rb") as file, np.load(file) as kept, np.load(tmp_path / "new.npz") as new:
        assert set(kept) == set(new) == {name_of(x) for x in mel_settings(FrameSpec())}
        for name in kept:
            np.testing.assert_allclose(kept[name], new[name], rtol=1e-5, atol=1e-9)


NO_FOLDER = """
from numba.core import caching
caching.CacheImpl._locator_classes = [caching.UserProvidedCacheLocator]
"""
"""Leaves numba only the folder that it is told of, as do read-only packages and a missing home."""

MAKE = f"""
import os, stat, sys, tempfile
from asmr_classify.features.filterbanks import mel_filterbank
bank = mel_filterbank(**{SETTINGS!r})
import numba
folder = numba.config.CACHE_DIR
assert os.path.dirname(folder) == tempfile.gettempdir(), folder
assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
assert os.listdir(folder)
assert "NUMBA_CACHE_DIR" not in os.environ
print(folder)
print(bank.sum())
"""


def test_numba_gets_a_folder_of_its_own_where_it_finds_none(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", NO_FOLDER + MAKE],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    folder, total = done.stdout.split()
    assert folder.startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []  # it is gone
    assert float(total) == pytest.approx(librosa.filters.mel(**SETTINGS).sum())


def test_who_still_asks_for_a_home_is_told_of(monkeypatch):
    class Homeless:
        def __getattr__(self, name):
            raise RuntimeError("could not determine the home directory")

    monkeypatch.setitem(sys.modules, "librosa.filters", Homeless())
    monkeypatch.setattr(filterbanks, "_give_numba_a_folder", lambda: None)
    with pytest.raises(AsmrClassifyError, match=r"determine the home .*: set HOME to a folder"):
        mel_filterbank(**SETTINGS)


def test_no_folder_at_all_is_told_with_what_to_do(monkeypatch):
    def nowhere(**_):
        raise FileNotFoundError(2, "No usable temporary directory found")

    filterbanks._give_numba_a_folder.cache_clear()
    monkeypatch.setattr("tempfile.TemporaryDirectory", nowhere)
    with pytest.raises(AsmrClassifyError, match=r"No usable .* variable NUMBA_CACHE_DIR"):
        filterbanks._give_numba_a_folder()
