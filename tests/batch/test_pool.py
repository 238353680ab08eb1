"""What becomes of a file whose worker crashes, is killed, hangs or takes too much memory."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from asmr_classify.aggregate import FileResult, Status
from asmr_classify.batch import Limits, label_paths, pool, process
from asmr_classify.batch.ahead import ReadAhead
from asmr_classify.batch.isolate import Outcome
from asmr_classify.batch.labelling import LabelTask
from asmr_classify.errors import AsmrClassifyError
from asmr_classify.media.found import Found
from asmr_classify.writers.jsonl import result_to_line
from tests.conftest import DEMO
from tests.storage import BUCKET

FLAC = (DEMO / "tap-wood.flac").read_bytes()
NAMES = [f"{number}.wav" for number in range(8)]

posix = pytest.mark.skipif(os.name != "posix", reason="kills by signals")
linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")


def label_here(model, **options):
    """Label the working directory; each file of it has one result."""
    results = list(label_paths(["."], model=model, **options))
    assert sorted(result.path for result in results) == NAMES
    return {result.path: result for result in results}


def failures(results):
    return {path: result.error for path, result in results.items() if result.status == "failed"}


def is_running(pid):
    """Whether a process runs; one that has ended and is not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@posix
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("end", "reason"),
    [
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", "was killed (SIGKILL)", id="killed"),
        pytest.param("signal.raise_signal(signal.SIGSEGV)", "was killed (SIGSEGV)", id="fault"),
        pytest.param("os._exit(7)", "ended with status 7", id="exit"),
    ],
)
def test_a_dead_worker_costs_its_file_only(noises, workers_with, tiny_model, end, reason, jobs):
    noises(*NAMES)
    workers_with([f"if path in ('3.wav', '7.wav'): {end}"])
    failed = failures(label_here(tiny_model, jobs=jobs))
    assert sorted(failed) == ["3.wav", "7.wav"]
    for path, error in failed.items():
        assert error.kind == "WorkerError"
        assert error.message.startswith(f"{path}: the process that read it {reason}; ")


def test_what_a_file_makes_a_library_print_does_no_harm(noises, workers_with, tiny_model):
    noises(*NAMES)
    workers_with(["print('x' * 9000, flush=True)", "os.write(1, b'y' * 9000)"])
    assert not failures(label_here(tiny_model))


def test_a_file_that_hangs_is_given_up(noises, workers_with, tiny_model):
    noises(*NAMES)
    workers_with(["if path == '3.wav': time.sleep(600)"])
    began = time.monotonic()
    failed = failures(label_here(tiny_model, limits=Limits(patience=2)))
    assert time.monotonic() - began < 60
    [(path, error)] = failed.items()
    assert (path, error.kind) == ("3.wav", "WorkerError")
    assert "nothing of it was decoded for 2 s" in error.message
    assert "--timeout" in error.message


@pytest.fixture
def unkillable(monkeypatch):
    """Makes kills do nothing, as to a process that waits for a disk which is gone."""
    victims = []
    kill = subprocess.Popen.kill

    def spare(self):
        victims.append(self)

    monkeypatch.setattr(subprocess.Popen, "kill", spare)
    for module in (process, pool):
        monkeypatch.setattr(module, "FAREWELL", 1.0)
    yield victims
    for victim in victims:
        kill(victim)
        victim.wait()
        victim.stdin.close()


def test_a_worker_that_cannot_be_killed_costs_its_file_only(
    noises, workers_with, tiny_model, unkillable
):
    noises(*NAMES)
    workers_with(["if path == '3.wav': time.sleep(600)"])
    began = time.monotonic()
    failed = failures(label_here(tiny_model, limits=Limits(patience=2)))
    assert time.monotonic() - began < 60
    assert list(failed) == ["3.wav"]
    assert "nothing of it was decoded for 2 s" in failed["3.wav"].message
    assert unkillable[0].poll() is None


def test_a_run_is_not_held_up_at_its_end_by_a_worker_that_cannot_be_killed(
    noises, workers_with, tiny_model, unkillable
):
    noises(*NAMES)
    workers_with(["if path == '3.wav': time.sleep(600)"])
    results = label_paths(["."], model=tiny_model, jobs=2)
    for _ in range(7):
        next(results)
    began = time.monotonic()
    results.close()
    assert time.monotonic() - began < 10
    assert unkillable[0].poll() is None


def test_a_long_file_may_take_as_long_as_it_gets_on(noises, workers_with, tiny_model):
    noises(*NAMES)
    workers_with(
        [
            "if path == '3.wav':",
            "    for seconds in range(12): on_progress(seconds); time.sleep(0.25)",
        ]
    )
    assert not failures(label_here(tiny_model, limits=Limits(patience=2)))


@linux
def test_a_file_that_takes_too_much_memory_fails(noises, workers_with, tiny_model):
    noises(*NAMES)
    workers_with(["if path == '3.wav': bytearray(700_000_000)"])
    assert not failures(label_here(tiny_model))
    failed = failures(label_here(tiny_model, limits=Limits(max_memory=600_000_000)))
    [(path, error)] = failed.items()
    assert (path, error.kind) == ("3.wav", "WorkerError")
    assert "needs more memory than is allowed or there is" in error.message
    assert "--max-memory" in error.message


def test_recordings_are_labelled_within_the_least_memory(recordings, tiny_model):
    limits = Limits(max_memory=500_000_000)
    statuses = [r.status for r in label_paths([recordings], model=tiny_model, limits=limits)]
    assert sorted(statuses) == ["failed", "ok", "ok", "ok"]  # one of them is empty


def test_workers_that_never_start_end_the_run(noises, tiny_model, monkeypatch):
    noises(*NAMES)
    monkeypatch.setattr(pool, "START", "raise SystemExit(5)")
    with pytest.raises(AsmrClassifyError, match=r"no worker .* can be started .* status 5"):
        list(label_paths(["."], model=tiny_model))


@pytest.fixture
def only(monkeypatch):
    """Lets so many processes, or threads to listen to them, be started, and no more."""

    def allow(n_starts, what, error):
        starts = iter(range(n_starts))
        start = getattr(process, what[0]).__dict__[what[1]]

        def fail(*args, **kwargs):
            if next(starts, None) is None:
                raise error
            return start(*args, **kwargs)

        monkeypatch.setattr(getattr(process, what[0]), what[1], fail)

    return allow


NO_PROCESS = ("subprocess", "Popen"), BlockingIOError(11, "Resource temporarily unavailable")
NO_THREAD = ("threading", "Thread"), RuntimeError("can't start new thread")


@pytest.mark.parametrize("lack", [NO_PROCESS, NO_THREAD], ids=["no process", "no thread"])
def test_a_run_goes_on_with_the_workers_that_can_be_started(noises, tiny_model, only, lack, caplog):
    noises(*NAMES)
    only(3 if lack is NO_THREAD else 2, *lack)  # the first thread searches for files
    assert not failures(label_here(tiny_model, jobs=6))
    assert "going on with 2 workers, no more can be started" in caplog.text


def test_a_run_without_any_worker_ends_with_the_reason(noises, tiny_model, only):
    noises(*NAMES)
    only(0, *NO_PROCESS)
    with pytest.raises(AsmrClassifyError, match=r"no worker .*\(.*Resource temporarily unavail"):
        label_here(tiny_model, jobs=2)


def test_a_slow_start_is_not_taken_for_a_file_that_hangs(noises, tiny_model, monkeypatch):
    noises("0.wav")
    monkeypatch.setattr(pool, "START", "import time; time.sleep(4)\n" + pool.START)
    [result] = label_paths(["."], model=tiny_model, limits=Limits(patience=2))
    assert result.status == "ok"


def test_a_worker_that_takes_too_long_to_start_is_no_fault_of_a_file(
    noises, tiny_model, monkeypatch
):
    noises("0.wav")
    monkeypatch.setattr(pool, "STARTUP_PATIENCE", 1.0)
    monkeypatch.setattr(pool, "START", "import time; time.sleep(600)")
    with pytest.raises(AsmrClassifyError, match=r"no worker process can be started .*killed"):
        list(label_paths(["."], model=tiny_model, limits=Limits(patience=1)))


def test_a_worker_is_ready_once_all_is_loaded(noises, workers_with, tiny_model, place):
    noises("0.wav", "1.wav")
    workers_with(
        [
            "with open(path + '.txt', 'w') as file: file.write(' '.join(sys.modules))",
            "label(path, model=model)",
        ],
        before=["from asmr_classify.classify import label_file as label"],
    )
    list(label_paths(["."], model=tiny_model, jobs=1))
    first, second = ((place / f"{n}.wav.txt").read_text().split() for n in (0, 1))
    packages = [{name.partition(".")[0] for name in names} for names in (first, second)]
    assert {"av", "numpy", "scipy", "threadpoolctl"} <= packages[0] == packages[1]


@pytest.mark.parametrize("module", ["json", "numpy", "asmr_classify"])
def test_nothing_in_the_working_directory_is_run(noises, tiny_model, place, module):
    noises(*NAMES)
    hostile = place / f"{module}.py"
    hostile.write_text("open('was-run', 'w').close()\nraise SystemExit(9)\n")
    assert not failures(label_here(tiny_model, jobs=1))
    assert not (place / "was-run").exists()


def test_workers_find_the_package_where_the_program_found_it(noises, place):
    noises("a.wav")
    package = Path(pool.__file__).parents[1]
    copy = place / "elsewhere" / "asmr_classify"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "models").symlink_to(package.parent / "models")
    with (copy / "classify.py").open("a") as file:
        file.write("\nopen('labelled-by-the-copy', 'w').close()\n")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from asmr_classify.batch import label_paths\n"
        "print(*(result.status.value for result in label_paths(['a.wav'], jobs=1)))\n"
    )
    run = [sys.executable, "-P", "-c", code, str(copy.parent)]
    assert subprocess.run(run, check=True, stdout=subprocess.PIPE).stdout == b"ok\n"
    assert (place / "labelled-by-the-copy").exists()


@posix
def test_a_worker_that_is_killed_before_it_is_ready_costs_nothing(
    noises, tiny_model, monkeypatch, tmp_path_factory
):
    noises(*NAMES)
    mark = tmp_path_factory.mktemp("marks") / "killed"
    monkeypatch.setattr(
        pool,
        "START",
        f"import os\nif not os.path.exists({str(mark)!r}):\n"
        f"    open({str(mark)!r}, 'w').close(); os.kill(os.getpid(), 9)\n" + pool.START,
    )
    assert not failures(label_here(tiny_model, jobs=1))
    assert mark.exists()


@posix
def test_a_worker_that_dies_between_two_files_costs_nothing(
    noises, workers_with, tiny_model, place
):
    noises(*NAMES)
    workers_with(["with open('pid.txt', 'w') as file: file.write(str(os.getpid()))"])
    results = label_paths(["."], model=tiny_model, jobs=1)
    first = next(results)
    pid = int((place / "pid.txt").read_text())
    os.kill(pid, 9)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # until its last thread has ended
    assert [result.status for result in [first, *results]] == ["ok"] * len(NAMES)


@linux
@pytest.mark.parametrize("how", ["closed", "finished"])
def test_no_worker_outlives_its_run(noises, workers_with, tiny_model, place, how):
    noises(*NAMES)
    workers_with(
        [
            "with open('pids.txt', 'a') as file: file.write(f'{os.getpid()}\\n')",
            f"if path == '7.wav' and {how == 'closed'}: time.sleep(600)",
        ]
    )
    results = label_paths(["."], model=tiny_model, jobs=2)
    for _ in range(7):
        next(results)
    if how == "finished":
        next(results)
        assert next(results, None) is None
    results.close()
    pids = {int(line) for line in (place / "pids.txt").read_text().split()}
    assert pids
    assert not any(map(is_running, pids))


@linux
@pytest.mark.parametrize(
    "doing",
    [
        pytest.param("while True: on_progress(1.0); time.sleep(0.05)", id="at work"),
        pytest.param("time.sleep(600)", id="hanging"),
    ],
)
def test_workers_end_when_the_process_that_started_them_is_killed(
    noises, workers_with, place, doing
):
    noises(*NAMES)
    workers_with(
        [
            "with open('pids.txt', 'a') as file: file.write(f'{os.getpid()}\\n')",
            doing,
        ]
    )
    code = (
        "import sys; from asmr_classify.batch import label_paths, pool; pool.START = sys.argv[1]; "
        "list(label_paths(['.'], jobs=2))"
    )
    deadline = time.monotonic() + 60
    with subprocess.Popen([sys.executable, "-c", code, pool.START]) as child:
        while not (place / "pids.txt").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        child.kill()
    pids = {int(line) for line in (place / "pids.txt").read_text().split()}
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert pids
    assert not any(map(is_running, pids))


def test_a_run_that_is_stopped_finishes_the_files_at_hand(noises, workers_with, tiny_model):
    noises(*NAMES)
    workers_with(["time.sleep(0.2)"])
    stop = threading.Event()
    results = label_paths(["."], model=tiny_model, jobs=2, stop=stop)
    next(results)
    stop.set()
    assert 1 <= len(list(results)) <= 2


@pytest.fixture
def slow_search(monkeypatch):
    """Makes the search give two files, and then nothing for a long time."""
    enough = threading.Event()

    def discover(*_, **__):
        yield Found("0.wav", 1)
        yield Found("1.wav", 1)
        enough.wait(30)
        enough.set()

    monkeypatch.setattr("asmr_classify.batch.discover", discover)
    yield enough
    enough.set()


def test_results_come_while_files_are_searched_for(noises, tiny_model, slow_search):
    noises(*NAMES)
    results = label_paths(["."], model=tiny_model, jobs=3)
    assert sorted(next(results).path for _ in range(2)) == ["0.wav", "1.wav"]
    assert not slow_search.is_set()
    slow_search.set()
    assert list(results) == []


def test_a_file_that_hangs_is_given_up_while_files_are_searched_for(
    noises, workers_with, tiny_model, slow_search
):
    noises(*NAMES)
    workers_with(["if path == '1.wav': time.sleep(600)"])
    results = label_paths(["."], model=tiny_model, jobs=3, limits=Limits(patience=2))
    assert [next(results).status, next(results).status] == ["ok", "failed"]
    assert not slow_search.is_set()


def test_a_run_can_be_stopped_while_files_are_searched_for(noises, tiny_model, slow_search):
    noises(*NAMES)
    stop = threading.Event()
    results = label_paths(["."], model=tiny_model, jobs=3, stop=stop)
    next(results), next(results)
    threading.Timer(0.1, stop.set).start()
    assert list(results) == []
    assert not slow_search.is_set()


def test_workers_are_heard_while_known_results_pour_in(noises, tiny_model):
    noises("0.wav")
    names = itertools.chain(["0.wav"], map(str, itertools.count(1)))
    done = FileResult("", Status.OK, "tiny@0.1")

    def recall(found):
        return None if found.path == "0.wav" else Outcome(found, done, is_recalled=True)

    with closing(ReadAhead((Found(name, 1) for name in names), 100)) as finds:
        outcomes = pool.iter_parallel(
            finds,
            LabelTask(tiny_model),
            2,
            recall=recall,
            limits=Limits(),
            stop=threading.Event(),
            on_decoded=lambda _: None,
        )
        deadline = time.monotonic() + 60
        with closing(outcomes):
            for outcome in outcomes:
                assert time.monotonic() < deadline
                if not outcome.is_recalled:
                    break
    assert outcome.found.path == "0.wav"


def test_a_moment_in_which_the_program_was_stopped_does_not_count(tiny_model, monkeypatch):
    times = iter([0.0, 0.2, 1000.0, 1000.2])
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    with pool._Crew(LabelTask(tiny_model), 1, Limits(patience=5), lambda _: None, None) as crew:

        class Worker:
            quiet_for, given_up, is_ready = 0.0, False, True

            def kill(self):
                raise AssertionError("killed though it did nothing wrong")

        worker = Worker()
        crew._busy.append(worker)
        for _ in range(3):
            crew._watch()
        crew._busy.clear()
    assert re.fullmatch(r"0\.[89]\d*", str(worker.quiet_for))


@pytest.fixture
def bucket(storage):
    """A folder of a bucket with eight small recordings."""
    for name in NAMES:
        storage.put(f"next/{name}", FLAC)
    return f"s3://{BUCKET}/next"


def test_a_small_object_is_fetched_while_another_is_worked_on(
    bucket, storage, workers_with, tiny_model
):
    """No file is done before the next one was asked for, but the last."""
    workers_with(
        [
            "import urllib.request",
            "def n_asked():",
            "    with urllib.request.urlopen(os.environ['AWS_ENDPOINT_URL'] + '/_log') as log:",
            "        return sum('GET' in line and '/next/' in line[1] for line in json.load(log))",
            "number = int(path.rpartition('/')[2][0])",
            "for _ in range(600):",
            "    if n_asked() >= min(number + 2, 8): break",
            "    time.sleep(0.05)",
            "else: raise RuntimeError('the next one is not asked for')",
        ]
    )
    storage.recover()
    results = [*label_paths([bucket], model=tiny_model, jobs=1)]
    assert [result.path for result in results] == [f"{bucket}/{name}" for name in NAMES]
    assert {result.error for result in results} == {None}


@posix
@pytest.mark.parametrize(
    ("end", "jobs", "patience"),
    [
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", 1, 60, id="killed"),
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", 2, 60, id="killed, of two"),
        pytest.param("time.sleep(600)", 1, 4, id="hangs"),
    ],
)
def test_what_a_worker_was_to_go_on_with_is_not_lost_with_it(
    bucket, workers_with, tiny_model, end, jobs, patience
):
    workers_with([f"if path[-5] in '37': {end}"])
    limits = Limits(patience=patience)
    results = [*label_paths([bucket], model=tiny_model, jobs=jobs, limits=limits)]
    assert sorted(result.path for result in results) == [f"{bucket}/{name}" for name in NAMES]
    failed = {result.path[-5] for result in results if result.error is not None}
    assert failed == {"3", "7"}


def test_what_a_stuck_worker_was_to_go_on_with_is_done_by_another(
    bucket, workers_with, tiny_model, unkillable
):
    workers_with(["if path[-5] == '3': time.sleep(600)"])
    results = [*label_paths([bucket], model=tiny_model, jobs=1, limits=Limits(patience=4))]
    assert sorted(result.path for result in results) == [f"{bucket}/{name}" for name in NAMES]
    assert {result.path[-5] for result in results if result.error is not None} == {"3"}
    assert unkillable[0].poll() is None


def test_files_and_objects_small_and_large_come_to_the_same_end(
    bucket, noises, tiny_model, monkeypatch
):
    noises(*NAMES)
    mixed = [path for name in NAMES for path in (f"{bucket}/{name}", name)]
    with monkeypatch.context() as larger:
        larger.setattr("asmr_classify.media.blocks.BLOCK_BYTES", len(FLAC) - 1)
        large = sorted(map(result_to_line, label_paths(mixed, model=tiny_model, jobs=2)))
    small = sorted(map(result_to_line, label_paths(mixed, model=tiny_model, jobs=2)))
    assert small == large
    assert len(small) == 16


def test_a_run_over_storage_that_is_stopped_gives_what_is_at_hand(bucket, tiny_model):
    stop = threading.Event()
    results = label_paths([bucket], model=tiny_model, jobs=1, stop=stop)
    first = next(results)
    stop.set()
    rest = [*results]
    assert first.error is None
    assert len(rest) <= 2
