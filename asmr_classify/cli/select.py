"""What a command is to work on: recordings that are named become results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asmr_classify.cli.interrupts import interrupts_deferred
from asmr_classify.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from asmr_classify.aggregate import FileResult


def select_results(
    arguments: Sequence[str], console: Console, *, quiet: bool = False
) -> list[FileResult]:
    """Label the recordings that are named.

    Parameters
    ----------
    arguments : sequence of str
        Files, and folders that are searched with all below them.
    console : rich.console.Console
        On stderr.
    quiet : bool
        Show no progress.

    Returns
    -------
    list of FileResult
        By path.

    Raises
    ------
    UsageError
        If nothing is named.
    KeyboardInterrupt
        If the user asked to stop.
    """
    from asmr_classify.batch import label_paths
    from asmr_classify.cli.progress import Progress

    if not arguments:
        raise UsageError("nothing is named: give files or folders")
    progress = Progress(console, quiet=quiet)
    with progress, interrupts_deferred(progress.on_stopping) as stop:
        results = sorted(
            label_paths(arguments, stop=stop, observer=progress), key=lambda result: result.path
        )
    if stop.is_set():
        raise KeyboardInterrupt
    return results
