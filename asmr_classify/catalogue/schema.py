"""The catalogue's file: its tables, its versions, and what may be wrong with it.

::

    files       where contents lie: a row a path
    contents    what is known by content hash: a row a content; in brief what was heard and seen,
                and corrections
    heard       per content and label: score, share, and whether it is tagged
    vocabulary  the labels, numbered in the order in which they first came
    told        per content and kind of sound that was told: its score
    kinds       the kinds, numbered likewise
    records     per content what the model said, in full, as JSON
    answers     per content and stretch: what people said is heard there

A file that was moved is a new row of ``files`` that leads to the old row of ``contents``. Paths
are absolute and stored as bytes, for not all are text. ``contents``, ``heard`` and ``told`` hold
what is searched, corrected by hand; ``records`` what the model said, which no correction changes.
An answer keeps the path that its content had last, for contents that lie nowhere now.

Crash argument: SQLite in WAL mode. Each result is one transaction, so that a kill at any moment
leaves either all of it or nothing, and what was committed before. (A power cut may also take back
the last transactions, as they wait in the system's cache; the file stays sound.) Other processes
wait for a writer up to :data:`PATIENCE`, and transactions are over in milliseconds, for all that
takes long (decoding, hashing) is done before they begin.

Versions: ``user_version`` counts the :data:`MIGRATIONS` that a file has been through. A file of an
earlier version is first copied beside itself, then brought up to date in one transaction; one of a
later version is refused. ``application_id`` tells a catalogue from other SQLite databases.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from asmr_classify.catalogue.fields import MISSING
from asmr_classify.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

APPLICATION_ID = 0x41534D52
"""ASMR, in ASCII."""

PATIENCE = 60.0
"""Seconds to wait for another process that writes."""

FIRST_SCHEMA = (
    """CREATE TABLE contents (
        id INTEGER PRIMARY KEY,
        hash BLOB UNIQUE,              -- NULL where the file could not be read
        size INTEGER NOT NULL,
        added REAL NOT NULL,           -- seconds since 1970
        settings TEXT NOT NULL,        -- digest of the model with its thresholds
        model TEXT NOT NULL,
        model_folded TEXT NOT NULL,
        status TEXT NOT NULL,
        length REAL,
        trigger_id INTEGER REFERENCES vocabulary,
        no_talking INTEGER,
        longest_talk REAL,
        correction TEXT                -- JSON; NULL where nothing was set by hand
    )""",
    "CREATE INDEX contents_by_size ON contents (size)",
    """CREATE TABLE files (
        id INTEGER PRIMARY KEY,
        path BLOB NOT NULL UNIQUE,
        folded TEXT NOT NULL,          -- the path, to be searched
        mtime_ns INTEGER NOT NULL,
        content_id INTEGER NOT NULL REFERENCES contents
    )""",
    "CREATE INDEX files_by_content ON files (content_id)",
    "CREATE TABLE vocabulary (id INTEGER PRIMARY KEY, label TEXT NOT NULL UNIQUE)",
    """CREATE TABLE heard (
        content_id INTEGER NOT NULL REFERENCES contents ON DELETE CASCADE,
        label_id INTEGER NOT NULL REFERENCES vocabulary,
        score REAL,
        share REAL,
        tagged INTEGER NOT NULL,
        PRIMARY KEY (content_id, label_id)
    ) WITHOUT ROWID""",
    """CREATE TABLE records (
        content_id INTEGER PRIMARY KEY REFERENCES contents ON DELETE CASCADE,
        record TEXT NOT NULL
    )""",
)

KINDS_SCHEMA = (
    "CREATE TABLE kinds (id INTEGER PRIMARY KEY, kind TEXT NOT NULL UNIQUE)",
    """CREATE TABLE told (
        content_id INTEGER NOT NULL REFERENCES contents ON DELETE CASCADE,
        kind_id INTEGER NOT NULL REFERENCES kinds,
        score REAL NOT NULL,
        PRIMARY KEY (content_id, kind_id)
    ) WITHOUT ROWID""",
)
"""What earlier versions labelled has no kinds until it is labelled anew."""

ANSWERS_SCHEMA = (
    """CREATE TABLE answers (
        content_id INTEGER NOT NULL REFERENCES contents ON DELETE CASCADE,
        start REAL NOT NULL,           -- seconds, in whole milliseconds
        stop REAL NOT NULL,
        labels TEXT NOT NULL,          -- JSON
        asked TEXT NOT NULL,           -- JSON
        at REAL NOT NULL,              -- seconds since 1970
        path BLOB NOT NULL,            -- where the content lay last
        PRIMARY KEY (content_id, start, stop)
    ) WITHOUT ROWID""",
    "CREATE INDEX answers_by_path ON answers (path)",
    """CREATE TRIGGER answers_keep_the_path_of_a_file AFTER DELETE ON files BEGIN
        UPDATE answers SET path = OLD.path WHERE content_id = OLD.content_id;
    END""",
    """CREATE TRIGGER answers_keep_the_path_of_a_content AFTER UPDATE OF content_id ON files
    WHEN OLD.content_id != NEW.content_id BEGIN
        UPDATE answers SET path = OLD.path WHERE content_id = OLD.content_id;
    END""",
)

SEEN_SCHEMA = (
    "ALTER TABLE contents ADD COLUMN picture TEXT",  # NULL where nothing was looked at
    "ALTER TABLE contents ADD COLUMN motion TEXT",
    "ALTER TABLE contents ADD COLUMN motion_median REAL",
    "ALTER TABLE contents ADD COLUMN light TEXT",
    "ALTER TABLE contents ADD COLUMN light_median REAL",
    "ALTER TABLE contents ADD COLUMN cuts_per_minute REAL",
    "ALTER TABLE contents ADD COLUMN flashes INTEGER",
    """UPDATE contents SET
        picture = json_extract(record, '$.visual.picture'),
        motion = json_extract(record, '$.visual.motion.level'),
        motion_median = json_extract(record, '$.visual.motion.median'),
        light = json_extract(record, '$.visual.light.level'),
        light_median = json_extract(record, '$.visual.light.median'),
        cuts_per_minute = json_extract(record, '$.visual.cuts_per_minute'),
        flashes = json_extract(record, '$.visual.flashes')
    FROM records WHERE content_id = id AND instr(record, '"visual": {') AND json_valid(record)""",
)
"""What was labelled before was only listened to, unless its record says more."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    FIRST_SCHEMA,
    KINDS_SCHEMA,
    ANSWERS_SCHEMA,
    SEEN_SCHEMA,
)
"""Statements that lead from each version to the next, beginning with an empty file. Released ones
are never changed, only added to."""

PLACE_VARIABLE = "ASMR_CLASSIFY_CATALOGUE"
"""Environment variable that names another default."""

NAME_ANOTHER = f"name another by --catalogue, or in the environment variable {PLACE_VARIABLE}"
NEW_START = "label your recordings anew into it by 'asmr-classify label … --catalogue'"
REMEDIES = {
    sqlite3.SQLITE_BUSY: "another program keeps it locked; wait until that is done, and try again",
    sqlite3.SQLITE_LOCKED: "another program keeps it locked; wait until that is done, try again",
    sqlite3.SQLITE_READONLY: "it may only be read; change the permissions, or make room if its "
    f"disk is full, or {NAME_ANOTHER}",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened or created there; check that the folder exists "
    f"and may be written to, or {NAME_ANOTHER}",
    sqlite3.SQLITE_PERM: f"no permission; change the permissions, or {NAME_ANOTHER}",
    sqlite3.SQLITE_FULL: "the disk is full; make room. What was finished is kept",
    sqlite3.SQLITE_IOERR: "the disk fails to read or write it, or is full; what was finished is "
    "kept",
    sqlite3.SQLITE_NOTADB: "is no catalogue, or damaged at its beginning; name another after "
    "--catalogue, which is to stand behind the paths or be written --catalogue=FILE",
    sqlite3.SQLITE_CORRUPT: "is damaged; move it away, put back a copy if you have one, or "
    f"{NEW_START}",
}
"""What is wrong and what to do about it, by SQLite's number of the error."""


NO_SECOND_FILE = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,  # of a full disk, too
}
"""What SQLite says where no second file can be made."""

FIRST_BYTES = b"SQLite format 3\0"


class Database:
    """An open catalogue file.

    Use :meth:`open`.

    Attributes
    ----------
    path : str
        How messages call it.
    """

    def __init__(self, path: str, connection: sqlite3.Connection, *, is_copy: bool = False) -> None:
        self.path = path
        self._connection = connection
        self._is_copy = is_copy

    @classmethod
    def open(cls, path: str, *, create: bool) -> Self:
        """Open a catalogue, and bring it up to date.

        Parameters
        ----------
        path : str
        create : bool
            Begin one if there is none.

        Raises
        ------
        CatalogueError
            If there is none, or it is damaged, foreign, of a later version, or out of reach.
        """
        _check_place(path, create=create)
        with _translated(path):
            return cls._begin(path, _connect(path, create=create))

    @classmethod
    def open_copy(cls, path: str, *, create: bool) -> Self:
        """Open a copy of a catalogue that is gone when it is closed; else as :meth:`open`."""
        _check_place(path, create=create)
        with _translated(path):
            copy = _connect_to("")  # a temporary database, which SQLite keeps on the disk
            if os.path.lexists(path):
                source = _connect(path, create=False)
                try:
                    source.backup(copy)
                finally:
                    source.close()
            return cls._begin(path, copy, is_copy=True)

    @classmethod
    def _begin(cls, path: str, connection: sqlite3.Connection, *, is_copy: bool = False) -> Self:
        database = cls(path, connection, is_copy=is_copy)
        try:
            database.bring_up_to_date()
        except BaseException:
            database.close()
            raise
        return database

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def run(self, sql: str, parameters: Sequence[object] = ()) -> sqlite3.Cursor:
        """Run one statement.

        Raises
        ------
        CatalogueError
            If that fails.
        """
        with _translated(self.path):
            return self._connection.execute(sql, parameters)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Run one query and give all it finds."""
        with _translated(self.path):
            return self._connection.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Sequence[object] = ()) -> tuple[object, ...] | None:
        """Run one query and give the first row it finds."""
        with _translated(self.path), closing(self._connection.execute(sql, parameters)) as found:
            row: tuple[object, ...] | None = found.fetchone()
            return row

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all that is written in it, or nothing of it."""
        self.run("BEGIN IMMEDIATE")
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.rollback()
            raise

    def bring_up_to_date(self) -> None:
        """Make the tables, or change those of an earlier version."""
        if self._check_version() < len(MIGRATIONS):
            self._migrate()
        (mode,) = self.row("PRAGMA journal_mode") or ("",)
        if mode != "wal":
            self._use_wal()

    def _migrate(self) -> None:
        with self.transaction():
            version = self._check_version()  # another process may have been quicker
            if 0 < version < len(MIGRATIONS) and not self._is_copy:
                self._back_up(version)
            for statements in MIGRATIONS[version:]:
                for statement in statements:
                    self.run(statement)
            self.run(f"PRAGMA application_id = {APPLICATION_ID}")
            self.run(f"PRAGMA user_version = {len(MIGRATIONS)}")

    def _check_version(self) -> int:
        """Tell the version; 0 for a file that is empty yet."""
        (version,) = self.row("PRAGMA user_version") or (0,)
        (application,) = self.row("PRAGMA application_id") or (0,)
        is_empty = not self.rows("SELECT 1 FROM sqlite_master LIMIT 1")
        if application != APPLICATION_ID and not (is_empty and version == application == 0):
            raise CatalogueError(
                f"{self.path}: is a database of another program, and left alone; name another file "
                "by --catalogue"
            )
        if not isinstance(version, int) or not 0 <= version <= len(MIGRATIONS):
            raise CatalogueError(
                f"{self.path}: is a catalogue of version {version}, and this program knows those "
                f"up to {len(MIGRATIONS)}; install a newer version of the program"
            )
        return version

    def _back_up(self, version: int) -> None:
        """Copy the file as it is, whole or not at all, and over no other copy."""
        numbers = iter(range(1, 10**6))
        target = f"{self.path}.v{version}.bak"
        while Path(target).exists():
            target = f"{self.path}.v{version}.{next(numbers)}.bak"
        part = f"{target}.part"
        source = _connect(self.path, create=False)
        try:
            copy = sqlite3.connect(_uri(part, "rwc"), uri=True)
            try:
                source.backup(copy)
            finally:
                copy.close()
            Path(part).replace(target)
        except (sqlite3.Error, OSError) as exc:
            with suppress(OSError):
                Path(part).unlink()
            raise CatalogueError(
                f"{self.path}: is of an earlier version, and no copy can be put beside it before "
                f"it is changed ({exc}); make room there, or copy it to another place"
            ) from exc
        finally:
            source.close()

    def _use_wal(self) -> None:
        """Let readers and a writer not wait for each other; kept in the file."""
        deadline = time.monotonic() + PATIENCE
        while True:  # SQLite does not wait here by itself
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as exc:
                busy = exc.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
                if not busy or time.monotonic() > deadline:
                    return  # works without, only not as smoothly
                time.sleep(0.01)
            else:
                return


def damaged(path: str) -> CatalogueError:
    """Make the error of a catalogue that holds what cannot be."""
    return CatalogueError(f"{path}: {REMEDIES[sqlite3.SQLITE_CORRUPT]}")


def _check_place(path: str, *, create: bool) -> None:
    if os.path.isdir(path):  # noqa: PTH112 (which is no more where that may not be looked at)
        raise CatalogueError(
            f"{path}: is a folder, where a catalogue is expected; write --catalogue after the "
            "paths, or --catalogue=FILE"
        )
    if not create and not os.path.lexists(path):
        raise CatalogueError(
            f"{path}: there is no catalogue; 'asmr-classify label … --catalogue' makes one"
        )
    if os.path.isfile(path) and not _begins_as_it_should(Path(path)):  # noqa: PTH113 (as above)
        raise CatalogueError(f"{path}: {REMEDIES[sqlite3.SQLITE_NOTADB]}")


def _begins_as_it_should(place: Path) -> bool:
    """Look at a file before SQLite does, which takes very short ones for empty ones."""
    try:
        with place.open("rb") as file:
            return file.read(len(FIRST_BYTES)) in {b"", FIRST_BYTES}
    except OSError:
        return True  # opening it will tell


def _uri(path: str, mode: str) -> str:
    return f"file:{quote(os.fsencode(Path(path).absolute()))}?mode={mode}"


def _connect(path: str, *, create: bool) -> sqlite3.Connection:
    try:
        return _connect_to(_uri(path, "rwc" if create else "rw"))
    except sqlite3.OperationalError as exc:
        # WAL needs a second file beside the first; where none can be made, nobody writes either.
        is_alone = exc.sqlite_errorcode & 0xFF in NO_SECOND_FILE and not _has_content(f"{path}-wal")
        if create or not is_alone:
            raise
        with suppress(sqlite3.Error):
            return _connect_to(f"{_uri(path, 'ro')}&immutable=1")
        raise


def _connect_to(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA cache_size = -65536")
        connection.execute("SELECT 1 FROM sqlite_master").close()
    except BaseException:
        connection.close()
        raise
    connection.create_function(MISSING, 1, _is_missing)
    return connection


def _has_content(path: str) -> bool:
    try:
        return Path(path).stat().st_size > 0
    except OSError:
        return False


def _is_missing(path: bytes) -> bool:
    return not os.path.lexists(path)


@contextmanager
def _translated(path: str) -> Iterator[None]:
    """Turn errors of SQLite into ones that name the file and say what to do."""
    try:
        yield
    except sqlite3.Error as exc:
        code = getattr(exc, "sqlite_errorcode", None)
        remedy = REMEDIES.get((code or 0) & 0xFF)
        if remedy is None:
            remedy = f"is damaged or was changed ({exc}); move it away, and {NEW_START}"
        raise CatalogueError(f"{path}: {remedy}") from exc
