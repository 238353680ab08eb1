"""The one place that turns errors into exit status, message and hint."""

from __future__ import annotations

import functools
import logging
import unicodedata
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING, ParamSpec

import typer

from asmr_classify.cli.logs import close_logging
from asmr_classify.cli.startup import last_interrupt, raise_interrupts
from asmr_classify.errors import (
    AsmrClassifyError,
    CorpusError,
    LimitsError,
    ModelFormatError,
    NothingToUndoError,
    NotRepresentableError,
    QueryError,
    TemplateError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

P = ParamSpec("P")

logger = logging.getLogger(__name__)


class ExitStatus(IntEnum):
    """What the program's exit tells."""

    OK = 0
    ERROR = 1
    USAGE = 2
    SOME_FAILED = 3
    NOTHING_TO_DO = 4
    CHECK_FAILED = 5
    INTERRUPTED = 130
    READER_GONE = 141
    """128 and the number of SIGPIPE, which ends other programs whose reader stops early."""


STATUSES: dict[type[AsmrClassifyError], ExitStatus] = {
    UsageError: ExitStatus.USAGE,
    NothingToUndoError: ExitStatus.NOTHING_TO_DO,
    NotRepresentableError: ExitStatus.NOTHING_TO_DO,
}
"""Of errors that tell more than that the program could not run."""

HINTS: dict[type[AsmrClassifyError], str] = {
    LimitsError: "check --show-limits prints the default limits, to be edited",
    ModelFormatError: "without --model, the shipped model is used",
}
"""What may help, by kind of error, where the message does not say it already."""

IN_LINES = (CorpusError, LimitsError, QueryError, TemplateError)
"""Errors that show a place, an example, or one of many rows, in lines of their own."""

NOTHING_HALF = "stopped before the end; nothing is left half written"
"""What holds of an interrupt of any command."""

FAULT_HINT = "this is a fault of the program; run again with -v or --log-file FILE, and report it"

MOST_NAMED = 5
"""Of what is warned of in the same words, so many are named."""

JOINERS = "\u200c\u200d"
"""Without width, but part of many scripts and emoji."""

INVISIBLE = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
"""Unicode categories of what acts on a terminal, turns text around, or shows as nothing."""


def printable(text: str) -> str:
    r"""Make a text safe for a terminal: what is not printable is written as an escape.

    Bytes of a name that are not UTF-8 are written as ``\xNN``.

    Examples
    --------
    >>> print(printable("a\x1b[2Jb"), printable("caf\udce9"), printable("囁き"))
    a\x1b[2Jb caf\xe9 囁き
    """
    return text if text.isprintable() else "".join(map(_printable_char, text))


def _printable_char(char: str) -> str:
    if char.isprintable() or char in JOINERS or unicodedata.category(char) not in INVISIBLE:
        return char
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode()


def tell(text: str, *, lead: str = "", style: str = "", in_lines: bool = False) -> None:
    """Write a line of talk to stderr.

    Parameters
    ----------
    text : str
        Made printable.
    lead : str
        Put before it, in ``style``.
    style : str
        A style of rich.
    in_lines : bool
        Its line breaks are ours, and not those of a name in it.
    """
    from rich.console import Console
    from rich.text import Text

    lines = text.split("\n") if in_lines else [text]
    line = Text(lead, style=style) + Text("\n".join(map(printable, lines)))
    Console(stderr=True).print(line, soft_wrap=True)


def warn(text: str) -> None:
    """Tell of something that deserves a look but does not stop the work."""
    tell(text, lead="warning: ", style="bold yellow")


def warn_each(texts: Sequence[str], more: str) -> None:
    """Warn of the first few, and of how many more there are."""
    n_more = max(0, len(texts) - MOST_NAMED)
    for text in texts if n_more == 1 else texts[:MOST_NAMED]:
        warn(text)
    if n_more > 1:
        warn(f"{n_more} more {more}")


def nothing_to_do(text: str) -> ExitStatus:
    """Tell why there is nothing to work on, and give the exit status that stands for it."""
    tell(text, lead="error: ", style="bold red")
    return ExitStatus.NOTHING_TO_DO


def reporting_errors(command: Callable[P, ExitStatus]) -> Callable[P, None]:
    """Make a command out of a function that returns an exit status or raises."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            status = _run(lambda: command(*args, **kwargs))
        except KeyboardInterrupt:  # one more, before it was told what the first one left
            status = ExitStatus.INTERRUPTED
        finally:
            with last_interrupt():
                close_logging()
        raise typer.Exit(status)

    return run


@contextmanager
def broken_pipes_told() -> Iterator[None]:
    """Let rich and Click, which end the program themselves when nobody reads on, end it as we do.

    Both would say that it failed.
    """
    try:
        yield
    except SystemExit as exc:
        if isinstance(exc.__context__, BrokenPipeError):
            raise SystemExit(ExitStatus.READER_GONE) from None
        raise


def _run(command: Callable[[], ExitStatus]) -> ExitStatus:
    try:
        raise_interrupts()
        return command()
    except AsmrClassifyError as exc:
        return report_error(exc)
    except KeyboardInterrupt as exc:
        with last_interrupt():
            tell(str(exc) or NOTHING_HALF, lead="interrupted: ", style="bold yellow")
        return ExitStatus.INTERRUPTED
    except BrokenPipeError:
        return ExitStatus.READER_GONE
    except Exception as exc:
        logger.exception("unexpected error")
        tell(f"{type(exc).__name__}: {exc}", lead="error: ", style="bold red")
        tell(FAULT_HINT, lead="hint: ", style="bold")
        return ExitStatus.ERROR


def report_error(exc: AsmrClassifyError) -> ExitStatus:
    """Tell what is wrong, and give the exit status that stands for it."""
    logger.debug("cannot run", exc_info=exc)
    tell(str(exc), lead="error: ", style="bold red", in_lines=isinstance(exc, IN_LINES))
    hint = HINTS.get(type(exc))
    if hint is not None:
        tell(hint, lead="hint: ", style="bold")
    known = (status for kind, status in STATUSES.items() if isinstance(exc, kind))
    return next(known, ExitStatus.ERROR)
