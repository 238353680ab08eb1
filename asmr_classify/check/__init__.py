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
from asmr_classify.check.figures import Figure, FigureName, Figures, take_figures
from asmr_classify.check.limits import Limits, Verdict, judge, load_limits, worst
from asmr_classify.check.listener import Listener, Measured
from asmr_classify.classify import label_file
from asmr_classify.errors import MediaError
from asmr_classify.media.source import as_source, held
from asmr_classify.visual.seen import Effort

if TYPE_CHECKING:
    from collections.abc import Callable

    from asmr_classify.check.startle import Startle
    from asmr_classify.model import Model

__all__ = ["CheckResult", "Judged", "check_file", "check_safely"]

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
    listener = Listener()
    source = as_source(os.fsdecode(path))
    with held(source):
        result = label_file(source, model=model, on_progress=on_progress, listener=listener)
        if result.status is Status.FAILED:
            return CheckResult(result)
        if video is not None:
            result = _look(source, result, video)
    nothing = result.status is Status.NO_AUDIO
    taken = take_figures(Measured.nothing() if nothing else listener.conclude(), result)
    return _judge_all(result, taken, limits)


def _look(path: str, result: FileResult, video: Effort) -> FileResult:
    """Add what is seen in a file, or why nothing is: what was heard stands."""
    from asmr_classify.visual.look import look

    try:
        return replace(result, visual=look(path, effort=video))
    except MediaError as exc:
        return replace(result, visual_error=Problem.of(exc))
    except Exception as exc:  # noqa: BLE001 (logged; the picture must not cost the sound)
        return replace(result, visual_error=_unexpected(path, exc))


def _unexpected(path: str, exc: Exception) -> Problem:
    """Say what went wrong that nobody expected, and log where."""
    logger.exception("%s: unexpected error", path)
    kind = type(exc).__name__
    message = f"{path}: unexpected error ({kind}: {exc}); please report it with the file"
    return Problem(kind, message)


def _judge_all(result: FileResult, taken: Figures, limits: Limits) -> CheckResult:
    judged = tuple(Judged(figure, judge(figure, limits)) for figure in taken.figures)
    return CheckResult(result, judged, taken.startles)


def check_safely(
    path: str,
    *,
    model: Model,
    limits: Limits,
    video: Effort | None = Effort.NORMAL,
    on_progress: Callable[[float], None] | None = None,
) -> CheckResult:
    """Check one file; an error that nobody expected becomes its result, and is logged.

    Parameters
    ----------
    path : str
    model : Model
    limits : dict of FigureName to Limit
    video : Effort or None
        How much of a picture is looked at; None to listen only.
    on_progress : callable, optional
        Called now and then with the seconds decoded so far.

    Returns
    -------
    CheckResult
    """
    try:
        return check_file(path, model=model, limits=limits, video=video, on_progress=on_progress)
    except Exception as exc:  # noqa: BLE001 (logged; one file must not cost the others)
        problem = _unexpected(path, exc)
        return CheckResult(FileResult(path, Status.FAILED, model.id, error=problem))
