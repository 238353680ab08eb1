"""Timeline to file result: tags, scores, shares, and why there are none.

The record that other programs read is written by :mod:`asmr_classify.writers.jsonl`; its keys are
the fields of :class:`FileResult`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asmr_classify.timeline import Segment


class Status(StrEnum):
    """How the labelling of one file ended."""

    OK = "ok"
    SILENT = "silent"
    NO_AUDIO = "no_audio"
    PARTIAL = "partial"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong with a file: the name of the error and a message that says what to do."""

    kind: str
    message: str


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
        Seconds that the file claims to last, or that were decoded where it makes no claim.
        None where unknown.
    decoded : float
        Seconds that were decoded.
    trigger : str or None
        The strongest tag.
    tags : tuple of str
        Triggers whose score reaches their threshold, strongest first.
    scores : mapping of str to float
        Calibrated probability that the label is present anywhere in the file. Empty if nothing
        was heard.
    shares : mapping of str to float
        Share of the duration that the label's segments cover, ``silence`` included.
    segments : tuple of Segment
        The timeline, by start.
    no_talking : bool or None
        No speech and no whisper anywhere; None where nothing was heard.
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
