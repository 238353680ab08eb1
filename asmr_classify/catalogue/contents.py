"""Rows of the catalogue: contents, their places, and what was heard in them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asmr_classify.aggregate import Status
from asmr_classify.catalogue.answers import Answers
from asmr_classify.catalogue.corrections import Correction
from asmr_classify.catalogue.fields import Vocabulary, searchable
from asmr_classify.catalogue.hashing import hash_file
from asmr_classify.catalogue.schema import damaged
from asmr_classify.visual.seen import levels
from asmr_classify.writers.jsonl import record_to_result, result_to_record

if TYPE_CHECKING:
    from asmr_classify.aggregate import FileResult, Problem
    from asmr_classify.catalogue.schema import Database
    from asmr_classify.media.found import Found
    from asmr_classify.visual.seen import Visual

MOST_HASHES = 1000
"""Hashes that are kept between looking for a file and adding it: more than any run has at hand."""


@dataclass(frozen=True, slots=True)
class Place:
    """A path and the content that lies, or lay, there.

    Parameters
    ----------
    content_id : int
    mtime_ns, size : int
        Of the file when it was labelled.
    hash : bytes or None
    correction : Correction
    """

    content_id: int
    mtime_ns: int
    size: int
    hash: bytes | None
    correction: Correction

    def is_of(self, found: Found) -> bool:
        """Whether the file has not changed since."""
        return (
            self.hash is not None
            and (found.size, found.mtime_ns) != (0, 0)
            and (self.size, self.mtime_ns) == (found.size, found.mtime_ns)
        )


class Contents:
    """The rows of one catalogue; whoever writes opens the transaction.

    Parameters
    ----------
    database : Database

    Attributes
    ----------
    answers : Answers
        What people said of stretches of them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.answers = Answers(database)
        self._hashes: dict[tuple[str, int, int], bytes | None] = {}

    @property
    def vocabulary(self) -> Vocabulary:
        """The labels and kinds, and their numbers."""
        labels: list[Any] = self._database.rows("SELECT label, id FROM vocabulary ORDER BY id")
        kinds: list[Any] = self._database.rows("SELECT kind, id FROM kinds ORDER BY id")
        return Vocabulary(dict(labels), dict(kinds))

    def place(self, path: str) -> Place | None:
        """Find what is known of a path."""
        row: Any = self._database.row(
            "SELECT c.id, f.mtime_ns, c.size, c.hash, c.correction FROM files f "
            "JOIN contents c ON c.id = f.content_id WHERE f.path = ?",
            [os.fsencode(path)],
        )
        if row is None:
            return None
        content_id, mtime_ns, size, digest, correction = row
        return Place(content_id, mtime_ns, size, digest, self._correction_of(correction))

    def _correction_of(self, text: str | None) -> Correction:
        try:
            return Correction.from_json(text)
        except (ValueError, KeyError, TypeError) as exc:
            raise damaged(self._database.path) from exc

    def hash_of(self, found: Found) -> bytes | None:
        """Tell the hash of a file, without reading it again where that can be helped."""
        path = os.path.abspath(found.path)  # noqa: PTH100
        key = (path, found.size, found.mtime_ns)
        if key in self._hashes:
            return self._hashes[key]
        place = self.place(path)
        if place is not None and place.is_of(found):
            return place.hash
        digest = hash_file(path, size=found.size, mtime_ns=found.mtime_ns)
        if len(self._hashes) >= MOST_HASHES:
            self._hashes.pop(next(iter(self._hashes)))
        self._hashes[key] = digest
        return digest

    def knows_size(self, size: int, settings: str | None) -> bool:
        """Whether a model, or any, has labelled a content of just that size."""
        return (
            self._database.row(
                "SELECT 1 FROM contents WHERE size = ? AND settings = coalesce(?, settings)",
                [size, settings],
            )
            is not None
        )

    def id_of(self, digest: bytes | None) -> int | None:
        """Find a content by its hash."""
        row: Any = self._database.row("SELECT id FROM contents WHERE hash = ?", [digest])
        return None if row is None else row[0]

    def begin(self, digest: bytes | None, size: int, now: float) -> int:
        """Add a content of which nothing is known yet."""
        cursor = self._database.run(
            "INSERT INTO contents (hash, size, added, settings, model, model_folded, status) "
            "VALUES (?, ?, ?, '', '', '', '')",
            [digest, size, now],
        )
        return int(cursor.lastrowid or 0)

    def describe(self, content_id: int, result: FileResult, settings: str | None) -> None:
        """Keep what a model said of a content; without settings, what was added to what one said.

        What was seen stays, whatever listens anew: it depends on no model.
        """
        before = self.said(content_id, None) if result.visual is None else None
        if before is not None and before.visual is not None:
            result = replace(result, visual=before.visual, visual_error=None)
        result = result.to_keep()
        record = result_to_record(replace(result, corrected=()), rounded=False)
        if result.error is not None:
            record["error"]["may_pass"] = result.error.may_pass
        self._database.run("REPLACE INTO records VALUES (?, ?)", [content_id, json.dumps(record)])
        self._database.run(
            "UPDATE contents SET settings = coalesce(?, settings), model = ?, model_folded = ?, "
            "status = ?, length = ? WHERE id = ?",
            [
                settings,
                _storable(result.model),
                searchable(result.model),
                result.status.value,
                result.duration,
                content_id,
            ],
        )
        self._derive(content_id, self.correction(content_id).apply(result))

    def _derive(self, content_id: int, result: FileResult) -> None:
        """Make what is searched, from a corrected result."""
        labels = dict.fromkeys([*result.scores, *result.shares, *result.tags])
        numbers = {label: self._number(label) for label in labels}
        self._database.run("DELETE FROM heard WHERE content_id = ?", [content_id])
        for label, number in numbers.items():
            self._database.run(
                "REPLACE INTO heard VALUES (?, ?, ?, ?, ?)",
                [
                    content_id,
                    number,
                    result.scores.get(label),
                    result.shares.get(label),
                    label in result.tags,
                ],
            )
        self._database.run("DELETE FROM told WHERE content_id = ?", [content_id])
        for kind, score in result.kinds.items():
            self._database.run(
                "REPLACE INTO told VALUES (?, ?, ?)",
                [content_id, self._number(kind, "kinds", "kind"), score],
            )
        trigger = None if result.trigger is None else numbers[result.trigger]
        self._database.run(
            "UPDATE contents SET trigger_id = ?, no_talking = ?, longest_talk = ? WHERE id = ?",
            [trigger, result.no_talking, result.longest_talk, content_id],
        )
        self._derive_seen(content_id, result.visual)

    def _derive_seen(self, content_id: int, visual: Visual | None) -> None:
        """Make what is searched, from what was seen."""
        motion, light = levels(visual)
        self._database.run(
            "UPDATE contents SET picture = ?, motion = ?, motion_median = ?, light = ?, "
            "light_median = ?, cuts_per_minute = ?, flashes = ? WHERE id = ?",
            [
                visual and visual.picture.value,
                motion,
                visual and visual.motion and visual.motion.median,
                light,
                visual and visual.light and visual.light.median,
                visual and visual.cuts_per_minute,
                visual and visual.flashes,
                content_id,
            ],
        )

    def _number(self, name: str, table: str = "vocabulary", column: str = "label") -> int:
        """Tell the number of a label or kind, which gets one if it is new."""
        text = _storable(name)
        self._database.run(f"INSERT OR IGNORE INTO {table} ({column}) VALUES (?)", [text])  # noqa: S608 (constants)
        row: Any = self._database.row(f"SELECT id FROM {table} WHERE {column} = ?", [text])  # noqa: S608
        return int(row[0])

    def correction(self, content_id: int) -> Correction:
        """Tell what was set by hand of a content."""
        row: Any = self._database.row("SELECT correction FROM contents WHERE id = ?", [content_id])
        return self._correction_of(row[0] if row else None)

    def correct(self, content_id: int, correction: Correction) -> None:
        """Replace what was set by hand of a content."""
        self._database.run(
            "UPDATE contents SET correction = ? WHERE id = ?", [correction.to_json(), content_id]
        )
        row: Any = self._database.row(
            "SELECT record FROM records WHERE content_id = ?", [content_id]
        )
        if row is not None:
            self._derive(content_id, correction.apply(self._parse(row[0])))

    def inherit(self, before_id: int, content_id: int) -> None:
        """Take over when a content was added and what people said of it."""
        self._database.run(
            "UPDATE contents SET (added, correction) = "
            "(SELECT added, correction FROM contents WHERE id = ?) WHERE id = ?",
            [before_id, content_id],
        )
        self.answers.share(before_id, content_id)

    def copy(self, content_id: int, digest: bytes, size: int) -> int:
        """Add another content of which the same is known."""
        new_id = self.begin(digest, size, 0)
        self.inherit(content_id, new_id)
        row: Any = self._database.row(
            "SELECT record, settings FROM records JOIN contents ON id = content_id WHERE id = ?",
            [content_id],
        )
        self.describe(new_id, self._parse(row[0]), row[1])
        return new_id

    def put(self, path: str, mtime_ns: int, content_id: int) -> None:
        """Say that a content lies at a place."""
        self._database.run(
            "INSERT INTO files (path, folded, mtime_ns, content_id) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (path) DO UPDATE SET mtime_ns = excluded.mtime_ns, "
            "content_id = excluded.content_id",
            [os.fsencode(path), searchable(path), mtime_ns, content_id],
        )

    def forget_origins(self, path: str, content_id: int) -> None:
        """Forget the places that a content, found at a new place, must have been moved from."""
        rows: list[Any] = self._database.rows(
            "SELECT path FROM files WHERE content_id = ? AND path != ? AND is_missing(path)",
            [content_id, os.fsencode(path)],
        )
        for (other,) in rows:
            if _was_moved(os.fsdecode(other), path):
                self._database.run("DELETE FROM files WHERE path = ?", [other])

    def sweep(self, content_id: int | None = None, *, corrected: bool = False) -> None:
        """Drop contents, or one, that lie nowhere; what people spoke of only on request."""
        said = "AND correction IS NULL AND id NOT IN (SELECT content_id FROM answers) "
        self._database.run(
            f"DELETE FROM contents WHERE {'1' if content_id is None else 'id = ?'} "  # noqa: S608 (constants)
            f"{'' if corrected else said}"
            "AND NOT EXISTS (SELECT 1 FROM files WHERE content_id = contents.id)",
            [] if content_id is None else [content_id],
        )

    def said(self, content_id: int | None, settings: str | None) -> FileResult | None:
        """Give what a model, or any, said of a content."""
        row: Any = self._database.row(
            "SELECT record FROM records JOIN contents ON id = content_id "
            "WHERE id = ? AND settings = coalesce(?, settings)",
            [content_id, settings],
        )
        return None if row is None else self._parse(row[0])

    def is_at_fault(self, content_id: int, settings: str) -> bool:
        """Whether a model could not label a content, and another attempt will not go better."""
        return (
            self._database.row(
                "SELECT 1 FROM records JOIN contents ON id = content_id WHERE id = ? "
                "AND settings = ? AND status = ? AND NOT json_extract(record, '$.error.may_pass')",
                [content_id, settings, Status.FAILED.value],
            )
            is not None
        )

    def says_the_same(self, content_id: int, result: FileResult, settings: str | None) -> bool:
        """Whether a model heard in a content just what a result says, to the digits written."""
        known = self.said(content_id, settings)
        return known is not None and bool(result.scores) and _heard(known) == _heard(result)

    def result_at(self, condition: str, value: object) -> FileResult | None:
        """Give the corrected result of the one file of which a condition holds."""
        row: Any = self._database.row(
            "SELECT f.path, r.record, c.correction FROM files f "  # noqa: S608 (constants)
            "JOIN contents c ON c.id = f.content_id JOIN records r ON r.content_id = c.id "
            f"WHERE {condition}",
            [value],
        )
        if row is None:
            return None
        result = self._correction_of(row[2]).apply(self._parse(row[1]))
        return renamed(result, os.fsdecode(row[0]))

    def _parse(self, record: str) -> FileResult:
        try:
            return record_to_result(json.loads(record))
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise damaged(self._database.path) from exc

    def knows_path(self, path: str) -> bool:
        """Whether a file, or any below a folder, is known."""
        condition, parameters = _at_or_below(path)
        return self._database.row(f"SELECT 1 FROM files WHERE {condition}", parameters) is not None  # noqa: S608

    def paths_like(self, path: str) -> list[str]:
        """List the paths at which the content of a path lies, that path among them."""
        rows: list[Any] = self._database.rows(
            "SELECT path FROM files WHERE content_id = "
            "(SELECT content_id FROM files WHERE path = ?)",
            [os.fsencode(path)],
        )
        return [os.fsdecode(row[0]) for row in rows]

    def forget_path(self, path: str) -> None:
        """Forget a file, or all below a folder."""
        condition, parameters = _at_or_below(path)
        self._database.run(f"DELETE FROM files WHERE {condition}", parameters)  # noqa: S608


def _was_moved(before: str, after: str) -> bool:
    """Whether a file that is missing was moved, and does not lie on a disk that is not mounted.

    That is sure where its folder still holds something, and where all that is left of its path
    is a folder, of the same disk, that the new place is in too. Else nothing is sure: a disk that
    is not mounted leaves an empty folder, or none.
    """
    folder = Path(before).parent
    try:
        if folder.is_dir():
            return next(folder.iterdir(), None) is not None
        folder = next(parent for parent in folder.parents if parent.is_dir())
        is_around = folder in Path(after).parents and folder != folder.parent
        return is_around and folder.stat().st_dev == Path(after).stat().st_dev
    except (OSError, ValueError, StopIteration):
        return False


def _at_or_below(path: str) -> tuple[str, list[bytes]]:
    below = os.fsencode(path.rstrip(os.sep) + os.sep)
    after = below[:-1] + bytes([below[-1] + 1])
    return "path = ? OR (path >= ? AND path < ?)", [os.fsencode(path), below, after]


def _heard(result: FileResult) -> list[object]:
    """Give what the sound alone decides: how long it is, the scores and the timeline."""
    record = result_to_record(result)
    return [record[key] for key in ("decoded", "scores", "shares", "segments")]


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def renamed(result: FileResult, path: str) -> FileResult:
    """Give the result of a file another name, in its messages too."""

    def told(problem: Problem | None) -> Problem | None:
        named = f"{result.path}: "
        if problem is None or not problem.message.startswith(named):
            return problem
        return replace(problem, message=f"{path}: {problem.message.removeprefix(named)}")

    error, visual_error = told(result.error), told(result.visual_error)
    return replace(result, path=path, error=error, visual_error=visual_error)
