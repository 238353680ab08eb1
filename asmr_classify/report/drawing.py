"""Recordings to what a page draws of them, made where a damaged one can do no harm.

A decoder that is given a damaged file may crash, or never end. So nothing is decoded here: whoever
makes a page hands in who does that, :data:`Work`, as worker processes with limits of time and of
memory. A recording whose process dies has no drawing, and :class:`Drawn` says why.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from asmr_classify.aggregate import Problem, Status
from asmr_classify.errors import MediaError
from asmr_classify.media.found import Found
from asmr_classify.report.kept import Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from asmr_classify.report.kept import Cache

    Draw: TypeAlias = Callable[[str, Callable[[float], None]], bytes | None]
    Work: TypeAlias = Callable[["DrawTask", list[Found]], Iterator["Sketch"]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sketch:
    """What came of drawing one recording.

    Parameters
    ----------
    path : str
    content : bytes or None
        None if there is nothing to draw, or it failed.
    error : Problem or None
        Why it failed.
    """

    path: str
    content: bytes | None = None
    error: Problem | None = None

    @property
    def status(self) -> Status:
        """Whether it failed."""
        return Status.OK if self.error is None else Status.FAILED

    @property
    def decoded(self) -> float:
        """Nothing is told of that."""
        return 0.0


@dataclass(frozen=True, slots=True)
class DrawTask:
    """Draw each recording: a task as workers take them.

    Parameters
    ----------
    draw : callable
        A function of a module. Takes a path, and what is to be called often, with the seconds
        decoded so far, as long as it gets on; gives at most 65,535 bytes, or None.
    """

    draw: Draw

    def load(self) -> None:
        """Load nothing: what draws was loaded with this task."""

    def do(self, found: Found, on_progress: Callable[[float], None]) -> Sketch:
        """Draw one recording."""
        try:
            return Sketch(found.path, self.draw(found.path, on_progress))
        except MediaError as exc:
            return self.fail(found.path, Problem.of(exc))

    def fail(self, path: str, problem: Problem) -> Sketch:
        """Say why nothing is drawn."""
        return Sketch(path, error=problem)

    def take_over(self, result: Sketch, other: Sketch) -> Sketch:  # noqa: ARG002
        """Leave a result as it is."""
        return result

    def lacks(self, result: Sketch) -> bool:  # noqa: ARG002
        """Tell that nothing is: a drawing is whole at once."""
        return False

    def add(self, found: Found, result: Sketch, on_progress: Callable[[], None]) -> Sketch:  # noqa: ARG002
        """Leave a result as it is."""
        return result

    def give_up(self, result: Sketch, problem: Problem) -> Sketch:  # noqa: ARG002
        """Leave a result as it is."""
        return result


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is drawn of some recordings.

    Parameters
    ----------
    contents : dict of str to bytes
        By path.
    n_cached : int
        How many were in the cache.
    problems : dict of str to Problem
        Why others have none, by path.
    """

    contents: dict[str, bytes] = field(default_factory=dict)
    n_cached: int = 0
    problems: dict[str, Problem] = field(default_factory=dict)


def draw_all(
    paths: Iterable[str],
    draw: Draw,
    cache: Cache,
    *,
    work: Work,
    on_progress: Callable[[int, int], None] | None = None,
) -> Drawn:
    """Draw recordings, or take what is drawn of them from the cache.

    Parameters
    ----------
    paths : iterable of str
    draw : callable
        As :class:`DrawTask` takes it.
    cache : Cache
        Where it cannot be written, nothing is kept.
    work : callable
        Takes a task and files, and gives what came of each as it is finished.
    on_progress : callable, optional
        Called with the number of recordings done and of all.

    Returns
    -------
    Drawn
        Of recordings that are gone, there is nothing.
    """
    recordings = (Recording.find(path, cache) for path in dict.fromkeys(paths))
    found = {x.path: x for x in recordings if x is not None}
    contents = {x.path: kept for x in found.values() if (kept := x.read()) is not None}
    drawn = Drawn(contents, len(contents))
    todo = [Found(x.path, x.size, x.mtime_ns) for x in found.values() if x.path not in contents]
    sketches = work(DrawTask(draw), todo) if todo else ()
    for done, sketch in enumerate(sketches, start=drawn.n_cached + 1):
        if sketch.content is not None:
            contents[sketch.path] = sketch.content
            found[sketch.path].keep(sketch.content)
        if sketch.error is not None:
            drawn.problems[sketch.path] = sketch.error
        if on_progress is not None:
            on_progress(done, len(found))
    return drawn
