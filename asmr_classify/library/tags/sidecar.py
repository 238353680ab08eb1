"""Sidecars: what a recording holds, in a file beside it, for kinds that carry no tags.

``rain.avi`` gets ``rain.avi.asmr.json``, whose only line is that of ``label --format jsonl``, with
the bare name of the recording as its path.
"""

from __future__ import annotations

import errno
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from asmr_classify.errors import StepError
from asmr_classify.library.names import LIMIT_BYTES
from asmr_classify.library.places import check_folder, remove_if_there, sync_folder
from asmr_classify.library.plan import Description, Step
from asmr_classify.writers.jsonl import record_to_result, result_to_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asmr_classify.aggregate import FileResult
    from asmr_classify.library.plan import Work

SUFFIX = ".asmr.json"

MAX_BYTES = 1 << 24
"""A file larger than this is no sidecar of ours."""


def sidecar_path(path: str) -> str:
    """Name the sidecar of a recording."""
    return path + SUFFIX


def check_sidecar_name(path: str) -> None:
    """Check that a name has room for what a sidecar adds.

    Raises
    ------
    StepError
        If it has not.
    """
    n_bytes = len(os.fsencode(os.path.basename(sidecar_path(path))))
    if n_bytes > LIMIT_BYTES:
        raise StepError(
            path,
            f"the name of its sidecar would be longer than {LIMIT_BYTES} bytes: give it a name "
            f"that is {n_bytes - LIMIT_BYTES} bytes shorter",
        )


def sidecar_text(result: FileResult) -> str:
    """Write what a sidecar holds."""
    return result_to_line(replace(result, path=os.path.basename(result.path))) + "\n"


def read_sidecar(path: str) -> str | None:
    """Read the sidecar of a recording as text.

    Parameters
    ----------
    path : str
        Of the recording.

    Returns
    -------
    str or None
        None if there is none.

    Raises
    ------
    StepError
        If a file has that name which we did not write.
    """
    text = _read(sidecar_path(path))
    if text is not None and parse_sidecar(text) is None:
        raise StepError(sidecar_path(path), "is not ours: move it away, or give it another name")
    return text


def parse_sidecar(text: str) -> FileResult | None:
    """Read what a sidecar tells; None if it is not one."""
    try:
        return record_to_result(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _read(place: str) -> str | None:
    try:
        with Path(place).open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    except OSError as exc:
        if exc.errno == errno.ENAMETOOLONG:  # then there is none, and tags may go into the file
            return None
        raise StepError(place, f"cannot be read: {exc.strerror}") from exc


@dataclass(frozen=True, slots=True)
class WriteSidecar(Step):
    """Write, replace or remove a sidecar.

    Parameters
    ----------
    path : str
        Of the recording.
    old, new : str or None
        What the sidecar holds, and what it will hold; None for no sidecar.
    reason : str
        Why the tags are not written into the recording itself.
    """

    kind: ClassVar[str] = "write_sidecar"

    path: str
    old: str | None
    new: str | None
    reason: str = ""

    def describe(self) -> Description:
        """Tell what becomes of the sidecar."""
        place = sidecar_path(self.path)
        if self.new is None:
            return Description("remove sidecar", self.path, place)
        return Description("write sidecar", self.path, place, detail=self._detail())

    def _detail(self) -> str:
        result = parse_sidecar(self.new or "")
        tags = ", ".join(result.tags) if result is not None else ""
        return f"{tags or 'no trigger'}{f' ({self.reason})' if self.reason else ''}"

    def check(self) -> None:
        """Refuse if the sidecar is not as it was, or its folder may not be written."""
        if _read(sidecar_path(self.path)) != self.old:
            raise StepError(sidecar_path(self.path), "has changed since it was planned")
        if not Path(self.path).exists() and self.new is not None:
            raise StepError(self.path, "is not there any more")
        check_folder(os.path.dirname(self.path))

    def do(self, work: Work) -> dict[str, Any]:
        """Write it beside, and rename it; or remove it."""
        place = sidecar_path(self.path)
        if self.new is None:
            os.unlink(place)
        else:
            part = work.part_beside(place)
            with Path(part).open("wb") as file:
                file.write(self.new.encode())
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, place)
        sync_folder(str(Path(place).parent))
        return {}

    def settle(self, work: Work, notes: Mapping[str, Any]) -> dict[str, Any] | None:  # noqa: ARG002
        """Look what the sidecar holds."""
        remove_if_there(work.part_beside(sidecar_path(self.path)))
        return {} if _read(sidecar_path(self.path)) == self.new else None

    def inverse(self, facts: Mapping[str, Any]) -> Step | None:  # noqa: ARG002
        """Give the sidecar its former content, or remove it."""
        if _read(sidecar_path(self.path)) != self.new:
            raise StepError(sidecar_path(self.path), "has changed since it was written")
        return WriteSidecar(self.path, self.new, self.old)
