"""Interrupts from the keyboard, at a place where nothing is lost by them.

Raised anywhere, ``KeyboardInterrupt`` may land in a library's callback, which swallows it, or in
the middle of a hand-over between processes. So the first one only sets a flag, upon which a run
finishes the files at hand; a second one is raised at once. What an interrupt leaves differs, so its
exception carries what is to be told of that.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


@contextmanager
def interrupts_tell(what: str) -> Generator[None]:
    """Let an interrupt that tells nothing yet tell what it leaves.

    Parameters
    ----------
    what : str
        What is kept, and what is not.
    """
    try:
        yield
    except KeyboardInterrupt as exc:
        raise KeyboardInterrupt(*exc.args or (what,)) from None


def what_is_finished(*, is_kept: bool) -> str:
    """Say what an interrupt leaves of what was finished."""
    if not is_kept:
        return "what was finished is on standard output, and kept nowhere else"
    return "what was finished is saved; the same command goes on from there"


@contextmanager
def interrupts_deferred(
    on_interrupt: Callable[[], None] | None = None,
) -> Generator[threading.Event]:
    """Set a flag at the first interrupt, instead of raising it.

    Parameters
    ----------
    on_interrupt : callable, optional
        Called then.

    Yields
    ------
    threading.Event
        The flag. Outside the main thread, which alone gets interrupts, it stays unset, and where
        interrupts are ignored: whoever started the program so (``nohup``, a job in the background
        of a script) wants it to go on.
    """
    interrupted = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    is_elsewhere = threading.current_thread() is not threading.main_thread()
    if is_elsewhere or before is signal.SIG_IGN:
        yield interrupted
        return

    def defer(*_: Any) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, before)
        if on_interrupt is not None:
            on_interrupt()

    signal.signal(signal.SIGINT, defer)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def terminations_deferred(stop: threading.Event) -> Generator[threading.Event]:
    """Set a flag when the system asks the program to end, as services are ended.

    Parameters
    ----------
    stop : threading.Event
        The flag of interrupts, which is set too.

    Yields
    ------
    threading.Event
        Whether it was so. A second request ends the program at once. Outside the main thread, which
        alone hears of it, the flag stays unset.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.getsignal(signal.SIGTERM)

    def defer(*_: Any) -> None:
        asked.set()
        stop.set()
        signal.signal(signal.SIGTERM, before)

    signal.signal(signal.SIGTERM, defer)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)
