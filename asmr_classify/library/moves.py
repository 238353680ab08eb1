"""The step that moves a file, on one disk or to another.

On one disk it is a rename (:func:`~asmr_classify.library.places.rename_exclusive`). To another disk
the file is copied to a temporary name in the target's folder, has to be on the disk and to read
back as it was, gets its name by a rename that does not replace, and only then is the source
deleted. A kill leaves the source, and perhaps the temporary file or the finished copy, which the
notes of the step tell from anything else; settling removes these. So the source is deleted by a
step that runs, never by one that is settled.
"""

from __future__ import annotations

import errno
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from asmr_classify.errors import StepError
from asmr_classify.library.places import (
    check_folder,
    copy_verified,
    is_same_entry,
    remove_if_there,
    rename_exclusive,
    sync_folder,
)
from asmr_classify.library.plan import Description, FileState, Step, check_unchanged
from asmr_classify.writers.output import keep_access

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asmr_classify.library.plan import Work


def check_free(source: str, target: str) -> None:
    """Check that a name is free, or is another spelling of the source's.

    Raises
    ------
    StepError
        If it is taken.
    """
    if os.path.lexists(target) and not is_same_entry(source, target):
        raise StepError(target, "is there already, and nothing is overwritten")


@dataclass(frozen=True, slots=True)
class Move(Step):
    """Move a file.

    Parameters
    ----------
    source, target : str
    before : FileState
        Of the source.
    """

    kind: ClassVar[str] = "move"

    source: str
    target: str
    before: FileState

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Turn plain values back into a step."""
        return cls(record["source"], record["target"], FileState(**record["before"]))

    def describe(self) -> Description:
        """Tell what goes where."""
        return Description("move", self.source, self.target)

    def moved(self) -> tuple[str, FileState, str]:
        """Tell the old path, what was there, and the new path."""
        return self.source, self.before, self.target

    def check(self) -> None:
        """Refuse if the file was changed, the target is taken, or a folder may not be written."""
        check_unchanged(self.source, self.before)
        check_free(self.source, self.target)
        for path in (self.source, self.target):
            check_folder(os.path.dirname(path))

    def do(self, work: Work) -> dict[str, Any]:
        """Rename the file, or copy, verify and delete it."""
        try:
            if is_same_entry(self.source, self.target):
                os.rename(self.source, self.target)
            else:
                rename_exclusive(self.source, self.target, note=work.note)
        except OSError as exc:
            if exc.errno != errno.EXDEV:
                raise
            self._move_across(work)
        return self._facts()

    def _move_across(self, work: Work) -> None:
        part = work.part_beside(self.target)
        copy_verified(self.source, part, work.on_bytes)
        keep_access(self.source, part)
        check_unchanged(self.source, self.before)
        work.note(copied=asdict(FileState.of(part)))
        rename_exclusive(part, self.target, note=work.note)
        sync_folder(os.path.dirname(self.target))
        try:
            check_unchanged(self.source, self.before)  # once more, as the disk was waited for
        except StepError:
            if os.path.lexists(self.source):  # else the copy is all there is
                os.unlink(self.target)
            raise
        os.unlink(self.source)

    def _facts(self) -> dict[str, Any]:
        return {"after": asdict(FileState.of(self.target))}

    def settle(self, work: Work, notes: Mapping[str, Any]) -> dict[str, Any] | None:
        """Find where the file is; of two, the new one is removed if it is ours."""
        remove_if_there(work.part_beside(self.target))
        if not os.path.lexists(self.source):
            return self._facts()
        if is_same_entry(self.source, self.target):
            spelt = os.path.basename(self.target) in os.listdir(os.path.dirname(self.target))
            return self._facts() if spelt else None
        if os.path.lexists(self.target) and self._is_ours(notes):
            check_unchanged(self.source, self.before)
            os.unlink(self.target)
        return None

    def _is_ours(self, notes: Mapping[str, Any]) -> bool:
        """Whether the target is what this step made, while the source is there too."""
        target = FileState.of(self.target)
        if notes.get("placeholder") and target.size == 0:
            return True
        linked = os.path.samestat(os.lstat(self.source), os.lstat(self.target))
        return linked or notes.get("copied") == asdict(target)

    def inverse(self, facts: Mapping[str, Any]) -> Step | None:
        """Move it back."""
        after = FileState(**facts["after"])
        if not os.path.lexists(self.target) and os.path.lexists(self.source):
            # The mark of the step reached the disk before a power cut, the rename did not.
            return None
        now = FileState.of(self.target)
        if not now.same_content(after):
            raise StepError(self.target, "has changed since it was moved; it is left there")
        check_free(self.target, self.source)
        return Move(self.target, self.source, now)


def needs_copying(source: str, target_folder: str) -> bool:
    """Tell whether a folder, which need not exist yet, is on another disk than a file."""
    folder = Path(target_folder)
    while not folder.exists():
        folder = folder.parent
    return os.lstat(source).st_dev != folder.stat().st_dev
