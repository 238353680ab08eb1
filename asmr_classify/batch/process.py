"""The process of a worker, seen from where it was started: its beginning, its talk, its end."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import queue

    from asmr_classify.batch.worker import Message
    from asmr_classify.media.found import Found

    Events = queue.SimpleQueue[tuple["Worker", "Message | Gone"] | None]
    """What workers tell; None if there may be another file to hand out."""

FAREWELL = 5.0
"""Seconds in which a worker that has nothing left to do must end."""

APART: dict[str, Any] = {"process_group": 0}
"""A terminal's interrupt is for the starting process only, which tells the workers."""
if sys.platform == "win32":
    APART = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}

ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
"""Every worker is busy with a file of its own: threads inside it would only get in the way."""


class Gone:
    """A worker has ended."""


class Worker:
    """One worker process, seen from where it was started.

    Parameters
    ----------
    found : Found
        Its first file.
    known : Result or None
        What is known of it.
    start : str
        What its Python runs.
    briefing : bytes
        A pickled :class:`~asmr_classify.batch.worker.Briefing`.
    directory : str or None
        Where it works; None for where this process does.
    events : queue
        Takes what it tells, and at last that it has ended.

    Raises
    ------
    OSError, RuntimeError
        If no process, or no thread to listen to it, can be started.

    Attributes
    ----------
    found : Found
        The file at hand, or the last one.
    known : Result or None
        What stands of its result, whatever becomes of the worker.
    next : tuple or None
        The file that it will go on with, and what is known of it.
    is_ready : bool
        Whether it has begun to work.
    quiet_for : float
        Seconds since it was given its file, or was last heard of.
    given_up : bool
        Whether it was killed for that.
    written_off : bool
        Whether it did not even end then.
    """

    def __init__(
        self,
        found: Found,
        known: Any,
        start: str,
        briefing: bytes,
        directory: str | None,
        events: Events,
    ) -> None:
        self.found = found
        self.known = known
        self.next: tuple[Found, Any] | None = None
        self.is_ready = False
        self.quiet_for = 0.0
        self.given_up = False
        self.written_off = False
        self._was_killed = False
        self._process = subprocess.Popen(  # noqa: S603 (Python, and what is written here)
            [sys.executable, "-P", "-c", start, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=directory,
            env=os.environ | ONE_THREAD,
            **APART,
        )
        self._tasks = cast("IO[bytes]", self._process.stdin)
        try:
            threading.Thread(target=self._talk, args=(briefing, events), daemon=True).start()
        except RuntimeError:
            self.kill()
            self.dismiss()
            cast("IO[bytes]", self._process.stdout).close()
            raise

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def give(self, found: Found, known: Any) -> None:
        """Give the next file, with what is known of it."""
        self.found, self.known = found, known
        self.quiet_for = 0.0
        self._send(pickle.dumps((found, known)))

    def give_next(self, found: Found, known: Any) -> None:
        """Give a file to go on with after the one at hand."""
        self.next = found, known
        self._send(pickle.dumps((found, known)))

    def go_on(self) -> bool:
        """Take note that the file at hand is done; tell whether there is a next."""
        if self.next is None:
            return False
        (self.found, self.known), self.next = self.next, None
        self.quiet_for = 0.0
        return True

    def begin(self) -> None:
        """Give the first file, now that the worker is ready."""
        self.is_ready = True
        self.give(self.found, self.known)

    def kill(self) -> None:
        """End the process at once, if the system can: not while it waits for a disk, say."""
        self._was_killed = True
        self._process.kill()

    def dismiss(self) -> str:
        """Wait for the end of a worker that is to end or has ended; tell how it did.

        One that does not end although it was killed is left behind.
        """
        if not self._was_killed:
            self._end_tasks()
            if not self._ends():
                self.kill()
        if not self._ends():
            return "cannot be ended"
        self._end_tasks()
        status = self._process.returncode
        if status >= 0:
            return f"ended with status {status}"
        with suppress(ValueError):
            return f"was killed ({signal.Signals(-status).name})"
        return f"was killed (signal {-status})"

    def _ends(self) -> bool:
        try:
            self._process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _end_tasks(self) -> None:
        # Not while the process may be stuck: this waits for who is briefing it.
        with suppress(OSError):
            self._tasks.close()

    def _send(self, data: bytes) -> None:
        # Whoever is gone is told of by the thread that listens.
        with suppress(OSError):
            self._tasks.write(data)
            self._tasks.flush()

    def _talk(self, briefing: bytes, events: Events) -> None:
        """Brief the worker, then pass on what it tells; runs in a thread."""
        self._send(briefing)
        answers = cast("IO[bytes]", self._process.stdout)
        with answers, suppress(Exception):  # who crashes may write anything
            while True:
                events.put((self, pickle.load(answers)))  # noqa: S301 (of our own worker)
        events.put((self, Gone()))
