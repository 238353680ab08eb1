"""Interrupts before a command begins, and once it is over.

Importing the program takes a third of a second. There is nothing to finish yet, and an exception
raised in the middle of an import may come out as any other. So an interrupt ends the process. This
module imports next to nothing, for until it is there, an interrupt gives Python's own traceback.

So it does again once nobody is left to catch an exception: then an interrupt ends the process too.
Only what Python does last of all, when it has put back what the system does at interrupts, is not
disturbed by any: the process would end by that signal instead of with its exit status.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERRUPTED = 130
"""128 and the number of the signal, as shells have it."""

NOTHING_BEGUN = b"interrupted: nothing was begun\n"


def end_at_interrupts() -> None:
    """Let an interrupt end the process with a line on stderr, until a command begins.

    Where interrupts are ignored, as by a job in the background of a shell, they stay so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
        atexit.register(_ignore)  # the first of all, so that it is called last


def raise_interrupts() -> None:
    """Let interrupts be raised, as Python does, if they would end the process."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, _raise)


@contextmanager
def last_interrupt() -> Iterator[None]:
    """Let no interrupt disturb what is done here, and later ones end the process without a word.

    If they would be raised.
    """
    is_ours = signal.getsignal(signal.SIGINT) is _raise
    if is_ours:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        if is_ours:
            signal.signal(signal.SIGINT, _leave)


def _end(*_: object) -> NoReturn:
    os.write(2, NOTHING_BEGUN)
    os._exit(INTERRUPTED)


def _raise(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _ignore() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _leave(*_: object) -> NoReturn:
    with suppress(Exception):  # it may have been at that when it was interrupted
        sys.stdout.flush()
    os._exit(INTERRUPTED)
