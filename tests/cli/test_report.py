"""``report``: the command itself, with a stand-in for labelling, and on the demo clips."""

from __future__ import annotations

import json
import re
import shutil
import signal
from functools import partial

import pytest
from typer.testing import CliRunner

from asmr_classify.batch import Limits, pool
from asmr_classify.cli.app import app
from asmr_classify.cli.report import DrawingProgress
from asmr_classify.model import load_model
from asmr_classify.writers.jsonl import result_to_line
from tests.cli.conftest import heard, lost
from tests.conftest import DEMO
from tests.media.clicks import write_clicks


@pytest.fixture
def report_apart(place, monkeypatch):
    """Runs ``asmr-classify report`` with a cache of its own, and worker processes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))

    def run(*arguments):
        return CliRunner().invoke(app, ["report", *map(str, arguments)])

    return run


@pytest.fixture
def report(report_apart, labelling):  # noqa: ARG001 (what it runs on)
    """Runs it without processes of its own."""
    return report_apart


def data_of(page):
    text = re.search(r'<script type="application/json" id="data">(.*)</script>\n', page)[1]
    return json.loads(text)


def write_results(path, *results):
    path.write_text("".join(result_to_line(result) + "\n" for result in results))


def test_paths_are_labelled_first(report, touch, place, labelling):
    touch("in/a.mp3", "in/fail.mp3")
    done = report("in", "--output", "out.html", "--no-waveforms")
    assert done.exit_code == 3, done.output
    assert sorted(labelling) == ["in/a.mp3", "in/fail.mp3"]
    files = data_of((place / "out.html").read_text())["files"]
    assert [(file["path"], file["status"]) for file in files] == [
        ("in/a.mp3", "ok"),
        ("in/fail.mp3", "failed"),
    ]
    assert files[0]["url"] == "./in/a.mp3"
    assert "out.html: 2 files, 0.1 MB; 1 failed: see Problems there\n" in done.stderr
    assert done.stdout == ""


def test_results_of_label_are_not_labelled_again(report, record, place, labelling):
    record("a.wav", "b.wav")
    write_results(place / "r.jsonl", heard("a.wav"), lost("gone.mp3"))
    done = report("r.jsonl", "b.wav", "--quiet")
    assert done.exit_code == 0, done.output
    assert done.output == ""
    assert labelling == ["b.wav"]
    files = data_of((place / "report.html").read_text())["files"]
    assert [file["path"] for file in files] == ["a.wav", "b.wav", "gone.mp3"]
    assert ["peaks" in file for file in files] == [True, True, False]


def test_a_query_is_left_to_the_selection(report, place, monkeypatch):
    asked = []

    def select(arguments, _console, *, quiet, catalogue, model):
        asked.append((arguments, quiet, catalogue, model))
        return [heard("a.mp3")]

    monkeypatch.setattr("asmr_classify.cli.report.select_results", select)
    assert report("whisper>0.8", "no_talking", "-q").exit_code == 0
    assert asked == [(["whisper>0.8", "no_talking"], True, None, None)]
    assert (place / "report.html").exists()


def test_without_waveforms_nothing_is_decoded(report, record, place, monkeypatch):
    record("a.wav")
    write_results(place / "r.jsonl", heard("a.wav"))
    monkeypatch.setattr("asmr_classify.report.compute_waveforms", None)
    done = report("r.jsonl", "--no-waveforms")
    assert (done.exit_code, done.stderr) == (0, "report.html: 1 file, 0.1 MB\n")
    assert "peaks" not in data_of((place / "report.html").read_text())["files"][0]


@pytest.mark.parametrize("output", ["report.txt", "report.mp3", "report", "folder.html/"])
def test_a_page_is_named_like_one(report, touch, place, output):
    touch("a.mp3")
    (place / "folder.html").mkdir()
    done = report("a.mp3", "--output", output)
    assert done.exit_code in {1, 2}
    assert "name an .html file" in done.stderr or "it is a folder" in done.stderr


def test_an_input_is_not_written_over(report, place):
    (place / "a.html").write_text("mine")
    done = report("a.html", "--output", "a.html")
    assert done.exit_code == 2
    assert "is an input and would be written over" in done.stderr
    assert (place / "a.html").read_text() == "mine"


def test_where_nothing_is_found_no_page_is_made(report, place):
    (place / "in").mkdir()
    done = report("in")
    assert done.exit_code == 4
    assert "no recordings were found" in done.stderr
    assert not (place / "report.html").exists()


def test_a_file_that_holds_no_results_is_told(report, place):
    (place / "r.jsonl").write_text('{"a": 1}\n')
    done = report("r.jsonl")
    assert done.exit_code == 2
    assert "r.jsonl: holds no result of label after the first 0" in done.stderr


def test_an_interrupt_leaves_the_waveforms_that_are_done(report, record, place, monkeypatch):
    names = [f"{k}.wav" for k in range(6)]
    record(*names)
    write_results(place / "r.jsonl", *map(heard, names))
    monkeypatch.setattr(
        DrawingProgress, "show", lambda _, done, __: done == 1 and signal.raise_signal(2)
    )
    done = report("r.jsonl")
    assert done.exit_code == 130
    assert "interrupted: no page was written; the waveforms so far are kept" in done.stderr
    assert not (place / "report.html").exists()
    assert list((place / "cache").rglob("waveforms/*/*"))


@pytest.mark.parametrize(
    ("drawing", "fault", "why"),
    [
        ("films._make", "os.abort()", "SIGABRT"),
        ("films._make", "time.sleep(600)", "nothing of it was decoded for 1 s"),
        ("films._make", "bytearray(3_000_000_000)", "memory"),
        ("waveforms._compute", "os.abort()", "SIGABRT"),
    ],
    ids=["crash", "hang", "memory", "crash-of-sound"],
)
def test_a_video_that_harms_its_process_lacks_its_drawing_only(
    report_apart, place, monkeypatch, drawing, fault, why
):
    for name in ("bad.mp4", "good.mp4"):
        write_clicks(place / name, "mp4", pictures=(0.0, 1.0))
    write_results(place / "r.jsonl", heard("bad.mp4"), heard("good.mp4"))
    module, _, name = f"asmr_classify.report.{drawing}".rpartition(".")
    start = pool.START.replace(
        "main()",
        f"import os, time, {module} as module\nreal = module.{name}\n"
        "def harm(path, on_progress):\n"
        f"    if path == 'bad.mp4': {fault}\n"
        "    return real(path, on_progress)\n"
        f"harm.__qualname__ = {name!r}\nmodule.{name} = harm\nmain()",
    )
    monkeypatch.setattr(pool, "START", start)
    monkeypatch.setattr("asmr_classify.batch.Limits", partial(Limits, patience=1.0))
    done = report_apart("r.jsonl")
    assert done.exit_code == 0, done.output
    what, key = ("filmstrips", "film") if "films" in drawing else ("waveforms", "peaks")
    assert f"no {what} of bad.mp4" in done.stderr
    assert why in done.stderr
    bad, good = data_of((place / "report.html").read_text())["files"]
    assert (key in bad, key in good) == (False, True)
    assert {"film", "peaks"} - {key} <= bad.keys()


def test_of_many_damaged_videos_the_first_are_named(report, place):
    names = [f"{k}.mp4" for k in range(5)]
    for name in names:
        (place / name).write_bytes(b"no video at all" * 100)
    write_results(place / "r.jsonl", *map(heard, names))
    done = report("r.jsonl")
    assert done.exit_code == 0
    assert done.stderr.count("no filmstrips of ") == 4
    assert "no filmstrips of 2 more" in done.stderr


def test_the_demo_clips_make_a_report(place, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    shutil.copytree(DEMO, place / "demo")
    done = CliRunner().invoke(app, ["report", "demo"])
    assert done.exit_code == 0, done.output
    page = (place / "report.html").read_text()
    data = data_of(page)
    assert data["models"] == [load_model().id]
    assert len(data["files"]) == len([*DEMO.glob("*.flac")])
    assert all("peaks" in file for file in data["files"])
    tap = next(file for file in data["files"] if "tap-wood" in file["path"])
    assert [data["labels"][k]["name"] for k in tap["tags"]] == ["tap"]


def test_a_page_replaces_earlier_pages_only(report, record, place):
    record("a.wav")
    write_results(place / "r.jsonl", heard("a.wav"))
    mine = "<!DOCTYPE html><title>My diary</title>"
    (place / "n.html").write_text(mine)
    done = report("r.jsonl", "--no-waveforms", "--output", "n.html")
    assert done.exit_code == 2
    assert "n.html: exists and was not written by this program" in done.stderr
    assert (place / "n.html").read_text() == mine
    for _ in range(2):
        assert report("r.jsonl", "--no-waveforms", "-o", "new.html").exit_code == 0


def test_a_page_goes_where_a_link_points(report, record, place):
    record("a.wav")
    write_results(place / "r.jsonl", heard("a.wav"))
    (place / "link.html").symlink_to("real.html")
    assert report("r.jsonl", "--no-waveforms", "-o", "link.html").exit_code == 0
    assert (place / "link.html").is_symlink()
    assert "<!DOCTYPE html>" in (place / "real.html").read_text()
