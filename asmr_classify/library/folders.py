"""Steps that make folders, and take those away again that are left empty."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from asmr_classify.errors import StepError
from asmr_classify.library.places import check_folder
from asmr_classify.library.plan import Description, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asmr_classify.library.plan import Work

STAYS = {errno.ENOTEMPTY, errno.EEXIST}
"""Why a folder is not removed: something is in it."""


@dataclass(frozen=True, slots=True)
class MakeFolder(Step):
    """Make one folder in another that exists."""

    kind: ClassVar[str] = "make_folder"

    path: str

    def describe(self) -> Description:
        """Tell which folder."""
        return Description("make folder", self.path)

    def check(self) -> None:
        """Refuse if something else has its name."""
        if os.path.lexists(self.path) and not Path(self.path).is_dir():
            raise StepError(self.path, "is there already, and is no folder")
        if not os.path.lexists(self.path):
            check_folder(os.path.dirname(self.path))

    def do(self, work: Work) -> dict[str, Any] | None:
        """Make it, unless it is there by now."""
        if Path(self.path).is_dir():
            return None
        work.note(new=True)
        os.mkdir(self.path)
        return {}

    def settle(self, work: Work, notes: Mapping[str, Any]) -> dict[str, Any] | None:  # noqa: ARG002
        """Look whether it is there."""
        return {} if notes.get("new") and Path(self.path).is_dir() else None

    def inverse(self, facts: Mapping[str, Any]) -> Step | None:  # noqa: ARG002
        """Remove it."""
        return RemoveFolder(self.path)


@dataclass(frozen=True, slots=True)
class RemoveFolder(Step):
    """Remove a folder if nothing is in it."""

    kind: ClassVar[str] = "remove_folder"

    path: str

    def describe(self) -> Description:
        """Tell which folder."""
        return Description("remove folder", self.path, detail="if it is empty")

    def check(self) -> None:
        """Refuse nothing: a folder with something in it stays."""

    def do(self, work: Work) -> dict[str, Any]:  # noqa: ARG002
        """Remove it, unless something is in it."""
        try:
            os.rmdir(self.path)
        except FileNotFoundError:  # it is gone already
            return {"removed": True}
        except OSError as exc:
            if exc.errno not in STAYS:
                raise
            return {"removed": False}
        return {"removed": True}

    def settle(self, work: Work, notes: Mapping[str, Any]) -> dict[str, Any] | None:  # noqa: ARG002
        """Look whether it is gone."""
        return None if os.path.lexists(self.path) else {"removed": True}

    def inverse(self, facts: Mapping[str, Any]) -> Step | None:  # noqa: ARG002
        """Give nothing: only undoing removes folders."""
        return None

    def keeps(self, facts: Mapping[str, Any]) -> bool:
        """Tell whether something was in it, so that it stays."""
        return not facts["removed"]


def steps_to_folders(folders: Iterable[str]) -> list[MakeFolder]:
    """Plan to make the folders that do not exist, each after the one that it is in.

    Parameters
    ----------
    folders : iterable of str
        Absolute paths.

    Returns
    -------
    list of MakeFolder
    """
    missing: set[str] = set()
    for folder in folders:
        path = folder
        while path not in missing and not os.path.lexists(path):
            missing.add(path)
            path = os.path.dirname(path)
    return [MakeFolder(path) for path in sorted(missing, key=lambda path: Path(path).parts)]
