"""Batches to executors, and what comes back."""

from __future__ import annotations

import os
import threading
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from itertools import islice, pairwise

import pytest

from asmr_classify import label_paths
from asmr_classify.aggregate import FileResult, Status
from asmr_classify.batch import Limits, bench
from asmr_classify.batch.ahead import ReadAhead
from asmr_classify.batch.bench import Done
from asmr_classify.batch.engine import (
    AHEAD,
    BATCH_SECONDS,
    FILE_SECONDS,
    FIRST_SECONDS,
    LARGEST_BATCH,
    LEAST_SECONDS,
    TRIES,
    ExecutorEngine,
    iter_by_engine,
)
from asmr_classify.batch.isolate import Outcome
from asmr_classify.errors import AsmrClassifyError, UsageError
from asmr_classify.features.cache import KeptFeatures
from asmr_classify.media.found import Found
from asmr_classify.writers.jsonl import result_to_line
from tests.batch.conftest import Notes
from tests.batch.tasks import Stub


def named(*names, size=0):
    return [Found(name, size) for name in names]


def run(finds, task, by, **options):
    how = {
        "recall": lambda _: None,
        "limits": Limits(),
        "stop": threading.Event(),
        "on_decoded": lambda _: None,
        "on_workers": lambda _: None,
    }
    return iter_by_engine(ReadAhead(iter(finds), 65536), task, by, **how | options)


@pytest.fixture
def stub(tmp_path):
    return Stub(tmp_path)


class Instant:
    """An executor that works in a thread, says what files took, and keeps count."""

    _max_workers = 2

    def __init__(self, task, fails=None, takes=0.001):
        self.task, self.fails, self.takes = task, fails or {}, takes
        self.batches, self.most_out = [], 0
        self._thread = ThreadPoolExecutor(1)
        self._out = set()

    def submit(self, _do, _order, batch, _part):
        self.batches.append(batch)
        future = self._thread.submit(self._work, batch)
        self._out.add(future)
        self._out = {future for future in self._out if not future.done()}
        self.most_out = max(self.most_out, len(self._out))
        return future

    def _work(self, batch):
        for found, _ in batch:
            if found.path in self.fails:
                raise self.fails[found.path]
        outcomes = [Outcome(found, self.task.do(found, lambda _: None)) for found, _ in batch]
        return Done(outcomes, self.takes * len(batch))


class Quick(Stub):
    """Leaves no marks."""

    def do(self, found, on_progress):
        on_progress(0.0)
        return self.fail(found.path, None)


@pytest.mark.parametrize("executor", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_an_executor_gives_the_same_records(recordings, tiny_model, executor):
    here = sorted(map(result_to_line, label_paths([recordings], model=tiny_model, jobs=1)))
    notes = Notes()
    with executor(2) as workers:
        there = [*label_paths([recordings], model=tiny_model, executor=workers, observer=notes)]
    assert sorted(map(result_to_line, there)) == here
    assert len(notes.finished) == len(notes.found) == len(here)
    assert notes.seconds == pytest.approx(sum(result.decoded for result in there))
    assert notes.workers == [2]


def test_what_is_kept_is_not_sent_out(tiny_model, recordings):
    class Kept:
        def recall(self, found):
            return Stub(None).fail(found.path, None)

        def record(self, *_):
            raise AssertionError("nothing is new")

    with ThreadPoolExecutor(1) as workers:
        results = [*label_paths([recordings], model=tiny_model, executor=workers, journal=Kept())]
    assert {result.model for result in results} == {"stub@1"}


def test_what_is_known_in_part_is_sent_out_with_that(stub):
    """The picture of a file, say, whose sound was labelled before."""
    half = FileResult("crashes", Status.OK, "half@1")
    with ThreadPoolExecutor(1) as workers:
        outcomes = run(
            named("a", "crashes"),
            stub,
            ExecutorEngine(workers),
            recall=lambda found: Outcome(found, replace(half, path=found.path), is_recalled=True),
        )
        results = {outcome.found.path: outcome.result for outcome in outcomes}
    assert results["a"].model == "stub@1"
    assert (results["crashes"].model, results["crashes"].status) == ("half@1", Status.PARTIAL)


def test_few_batches_are_out_however_many_files_there_are():
    task = Quick(None)
    executor = Instant(task)
    outcomes = run(named(*map(str, range(20000))), task, ExecutorEngine(executor))
    assert Counter(outcome.found.path for outcome in outcomes) == Counter(map(str, range(20000)))
    assert executor.most_out <= AHEAD * 2
    sizes = [len(batch) for batch in executor.batches]
    assert max(sizes) <= LARGEST_BATCH
    assert len(sizes) < 400  # small files go out by the hundred, once it is known how small
    assert sizes[0] < max(sizes)


def test_the_last_batches_are_small_so_that_workers_end_together():
    task = Quick(None)
    executor = Instant(task, takes=0.1)
    assert len([*run(named(*map(str, range(1000))), task, ExecutorEngine(executor))]) == 1000
    sizes = [len(batch) for batch in executor.batches]
    assert max(sizes) == BATCH_SECONDS / 0.1
    last = sizes[-sizes[::-1].index(max(sizes)) :]
    assert all(now >= later for now, later in pairwise(last[:-1]))
    assert last[-2] == LEAST_SECONDS / 0.1
    assert sum(last) <= AHEAD * 2 * max(sizes)


def test_batches_are_of_usual_size_while_files_are_still_being_found():
    task = Quick(None)
    executor = Instant(task, takes=0.1)
    more = threading.Event()

    def found_late():
        yield from named(*map(str, range(1000)))
        more.wait()

    outcomes = run(found_late(), task, ExecutorEngine(executor))
    assert len([*islice(outcomes, 900)]) == 900
    sizes = [len(batch) for batch in executor.batches]
    assert set(sizes[sizes.index(max(sizes)) : -2]) == {BATCH_SECONDS / 0.1}
    more.set()
    assert len([*outcomes]) == 100


def test_large_files_go_out_alone():
    task = Quick(None)
    executor = Instant(task, takes=400)
    videos = named(*map(str, range(10)), size=2 * 10**9)
    assert len([*run(videos, task, ExecutorEngine(executor))]) == 10
    assert [len(batch) for batch in executor.batches] == [1] * 10


def test_a_batch_that_comes_back_undone_goes_out_file_by_file():
    task = Quick(None)
    executor = Instant(task, {"3": OSError("no link")})
    outcomes = [*run(named(*map(str, range(40))), task, ExecutorEngine(executor))]
    assert sorted(int(outcome.found.path) for outcome in outcomes) == [*range(40)]
    failed = [o.result for o in outcomes if o.result.error is not None]
    assert [result.path for result in failed] == ["3"]
    assert "no link" in failed[0].error.message
    assert failed[0].error.may_pass
    assert sum(found.path == "3" for batch in executor.batches for found, _ in batch) == TRIES


def test_a_file_that_crashes_its_process_costs_itself_only(stub):
    files = named("a", "crashes", "b")
    with ThreadPoolExecutor(1) as workers:
        outcomes = [*run(files, stub, ExecutorEngine(workers))]
    statuses = {outcome.found.path: outcome.result.status for outcome in outcomes}
    assert statuses == {"a": Status.OK, "crashes": Status.FAILED, "b": Status.OK}
    assert stub.tries("crashes") == 1


def test_an_executor_that_breaks_ends_the_run(stub):
    """Nothing goes on there, and the rest must not all be taken for files that fail."""
    with ProcessPoolExecutor(1) as workers:
        results = run(named("kills-worker", *map(str, range(50))), stub, ExecutorEngine(workers))
        with pytest.raises(AsmrClassifyError, match=r"takes no more work .*run again") as told:
            list(results)
    assert isinstance(told.value.__cause__, BrokenProcessPool)


class Narrow:
    """Takes more batches than it works on at a time."""

    _max_workers = 4

    def __init__(self, workers):
        self.submit = workers.submit


def test_a_run_that_is_stopped_gives_what_is_at_work_and_calls_back_the_rest(stub):
    stop = threading.Event()
    slow = Stub(stub.marks, seconds=0.05)  # so long that results come while the next batch waits
    with ThreadPoolExecutor(1) as workers:
        executor = ExecutorEngine(Narrow(workers))
        results = run(named(*map(str, range(1000))), slow, executor, stop=stop)
        given = [next(results).found.path]
        begun = max(int(mark.name.partition(".")[0]) for mark in stub.marks.glob("[0-9]*"))
        stop.set()
        given += [outcome.found.path for outcome in results]
    marks = {mark.name.partition(".")[0] for mark in stub.marks.glob("[0-9]*")}
    assert {*given} == marks  # nothing is done in vain
    assert begun < len(given) <= 2 * FIRST_SECONDS / FILE_SECONDS  # its batch, or that and the next


def test_what_came_back_undone_is_not_sent_again_once_a_run_is_stopped():
    task = Quick(None)
    stop = threading.Event()

    class Stopped(Instant):
        """Is stopped while it works."""

        def _work(self, batch):
            stop.set()
            return super()._work(batch)

    executor = Stopped(task, {"3": OSError("no link")})
    outcomes = [*run(named(*map(str, range(10))), task, ExecutorEngine(executor), stop=stop)]
    assert outcomes == []
    assert len(executor.batches) == 1


def test_nothing_is_left_at_work_once_a_run_is_over(stub, monkeypatch):
    benches = {}
    monkeypatch.setattr(bench, "_benches", benches)
    with ThreadPoolExecutor(2) as workers:
        assert len([*run(named("a", "b", "c"), stub, ExecutorEngine(workers))]) == 3
        assert not benches


@pytest.mark.usefixtures("recordings")
def test_names_start_from_where_the_run_was_started(tiny_model):
    with ProcessPoolExecutor(1) as workers:
        workers.submit(os.chdir, "/").result()
        results = [*label_paths(["in/0.wav"], model=tiny_model, executor=workers)]
    assert [(result.path, result.status) for result in results] == [("in/0.wav", Status.OK)]


def test_jobs_and_an_executor_exclude_each_other(tiny_model):
    with pytest.raises(UsageError, match="jobs"):
        label_paths(["a.wav"], model=tiny_model, jobs=2, executor=Instant(None))


def test_features_are_kept_on_this_machine_only(tiny_model, tmp_path):
    features = KeptFeatures(tmp_path, 10**6)
    with pytest.raises(UsageError, match="features are kept on this machine"):
        label_paths(["a.wav"], model=tiny_model, features=features, executor=Instant(None))
