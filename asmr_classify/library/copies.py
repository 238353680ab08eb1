"""Steps that give a file a second place: as a copy, a hard link or a symbolic link.

Undoing takes the second place away, and only if the first one still holds the file: what may be
the last copy is never removed.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from asmr_classify.errors import StepError
from asmr_classify.library.moves import check_free
from asmr_classify.library.places import (
    check_folder,
    copy_verified,
    digest_of,
    is_same_entry,
    remove_if_there,
    rename_exclusive,
)
from asmr_classify.library.plan import Description, FileState, Step, check_unchanged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asmr_classify.library.plan import Work

How = Literal["copy", "hardlink", "symlink"]


def settle_renamed(target: str, work: Work, notes: Mapping[str, Any]) -> dict[str, Any] | None:
    """Look whether what was written to a temporary name got its own; clear away what is left.

    Parameters
    ----------
    target : str
        The name that it was to get, by a rename that does not replace.
    work : Work
    notes : mapping
        With ``after`` and ``digest``, noted before the rename.

    Returns
    -------
    dict or None
        Those two, as the facts of a step that is done; None if it is not.
    """
    remove_if_there(work.part_beside(target))
    if not os.path.lexists(target) or "after" not in notes:
        return None
    now = FileState.of(target)
    if asdict(now) == notes["after"]:
        return {"after": notes["after"], "digest": notes["digest"]}
    if notes.get("placeholder") and now.size == 0:
        os.unlink(target)
    return None


@dataclass(frozen=True, slots=True)
class _SecondPlace(Step):
    """What copies and links have in common.

    Parameters
    ----------
    source, target : str
    before : FileState
        Of the source.
    """

    kind: ClassVar[str]

    source: str
    target: str
    before: FileState

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Turn plain values back into a step."""
        return cls(record["source"], record["target"], FileState(**record["before"]))

    def describe(self) -> Description:
        """Tell what gets a second place."""
        return Description(self.kind, self.source, self.target)

    def check(self) -> None:
        """Refuse if the file was changed, the target is taken, or its folder not writable."""
        check_unchanged(self.source, self.before)
        check_free(self.source, self.target)
        check_folder(os.path.dirname(self.target))

    def _inverse(self, how: How, facts: Mapping[str, Any]) -> Step | None:
        if not os.path.lexists(self.target):
            return None
        now = FileState.of(self.target)
        if not now.same_content(FileState(**facts["after"])):
            raise StepError(self.target, "has changed since it was made; it is left there")
        remove = RemoveCopy(self.target, self.source, how, now, facts.get("digest"))
        remove.check_original()
        return remove


@dataclass(frozen=True, slots=True)
class Copy(_SecondPlace):
    """Copy a file, with its times and permissions."""

    kind: ClassVar[str] = "copy"

    def do(self, work: Work) -> dict[str, Any]:
        """Copy to a temporary name, verify, and rename without replacing."""
        part = work.part_beside(self.target)
        digest = copy_verified(self.source, part, work.on_bytes)
        check_unchanged(self.source, self.before)
        facts = {"after": asdict(FileState.of(part)), "digest": digest}
        work.note(**facts)
        rename_exclusive(part, self.target, note=work.note)
        return facts

    def settle(self, work: Work, notes: Mapping[str, Any]) -> dict[str, Any] | None:
        """Look whether the copy got its name."""
        return settle_renamed(self.target, work, notes)

    def inverse(self, facts: Mapping[str, Any]) -> Step | None:
        """Remove the copy."""
        return self._inverse("copy", facts)


@dataclass(frozen=True, slots=True)
class Hardlink(_SecondPlace):
    """Give a file a second name on its disk."""

    kind: ClassVar[str] = "hardlink"

    def do(self, work: Work) -> dict[str, Any]:  # noqa: ARG002
        """Link it, which never replaces."""
        os.link(self.source, self.target, follow_symlinks=False)
        return {"after": asdict(FileState.of(self.target))}

    def settle(self, work: Work, notes: Mapping[str, Any]) -> dict[str, Any] | None:  # noqa: ARG002
        """Look whether the second name leads to the file."""
        if not _is_linked(self.target, self.source):
            return None
        return {"after": asdict(FileState.of(self.target))}

    def inverse(self, facts: Mapping[str, Any]) -> Step | None:
        """Remove the second name."""
        return self._inverse("hardlink", facts)


@dataclass(frozen=True, slots=True)
class Symlink(_SecondPlace):
    """Make a symbolic link that leads to a file by its absolute path."""

    kind: ClassVar[str] = "symlink"

    def do(self, work: Work) -> dict[str, Any]:  # noqa: ARG002
        """Link it, which never replaces."""
        os.symlink(self.source, self.target)
        return {"after": asdict(FileState.of(self.target))}

    def settle(self, work: Work, notes: Mapping[str, Any]) -> dict[str, Any] | None:  # noqa: ARG002
        """Look whether the link is there."""
        if not _leads_to(self.target, self.source):
            return None
        return {"after": asdict(FileState.of(self.target))}

    def inverse(self, facts: Mapping[str, Any]) -> Step | None:
        """Remove the link."""
        return self._inverse("symlink", facts)


@dataclass(frozen=True, slots=True)
class RemoveCopy(Step):
    """Remove the second place of a file.

    Parameters
    ----------
    path : str
    original : str
        The first place.
    how : {"copy", "hardlink", "symlink"}
        What the second place is.
    before : FileState
        Of the second place.
    digest : str or None
        Of a copy.
    """

    kind: ClassVar[str] = "remove_copy"

    path: str
    original: str
    how: How
    before: FileState
    digest: str | None = None

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Turn plain values back into a step."""
        return cls(**{**record, "before": FileState(**record["before"])})

    def describe(self) -> Description:
        """Tell what is removed."""
        return Description(f"remove {self.how}", self.path, detail=f"of {self.original}")

    def check_original(self) -> None:
        """Refuse if what would be removed may be the last copy.

        Raises
        ------
        StepError
            If the file is not at its first place any more.
        """
        if self.how == "symlink":
            if not _leads_to(self.path, self.original):
                raise StepError(self.path, "is not the link that was made; it is left there")
        elif not os.path.lexists(self.original):
            raise StepError(self.path, "is left there: what it was made of is gone")
        elif _is_one_file(self.path, self.original):
            raise StepError(self.path, "is left there: what it was made of is a link to it now")
        elif self.how == "hardlink" and not _is_linked(self.path, self.original):
            raise StepError(self.path, "is left there: it is no longer the same file as its source")

    def check(self) -> None:
        """Refuse if it was changed, by its content, or may be the last copy."""
        check_unchanged(self.path, self.before)
        self.check_original()
        check_folder(os.path.dirname(self.path))
        if self.digest is None:
            return
        for path in (self.path, self.original):
            if digest_of(path) != self.digest:
                raise StepError(path, "has changed since the copy was made; both are left")

    def do(self, work: Work) -> dict[str, Any]:  # noqa: ARG002
        """Remove it."""
        os.unlink(self.path)
        return {}

    def settle(self, work: Work, notes: Mapping[str, Any]) -> dict[str, Any] | None:  # noqa: ARG002
        """Look whether it is gone."""
        return None if os.path.lexists(self.path) else {}

    def inverse(self, facts: Mapping[str, Any]) -> Step | None:  # noqa: ARG002
        """Give nothing: only undoing removes copies."""
        return None


def _is_linked(path: str, other: str) -> bool:
    """Whether two names are of one file."""
    try:
        return os.path.samestat(os.lstat(path), os.lstat(other))
    except OSError:
        return False


def _is_one_file(path: str, other: str) -> bool:
    """Whether two paths lead to one entry of one folder, by links to the file or to a folder."""
    return os.path.realpath(path) == os.path.realpath(other) or is_same_entry(path, other)


def _leads_to(path: str, target: str) -> bool:
    """Whether a symbolic link leads to a target."""
    try:
        return os.readlink(path) == target
    except (OSError, ValueError):
        return False
