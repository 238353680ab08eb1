"""A table in parts: a folder of Parquet files, so that a run may be killed, on any machine.

::

    out/
        part-000001-9f3a1c20.parquet   rows of some recordings
        part-000002-9f3a1c20.parquet
        _manifest.json                 all parts of the table; there once a run has come to its end
        _listed.json                   until then: up to where all that is listed has its row
        _lock                          on the disk only: held by the run that writes here

Parts are the only truth. Each is written whole, by whoever labelled what it holds: on a cluster by
a worker, as soon as its batch is done, and the batch counts as done by nothing else. In its
metadata stand the settings of the run, and for each row the key of the recording as it was labelled
(see :mod:`asmr_classify.batch.journal`). A run reads these first, with a few columns, and labels
what has no row. A part that was written though nobody learnt of it, since whoever started the run
or the worker itself was killed, is thus found and counts.

No name is ever given twice for different rows: a part is called by a number and by its run, as
workers of a run that was killed may be at work yet when the next begins.

Of two rows of one recording (it has changed since; or a worker that was taken for dead was not) the
one that was found last stands. At the end of a run, parts with other rows are replaced by such
without: the new one is written before the old one goes, so that a kill in between loses no row, and
the next run sees to what is left. Then the manifest is written. It goes before a run changes
anything: who finds one finds a table that is whole. Rows of recordings that are not found any more
stay.

What storage lists in order, a run that was killed goes on listing where all before has its row (see
:mod:`asmr_classify.batch.course`). Written after the rows, ``_listed.json`` is never ahead of them.
It counts for a run over the same names while each part is there that was known as it was written,
and nothing is to be tried again; else all is listed, as after a run that came to its end.

Names that begin with an underscore or a dot are passed over by readers of such folders.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from asmr_classify.aggregate import FileResult, Problem, Status, results_key
from asmr_classify.batch.course import RunCourse
from asmr_classify.batch.journal import DAMAGED, lock
from asmr_classify.batch.pool import working_directory
from asmr_classify.batch.table_index import TableIndex
from asmr_classify.batch.table_part import PartSink, copy_rows, read_entries
from asmr_classify.errors import OutputError, UsageError
from asmr_classify.media.found import Mark
from asmr_classify.version import own_version
from asmr_classify.visual.seen import VERSION as LOOKED
from asmr_classify.visual.seen import Effort, Picture, Visual
from asmr_classify.writers.folder import DiskFolder, open_folder
from asmr_classify.writers.output import explain

if TYPE_CHECKING:
    from collections.abc import Generator

    from asmr_classify.batch.isolate import Outcome
    from asmr_classify.media.found import Found
    from asmr_classify.model import Model
    from asmr_classify.writers.folder import Folder

logger = logging.getLogger(__name__)

PART = re.compile(r"part-(\d{6,})-[0-9a-f]{8}\.parquet")

MANIFEST, LOCK, LISTED = "_manifest.json", "_lock", "_listed.json"

HEADER, VERSION = "asmr-classify table", 1
"""Of the manifest, and of the form of it."""

PART_ROWS, PART_SECONDS = 1000, 30.0
"""Where this process writes parts, one is written once it has so many rows, or its first is so
old: what a kill costs at most."""

LISTED_SECONDS = 5.0
"""Between two notes of how far the listing has come."""

READERS, READ_AT_ONCE = 8, 64
"""Threads that read parts, and parts whose keys are held at a time."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a run has come to.

    Parameters
    ----------
    n_rows, n_parts : int
        Of the table.
    is_changed : bool
        Whether it was not just so before.
    statuses : dict of str to int
        Rows of each status.
    """

    n_rows: int
    n_parts: int
    is_changed: bool
    statuses: dict[str, int]


class Table:
    """A table in parts, as a run fills it: a memory of what has a row, see :class:`.Memory`.

    Use :meth:`open` in a ``with`` statement. Rows that this process keeps are written at its end.

    Attributes
    ----------
    sink : PartSink
        Writes its parts.
    goes_on : bool
        Whether names are listed on from where a run was killed; what comes before has its row.
    strange : set of str
        Parts with other settings that came late, which are left out and not touched.
    """

    def __init__(self, sink: PartSink, model: str, video: Effort | None) -> None:
        self.sink = sink
        self._model = model
        self._video = video
        self._index = TableIndex()
        self.strange: set[str] = set()
        self._run = uuid4().hex[:8]
        self._n_named = 0
        self._has_manifest = False
        self._listed: dict[str, Any] | None = None
        self._asked = ""
        self._course: RunCourse | None = None
        self._mark: Mark | None = None
        self._marked = -LISTED_SECONDS
        self.goes_on = False
        self._rows: list[tuple[Found, FileResult]] = []
        self._since = 0.0

    @classmethod
    @contextmanager
    def open(
        cls,
        output: str,
        model: Model,
        *,
        video: Effort | None = Effort.NORMAL,
        fresh: bool = False,
    ) -> Generator[Self]:
        """Open a table, or begin one.

        Parameters
        ----------
        output : str
            Path or address of its folder.
        model : Model
        video : Effort or None
            As the run looks at videos.
        fresh : bool
            Remove all rows first.

        Raises
        ------
        UsageError
            If it was made with other settings, or nothing can be written there at all.
        MissingExtraError
            If a library is missing that writes there.
        OutputError
            If it cannot be read or written, or another run on this machine writes it.
        """
        folder = open_folder(output)
        settings = f"{results_key(model)}-{video}-{LOOKED}"
        sink = PartSink(folder, tuple(model.labels), settings, working_directory() or "")
        folder.make()
        table = cls(sink, model.id, video)
        with ExitStack() as stack:
            stack.callback(table._index.close)
            if isinstance(folder, DiskFolder):
                stack.enter_context(_locked(folder))
            table._begin(fresh=fresh)
            try:
                yield table
            except BaseException:
                with suppress(OutputError):  # the first error tells more
                    table.flush()
                raise
            table.flush()

    def _begin(self, *, fresh: bool) -> None:
        files = self.sink.folder.list()
        parts = {name: size for name, size in files.items() if PART.fullmatch(name)}
        parts = dict(sorted(parts.items(), key=lambda part: (_number_of(part[0]), part[0])))
        self._has_manifest = MANIFEST in files
        if fresh and files:
            self._change()
            for name in [*parts, *({LISTED} & files.keys())]:
                self.sink.folder.remove(name)
            return
        self._read(parts, others_are_late=self._has_manifest and self._is_ours(files[MANIFEST]))
        if LISTED in files and not self._has_manifest:
            with suppress(*DAMAGED):
                self._listed = dict(json.loads(self._read_whole(LISTED, files[LISTED])))

    def _is_ours(self, size: int) -> bool:
        """Tell whether the manifest is of a table with the settings of this run."""
        with suppress(*DAMAGED):
            return bool(
                json.loads(self._read_whole(MANIFEST, size))["settings"] == self.sink.settings
            )
        return False

    def _read(
        self, parts: dict[str, int], *, is_late: bool = False, others_are_late: bool = False
    ) -> None:
        """Learn what parts hold.

        Parameters
        ----------
        parts : dict
            Names and bytes.
        is_late : bool
            They came while this run was at work, from workers of one that was killed: other rows
            of the same recordings stand before theirs.
        others_are_late : bool
            Those with other settings came so after ``fresh`` had done away with them, and are
            stepped over.

        Raises
        ------
        UsageError
            If one was made with other settings.
        OutputError
            If one cannot be read.
        """
        folder, todo = self.sink.folder, [*parts.items()]
        with ThreadPoolExecutor(READERS) as readers:
            for first in range(0, len(parts), READ_AT_ONCE):
                some = todo[first : first + READ_AT_ONCE]
                contents = readers.map(lambda item: read_entries(folder, *item), some)
                for (name, _), (settings, entries) in zip(some, contents, strict=True):
                    if settings == self.sink.settings:
                        self._index.add(name, entries, is_earlier=is_late)
                        self._n_named = max(self._n_named, _number_of(name))
                    elif is_late or others_are_late:
                        self._step_over(name)
                    else:
                        raise _of_other_settings(folder, name)

    def _step_over(self, name: str) -> None:
        self.strange.add(name)
        logger.warning(
            "%s%s: is left out, as it holds results of other settings; move it away",
            self.sink.folder.name,
            name,
        )

    def check_video(self, video: Effort | None) -> None:
        """Check that a run looks at videos as the table was opened for.

        Raises
        ------
        UsageError
            If it does not: what has a row would be labelled by halves.
        """
        if video != self._video:
            raise UsageError(
                f"{self.sink.folder.name}: was opened for video={self._video}, not {video}"
            )

    def course(self, asked: list[Any]) -> RunCourse:
        """Give the course of a search: on from where a run was killed that asked for the same."""
        # Not itself: addresses may hold what nobody else may read.
        self._asked = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
        start, listed = None, self._listed
        self._mark, self._listed = None, None  # of another search
        with suppress(*DAMAGED):  # it goes on nowhere then
            if listed is not None and listed["asked"] == self._asked:
                is_there = {*listed["parts"]} <= {*self._index.parts()}
                mark = Mark(**listed["mark"])
                start = mark if is_there and self._index.is_all_done() else None
        self.goes_on = start is not None
        self._course = RunCourse(start, self._on_passed)
        return self._course

    def pass_by(self, found: Found) -> None:
        """Note that a recording has its row, or will have it once those are written that are kept.

        Raises
        ------
        OutputError
            If it cannot be noted how far the listing has come.
        """
        if self._course is not None:
            self._course.on_done(found)

    def _on_passed(self, mark: Mark) -> None:
        self._mark = mark
        if not self._rows:
            self._note_mark()

    def _note_mark(self) -> None:
        """Note how far the listing has come, unless the table is whole and unchanged."""
        mark, now = self._mark, time.monotonic()
        if mark is None or self._has_manifest or now - self._marked < LISTED_SECONDS:
            return
        self._mark, self._marked = None, now
        listed = {"asked": self._asked, "mark": asdict(mark), "parts": self._index.parts()}
        self.sink.folder.put(LISTED, json.dumps(listed).encode())

    def recall(self, found: Found) -> FileResult | None:
        """Tell of a recording that has its row already; None if it is to be labelled.

        What is given tells how that went, and nothing of what was heard: that is in its row.
        """
        entry = self._index.get(self.sink.name_of(found))
        if entry is None or entry.key is None:
            return None
        status = Status(entry.status)
        if entry.key != self.sink.key_of(found, status):
            return None
        error, picture, unseen = json.loads(entry.told)
        return FileResult(
            str(found.path),
            status,
            self._model,
            error=error and Problem(*error),
            visual=picture and Visual(Picture(picture), effort=self._video or Effort.NORMAL),
            visual_error=unseen and Problem(*unseen),
        )

    def recall_other(self, found: Found) -> None:
        """Give nothing: a table of other settings is not read."""

    def record(self, found: Found, result: FileResult) -> None:
        """Keep a row, and write a part once there are many.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        now = time.monotonic()
        if not self._rows:
            self._since = now
        self._rows.append((found, result))
        if len(self._rows) >= PART_ROWS or now - self._since >= PART_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is kept.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        if not self._rows:
            return
        rows, self._rows = self._rows, []
        part = self.name_part()
        self.sink.put(part, rows)
        self._index.add(part, (self.sink.entry_of(*row) for row in rows))
        self._note_mark()

    def learn(self, outcome: Outcome[Any]) -> None:
        """Note a row that a worker has written."""
        if outcome.part is not None:
            self._index.add(outcome.part, [self.sink.entry_of(outcome.found, outcome.result)])

    def name_part(self) -> str:
        """Name a part that will be written.

        Raises
        ------
        OutputError
            If the manifest, which knows nothing of it, cannot be removed.
        """
        self._change()
        self._n_named += 1
        return f"part-{self._n_named:06d}-{self._run}.parquet"

    def _change(self) -> None:
        if self._has_manifest:
            self.sink.folder.remove(MANIFEST)
            self._has_manifest = False

    def finish(self) -> Finished:
        """Bring the table to its end, now that all that was found has its row.

        Raises
        ------
        OutputError
            If it cannot be written, or parts were removed meanwhile.
        """
        self.flush()
        folder = self.sink.folder
        parts = {name: size for name, size in folder.list().items() if PART.fullmatch(name)}
        known = {*self._index.parts(), *self.strange}
        self._read({name: parts[name] for name in parts if name not in known}, is_late=True)
        for name in self._index.outdated():
            self._replace(name, parts.get(name, 0))
        files = folder.list()
        if LISTED in files:
            folder.remove(LISTED)
        rows, statuses = self._index.count_rows(), self._index.count_statuses()
        for name in rows:
            if name not in files:
                raise OutputError(
                    f"{folder.name}{name}: was removed by somebody else; run again, which labels "
                    "what it held"
                )
        manifest = {
            HEADER: VERSION,
            "version": own_version(),
            "model": self._model,
            "settings": self.sink.settings,
            "rows": sum(rows.values()),
            "statuses": statuses,
            "parts": [{"name": x, "rows": n, "bytes": files[x]} for x, n in rows.items()],
        }
        content = (json.dumps(manifest, indent=1) + "\n").encode()
        is_changed = not self._has_manifest or (
            self._read_whole(MANIFEST, files[MANIFEST]) != content
        )
        if is_changed:
            self._change()
            folder.put(MANIFEST, content)
            self._has_manifest = True
        return Finished(sum(rows.values()), len(rows), is_changed, statuses)

    def _read_whole(self, name: str, size: int) -> bytes:
        with self.sink.folder.open(name, size) as file:
            return file.read()

    def _replace(self, part: str, size: int) -> None:
        """Replace a part by one without the rows that do not stand; by none if none does."""
        standing, to = self._index.standing(part), None
        self._change()
        if standing:
            to = self.name_part()
            copy_rows(self.sink.folder, part, size, standing, to)
        self._index.move(part, to)
        self.sink.folder.remove(part)


def _number_of(part: str) -> int:
    return int(part.split("-")[1])


def _of_other_settings(folder: Folder, part: str) -> UsageError:
    return UsageError(
        f"{folder.name}: holds results of another model, of other thresholds, or of videos that "
        f"were looked at otherwise, in {part}; name another folder, or give --fresh to begin it "
        "anew"
    )


@contextmanager
def _locked(folder: DiskFolder) -> Generator[None]:
    """Keep other runs of this machine out."""
    path = Path(folder.path, LOCK)
    try:
        file = path.open("ab")
    except OSError as exc:
        raise OutputError(explain(folder.name, exc)) from exc
    with file:
        lock(file, folder.name)  # it stays: another run may wait for this very file
        yield
