"""What a run does with each file: a task, which workers are handed once and then use for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from asmr_classify.aggregate import Problem, Status
    from asmr_classify.media.found import Found


class Result(Protocol):
    """What every task tells of a file, whatever else it does."""

    @property
    def path(self) -> str:
        """The file as it was found."""

    @property
    def status(self) -> Status:
        """What became of it."""

    @property
    def error(self) -> Problem | None:
        """What went wrong with it."""

    @property
    def decoded(self) -> float:
        """Seconds from its start to the end of what was decoded."""


R = TypeVar("R", bound=Result)
R_co = TypeVar("R_co", bound=Result, covariant=True)


class Task(Protocol[R_co]):
    """Something that is done with each file. It is pickled, to cross into workers."""

    def load(self) -> None:
        """Load all that is needed, so that the first file takes no longer than the others.

        A slow disk or a cold cache is then not taken for a file that hangs. What fails here may
        fail again with a file, and is told there.
        """

    def do(self, found: Found, on_progress: Callable[[float], None]) -> R_co:
        """Work on one file; ``on_progress`` is told the seconds decoded so far."""

    def fail(self, path: str, problem: Problem) -> R_co:
        """Make the result of a file that nothing came of."""

    def take_over(self, result: Any, other: Any) -> R_co:
        """Take into a new result what one by other settings has, and does not depend on them."""

    def lacks(self, result: Any) -> bool:
        """Tell whether something is still to be added to a result, be it kept from an earlier run.

        It is safe before that is tried: a crash or a hang then costs only what was to be added.
        """

    def add(self, found: Found, result: Any, on_progress: Callable[[], None]) -> R_co:
        """Add what a result lacks; ``on_progress`` is called as long as that gets on."""

    def give_up(self, result: Any, problem: Problem) -> R_co:
        """Say in a result why nothing could be added."""
