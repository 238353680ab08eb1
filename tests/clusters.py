"""A Dask scheduler and a worker for tests, in processes of their own, as started by hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

from tests.conftest import ROOT


@contextmanager
def running(folder, *options, worker=("worker", "--nthreads", "1"), **environment):
    """Run both, and end them.

    Parameters
    ----------
    folder : Path
        Where they work, and write ``scheduler.json``.
    options : str
        For both.
    worker : sequence of str
        What is run as the worker.
    environment : str
        What both have in their environment besides.

    Yields
    ------
    scheduler file : Path
    scheduler : subprocess.Popen
    """
    place = folder / "scheduler.json"
    place.unlink(missing_ok=True)
    where = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    processes = []

    def start(*command):
        log = (folder / "dask.log").open("ab")
        given = [sys.executable, "-m", "dask", *command, "--scheduler-file", str(place)]
        with log:
            processes.append(
                subprocess.Popen([*given, *options], cwd=folder, env=where, stdout=log, stderr=log)
            )
        return processes[-1]

    try:
        scheduler = start("scheduler", "--no-dashboard", "--port", "0")
        while not place.exists():
            assert scheduler.poll() is None, (folder / "dask.log").read_text()
            time.sleep(0.05)
        start(*worker, "--no-dashboard")
        yield place, scheduler
    finally:
        for process in reversed(processes):  # a worker without scheduler takes long to end
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()
