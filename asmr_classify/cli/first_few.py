"""Lines of one kind on stderr: the first few are shown, the rest is counted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from asmr_classify.cli.errors import printable
from asmr_classify.cli.logs import SHOWN

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger(__name__)

N_SHOWN = 3
"""Enough to see what it is about."""


class FirstFew:
    """Shows the first lines, gives all to the log, and in the end tells how many were not shown.

    Parameters
    ----------
    console : rich.console.Console or None
        On stderr; None shows nothing.
    lead : str
        Put before each line.
    """

    def __init__(self, console: Console | None, lead: str) -> None:
        self._console = console
        self._lead = lead
        self._n_lines = 0

    def __call__(self, text: str) -> None:
        """Take one line."""
        self._n_lines += 1
        line = f"{self._lead}: {printable(text)}"
        is_shown = self._n_lines <= N_SHOWN and self._show(line)
        logger.info("%s", line, extra={SHOWN: is_shown})

    def close(self) -> None:
        """Tell how many were not shown."""
        n_more = self._n_lines - N_SHOWN
        if n_more > 0:
            are_named = logger.isEnabledFor(logging.INFO)  # on the terminal, or in the log
            what = "" if are_named else f"{n_more} more, "
            hint = "" if are_named else "; -v names each"
            self._show(f"{self._lead}: {what}{self._n_lines} in all{hint}")

    def _show(self, line: str) -> bool:
        if self._console is None:
            return False
        self._console.print(line, style="yellow", highlight=False, markup=False, soft_wrap=True)
        return True
