"""Feature rows that a run has computed, kept beside its output, so that it may be killed.

::

    features.parquet          the output; a table of all
    features.parquet.parts/
        lock                  held by the run that writes here
        1f0c…9a.raw           the rows of one recording, whole
        1f0c…9a.4711.part     rows that process 4711 is computing, or died over

A table of all cannot serve: a Parquet file cannot be read before its end nor added to, and in a
text that several processes write to, rows of one recording would stand among those of others, some
cut off. So each worker streams the rows of its recording to a file of their own, and hands over its
name; neither process ever holds more than some windows, whatever the length. The output is then put
together from such files.

A part holds raw rows (:func:`asmr_classify.features.table.row_dtype`), then a footer in JSON (the
key of the recording, the settings, what became of it), then the length of the footer in eight
bytes. It is written beside its place, flushed to the disk, and gets its name when it is whole. So
whenever a process is killed, a name either stands for all rows of a recording or does not exist,
and the next run computes what has none. Parts of recordings that have changed since, or of other
settings, are not used, and replaced. Their ending is one that searches for media pass over.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import numpy as np

from asmr_classify.aggregate import Problem, Status
from asmr_classify.batch.journal import DAMAGED, key_of, lock
from asmr_classify.errors import OutputError
from asmr_classify.features.schema import fingerprint
from asmr_classify.features.table import By, row_dtype
from asmr_classify.writers.output import Output, explain

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from asmr_classify.config import FeatureSpec
    from asmr_classify.features.table import Rows
    from asmr_classify.media.found import Found

SUFFIX = ".parts"
"""Added to the name of the output."""

WHOLE, UNFINISHED = ".raw", ".part"

LENGTH_BYTES = 8
"""At the end of a part: the length of its footer."""

ROWS_AT_A_TIME = 1024
"""Rows that are read at a time, about three megabytes."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """What came of the features of one file.

    Parameters
    ----------
    path : str
    status : Status
        As for labels; ``silent`` if no window is audible.
    error : Problem or None
        Set when the status is ``failed``, ``partial`` or ``no_audio``.
    decoded : float
        Seconds from its start to the end of what was decoded.
    part : str or None
        Where its rows are; None if there are none.
    """

    path: str
    status: Status
    error: Problem | None = None
    decoded: float = 0.0
    part: str | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one output.

    Parameters
    ----------
    folder : str
    spec : FeatureSpec
    by : By
    is_kept : bool
        Whether later runs are to find them.
    """

    folder: str
    spec: FeatureSpec
    by: By
    is_kept: bool

    @classmethod
    @contextmanager
    def open(
        cls, output: str | None, spec: FeatureSpec, by: By, *, fresh: bool = False
    ) -> Generator[Self]:
        """Open the folder of an output, or make it.

        Parameters
        ----------
        output : str or None
            None for what is no file: then nothing is kept.
        spec : FeatureSpec
        by : By
        fresh : bool
            Forget the rows of earlier runs.

        Raises
        ------
        OutputError
            If the folder cannot be written, or another run writes to it.
        """
        with ExitStack() as stack:
            if output is None:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            else:
                folder = Path(f"{output}{SUFFIX}")
                stack.enter_context(_locked(folder))
                stack.callback(_remove, folder, UNFINISHED)
                _remove(folder, UNFINISHED, *([WHOLE] if fresh else []))
            yield cls(str(folder.absolute()), spec, by, is_kept=output is not None)

    def recall(self, found: Found) -> Extracted | None:
        """Give what is kept of a file that has not changed since; None if there is nothing."""
        part = self._place(found)
        if not self.is_kept or not key_of(found)[2]:
            return None
        try:
            footer, _ = _read_footer(part)
            key, settings, result = footer["key"], footer["settings"], footer["result"]
            problem = None if result["error"] is None else Problem(**result["error"])
            status, decoded = Status(result["status"]), float(result["decoded"])
        except (OSError, *DAMAGED):
            return None
        if key[:3] != key_of(found)[:3] or settings != self._settings():
            return None
        if problem is not None and problem.may_pass:  # another attempt may give more
            return None
        return Extracted(found.path, status, problem, decoded, str(part))

    def recall_other(self, found: Found) -> None:
        """Give nothing: what other settings gave is forgotten."""

    def record(self, found: Found, result: Extracted) -> None:
        """Do nothing: the worker has kept it already."""

    @contextmanager
    def writing(self, found: Found) -> Generator[PartWriter]:
        """Begin the part of a file; without :meth:`PartWriter.finish` nothing is left of it.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        place = self._place(found)
        scratch = place.with_suffix(f".{os.getpid()}{UNFINISHED}")
        footer = {"key": key_of(found), "settings": self._settings()}
        try:
            file = scratch.open("wb", buffering=0)
        except OSError as exc:
            raise OutputError(explain(str(scratch), exc)) from exc
        try:
            with file:
                yield PartWriter(file, scratch, place, footer)
        finally:
            with suppress(OSError):
                scratch.unlink(missing_ok=True)

    def iter_rows(self, result: Extracted) -> Iterator[Rows]:
        """Read the rows of a file, some at a time.

        Raises
        ------
        OutputError
            If they are gone or cut.
        """
        if result.part is None:
            return
        dtype = row_dtype(self.spec, self.by)
        try:
            left = _read_footer(Path(result.part))[1] // dtype.itemsize
            with Path(result.part).open("rb") as file:
                while left:
                    n_rows = min(left, ROWS_AT_A_TIME)
                    yield np.frombuffer(file.read(n_rows * dtype.itemsize), dtype, n_rows)
                    left -= n_rows
        except (OSError, *DAMAGED) as exc:
            raise OutputError(
                f"{result.part}: the rows of {result.path} were changed or removed while they "
                "were needed; run again"
            ) from exc

    def drop(self, result: Extracted) -> None:
        """Remove the rows of a file that were written, unless later runs are to find them."""
        if result.part is not None and not self.is_kept:
            Path(result.part).unlink(missing_ok=True)

    def n_kept(self) -> int:
        """Count the recordings of which there are rows, of this run and of earlier ones."""
        return sum(1 for _ in Path(self.folder).glob(f"*{WHOLE}")) if self.is_kept else 0

    def are_of_others(self) -> bool:
        """Tell whether rows that are kept are of other settings; the first part tells it."""
        part = next(Path(self.folder).glob(f"*{WHOLE}"), None)
        try:
            return part is not None and _read_footer(part)[0]["settings"] != self._settings()
        except (OSError, *DAMAGED):
            return False

    def _place(self, found: Found) -> Path:
        name = os.fsencode(key_of(found)[0])
        return Path(self.folder, hashlib.sha256(name).hexdigest()[:32] + WHOLE)

    def _settings(self) -> list[str]:
        return [fingerprint(self.spec), self.by.value]


class PartWriter:
    """Writes the rows of one recording, see :meth:`Parts.writing`."""

    def __init__(self, file: IO[bytes], scratch: Path, place: Path, footer: dict[str, Any]) -> None:
        self._file = file
        self._output = Output(file, str(scratch))
        self._scratch = scratch
        self._place = place
        self._footer = footer

    def write(self, rows: Rows) -> None:
        """Write some rows.

        Raises
        ------
        OutputError
            If they cannot be written.
        """
        self._output.write(rows.tobytes())

    def finish(self, path: str, status: Status, error: Problem | None, decoded: float) -> Extracted:
        """Give the part its name, now that it is whole.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        problem = None
        if error is not None:
            names = ("kind", "message", "may_pass")
            problem = {name: getattr(error, name) for name in names}
        result = {"status": status.value, "error": problem, "decoded": decoded}
        footer = json.dumps({**self._footer, "result": result}).encode()
        self._output.write(footer + len(footer).to_bytes(LENGTH_BYTES, "little"))
        try:
            os.fsync(self._file.fileno())  # or a power cut might leave a name without content
            self._file.close()  # some systems rename no file that is open
            self._scratch.replace(self._place)
        except OSError as exc:
            raise OutputError(explain(str(self._scratch), exc)) from exc
        return Extracted(path, status, error, decoded, str(self._place))


def _read_footer(part: Path) -> tuple[dict[str, Any], int]:
    """Read what stands at the end of a part, and tell how many bytes of rows stand before it."""
    with part.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - LENGTH_BYTES))
        n_rows_bytes = size - LENGTH_BYTES - int.from_bytes(file.read(), "little")
        if n_rows_bytes < 0:
            raise ValueError("no part")
        file.seek(n_rows_bytes)
        return dict(json.loads(file.read()[:-LENGTH_BYTES])), n_rows_bytes


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Make a folder if it is missing, and keep other runs out; one without parts goes at the end.

    Raises
    ------
    OutputError
        If it cannot be written, or another run is there.
    """
    path = folder / "lock"
    try:
        folder.mkdir(exist_ok=True)
        file = path.open("ab")
    except OSError as exc:
        raise OutputError(explain(str(folder), exc)) from exc
    with file:
        lock(file, str(folder).removesuffix(SUFFIX))
        try:
            yield
        finally:
            if not any(folder.glob(f"*{WHOLE}")):
                with suppress(OSError):  # what else lies there is not ours
                    path.unlink()
                    folder.rmdir()


def _remove(folder: Path, *suffixes: str) -> None:
    for path in folder.iterdir():
        if path.suffix in suffixes:
            with suppress(OSError):  # another system lets nobody remove what a process has open
                path.unlink()
