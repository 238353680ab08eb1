"""What a run has finished, kept beside its output, so that it may be killed and run again.

A text file. The first line states the settings, that is all that changes a result but the file
itself. Each further line is two JSON values with a tab between: the key of a file (its absolute
path, size, and the times of its last change; of an object in storage its address, size and ETag or
time) and its result, in full precision. A line that was
cut off by a kill is no line; the last line of a file counts. What failed or broke off by the fault
of the machine and not of the file is left out, so that the next run tries it again.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from asmr_classify.aggregate import Status, results_key
from asmr_classify.errors import OutputError
from asmr_classify.media.source import is_url
from asmr_classify.writers.jsonl import record_to_result, result_to_record
from asmr_classify.writers.output import Output, explain

if TYPE_CHECKING:
    from asmr_classify.aggregate import FileResult
    from asmr_classify.media.found import Found
    from asmr_classify.model import Model

logger = logging.getLogger(__name__)

SUFFIX = ".journal"
"""Added to the name of the output."""

HEADER = "asmr-classify journal"
VERSION = 1
"""Of the form of journals."""


DAMAGED = (ValueError, KeyError, TypeError, AttributeError)
"""What a line that is no entry any more makes its parser raise; its file is labelled again."""


class Journal:
    """Results of earlier runs with the same settings, and of this one.

    Use :meth:`open` in a ``with`` statement.
    """

    def __init__(self, output: Output, reader: IO[bytes], places: dict[int, int]) -> None:
        self._output = output
        self._reader = reader
        self._places = places

    @classmethod
    def open(cls, path: str, model: Model, *, fresh: bool = False) -> Self:
        """Open a journal, or begin one.

        Parameters
        ----------
        path : str
        model : Model
            Results of another model, or of other thresholds, are forgotten.
        fresh : bool
            Forget earlier results.

        Raises
        ------
        OutputError
            If there is such a file that is no journal, it cannot be written, or another run writes
            it.
        """
        header = json.dumps({HEADER: VERSION, "settings": results_key(model)}) + "\n"
        with ExitStack() as stack:
            try:
                file = stack.enter_context(Path(path).open("a+b", buffering=0))
                lock(file, path)
                reader = stack.enter_context(Path(path).open("rb"))
                places, size = _read_places(reader, path, header)
                if fresh:
                    places, size = {}, 0
                file.truncate(size)
            except OSError as exc:
                raise OutputError(explain(path, exc)) from exc
            output = Output(file, path, size)
            if not size:
                output.write(header)
            stack.pop_all()
        return cls(output, reader, places)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._reader.close()
        self._output.close()

    def recall(self, found: Found) -> FileResult | None:
        """Give the result of a file that has not changed since; None if there is none.

        A failure is recalled only if nothing of the file has changed, its permissions included.
        """
        place = self._places.get(hash(key_of(found)[0]))
        if place is None or not key_of(found)[2]:
            return None
        self._reader.seek(place)
        try:
            key, result = _parse(self._reader.readline())
        except DAMAGED:
            return None
        if key[:3] != key_of(found)[:3] or result.path != found.path:
            return None
        if result.status is Status.FAILED and key != key_of(found):
            return None
        return result

    def recall_other(self, found: Found) -> None:
        """Give nothing: what other settings gave is forgotten."""

    def record(self, found: Found, result: FileResult) -> None:
        """Keep a result, unless another attempt may give a better one: such a file is not finished.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        if result.error is not None and result.error.may_pass:
            return
        record = result_to_record(result.to_keep(), rounded=False)
        self._output.write(f"{json.dumps(key_of(found))}\t{json.dumps(record)}\n")


def key_of(found: Found) -> list[Any]:
    """Tell what a file is known by: its absolute path, its size, and when it was changed.

    Of an object in storage its address, its size, and what changes with its content.
    """
    if is_url(found.path):
        return [str(found.path), found.size, found.version, 0]
    # Not resolved: a link is a name of its own.
    absolute = os.path.abspath(found.path)  # noqa: PTH100
    return [absolute, found.size, found.mtime_ns, found.ctime_ns]


def _parse(line: bytes) -> tuple[list[Any], FileResult]:
    key, _, record = line.partition(b"\t")
    result = record_to_result(json.loads(record))
    result_to_record(result)  # fails where a value is not of its kind
    return list(json.loads(key)), result


def _read_places(reader: IO[bytes], path: str, header: str) -> tuple[dict[int, int], int]:
    """Find the last entry of each file, by hash of its path, and where the last whole line ends.

    Nothing, and 0, if the journal is new or was made with other settings.
    """
    first = reader.readline(4096)
    if first and not header.encode().startswith(first[: len(HEADER) + 2]):
        raise OutputError(
            f"{path}: stands where the journal belongs, and is none or damaged at its beginning; "
            "move it away, or name another output"
        )
    if first != header.encode():
        return {}, 0
    places, size = {}, len(first)
    for line in reader:
        if not line.endswith(b"\n"):
            break
        try:
            absolute, *_ = json.loads(line.partition(b"\t")[0])
            places[hash(absolute)] = size
        except DAMAGED:
            pass
        size += len(line)
    return places, size


def lock(file: IO[bytes], path: str) -> None:
    """Keep other runs out, where the system can do that; the end of the process unlocks.

    Raises
    ------
    OutputError
        If another run has locked it.
    """
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise OutputError(
            f"{path}: another run writes to this output; wait for it, or name another output"
        ) from exc
    except OSError:  # a disk over a network, perhaps, that knows no locks
        logger.debug("%s: cannot be locked", path, exc_info=True)
