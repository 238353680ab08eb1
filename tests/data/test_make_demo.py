from __future__ import annotations

import csv
import hashlib
import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from asmr_classify.media.decode import read_audio
from asmr_classify.training.corpus import read_corpus
from tests.conftest import DEMO, ROOT

SCRIPT = ROOT / "data" / "make_demo.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_demo", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_demo"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows():
    with (DEMO / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two folders, each made by a process of its own, at the same time."""
    folders = [tmp_path_factory.mktemp("demo") for _ in range(2)]
    commands = [[sys.executable, SCRIPT, "--output", folder] for folder in folders]
    processes = [subprocess.Popen(command) for command in commands]
    assert [process.wait() for process in processes] == [0, 0]
    return folders


def test_the_script_makes_the_committed_clips(runs, rows):
    assert sorted(p.name for p in runs[0].iterdir()) == sorted(p.name for p in DEMO.iterdir())
    for row in rows:
        made, kept = (read_audio(str(folder / row["path"])) for folder in (runs[0], DEMO))
        # other versions of NumPy or SciPy may round a sample to the other side
        np.testing.assert_allclose(made, kept, atol=2 / 32768)


def test_the_manifest_is_true(rows):
    assert len(rows) == 12
    for row in rows:
        content = (DEMO / row["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == row["sha256"]
        y = read_audio(str(DEMO / row["path"]))
        assert len(y) / 32000 == pytest.approx(float(row["duration_s"]))


def test_the_manifest_can_be_trained_on():
    corpus = read_corpus(DEMO / "manifest.csv")
    assert corpus.labels == ("whisper", "tap", "crinkle", "white_noise", "speech", "music")


def test_levels_are_as_stated(script):
    for index, clip in enumerate(script.CLIPS):
        y = script.synthesise(index) / 32768
        level = 10 * np.log10(np.mean(y**2)) if y.any() else -np.inf
        assert level == pytest.approx(clip.level_db, abs=0.5)


def test_two_runs_give_the_same_bytes(runs):
    one, two = runs
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes(), path.name


def test_the_clips_are_small_enough_to_ship():
    assert sum(path.stat().st_size for path in DEMO.iterdir()) < 3_000_000


def test_each_trigger_lies_in_two_folds(rows):
    folds = {}
    for row in rows:
        for trigger in row["trigger"].split(","):
            folds.setdefault(trigger, set()).add(row["fold"])
    assert set(folds) == {"whisper", "tap", "crinkle", "white_noise", "none"}
    assert all(len(found) >= 2 for found in folds.values())


def voiced_share(y: np.ndarray, sr: int = 32000) -> float:
    """Share of 40 ms pieces whose autocorrelation over 75 to 400 Hz exceeds one half."""
    pieces = y[: len(y) // 1280 * 1280].reshape(-1, 1280)
    pieces = pieces - pieces.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(pieces, 2560)) ** 2
    correlation = np.fft.irfft(power)[:, :1280]
    peaks = correlation[:, sr // 400 : sr // 75].max(axis=1)
    return float(np.mean(peaks > 0.5 * correlation[:, 0]))


def test_talk_is_voiced_and_whispers_are_not():
    assert voiced_share(read_audio(str(DEMO / "none-talk.flac"))) > 0.4
    for name in ("whisper-slow", "whisper-quick"):
        assert voiced_share(read_audio(str(DEMO / f"{name}.flac"))) < 0.1


def test_taps_come_at_irregular_times(script):
    for spread, low, high in ((0.2, 0.05, 0.3), (0.5, 0.2, 0.6)):
        gaps = np.diff(script.strike_times(np.random.default_rng(1), 5.0, spread))
        assert low < gaps.std() / gaps.mean() < high


def test_the_mix_begins_with_rain_alone(script):
    index = [clip.name for clip in script.CLIPS].index("whisper-over-rain")
    y = script.synthesise(index) / 32768
    alone, both = y[: int(2.9 * script.SR)], y[int(3.1 * script.SR) :]
    assert 0 < np.mean(alone**2) < 0.5 * np.mean(both**2)
