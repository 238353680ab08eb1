"""What is done to files is known to the catalogue, and what the catalogue finds can be acted on."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from typer.testing import CliRunner

from asmr_classify.cli.app import app
from asmr_classify.library.journal import Store
from asmr_classify.model import load_model
from tests.cli.conftest import heard

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
    assert "1 of 1 step done" in done.stderr or "2 of 2 steps" in done.stderr
    assert (place / "tap" / "a.wav").exists()
    assert found(run, "-status:failed") == ["in/b.wav", "tap/a.wav"]
    run("undo", "--yes")
    assert found(run, "-status:failed") == ["in/a.wav", "in/b.wav"]
    assert not (place / "tap").exists()


def test_a_query_that_is_longer_than_names_are_is_organised(run, place):
    query = "trigger:tap" + " -path:nowhere" * 30
    run("organise", query, "--to", TEMPLATE, "--root", ".", "--yes")
    assert (place / "tap" / "a.wav").exists()


def test_the_catalogue_follows_a_recording_that_it_knows_by_a_link(run, place):
    (place / "in/0.wav").symlink_to("b.wav")
    run("forget", "in/b.wav")
    run("label", "in", "-q", "--catalogue", status=3)
    run("set", "in/0.wav", "trigger=whisper")
    assert found(run, "-status:failed") == ["in/0.wav", "in/a.wav"]
    run("organise", "in", "--to", TEMPLATE, "--yes", status=3)
    assert found(run, "-status:failed") == ["in/tap/a.wav", "in/whisper/b.wav"]
    run("undo", "--yes")
    assert found(run, "-status:failed") == ["in/a.wav", "in/b.wav"]


def test_undoing_tells_the_catalogue_that_the_run_was_of(run, place, monkeypatch):
    other = ["--catalogue", "other.sqlite"]
    shutil.copy("library.sqlite", "other.sqlite")
    command = ["organise", "tap", "--to", TEMPLATE, "--root", ".", "--yes"]
    run(*command, "--catalogue", "in/../other.sqlite")
    assert Store().read(1).catalogue == str(place / "other.sqlite")
    monkeypatch.chdir(place / "tap")
    run("undo", "--yes")
    monkeypatch.chdir(place)
    assert found(run, "-status:failed", *other) == ["in/a.wav", "in/b.wav"]
    run(*command)
    (place / "library.sqlite").rename("moved.sqlite")
    monkeypatch.setenv("ASMR_CLASSIFY_CATALOGUE", "moved.sqlite")
    run("undo", "--yes")
    assert found(run, "-status:failed") == ["in/a.wav", "in/b.wav"]


def test_undoing_tells_the_catalogue_that_is_named(run):
    run("organise", "tap", "--to", TEMPLATE, "--root", ".", "--yes")
    shutil.copy("library.sqlite", "other.sqlite")
    run("undo", "--yes", "--catalogue", "other.sqlite")
    query = ["-status:failed", "--catalogue"]
    assert found(run, *query, "other.sqlite") == ["in/a.wav", "in/b.wav"]
    assert found(run, *query, "library.sqlite") == ["tap/a.wav", "tap/b.wav"]


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


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param(["--yes"], "changed; labels so far are in the catalogue\n", id="run"),
        pytest.param(["--dry-run"], "changed\n", id="dry run"),
    ],
)
def test_an_interrupt_while_files_are_labelled_changes_none(run, place, record, options, told):
    record("in/interrupt.wav", "in/z.wav", duration=1.3)
    before = (place / "in" / "a.wav").read_bytes()
    done = run("tag", "in", *options, status=130)
    assert done.stderr.endswith(f"interrupted: nothing was written or {told}")
    assert (place / "in" / "a.wav").read_bytes() == before


def test_corrections_move_along(run):
    run("set", "in/a.wav", "trigger=whisper")
    run("organise", "whisper", "--to", TEMPLATE, "--root", ".", "--yes")
    assert found(run, "corrected") == ["whisper/a.wav"]


def test_the_catalogue_follows_a_run_that_was_broken_off(run, place, labelling):
    run("set", "in/a.wav", "trigger=whisper")
    before = (place / "library.sqlite").read_bytes()
    run("tag", "in/a.wav", "in/b.wav", "--yes")
    (place / "library.sqlite").write_bytes(before)  # as if it had not been told
    journal = Store().path_of(1)
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-2]))
    labelling.clear()
    run("tag", "in/b.wav", "--genre", "--yes")
    assert labelling == []
    (place / "in" / "a.wav").rename(place / "in" / "away.wav")
    run("label", "in", "-q", "--catalogue", status=3)
    assert found(run, "corrected") == ["in/away.wav"]


def test_a_damaged_catalogue_stops_before_anything_is_touched(run, place):
    (place / "library.sqlite").write_bytes(b"garbage" * 1000)
    for name in os.listdir(place):  # noqa: PTH208
        if name.startswith("library.sqlite-"):
            (place / name).unlink()
    done = run("organise", "in", "--to", TEMPLATE, "--yes", status=1)
    assert "library.sqlite" in done.stderr
    assert (place / "in" / "a.wav").exists()


def test_a_query_does_not_act_on_what_a_file_was_before(run, place, record, labelling):
    labelling.clear()
    (place / "in" / "b.wav").unlink()
    record("in/fail.wav", duration=2.0)
    (place / "in" / "fail.wav").replace(place / "in" / "a.wav")  # labelled by its name, as tap
    record("in/new.wav", duration=2.5)
    (place / "in" / "new.wav").replace(place / "in" / "bug.wav")
    done = run("organise", "tap", "--to", TEMPLATE, "--root", ".", "--yes")
    assert "left out: 1 recording, no longer there" in done.stderr
    assert labelling == [str(place / "in" / "a.wav")] or labelling == ["in/a.wav"]
    assert found(run, "-missing", "-status:failed") == ["tap/a.wav"]


def test_what_is_no_longer_so_is_not_tagged(run, place, record, monkeypatch):
    record("other.wav", duration=2.0)
    (place / "other.wav").replace(place / "in" / "a.wav")
    before = (place / "in" / "a.wav").read_bytes()
    monkeypatch.setattr("asmr_classify.classify.label_file", as_whisper)
    run("tag", "tap", "path:a.wav", "--yes", status=4)
    assert (place / "in" / "a.wav").read_bytes() == before
    assert found(run, "whisper") == ["in/a.wav"]


def as_whisper(path, *, model, on_progress):  # noqa: ARG001 (as labelling is called)
    return heard(path, model=model.id, trigger="whisper", tags=("whisper",))


def test_results_of_another_model_stand(run, model_file):
    run("label", "in", "-q", "--catalogue", "--model", model_file, status=3)
    before = found_records(run)
    assert {record["model"] for record in before} == {load_model(str(model_file)).id}
    run("tag", "in/a.wav", "--dry-run")
    run("report", "in/a.wav", "in/b.wav", "-q", "-o", "r.html")
    run("playlist", "in/a.wav", "-q", "-o", "p.m3u8")
    assert found_records(run) == before


def found_records(run):
    return [json.loads(line) for line in run("find", "tap", "--json").stdout.splitlines()]


def test_a_dry_run_leaves_the_catalogue_as_it_is(run, place, record, labelling):
    record("new.wav", duration=3.0)
    (place / "in" / "a.wav").rename(place / "moved.wav")
    labelling.clear()
    run("set", "in/a.wav", "trigger=whisper", "-q")
    before = (place / "library.sqlite").read_bytes()
    done = run("organise", "new.wav", "moved.wav", "--to", TEMPLATE, "--root", ".", "--dry-run")
    assert "tap/new.wav" in done.stdout
    assert "whisper/moved.wav" in done.stdout
    assert labelling == ["new.wav"]
    assert (place / "library.sqlite").read_bytes() == before
    run("tag", "new.wav", "--dry-run", "--catalogue", "none.sqlite")
    assert not (place / "none.sqlite").exists()


def test_a_dry_run_tells_where_labels_are_not_kept(run, place, monkeypatch):
    hint = "nor are labels kept: label PATH --catalogue spares labelling twice"
    assert hint not in run("tag", "in/a.wav", "--dry-run").stderr
    monkeypatch.setenv("ASMR_CLASSIFY_CATALOGUE", str(place / "none.sqlite"))
    assert run("tag", "in/a.wav", "--dry-run").stderr.endswith(f"(--dry-run); {hint}\n")
    assert hint not in run("tag", "in/a.wav", "--remove", "--dry-run").stderr


def test_undoing_keeps_what_was_set_where_there_is_a_copy(run, place):
    shutil.copy(place / "in" / "a.wav", place / "in" / "copy.wav")
    run("label", "in", "-q", "--catalogue", status=3)
    run("tag", "in/a.wav", "--yes")
    run("set", "in/a.wav", "trigger=crinkle")
    run("undo", "--yes")
    assert found(run, "corrected") == ["in/a.wav", "in/copy.wav"]


def test_an_unknown_path_is_not_taken_for_a_query(run):
    for word in ("in/gone", "gone.wav"):
        done = run("forget", word, status=2)
        assert f"{word}: no such file or folder; check the name" in done.stderr


def test_a_file_that_begins_as_an_option_does_is_told_how_to_name(run, place):
    (place / "-rain.mp3").touch()
    told = "-rain.mp3: begins as an option does; name the file ./-rain.mp3\n"
    for command in (["forget"], ["label"], ["features"], ["set", "trigger=tap"]):
        assert told in run(*command, "-rain.mp3", status=2).stderr
    assert "No such option: -s" in run("label", "-snow.mp3", status=2).stderr
    told = "error: -gone.mp3: no such file or folder; check the name\n"
    assert told in run("forget", "-gone.mp3", status=2).stderr


def test_a_folder_that_is_gone_is_not_mixed_up_with_a_query_either(run, place):
    run("organise", "path:a.wav", "--to", TEMPLATE, "--root", ".", "--yes")
    shutil.rmtree(place / "tap")
    assert "tap: is a name here" in run("forget", "tap", status=2).stderr
    assert "1 file forgotten" in run("forget", "./tap").stderr
    assert found(run, "tap") == ["in/b.wav"]


def test_a_word_that_is_a_path_and_a_query_is_refused(run, place):
    (place / "tap").mkdir()
    (place / "missing").mkdir()
    (place / "model").mkdir()
    (place / "music").mkdir()
    assert "0 files forgotten" in run("forget", "music").stderr
    for command in (["tag", "-n"], ["tag", "-n", "--remove"], ["forget"], ["playlist", "-q"]):
        done = run(*command, "tap", status=2)
        told = " ".join(done.stderr.split())
        assert "tap: is a name here, and a word of queries" in told
        assert "write ./tap for the path, trigger:tap for the query" in told
    done = run("forget", "missing", status=2)
    assert '" missing", with a space, for the query' in " ".join(done.stderr.split())
    assert "0 files forgotten" in run("forget", " missing").stderr
    assert "0 files forgotten" in run("forget", "./tap", "model").stderr
    assert found(run, "tap") == ["in/a.wav", "in/b.wav"]
    run("tag", "trigger:tap", "--dry-run")
