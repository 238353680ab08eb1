"""Runs that are killed and go on listing where all before is done: no row missing, none twice."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest
import s3fs

from asmr_classify import label_paths
from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.batch import Table, table
from asmr_classify.batch.course import RunCourse
from asmr_classify.batch.labelling import LabelTask
from asmr_classify.media import listing
from asmr_classify.media.found import Found, Mark
from asmr_classify.writers.folder import DiskFolder
from tests import names

NUMBER = 300
SOURCE = f"s3://{names.BUCKET}/{names.FOLDER}"
PATHS = [f"s3://{names.BUCKET}/{names.key_of(k)}" for k in range(NUMBER)]


@pytest.fixture
def server(monkeypatch):
    """A folder of names, told fifty at a time; marks and parts come often."""
    monkeypatch.setattr(names, "PAGE", 50)
    monkeypatch.setattr(listing, "MARK_EVERY", 25)
    monkeypatch.setattr(table, "PART_ROWS", 20)
    monkeypatch.setattr(table, "LISTED_SECONDS", 0)
    s3fs.S3FileSystem.clear_instance_cache()
    with names.running(NUMBER) as running:
        for name, value in names.environment_of(running.server_port).items():
            monkeypatch.setenv(name, value)
        yield running
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def labelled(monkeypatch, in_this_process):  # noqa: ARG001 (labels nothing in workers)
    """The names that are labelled, in no time; those in ``labelled.failing`` fail and may pass."""

    class Names(list):
        def __init__(self):
            super().__init__()
            self.failing = set()

    done = Names()

    def do(self, found, _):
        done.append(found.path)
        if found.path in done.failing:
            return self.fail(found.path, Problem("OpenError", "busy", may_pass=True))
        return FileResult(found.path, Status.OK, self.model.id)

    monkeypatch.setattr(LabelTask, "do", do)
    monkeypatch.setattr(LabelTask, "lacks", lambda *_: False)
    return done


def run(output, model, paths=(SOURCE,), *, n_results=None, **options):
    """Fill a table; give whether it went on, and what it holds."""
    with Table.open(str(output), model) as kept:
        results = label_paths(paths, model=model, journal=kept, **options)
        for number, _ in enumerate(results, 1):
            if number == n_results:
                results.close()
                return kept.goes_on, None
        kept.finish()
    rows = sorted(pd.read_parquet(output).path)
    assert not (output / "_listed.json").exists()
    return kept.goes_on, rows


@pytest.fixture
def moments(tmp_path, monkeypatch, tiny_model, labelled, server):  # noqa: ARG001
    """Copies of a table as it was after each change of a run: at any of them it may be killed."""
    folders = []

    def watched(change):
        def act(self, *args):
            change(self, *args)
            folders.append(tmp_path / f"moment-{len(folders)}")
            shutil.copytree(self.path, folders[-1])

        return act

    with monkeypatch.context() as watching:
        for name in ("put", "remove"):
            watching.setattr(DiskFolder, name, watched(getattr(DiskFolder, name)))
        assert run(tmp_path / "whole", tiny_model) == (False, PATHS)
    assert len(folders) > 20
    return folders


def listed_before(folder):
    """How many names come before the place that a table has noted."""
    place = folder / "_listed.json"
    if not place.exists():
        return 0
    after = json.loads(place.read_text())["mark"]["after"]
    return PATHS.index(f"s3://{after}") + 1


def test_wherever_a_run_is_killed_the_next_lists_and_labels_the_rest(
    moments, labelled, server, tiny_model
):
    skipped = []
    for moment in moments[:-1:3]:
        before, rows = listed_before(moment), len(pd.read_parquet(moment))
        del labelled[:], server.asked[:]
        assert run(moment, tiny_model) == (before > 0, PATHS)
        assert len(labelled) == NUMBER - rows
        assert before <= rows
        pages = [start for start in server.asked if start or not before]
        assert pages[-1] >= NUMBER - names.PAGE
        assert {start for start in pages if start < before} == set()
        skipped.append(before)
    assert skipped[-1] > NUMBER - 50
    del server.asked[:]
    assert run(moments[-1], tiny_model) == (False, PATHS)
    assert sorted({*server.asked}) == [*range(0, NUMBER, names.PAGE)]


@pytest.fixture
def killed(tmp_path, tiny_model, labelled, server):
    """A table of a run that was stopped."""
    run(tmp_path / "out", tiny_model, n_results=200)
    assert listed_before(tmp_path / "out") > 150
    del labelled[:], server.asked[:]
    return tmp_path / "out"


def test_what_failed_and_may_pass_is_found_again(tmp_path, labelled, server, tiny_model):
    labelled.failing = {PATHS[5]}
    run(tmp_path / "out", tiny_model, n_results=200)
    assert listed_before(tmp_path / "out") > 150
    del labelled[:], server.asked[:]
    labelled.failing = set()
    assert run(tmp_path / "out", tiny_model) == (False, PATHS)
    assert labelled[0] == PATHS[5]
    assert 0 in server.asked


def test_what_was_removed_by_somebody_is_found_again(killed, labelled, tiny_model):
    part = min(killed.glob("*.parquet"))
    gone = [*pd.read_parquet(part).path]
    part.unlink()
    assert run(killed, tiny_model) == (False, PATHS)
    assert labelled[: len(gone)] == gone


@pytest.mark.parametrize(
    ("paths", "options"),
    [((SOURCE,), {"exclude": ["x*"]}), ((SOURCE.rstrip("/"),), {}), ((SOURCE, PATHS[0]), {})],
)
def test_who_asks_for_others_lists_all(paths, options, killed, server, tiny_model):
    assert run(killed, tiny_model, paths, **options) == (False, PATHS)
    assert 0 in server.asked


def test_who_begins_anew_lists_all(killed, server, tiny_model):
    with Table.open(str(killed), tiny_model, fresh=True):
        assert not (killed / "_listed.json").exists()
    assert run(killed, tiny_model) == (False, PATHS)
    assert 0 in server.asked


@pytest.mark.parametrize("text", ["", "[]", '{"asked": 1}'])
def test_what_does_not_tell_a_place_is_passed_over(text, killed, tiny_model):
    (killed / "_listed.json").write_text(text)
    assert run(killed, tiny_model) == (False, PATHS)


def test_a_place_is_of_the_search_that_came_there(tmp_path, tiny_model):
    output, place = str(tmp_path / "out"), tmp_path / "out" / "_listed.json"
    found = Found("a", 1, mtime_ns=5)

    def search(kept, asked):
        course = kept.course([asked])
        course.on_found(found)
        course.on_reached(Mark("a", (), ()))
        return course.start

    with Table.open(output, tiny_model) as kept:
        search(kept, "a")
        kept.record(found, FileResult("a", Status.OK, tiny_model.id))
        kept.pass_by(found)
        search(kept, "b")
        kept.flush()
        assert not place.exists()
        kept.pass_by(found)
        assert place.exists()
    with Table.open(output, tiny_model) as kept:
        assert search(kept, "b") is not None
        assert search(kept, "b") is None


def test_a_place_is_passed_once_all_before_it_is_done():
    passed = []
    course = RunCourse(None, passed.append)
    marks = [Mark(name, (), ()) for name in "ac"]
    finds = [Found(name, 1) for name in "abcd"]
    for found in finds:
        course.on_found(found)
        for mark in marks:
            if mark.after == found.path:
                course.on_reached(mark)
    course.on_done(finds[2])
    course.on_done(finds[3])
    assert passed == []
    course.on_done(finds[0])
    assert passed == [marks[0]]
    course.on_done(finds[1])
    assert passed == marks
