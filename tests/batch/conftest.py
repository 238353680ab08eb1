from __future__ import annotations

import wave

import numpy as np
import pytest

from asmr_classify.batch import Observer, pool


class Notes(Observer):
    """Writes down what it is told."""

    def __init__(self):
        self.found, self.ignored, self.finished, self.recalled = [], [], [], []
        self.seconds = 0.0
        self.workers = []
        self.listed = False

    def on_found(self, found):
        self.found.append(found)

    def on_ignored(self, ignored):
        self.ignored.append(ignored)

    def on_listed(self):
        self.listed = True

    def on_workers(self, number):
        self.workers.append(number)

    def on_decoded(self, seconds):
        self.seconds += seconds

    def on_finished(self, found, result):
        self.finished.append((found, result))

    def on_recalled(self, found, result):
        self.recalled.append((found, result))


def write_noise(path, duration):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(3).normal(0, 3000, round(16000 * duration))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", "NONE"))
        file.writeframes(samples.astype("<i2").tobytes())


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def recordings(place):
    """Three recordings, an empty file, and one that is no media."""
    for number, duration in enumerate((0.5, 1.0, 9.0)):
        write_noise(place / "in" / f"{number}.wav", duration)
    (place / "in" / "empty.mp3").touch()
    (place / "in" / "notes.txt").write_text("nothing")
    return place / "in"


@pytest.fixture
def noises(place):
    """Writes short recordings of the names given."""

    def write(*names, duration=0.25):
        for name in names:
            write_noise(place / name, duration)

    return write


@pytest.fixture
def workers_with(monkeypatch):
    """Lets workers label a file by a function of a test's own, given as text."""

    def replace(label_file, before=()):
        start = (
            "import json, os, signal, sys, time\n"
            "sys.path[:] = json.loads(sys.argv[1])\n"
            "from asmr_classify.aggregate import FileResult, Status\n"
            "from asmr_classify import classify\n"
            + "".join(f"{line}\n" for line in before)
            + "def label_file(path, *, model, on_progress):\n"
            + "".join(f"    {line}\n" for line in label_file)
            + "    return FileResult(path, Status.OK, model.id)\n"
            "classify.label_file = label_file\n"
            "from asmr_classify.batch.worker import main\n"
            "main()\n"
        )
        monkeypatch.setattr(pool, "START", start)

    return replace
