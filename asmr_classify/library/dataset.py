"""The folder of a data set: what earlier runs have written there, and nobody has changed since.

It holds nothing else: one that holds other files is refused. What is there as it is to be is not
written again; so a run that was killed, or that filled the disk, is finished by giving its command
again.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

from asmr_classify.counts import counted
from asmr_classify.errors import StepError, UsageError
from asmr_classify.library.plan import PART_PREFIX, PART_SUFFIX, FileState
from asmr_classify.library.written import CopyClip, WriteClip, WriteText

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from asmr_classify.library.journal import Run
    from asmr_classify.library.plan import Step

    DataStep = WriteClip | CopyClip | WriteText

CLUTTER = re.compile(
    r"\.DS_Store|\._.+|\.directory|desktop\.ini|Thumbs\.db|ehthumbs\.db", re.IGNORECASE
)
"""Files that systems put into folders that somebody looks at: of macOS, KDE and Windows."""

N_NAMED = 3
"""Files of others that are named."""

KINDS = {WriteClip.kind, CopyClip.kind, WriteText.kind}
"""Of steps that write files of a data set."""


def check_folder_of_data(folder: str) -> None:
    """Check that a data set may be in a place.

    Raises
    ------
    UsageError
        If something that is no folder is there.
    """
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise UsageError(f"--to {folder}: is there already, and is no folder; name another one")


def own_files(runs: Iterable[Run]) -> dict[str, Any]:
    """Give the steps that have written files which are as they were written, by path."""
    own: dict[str, Any] = {}
    for run in runs:
        for entry in run.done.values():
            target = entry.record.get("target")
            if entry.record.get("kind") not in KINDS or target is None or entry.facts is None:
                continue
            try:
                unchanged = FileState.of(target).same_content(FileState(**entry.facts["after"]))
            except (StepError, KeyError, TypeError):
                continue
            if unchanged:
                own[target] = entry.record
    return own


def check_no_others(folder: str, own: Collection[str]) -> None:
    """Check that the folder of a data set holds no other files than its own.

    Raises
    ------
    UsageError
        If it does.
    """
    _refuse(folder, [path for path in _iter_files(folder) if path not in own])


def wanting_steps(steps: Sequence[DataStep], folder: str, own: Mapping[str, Any]) -> list[Step]:
    """Leave out what earlier runs have written, and refuse a folder with anything else.

    Raises
    ------
    UsageError
        If the folder holds other files, or such as were changed.
    """
    there = set(_iter_files(folder))
    wanting: list[Step] = []
    for step in steps:
        if step.target in there and own.get(step.target) == _as_kept(step):
            there.discard(step.target)
        else:
            wanting.append(step)
    _refuse(folder, there)
    return wanting


def _refuse(folder: str, there: Collection[str]) -> None:
    if there:
        named = ", ".join(sorted(os.path.relpath(path, folder) for path in there)[:N_NAMED])
        raise UsageError(
            f"--to {folder}: holds {counted(len(there), 'file')} that this command would not make "
            f"so, such as {named}; name a new or empty folder, or undo the run that wrote them"
        )


def _iter_files(folder: str) -> Iterator[str]:
    """Walk through all files but what a kill or the system has left there."""
    for here, _, names in os.walk(folder):
        for name in names:
            is_part = name.startswith(PART_PREFIX) and name.endswith(PART_SUFFIX)
            if not (is_part or CLUTTER.fullmatch(name)):
                yield os.path.join(here, name)


def _as_kept(step: Step) -> Any:
    """Give a step as a journal has it."""
    return json.loads(json.dumps(step.to_record()))
