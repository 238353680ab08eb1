"""``tag`` as a command: what is shown, what is asked, exit statuses."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from asmr_classify.cli.app import app
from asmr_classify.library.journal import STATE_VARIABLE
from asmr_classify.visual.seen import Lanes, Picture, Visual
from tests.cli.conftest import heard, lost
from tests.library.reading import read_fields
from tests.media.make_media import RECIPES, tone, write_media


@pytest.fixture(autouse=True)
def state(place, tmp_path_factory, monkeypatch):  # noqa: ARG001 (what it is beside)
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv(STATE_VARIABLE, str(folder))
    return folder


@pytest.fixture
def labelled():
    """What was asked to be labelled."""
    return []


@pytest.fixture
def library(place, labelled, monkeypatch):
    """Two recordings that carry tags, one that does not, and one that failed."""
    (place / "in").mkdir()
    for ext in ("flac", "mp3", "avi"):
        recipe = RECIPES[ext]
        write_media(place / "in" / f"a.{ext}", tone(1.0, recipe.sr), recipe, video_duration=1.0)
    (place / "in" / "bad.mp3").write_bytes(b"nothing" * 10)

    def select_results(arguments, _console, **_options):
        labelled.extend(arguments)
        names = sorted(path.name for folder in arguments for path in Path(folder).iterdir())
        return [
            lost(f"in/{name}") if name == "bad.mp3" else heard(f"in/{name}")
            for name in names
            if not name.endswith(".json")
        ]

    monkeypatch.setattr("asmr_classify.cli.select.select_results", select_results)


def run(*arguments, stdin=None):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


def seen(place):
    return {
        str(path.relative_to(place)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in place.rglob("*")
        if path.is_file()
    }


@pytest.mark.usefixtures("library")
def test_a_dry_run_shows_the_plan_and_changes_nothing(place):
    before = seen(place)
    done = run("tag", "in", "--dry-run", "--genre", "--chapters")
    reason = "tap (no tags can be written into files of its kind)"
    assert done.stdout.splitlines() == [
        f"write sidecar  in/a.avi → in/a.avi.asmr.json  {reason}",
        "tag  in/a.flac  no tags of ours → tap; + genre 'ASMR'; chapters: 0 → 2",
        "tag  in/a.mp3  no tags of ours → tap; + genre 'ASMR'; chapters: 0 → 2",
    ]
    assert "left: in/bad.mp3: no such file; check the name" in done.stderr
    assert "nothing was changed (--dry-run)" in done.stderr
    assert done.exit_code == 3
    assert seen(place) == before


@pytest.mark.usefixtures("library")
def test_what_is_planned_is_done_and_undone(place):
    before = seen(place)
    done = run("tag", "in", "--yes", "--comment")
    assert done.exit_code == 3
    assert "3 of 3 steps done; to take it back: asmr-classify undo 1" in done.stderr
    assert done.stdout == ""
    assert read_fields("in/a.flac")["ASMR_TRIGGERS"] == "tap"
    assert json.loads((place / "in/a.avi.asmr.json").read_text())["path"] == "a.avi"
    again = run("tag", "in", "--yes")
    assert "3 files tagged so already" in again.stderr
    assert "nothing to do" in again.stderr
    assert run("undo", "--yes").exit_code == 0
    assert seen(place) == before


@pytest.mark.usefixtures("library")
def test_all_is_taken_out_without_labelling(place, labelled):
    before = {name: content for name, (content, _) in seen(place).items()}
    run("tag", "in", "--yes")
    labelled.clear()
    done = run("tag", "in", "--remove", "--yes")
    assert done.exit_code == 0
    assert labelled == []
    assert read_fields("in/a.mp3") == {}
    after = {name: content for name, (content, _) in seen(place).items()}
    assert after.keys() == before.keys()
    assert after["in/a.flac"] == before["in/a.flac"]
    done = run("tag", "in", "--remove", "--yes")
    assert "4 files without tags of ours" in done.stderr


@pytest.mark.usefixtures("library")
def test_sidecars_for_all(place):
    before = seen(place)
    run("tag", "in", "--sidecar", "--yes")
    after = seen(place)
    assert {name: after[name] for name in before} == before
    assert sorted(after.keys() - before.keys()) == [
        "in/a.avi.asmr.json",
        "in/a.flac.asmr.json",
        "in/a.mp3.asmr.json",
    ]


def test_nfo_files_are_written_beside_videos_only_and_undone(library, place):  # noqa: ARG001
    before = seen(place)
    done = run("tag", "in", "--nfo", "--genre", "--yes")
    assert done.exit_code == 3  # for in/bad.mp3, of which nothing is known
    notes = [line for line in done.stderr.splitlines() if "beside videos only" in line]
    assert [line.split(":")[1] for line in notes] == [" in/a.flac", " in/a.mp3"]
    after = seen(place)
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {"in/a.nfo"}
    assert "<tag>ASMR: tap</tag>" in (place / "in" / "a.nfo").read_text()
    assert run("undo", "--yes").exit_code == 0
    assert seen(place) == before


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("option", ["--chapters", "--comment", "--sidecar", "--keep-mtime"])
def test_nfo_excludes_what_it_cannot_hold(option):
    done = run("tag", "in", "--nfo", option, "--yes")
    assert done.exit_code == 2
    assert "--nfo leaves the videos alone" in done.stderr


@pytest.mark.usefixtures("library")
def test_the_time_is_kept_on_request(place):
    os.utime(place / "in/a.flac", ns=(10**18, 10**18))
    run("tag", "in", "--yes", "--keep-mtime")
    assert (place / "in/a.flac").stat().st_mtime_ns == 10**18
    assert read_fields("in/a.flac")["ASMR_TRIGGERS"] == "tap"


@pytest.mark.usefixtures("library")
def test_the_plan_as_json():
    done = run("tag", "in", "--dry-run", "--json")
    record = json.loads(done.stdout)
    kinds = [(step["kind"], Path(step["path"]).name) for step in record["steps"]]
    assert kinds == [
        ("write_sidecar", "a.avi"),
        ("write_tags", "a.flac"),
        ("write_tags", "a.mp3"),
    ]
    assert record["steps"][1]["new"]["fields"] == {
        "ASMR_TRIGGERS": "tap",
        "ASMR_SCORES": "tap=0.90 whisper=0.10 speech=0.70",
        "ASMR_NO_TALKING": "false",
        "ASMR_MODEL": "tiny@0.1",
    }
    assert [left["path"] for left in record["left"]] == ["in/bad.mp3"]


@pytest.mark.usefixtures("library")
def test_what_is_taken_out_and_added_at_once_is_refused():
    done = run("tag", "in", "--remove", "--genre", "--yes")
    assert done.exit_code == 2
    assert "--remove takes out all that is ours" in done.stderr


def test_without_a_terminal_it_asks_for_yes():
    done = run("tag", "in")
    assert done.exit_code == 2
    assert "give --yes, or --dry-run" in done.stderr


def test_nothing_to_tag(place):
    (place / "empty").mkdir()
    done = run("tag", "empty", "--remove", "--yes")
    assert done.exit_code == 4
    assert "nothing to tag was found" in done.stderr


def test_real_labels_in_a_name_that_is_not_utf8(record):
    record("a.wav")
    strange = os.fsdecode(b"caf\xe9.wav")
    Path("a.wav").rename(strange)
    done = run("tag", ".", "--yes")
    assert done.exit_code == 0, done.stderr
    assert read_fields(strange)["ASMR_MODEL"].startswith("asmr-4@")
    assert run("undo", "--yes").exit_code == 0
    assert read_fields(strange) == {}


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(
            ["--chapters", "--skip", "tap"], "'tap': chapters tell all labels", id="label"
        ),
        pytest.param(
            ["--skip", "lively"], "lively is for chapters: give it with", id="no chapters"
        ),
    ],
)
def test_what_chapters_tell_anyway_or_is_not_asked_for_is_no_skip(place, arguments, told):
    before = seen(place)
    done = run("tag", "in", "--yes", *arguments)
    assert (done.exit_code, seen(place)) == (2, before)
    assert f"--skip {told}" in " ".join(done.stderr.split())


@pytest.mark.usefixtures("library")
def test_chapters_tell_where_it_is_lively_if_that_may_be_skipped(monkeypatch):
    moved = Visual(Picture.VIDEO, lanes=Lanes(10.0, (0.0, 0.2, 0.0), light=()))
    video = replace(heard("in/a.mp3"), duration=30.0, decoded=30.0, visual=moved)
    monkeypatch.setattr("asmr_classify.cli.select.select_results", lambda *_, **__: [video])
    plainly, lively = (
        json.loads(run("tag", "in", "--dry-run", "--json", "--chapters", *skip).stdout)
        for skip in ([], ["--skip", "lively"])
    )
    titles = [
        [chapter["title"] for chapter in plan["steps"][0]["new"]["chapters"]]
        for plan in (plainly, lively)
    ]
    assert titles == [["tap", "tap + speech"], ["tap", "tap + lively", "tap + speech"]]
