"""Interrupts from the keyboard, at places where nothing is lost by them.

Raised anywhere, ``KeyboardInterrupt`` may land in a library's callback, which swallows it, or in
the middle of a hand-over between processes. So the first one only sets a flag, and is raised where
a file is finished or left off; a second one is raised at once.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


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
        The flag. Outside the main thread, which alone gets interrupts, it stays unset.
    """
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    before = signal.getsignal(signal.SIGINT)

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
def interrupts_ignored() -> Generator[None]:
    """Ignore interrupts, as do processes that are started meanwhile, for good.

    A terminal sends them to every process, but only the first one knows what to do. (Blocking
    them instead would not last: starting multiprocessing's resource tracker unblocks them.)
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
