from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pandas as pd
import pytest
import webvtt
from typer.testing import CliRunner

from asmr_classify.cli.app import app
from asmr_classify.cli.formats import format_of
from asmr_classify.writers import FORMATS
from asmr_classify.writers.output import Output

SKIPPING = {"edl": ["--skip", "speech"], "mpv-edl": ["--skip", "speech"]}
WHOLE = [name for name in FORMATS if name != "youtube"]
"""The recordings of these tests are too short for YouTube."""


def tree(folder):
    return sorted(str(x.relative_to(folder)) for x in folder.rglob("*") if x.is_file())


@pytest.mark.parametrize("form", WHOLE)
def test_every_format_is_written_by_its_name(form, label, touch, place):
    touch("a.mp3")
    name = f"out{FORMATS[form].suffixes[0]}"
    assert format_of(name) == form
    done = label("a.mp3", "-o", name, *SKIPPING.get(form, []))
    assert (done.exit_code, done.stdout) == (0, "")
    with (place / name).open("rb" if FORMATS[form].in_bytes else "r") as file:
        assert len(list(FORMATS[form].read(file))) == 1
    assert tree(place) == ["a.mp3", name, f"{name}.journal"]


@pytest.mark.parametrize("form", [x for x in WHOLE if x != "parquet"])
def test_every_text_is_written_to_standard_output(form, label, touch, place):
    touch("a.mp3")
    done = label("a.mp3", "-f", form, *SKIPPING.get(form, []))
    assert done.exit_code == 0
    assert done.stdout_bytes
    assert tree(place) == ["a.mp3"]


def test_parquet_goes_through_a_pipe(label, touch, place):
    touch("a.mp3", "fail.mp3")
    (place / "piped").write_bytes(label(".", "-f", "parquet").stdout_bytes)
    assert sorted(pd.read_parquet(place / "piped").path) == ["a.mp3", "fail.mp3"]


@pytest.mark.parametrize("form", WHOLE)
def test_per_file_mirrors_what_is_named(form, label, touch, place):
    touch("in/a.mp3", "in/sleep/b.wav", "in/fail.mp3")
    done = label("in", "-f", form, "--per-file", "out", *SKIPPING.get(form, []))
    assert (done.exit_code, done.stdout) == (3, "")
    kind = FORMATS[form]
    names = ["a.mp3", "sleep/b.wav", *(["fail.mp3"] if kind.holds_failures else [])]
    names = [os.path.splitext(x)[0] if kind.takes_stem else x for x in names]  # noqa: PTH122
    assert tree(place / "out") == sorted(
        ["asmr-classify.journal", "asmr-classify.written", *(x + kind.suffixes[0] for x in names)]
    )


def test_another_format_of_the_same_recordings_needs_no_labelling(label, touch, place, labelling):
    touch("a.mp3", "b.mp3")
    label(".", "-f", "webvtt", "--per-file", "out")
    again = label(".", "-f", "audacity", "--per-file", "out")
    assert labelling == ["a.mp3", "b.mp3"]
    assert "(2 known already)" in again.stderr
    assert len(list((place / "out").glob("*.labels.txt"))) == 2


def test_a_second_run_makes_what_is_missing_and_touches_nothing_else(
    label, touch, place, labelling
):
    touch("a.mp3", "b.mp3")
    label(".", "-f", "webvtt", "--per-file", "out")
    (place / "out/b.mp3.vtt").unlink()
    os.utime(place / "out/a.mp3.vtt", (1, 1))
    label(".", "-f", "webvtt", "--per-file", "out")
    assert len(labelling) == 2
    assert (place / "out/a.mp3.vtt").stat().st_mtime == 1
    assert [c.text for c in webvtt.read(str(place / "out/b.mp3.vtt"))] == ["tap", "speech"]


def test_files_of_recordings_that_were_renamed_are_told(label, touch, place):
    touch("a.mp3", "b.mp3")
    label(".", "-f", "webvtt", "--per-file", "out")
    (place / "b.mp3").rename(place / "c.mp3")
    done = label(".", "-f", "webvtt", "--per-file", "out")
    assert "note: out/b.mp3.vtt: is of a recording that is gone or has another name" in done.stderr
    assert (place / "out" / "b.mp3.vtt").exists()
    assert "out/b" not in label(".", "-f", "webvtt", "--per-file", "out", "-q").stderr


def test_files_beside_the_recordings(label, touch, place):
    touch("sleep/a.mp4")
    label(".", "-f", "edl", "--skip", "speech", "--per-file", ".")
    assert (place / "sleep/a.edl").read_text().splitlines()[1:] == ["20.000\t40.000\t0"]
    again = label(".", "-f", "edl", "--skip", "speech", "--per-file", ".")
    assert "1 file found" in again.stderr
    (place / "sleep/a.edl").unlink()
    for named in ("sleep", "sleep/a.mp4"):
        label(named, "-f", "edl", "--skip", "speech", "--per-file", ".")
        assert (place / "sleep/a.edl").exists()
        assert not (place / "a.edl").exists()


def test_a_name_that_is_nothing_but_an_ending_stands_for_its_format(label, touch, place):
    touch("a.mp3", "b.mp3")
    assert label("a.mp3", "-o", "labels.txt").exit_code == 0
    first = (place / "labels.txt").read_text().splitlines()[0]
    assert first == "0.000000\t40.000000\ttap"
    many = label(".", "-o", "more/Labels.txt")
    assert many.exit_code == 2
    told = "--output more/Labels.txt, --format audacity: such a file belongs to one recording; name"
    assert told in " ".join(many.stderr.split())


def test_a_recording_without_valid_chapters_is_told(label, touch, place):
    touch("a.mp3")
    done = label(".", "-f", "youtube", "--per-file", "out")
    assert done.exit_code == 0
    assert "left out: a.mp3: no chapters: YouTube takes no list of fewer than 3" in done.stderr
    assert tree(place / "out") == ["asmr-classify.journal"]
    (place / "a.chapters.txt").write_text("0:00 mine\n")
    alone = label("a.mp3", "-o", "a.chapters.txt")
    assert alone.exit_code == 4
    assert "error: a.mp3: no chapters" in alone.stderr
    assert (place / "a.chapters.txt").read_text() == "0:00 mine\n"


def test_many_recordings_without_chapters_are_summed_up(label, touch):
    touch(*(f"{k}.mp3" for k in range(9)))
    done = label(".", "-f", "youtube", "--per-file", "out")
    assert done.stderr.count("no chapters") == 3
    assert "left out: 6 more, 9 in all; -v names each" in done.stderr
    done = label(".", "-f", "youtube", "--per-file", "out", "-v")
    assert all(done.stderr.count(f"left out: {k}.mp3: no chapters") == 1 for k in range(9))
    assert "left out" not in label(".", "-f", "youtube", "--per-file", "out", "-q").stderr


@pytest.mark.parametrize("options", [["-q"], []], ids=["quiet", "loud"])
def test_the_log_tells_of_all_that_is_left_out(label, touch, place, options):
    names = [f"{k}.mp3" for k in range(5)]
    touch(*names)
    label(".", "-f", "youtube", "--per-file", "out", "--log-file", "run.log", *options)
    log = (place / "run.log").read_text()
    assert all(log.count(f"left out: {name}: no chapters") == 1 for name in names)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([".", "-f", "webvtt"], "belongs to one recording; name a single", id="many"),
        pytest.param(["a.mp3", "b.mp3", "-o", "x.vtt"], "--per-file DIR for a file each", id="two"),
        pytest.param([".", "--per-file", "out"], "needs --format, one of jsonl, csv", id="none"),
        pytest.param([".", "-f", "table", "--per-file", "out"], "needs --format", id="table"),
        pytest.param(
            [".", "-o", "x.csv", "--per-file", "out"], "exclude each other", id="both outputs"
        ),
        pytest.param(
            [".", "-f", "csv", "--skip", "tap"], "formats youtube, edl and mpv-edl", id="skip"
        ),
        pytest.param(
            ["a.mp3", "-f", "edl", "--skip", "lively", "--no-video"],
            "--no-video and --skip lively do not go together",
            id="what is not looked at",
        ),
        pytest.param(
            ["a.mp3", "-f", "youtube", "--skip", "hum"], "'hum': the labels are", id="chapters"
        ),
        pytest.param(["a.mp3", "-f", "edl"], "nothing to skip is named", id="no skip"),
        pytest.param(
            ["a.mp3", "-f", "edl", "--skip", "hum"], "'hum': the labels are tap, wh", id="label"
        ),
    ],
)
def test_options_that_do_not_go_together(arguments, message, label, touch, place, labelling):
    touch("a.mp3", "b.mp3")
    done = label(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert labelling == []
    assert tree(place) == ["a.mp3", "b.mp3"]


def test_parquet_without_its_library(label, touch, monkeypatch, labelling):
    monkeypatch.setattr("asmr_classify.writers.find_spec", lambda _name: None)
    touch("a.mp3")
    done = label("a.mp3", "-o", "out.parquet")
    assert done.exit_code == 2
    assert "pip install 'asmr-classify[parquet]'" in done.stderr
    assert labelling == []


def test_parquet_is_not_shown_on_a_terminal(label, touch, monkeypatch):
    touch("a.mp3")
    monkeypatch.setattr("asmr_classify.cli.formats.is_terminal", lambda: True)
    done = label("a.mp3", "-f", "parquet")
    assert done.exit_code == 2
    assert "is no text for a terminal; give --output FILE" in done.stderr


def test_an_interrupted_run_leaves_a_table_that_can_be_read(label, touch, place):
    touch("a.mp3", "interrupt.mp3", "z.mp3")
    done = label(".", "-o", "out.parquet")
    assert done.exit_code == 130
    assert sorted(pd.read_parquet(place / "out.parquet").path) == ["a.mp3", "interrupt.mp3"]
    label(".", "-o", "out.parquet")
    assert len(pd.read_parquet(place / "out.parquet")) == 3


def test_an_error_keeps_the_earlier_table(label, touch, place, monkeypatch):
    touch("a.mp3")
    label(".", "-o", "out.parquet")
    before = (place / "out.parquet").read_bytes()
    touch("b.mp3")

    def fail(*_arguments):
        raise RuntimeError("no memory")

    monkeypatch.setattr("asmr_classify.writers.parquet.ParquetWriter._write_group", fail)
    assert label(".", "-o", "out.parquet").exit_code == 1
    assert (place / "out.parquet").read_bytes() == before
    assert tree(place) == ["a.mp3", "b.mp3", "out.parquet", "out.parquet.journal"]


def test_a_full_disk_keeps_the_earlier_table(label, touch, place, monkeypatch):
    touch("a.mp3")
    label(".", "-o", "out.parquet")
    before = (place / "out.parquet").read_bytes()
    touch("b.mp3")
    write_all = Output._write_all

    def fail(self, data):
        if self._name == "out.parquet":
            raise OSError(errno.ENOSPC, "no space")
        write_all(self, data)

    monkeypatch.setattr(Output, "_write_all", fail)
    done = label(".", "-o", "out.parquet")
    assert done.exit_code == 1
    assert "error: out.parquet: cannot be written; the disk is full" in done.stderr
    assert (place / "out.parquet").read_bytes() == before
    assert tree(place) == ["a.mp3", "b.mp3", "out.parquet", "out.parquet.journal"]


def test_formats_agree_on_the_timeline(label, touch, place):
    touch("a.mp3")
    for name in ("out.jsonl", "out.parquet", "out.selections.txt", "out.labels.txt", "out.vtt"):
        label("a.mp3", "-o", name)
    record = json.loads((place / "out.jsonl").read_text())
    expected = [(s["start"], s["end"], s["label"]) for s in record["segments"]]
    for form in ("parquet", "raven", "audacity", "webvtt"):
        path = place / f"out{FORMATS[form].suffixes[0]}"
        with path.open("rb" if FORMATS[form].in_bytes else "r") as file:
            (result,) = FORMATS[form].read(file)
        assert [(s.start, s.end, s.label) for s in result.segments] == expected


def test_the_help_names_every_format():
    text = CliRunner().invoke(app, ["label", "--help"], env={"COLUMNS": "200"}).stdout
    assert all(name in text for name in FORMATS)
    assert "--per-file" in text


def test_the_guide_shows_every_format():
    guide = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    for name, form in FORMATS.items():
        assert f"## {name}\n" in guide
        assert form.help in guide


@pytest.mark.parametrize("form", ["webvtt", "audacity"])
def test_edited_files_are_left_alone_and_told_even_when_quiet(form, label, touch, place):
    touch("a.mp3", "b.mp3")
    arguments = (".", "-f", form, "--per-file", "out", "--quiet")
    assert label(*arguments).exit_code == 0
    edited, other = sorted((place / "out").glob("?.mp3.*"))
    edited.write_text(mine := edited.read_text().replace("tap", "tap on wood"))
    other.unlink()
    done = label(*arguments)
    assert done.exit_code == 0
    assert "was changed since this program wrote it" in " ".join(done.stderr.split())
    assert edited.read_text() == mine
    assert other.exists()


def test_a_document_is_replaced_by_the_same_only(label, touch, place):
    touch("a.mp3")
    assert label("a.mp3", "-o", "a.vtt").exit_code == 0
    assert label("a.mp3", "-o", "a.vtt").exit_code == 0
    edited = (place / "a.vtt").read_text().replace("tap", "tap on wood")
    (place / "a.vtt").write_text(edited)
    done = label("a.mp3", "-o", "a.vtt")
    assert done.exit_code == 2
    assert "a.vtt: exists and holds other than" in " ".join(done.stderr.split())
    assert (place / "a.vtt").read_text() == edited
    assert not list(place.glob(".asmr-classify*"))
