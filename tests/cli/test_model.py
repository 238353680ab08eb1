"""``model show``: what a model file and the record beside it tell."""

from __future__ import annotations

import json
import shutil
import sys

import pytest
from typer.testing import CliRunner

from asmr_classify.cli.app import app
from asmr_classify.model import save_model
from asmr_classify.training.record import EvaluationRecord, JudgedClip, save_record

LABELS = ("tap", "whisper", "speech")


@pytest.fixture
def model_file(tiny_model, tmp_path):
    path = tmp_path / "tiny.safetensors"
    save_model(tiny_model, path)
    return path


@pytest.fixture
def judged(tiny_model, model_file):
    """A model with a record beside it."""
    clips = [
        JudgedClip(f"{label}-{k}", f"maker {k}", label, 2.0, (label,), tags, scores)
        for k in range(4)
        for label, tags, scores in (
            ("tap", ("tap",), (0.9, 0.1, 0.1)),
            ("whisper", ("whisper",) if k else (), (0.2, 0.8 if k else 0.3, 0.1)),
            ("speech", (), (0.1, 0.2, 0.7)),
        )
    ]
    record = EvaluationRecord(
        tiny_model.id, tiny_model.digest(), LABELS, LABELS[:2], tiny_model.thresholds, tuple(clips)
    )
    save_record(record, model_file.with_suffix(".evaluation.json"))
    return model_file


def show(*arguments):
    return CliRunner().invoke(app, ["model", "show", *map(str, arguments)])


def test_the_shipped_model_is_shown():
    done = show()
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("asmr-4@")
    assert "white_noise" in done.stdout


def test_figures_come_from_the_record(judged):
    done = show(judged)
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    for text in ("tiny@0.1", "12 clips of 4 groups", "mean AP 1.000", "false tags 0.000"):
        assert text in done.stdout
    row = next(line for line in done.stdout.splitlines() if line.startswith("whisper"))
    assert row.split() == "whisper trigger 4 4 0.50 1.000 0.857 0.750 1.000 0.857".split()


def test_json_holds_the_same(judged):
    shown = json.loads(show(judged, "--json").stdout)
    assert shown["name"] == "tiny"
    assert shown["bytes"] == judged.stat().st_size
    assert shown["labels"][0] == {"label": "tap", "kind": "trigger", "threshold": 0.5}
    assert shown["evaluation"]["clips_by_label"] == dict.fromkeys(LABELS, 4)
    assert shown["evaluation"]["by_clip"]["recall"] == {"tap": 1.0, "whisper": 0.75}


def test_a_model_without_a_record_shows_what_it_has(model_file):
    done = show(model_file)
    assert done.exit_code == 0
    assert "tiny@0.1" in done.stdout
    assert "tiny.evaluation.json: missing" in done.stderr
    assert "train writes it" in done.stderr
    assert json.loads(show(model_file, "--json").stdout)["evaluation"] is None


def test_a_page_and_pictures_need_the_record(model_file, tmp_path):
    done = show(model_file, "--html", tmp_path / "page.html")
    assert done.exit_code == 1
    assert "tiny.evaluation.json: missing" in done.stderr
    assert not (tmp_path / "page.html").exists()


def test_page_and_pictures_are_written(judged, tmp_path):
    done = show(judged, "--html", tmp_path / "page.html", "--plots", tmp_path / "plots")
    assert done.exit_code == 0, done.output
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "whisper-0" in page
    names = {path.name for path in (tmp_path / "plots").iterdir()}
    assert {"confusion.svg", "sources.png"} <= names
    assert not list(tmp_path.rglob("*.part"))


def test_a_foreign_record_is_an_error(judged):
    text = judged.with_suffix(".evaluation.json").read_text()
    judged.with_suffix(".evaluation.json").write_text(text.replace("tiny@0.1", "x@1", 1))
    assert show(judged).exit_code == 0
    changed = json.loads(text) | {"digest": "0" * 64}
    judged.with_suffix(".evaluation.json").write_text(json.dumps(changed))
    done = show(judged)
    assert done.exit_code == 1
    assert "not of the model beside it" in " ".join(done.stderr.split())


def test_a_damaged_record_is_an_error(judged):
    judged.with_suffix(".evaluation.json").write_text("{")
    done = show(judged)
    assert done.exit_code == 1
    assert "not a record of an evaluation, or damaged" in done.stderr


def test_without_matplotlib_the_rest_is_shown(judged, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert show(judged).exit_code == 0
    done = show(judged, "--plots", tmp_path / "plots")
    assert done.exit_code == 1
    assert "pip install 'asmr-classify[plots]'" in done.stderr


def test_pages_are_not_written_over_recordings_or_into_nowhere(judged, tmp_path):
    shutil.copy(judged, tmp_path / "song.mp3")
    done = show(judged, "--html", tmp_path / "song.mp3")
    assert done.exit_code == 2
    assert "named like a recording" in done.stderr
    done = show(judged, "--html", tmp_path / "no" / "page.html")
    assert done.exit_code == 1
    assert "does not exist" in done.stderr
    done = show(judged, "--plots", judged)
    assert done.exit_code == 2
    assert "is a file; name a folder" in done.stderr


def test_no_such_model_is_told(tmp_path):
    done = show(tmp_path / "none.safetensors")
    assert done.exit_code == 1
    assert "no such model file; leave it out for the shipped one" in done.stderr


def test_a_page_replaces_earlier_pages_only(judged, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<!DOCTYPE html><title>My diary</title>")
    done = show(judged, "--html", page)
    assert done.exit_code == 2
    assert "was not written by this program" in done.stderr
    assert "My diary" in page.read_text()
    page.unlink()
    for _ in range(2):
        assert show(judged, "--html", page).exit_code == 0
