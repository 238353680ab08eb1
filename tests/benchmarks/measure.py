"""Time and memory: of functions in this process, and of whole processes."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

REPEATS = 5


@contextmanager
def one_core() -> Generator[None]:
    """Keep this process, and those it starts, to one core."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def seconds(function: Callable[[], object]) -> float:
    """Time one call."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def median_ratio(
    function: Callable[[], object], baseline: Callable[[], object], repeats: int = REPEATS
) -> tuple[float, float, float]:
    """Time two functions by turns, after one call of each.

    Returns
    -------
    tuple of float
        Median of the ratios of neighbours, and the medians of both in seconds.
    """
    baseline(), function()
    pairs = [(seconds(baseline), seconds(function)) for _ in range(repeats)]
    ratio = statistics.median(ours / other for other, ours in pairs)
    others, ours = zip(*pairs, strict=True)
    return ratio, statistics.median(ours), statistics.median(others)


def run_python(*arguments: str) -> tuple[float, float]:
    """Run a Python to its end; give its seconds and its peak of memory in MB (10⁶ bytes)."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    with process:
        assert process.stderr is not None
        talk = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{arguments}: status {process.returncode}\n{talk.decode()}")
    return time.perf_counter() - began, usage.ru_maxrss * 1024 / 1e6
