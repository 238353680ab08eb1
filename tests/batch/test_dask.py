"""A real cluster of processes, and what becomes of files when it suffers."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from io import BytesIO

import dask
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from distributed.comm import CommClosedError
from fsspec.core import url_to_fs
from pyarrow import parquet

from asmr_classify import label_paths
from asmr_classify.aggregate import Status
from asmr_classify.batch import Journal, Limits, Table, bench, engine
from asmr_classify.batch.dask import (
    CONNECT_SECONDS,
    TRIMMING,
    DaskEngine,
    connect,
    start_local,
)
from asmr_classify.batch.engine import (
    FILE_SECONDS,
    FIRST_SECONDS,
    engine_of,
)
from asmr_classify.errors import AsmrClassifyError, UsageError
from asmr_classify.model import save_model
from asmr_classify.version import own_version
from asmr_classify.writers.jsonl import result_to_line
from tests import clusters
from tests.batch.conftest import Notes
from tests.batch.tasks import WAYS, Environment, SlowHere, Stub
from tests.batch.test_engine import named, run
from tests.conftest import DEMO, ROOT, shared_folder
from tests.media.hostile import make_hostile
from tests.storage import BUCKET

N_KILLED = 10


@pytest.fixture(scope="module")
def client():
    """A cluster of two workers."""
    with start_local(2) as cluster, Client(cluster, set_as_default=False) as client:
        yield client


@pytest.fixture
def stub(tmp_path):
    return Stub(tmp_path)


def lines(results):
    return sorted(map(result_to_line, results))


def test_a_cluster_gives_the_same_records(client, tiny_model, recordings):
    paths = [recordings, DEMO]
    assert lines(label_paths(paths, model=tiny_model, executor=client)) == lines(
        label_paths(paths, model=tiny_model, jobs=2)
    )


def test_a_cluster_gives_the_same_records_of_real_and_damaged_files(client, tiny_model, shared):
    paths = [shared / "media", shared / "cases"]
    for how in WAYS:
        expected = lines(label_paths(paths, model=tiny_model, jobs=2, **how))
        assert lines(label_paths(paths, model=tiny_model, executor=client, **how)) == expected
        assert len(expected) > 1


def set_environment(environment):
    os.environ.update(environment)


def test_a_cluster_gives_the_same_records_from_a_bucket(client, storage, tiny_model, tmp_path):
    """Of whole clips, of damaged files, and of a sample of the corpus where there is one."""
    for seed in range(20, 40):
        name, data = make_hostile(seed)
        (tmp_path / name).write_bytes(data)
    corpus = shared_folder() / "corpus"
    clips = sorted(path for path in corpus.rglob("*") if path.suffix in {".opus", ".flac", ".mp3"})
    for path in [*DEMO.iterdir(), *clips[::250]]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for path in tmp_path.iterdir():
        storage.put(f"cluster/{path.name}", path.read_bytes())
    client.run(set_environment, storage.environment)
    here = lines(label_paths([tmp_path], model=tiny_model, jobs=2))
    for there in (str(tmp_path), f"s3://{BUCKET}/cluster"):
        results = lines(label_paths([there], model=tiny_model, executor=client))
        assert [line.replace(f"{there}/", "") for line in results] == [
            line.replace(f"{tmp_path}/", "") for line in here
        ]
    assert len(here) > 30


def test_workers_that_are_killed_cost_nothing(client, stub):
    files = [*map(str, range(49 * N_KILLED))]
    files += [f"kills-worker-once-{n}" for n in range(N_KILLED)]
    random.Random(5).shuffle(files)  # noqa: S311 (an order)
    outcomes = [*run(named(*files), stub, DaskEngine(client))]
    assert Counter(outcome.found.path for outcome in outcomes) == Counter(files)
    assert {outcome.result.status for outcome in outcomes} == {Status.OK}
    assert all(stub.tries(f"kills-worker-once-{n}") > 1 for n in range(N_KILLED))


def test_a_run_that_is_stopped_calls_back_what_no_worker_has_begun(client, stub, monkeypatch):
    monkeypatch.setattr(engine, "AHEAD", 6)
    stop = threading.Event()
    slow = Stub(stub.marks, seconds=0.1)
    results = run(named(*map(str, range(1000))), slow, DaskEngine(client), stop=stop)
    given = [next(results).found.path]
    time.sleep(0.5)
    stop.set()
    given += [outcome.found.path for outcome in results]
    time.sleep(0.5)
    marks = [mark.name.partition(".")[0] for mark in stub.marks.glob("[0-9]*")]
    assert sorted(given) == sorted(marks)  # nothing is done in vain
    # Of twelve batches one or two are done by then, two are at work, and two may just be begun.
    assert len(given) <= 6 * FIRST_SECONDS / FILE_SECONDS


def test_an_executor_that_a_client_gives_works_as_the_client_does(client, stub):
    with client.get_executor() as executor:
        works_by = engine_of(executor)
        assert isinstance(works_by, DaskEngine)
        outcomes = [*run(named("a", "b"), stub, works_by)]
    assert [outcome.result.status for outcome in outcomes] == [Status.OK] * 2


def test_two_runs_on_one_cluster_each_give_one_result_a_file(client, stub):
    names = [*map(str, range(40))], [f"other-{n}" for n in range(40)]
    runs = [run(named(*files), stub, DaskEngine(client)) for files in names]
    by_turns = zip(*runs, strict=True)
    for files, outcomes in zip(names, zip(*by_turns, strict=True), strict=True):
        assert Counter(outcome.found.path for outcome in outcomes) == Counter(files)
        assert {outcome.result.status for outcome in outcomes} == {Status.OK}
        assert {stub.tries(name) for name in files} == {1}


def test_a_file_that_kills_every_worker_fails_alone(client, stub):
    files = [*map(str, range(30)), "kills-worker"]
    outcomes = [*run(named(*files), stub, DaskEngine(client))]
    assert Counter(outcome.found.path for outcome in outcomes) == Counter(files)
    (failed,) = [o.result for o in outcomes if o.result.status is Status.FAILED]
    assert failed.path == "kills-worker"
    assert failed.error.may_pass
    assert "KilledWorker" in failed.error.message


def test_the_model_goes_to_each_worker_once(client, stub, monkeypatch):
    monkeypatch.setattr(engine, "LARGEST_BATCH", 10)
    by = DaskEngine(client)
    assert len([*run(named(*map(str, range(300))), stub, by)]) == 300
    n_arrivals = len(list(stub.marks.glob("arrived.*")))
    assert 2 <= n_arrivals <= 8  # in each worker that was, and from there in its process that reads
    assert by._n_sent >= 30


def test_a_worker_that_joins_later_works_too(client, stub):
    slow = Stub(stub.marks, seconds=0.05)
    outcomes = run(named(*map(str, range(100))), slow, DaskEngine(client))
    first = next(outcomes)
    client.cluster.adapt(minimum=3, maximum=3)
    rest = [*outcomes]
    client.cluster.adapt(minimum=2, maximum=2)
    assert len({first.found.path, *(outcome.found.path for outcome in rest)}) == 100


def test_workers_of_another_version_are_refused_with_both(client, stub, monkeypatch):
    actual = own_version()
    monkeypatch.setattr(bench, "own_version", lambda: "0.0.1")
    monkeypatch.setattr(engine, "Order", lambda *order: engine_order(*order, version="0.0.1"))
    with pytest.raises(UsageError, match=rf"has asmr-classify {actual}.*with 0\.0\.1"):
        next(run(named("a"), stub, DaskEngine(client)))


engine_order = bench.Order


def test_workers_forget_a_run_that_is_over(client, stub):
    list(run(named("a"), stub, DaskEngine(client)))
    left = client.run(lambda dask_worker: [*map(str, dask_worker.plugins)])
    assert not any("asmr-classify" in name for names in left.values() for name in names)


def test_what_dask_sets_for_its_own_memory_does_not_slow_down_who_reads(client, stub):
    assert "MALLOC_TRIM_THRESHOLD_" in dask.config.get("distributed.nanny.pre-spawn-environ")
    list(run(named(TRIMMING), Environment(stub.marks), DaskEngine(client)))
    assert [mark.stem for mark in stub.marks.glob("is-set-*")] == ["is-set-False"]


def test_nobody_listens(monkeypatch):
    assert CONNECT_SECONDS < 9  # with all that is done before and after, it is told within ten
    monkeypatch.setattr("asmr_classify.batch.dask.CONNECT_SECONDS", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with (
        pytest.raises(AsmrClassifyError, match=rf"tcp://127\.0\.0\.1:{port} within 1 s"),
        connect(f"tcp://127.0.0.1:{port}"),
    ):
        pass


def test_whoever_listens_and_is_no_scheduler_is_told_in_time(monkeypatch):
    monkeypatch.setattr("asmr_classify.batch.dask.CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        asked = time.monotonic()
        told = rf"{address} within 1 s \(TimeoutError\)"
        with pytest.raises(AsmrClassifyError, match=told), connect(address):
            pass
        assert time.monotonic() - asked < 5  # without the limit it never ends


def test_whoever_speaks_otherwise_is_told():
    """Its first eight bytes are read as a length: that of this is some exabytes."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"

        def greet():
            with other.accept()[0] as connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
                connection.recv(1)

        threading.Thread(target=greet, daemon=True).start()
        told = rf"no Dask scheduler answers at {address} .*\(.+\)"
        with pytest.raises(AsmrClassifyError, match=told), connect(address):
            pass


def test_an_interrupt_of_the_terminal_is_not_for_workers_of_this_machine():
    with start_local(1) as cluster, Client(cluster, set_as_default=False) as client:
        pid = client.submit(os.getpid, pure=False).result()
        at_work = client.submit(_work_on, pure=False)
        time.sleep(0.5)
        os.kill(pid, signal.SIGINT)
        assert at_work.result(30) == pid
        listening = client.scheduler_info()["services"]["dashboard"]
        with pytest.raises(OSError, match=r"refused|unreachable"):  # as on any other interface
            socket.create_connection(("127.0.0.2", listening), 2).close()


def _work_on():
    time.sleep(1.5)
    return os.getpid()


@pytest.mark.parametrize(("n_gone", "is_told"), [(2, True), (3, False)])
def test_a_worker_that_goes_as_it_is_told_does_not_end_the_run(
    client, stub, monkeypatch, n_gone, is_told
):
    told, register = [], client.register_plugin

    def register_plugin(plugin):
        told.append(plugin)
        if len(told) <= n_gone:
            raise CommClosedError("Stream is closed")
        return register(plugin)

    monkeypatch.setattr(client, "register_plugin", register_plugin)
    if is_told:
        assert len(list(run(named("a"), stub, DaskEngine(client)))) == 1
    else:
        with pytest.raises(AsmrClassifyError, match=r"cannot take the model \(CommClosedError"):
            list(run(named("a"), stub, DaskEngine(client)))


N_CLIPS = 400


@pytest.fixture
def kill_in_the_middle(client, noises, tiny_model, tmp_path_factory):
    """Starts a run over clips by the program, on the cluster, and kills the program."""
    noises(*(f"{number:03d}.wav" for number in range(N_CLIPS)))
    model = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_model(tiny_model, model)

    def kill(is_begun, *output):
        command = [sys.executable, "-m", "asmr_classify", "label", ".", "--model", str(model)]
        command += ["--dask", client.scheduler.address, "--quiet", "--output", *output]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        with subprocess.Popen(command, env=environment) as process:
            while not is_begun() and process.poll() is None:
                time.sleep(0.005)
            process.kill()
            assert process.wait() == -signal.SIGKILL

    return kill


def test_a_run_whose_start_was_killed_goes_on_by_its_journal(
    client, kill_in_the_middle, place, tiny_model
):
    path = place / "out.jsonl.journal"

    def entries():
        return path.read_bytes().splitlines()[1:] if path.exists() else []

    kill_in_the_middle(entries, "out.jsonl")
    kept = entries()
    assert 0 < len(kept) < N_CLIPS
    with Journal.open(str(path), tiny_model) as journal:
        results = [*label_paths(["."], model=tiny_model, executor=client, journal=journal)]
    names = sorted(path.name for path in place.glob("*.wav"))
    assert sorted(result.path for result in results) == names
    assert entries()[: len(kept)] == kept
    assert len(entries()) == N_CLIPS  # nothing was labelled again


@pytest.mark.parametrize("folder", ["out/", f"s3://{BUCKET}/killed/out/"])
def test_a_run_whose_start_was_killed_goes_on_by_its_parts(
    client, kill_in_the_middle, place, storage, tiny_model, folder
):
    """Its workers are at work when the next begins, and write what that labels too."""
    client.run(set_environment, storage.environment)
    system, path = url_to_fs(folder, use_listings_cache=False)

    def parts():
        return sorted(system.glob(f"{path.rstrip('/')}/*.parquet"))

    def paths_in(names):
        tables = [parquet.read_table(BytesIO(system.cat_file(name))) for name in names]
        return sorted(path for table in tables for path in table["path"].to_pylist())

    storage.put("elsewhere", b"so that there is a bucket")
    kill_in_the_middle(parts, folder, "--format", "parquet")
    kept = {name: system.cat_file(name) for name in parts()}
    done = paths_in(kept)
    assert not system.exists(f"{folder}_manifest.json")
    assert 0 < len(done) < N_CLIPS
    notes = Notes()
    with Table.open(folder, tiny_model) as table:
        how = {"executor": client, "journal": table, "observer": notes}
        list(label_paths(["."], model=tiny_model, **how))
        assert table.finish().n_rows == N_CLIPS
    manifest = json.loads(system.cat_file(f"{folder}_manifest.json"))
    listed = [f"{path.rstrip('/')}/{part['name']}" for part in manifest["parts"]]
    assert kept.items() <= {name: system.cat_file(name) for name in listed}.items()
    assert {*done} <= {found.path for found, _ in notes.recalled}
    assert paths_in(listed) == sorted(path.name for path in place.glob("*.wav"))


def test_workers_write_parts_to_a_bucket(storage, recordings, tiny_model):
    """With credentials of their own: those that are in their environment."""
    storage.put("elsewhere", b"so that there is a bucket")
    where = f"s3://{BUCKET}/of-workers/"
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        for is_new in (True, False):
            storage.recover()
            with Table.open(where, tiny_model) as table:
                results = label_paths(
                    [recordings], model=tiny_model, executor=client, journal=table
                )
                names = sorted(result.path for result in results)
                done = table.finish()
            assert (done.n_rows, done.is_changed) == (4, is_new)
            puts = [path for method, path, _ in storage.log() if method == "PUT"]
            assert bool(puts) == is_new
    frame = pd.read_parquet(where, storage_options={"endpoint_url": storage.url})
    assert sorted(frame.path) == names
    assert puts == []


def test_neither_an_address_nor_a_file():
    with (
        pytest.raises(UsageError, match=r"--dask somewhere: no address .*, no scheduler file"),
        connect("somewhere"),
    ):
        pass


def test_a_scheduler_that_is_gone_ends_the_run_which_goes_on_with_another(
    noises, place, tiny_model, tmp_path
):
    """By the program: what was finished is in the journal, and is not done again."""
    names = sorted(f"{number:03d}.wav" for number in range(N_CLIPS))
    noises(*names)
    save_model(tiny_model, tmp_path / "tiny.safetensors")
    journal = place / "out.jsonl.journal"

    def entries():
        return journal.read_bytes().splitlines()[1:] if journal.exists() else []

    command = [sys.executable, "-m", "asmr_classify", "label", ".", "--model", "tiny.safetensors"]
    command += ["--dask", "scheduler.json", "--quiet", "--output", "out.jsonl"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with (
        clusters.running(place) as (_, scheduler),
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process,
    ):
        while not entries():
            assert process.poll() is None
            time.sleep(0.005)
        scheduler.kill()
        _, talk = process.communicate(timeout=120)
    assert process.returncode == 1
    assert re.search(r"the Dask scheduler is gone .*; start it, and run the same command", talk)
    kept = entries()
    assert 0 < len(kept) < N_CLIPS
    with clusters.running(place):
        subprocess.run(command, env=environment, check=True)
    assert entries()[: len(kept)] == kept
    assert len(entries()) == N_CLIPS  # nothing was labelled again
    results = [json.loads(line) for line in (place / "out.jsonl").read_text().splitlines()]
    assert sorted(result["path"] for result in results) == names


def test_a_slow_worker_holds_up_little_and_nothing_is_done_twice(stub):
    """The other takes what that does not."""
    slow, quick = (str(seconds) for seconds in (0.2, 0.004))
    with start_local(2) as cluster, Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2)
        workers = client.scheduler_info(-1)["workers"]
        for worker, seconds in zip(workers, (slow, quick), strict=True):
            client.run(set_environment, {"SECONDS": seconds}, workers=[worker])
        names = [f"{number:03d}" for number in range(300)]
        task = SlowHere(stub.marks)
        outcomes = [*run(named(*names), task, DaskEngine(client))]
    assert sorted(outcome.found.path for outcome in outcomes) == names
    assert {task.tries(name) for name in names} == {1}
    n_slow = len([*stub.marks.glob(f"by-{slow}.*")])
    assert 0 < n_slow < len(names) / 3
    assert len([*stub.marks.glob(f"by-{quick}.*")]) == len(names) - n_slow


def test_an_asynchronous_client_is_refused(client, tiny_model):
    address = client.scheduler.address

    async def label():
        async with Client(address, asynchronous=True, set_as_default=False) as other:
            label_paths(["a.wav"], model=tiny_model, executor=other)

    with pytest.raises(UsageError, match="asynchronous"):
        asyncio.run(label())


def test_a_local_cluster_without_workers_ends_the_run(stub, monkeypatch):
    monkeypatch.setattr("asmr_classify.batch.dask.WORKER_SECONDS", 0.5)
    with (
        LocalCluster(n_workers=0, dashboard_address=":0", processes=False) as empty,
        Client(empty, set_as_default=False) as client,
        pytest.raises(AsmrClassifyError, match=r"no worker for .* what was finished is kept"),
    ):
        list(run(named("a"), stub, DaskEngine(client)))


def test_limits_hold_on_a_cluster(client, stub):
    slow = Stub(stub.marks, seconds=5)
    (outcome,) = run(named("a"), slow, DaskEngine(client), limits=Limits(patience=0.5))
    assert outcome.result.status is Status.FAILED
    assert "for 0.5 s" in outcome.result.error.message
