from __future__ import annotations

import itertools
import os
import signal
import tempfile
import threading
import time
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asmr_classify.aggregate import FileResult, Status
from asmr_classify.batch import Observer, label_paths, pool
from asmr_classify.batch.ahead import ReadAhead
from asmr_classify.batch.interrupts import interrupts_deferred, interrupts_ignored
from asmr_classify.batch.isolate import label_safely
from asmr_classify.errors import AsmrClassifyError, UsageError
from asmr_classify.media.discover import Found
from asmr_classify.writers.jsonl import result_to_line


class Notes(Observer):
    """Writes down what it is told."""

    def __init__(self):
        self.found, self.ignored, self.finished = [], [], []
        self.seconds = 0.0
        self.listed = False

    def on_found(self, found):
        self.found.append(found)

    def on_ignored(self, ignored):
        self.ignored.append(ignored)

    def on_listed(self):
        self.listed = True

    def on_decoded(self, seconds):
        self.seconds += seconds

    def on_finished(self, found, result):
        self.finished.append((found, result))


def write_noise(path, duration):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(3).normal(0, 3000, round(16000 * duration))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", "NONE"))
        file.writeframes(samples.astype("<i2").tobytes())


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def recordings(place):
    """Three recordings, an empty file, and one that is no media."""
    for number, duration in enumerate((0.5, 1.0, 9.0)):
        write_noise(place / "in" / f"{number}.wav", duration)
    (place / "in" / "empty.mp3").touch()
    (place / "in" / "notes.txt").write_text("nothing")
    return place / "in"


@pytest.fixture
def labelled(monkeypatch):
    """Stands in for decoding and features; gives the paths that were labelled, as they come."""
    seen = []

    def label_file(path, *, model, on_progress):
        seen.append(path)
        if "bug" in path:
            raise ZeroDivisionError("float division")
        on_progress(1.0)
        on_progress(2.5)
        return FileResult(path, Status.OK, model.id, decoded=2.5)

    monkeypatch.setattr("asmr_classify.batch.isolate.label_file", label_file)
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
    # As written, that is rounded: the number of threads that multiply matrices, one in a worker,
    # changes the last digits of a sum.
    assert sorted(map(result_to_line, one)) == sorted(map(result_to_line, two))
    assert shared.seconds == pytest.approx(alone.seconds)


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


def test_a_closed_run_stops_its_workers_quietly_and_leaves_nothing(
    place, tiny_model, tmp_path_factory, monkeypatch, recwarn
):
    scratch = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    for number in range(30):
        write_noise(place / f"{number}.wav", 2.0)
    notes = Notes()
    results = label_paths([place], model=tiny_model, jobs=2, observer=notes)
    next(results)
    assert len(list(scratch.glob("asmr-classify-*"))) == 1
    results.close()
    assert len(notes.finished) == 1
    assert list(scratch.glob("asmr-classify-*")) == []
    assert not recwarn.list
    assert len(list(label_paths([place], model=tiny_model, jobs=2))) == 30


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_a_dead_worker_is_told(place, tiny_model):
    from joblib.externals.loky import get_reusable_executor

    for number in range(30):
        write_noise(place / f"{number}.wav", 2.0)
    results = label_paths([place], model=tiny_model, jobs=2)
    next(results)
    for worker in list(get_reusable_executor(reuse=True)._processes):
        os.kill(worker, signal.SIGKILL)
    with pytest.raises(AsmrClassifyError, match=r"a worker process died.*--jobs 1"):
        list(results)


def test_an_unexpected_error_stays_with_its_file_and_is_logged(labelled, tiny_model, caplog):
    results = by_path(label_paths(["a", "bug", "c"], model=tiny_model))
    assert [result.status for result in results.values()] == ["ok", "failed", "ok"]
    assert labelled == ["a", "bug", "c"]
    assert results["bug"].error.kind == "ZeroDivisionError"
    assert results["bug"].error.message.startswith("bug: unexpected error")
    assert "Traceback" in caplog.text
    assert "bug: unexpected error" in caplog.text


def test_progress_is_told_as_differences(labelled, tiny_model):
    deltas = []
    label_safely(Found("a", 1), tiny_model, deltas.append)
    assert deltas == [1.0, 1.5]
    assert labelled == ["a"]


def test_a_worker_leaves_off_when_no_more_results_are_wanted(labelled, tiny_model, monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pool._temporary_run(tiny_model) as run:
        assert pool._label_in_worker(Found("a", 1), run).result.path == "a"
        assert np.frombuffer(run.meter.read_bytes()).sum() == 2.5
        run.stop.touch()
        assert pool._label_in_worker(Found("b", 1), run) is None
    assert labelled == ["a"]


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


@pytest.mark.parametrize(
    ("sizes", "jobs", "expected"),
    [
        pytest.param([10**9], 4, 1, id="one file"),
        pytest.param([1000] * 12, None, 1, id="few and small"),
        pytest.param([1000] * 12, 4, 4, id="few, but asked for"),
        pytest.param([1000] * 100, None, 3, id="many"),
        pytest.param([10**9] * 2, None, 3, id="large"),
        pytest.param([10**9] * 2, 1, 1, id="large, but one asked for"),
        pytest.param([], None, 1, id="none"),
    ],
)
def test_the_number_of_processes_is_chosen(sizes, jobs, expected, monkeypatch):
    from asmr_classify import batch

    monkeypatch.setattr(batch, "count_cores", lambda: 3)
    finds = iter([Found(str(k), size) for k, size in enumerate(sizes)])
    assert batch._choose_jobs(batch._take_few(finds), jobs) == expected


def test_no_jobs_are_refused(tiny_model):
    with pytest.raises(UsageError, match="0 jobs: give 1 or more"):
        label_paths(["a"], model=tiny_model, jobs=0)


def test_paths_outside_are_named_as_given(place, labelled, tiny_model):
    outside = [str(place.parent / "x.wav"), "../y.wav", f"{place}/../z.wav", f"{place}-w.wav"]
    list(label_paths(outside, model=tiny_model))
    assert labelled == outside


def test_an_interrupt_leaves_off_at_the_next_block(tiny_model, monkeypatch):
    blocks = []

    def label_file(path, *, model, on_progress):
        for seconds in range(10):
            blocks.append(path)
            on_progress(float(seconds))
            if path == "b" and seconds == 3:
                signal.raise_signal(signal.SIGINT)
        return FileResult(path, Status.OK, model.id)

    monkeypatch.setattr("asmr_classify.batch.isolate.label_file", label_file)
    results = label_paths(["a", "b", "c"], model=tiny_model)
    assert next(results).path == "a"
    with pytest.raises(KeyboardInterrupt):
        next(results)
    assert blocks == ["a"] * 10 + ["b"] * 5


def test_a_second_interrupt_is_raised_at_once():
    told = []
    with interrupts_deferred(lambda: told.append(1)) as flag:
        signal.raise_signal(signal.SIGINT)
        assert flag.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert told == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_leave_signals_alone():
    seen = []

    def look():
        with interrupts_deferred(), interrupts_ignored():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


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
