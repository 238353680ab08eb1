"""The steps of a plan that write tags into a file, and that take them back.

Both build the whole file anew beside the old one, look at what they built, and rename it over the
old one, which the system does or does not: the file is at any moment wholly as before or wholly as
after. Before the rename the journal is told the :class:`~asmr_classify.library.tags.patch.Patch`
that makes the old file from the new one, so that undoing gives back the very bytes.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from asmr_classify.errors import MediaError, StepError
from asmr_classify.library.places import (
    check_folder,
    copy_verified,
    is_being_written,
    open_private,
    remove_if_there,
    sync_folder,
)
from asmr_classify.library.plan import Description, FileState, Step, check_unchanged
from asmr_classify.library.tags.carriers import find_carrier
from asmr_classify.library.tags.fields import describe_change
from asmr_classify.library.tags.patch import Patch, apply_patch, make_patch
from asmr_classify.library.tags.state import TagState
from asmr_classify.writers.output import keep_access

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asmr_classify.library.plan import Work

OF_ANOTHER = (
    "it belongs to another user, and written anew it would be yours: let its owner or root do it"
)


@dataclass(frozen=True, slots=True)
class WriteTags(Step):
    """Change the tags of a file.

    Parameters
    ----------
    path : str
        Of the file itself, not of a link to it.
    before : FileState
    old, new : TagState
        The tags as they are, and as they will be.
    keep_mtime : bool
        Leave the time of the last change as it is.
    """

    kind: ClassVar[str] = "write_tags"

    path: str
    before: FileState
    old: TagState
    new: TagState
    keep_mtime: bool = False

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Turn plain values back into a step."""
        states = {name: TagState.from_record(record[name]) for name in ("old", "new")}
        return cls(**{**record, "before": FileState(**record["before"]), **states})

    def moved(self) -> tuple[str, FileState, str]:
        """Tell that the file changes where it is."""
        return self.path, self.before, self.path

    def describe(self) -> Description:
        """Tell what the tags become."""
        return Description("tag", self.path, detail=describe_change(self.old, self.new))

    def check(self) -> None:
        """Refuse if the file has changed, or may not be written."""
        check_unchanged(self.path, self.before)
        _check_writable(self.path)

    def do(self, work: Work) -> dict[str, Any]:
        """Write the tags into a copy, compare it with the file, and put it in its place."""
        part = work.part_beside(self.path)
        copy_verified(self.path, part, work.on_bytes)
        try:
            find_carrier(part).write(part, self.old, self.new)
            _compare(self.path, part, self.new)
        except MediaError as exc:
            raise StepError(self.path, f"{exc.message}; --sidecar leaves it alone") from exc
        patch = make_patch(self.path, part).to_record()
        mtime_ns = self.before.mtime_ns if self.keep_mtime else None
        return _replace(part, self.path, self.before, work, mtime_ns=mtime_ns, patch=patch)

    def settle(self, work: Work, notes: Mapping[str, Any]) -> dict[str, Any] | None:
        """Look whether the file has the new tags."""
        remove_if_there(work.part_beside(self.path))
        return dict(notes) if _is_replaced(self.path, self.before, notes) else None

    def inverse(self, facts: Mapping[str, Any]) -> Step | None:
        """Restore the very bytes."""
        now = FileState.of(self.path)
        if not now.same_content(FileState(**facts["after"])):
            raise StepError(self.path, "has changed since it was tagged; it is left as it is")
        check_anew(self.path)
        return RestoreFile(self.path, now, facts["patch"], self.before.mtime_ns, self.new, self.old)


@dataclass(frozen=True, slots=True)
class RestoreFile(Step):
    """Make a file again what it was before its tags were changed, byte for byte.

    Parameters
    ----------
    path : str
    before : FileState
    patch : dict
        As :meth:`~asmr_classify.library.tags.patch.Patch.to_record` gives it.
    mtime_ns : int
        When the file was last changed, before it was tagged.
    old, new : TagState
        The tags as they are, and as they were and will be again.
    """

    kind: ClassVar[str] = "restore_file"

    path: str
    before: FileState
    patch: dict[str, Any]
    mtime_ns: int
    old: TagState
    new: TagState

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Turn plain values back into a step."""
        states = {name: TagState.from_record(record[name]) for name in ("old", "new")}
        return cls(**{**record, "before": FileState(**record["before"]), **states})

    def moved(self) -> tuple[str, FileState, str]:
        """Tell that the file changes where it is."""
        return self.path, self.before, self.path

    def describe(self) -> Description:
        """Tell what the tags become again."""
        return Description("restore tags", self.path, detail=describe_change(self.old, self.new))

    def check(self) -> None:
        """Refuse if the file has changed, or may not be written."""
        check_unchanged(self.path, self.before, since="it was tagged")
        _check_writable(self.path)

    def do(self, work: Work) -> dict[str, Any]:
        """Build the former file beside this one, check it, and put it in its place."""
        part = work.part_beside(self.path)
        open_private(part).close()
        if not apply_patch(Patch.from_record(self.patch), self.path, part, on_bytes=work.on_bytes):
            raise StepError(self.path, "has changed since it was tagged; it is left as it is")
        _copy_attributes(self.path, part)
        return _replace(part, self.path, self.before, work, mtime_ns=self.mtime_ns)

    def settle(self, work: Work, notes: Mapping[str, Any]) -> dict[str, Any] | None:
        """Look whether the file is as it was."""
        remove_if_there(work.part_beside(self.path))
        return dict(notes) if _is_replaced(self.path, self.before, notes) else None

    def inverse(self, facts: Mapping[str, Any]) -> Step | None:
        """Write the tags again."""
        return WriteTags(self.path, FileState(**facts["after"]), self.new, self.old)


def _check_writable(path: str) -> None:
    """Refuse a read-only file, one of several names and one of others: a rename replaces it."""
    check_folder(os.path.dirname(path))
    if not os.access(path, os.W_OK):
        raise StepError(path, "may not be written: change its permissions, or use --sidecar")
    check_anew(path)


def check_anew(path: str) -> None:
    """Check that writing a file anew parts no hard links, and takes it from nobody.

    Raises
    ------
    StepError
        If it does.
    """
    if reason := why_not_anew(path):
        raise StepError(path, f"is left as it is: {reason}")


def why_not_anew(path: str) -> str:
    """Say why a file may not be written anew; empty if it may be."""
    n_names = os.stat(path).st_nlink
    if n_names > 1:
        return f"it has {n_names} names on the disk, which writing to it would part"
    return "" if _may_stay_owned(path) else OF_ANOTHER


def _may_stay_owned(path: str) -> bool:
    """Whether a file that is written anew can get the owner of this one.

    A file without a name, which changes nothing in its folder, is given to that owner. Where there
    are none (macOS, disks of networks, FAT, of which some know no owners), only the new file itself
    will tell, see :func:`keep_owner`.
    """
    owner = os.stat(path).st_uid
    if not hasattr(os, "O_TMPFILE") or owner == os.geteuid():
        return True
    try:
        folder = os.path.dirname(os.path.realpath(path))
        unnamed = os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600)
    except OSError:
        return True
    try:
        with suppress(OSError):
            os.fchown(unnamed, owner, -1)
        return os.fstat(unnamed).st_uid == owner
    finally:
        os.close(unnamed)


def keep_owner(path: str, part: str) -> None:
    """Give a file that takes the place of another its owner, group and permissions.

    Raises
    ------
    StepError
        If it would belong to somebody else.
    """
    keep_access(path, part)
    if os.stat(part).st_uid != os.stat(path).st_uid:
        raise StepError(path, f"is left as it is: {OF_ANOTHER}")


def _compare(path: str, part: str, wanted: TagState) -> None:
    """Check that the new file has the tags that it should have, and the old one's streams.

    Raises
    ------
    StepError
        If it has not.
    """
    from asmr_classify.library.tags.streams import digest_streams

    found = find_carrier(part).read(part)
    if not found.says_the_same(wanted):
        raise StepError(path, "its tags would not read back as written; --sidecar leaves it alone")
    if digest_streams(part) != digest_streams(path):
        raise StepError(path, "more than its tags would change; --sidecar leaves it alone")


def _copy_attributes(path: str, part: str) -> None:
    import shutil

    shutil.copystat(path, part)


def _replace(
    part: str,
    path: str,
    before: FileState,
    work: Work,
    *,
    mtime_ns: int | None,
    **facts: Any,
) -> dict[str, Any]:
    """Put a finished file in the place of another, and give the facts of it."""
    _finish(part, path, mtime_ns)
    facts["after"] = asdict(FileState.of(part))
    work.note(**facts)
    # Last, as the note waits for the disk.
    if is_being_written(path, part):
        raise StepError(path, "is open in a program that may write to it: close it there, or wait")
    check_unchanged(path, before)
    os.replace(part, path)
    sync_folder(str(Path(path).parent))
    return facts


def _finish(part: str, path: str, mtime_ns: int | None) -> None:
    """Give a new file the owner and the time that it should have, and have it on the disk."""
    keep_owner(path, part)
    with Path(part).open("r+b") as file:
        os.fsync(file.fileno())
    times = None if mtime_ns is None else (Path(path).stat().st_atime_ns, mtime_ns)
    os.utime(part, ns=times) if times else os.utime(part)


def _is_replaced(path: str, before: FileState, notes: Mapping[str, Any]) -> bool:
    """Whether a file is the one that was built, by what the journal was told of it."""
    if "after" not in notes:
        return False
    now, after = FileState.of(path), FileState(**notes["after"])
    # Padding may take the tags, and the time may be kept: then only the inode tells them apart.
    same = after.same_content(before)
    return now == after if same else now.same_content(after)
