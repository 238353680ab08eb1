"""Which part of a table holds the row of which recording, in a file of SQLite's that is temporary.

It is on the disk as soon as it is large, and gone with the process: a million recordings take no
more memory than a thousand. Of several rows of one recording one stands, the last that was added.
"""

from __future__ import annotations

import itertools
import sqlite3
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA = """
CREATE TABLE rows (
    id INTEGER PRIMARY KEY, path TEXT, key TEXT, status TEXT, told TEXT, part INTEGER
);
CREATE INDEX by_path ON rows (path);
CREATE INDEX by_part ON rows (part);
"""

STANDS = """
NOT EXISTS (SELECT 1 FROM rows AS later WHERE later.path = rows.path AND later.id > rows.id)
"""


class Entry(NamedTuple):
    """What is known of a row without reading it.

    Parameters
    ----------
    path : str
        As it stands in the row.
    key : str or None
        Changes with the recording; None if it is to be labelled again.
    status : str
    told : str
        What else a run tells of a recording that is done, in JSON.
    """

    path: str
    key: str | None
    status: str
    told: str


class TableIndex:
    """The rows of a table, by part and by recording."""

    def __init__(self) -> None:
        self._base = sqlite3.connect("", isolation_level=None)
        self._base.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {SCHEMA}")
        self._names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._next, self._before = itertools.count(), itertools.count(-1, -1)

    def __contains__(self, part: str) -> bool:
        return part in self._numbers

    def parts(self) -> list[str]:
        """Name all parts that were added."""
        return self._names[:]

    def is_all_done(self) -> bool:
        """Tell whether no recording is to be labelled again whatever becomes of it."""
        found = self._base.execute(f"SELECT 1 FROM rows WHERE key IS NULL AND {STANDS} LIMIT 1")  # noqa: S608
        return found.fetchone() is None

    def close(self) -> None:
        """Forget all."""
        self._base.close()

    def add(self, part: str, entries: Iterable[Entry], *, is_earlier: bool = False) -> None:
        """Add rows of a part.

        Parameters
        ----------
        part : str
            Its name.
        entries : iterable of Entry
        is_earlier : bool
            All other rows of the same recordings stand before these.
        """
        number = self._number(part)
        ids = self._before if is_earlier else self._next
        values = ((next(ids), *entry, number) for entry in entries)
        self._base.execute("BEGIN")
        self._base.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)", values)
        self._base.execute("COMMIT")

    def get(self, path: str) -> Entry | None:
        """Give what is known of the row of a recording."""
        row = self._base.execute(
            "SELECT path, key, status, told FROM rows WHERE path = ? ORDER BY id DESC LIMIT 1",
            (path,),
        ).fetchone()
        return None if row is None else Entry(*row)

    def outdated(self) -> list[str]:
        """Name the parts that hold rows which do not stand."""
        found = self._base.execute(f"SELECT DISTINCT part FROM rows WHERE NOT ({STANDS})")  # noqa: S608
        return sorted(self._names[number] for (number,) in found)

    def standing(self, part: str) -> set[str]:
        """Name the recordings whose rows in a part stand."""
        found = self._base.execute(
            f"SELECT path FROM rows WHERE part = ? AND {STANDS}",  # noqa: S608 (our own text)
            (self._number(part),),
        )
        return {path for (path,) in found}

    def move(self, part: str, to: str | None) -> None:
        """Note that the rows of a part that stand are in another now, and the rest nowhere."""
        number = self._number(part)
        self._base.execute(
            f"DELETE FROM rows WHERE part = ? AND NOT ({STANDS})",  # noqa: S608
            (number,),
        )
        if to is not None:
            self._base.execute(
                "UPDATE rows SET part = ? WHERE part = ?", (self._number(to), number)
            )

    def count_rows(self) -> dict[str, int]:
        """Count the rows of each part that has some, by name."""
        found = self._base.execute("SELECT part, COUNT(*) FROM rows GROUP BY part")
        return dict(sorted((self._names[number], count) for number, count in found))

    def count_statuses(self) -> dict[str, int]:
        """Count the rows of each status."""
        found = self._base.execute("SELECT status, COUNT(*) FROM rows GROUP BY status")
        return dict(sorted(found))

    def _number(self, part: str) -> int:
        if part not in self._numbers:
            self._numbers[part] = len(self._names)
            self._names.append(part)
        return self._numbers[part]
