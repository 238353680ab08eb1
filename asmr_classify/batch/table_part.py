"""One part of a table, see :mod:`asmr_classify.batch.table`: a Parquet file of some rows.

What later runs want to know of them stands in its metadata, so that its columns are those of any
table of results.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asmr_classify.aggregate import FileResult, Status
from asmr_classify.batch.journal import DAMAGED, key_of
from asmr_classify.batch.table_index import Entry
from asmr_classify.errors import MediaError, MissingExtraError, OutputError, UsageError
from asmr_classify.media.source import is_url
from asmr_classify.writers import FORMATS
from asmr_classify.writers.escapes import NOT_UTF8, escape
from asmr_classify.writers.parquet import ParquetWriter

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from asmr_classify.batch.isolate import Outcome
    from asmr_classify.media.found import Found
    from asmr_classify.writers.folder import Folder

KEYS = b"asmr_classify.rows"
"""Where in the metadata of a part stands what later runs want to know."""

KEY_BYTES = 6
"""Enough to tell one version of a recording from another; which one it is, is told by name."""

COLUMNS = ("path", "status", "error", "message", "picture", "visual_error")
"""What a run reads of earlier rows."""


@dataclass(frozen=True, slots=True)
class PartSink:
    """Writes parts; crosses into workers.

    Parameters
    ----------
    folder : Folder
    labels : tuple of str
        The model's.
    settings : str
        All that changes a row but the recording itself.
    directory : str
        Where names of recordings start from; workers may work elsewhere.
    """

    folder: Folder
    labels: tuple[str, ...]
    settings: str
    directory: str

    def check(self) -> None:
        """Check that this machine has what it takes to write parts.

        Raises
        ------
        UsageError
            If a library is missing here.
        """
        try:
            FORMATS["parquet"].check_installed()
            self.folder.check()
        except (UsageError, MissingExtraError) as exc:
            raise UsageError(f"a worker cannot write to {self.folder.name}: {exc}") from exc

    def put(self, part: str, rows: Iterable[tuple[Found, FileResult]]) -> None:
        """Write a part.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        rows = list(rows)
        keys = {
            "settings": self.settings,
            "directory": self.directory,
            "keys": [self._key_to_keep(*row) for row in rows],
        }
        content = io.BytesIO()
        writer = ParquetWriter(content, self.labels, {KEYS: json.dumps(keys)})
        for _, result in rows:
            writer.write(result)
        writer.close()
        self.folder.put(part, content.getvalue())

    def put_batch(self, part: str, outcomes: list[Outcome[Any]]) -> list[Outcome[Any]]:
        """Write the part of a batch, and give what whoever sent the batch needs to know of it.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        self.put(part, ((outcome.found, outcome.result) for outcome in outcomes))
        return [
            replace(outcome, result=_without_timeline(outcome.result), part=part)
            for outcome in outcomes
        ]

    def entry_of(self, found: Found, result: FileResult) -> Entry:
        """Tell of a row that was written what :func:`read_entries` tells of it."""
        error, unseen = result.error, result.visual_error
        told = _tell(
            error and [error.kind, error.message],
            result.visual and result.visual.picture.value,
            unseen and [unseen.kind, unseen.message],
        )
        name = self.name_of(found)
        return Entry(name, self._key_to_keep(found, result), result.status.value, told)

    def name_of(self, found: Found) -> str:
        """Give the name by which a table tells recordings apart."""
        return _full_name(self.directory, escape(str(found.path), NOT_UTF8))

    def _key_to_keep(self, found: Found, result: FileResult) -> str | None:
        """Give the key of a row; None if another attempt may give a better one."""
        problems = (result.error, result.visual_error)
        if any(problem is not None and problem.may_pass for problem in problems):
            return None
        return self.key_of(found, result.status)

    def key_of(self, found: Found, status: Status) -> str | None:
        """Hash what a recording is known by, a failure also by what does not change its content.

        None if nothing is known that changes with the recording.
        """
        if not is_url(found.path):
            found = replace(found, path=str(Path(self.directory, found.path)))
        key = key_of(found)
        if not key[2]:
            return None
        known = key if status is Status.FAILED else key[:3]
        return hashlib.blake2b(json.dumps(known).encode(), digest_size=KEY_BYTES).hexdigest()


def _without_timeline(result: FileResult) -> FileResult:
    visual = result.visual and replace(result.visual, lanes=None)
    return replace(result, segments=(), visual=visual)


def _tell(*values: object) -> str:
    return json.dumps(values)


@contextmanager
def _reading(folder: Folder, part: str, size: int) -> Generator[Any]:
    """Open a part as a ``pyarrow.parquet.ParquetFile``.

    Raises
    ------
    OutputError
        If it cannot be read, by what is read of it later too.
    """
    from pyarrow import parquet

    try:
        with folder.open(part, size) as file:
            yield parquet.ParquetFile(file)
    except (OSError, MediaError, *DAMAGED) as exc:
        raise OutputError(
            f"{folder.name}{part}: cannot be read ({exc}); if it is damaged, or none of this "
            "program's, move it away: what it holds is labelled again"
        ) from exc


def read_entries(folder: Folder, part: str, size: int) -> tuple[str, list[Entry]]:
    """Read from a part the settings of its run, and what is to be known of its rows."""
    with _reading(folder, part, size) as file:
        kept = json.loads(file.schema_arrow.metadata[KEYS])
        rows = file.read(columns=list(COLUMNS)).to_pylist()
        return kept["settings"], [
            Entry(_full_name(kept["directory"], row["path"]), key, row["status"], _told(row))
            for key, row in zip(kept["keys"], rows, strict=True)
        ]


def _full_name(directory: str, path: str) -> str:
    """Put the directory before a name that starts from there: it is another one elsewhere."""
    return path if is_url(path) else os.path.join(escape(directory, NOT_UTF8), path)  # noqa: PTH118 (a name as it is)


def _told(row: dict[str, Any]) -> str:
    error, unseen = row["error"], row["visual_error"]
    return _tell(
        error and [error, row["message"]],
        row["picture"],
        unseen and [unseen["kind"], unseen["message"]],
    )


def copy_rows(folder: Folder, part: str, size: int, standing: set[str], to: str) -> None:
    """Write another part with the rows of one that stand, by their full names; each once.

    Raises
    ------
    OutputError
        If one cannot be read, or the other not be written.
    """
    import pyarrow as pa
    from pyarrow import parquet

    with _reading(folder, part, size) as file:
        table = file.read()
        keys = json.loads(table.schema.metadata[KEYS])
    paths = table.column("path").to_pylist()
    names = enumerate(_full_name(keys["directory"], path) for path in paths)
    places = sorted({name: place for place, name in names if name in standing}.values())
    keys["keys"] = [keys["keys"][place] for place in places]
    metadata = table.schema.metadata | {KEYS: json.dumps(keys)}
    content = io.BytesIO()
    parquet.write_table(table.take(pa.array(places)).replace_schema_metadata(metadata), content)
    folder.put(to, content.getvalue())
