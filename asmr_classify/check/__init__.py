"""What a creator wants to know before an upload, and a listener before sleep.

Loudness, true peak, sudden loud moments, what the channels are to each other, the rhythm of taps
and the share of talk are measured in the one pass in which a recording is labelled, flat in memory,
and set against limits; so is how a video looks. The figures describe a recording; none says what it
does to anybody.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.check.figures import Figure, FigureName, seen_figures, take_figures
from asmr_classify.check.limits import Limits, Verdict, judge, load_limits, worst
from asmr_classify.check.listener import Listener, Measured
from asmr_classify.classify import label_file
from asmr_classify.errors import MediaError
from asmr_classify.media.opening import held
from asmr_classify.media.source import as_source
from asmr_classify.visual.seen import Effort

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from asmr_classify.check.startle import Startle
    from asmr_classify.media.found import Found
    from asmr_classify.model import Model

__all__ = ["CheckResult", "CheckTask", "Judged", "check_file"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Judged:
    """A figure and what the limits say of it; None where it has no value or no limit."""

    figure: Figure
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What the check of one recording gave.

    Parameters
    ----------
    labels : FileResult
        What it was labelled with; ``labels.path`` is its name, ``labels.status`` and
        ``labels.error`` tell what went wrong.
    figures : tuple of Judged
        Empty if the file could not be read. Of a video without sound only the channels (none), and
        those of the picture, which only videos have.
    startles : tuple of Startle
        The sudden loud moments, largest first.
    """

    labels: FileResult
    figures: tuple[Judged, ...] = ()
    startles: tuple[Startle, ...] = ()

    @property
    def path(self) -> str:
        """The file."""
        return self.labels.path

    @property
    def status(self) -> Status:
        """What became of it."""
        return self.labels.status

    @property
    def error(self) -> Problem | None:
        """What went wrong with it."""
        return self.labels.error

    @property
    def decoded(self) -> float:
        """Seconds from its start to the end of what was decoded."""
        return self.labels.decoded

    @property
    def verdict(self) -> Verdict | None:
        """The worst verdict; None if the file could not be read."""
        if self.labels.status is Status.FAILED:
            return None
        return worst(judged.verdict for judged in self.figures)

    def value(self, name: FigureName) -> float | str | None:
        """Value of a figure, None where it has none."""
        return next((j.figure.value for j in self.figures if j.figure.name is name), None)


def check_file(
    path: str | os.PathLike[str],
    *,
    model: Model | None = None,
    limits: Limits | None = None,
    video: Effort | None = Effort.NORMAL,
    on_progress: Callable[[float], None] | None = None,
) -> CheckResult:
    """Label and measure one audio or video file: its sound in one pass, then its picture.

    Parameters
    ----------
    path : path
    model : Model, optional
        The shipped model by default.
    limits : dict of FigureName to Limit, optional
        The defaults of :mod:`asmr_classify.check.limits` by default.
    video : Effort or None
        How much of a picture is looked at; None to listen only.
    on_progress : callable, optional
        Called now and then with the seconds decoded so far.

    Returns
    -------
    CheckResult
        Also for a file that cannot be read: its labels say why.

    Raises
    ------
    ModelError
        If no model is given and the shipped one cannot be loaded.

    Examples
    --------
    >>> result = check_file("no-such-file.mp3")
    >>> result.verdict, result.labels.error.kind
    (None, 'OpenError')
    """
    limits = load_limits() if limits is None else limits
    source = as_source(os.fsdecode(path))
    with held(source):
        result = _listen(source, model, limits, on_progress)
        if video is None or result.status is Status.FAILED:
            return result
        try:
            return _look(source, result, limits, video)
        except Exception as exc:  # noqa: BLE001 (logged; the picture must not cost the sound)
            labels = replace(result.labels, visual_error=_unexpected(source, exc))
            return _with_looks(result, labels, limits)


def _unexpected(path: str, exc: Exception) -> Problem:
    """Say what went wrong that nobody expected, and log where."""
    logger.exception("%s: unexpected error", path)
    kind = type(exc).__name__
    message = f"{path}: unexpected error ({kind}: {exc}); please report it with the file"
    return Problem(kind, message)


def _listen(
    path: str, model: Model | None, limits: Limits, on_progress: Callable[[float], None] | None
) -> CheckResult:
    listener = Listener()
    labels = label_file(path, model=model, on_progress=on_progress, listener=listener)
    if labels.status is Status.FAILED:
        return CheckResult(labels)
    nothing = labels.status is Status.NO_AUDIO
    taken = take_figures(Measured.nothing() if nothing else listener.conclude(), labels)
    return CheckResult(labels, _judge(taken.figures, limits), taken.startles)


def _look(
    path: str,
    result: CheckResult,
    limits: Limits,
    video: Effort,
    on_progress: Callable[[], None] | None = None,
) -> CheckResult:
    """Add what is seen in a file, or why nothing is: what was heard stands."""
    from asmr_classify.visual.look import look

    try:
        labels = replace(result.labels, visual=look(path, effort=video, on_progress=on_progress))
    except MediaError as exc:
        labels = replace(result.labels, visual_error=Problem.of(exc))
    return _with_looks(result, labels, limits)


def _with_looks(result: CheckResult, labels: FileResult, limits: Limits) -> CheckResult:
    looks = _judge(seen_figures(labels), limits)
    return replace(result, labels=labels, figures=(*result.figures, *looks))


def _judge(figures: Iterable[Figure], limits: Limits) -> tuple[Judged, ...]:
    return tuple(Judged(figure, judge(figure, limits)) for figure in figures)


@dataclass(frozen=True, slots=True)
class CheckTask:
    """Check each file, see :class:`~asmr_classify.batch.task.Task`: the sound, then the picture.

    Parameters
    ----------
    model : Model
    limits : dict of FigureName to Limit
    video : Effort or None
        How much of a picture is looked at; None to listen only.
    """

    model: Model
    limits: Limits
    video: Effort | None = Effort.NORMAL

    def load(self) -> None:
        """Leave loading to the first file: there is no patience to be spared with one worker."""

    def do(self, found: Found, on_progress: Callable[[float], None]) -> CheckResult:
        """Listen to one file."""
        return _listen(found.path, self.model, self.limits, on_progress)

    def fail(self, path: str, problem: Problem) -> CheckResult:
        """Make the result of a file that could not be read."""
        return CheckResult(FileResult(str(path), Status.FAILED, self.model.id, error=problem))

    def take_over(self, result: CheckResult, other: CheckResult) -> CheckResult:  # noqa: ARG002
        """Leave a result as it is: nothing is known of checks of before."""
        return result

    def lacks(self, result: CheckResult) -> bool:
        """Tell whether a file is to be looked at, and was not."""
        if self.video is None or result.status is Status.FAILED:
            return False
        return result.labels.visual is None and result.labels.visual_error is None

    def add(
        self, found: Found, result: CheckResult, on_progress: Callable[[], None]
    ) -> CheckResult:
        """Look at one file."""
        return _look(found.path, result, self.limits, self.video or Effort.NORMAL, on_progress)

    def give_up(self, result: CheckResult, problem: Problem) -> CheckResult:
        """Say why nothing was seen."""
        return _with_looks(result, replace(result.labels, visual_error=problem), self.limits)
