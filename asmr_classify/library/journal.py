"""What was done to a user's files, kept so that it can be settled after a kill and undone.

Layout, in the user's folder for states (``ASMR_CLASSIFY_STATE``, if that is set)::

    runs/lock             held while files are touched or a broken run is settled
    runs/000012.jsonl     the journal of run 12, one JSON object a line

    {"asmr-classify run": 1, "token": …, "command": …, "created": …, "n_steps": …, "undoes": …,
     "folder": …, "catalogue": …}
    {"begin": 0, "step": {…}, "reverses": null}   on the disk before step 0 is done
    {"note": 0, "facts": {…}}                     on the disk before step 0 goes on
    {"done": 0, "facts": {…}}                     or {"not_done": 0, "reason": "…"}
    {"end": "complete"}                           or "stopped", or "broken off" once it is settled

The crash argument. A step is begun only when its ``begin`` is on the disk (``fsync``), with all
that it takes to find out how far it came and to undo it. So whatever was touched stands in a
journal. ``done`` is not waited for: where it is lost, the step is found begun and not marked, and
:meth:`~asmr_classify.library.plan.Step.settle` reads from the world, and from notes, whether it
happened. Steps follow each other, so at most the last one of a run is in this state. A line that a
kill cut off stands for nothing that was begun, and is dropped. A run without an ``end`` was
killed, unless the lock is held, which the system lets go when its holder dies.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from asmr_classify.errors import BusyError, JournalError, OutputError, UsageError
from asmr_classify.folders import user_state
from asmr_classify.library.places import sync_folder
from asmr_classify.library.plan import iso_time, step_from_record
from asmr_classify.writers.output import Output, explain

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from asmr_classify.library.plan import Plan, Step

HEADER = "asmr-classify run"
VERSION = 1

STATE_VARIABLE = "ASMR_CLASSIFY_STATE"
"""Environment variable that names another folder."""

NAME_ANOTHER = f"name a folder for the journals in the environment variable {STATE_VARIABLE}"

NOTHING_TO_DO = "there was nothing to do"
"""Why a step was not done that is none the worse for it."""

TAIL_BYTES = 100
"""So much of a journal holds its ``end``."""


COMPLETE, STOPPED, BROKEN_OFF = "complete", "stopped", "broken off"
"""How runs end: all steps were come to, the user stopped it, or it was killed and is settled."""


@dataclass(slots=True)
class Entry:
    """What a journal tells of one step.

    Parameters
    ----------
    record : dict
        The step.
    reverses : int or None
        The step of an earlier run that this one takes back.
    notes : dict
        Facts that the step had written down on its way.
    facts : dict or None
        What it gave when it was done.
    reason : str or None
        Why it was not done.
    """

    record: dict[str, Any]
    reverses: int | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] | None = None
    reason: str | None = None

    @property
    def open(self) -> bool:
        """Whether the step was begun, and nobody knows how it ended."""
        return self.facts is None and self.reason is None

    def step(self) -> Step:
        """Give the step itself."""
        return step_from_record(self.record)


@dataclass(slots=True)
class Run:
    """What a journal tells of a run.

    Parameters
    ----------
    number : int
    path : str
        Of the journal.
    token : str
        Names its temporary files.
    command : tuple of str
    folder : str
        In which it was given; empty if that is not known.
    created : str
        ISO 8601, UTC.
    n_steps : int
        That were planned.
    undoes : int or None
        The run that it takes back.
    catalogue : str or None
        That was told of it, if there was one.
    end : str or None
        None while it goes on, or if it was killed.
    entries : dict of int to Entry
    damaged : tuple of int
        Numbers of lines that cannot be read.
    """

    number: int
    path: str
    token: str
    command: tuple[str, ...]
    folder: str
    created: str
    n_steps: int
    undoes: int | None
    catalogue: str | None = None
    end: str | None = None
    entries: dict[int, Entry] = field(default_factory=dict)
    damaged: tuple[int, ...] = ()

    @property
    def done(self) -> dict[int, Entry]:
        """The steps that were done."""
        return {index: entry for index, entry in self.entries.items() if entry.facts is not None}

    def steps_done(self) -> list[Step]:
        """Give the steps that were done, but for those that cannot be read."""
        steps = []
        for entry in self.done.values():
            with suppress(JournalError, KeyError, TypeError):
                steps.append(entry.step())
        return steps

    @property
    def is_complete(self) -> bool:
        """Whether every step was done, or had nothing to do."""
        entries = self.entries.values()
        fine = sum(e.facts is not None or e.reason == NOTHING_TO_DO for e in entries)
        return fine == self.n_steps


class RunWriter:
    """Writes the journal of one run.

    Parameters
    ----------
    file : binary file
        Unbuffered, at its end.
    path : str
    token : str
    """

    def __init__(self, file: IO[bytes], path: str, token: str) -> None:
        self._file = file
        self._path = path
        self._output = Output(file, path, file.tell())
        self.token = token

    def write(self, line: Mapping[str, Any], *, durable: bool) -> None:
        """Write one line; if it is to be durable, return when it is on the disk.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        self._output.write(json.dumps(line, separators=(",", ":")) + "\n")
        if durable:
            try:
                os.fsync(self._file.fileno())
            except OSError as exc:
                raise OutputError(explain(self._path, exc)) from exc


class Store:
    """The journals of a user.

    Parameters
    ----------
    folder : str or Path, optional
        Default: that of the environment variable, or the user's own.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder or default_folder()) / "runs"

    def numbers(self) -> list[int]:
        """Give the numbers of all runs, the oldest first."""
        if not os.path.isdir(self.folder):  # also where that may not be looked at
            return []
        stems = (path.stem for path in self.folder.glob("*.jsonl"))
        return sorted(int(stem) for stem in stems if stem.isdecimal())

    def describe_kept(self) -> str:
        """Say what runs there are, to whoever asked for another."""
        numbers = self.numbers()
        if not numbers:
            return f"no runs are kept in {self.folder}; tag, organise and extract keep them"
        return f"the last is {numbers[-1]}; `undo --list` shows them all"

    def path_of(self, number: int) -> Path:
        """Name the journal of a run."""
        return self.folder / f"{number:06d}.jsonl"

    def read(self, number: int) -> Run:
        """Read the journal of a run.

        Raises
        ------
        UsageError
            If there is none.
        JournalError
            If what it is cannot be told.
        """
        path = self.path_of(number)
        try:
            lines = path.read_bytes().split(b"\n")
        except FileNotFoundError as exc:
            raise UsageError(f"no run {number}: {self.describe_kept()}") from exc
        except OSError as exc:
            raise JournalError(f"{path}: cannot be read: {exc.strerror}") from exc
        run = _read_header(number, str(path), lines[0])
        # What follows the last newline was cut off.
        for index, line in enumerate(lines[1:-1], start=2):
            if not _read_line(run, line):
                run.damaged += (index,)
        return run

    def broken_numbers(self) -> list[int]:
        """Give the numbers of the runs that have no end: they go on, or were killed.

        Raises
        ------
        JournalError
            If a journal cannot be read.
        """
        return [number for number in self.numbers() if not self._has_ended(number)]

    def _has_ended(self, number: int) -> bool:
        path = self.path_of(number)
        try:
            with path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
                lines = file.read().split(b"\n")
        except FileNotFoundError:  # nothing was begun, see drop_if_unbegun
            return True
        except OSError as exc:
            raise JournalError(f"{path}: cannot be read: {exc.strerror}") from exc
        return len(lines) > 1 and lines[-1] == b"" and lines[-2].startswith(b'{"end":')

    def drop_if_unbegun(self, number: int) -> bool:
        """Remove a journal without a whole first line: nothing was begun. Hold the lock."""
        path = self.path_of(number)
        if b"\n" in path.read_bytes():
            return False
        path.unlink()
        return True

    @contextmanager
    def locked(self) -> Generator[None]:
        """Keep other runs out.

        Raises
        ------
        BusyError
            If another one is under way.
        OutputError
            If the folder cannot be written.
        """
        path = self.folder / "lock"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = path.open("a+b")
        except OSError as exc:
            raise OutputError(f"{explain(str(path), exc)}; {NAME_ANOTHER}") from exc
        with file:
            _lock(file)
            yield

    @contextmanager
    def begin(self, plan: Plan, catalogue: str | None = None) -> Generator[tuple[int, RunWriter]]:
        """Begin the journal of a run; the lock must be held.

        Parameters
        ----------
        plan : Plan
        catalogue : str, optional
            That will be told of the run.

        Yields
        ------
        number : int
        writer : RunWriter
        """
        number = max(self.numbers(), default=0) + 1
        path = self.path_of(number)
        token = secrets.token_hex(4)
        try:
            file = path.open("xb", buffering=0)
            sync_folder(str(self.folder))
        except OSError as exc:
            raise OutputError(explain(str(path), exc)) from exc
        with file:
            writer = RunWriter(file, str(path), token)
            header = {
                HEADER: VERSION,
                "token": token,
                "command": list(plan.command),
                "folder": _working_folder(),
                "created": iso_time(plan.created),
                "n_steps": len(plan.steps),
                "undoes": plan.undoes,
                "catalogue": catalogue,
            }
            writer.write(header, durable=True)
            yield number, writer

    @contextmanager
    def reopen(self, run: Run) -> Generator[RunWriter]:
        """Go on with the journal of a run that was killed, without a line that was cut off."""
        try:
            with Path(run.path).open("r+b", buffering=0) as file:
                data = file.read()
                file.truncate(data.rfind(b"\n") + 1)
                file.seek(0, os.SEEK_END)
                yield RunWriter(file, run.path, run.token)
        except OSError as exc:
            raise OutputError(explain(run.path, exc)) from exc


def _working_folder() -> str:
    """Give the working directory; nothing if it was removed."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def default_folder() -> Path:
    """Folder that keeps what the program must remember.

    Raises
    ------
    OutputError
        If none is named, and the user has no home.
    """
    named = os.environ.get(STATE_VARIABLE)
    folder = Path(named) if named else user_state()
    if folder is None:
        raise OutputError(
            f"there is no home to keep the journals in, by which runs are undone; {NAME_ANOTHER}"
        )
    return folder


def _read_header(number: int, path: str, line: bytes) -> Run:
    try:
        header = json.loads(line)
        version = header[HEADER]
        run = Run(
            number=number,
            path=path,
            token=header["token"],
            command=tuple(header["command"]),
            folder=header.get("folder", ""),
            created=header["created"],
            n_steps=header["n_steps"],
            undoes=header["undoes"],
            catalogue=header.get("catalogue"),
        )
    except (ValueError, KeyError, TypeError) as exc:
        raise JournalError(
            f"{path}: the journal of run {number} is damaged at its beginning; what the run did "
            "cannot be undone by this program. Move the journal away to go on without it"
        ) from exc
    if version != VERSION:
        raise JournalError(f"{path}: is of version {version}; this program knows {VERSION}")
    return run


def _read_line(run: Run, text: bytes) -> bool:
    """Take one line in; tell whether it could be read."""
    try:
        line = json.loads(text)
        if "begin" in line:
            run.entries[line["begin"]] = Entry(line["step"], line["reverses"])
        elif "note" in line:
            run.entries[line["note"]].notes.update(line["facts"])
        elif "done" in line:
            run.entries[line["done"]].facts = line["facts"]
        elif "not_done" in line:
            run.entries[line["not_done"]].reason = line["reason"]
        else:
            run.end = line["end"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return True


def _lock(file: IO[bytes]) -> None:
    """Take the lock, which the end of the process lets go."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as exc:
        raise BusyError(
            "another run of this program is touching files; wait for it to end"
        ) from exc
