"""What people said of stretches of recordings, kept apart from what the model said.

An answer holds for one stretch of one content, wherever that lies. It tells what is heard there,
and which labels were offered: one that was and was not chosen is not there, of any other nothing
is said. Labels may be ones that no model knows.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from asmr_classify.catalogue.fields import FIELDS, KIND_SCORE, NONE, SHARE
from asmr_classify.catalogue.query import PLAIN_NAME
from asmr_classify.catalogue.schema import damaged
from asmr_classify.errors import UsageError
from asmr_classify.labels import CONTEXTS, SILENCE, TRIGGERS, same_but_for_case

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from asmr_classify.catalogue.schema import Database

MOST_CHARACTERS = 60
"""Of a label: it must fit on a key of a page."""

DIGITS = 3
"""Of seconds, so that the same stretch is the same number."""

BORDER_SECONDS = 0.1
"""How far borders may be apart at most that are the same: nobody sets them more exactly by hand."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody said of a stretch.

    Parameters
    ----------
    path : str
        Absolute; a place of the content.
    start, end : float
        Seconds, as a player shows them.
    labels : tuple of str
        What is heard there; empty for none of those asked.
    asked : tuple of str
        Labels that were offered: one that was and is not in ``labels`` is not there.
    at : float
        When, in seconds since 1970.
    """

    path: str
    start: float
    end: float
    labels: tuple[str, ...]
    asked: tuple[str, ...]
    at: float

    def says(self, other: Answer, labels: Collection[str]) -> bool:
        """Tell whether this tells all that another one of the same stretch does.

        That nothing is heard, of all there is, says no more once further labels have been named.

        Parameters
        ----------
        other : Answer
        labels : collection of str
            Those that the catalogue has.
        """
        if self._hears_nothing(labels) and other._hears_nothing(labels):
            return True
        same = {*self.labels}.intersection(other.asked) == {*other.labels}
        return same and {*self.asked}.issuperset(other.asked)

    def _hears_nothing(self, labels: Collection[str]) -> bool:
        """Tell whether all was asked that nobody had to name, of several labels, and none heard."""
        never_named = {*TRIGGERS, *CONTEXTS}.intersection(labels)
        return not self.labels and len(self.asked) > 1 and never_named.issubset(self.asked)

    def then(self, later: Answer) -> Answer:
        """Say more, or otherwise: of what was asked again, the later counts."""
        kept = (label for label in self.labels if label not in later.asked)
        labels = tuple(dict.fromkeys([*kept, *later.labels]))
        return replace(
            later, labels=labels, asked=tuple(dict.fromkeys([*self.asked, *later.asked]))
        )

    def only(self, labels: Collection[str]) -> Answer:
        """Say what it says of some labels only."""
        asked = tuple(label for label in self.asked if label in labels)
        return replace(self, labels=tuple(x for x in self.labels if x in labels), asked=asked)


def check_answer(answer: Answer) -> Answer:
    """Check what is to be kept, and make equal stretches equal numbers.

    Raises
    ------
    UsageError
        If the stretch is none, or a label is none.

    Examples
    --------
    >>> check_answer(Answer("/a.mp3", 1.00001, 3, ("tap",), ("whisper",), 0.0))
    Answer(path='/a.mp3', start=1.0, end=3.0, labels=('tap',), asked=('whisper', 'tap'), at=0.0)
    """
    start, end = round(float(answer.start), DIGITS), round(float(answer.end), DIGITS)
    if not (math.isfinite(end) and 0 <= start < end):
        raise UsageError(
            f"{answer.path}: {answer.start} to {answer.end} is no stretch: give seconds from 0 on, "
            "the end after the start"
        )
    labels = tuple(dict.fromkeys(map(check_label, answer.labels)))
    asked = tuple(dict.fromkeys([*map(check_label, answer.asked), *labels]))
    return replace(answer, start=start, end=end, labels=labels, asked=asked)


def check_label(label: str) -> str:
    """Check the name of a label, which may be a new one.

    Raises
    ------
    UsageError
        If it cannot be one.
    """
    if (
        not isinstance(label, str)
        or not 0 < len(label) <= MOST_CHARACTERS
        or not label.isprintable()
        or label != label.strip()
    ):
        raise UsageError(
            f"{label!r} cannot be a label: give up to {MOST_CHARACTERS} characters that can be "
            "seen, without space around them"
        )
    return label


def check_new_label(label: str, known: Iterable[str]) -> str:
    """Check the name of a label that is new, by which queries are to ask for it.

    Parameters
    ----------
    label : str
    known : iterable of str
        Labels that there are, besides those of the shipped model.

    Raises
    ------
    UsageError
        If it cannot be one, or means something else.
    """
    check_label(label)
    alike = same_but_for_case(label, (*TRIGGERS, *CONTEXTS, SILENCE, *known))
    if alike is not None:
        raise UsageError(
            f"{label!r} cannot be a label: it differs in case only from {alike}, which is one"
        )
    if label in {*FIELDS, NONE} or label.startswith((SHARE, KIND_SCORE)):
        raise UsageError(
            f"{label!r} cannot be a label: it has another meaning in queries; choose another name"
        )
    if not PLAIN_NAME.fullmatch(label.replace(" ", "_")):
        raise UsageError(
            f"{label!r} cannot be a label: leave out commas and : = < >, by which queries end a "
            "name, and quotes, - and ^ at its beginning"
        )
    return label


def rest_of(
    start: float, end: float, spans: Iterable[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Give what of a span others leave, without slivers.

    Examples
    --------
    >>> rest_of(0, 10, [(0.05, 4), (6, 7)]), rest_of(0, 0.05, [])
    ([(4, 6), (7, 10)], [(0, 0.05)])
    """
    pieces, reached = [], start
    for first, last in sorted(spans):
        if first < end and last > reached:
            pieces.append((reached, first))
            reached = last
    pieces.append((reached, end))
    return [(a, b) for a, b in pieces if b - a >= BORDER_SECONDS or (a, b) == (start, end)]


class Answers:
    """The answers of one catalogue; whoever writes opens the transaction.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, content_id: int, answer: Answer) -> None:
        """Keep an answer, in place of an earlier one of the same stretch."""
        self._database.run(
            "REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                content_id,
                answer.start,
                answer.end,
                json.dumps(answer.labels),
                json.dumps(answer.asked),
                answer.at,
                os.fsencode(answer.path),
            ],
        )

    def drop(self, content_id: int, start: float, end: float) -> None:
        """Forget the answer of a stretch."""
        self._database.run(
            "DELETE FROM answers WHERE content_id = ? AND start = ? AND stop = ?",
            [content_id, round(start, DIGITS), round(end, DIGITS)],
        )

    def find(self, content_id: int, like: Answer) -> Answer | None:
        """Give the answer of the very stretch that another one is of."""
        rows: list[Any] = self._database.rows(
            "SELECT path, start, stop, labels, asked, at FROM answers "
            "WHERE content_id = ? AND start = ? AND stop = ?",
            [content_id, like.start, like.end],
        )
        return next(iter(self._read(rows)), None)

    def share(self, before_id: int, content_id: int) -> None:
        """Give the answers of a content to another that sounds the same.

        Of the very same stretch the later one stands, and what the earlier says of other labels.
        """
        rows: list[Any] = self._database.rows(
            "SELECT path, start, stop, labels, asked, at FROM answers WHERE content_id = ?",
            [before_id],
        )
        for answer in self._read(rows):
            known = self.find(content_id, answer)
            if known is None:
                self.put(content_id, answer)
            else:
                first, last = sorted((known, answer), key=lambda x: x.at)
                self.put(content_id, replace(first.then(last), path=known.path))

    def all(self, *, replaced: bool) -> list[Answer]:
        """List all, by path and time in it; of what another content replaced, if ``replaced``."""
        rows: list[Any] = self._database.rows(
            "SELECT coalesce((SELECT path FROM (SELECT f.path, is_missing(f.path) AS is_gone, "
            "f.path != a.path AS is_other FROM files f WHERE f.content_id = a.content_id) "
            "ORDER BY is_gone, is_other, path LIMIT 1), a.path) AS place,"
            " start, stop, labels, asked, at FROM answers a "
            "WHERE ?1 OR a.content_id IN (SELECT content_id FROM files) "
            "OR a.path NOT IN (SELECT path FROM files) ORDER BY place, start, stop",
            [replaced],
        )
        return list(self._read(rows))

    def of(self, path: str) -> list[Answer]:
        """List those of the content of a path, or that lay there last, by time in it."""
        place = os.fsencode(path)
        lying: Any = self._database.row("SELECT content_id FROM files WHERE path = ?", [place])
        condition = (
            "path = ?1 AND content_id NOT IN (SELECT content_id FROM files)"
            if lying is None
            else "content_id = ?2"
        )
        rows: list[Any] = self._database.rows(
            "SELECT ?1, start, stop, labels, asked, at FROM answers "  # noqa: S608 (constants)
            f"WHERE {condition} ORDER BY start, stop",
            [place, *(lying or ())],
        )
        return list(self._read(rows))

    def _read(self, rows: Iterable[Any]) -> Iterable[Answer]:
        for path, start, end, labels, asked, at in rows:
            try:
                texts = tuple(json.loads(labels)), tuple(json.loads(asked))
            except (ValueError, TypeError) as exc:
                raise damaged(self._database.path) from exc
            yield Answer(os.fsdecode(path), start, end, *texts, at)
