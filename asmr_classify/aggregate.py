"""Timeline to file result: tags, scores, shares, and why there are none.

The record that other programs read is written by :mod:`asmr_classify.writers.jsonl`; its keys are
the fields of :class:`FileResult`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.config import SCORE_DIGITS
from asmr_classify.estimators import CERTAIN
from asmr_classify.evidence import NOTHING, weigh
from asmr_classify.labels import MUSIC, SILENCE, SPEECH, WHISPER, Kind, kind_of
from asmr_classify.timeline import (
    SLACK,
    Curves,
    find_segments,
    join_spans,
    logit,
    presence,
    probability,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from asmr_classify.errors import MediaError
    from asmr_classify.evidence import Evidence, Heard
    from asmr_classify.features.edges import Changes
    from asmr_classify.model import Model
    from asmr_classify.timeline import Segment
    from asmr_classify.visual.seen import Visual


RESULTS_VERSION = 6
"""Raised when the same sound and the same model give other results."""

PLAIN_SECONDS, PLAIN_SHARE = 10.0, 1 / 3
"""What covers so many seconds of a timeline, or that share of what is heard, is plainly in the
recording: it must be a tag, whatever the model's decision says of less."""

RISE = 0.5
"""Share of what is missing by which a curve is moved upwards. Of 0 to 1, a half gave the best
timelines of scenes that were made for the choice."""

LAYERED_SHARE = 0.03
"""Of 0.03, 0.05, 0.1, 0.2 and 0.35, this found most of what lies over or under another sound."""

LAYERS = (SPEECH, MUSIC)
"""Contexts under and over which triggers lie as they do over one another."""


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
        The first tag.
    tags : tuple of str
        Triggers whose scores reach their thresholds, that of which most is heard first.
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
        What was set by hand, of ``trigger`` (with ``tags``), ``no_talking`` and ``kinds``; empty
        for what the model says. Scores, shares and segments always are the model's.
    kinds : mapping of str to float
        Kinds of sound, finer than labels, whose calibrated probability to be anywhere in the file
        reaches their threshold, surest first; 1 for one that only was set by hand.
    asked : tuple of str or None
        The triggers of which it was set by hand whether they are there, if ``trigger`` was; None
        for all. It is not written with the result.
    visual : Visual or None
        What was seen in a file that was looked at; None for one that was only listened to.
    visual_error : Problem or None
        Why nothing was seen in a file that was looked at. Its sound is labelled all the same.
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
    kinds: Mapping[str, float] = field(default_factory=dict)
    visual: Visual | None = None
    visual_error: Problem | None = None
    asked: tuple[str, ...] | None = field(default=None, compare=False)

    def to_keep(self) -> FileResult:
        """Give what memories keep: a picture that may be seen another time is to be looked at."""
        if self.visual_error is None or not self.visual_error.may_pass:
            return self
        return replace(self, visual_error=None)

    def rules_out(self, label: str) -> bool:
        """Tell whether someone set by hand that a trigger, or talk, is not there.

        Scores and the timeline, which stay the model's, may tell of it all the same.
        """
        if "no_talking" in self.corrected and self.no_talking and label in {WHISPER, SPEECH}:
            return True
        return self.speaks_of(label) and label not in self.tags

    def is_set(self, label: str) -> bool:
        """Tell whether someone set by hand that a trigger is there."""
        return self.speaks_of(label) and label in self.tags

    def speaks_of(self, label: str) -> bool:
        """Tell whether someone set by hand whether a trigger is there: one that was known."""
        is_asked = self.asked is None or label in self.asked
        return "trigger" in self.corrected and is_asked and kind_of(label) is Kind.TRIGGER


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
    silent = bool((heard.levels_db < model.decision.silence_dbfs).all())
    status = Status.PARTIAL if error else Status.SILENT if silent else Status.OK
    if not len(heard.intervals):
        return FileResult(path, status, model.id, error, duration, decoded)
    weighed = weigh(heard, model.decision, len(model.labels), model.rivalry)
    evidence, for_kinds = weighed.split()
    curves = draw_curves(evidence, model)
    segments = find_segments(
        curves,
        evidence.silent,
        labels=model.labels,
        thresholds=model.thresholds,
        decision=model.decision,
        window=model.features.windows.duration,
        changes=_changes(heard, model),
    )
    covered = _covered(segments, (*model.labels, SILENCE))
    whole = max(duration, decoded)
    shares = {label: min(1.0, seconds / whole) for label, seconds in covered.items()}
    if silent:
        return FileResult(
            path, status, model.id, error, duration, decoded, shares=shares, segments=segments
        )
    scores = _scores(_find_presence(evidence, curves, model), model.labels)
    tags = choose_tags(scores, segments, model)
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
        no_talking=_no_talking(segments, model, is_whole=error is None),
        longest_talk=_longest_talk(segments, model),
        kinds=_kinds(for_kinds, model),
    )


def results_key(model: Model) -> str:
    """Name all that decides results but the sound: the model, and what is made of what it says.

    Results that are kept under another key are of no use.
    """
    return f"{model.digest()}-{RESULTS_VERSION}"


def draw_curves(evidence: Evidence, model: Model) -> Curves:
    """Draw how sure each label is over time, at the height that the whole gives it.

    The whole tells best how sure a label is, and the windows where it is. So each curve is moved
    until the label is as present in it as in the whole; upwards by the share ``RISE`` of that, as
    what is short is hardly in the whole.

    Of sounds that lie over one another, the whole has each less surely than it would have it alone.
    So beside another trigger, speech or music, a trigger is at its threshold wherever the windows
    by themselves have it there, or lack no more than ``layered``: it is there, but is no surer than
    that. They must have it for ``LAYERED_SHARE`` of what is heard: in a long night, some window
    always errs. A whisper is not beside speech: who speaks softly would be taken to whisper, too.
    Labels that were taught are left out: a few examples tell nothing of layers.

    Parameters
    ----------
    evidence : Evidence
    model : Model

    Returns
    -------
    Curves
    """
    slope, intercept = model.calibration[:, : len(model.labels)].astype(np.float64)
    empty = evidence.empty[:, None]
    local = np.clip(evidence.logits * slope + intercept, -CERTAIN, CERTAIN)
    local = np.where(empty, NOTHING, local)
    whole = np.clip(evidence.of_whole * slope + intercept, -CERTAIN, CERTAIN)
    missing = whole - _find_presence(evidence, Curves(evidence.edges, local), model)
    curves = np.where(empty, NOTHING, local + np.where(missing > 0, RISE * missing, missing))
    own = model.own_thresholds or model.thresholds
    thresholds = np.array([logit(own[label]) for label in model.labels])
    is_trigger = np.isin(model.labels, model.triggers)
    is_layer = is_trigger | np.isin(model.labels, LAYERS)
    is_trigger[model.ensemble.n_told :] = is_layer[model.ensemble.n_told :] = False
    held = is_layer & (whole >= thresholds - SLACK)
    is_voice = np.isin(model.labels, _voices(model))
    is_other = ~np.eye(len(held), dtype=np.bool_) & ~np.outer(is_voice, is_voice)
    beside_another = is_trigger & (is_other & held).any(axis=1)
    is_there = beside_another & ~empty & (local + model.decision.layered >= thresholds)
    seconds = is_there.T @ np.diff(evidence.edges)
    is_there &= seconds >= LAYERED_SHARE * evidence.foreground_seconds
    return Curves(evidence.edges, np.where(is_there, np.maximum(curves, thresholds), curves))


def _changes(heard: Heard, model: Model) -> Changes | None:
    if heard.changes is None or not len(heard.changes):
        return None
    from asmr_classify.features.edges import join_changes

    return join_changes(heard.intervals, heard.changes, model.features)


def _find_presence(evidence: Evidence, curves: Curves, model: Model) -> NDArray[np.float64]:
    """Find the highest threshold under which a file holds each label, as logits."""
    decision = model.decision
    return presence(
        curves,
        decision=decision,
        window=model.features.windows.duration,
        enough=min(decision.told_seconds, decision.told_share * evidence.foreground_seconds),
    )


def _scores(present: NDArray[np.float64], labels: tuple[str, ...]) -> dict[str, float]:
    """Round down to what is written, so that it reaches the same thresholds."""
    unit = 10.0**-SCORE_DIGITS
    told = np.floor(probability(present) / unit + SLACK) * unit
    return {
        label: round(float(score), SCORE_DIGITS) for label, score in zip(labels, told, strict=True)
    }


def _kinds(evidence: NDArray[np.float32], model: Model) -> dict[str, float]:
    """Tell the kinds that a file holds, surest first."""
    slope, intercept = model.calibration[:, len(model.labels) :].astype(np.float64)
    told = evidence[: len(model.kinds)]
    logits = np.clip(told * slope + intercept, -CERTAIN, CERTAIN)
    scores = _scores(logits, tuple(model.kinds))
    held = [kind for kind, threshold in model.kinds.items() if scores[kind] >= threshold]
    return {kind: scores[kind] for kind in sorted(held, key=lambda kind: -scores[kind])}


def over_threshold(scores: Mapping[str, float], model: Model) -> set[str]:
    """Tell which labels have a score, of a file, that reaches their threshold."""
    return {label for label, score in scores.items() if score >= model.thresholds[label]}


def choose_tags(
    scores: Mapping[str, float], segments: tuple[Segment, ...], model: Model
) -> tuple[str, ...]:
    """Choose the triggers that a file holds, that of which most is heard first.

    Parameters
    ----------
    scores : mapping of str to float
        Of the file.
    segments : tuple of Segment
    model : Model

    Returns
    -------
    tuple of str
        Triggers whose score reaches their threshold, by the seconds that their segments cover,
        each weighed with its score: of an hour of rain with a minute of whispering, a listener
        names the rain first.
    """
    expected = dict.fromkeys(model.labels, 0.0)
    for segment in segments:
        if segment.label in expected:
            expected[segment.label] += segment.score * (segment.end - segment.start)
    over = over_threshold(scores, model)
    tags = [label for label in model.triggers if label in over]
    return tuple(sorted(tags, key=lambda label: (-expected[label], -scores[label])))


def contradictions(result: FileResult, triggers: Iterable[str]) -> list[str]:
    """List what tags and timeline of a result say against one another.

    Parameters
    ----------
    result : FileResult
        What the model says, without corrections.
    triggers : iterable of str

    Returns
    -------
    list of str
        For each trigger without a tag that covers ``PLAIN_SECONDS`` or ``PLAIN_SHARE`` of what is
        heard, and each tag without a segment, one sentence; empty for every result that
        :func:`summarise` makes with a decision that asks for no more.
    """
    covered = _covered(result.segments, (*result.scores, SILENCE))
    plain = min(PLAIN_SECONDS, PLAIN_SHARE * (result.decoded - covered[SILENCE]))
    found = []
    for trigger in triggers:
        seconds = covered.get(trigger, 0.0)
        if trigger in result.tags and seconds == 0:
            found.append(f"{trigger} is a tag without a segment")
        elif trigger not in result.tags and seconds > 0 and seconds >= plain:
            found.append(f"{trigger} covers {seconds:.1f} s and is no tag")
    return found


def _covered(segments: tuple[Segment, ...], labels: tuple[str, ...]) -> dict[str, float]:
    """Add up the seconds of each label's segments."""
    covered = dict.fromkeys(labels, 0.0)
    for segment in segments:
        covered[segment.label] += segment.end - segment.start
    return covered


def _voices(model: Model) -> tuple[str, ...]:
    return tuple(label for label in (SPEECH, WHISPER) if label in model.labels)


def _no_talking(segments: tuple[Segment, ...], model: Model, *, is_whole: bool) -> bool | None:
    """Whether neither speech nor whisper is anywhere.

    None for a model that knows neither, and where some of the file was not heard and the rest
    holds no talk: who wants none must not be told that there is none.
    """
    voices = _voices(model)
    if not voices:
        return None
    if any(segment.label in voices for segment in segments):
        return False
    return True if is_whole else None


def _longest_talk(segments: tuple[Segment, ...], model: Model) -> float | None:
    """Longest stretch that segments of speech and whisper cover without a gap."""
    voices = _voices(model)
    if not voices:
        return None
    spans = join_spans((s.start, s.end) for s in segments if s.label in voices)
    return max((end - start for start, end in spans), default=0.0)
