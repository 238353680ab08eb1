"""One rule for all commands: what an exit status tells, whichever command ended with it."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest
from typer.testing import CliRunner

from asmr_classify.cli.app import app
from asmr_classify.cli.errors import ExitStatus
from tests.conftest import ROOT

TEMPLATE = "{trigger|none}/{stem}.{ext}"

ENDED = 128 + signal.SIGTERM
"""What shells tell of a program that the system ended: it does not end so by itself."""

PLANS = (["tag"], ["organise", "--to", TEMPLATE, "--root", "."])


@pytest.fixture
def run(label, touch, place, monkeypatch):
    """Runs commands beside a catalogue of two recordings, and a folder with none."""
    monkeypatch.setenv("ASMR_CLASSIFY_CATALOGUE", str(place / "library.sqlite"))
    touch("in/a.mp3", "in/b.mp3")
    with (place / "in" / "b.mp3").open("ab") as file:
        file.write(b"other")
    assert label("in", "-q", "--catalogue").exit_code == 0
    (place / "empty").mkdir()
    (place / "mine").write_text("dear diary\n")

    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


def test_the_readme_tells_each_status_once():
    table = (ROOT / "README.md").read_text(encoding="utf-8").split("| exit status | means |")[1]
    told = re.findall(r"^\| (\d+) \|", table.split("\n\n")[0], re.M)
    assert [int(status) for status in told] == [*ExitStatus, ENDED]


@pytest.mark.parametrize(
    "arguments",
    [
        ["label", "empty"],
        ["features", "empty"],
        ["check", "empty"],
        ["tag", "empty", "--yes"],
        ["tag", "whisper", "--yes"],
        ["organise", "empty", "--to", TEMPLATE, "--yes"],
        ["organise", "whisper", "--to", TEMPLATE, "--root", ".", "--yes"],
        ["report", "empty"],
        ["report", "whisper"],
        ["playlist", "empty"],
        ["playlist", "whisper"],
        ["undo", "--yes"],
    ],
    ids=" ".join,
)
def test_nothing_to_do_is_4_and_says_so(run, place, arguments):
    before = sorted(os.listdir(place))  # noqa: PTH208
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (4, "")
    assert re.search(r"^error: (no|nothing) ", done.stderr, re.M), done.stderr
    assert sorted(os.listdir(place)) == before  # noqa: PTH208


@pytest.mark.parametrize("command", PLANS, ids=lambda words: words[0])
def test_a_dry_run_tells_what_may_not_be_written(run, place, monkeypatch, command):
    access = os.access

    def refuse(path, mode):
        return str(path) != str(place / "in") and access(path, mode)

    monkeypatch.setattr(os, "access", refuse)
    dry, real = (run(*command, "in", how) for how in ("--dry-run", "--yes"))
    assert (dry.exit_code, real.exit_code) == (3, 3)
    told = "skipped: in: this folder may not be written: change its permissions (2 steps)\n"
    assert f"would be {told}" in dry.stderr
    assert told in real.stderr
    steps = json.loads(run(*command, "in", "--dry-run", "--json").stdout)["steps"]
    assert [step["ending"] for step in steps if "ending" in step] == ["skipped"] * 2


@pytest.mark.parametrize("command", [["report", "--no-waveforms"], ["playlist"]], ids=" ".join)
@pytest.mark.parametrize(
    ("named", "status"), [("in", 3), ("in/fail.mp3", 3), ("in/a.mp3", 0), ("path:in", 0)]
)
def test_what_is_named_and_fails_is_3(run, label, place, command, named, status):
    (place / "in" / "fail.mp3").write_bytes(b"RIFF----WAVE")
    assert label("in", "-q", "--catalogue").exit_code == 3
    done = run(command[0], named, *command[1:])
    fits_nothing = command[0] == "playlist" and named == "in/fail.mp3"
    assert done.exit_code == (4 if fits_nothing else status), done.stderr
    told = re.search("1 failed: see Problems|1 recording, not labelled: 'label' tells", done.stderr)
    assert bool(told) == (status == 3 or (command[0] == "report" and named == "path:in"))


@pytest.mark.parametrize(
    "arguments", [["find"], ["export"], ["forget"]], ids=lambda words: words[0]
)
def test_nothing_found_is_an_answer(run, arguments):
    assert run(*arguments, "path:nowhere").exit_code == 0


@pytest.mark.parametrize("command", PLANS, ids=lambda words: words[0])
def test_what_is_as_asked_for_already_is_done(run, command):
    assert run(*command, "in", "--yes").exit_code == 0
    where = "tap" if command[0] == "organise" else "in"
    assert run(*command, f"./{where}", "--yes").exit_code == 0
    assert run("undo", "1", "--yes").exit_code == 0
    done = run("undo", "1", "--yes")
    assert (done.exit_code, done.stderr) == (0, "run 1 is undone already\n")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["label", "in"], "mine.jsonl"),
        (["label", "in"], "mine.csv"),
        (["label", "in"], "mine.txt"),
        (["label", "in/a.mp3"], "mine.vtt"),
        (["features", "in"], "mine.csv"),
        (["check", "in"], "mine.jsonl"),
        (["check", "in"], "mine.txt"),
        (["export"], "mine.csv"),
        (["export", "path:a.mp3"], "mine.vtt"),
        (["report", "in", "--no-waveforms"], "mine.html"),
        (["playlist", "in"], "mine.m3u8"),
        (["train", "in"], "mine.safetensors"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_what_this_program_did_not_write_is_not_replaced(run, place, arguments, name):
    (place / "mine").rename(place / name)
    done = run(*arguments, "--output", name)
    assert done.exit_code == 2
    told = " ".join(done.stderr.split())
    assert re.search(rf"error: {re.escape(name)}: exists and .* left alone; ", told), told
    assert (place / name).read_text() == "dear diary\n"


def test_nor_in_a_folder_of_files(run, label, place):
    assert label("in", "-f", "webvtt", "--per-file", "out").exit_code == 0
    (place / "out" / "a.mp3.vtt").write_text("dear diary\n")
    done = run("export", "-f", "webvtt", "--per-file", "out")
    assert done.exit_code == 2
    assert "name another folder" in done.stderr
    assert "--help" not in done.stderr  # no option is wrong
    assert (place / "out" / "a.mp3.vtt").read_text() == "dear diary\n"


def test_nor_what_was_edited_since(label, touch, place):
    touch("in/a.mp3")
    assert label("in/a.mp3", "-o", "a.vtt").exit_code == 0
    (place / "a.vtt").write_text(mine := (place / "a.vtt").read_text().replace("tap", "mine"))
    done = label("in/a.mp3", "-o", "a.vtt", "--fresh")
    assert done.exit_code == 2  # as soon as it would be replaced, after labelling
    assert "remove it, or name another file" in " ".join(done.stderr.split())
    assert "--help" not in done.stderr
    assert (place / "a.vtt").read_text() == mine


@pytest.mark.parametrize(
    "arguments",
    [
        ["find", "whimper"],
        ["export", "whimper"],
        ["forget", "whimper"],
        ["report", "whimper"],
        ["playlist", "whimper"],
        *([*command, "whimper", "--yes"] for command in PLANS),
        *([*command, "gone.mp3", "--yes"] for command in PLANS),
        ["set", "gone.mp3", "trigger=tap"],
        ["report", "gone.mp3"],
        ["undo", "9", "--yes"],
        ["label"],
        ["check"],
        ["tag", "--yes"],
        ["tag", "in"],  # there is no terminal to ask on
        ["label", "in", "--no-such-option"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2_and_nothing_is_begun(run, place, arguments):
    before = sorted(os.listdir(place))  # noqa: PTH208
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert sorted(os.listdir(place)) == before  # noqa: PTH208


@pytest.mark.parametrize(
    "arguments",
    [
        ["label", "in", "--model", "none.safetensors"],
        ["check", "in", "--model", "none.safetensors"],
        ["check", "in", "--limits", "none.toml"],
        ["label", "in", "--output", "no/folder/out.jsonl"],
        ["features", "in", "--output", "no/folder/out.csv"],
        ["export", "--output", "no/folder/out.jsonl"],
        ["report", "in", "--no-waveforms", "--output", "no/folder/out.html"],
        ["playlist", "in", "--output", "no/folder/out.m3u8"],
        ["find", "--catalogue", "none.sqlite"],
        ["train", "none.csv", "--output", "model.safetensors"],
    ],
    ids=" ".join,
)
def test_what_is_missing_keeps_it_from_running_and_is_1(run, arguments):
    assert run(*arguments).exit_code == 1
