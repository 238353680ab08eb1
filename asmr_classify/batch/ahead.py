"""An iterator that is read ahead of its use."""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

PATIENCE = 0.1
"""Seconds between two looks at whether a full queue is still wanted."""


class ReadAhead(Generic[T]):
    """An iterator whose items are taken from another in a thread, before they are asked for.

    Any thread may ask for the next item, one at a time; :meth:`take` asks without waiting. An error
    of the other iterator is raised where its next item is asked for.

    Parameters
    ----------
    items : iterator
    limit : int
        So many items wait at most.
    """

    def __init__(self, items: Iterator[T], limit: int) -> None:
        self._ready: Queue[tuple[T] | Exception | None] = Queue(limit)
        self._stopped = threading.Event()
        self._is_read = False
        self._on_more: Callable[[], None] | None = None
        threading.Thread(target=self._fill, args=(items,), daemon=True).start()

    def _fill(self, items: Iterator[T]) -> None:
        end: Exception | None = None
        try:
            for item in items:
                self._put((item,))
                if self._stopped.is_set():
                    return
        except Exception as exc:  # noqa: BLE001 (raised again where the items are taken)
            end = exc
        self._is_read = True
        self._put(end)

    def _put(self, entry: tuple[T] | Exception | None) -> None:
        while not self._stopped.is_set():
            with suppress(Full):
                self._ready.put(entry, timeout=PATIENCE)
                self._tell()
                return

    def _tell(self) -> None:
        on_more, self._on_more = self._on_more, None
        if on_more is not None:
            on_more()

    def __iter__(self) -> ReadAhead[T]:
        return self

    def __next__(self) -> T:
        entry = None if self._stopped.is_set() else self._ready.get()
        if isinstance(entry, tuple):
            return entry[0]
        self._end(entry)
        raise StopIteration

    @property
    def is_over(self) -> bool:
        """Whether there are no more items, and never will be."""
        return self._stopped.is_set()

    @property
    def n_left(self) -> int | None:
        """Items that are still to come; None while that is not known."""
        return self._ready.qsize() if self._is_read else None  # the end may count as one

    def take(self, on_more: Callable[[], None]) -> T | None:
        """Take the next item if it is there.

        Parameters
        ----------
        on_more : callable
            Called once, from another thread, when it is worth asking again.

        Returns
        -------
        object or None
            None if the next item is not there yet, or there are no more.
        """
        self._on_more = on_more  # before looking, so that nothing comes between unnoticed
        try:
            entry = self._ready.get_nowait()
        except Empty:
            return None
        if isinstance(entry, tuple):
            return entry[0]
        self._end(entry)
        return None

    def _end(self, error: Exception | None) -> None:
        self.close()
        if error is not None:
            raise error

    def close(self) -> None:
        """Stop taking items; whoever waits for one is told that there are no more."""
        self._stopped.set()
        with suppress(Empty):
            while True:
                self._ready.get_nowait()
        with suppress(Full):
            self._ready.put_nowait(None)
