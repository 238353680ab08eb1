"""Where the package's log goes: stderr with ``--verbose``, a file with ``--log-file``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from asmr_classify.errors import OutputError

if TYPE_CHECKING:
    from rich.console import Console

ROOTS = ("asmr_classify", "py.warnings")
"""Loggers that are listened to: our own, and the one that Python's warnings go to."""

FILE_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

SHOWN = "is_shown"
"""Attribute of a record that the console shows already; it is for the file alone."""


class ConsoleHandler(logging.Handler):
    """Writes records above whatever a console is showing.

    Parameters
    ----------
    console : rich.console.Console
    level : int
    """

    def __init__(self, console: Console, level: int) -> None:
        super().__init__(level)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        if getattr(record, SHOWN, False):
            return
        self._console.print(
            self.format(record), style="dim", markup=False, highlight=False, soft_wrap=True
        )


def set_up_logging(console: Console, *, verbose: bool, log_file: str | None) -> None:
    """Send the log to a console, and to a file.

    Parameters
    ----------
    console : rich.console.Console
        On stderr. Gets what was done with each file if ``verbose``, else nothing.
    verbose : bool
    log_file : str or None
        Gets all, appended.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    close_logging()
    # A handler that never speaks keeps Python from writing warnings to stderr by itself.
    level = logging.INFO if verbose else logging.CRITICAL + 1
    handlers: list[logging.Handler] = [ConsoleHandler(console, level)]
    if log_file is not None:
        handlers.append(_open_file(log_file))
    logging.captureWarnings(capture=True)
    for name in ROOTS:
        root = logging.getLogger(name)
        root.propagate = False
        root.setLevel(level if log_file is None else logging.DEBUG)
        for handler in handlers:
            root.addHandler(handler)


def _open_file(log_file: str) -> logging.Handler:
    from asmr_classify.writers.output import explain

    try:
        handler = logging.FileHandler(log_file, encoding="utf-8", errors="backslashreplace")
    except OSError as exc:
        raise OutputError(explain(log_file, exc)) from exc
    handler.setFormatter(logging.Formatter(FILE_FORMAT))
    return handler


def close_logging() -> None:
    """Undo :func:`set_up_logging`."""
    logging.captureWarnings(capture=False)
    for name in ROOTS:
        root = logging.getLogger(name)
        root.propagate = True
        root.setLevel(logging.NOTSET)
        for handler in list(root.handlers):
            root.removeHandler(handler)
            handler.close()
