"""Labels that people edited in files, to what the catalogue is to keep.

Three kinds of files are read, as the writers write them:

- CSV: a row tells of a whole recording, as the columns of ``label --format csv`` do or one column
  of triggers, which becomes a correction; or, with start and end, of a stretch, which becomes an
  answer.
- Audacity label tracks and Raven selection tables: the whole timeline of a recording, without
  labels that were set as absent, as it is written. What it has and the catalogue's has not was
  heard; what it lacks was not; each becomes an answer. Borders that are less than
  :data:`~asmr_classify.catalogue.answers.BORDER_SECONDS` apart are the same.

What is there already changes nothing, so that what was written comes back unchanged. ``silence`` is
decided by level: segments of it are passed over. Nothing is kept here: see
:meth:`~asmr_classify.catalogue.store.Catalogue.take`.
"""

from __future__ import annotations

import csv
import io
import os
import re
import time
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from asmr_classify.catalogue.answers import (
    BORDER_SECONDS,
    Answer,
    check_answer,
    check_new_label,
    rest_of,
)
from asmr_classify.catalogue.corrections import (
    NO_TALKING,
    NONE,
    TRIGGER,
    TRUTHS,
    parse_correction,
)
from asmr_classify.catalogue.edits import Edit, named_at
from asmr_classify.catalogue.tracks import recordings_of
from asmr_classify.errors import UsageError
from asmr_classify.labels import CONTEXTS, SILENCE, TRIGGERS, one_word, same_but_for_case
from asmr_classify.units import time_to_seconds
from asmr_classify.writers import audacity, format_by_name, raven
from asmr_classify.writers.csv import unescape_cell
from asmr_classify.writers.documents import without_ruled_out
from asmr_classify.writers.escapes import unescape
from asmr_classify.writers.per_file import Journals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from asmr_classify.aggregate import FileResult
    from asmr_classify.catalogue import Catalogue
    from asmr_classify.timeline import Segment

TAGS, PATH, START, END = "tags", "path", "start", "end"
LABEL_COLUMNS = (TRIGGER, "labels", "label")
"""Of CSV files of others; the first that there is counts."""

TRACK_SUFFIX = re.compile(r"\.labels\.txt$|\.txt$", re.IGNORECASE)

Key = tuple[str, float, float]


def read_edits(
    files: Iterable[str],
    known: Catalogue,
    *,
    only: Sequence[str] = (),
    new: Iterable[str] = (),
    on_empty: Callable[[str, str], object] | None = None,
) -> list[Edit]:
    """Read what files say of recordings that is not as the catalogue has it.

    Parameters
    ----------
    files : iterable of str
        Files, and folders for all that :mod:`asmr_classify.writers` would write below them.
    known : Catalogue
    only : sequence of str
        Recordings, and folders for all below them: of others nothing is read. By default, all.
    new : iterable of str
        Labels of stretches that nobody named yet.
    on_empty : callable, optional
        Told each label track that holds no label, and its recording.

    Returns
    -------
    list of Edit

    Raises
    ------
    UsageError
        With the file and line of what cannot be read, or contradicts something else.
    """
    reader = _Reader(known, only, new, on_empty)
    for file in files:
        reader.read(file)
    return reader.edits()


class _Reader:
    """Reads files one after the other, and gathers what they say."""

    def __init__(
        self,
        known: Catalogue,
        only: Sequence[str],
        new: Iterable[str],
        on_empty: Callable[[str, str], object] | None,
    ) -> None:
        self._on_empty = on_empty
        self._result_of = lru_cache(maxsize=1)(known.result_of)  # rows are mostly by recording
        self._only = [os.path.abspath(path) for path in only]  # noqa: PTH100
        self._paths = [path for path in known.paths() if self._wants(path)]
        self._there = frozenset(self._paths)
        offered = known.named
        named = dict.fromkeys([*TRIGGERS, *CONTEXTS, *offered])
        added = [x if x in named else check_new_label(x, named) for x in map(one_word, new)]
        self._offered = tuple(dict.fromkeys([*offered, *added]))
        self._labels = tuple(dict.fromkeys([*named, *added]))
        self._corrections: dict[str, Edit] = {}
        self._told: dict[str, dict[str, tuple[object, str]]] = {}
        self._said: dict[Key, dict[str, bool]] = {}
        self._places: dict[Key, str] = {}
        self._timelines: dict[str, str] = {}
        self._journals = Journals()

    def _wants(self, path: str) -> bool:
        return not self._only or any(
            path == x or path.startswith(x.rstrip(os.sep) + os.sep) for x in self._only
        )

    def edits(self) -> list[Edit]:
        """Give all that is new, by recording and time."""
        now = time.time()
        edits = list(self._corrections.values())
        for key, said in self._said.items():
            labels = tuple(label for label, is_there in said.items() if is_there)
            answer = Answer(*key, labels=labels, asked=tuple(said), at=now)
            edits.append(Edit(self._places[key], key[0], answer=answer))
        return sorted(edits, key=lambda x: (x.path, x.answer.start if x.answer else -1.0))

    def read(self, file: str) -> None:
        """Read a file, or all of a folder."""
        if not os.path.isdir(file):  # noqa: PTH112 (any name)
            self._read_files([file], None)
            return
        inside = [os.path.join(here, x) for here, _, names in os.walk(file) for x in names]  # noqa: PTH118
        fitting = sorted(x for x in inside if format_by_name(x) in {"csv", "raven", "audacity"})
        if not fitting:
            raise UsageError(
                f"{file}: holds no labels: no .csv, .labels.txt or .selections.txt is in it"
            )
        self._read_files(fitting, file)

    def _read_files(self, files: Sequence[str], top: str | None) -> None:
        tracks: dict[str, str] = {}
        for file in files:
            text = _read_text(file)
            if self._journals.is_as_written(file, text.encode()):
                continue
            if file.lower().endswith(".csv"):
                self._read_csv(file, text)
            elif text.startswith(raven.COLUMNS[0] + "\t"):
                self._read_raven(file, text)
            elif TRACK_SUFFIX.search(file):
                tracks[file] = text
            else:
                raise UsageError(
                    f"{file}: labels are read from CSV, Audacity label tracks (.txt) and Raven "
                    "selection tables (.txt)"
                )
        self._read_tracks(tracks, top)

    # CSV

    def _read_csv(self, file: str, text: str) -> None:
        rows = csv.DictReader(io.StringIO(text, newline=""), restval="")
        try:
            columns = [name.strip().lower() for name in rows.fieldnames or ()]
            _check_columns(file, columns)
            rows.fieldnames = columns
            for row in rows:
                with _placed(f"{file}, line {rows.line_num}"):
                    self._read_row(file, f"{file}, line {rows.line_num}", row)
        except csv.Error as exc:
            raise UsageError(f"{file}, line {rows.line_num}: cannot be read: {exc}") from exc

    def _read_row(self, file: str, place: str, row: Mapping[str | None, str]) -> None:
        if None in row:
            raise UsageError(
                'has more cells than columns; write labels with commas in quotes: "tap,whisper"'
            )
        cells = {str(name): cell.strip() for name, cell in row.items()}
        path = self._find(cells[PATH] and row[PATH], file)
        if path is None:
            return
        result = self._result_of(path)
        if cells.get(START) or cells.get(END):
            names = _names_in(cells)
            if SILENCE in names:
                raise UsageError(
                    f"{SILENCE} is decided by level, not by answers; write {NONE} where no label "
                    "is heard"
                )
            is_none = NONE in names
            if is_none and len(names) > 1:
                raise UsageError(f"{NONE} stands alone: it means that no label is heard")
            said = dict.fromkeys(self._offered if is_none else map(self._label, names), not is_none)
            start, end = (_seconds(cells.get(name, ""), name) for name in (START, END))
            self._say(place, result, start, end, said)
        else:
            self._correct(place, result, cells)

    def _find(self, cell: str, file: str) -> str | None:
        """Find the recording of a row: from the working directory, or that of the file."""
        if not cell:
            raise UsageError("names no recording")
        folders = ("", os.path.dirname(file))  # noqa: PTH120
        names = dict.fromkeys((cell, unescape_cell(cell)))
        found = [os.path.abspath(os.path.join(x, name)) for x in folders for name in names]  # noqa: PTH100, PTH118
        for is_there in (self._there.__contains__, os.path.lexists):
            for path in filter(is_there, found):
                return path if self._wants(path) else None
        if self._only:
            return None
        raise UsageError(f"{cell}: is not in the catalogue; label it first")

    def _correct(self, place: str, result: FileResult, cells: Mapping[str, str]) -> None:
        """Note what a row says of a whole recording that is not known of it."""
        tags = _tags_in(cells, result)
        truth = cells.get(NO_TALKING, "").lower()
        no_talking = TRUTHS.get(truth, truth) if truth else None
        told = self._told.setdefault(result.path, {})
        for name, value in ((TRIGGER, tags), (NO_TALKING, no_talking)):
            first, other = (
                told.setdefault(name, (value, place)) if value is not None else (None, "")
            )
            if first != value:
                raise UsageError(f"{result.path}: is set to something else by {other}")
        settings = []
        if tags is not None and tags != result.tags:
            settings.append(f"{TRIGGER}={','.join(tags) or NONE}")
        if truth and no_talking is not result.no_talking:
            settings.append(f"{NO_TALKING}={truth}")
        if settings:
            correction = parse_correction(settings, self._labels)
            before = self._corrections.get(result.path)
            if before is not None and before.correction is not None:
                correction = before.correction.then(correction)
            self._corrections[result.path] = Edit(place, result.path, correction)

    # Timelines

    def _read_raven(self, file: str, text: str) -> None:
        rows = csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
        needed = ("Begin Time (s)", "End Time (s)", "Begin Path", "File Offset (s)", "Annotation")
        lacking = [name for name in needed if name not in (rows.fieldnames or ())]
        if lacking:
            raise UsageError(f"{file}: no column {', '.join(lacking)}; have Raven save it too")
        timelines: dict[str, list[tuple[str, Segment]]] = {}
        for row in rows:
            place = f"{file}, line {rows.line_num}"
            with _placed(place):
                path = self._find(unescape(row["Begin Path"] or ""), file)
                if path is not None:
                    segment = raven.segment_of({"Score": "", **row})
                    timelines.setdefault(path, []).append((place, segment))
        for path, segments in timelines.items():
            self._compare(file, path, segments)

    def _read_tracks(self, tracks: Mapping[str, str], top: str | None) -> None:
        one = [path for path in self._only if not os.path.isdir(path)]  # noqa: PTH112
        if len(one) == len(self._only) == len(tracks) == 1:
            found = dict.fromkeys(tracks, one[0])
        else:
            stems = {file: TRACK_SUFFIX.sub("", file) for file in tracks}
            found = recordings_of(stems, top, self._paths, self._journals)
        for file, path in found.items():
            if not self._wants(path):
                continue
            segments = []
            for number, row in audacity.iter_rows(tracks[file].splitlines()):
                with _placed(f"{file}, line {number}"):
                    segments.append((f"{file}, line {number}", audacity.segment_of(row)))
            if not segments and self._on_empty is not None:
                self._on_empty(file, path)
            self._compare(file, path, segments)

    def _compare(self, file: str, path: str, segments: Sequence[tuple[str, Segment]]) -> None:
        """Note where the timeline of a file is not that of the catalogue."""
        other = self._timelines.setdefault(path, file)
        with _placed(file):
            if other != file:
                raise UsageError(f"{path}: its timeline is in {other} too; give one of them")
            result = self._result_of(path)
        edited: dict[str, list[tuple[float, float]]] = {}
        heard: dict[str, list[tuple[float, float]]] = {}
        for segment in without_ruled_out(result).segments:
            heard.setdefault(segment.label, []).append((segment.start, segment.end))
        for place, segment in segments:
            with _placed(place):
                label = self._label(segment.label)
                if label == SILENCE:
                    continue
                edited.setdefault(label, []).append((segment.start, segment.end))
                if segment.end <= segment.start or any(
                    rest_of(segment.start, segment.end, heard.get(label, ()))
                ):
                    self._say(place, result, segment.start, segment.end, {label: True})
        for label, spans in heard.items():
            for start, end in spans if label != SILENCE else ():
                for first, last in rest_of(start, end, edited.get(label, ())):
                    with _placed(file):
                        self._say(file, result, first, last, {label: False})

    # What is said

    def _label(self, text: str) -> str:
        """Find the label that somebody wrote."""
        for label in (text, one_word(text)):
            if label in self._labels or label == SILENCE:
                return label
        if not text:
            raise UsageError("no label is given")
        meant = same_but_for_case(label, self._labels)
        hint = (
            f"name a new one by --new-label {label}"
            if meant is None
            else f"did you mean {meant!r}?"
        )
        raise UsageError(
            f"no label is called {text!r}; known are {', '.join(self._labels)}; {hint}"
        )

    def _say(
        self, place: str, result: FileResult, start: float, end: float, said: Mapping[str, bool]
    ) -> None:
        """Note what is heard in a stretch, and what is not."""
        length = max(result.duration or 0.0, result.decoded)
        if end > length + BORDER_SECONDS and start < end:
            raise UsageError(
                f"{start:g} to {end:g} is not within {result.path}, which is {length:.3f} s long"
            )
        answer = check_answer(Answer(result.path, start, end, tuple(said), (), 0.0))
        key = (answer.path, answer.start, answer.end)
        known = self._said.setdefault(key, {})
        other = self._places.setdefault(key, place)
        for label, is_there in said.items():
            if known.setdefault(label, is_there) is not is_there:
                raise UsageError(f"{label}: {other} says otherwise of the same stretch")


def _check_columns(file: str, columns: Sequence[str]) -> None:
    if PATH not in columns or not {TAGS, *LABEL_COLUMNS, NO_TALKING}.intersection(columns):
        raise UsageError(
            f"{file}, line 1: needs a column {PATH} and one of {TAGS}, {', '.join(LABEL_COLUMNS)}, "
            f"with commas between; for stretches also {START} and {END}"
        )


def _tags_in(cells: Mapping[str, str], result: FileResult) -> tuple[str, ...] | None:
    """Read the triggers of a whole recording, the main one first; None if there is no column.

    Tags decide, whatever is known by then, so that a file that is read again says the same again.
    A trigger that is none of them is left over where it is the one that is known.
    """
    if TAGS not in cells:
        names = _names_in(cells) if any(x in cells for x in LABEL_COLUMNS) else None
        return None if names is None else tuple(x for x in names if names != (NONE,))
    words = re.split(r"[ ,]+", cells[TAGS])
    tags = tuple(dict.fromkeys(unescape_cell(word) for word in words if word and word != NONE))
    trigger = unescape_cell(cells.get(TRIGGER, ""))
    if trigger == NONE and tags:
        raise UsageError(f"trigger is {NONE}, and tags are given; empty both cells, or neither")
    if trigger in tags:
        return tuple(dict.fromkeys((trigger, *tags)))
    if trigger not in {"", NONE, result.trigger}:
        raise UsageError(f"trigger {trigger!r} is not among the tags; write it there too")
    return tags


def _names_in(cells: Mapping[str, str]) -> tuple[str, ...]:
    """Read labels of a column with commas between."""
    column = next((name for name in (*LABEL_COLUMNS, TAGS) if name in cells), None)
    if column is None:
        raise UsageError(f"needs one of the columns {', '.join(LABEL_COLUMNS)}")
    names = tuple(dict.fromkeys(x.strip() for x in cells[column].split(",") if x.strip()))
    if not names:
        raise UsageError(f"nothing in column {column}; write {NONE} where no label is heard")
    return names


def _seconds(cell: str, column: str) -> float:
    try:
        return time_to_seconds(cell)
    except ValueError:
        raise UsageError(f"{column} {cell!r} is no time, as 72.5 or 1:12.5") from None


def _read_text(file: str) -> str:
    try:
        return Path(file).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise UsageError(f"{file}: is not UTF-8 text; save it as UTF-8") from exc
    except (OSError, ValueError) as exc:
        raise UsageError(f"{file}: cannot be read: {getattr(exc, 'strerror', exc)}") from exc


@contextmanager
def _placed(place: str) -> Iterator[None]:
    """Let errors tell where they are."""
    try:
        with named_at(place):
            yield
    except (ValueError, TypeError) as exc:
        raise UsageError(
            f"{place}: no start, end and label, with a point in seconds, as 12.5: {exc}"
        ) from exc
