"""What is done to files is known to the catalogue, and what the catalogue finds can be acted on."""

from __future__ import annotations

import json
import os

import pytest
from typer.testing import CliRunner

from asmr_classify.cli.app import app

TEMPLATE = "{trigger|none}/{stem}.{ext}"


@pytest.fixture
def run(labelling, place, record, monkeypatch):  # noqa: ARG001 (it stands in for decoding)
    """Runs commands on a folder of three recordings that a catalogue knows."""
    monkeypatch.setenv("ASMR_CLASSIFY_CATALOGUE", str(place / "library.sqlite"))
    (place / "in").mkdir()
    record("in/a.wav", duration=1.0)
    record("in/b.wav", duration=1.1)
    record("in/bug.wav", duration=1.2)

    def run(*arguments, status=0):
        done = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert done.exit_code == status, done.output
        return done

    run("label", "in", "-q", "--catalogue", status=3)
    return run


def found(run, *query):
    lines = run("find", *query, "--json").stdout.splitlines()
    return [json.loads(line)["path"] for line in lines]


def test_a_query_is_organised_and_the_catalogue_follows(run, place):
    run("set", "in/b.wav", "trigger=whisper")
    done = run("organise", "tap", "-whisper", "--to", TEMPLATE, "--root", ".", "--yes")
    assert "1 of 1 steps" in done.stderr or "2 of 2 steps" in done.stderr
    assert (place / "tap" / "a.wav").exists()
    assert found(run, "-status:failed") == ["in/b.wav", "tap/a.wav"]
    run("undo", "--yes")
    assert found(run, "-status:failed") == ["in/a.wav", "in/b.wav"]
    assert not (place / "tap").exists()


def test_tagged_files_are_known_again(run, place, labelling):
    before = (place / "in" / "a.wav").read_bytes()
    labelling.clear()
    run("tag", "tap", "--yes")
    assert (place / "in" / "a.wav").read_bytes() != before
    run("organise", "in/a.wav", "--to", TEMPLATE, "--root", ".", "--yes")
    assert (place / "tap" / "a.wav").exists()
    assert labelling == []  # neither command had to label it anew
    run("undo", "--yes")
    run("undo", "--yes")
    assert (place / "in" / "a.wav").read_bytes() == before
    assert found(run, "tap") == ["in/a.wav", "in/b.wav"]


def test_corrections_move_along(run):
    run("set", "in/a.wav", "trigger=whisper")
    run("organise", "whisper", "--to", TEMPLATE, "--root", ".", "--yes")
    assert found(run, "corrected") == ["whisper/a.wav"]


def test_a_damaged_catalogue_stops_before_anything_is_touched(run, place):
    (place / "library.sqlite").write_bytes(b"garbage" * 1000)
    for name in os.listdir(place):  # noqa: PTH208
        if name.startswith("library.sqlite-"):
            (place / name).unlink()
    done = run("organise", "in", "--to", TEMPLATE, "--yes", status=1)
    assert "library.sqlite" in done.stderr
    assert (place / "in" / "a.wav").exists()
