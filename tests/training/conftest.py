"""A corpus of sounds so different that any model tells them apart."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy.io import wavfile

from asmr_classify.checksums import file_sha256
from asmr_classify.config import ANALYSIS_SR
from asmr_classify.training import prepare as prepare_module
from asmr_classify.training.takes import clip_sound
from asmr_classify.training.teacher import TEACHER_SR

N_GROUPS = 4
FIELDS = ("path", "trigger", "label", "group", "fold", "licence", "source", "sha256")


def _sound(kind: str, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(int(1.6 * ANALYSIS_SR)) / ANALYSIS_SR
    noise = rng.standard_normal(len(t))
    if kind == "tap":
        return noise * np.exp(-(t % rng.uniform(0.2, 0.4)) / 0.01)
    if kind == "white_noise":
        return noise
    return sum(np.sin(2 * np.pi * k * rng.uniform(200, 400) * t) / k for k in range(1, 5))


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory):
    """Three kinds of sound by four makers, two clips each, and a manifest."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(5)
    rows = []
    for group in range(N_GROUPS):
        for kind in ("tap", "white_noise", "music"):
            for take in range(2):
                name = f"{kind}-{group}-{take}.wav"
                y = _sound(kind, rng)
                wavfile.write(folder / name, ANALYSIS_SR, (0.1 * y / np.abs(y).max()).astype("f4"))
                rows.append(
                    {
                        "path": name,
                        "trigger": "none" if kind == "music" else kind,
                        "label": kind,
                        "group": f"maker-{group}",
                        "fold": str(group),
                        "licence": "CC0",
                        "source": f"shelf {group % 2}",
                        "sha256": file_sha256(folder / name),
                    }
                )
    write_manifest(folder / "manifest.csv", rows)
    return folder


def write_manifest(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def manifest_rows(corpus_folder):
    with (corpus_folder / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def write_rows(corpus_folder):
    """Write changed rows to a second manifest beside the same audio."""

    def write(rows):
        path = corpus_folder / "changed.csv"
        write_manifest(path, rows)
        return path

    return write


def opinion_of(y):
    """What a teacher might say: how loud four bands are, as logits."""
    power = np.abs(np.fft.rfft(y, 4096)) ** 2
    bands = np.array([part.mean() for part in np.array_split(power, 4)])
    return np.log(bands + 1e-6)


@pytest.fixture
def teacher(monkeypatch, tmp_path):
    """A file for the options, and opinions that need no network."""

    def ask(clips, _path, _windows, **_):
        return [np.stack([opinion_of(clip_sound(clip, TEACHER_SR))]) for clip in clips]

    monkeypatch.setattr(prepare_module, "ask_teacher", ask)
    path = tmp_path / "teacher.tflite"
    path.write_bytes(b"any")
    return path
