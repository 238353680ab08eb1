"""What is known of files from earlier, so that they need not be worked on again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol

from asmr_classify.batch.task import R

if TYPE_CHECKING:
    from asmr_classify.media.found import Found


class Memory(Protocol[R]):
    """Something that keeps results; a journal, say."""

    def recall(self, found: Found) -> R | None:
        """Give the result of a file that has not changed since; None if there is none."""

    def recall_other(self, found: Found) -> R | None:
        """Give a result of a file by other settings, as of another model; None if there is none.

        What in it does not depend on them, a task takes over.
        """

    def record(self, found: Found, result: R) -> None:
        """Keep a result."""


class Memories(Generic[R]):
    """Several memories as one: what one of them knows, the others learn.

    Parameters
    ----------
    *memories : Memory
        The first that knows a file is believed.
    """

    def __init__(self, *memories: Memory[R]) -> None:
        self._memories = memories

    def recall(self, found: Found) -> R | None:
        """Give the result of a file that any of them knows."""
        known = [memory.recall(found) for memory in self._memories]
        result = next((result for result in known if result is not None), None)
        if result is not None:
            for memory, its_own in zip(self._memories, known, strict=True):
                if its_own is None:
                    memory.record(found, result)
        return result

    def recall_other(self, found: Found) -> R | None:
        """Give a result by other settings of a file that any of them knows."""
        known = (memory.recall_other(found) for memory in self._memories)
        return next((result for result in known if result is not None), None)

    def record(self, found: Found, result: R) -> None:
        """Let all of them keep a result."""
        for memory in self._memories:
            memory.record(found, result)
