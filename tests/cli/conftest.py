from __future__ import annotations

import os
import signal
import wave
from functools import partial

import numpy as np
import pytest
from typer.testing import CliRunner

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.cli.app import app
from asmr_classify.model import save_model
from tests.catalogue import results


@pytest.fixture(scope="session")
def model_file(tiny_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_model(tiny_model, path)
    return path


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


heard = partial(results.heard, longest_talk=None)
"""A result as of a file that holds tapping, then tapping over speech."""


def lost(path, kind="OpenError", message="no such file; check the name", **changes):
    fields = {"status": Status.FAILED, "model": "tiny@0.1", **changes}
    return FileResult(path, error=Problem(kind, f"{path}: {message}"), **fields)


@pytest.fixture
def labelling(monkeypatch, in_this_process):  # noqa: ARG001 (so that workers do not need it)
    """Stands in for decoding and features: what a file gives follows from its name."""
    seen = []

    def label_file(path, *, model, on_progress):
        seen.append(path)
        name = path.rsplit("/", 1)[-1]
        if name.startswith("fail"):
            return lost(path)
        if name.startswith("partial"):
            return heard(
                path, status=Status.PARTIAL, error=Problem("DecodeError", f"{path}: broke off")
            )
        if name.startswith("mute"):
            return lost(path, "NoAudioError", "no sound track", status=Status.NO_AUDIO)
        if name.startswith("bug"):
            raise ZeroDivisionError("float division")
        if name.startswith("interrupt"):
            signal.raise_signal(signal.SIGINT)
        on_progress(20.0)
        on_progress(40.0)
        return heard(path, model=model.id)

    monkeypatch.setattr("asmr_classify.classify.label_file", label_file)
    return seen


@pytest.fixture
def label(place, labelling, model_file):  # noqa: ARG001 (what it runs on)
    """Runs ``asmr-classify label`` with a small model."""

    def run(*arguments, stdin=None):
        command = ["label", "--model", str(model_file), *map(str, arguments)]
        return CliRunner().invoke(app, command, input=stdin)

    return run


@pytest.fixture
def touch(place):
    """Makes files that look like media."""

    def make(*names):
        for name in names:
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"RIFF----WAVE" + b"\0" * 100)

    return make


@pytest.fixture
def deny(monkeypatch):
    """Makes a file read-only, also to the administrator, who may write anything."""
    access = os.access

    def make(path):
        monkeypatch.setattr(
            os, "access", lambda of, mode: (of, mode) != (path, os.W_OK) and access(of, mode)
        )

    return make


@pytest.fixture
def record(place):
    """Writes wav files of noise that can be labelled in earnest."""

    def make(*names, duration=1.0):
        rng = np.random.default_rng(7)
        for name in names:
            with wave.open(str(place / name), "wb") as file:
                file.setparams((1, 2, 16000, 0, "NONE", "NONE"))
                samples = rng.normal(0, 3000, round(16000 * duration))
                file.writeframes(samples.astype("<i2").tobytes())

    return make
