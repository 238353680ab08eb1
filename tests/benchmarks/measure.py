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


LAUNCH = """
import resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
took = time.perf_counter() - began
print(took, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""Started by a small process: one begins with the memory of whoever started it, as Linux counts."""


def run_python(*arguments: str) -> tuple[float, float]:
    """Run a Python to its end.

    Returns
    -------
    tuple of float
        Seconds, and MB (10⁶ bytes) that it held at most, or one of the processes that it started.
    """
    command = [sys.executable, "-c", LAUNCH, sys.executable, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{arguments} failed:\n{done.stderr}")
    took, kilobytes = done.stdout.split()
    return float(took), int(kilobytes) * 1024 / 1e6
