"""``label --output`` with a slash behind: a table in parts, in a folder or in storage."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from asmr_classify.cli.errors import tell
from asmr_classify.cli.formats import STDOUT, FormatName
from asmr_classify.counts import counted
from asmr_classify.errors import UsageError
from asmr_classify.media.source import as_source, is_url

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from asmr_classify.aggregate import FileResult
    from asmr_classify.batch import Table
    from asmr_classify.batch.table import Finished
    from asmr_classify.cli.progress import Tally
    from asmr_classify.model import Model
    from asmr_classify.visual.seen import Effort

ENDS = tuple({"/", os.sep})
"""What the name of a folder ends in."""


class NoWriter:
    """Writes nothing: a table is written part by part, by whoever labels."""

    def write(self, result: FileResult) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def is_table(output: str) -> bool:
    """Tell whether an output is a table in parts, and not a file.

    Examples
    --------
    >>> is_table("s3://bucket/out/"), is_table("out/"), is_table("out.parquet")
    (True, True, False)
    """
    return output != STDOUT and output.endswith(ENDS)


def check_table(output: str, form: FormatName | None, *, catalogue: bool) -> None:
    """Check what is asked for of an output that is a folder or an address.

    Parameters
    ----------
    output : str
    form : FormatName or None
    catalogue : bool
        Whether results are to be kept in one too.

    Raises
    ------
    UsageError
        If it cannot be had.
    """
    if not is_table(output):
        if is_url(output):
            raise UsageError(
                f"--output {as_source(output)}: storage takes tables in parts; put a / behind it "
                "and give --format parquet, or write a file here and copy it there"
            )
        if form is FormatName.PARQUET and Path(output).is_dir():
            raise UsageError(
                f"--output {output}: is a folder; put a / behind it for a table in parts, or name "
                "a file in it"
            )
        return
    shown = as_source(output)
    if form is not FormatName.PARQUET:
        raise UsageError(
            f"--output {shown}: what ends in / becomes a table in parts; give --format parquet, "
            "or name a file"
        )
    if catalogue:
        raise UsageError(
            f"--output {shown}: whoever labels writes the parts, and knows of no catalogue; leave "
            "--catalogue out, or name a file"
        )


def open_table(
    output: str, model: Model, *, video: Effort | None, fresh: bool
) -> AbstractContextManager[Table | None]:
    """Open the table that an output is, or none.

    Raises
    ------
    UsageError
        If it was made with other settings, or nothing can be written there at all.
    OutputError
        If it cannot be read or written.
    """
    if not is_table(output):
        return nullcontext()
    from asmr_classify.batch import Table

    return Table.open(output, model, video=video, fresh=fresh)


def finish_table(table: Table, tally: Tally, *, quiet: bool) -> Finished | None:
    """Bring a table to its end after a whole run, and tell what it holds.

    Returns
    -------
    Finished or None
        None where a run went on and could not list all: what it did not see nobody else has seen
        either, so the next goes on there once more.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    from asmr_classify.media.found import Reason

    name = table.sink.folder.name
    if table.goes_on and tally.ignored[Reason.UNREADABLE]:
        tell(
            f"{name}: is not whole, as a folder could not be listed; run again to go on from "
            "there, or leave that folder out by --exclude",
            lead="error: ",
            style="bold red",
        )
        return None
    done = table.finish()
    if quiet:
        return done
    for part in sorted(table.strange):
        text = f"{name}{part}: is left out, as it holds results of other settings; move it away"
        tell(text, lead="note: ", style="bold")
    held = f"{counted(done.n_rows, 'row')} in {counted(done.n_parts, 'part')}"
    text = f"{name}: {held}" if done.is_changed else f"{name}: nothing new; it is whole, {held}"
    n_gone = done.n_rows - tally.statuses.total()
    if table.goes_on:
        text += f"; {n_gone} of what was not listed again, as it was done when a run was stopped"
    elif n_gone > 0:
        text += f"; {n_gone} of recordings that were not found this time (--fresh leaves them out)"
    tell(text)
    return done
