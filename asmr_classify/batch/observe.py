"""How a run tells of its course."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asmr_classify.batch.task import Result
    from asmr_classify.media.found import Found, Ignored


class Observer:
    """Learns how a run goes. Does nothing by itself: override what you want to know.

    ``on_found``, ``on_ignored`` and ``on_listed`` are called from a thread that searches ahead,
    the others from the one that asks for results.
    """

    def on_found(self, found: Found) -> None:
        """Learn of a file to be worked on."""

    def on_ignored(self, ignored: Ignored) -> None:
        """Learn of a file or folder that is passed over."""

    def on_listed(self) -> None:
        """Learn that there are no more files to be found."""

    def on_workers(self, number: int) -> None:
        """Learn how many workers of a cluster there are, at first and when that changes."""

    def on_decoded(self, seconds: float) -> None:
        """Learn that so many more seconds of audio were decoded, by whichever worker."""

    def on_finished(self, found: Found, result: Result) -> None:
        """Learn the result of a file, before it is given."""

    def on_recalled(self, found: Found, result: Result) -> None:
        """Learn the result of a file that an earlier run has left, before it is given."""
