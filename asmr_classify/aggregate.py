"""Timeline to file result: tags, scores, shares, and why there are none.

The record that other programs read is written by :mod:`asmr_classify.writers.jsonl`; its keys are
the fields of :class:`FileResult`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.estimators import calibrate
from asmr_classify.labels import SILENCE, SPEECH, WHISPER
from asmr_classify.timeline import find_segments, join_spans

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from asmr_classify.config import DecisionSpec
    from asmr_classify.errors import MediaError
    from asmr_classify.features.edges import Changes
    from asmr_classify.model import Model
    from asmr_classify.timeline import Segment


RESULTS_VERSION = 4
"""Raised when the same sound and the same model give other results."""

LAYERED_SHARE = 0.1
"""Share of what is heard that a trigger covers in the timeline to be a tag beside another."""

LAYERED_SECONDS = 2.5
"""The least that it covers: more than one window, which may err. Of 0 to 5 s, and shares of 0.1,
0.2 and 0.35, these found most of what lies over or under another sound, in scenes made for the
choice, with few tags of clips that hold one trigger. The benchmark ``scenes`` measures them on
other scenes."""


class Status(StrEnum):
    """How the labelling of one file ended."""

    OK = "ok"
    SILENT = "silent"
    NO_AUDIO = "no_audio"
    PARTIAL = "partial"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong with a file.

    Parameters
    ----------
    kind : str
        Name of the error.
    message : str
        Says what to do.
    may_pass : bool
        Whether another attempt may go well, see :class:`~asmr_classify.errors.MediaError`. For the
        run at hand: it is not written with the result.
    """

    kind: str
    message: str
    may_pass: bool = field(default=False, compare=False)

    @classmethod
    def of(cls, error: MediaError) -> Problem:
        """Describe an error."""
        return cls(type(error).__name__, str(error), error.may_pass)


@dataclass(frozen=True, slots=True)
class FileResult:
    """What one file holds.

    Parameters
    ----------
    path : str
        The file as named by the caller; bytes that are not UTF-8 are surrogate-escaped.
    status : Status
        ``partial`` if decoding broke off: what was heard is labelled, ``error`` says why.
    model : str
        ``name@version`` of the model.
    error : Problem or None
        Set when the status is ``failed``, ``partial`` or ``no_audio``.
    duration : float or None
        Seconds that a player shows: what the file claims to last, or what was decoded where it
        makes no claim, or one that the sound contradicts. None where unknown.
    decoded : float
        Seconds from the start of the file, as a player counts them, to the end of what was
        decoded.
    trigger : str or None
        The strongest tag.
    tags : tuple of str
        Triggers over their threshold, in the whole or, beside others, in the timeline, strongest
        first; see :func:`choose_tags`.
    scores : mapping of str to float
        Calibrated probability that the label is present anywhere in the file. Empty if nothing
        was heard.
    shares : mapping of str to float
        Share of the duration that the label's segments cover, ``silence`` included.
    segments : tuple of Segment
        The timeline, by start.
    no_talking : bool or None
        No speech and no whisper anywhere; None where nothing was heard, or only a part, and that
        without talk.
    longest_talk : float or None
        Seconds of the longest stretch of speech or whisper or both; None where nothing was heard.
    corrected : tuple of str
        What was set by hand, of ``trigger`` (with ``tags``) and ``no_talking``; empty for what
        the model says. Scores, shares and segments always are the model's.
    """

    path: str
    status: Status
    model: str
    error: Problem | None = None
    duration: float | None = None
    decoded: float = 0.0
    trigger: str | None = None
    tags: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    no_talking: bool | None = None
    longest_talk: float | None = None
    corrected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """What the networks said of each window of a file.

    Parameters
    ----------
    intervals : ndarray of float64, shape (n_windows, 2), in seconds
    logits : ndarray of float32, shape (n_windows, n_labels)
        Not yet calibrated.
    levels_db : ndarray of float32, shape (n_windows,)
    changes : ndarray of float16, shape (n_windows, n_points, 2), optional
        Where the level rises and falls. Without them segments begin and end where windows do.
    """

    intervals: NDArray[np.float64]
    logits: NDArray[np.float32]
    levels_db: NDArray[np.float32]
    changes: NDArray[np.float16] | None = None

    @classmethod
    def join(cls, parts: Sequence[Heard], n_labels: int) -> Heard:
        """Put parts end to end; without any, make the record of a file without a window."""
        if not parts:
            nothing = np.zeros((0, n_labels), dtype=np.float32)
            return cls(np.zeros((0, 2)), nothing, np.zeros(0, dtype=np.float32))
        changes = [part.changes for part in parts if part.changes is not None]
        return cls(
            np.concatenate([part.intervals for part in parts]),
            np.concatenate([part.logits for part in parts]),
            np.concatenate([part.levels_db for part in parts]),
            np.concatenate(changes) if len(changes) == len(parts) else None,
        )

    def where(self, kept: NDArray[np.bool_]) -> Heard:
        """Take some of the windows."""
        changes = None if self.changes is None else self.changes[kept]
        return Heard(self.intervals[kept], self.logits[kept], self.levels_db[kept], changes)


def summarise(
    path: str,
    heard: Heard,
    model: Model,
    *,
    duration: float | None,
    decoded: float,
    error: Problem | None = None,
) -> FileResult:
    """Turn what was heard in a file into its result.

    Parameters
    ----------
    path : str
    heard : Heard
    model : Model
    duration : float or None
        Seconds that the file claims to last.
    decoded : float
        Seconds that were decoded.
    error : Problem, optional
        Why decoding broke off; makes the status ``partial``.

    Returns
    -------
    FileResult
    """
    duration = decoded if duration is None else duration
    silent = heard.levels_db < model.decision.silence_dbfs
    status = Status.PARTIAL if error else Status.SILENT if silent.all() else Status.OK
    segments = find_segments(
        heard.intervals,
        calibrate(heard.logits, model.window_calibration),
        silent,
        labels=model.labels,
        thresholds=model.in_timeline,
        decision=model.decision,
        changes=_changes(heard, model),
    )
    covered = _covered(segments, (*model.labels, SILENCE))
    whole = max(duration, decoded)
    shares = {label: min(1.0, seconds / whole) for label, seconds in covered.items()}
    if silent.all():
        return FileResult(
            path, status, model.id, error, duration, decoded, shares=shares, segments=segments
        )
    scores = score_file(heard.where(~silent), model)
    tags = choose_tags(scores, covered, decoded - covered[SILENCE], model)
    return FileResult(
        path=path,
        status=status,
        model=model.id,
        error=error,
        duration=duration,
        decoded=decoded,
        trigger=tags[0] if tags else None,
        tags=tags,
        scores=scores,
        shares=shares,
        segments=segments,
        no_talking=_no_talking(scores, segments, model, is_whole=error is None),
        longest_talk=_longest_talk(segments, model),
    )


def results_key(model: Model) -> str:
    """Name all that decides results but the sound: the model, and what is made of what it says.

    Results that are kept under another key are of no use.
    """
    return f"{model.digest()}-{RESULTS_VERSION}"


def _changes(heard: Heard, model: Model) -> Changes | None:
    if heard.changes is None or not len(heard.changes):
        return None
    from asmr_classify.features.edges import join_changes

    return join_changes(heard.intervals, heard.changes, model.features)


def score_file(heard: Heard, model: Model) -> dict[str, float]:
    """Compute the probability of each label being present anywhere in a file.

    Parameters
    ----------
    heard : Heard
        Of the windows that are not silent; at least one.
    model : Model

    Returns
    -------
    dict of str to float
    """
    pooled = pool_logits(heard, model.decision)
    scores = calibrate(pooled, model.file_calibration)
    return {label: float(score) for label, score in zip(model.labels, scores, strict=True)}


def pool_logits(heard: Heard, decision: DecisionSpec) -> NDArray[np.float32]:
    """Take each label's mean logit over the ``decision.span`` seconds where it is highest.

    A mean over a whole night would drown a minute of whispering, and a single window errs; a
    recording shorter than the span is averaged whole. Windows ``decision.background_db`` below
    the loudest of their span are left out: the hiss after a knock says nothing of the knock.

    Returns
    -------
    ndarray of float32, shape (n_labels,)
    """
    first, last = _spans(heard.intervals, decision.span)
    places = first[:, None] + np.arange((last - first).max())
    inside = places < last[:, None]
    places = np.minimum(places, last[:, None] - 1)
    levels = np.where(inside, heard.levels_db[places], -np.inf)
    counted = levels >= levels.max(axis=1, keepdims=True) - decision.background_db
    sums = np.einsum("sw,swl->sl", counted, heard.logits[places], dtype=np.float64)
    means = sums / counted.sum(axis=1, keepdims=True)
    return np.asarray(means.max(axis=0), dtype=np.float32)


def _spans(
    intervals: NDArray[np.float64], span: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the windows of each whole span, as first and one past the last."""
    starts, ends = intervals[:, 0], intervals[:, 1]
    first = np.arange(len(starts))
    last = np.maximum(np.searchsorted(ends, starts + span, side="right"), first + 1)
    span = min(span, ends[-1] - starts[0])
    whole = starts + span <= ends[-1] + 1e-6
    first, last = first[whole], last[whole]
    if last[-1] < len(starts) and starts[last[-1]] >= ends[last[-1] - 1]:
        # What follows the last whole span, after silence, would not be looked at.
        first = np.append(first, np.searchsorted(starts, ends[-1] - span))
        last = np.append(last, len(starts))
    return first, last


def over_threshold(scores: Mapping[str, float], model: Model) -> set[str]:
    """Tell which labels have a score, of a file, that reaches their threshold."""
    return {label for label, score in scores.items() if score >= model.thresholds[label]}


def choose_tags(
    scores: Mapping[str, float], covered: Mapping[str, float], heard: float, model: Model
) -> tuple[str, ...]:
    """Choose the triggers that a file holds, strongest first.

    A trigger is a tag where its score reaches its threshold. Two at once cover one another, and
    neither scores as it would alone; the timeline, whose thresholds are those of mixtures, still
    tells both. So beside a stronger tag, a trigger is one as well if its segments cover enough of
    the file. Without such a tag it is not: what resembles a trigger in a file that holds none is
    more often an error.

    Parameters
    ----------
    scores : mapping of str to float
        Of the file.
    covered : mapping of str to float
        Seconds that the segments of each label cover.
    heard : float
        Seconds that are not silent.
    model : Model

    Returns
    -------
    tuple of str
    """
    over = over_threshold(scores, model)
    reached = [label for label in model.triggers if label in over]
    strongest = max((scores[label] for label in reached), default=0.0)
    enough = max(LAYERED_SECONDS, LAYERED_SHARE * heard)
    layered = [
        label
        for label in model.triggers
        if label not in reached and scores[label] < strongest and covered[label] >= enough
    ]
    return tuple(sorted(reached + layered, key=lambda label: -scores[label]))


def _covered(segments: tuple[Segment, ...], labels: tuple[str, ...]) -> dict[str, float]:
    """Add up the seconds of each label's segments."""
    covered = dict.fromkeys(labels, 0.0)
    for segment in segments:
        covered[segment.label] += segment.end - segment.start
    return covered


def _voices(model: Model) -> tuple[str, ...]:
    return tuple(label for label in (SPEECH, WHISPER) if label in model.labels)


def _no_talking(
    scores: Mapping[str, float], segments: tuple[Segment, ...], model: Model, *, is_whole: bool
) -> bool | None:
    """Whether neither speech nor whisper is anywhere.

    None for a model that knows neither, and where some of the file was not heard and the rest
    holds no talk: who wants none must not be told that there is none.
    """
    voices = _voices(model)
    if not voices:
        return None
    talk = any(segment.label in voices for segment in segments) or not over_threshold(
        scores, model
    ).isdisjoint(voices)
    if talk:
        return False
    return True if is_whole else None


def _longest_talk(segments: tuple[Segment, ...], model: Model) -> float | None:
    """Longest stretch that segments of speech and whisper cover without a gap."""
    voices = _voices(model)
    if not voices:
        return None
    spans = join_spans((s.start, s.end) for s in segments if s.label in voices)
    return max((end - start for start, end in spans), default=0.0)
