"""Interrupts before a command begins: importing the program takes a third of a second.

There is nothing to finish yet, and an exception raised in the middle of an import may come out as
any other. So an interrupt ends the process. This module imports next to nothing, for until it is
there, an interrupt gives Python's own traceback.
"""

from __future__ import annotations

import os
import signal

INTERRUPTED = 130
"""128 and the number of the signal, as shells have it."""

NOTHING_BEGUN = b"interrupted: nothing was begun\n"


def end_at_interrupts() -> None:
    """Let an interrupt end the process with a line on stderr, until a command begins.

    Where interrupts are ignored, as by a job in the background of a shell, they stay so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def raise_interrupts() -> None:
    """Let interrupts be raised, as Python does, if they would end the process."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(*_: object) -> None:
    os.write(2, NOTHING_BEGUN)
    os._exit(INTERRUPTED)
