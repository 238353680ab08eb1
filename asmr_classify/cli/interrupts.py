"""Interrupts from the keyboard, at a place where nothing is lost by them.

Raised anywhere, ``KeyboardInterrupt`` may land in a library's callback, which swallows it, or in
the middle of a hand-over between processes. So the first one only sets a flag, upon which a run
finishes the files at hand; a second one is raised at once.
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
