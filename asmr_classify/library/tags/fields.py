"""Our fields: what they are called, what they say, and how a result becomes them.

::

    ASMR_TRIGGERS=whisper;tap                    triggers, most heard first
    ASMR_KINDS=rain;typing                       kinds of sound, surest first
    ASMR_SCORES=whisper=0.97 tap=0.81 speech=0.05  probability of each label of the model
    ASMR_NO_TALKING=true                         neither speech nor whisper; absent where unknown
    ASMR_VISUAL=picture=video motion=slow light=dark  what is seen, where there is something to see
    ASMR_MODEL=asmr-4@1.0.0                      what said so
    ASMR_GENRE, ASMR_COMMENT                     the genre and the comment that we added
    ASMR_CHAPTERS                                number and checksum of the chapters that we added,
                                                 and "lively" if they tell where much moves

In labels and kinds, a space, ``;``, ``=``, ``%`` and what is no text are written as ``%XX``, as in
addresses (RFC 3986). A field that would be empty is left out. The last three tell what is ours
among what players show, so that all of it, and nothing else, can be taken out again.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asmr_classify.library.tags.chapters import timeline_chapters
from asmr_classify.library.tags.spelling import escape, readable, unescape
from asmr_classify.library.tags.state import TagState
from asmr_classify.visual.seen import levels, shows
from asmr_classify.writers.edl import LIVELY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asmr_classify.aggregate import FileResult
    from asmr_classify.library.tags.state import Chapter
    from asmr_classify.visual.seen import Visual

TRIGGERS, KINDS, SCORES, NO_TALKING, VISUAL, MODEL = (
    "ASMR_TRIGGERS",
    "ASMR_KINDS",
    "ASMR_SCORES",
    "ASMR_NO_TALKING",
    "ASMR_VISUAL",
    "ASMR_MODEL",
)
GENRE, COMMENT, CHAPTERS = "ASMR_GENRE", "ASMR_COMMENT", "ASMR_CHAPTERS"

FIELD_NAMES = (TRIGGERS, KINDS, SCORES, NO_TALKING, VISUAL, MODEL, GENRE, COMMENT, CHAPTERS)
"""All names that are ours; nothing else is ever taken for ours."""

GENRE_TEXT = "ASMR"

SCORE_DIGITS = 2
"""As players can show them; and a score that moves less is no reason to write a file again."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is wanted beside our own fields.

    What was asked for once is kept up to date by later runs, until it is taken out.

    Parameters
    ----------
    genre, comment, chapters : bool
    lively : bool
        Chapters tell where much moves, too.
    """

    genre: bool = False
    comment: bool = False
    chapters: bool = False
    lively: bool = False


def tagged(before: TagState, result: FileResult, wishes: Wishes) -> TagState:
    """Say what the tags of a file should be.

    Parameters
    ----------
    before : TagState
    result : FileResult
    wishes : Wishes

    Returns
    -------
    TagState
        The user's own chapters are kept, and ours not added then.
    """
    state = untagged(before)
    fields = result_to_fields(result)
    genre, comment, chapters = state.genre, state.comment, state.chapters
    wants_genre = wishes.genre or GENRE in before.fields
    if wants_genre and result.tags and not _holds(genre, GENRE_TEXT):
        fields[GENRE] = GENRE_TEXT
        genre = (*genre, GENRE_TEXT)
    text = comment_text(result)
    if (wishes.comment or COMMENT in before.fields) and text and not _holds(comment, text):
        fields[COMMENT] = text
        comment = (*comment, text)
    if (wishes.chapters or CHAPTERS in before.fields) and not chapters:
        lively = wishes.lively or tells_lively(before)
        chapters = timeline_chapters(result, lively=lively)
        if chapters:
            fields[CHAPTERS] = mark_of_chapters(chapters) + (f" {LIVELY}" if lively else "")
    return TagState(fields, genre, comment, chapters)


def untagged(before: TagState) -> TagState:
    """Say what the tags of a file are without ours."""
    fields = before.fields
    chapters = before.chapters
    if fields.get(CHAPTERS, "").removesuffix(f" {LIVELY}") == mark_of_chapters(chapters):
        chapters = ()
    return TagState(
        {},
        _without(before.genre, fields.get(GENRE)) or before.genre_beneath,
        _without(before.comment, fields.get(COMMENT)) or before.comment_beneath,
        chapters,
    )


def tells_lively(state: TagState) -> bool:
    """Whether chapters of ours tell where much moves, or are to where it is known."""
    return state.fields.get(CHAPTERS, "").endswith(f" {LIVELY}")


def without_chapters(state: TagState, before: TagState) -> TagState:
    """Leave the chapters of a file as they were: of one whose kind cannot hold any."""
    fields = {name: value for name, value in state.fields.items() if name != CHAPTERS}
    return replace(state, fields=fields, chapters=before.chapters)


def _holds(values: Sequence[str], text: str) -> bool:
    return text.casefold() in (value.casefold() for value in values)


def _without(values: Sequence[str], ours: str | None) -> tuple[str, ...]:
    return tuple(value for value in values if value != ours)


def result_to_fields(result: FileResult) -> dict[str, str]:
    """Turn a result into the fields that say it, without those for what players show."""
    scores = " ".join(
        f"{escape(label)}={score:.{SCORE_DIGITS}f}" for label, score in result.scores.items()
    )
    fields = {
        TRIGGERS: ";".join(map(escape, result.tags)),
        KINDS: ";".join(map(escape, result.kinds)),
        SCORES: scores,
        NO_TALKING: "" if result.no_talking is None else str(result.no_talking).lower(),
        VISUAL: visual_text(result.visual),
        MODEL: readable(result.model, keep="_"),
    }
    return {name: value for name, value in fields.items() if value}


def visual_text(visual: Visual | None) -> str:
    """Say what is seen; empty where nobody looked, and where there is no more than a cover.

    Examples
    --------
    >>> from asmr_classify.visual.seen import Picture, Visual
    >>> visual_text(Visual(Picture.STILL)), visual_text(Visual(Picture.NONE))
    ('picture=still', '')
    """
    if not shows(visual):
        return ""
    motion, light = levels(visual)
    values = (("picture", visual.picture), ("motion", motion), ("light", light))
    return " ".join(f"{name}={value}" for name, value in values if value)


def comment_text(result: FileResult) -> str:
    """Say in words what a recording holds; empty if it holds no trigger.

    Examples
    --------
    >>> from asmr_classify.aggregate import FileResult, Status
    >>> result = FileResult("a", Status.OK, "m", tags=("white_noise", "tap"), no_talking=True)
    >>> comment_text(result)
    'ASMR: white noise, tap; no talking'
    """
    if not result.tags:
        return ""
    names = ", ".join(map(readable, result.tags))
    return f"ASMR: {names}{'; no talking' if result.no_talking else ''}"


def read_names(fields: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Read the triggers or the kinds that a file's fields tell."""
    text = fields.get(name, "")
    return tuple(map(unescape, text.split(";"))) if text else ()


def mark_of_chapters(chapters: Sequence[Chapter]) -> str:
    """Give what tells chapters from others: their number, and a checksum of starts and titles.

    Ends are left out: some formats do not keep them.
    """
    text = "\n".join(f"{chapter.start_ms} {chapter.title}" for chapter in chapters)
    return f"{len(chapters)} {zlib.crc32(text.encode('utf-8', 'surrogatepass')):08x}"


def describe_change(old: TagState, new: TagState) -> str:
    """Tell in a line what changes.

    Examples
    --------
    >>> describe_change(TagState({TRIGGERS: "tap"}), TagState({TRIGGERS: "tap;whisper"}))
    'tap → tap, whisper'
    """
    parts = [" → ".join(dict.fromkeys(map(_summary, (old, new))))]
    for name, before, after in (
        ("genre", old.genre, new.genre),
        ("comment", old.comment, new.comment),
    ):
        parts += [f"+ {name} {text!r}" for text in after if text not in before]
        parts += [f"- {name} {text!r}" for text in before if text not in after]  # fmt: skip
    if new.fields and new.fields.get(KINDS) != old.fields.get(KINDS):
        parts.append(f"kinds: {', '.join(read_names(new.fields, KINDS)) or 'none'}")
    if new.fields.get(VISUAL, old.fields.get(VISUAL)) != old.fields.get(VISUAL):
        parts.append(f"seen: {new.fields[VISUAL]}")
    if len(new.chapters) != len(old.chapters):
        parts.append(f"chapters: {len(old.chapters)} → {len(new.chapters)}")
    elif new.starts != old.starts:
        parts.append(f"chapters: {len(new.chapters)}, with other times or titles")
    return "; ".join(parts)


def _summary(state: TagState) -> str:
    if not state.fields:
        return "no tags of ours"
    return ", ".join(read_names(state.fields, TRIGGERS)) or "no trigger"
