"""A worker: a process that works on the files it is handed, one after the other.

It is started by :mod:`asmr_classify.batch.pool` and talks with it in pickles over two pipes. In
come a :class:`Briefing`, then files, each with what is known of it or None; out go ``None`` when
it is ready, seconds of audio as they are decoded, what is :class:`~.isolate.Safe` of a file though
the rest crash, and an outcome per file. It ends when nothing more comes in, or when who started it
is no more, though a file hang. A small object of storage is fetched as soon as it comes in, while
another is worked on.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asmr_classify.batch.isolate import Outcome, Safe
    from asmr_classify.batch.task import Task
    from asmr_classify.media.found import Found

    Message = Outcome[Any] | Safe | float | None

START = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from asmr_classify.batch.worker import main
main()
"""
"""What a worker's Python runs: it finds modules where the starting process finds them, and nowhere
else. Python is to be started with ``-P``, else it would look in the working directory first, where
a stranger's ``json.py`` may lie among recordings."""


GLANCE = 1.0
"""Seconds between two looks at whether the starting process is still there."""


@dataclass(frozen=True, slots=True)
class Briefing:
    """What a worker has to know of a run.

    Parameters
    ----------
    task : Task
        What to do with each file.
    max_memory : int
        Bytes that the process may hold.
    """

    task: Task[Any]
    max_memory: int


def main() -> None:
    """Work on files until there are no more."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tasks = sys.stdin.buffer
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing else may write among the answers

    def send(message: Message) -> None:
        pickle.dump(message, answers)
        answers.flush()

    try:
        _work(tasks, send)
    except (EOFError, BrokenPipeError):
        os._exit(0)  # whoever started it wants no more; what is unsent has no reader


def _end_with(parent: int) -> None:
    """End this process when the one that started it has ended; elsewhere than on POSIX, never."""
    while os.getppid() == parent:
        time.sleep(GLANCE)
    os._exit(1)


def _work(tasks: Any, send: Any) -> None:
    from asmr_classify.batch.ahead import ReadAhead
    from asmr_classify.batch.isolate import Safe, do_safely

    briefing: Briefing = pickle.load(tasks)  # noqa: S301 (of who started this process)
    limit_memory(briefing.max_memory)
    with suppress(Exception):
        briefing.task.load()
    send(None)
    for found, known in ReadAhead(_iter_files(tasks), 1):
        send(do_safely(found, briefing.task, send, known=known, on_safe=lambda x: send(Safe(x))))


def _iter_files(tasks: Any) -> Iterator[tuple[Found, Any]]:
    from asmr_classify.media.blocks import fetch_ahead

    while True:
        found, known = pickle.load(tasks)  # noqa: S301
        fetch_ahead(found.path)
        yield found, known


def limit_memory(n_bytes: int) -> None:
    """Make allocations fail beyond so many bytes, where the system can do that (Linux)."""
    if sys.platform != "linux":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = n_bytes if hard == resource.RLIM_INFINITY else min(n_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
