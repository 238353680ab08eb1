"""One plan: what is shown by a dry run, done by the real run, journalled, and undone.

Whatever touches a user's file is a :class:`Step`, and a command that touches files builds a
:class:`Plan` of them. A dry run prints that object, a real run hands the same object to
:func:`~asmr_classify.library.runs.carry_out`, which for each step in turn

1. calls :meth:`Step.check`, which refuses where the world is not as it was planned for,
2. journals the step (:meth:`Step.to_record`) and has it on the disk,
3. calls :meth:`Step.do`, which gives the facts that undoing will need, and
4. marks the step as done, with these facts.

Law: at any moment each file is wholly as before its step or wholly as after it, but for what
:meth:`Step.settle` can tell and put right: a killed run is settled by the next one. Therefore a
step builds what it needs in a temporary file (:meth:`Work.part_beside`) and ends in one call of
the system that either happens or does not (a rename, a link, an unlink).

Undoing is a plan like any other: :meth:`Step.inverse` turns a step that was done into the step that
takes it back.

Another kind of step is added so: write a frozen slotted dataclass that derives from
:class:`Step` and whose fields are plain JSON values (or override :meth:`Step.from_record`), and
name it in :data:`KINDS`. Its fields hold all that it needs: the journal keeps nothing else but
what :meth:`Work.note` and the facts of :meth:`Step.do` add. Only :class:`StepError` and ``OSError``
may leave its methods; after either the run settles the step and goes on with the next one.
"""

from __future__ import annotations

import json
import os
import re
import time
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from asmr_classify.errors import GoneError, JournalError, StepError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

KINDS: dict[str, str] = {
    "make_folder": "asmr_classify.library.folders:MakeFolder",
    "remove_folder": "asmr_classify.library.folders:RemoveFolder",
    "move": "asmr_classify.library.moves:Move",
    "copy": "asmr_classify.library.copies:Copy",
    "hardlink": "asmr_classify.library.copies:Hardlink",
    "symlink": "asmr_classify.library.copies:Symlink",
    "remove_copy": "asmr_classify.library.copies:RemoveCopy",
    "write_tags": "asmr_classify.library.tags.steps:WriteTags",
    "restore_file": "asmr_classify.library.tags.steps:RestoreFile",
    "write_sidecar": "asmr_classify.library.tags.sidecar:WriteSidecar",
    "write_clip": "asmr_classify.library.written:WriteClip",
    "copy_clip": "asmr_classify.library.written:CopyClip",
    "write_text": "asmr_classify.library.written:WriteText",
    "remove_written": "asmr_classify.library.written:RemoveWritten",
    "write_nfo": "asmr_classify.library.tags.nfo:WriteNfo",
}
"""Kinds of steps, as journals call them, and the classes, which are imported when needed."""

MANNER = re.compile(r"^(?:--(?:yes|quiet|json|dry-run)$|-[yqn]+(?=f|$))")
"""Options that change how a plan is shown and done, and not what it does; letters may be joined,
also before that of ``--format``."""

SCHEMA_VERSION = 1
"""Of the JSON of plans."""

PART_PREFIX, PART_SUFFIX = ".asmr-classify-", ".part"
"""Of temporary files: hidden, and with an ending that nobody takes for media."""


@dataclass(frozen=True, slots=True)
class FileState:
    """What tells whether a file was touched.

    Parameters
    ----------
    size : int
        In bytes.
    mtime_ns : int
        Time of the last change, in nanoseconds.
    inode : int
        Its number on the disk; a file that was replaced has another. Some file systems (FAT)
        number anew each time that they are mounted, so it counts only within a run.
    """

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: str) -> Self:
        """Look at a file; a link is not followed.

        Raises
        ------
        GoneError
            If there is none.
        StepError
            If it cannot be looked at.
        """
        try:
            stat = os.lstat(path)
        except FileNotFoundError as exc:
            raise GoneError(path, "is not there any more") from exc
        except OSError as exc:
            raise StepError(path, f"cannot be looked at: {exc.strerror}") from exc
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ino)

    def same_content(self, other: FileState) -> bool:
        """Whether size and time of change agree; inodes may differ."""
        return (self.size, self.mtime_ns) == (other.size, other.mtime_ns)


def check_unchanged(path: str, before: FileState, *, since: str = "it was planned") -> None:
    """Check that a file is the one that was planned for.

    Raises
    ------
    StepError
        If it is gone, or its size, time of change or inode is another.
    """
    now = FileState.of(path)
    if now.size != before.size:
        raise StepError(path, f"has changed since {since}: {before.size} bytes, now {now.size}")
    if now.mtime_ns != before.mtime_ns:
        raise StepError(path, f"has changed since {since}: it was written to")
    if now.inode != before.inode:
        raise StepError(path, f"has changed since {since}: it was replaced by another file")


@dataclass(frozen=True, slots=True)
class Work:
    """What a run gives a step to work with.

    Parameters
    ----------
    name : str
        Of the run and the step, which no other step has.
    note : callable
        Takes facts by keyword and has them in the journal, on the disk, before it returns; they
        come back in :meth:`Step.settle`. For what the world will not tell after a kill.
    on_bytes : callable
        Is told how many more bytes were copied.
    """

    name: str
    note: Callable[..., None]
    on_bytes: Callable[[int], None] = lambda _n_bytes: None

    def part_beside(self, path: str) -> str:
        """Name the temporary file of this step, in the folder of ``path``.

        It is always the same name, so that a killed step finds what it left.
        """
        return str(Path(path).parent / f"{PART_PREFIX}{self.name}{PART_SUFFIX}")


@dataclass(frozen=True, slots=True)
class Description:
    """How a step is shown.

    Parameters
    ----------
    verb : str
        As in ``move``.
    path : str
        What is touched.
    target : str or None
        The place that it gets, if it gets one.
    detail : str
        What else is to be said, as ``trigger: tap → whisper``.
    """

    verb: str
    path: str
    target: str | None = None
    detail: str = ""


class Step(ABC):
    """One thing that is done to one file or folder.

    Derived classes are frozen slotted dataclasses; all paths in them are absolute.
    """

    __slots__ = ()

    kind: ClassVar[str]
    """Its key in :data:`KINDS`."""

    @abstractmethod
    def describe(self) -> Description:
        """Tell people what would be done."""

    @abstractmethod
    def check(self) -> None:
        """Check that the world is as it was planned for; change nothing.

        Raises
        ------
        StepError
            If it is not: the step is then skipped.
        """

    @abstractmethod
    def do(self, work: Work) -> dict[str, Any] | None:
        """Do it, with the file wholly as before or wholly as after at any moment.

        Returns
        -------
        dict or None
            Plain values that :meth:`inverse` needs, such as how the file is afterwards. None if
            there was nothing to do, so that nothing is to be undone.

        Raises
        ------
        StepError, OSError
            If it cannot be done. :meth:`settle` is called next.
        """

    @abstractmethod
    def settle(self, work: Work, notes: Mapping[str, Any]) -> dict[str, Any] | None:
        """Find out how far the step came, when it was killed or failed, and put right the rest.

        Removes temporary files. Must itself bear to be killed and called again.

        Returns
        -------
        dict or None
            What :meth:`do` would have given if the file is now as after; None if as before.

        Raises
        ------
        StepError, OSError
            If it cannot be told or put right; nothing of the user's is removed then.
            :class:`GoneError` if the file is not there any more: that is told once.
        """

    @abstractmethod
    def inverse(self, facts: Mapping[str, Any]) -> Step | None:
        """Give the step that takes this one back, or None if there is nothing to take back.

        Parameters
        ----------
        facts : mapping
            What :meth:`do` gave.

        Raises
        ------
        StepError
            If the user changed the file since: then it is left as it is.
        """

    def keeps(self, facts: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Tell by what :meth:`do` gave whether all stayed as it was, as it should."""
        return False

    def written(self) -> str:
        """Name the file that errors of the system are about."""
        return self.describe().path

    def moved(self) -> tuple[str, FileState, str] | None:
        """Tell of a file that this step moves, or changes where it is: path, state, new path.

        None if it does neither. A catalogue follows the file by it.
        """
        return None

    def to_record(self) -> dict[str, Any]:
        """Turn the step into plain values, for the journal and for ``--json``."""
        return {"kind": self.kind, **asdict(self)}  # type: ignore[call-overload]  # a dataclass is derived

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Turn plain values, without ``kind``, back into a step."""
        return cls(**record)


def step_from_record(record: Mapping[str, Any]) -> Step:
    """Turn what :meth:`Step.to_record` gave back into a step.

    Raises
    ------
    JournalError
        If it is no step of this version.
    """
    fields = dict(record)
    try:
        module, _, name = KINDS[fields.pop("kind")].partition(":")
        step: Step = getattr(import_module(module), name).from_record(fields)
    except (KeyError, TypeError, ValueError) as exc:
        raise JournalError(f"not a step of this version: {record!r:.200}") from exc
    return step


@dataclass(frozen=True, slots=True)
class Left:
    """A file that is left as it is, and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a command is going to do.

    Law: no file is touched by two of its steps, so that each can be checked, done and undone for
    itself; only folders are made before what goes into them.

    Parameters
    ----------
    command : tuple of str
        The command line, as the user gave it.
    steps : tuple of Step
        In the order in which they are done.
    left : tuple of Left
        What was asked for and cannot be done.
    undoes : int or None
        The run that this plan takes back, if it is one of ``undo``.
    reverses : tuple of int or None
        For each step, the step of that run that it takes back; None for a step that only
        prepares another.
    created : float
        Seconds since 1970.
    """

    command: tuple[str, ...]
    steps: tuple[Step, ...]
    left: tuple[Left, ...] = ()
    undoes: int | None = None
    reverses: tuple[int | None, ...] = ()
    created: float = field(default_factory=time.time)

    def to_record(self) -> dict[str, Any]:
        """Turn the plan into plain values: the JSON of a dry run."""
        return {
            "schema": SCHEMA_VERSION,
            "command": list(self.command),
            "created": iso_time(self.created),
            "undoes": self.undoes,
            "steps": [step.to_record() for step in self.steps],
            "left": [asdict(left) for left in self.left],
        }


def without_manner(command: Iterable[str]) -> tuple[str, ...]:
    """Give a command line without what only changes how its plan is shown and done.

    Examples
    --------
    >>> without_manner(["asmr-classify", "tag", "in", "--yes", "-qn"])
    ('asmr-classify', 'tag', 'in')
    """
    words = (MANNER.sub("-", word) for word in command)
    return tuple(word for word in words if word != "-")


def iso_time(seconds: float) -> str:
    """Write a time as ISO 8601 in UTC, to the second.

    Examples
    --------
    >>> iso_time(0)
    '1970-01-01T00:00:00Z'
    """
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def record_to_json(record: Mapping[str, Any]) -> str:
    """Write plain values as JSON on one line, readable but for what is no text."""
    from asmr_classify.writers.jsonl import NO_TEXT

    text = json.dumps(record, ensure_ascii=False, allow_nan=False)
    return NO_TEXT.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
