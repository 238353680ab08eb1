from __future__ import annotations

import itertools
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from asmr_classify.aggregate import FileResult, Status
from asmr_classify.batch import label_paths
from asmr_classify.batch.ahead import ReadAhead
from asmr_classify.batch.isolate import do_safely
from asmr_classify.batch.labelling import LabelTask
from asmr_classify.errors import UsageError
from asmr_classify.media.found import Found
from asmr_classify.writers.jsonl import result_to_line, result_to_record
from tests.batch.conftest import Notes, write_noise


@pytest.fixture
def labelled(monkeypatch, in_this_process):  # noqa: ARG001 (so that workers do not need it)
    """Stands in for decoding and features; gives the paths that were labelled, as they come."""
    seen = []

    def label_file(path, *, model, on_progress):
        seen.append(path)
        if "bug" in path:
            raise ZeroDivisionError("float division")
        on_progress(1.0)
        on_progress(2.5)
        return FileResult(path, Status.OK, model.id, decoded=2.5)

    monkeypatch.setattr("asmr_classify.classify.label_file", label_file)
    return seen


def by_path(results):
    return {result.path: result for result in results}


def test_each_file_that_is_found_gives_one_result(recordings, tiny_model):
    notes = Notes()
    results = by_path(label_paths([recordings], model=tiny_model, jobs=1, observer=notes))
    assert {path: result.status.value for path, result in results.items()} == {
        "in/0.wav": "ok",
        "in/1.wav": "ok",
        "in/2.wav": "ok",
        "in/empty.mp3": "failed",
    }
    assert notes.listed
    assert [found.path for found in notes.found] == sorted(results)
    assert [ignored.path for ignored in notes.ignored] == ["in/notes.txt"]
    assert [result for _, result in notes.finished] == list(results.values())
    assert notes.seconds == pytest.approx(10.5, abs=0.01)


def test_the_number_of_processes_changes_no_record(recordings, tiny_model):
    model = tiny_model.with_thresholds({"tap": 0.9})
    alone, shared = Notes(), Notes()
    one = label_paths([recordings], model=model, jobs=1, observer=alone)
    two = label_paths([recordings], model=model, jobs=2, observer=shared)
    assert sorted(map(result_to_line, one)) == sorted(map(result_to_line, two))
    assert shared.seconds == pytest.approx(alone.seconds)


def test_by_default_there_is_a_process_for_each_core(recordings, tiny_model, monkeypatch):
    asked = []

    def note(_finds, _task, n_jobs, **_):
        asked.append(n_jobs)
        return iter(())

    monkeypatch.setattr("asmr_classify.batch.iter_parallel", note)
    monkeypatch.setattr("joblib.cpu_count", lambda: 3)
    for jobs in (None, 2):
        assert list(label_paths([recordings], model=tiny_model, jobs=jobs)) == []
    assert asked == [3, 2]


def test_workers_follow_where_the_program_goes(place, tiny_model, monkeypatch):
    lengths = []
    for folder, duration in (("a", 0.5), ("b", 1.0)):
        for name in ("x.wav", "y.wav"):
            write_noise(place / folder / name, duration)
        monkeypatch.chdir(place / folder)
        results = by_path(label_paths(["."], model=tiny_model, jobs=2))
        assert sorted(results) == ["x.wav", "y.wav"]
        lengths += [result.duration for result in results.values()]
    assert lengths == [0.5, 0.5, 1.0, 1.0]


def test_each_run_has_its_own_model(recordings, tiny_model):
    for version in ("1", "2"):
        model = replace(tiny_model, version=version)
        results = label_paths([recordings], model=model, jobs=2)
        assert {result.model for result in results} == {f"tiny@{version}"}


def test_an_unexpected_error_stays_with_its_file_and_is_logged(labelled, tiny_model, caplog):
    results = by_path(label_paths(["a", "bug", "c"], model=tiny_model))
    assert [result.status for result in results.values()] == ["ok", "failed", "ok"]
    assert labelled == ["a", "bug", "c"]
    assert results["bug"].error.kind == "ZeroDivisionError"
    assert results["bug"].error.message.startswith("bug: unexpected error")
    assert "Traceback" in caplog.text
    assert "bug: unexpected error" in caplog.text


def test_results_come_before_everything_is_found(place, labelled, tiny_model, monkeypatch):
    enough = threading.Event()

    def discover(*_, **__):
        yield from (Found(f"{number}.wav", 10**7) for number in range(5))
        enough.wait(10)
        yield Found("last.wav", 1)

    monkeypatch.setattr("asmr_classify.batch.discover", discover)
    results = label_paths([place], model=tiny_model, jobs=1)
    assert [next(results).path for _ in range(5)] == [f"{number}.wav" for number in range(5)]
    assert "last.wav" not in labelled
    enough.set()
    assert [result.path for result in results] == ["last.wav"]


def test_a_run_that_is_stopped_begins_no_more_files(labelled, tiny_model):
    stop = threading.Event()
    results = label_paths(["a", "b", "c"], model=tiny_model, stop=stop)
    next(results)
    stop.set()
    assert list(results) == []
    assert labelled == ["a"]


def test_progress_is_told_as_differences(labelled, tiny_model):
    deltas = []
    do_safely(Found("a", 1), LabelTask(tiny_model), deltas.append)
    assert deltas == [1.0, 1.5]
    assert labelled == ["a"]


def test_an_effort_that_there_is_not_is_refused(tiny_model):
    with pytest.raises(UsageError, match="video 'high': give low, normal, full, or None"):
        label_paths(["a"], model=tiny_model, video="high")


def test_no_jobs_are_refused(tiny_model):
    with pytest.raises(UsageError, match="0 jobs: give 1 or more"):
        label_paths(["a"], model=tiny_model, jobs=0)


@pytest.mark.parametrize("name", ["a/b.wav", b"a/b.wav", Path("a/b.wav")])
@pytest.mark.parametrize("option", ["paths", "include", "exclude"])
def test_one_name_is_no_list_whose_letters_are_searched(name, option, tiny_model):
    given = {"paths": ["a"], option: name}
    with pytest.raises(UsageError, match=rf"{option}='a/b\.wav': give a list, if only of one"):
        label_paths(**given, model=tiny_model)


def test_paths_outside_are_named_as_given(place, labelled, tiny_model):
    outside = [str(place.parent / "x.wav"), "../y.wav", f"{place}/../z.wav", f"{place}-w.wav"]
    list(label_paths(outside, model=tiny_model))
    assert labelled == outside


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (".//a.wav", "a.wav"),
        ("././/a.wav", "a.wav"),
        ("in//a.wav", "in/a.wav"),
        ("in/./a.wav", "in/a.wav"),
        ("{here}//a.wav", "a.wav"),
        ("{here}/./in//a.wav", "in/a.wav"),
        (".//../a.wav", "../a.wav"),
        ("in/../a.wav", "in/../a.wav"),  # may be another file, where in is a link
        ("{here}/in/../../a.wav", "{here}/in/../../a.wav"),
        ("", ""),
    ],
)
def test_names_have_no_needless_parts(place, labelled, tiny_model, given, name):
    given, name = (text.replace("{here}", str(place)) for text in (given, name))
    list(label_paths([given], model=tiny_model))
    assert labelled == [name]


@pytest.mark.parametrize("folder", [".", "./", ".//", "{here}", "{here}/", "{here}//."])
def test_names_in_the_working_directory_are_bare(noises, place, labelled, tiny_model, folder):
    noises("a.wav", "in/b.wav")
    list(label_paths([folder.replace("{here}", str(place))], model=tiny_model))
    assert labelled == ["a.wav", "in/b.wav"]


def test_a_file_alone_gives_the_record_that_it_gives_in_a_folder(recordings, tiny_model):
    together = by_path(label_paths([recordings], model=tiny_model))
    for path, result in together.items():
        [alone] = label_paths([path], model=tiny_model)
        assert result_to_record(alone, rounded=False) == result_to_record(result, rounded=False)


def test_read_ahead_keeps_the_order_and_the_limit():
    taken = []
    ahead = ReadAhead((taken.append(k) or k for k in range(100)), 10)
    time.sleep(0.2)
    assert len(taken) <= 11
    assert list(ahead) == list(range(100))
    assert list(ahead) == []


def test_read_ahead_raises_what_its_source_raises():
    def source():
        yield 1
        raise OSError("the disk is gone")

    ahead = ReadAhead(source(), 10)
    assert next(ahead) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(ahead)
    assert list(ahead) == []


def take_to_the_end(ahead):
    deadline = time.monotonic() + 10
    while not ahead.is_over and time.monotonic() < deadline:
        assert ahead.take(lambda: None) is None


def test_taking_does_not_wait_and_tells_when_to_ask_again():
    release, more = threading.Event(), threading.Event()

    def source():
        yield 1
        release.wait(10)
        yield 2

    ahead = ReadAhead(source(), 10)
    assert next(ahead) == 1
    assert ahead.take(more.set) is None
    assert not ahead.is_over
    release.set()
    assert more.wait(10)
    assert ahead.take(more.set) == 2
    take_to_the_end(ahead)
    assert ahead.is_over


def test_taking_raises_what_the_source_raises():
    more = threading.Event()

    def source():
        more.wait(10)
        raise OSError("the disk is gone")
        yield

    ahead = ReadAhead(source(), 10)
    assert ahead.take(more.set) is None
    more.set()
    with pytest.raises(OSError, match="the disk is gone"):
        take_to_the_end(ahead)
    assert ahead.is_over


def test_closing_wakes_who_waits_and_ends_the_thread():
    release = threading.Event()

    def source():
        release.wait(10)
        yield from itertools.count()

    before = threading.active_count()
    ahead = ReadAhead(source(), 2)
    waiting = threading.Thread(target=lambda: list(ahead))
    waiting.start()
    ahead.close()
    waiting.join(5)
    assert not waiting.is_alive()
    release.set()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_a_folder_that_is_gone_is_no_obstacle(place, labelled, tiny_model):
    (gone := place / "gone").mkdir()
    os.chdir(gone)
    gone.rmdir()
    try:
        assert [r.path for r in label_paths([str(place / "a.wav")], model=tiny_model)] == labelled
    finally:
        os.chdir(Path(place))
