"""The one place that turns errors into exit status, message and hint."""

from __future__ import annotations

import functools
import logging
import os
import sys
from enum import IntEnum
from typing import TYPE_CHECKING, ParamSpec

import typer

from asmr_classify.errors import AsmrClassifyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")

logger = logging.getLogger(__name__)


class ExitStatus(IntEnum):
    """What the program's exit tells."""

    OK = 0
    ERROR = 1
    USAGE = 2
    SOME_FAILED = 3
    NOTHING_TO_LABEL = 4
    CHECK_FAILED = 5
    INTERRUPTED = 130


def printable(text: str) -> str:
    """Make a text safe for a terminal: what is not printable is written as an escape.

    Examples
    --------
    >>> printable("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def tell(text: str) -> None:
    """Write a line of talk to stderr."""
    typer.echo(printable(text), err=True)


def reporting_errors(command: Callable[P, ExitStatus]) -> Callable[P, None]:
    """Make a command out of a function that returns an exit status or raises."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        raise typer.Exit(_run(lambda: command(*args, **kwargs)))

    return run


def _run(command: Callable[[], ExitStatus]) -> ExitStatus:
    try:
        return command()
    except UsageError as exc:
        tell(f"error: {exc}")
        return ExitStatus.USAGE
    except AsmrClassifyError as exc:
        logger.debug("cannot run", exc_info=True)
        tell(f"error: {exc}")
        return ExitStatus.ERROR
    except KeyboardInterrupt:
        tell("interrupted; what was finished is saved")
        return ExitStatus.INTERRUPTED
    except BrokenPipeError:
        # The reader went away; without this Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitStatus.ERROR
    except Exception as exc:
        logger.exception("unexpected error")
        tell(
            f"error: {type(exc).__name__}: {exc}\n"
            "hint: this is a fault of the program; run again with --log-file FILE and report it"
        )
        return ExitStatus.ERROR
