"""The same work on a Dask cluster of this machine, beside the local pool."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from asmr_classify import label_paths, load_model
from asmr_classify.aggregate import FileResult, Status
from asmr_classify.batch import READ_AHEAD, Journal, Limits
from asmr_classify.batch.ahead import ReadAhead
from asmr_classify.batch.engine import iter_by_engine
from asmr_classify.batch.pool import iter_parallel
from asmr_classify.media.discover import discover
from asmr_classify.media.found import Found
from asmr_classify.media.source import Url
from tests import names
from tests.benchmarks.report import Table
from tests.benchmarks.sounds import write_clips
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed import Client

    from asmr_classify.model import Model

WORKERS = 2
N_OBJECTS = 1_000_000

ABOUT = f"""\
{WORKERS} workers of a Dask cluster on this machine beside `--jobs {WORKERS}`, by turns, least of
three; the same records come of both. What the engine costs for a file is measured on files that
take no time. Memory is of processes of their own: one that lists a folder of S3, as a server of
names alone tells it, and sends what it finds to a worker that labels nothing, and the scheduler
that it sends it to; what grows is reckoned from its later half. The journal is one of clips of the
demo. `reach` is what is aimed at."""

THROUGHPUT = "throughput: {} files of {} s"
NAMES = "names a second"
CLIENT = "MB of whoever sends them, at most"
GROWTH = "bytes of that for each name"
SCHEDULER = "MB of the scheduler, at most"
ON_DISK = "bytes of the journal for each recording"
IN_MEMORY = "bytes of memory for each that a journal knows, when run again"
"""Names of rows."""

HEAD = ("what", "cluster", "local", "ratio", "reach")


class Nothing:
    """A task that labels nothing."""

    def load(self) -> None:
        """Load nothing."""

    def do(self, found: Found, on_progress: Callable[[float], None]) -> FileResult:  # noqa: ARG002
        """Give a result."""
        return FileResult(found.path, Status.OK, "nothing@1")

    def fail(self, path: str, problem: Any) -> FileResult:
        """Give a failure."""
        return FileResult(path, Status.FAILED, "nothing@1", error=problem)

    def lacks(self, result: FileResult) -> bool:  # noqa: ARG002
        """Lack nothing."""
        return False


HOW: dict[str, Any] = {
    "recall": lambda _: None,
    "limits": Limits(),
    "on_decoded": lambda _: None,
}


@contextmanager
def _cluster() -> Iterator[Client]:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def run(
    n_long: int = 40, n_short: int = 2000, n_objects: int = N_OBJECTS, *, repeats: int = 3
) -> Table:
    """Measure."""
    rows: list[tuple[Any, ...]] = []
    with tempfile.TemporaryDirectory() as name, _cluster() as client:
        long, short = Path(name, "long"), Path(name, "short")
        for folder, number, duration in ((long, n_long, 60.0), (short, n_short, 2.0)):
            write_clips(folder, number, duration)
        first = _first_result(client, long)
        for folder, n, duration in ((long, n_long, 60), (short, n_short, 2)):
            there, here = _by_turns(client, folder, repeats)
            what = THROUGHPUT.format(n, duration)
            rows.append((what, n / there, n / here, here / there, "0.9"))
        rows.append(("seconds to the first result", first, "", "", "5"))
        ours, pools = _overheads(client, n_short * 10)
        rows.append(("ms for each file that takes no time", ours, pools, "", "3"))
    rows += _of_many(n_objects)
    rows += _of_journal(n_objects // 10)
    return Table("cluster", ABOUT, HEAD, tuple(rows))


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _first_result(client: Client, folder: Path) -> float:
    results = label_paths([folder], executor=client)
    took = _seconds(lambda: next(results))
    results.close()
    return took


def _by_turns(client: Client, folder: Path, repeats: int) -> tuple[float, float]:
    model = load_model()
    there, here = [], []
    for _ in range(repeats):
        there.append(_seconds(lambda: [*label_paths([folder], model=model, executor=client)]))
        here.append(_seconds(lambda: [*label_paths([folder], model=model, jobs=WORKERS)]))
    return min(there), min(here)


def _overheads(client: Client, number: int) -> tuple[float, float]:
    """Milliseconds that a file costs which takes none: on the cluster, and in the pool."""
    from asmr_classify.batch.dask import DaskEngine

    def work(iterate: Callable[..., Iterator[Any]], *by: Any, **more: Any) -> float:
        finds = ReadAhead(iter([Found(str(k), 1) for k in range(number)]), number)
        done = iterate(finds, Nothing(), *by, stop=threading.Event(), **HOW, **more)
        return _seconds(lambda: [*done]) / number * 1000

    ours = work(iter_by_engine, DaskEngine(client), on_workers=lambda _: None)
    return ours, work(iter_parallel, WORKERS)


def _of_many(n_objects: int) -> list[tuple[Any, ...]]:
    """List and send many names in a process of its own; tell its memory and the scheduler's."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as alone:
        rate, client, growth, scheduler = alone.apply(_send_many, (n_objects,))
    return [
        (f"{NAMES}, of {n_objects:,}", rate, "", "", ""),
        (CLIENT, client, "", "", "300"),
        (GROWTH, growth, "", "", ""),
        (SCHEDULER, scheduler, "", "", "1000"),
    ]


def _send_many(n_objects: int) -> tuple[float, float, float, float]:
    import subprocess
    import sys

    from asmr_classify.batch.dask import DaskEngine, connect

    with tempfile.TemporaryDirectory() as name:
        place = Path(name, "scheduler.json")
        dask = [sys.executable, "-m", "dask"]
        options = ["--scheduler-file", str(place), "--no-dashboard"]
        alone, quiet = ["--nthreads", "1", "--no-nanny"], {"stderr": subprocess.DEVNULL}
        with (
            names.running_apart(n_objects) as environment,
            mock.patch.dict(os.environ, environment),
            subprocess.Popen([*dask, "scheduler", "--port", "0", *options], **quiet) as scheduler,
            subprocess.Popen([*dask, "worker", *alone, *options], **quiet) as worker,
        ):
            try:
                while not (place.exists() and place.stat().st_size):
                    time.sleep(0.1)
                with connect(str(place)) as client:
                    folder = f"s3://{names.BUCKET}/{names.FOLDER}"
                    finds = ReadAhead(iter(discover([folder])), READ_AHEAD)
                    done = iter_by_engine(
                        finds,
                        Nothing(),
                        DaskEngine(client),
                        stop=threading.Event(),
                        on_workers=lambda _: None,
                        **HOW,
                    )
                    began = time.perf_counter()
                    n_done = sum(1 for _ in islice(done, n_objects // 2))
                    halfway = _peak_of(os.getpid())
                    n_done += sum(1 for _ in done)
                    took = time.perf_counter() - began
                    of_client, of_scheduler = _peak_of(os.getpid()), _peak_of(scheduler.pid)
            finally:
                worker.kill()
                scheduler.kill()
    if n_done != n_objects:
        raise RuntimeError(f"{n_done} of {n_objects} names came back")
    growth = (of_client - halfway) * 1e6 / (n_objects - n_objects // 2)
    return n_objects / took, of_client, growth, of_scheduler


def _of_journal(number: int) -> list[tuple[Any, ...]]:
    """Keep many results, and open their journal in a process of its own."""
    model = load_model()
    results = [*label_paths([ROOT / "data" / "demo"], model=model, jobs=1)]
    with tempfile.TemporaryDirectory() as name:
        place = str(Path(name, "journal"))
        with Journal.open(place, model) as journal:
            for k in range(number):
                path = Url(f"s3://{names.BUCKET}/{names.key_of(k)}", names.SIZE)
                found = Found(path, path.size, version=f"{k:032x}")
                journal.record(found, replace(results[k % len(results)], path=path))
        on_disk = Path(place).stat().st_size / number
        with multiprocessing.get_context("spawn").Pool(1) as alone:
            in_memory = alone.apply(_opened, (place, model)) / number
    return [(ON_DISK, on_disk, "", "", ""), (IN_MEMORY, in_memory, "", "", "")]


def _opened(place: str, model: Model) -> float:
    """Bytes of memory that an open journal takes."""
    before = _memory_of(os.getpid(), "VmRSS")
    with Journal.open(place, model):
        return (_memory_of(os.getpid(), "VmRSS") - before) * 1e6


def _peak_of(pid: int) -> float:
    return _memory_of(pid, "VmHWM")


def _memory_of(pid: int, what: str) -> float:
    """Memory that a process holds, or has held at most, in MB (10⁶ bytes); Linux only."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0
