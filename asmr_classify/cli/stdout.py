"""Standard output: what fails there is told as of any other output, and only once.

Tables, plain lines and helps are written by libraries, to ``sys.stdout``. A full disk would give a
bare ``OSError`` there, which names no file; and Python, which flushes at its exit what could not be
written, would complain again.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from asmr_classify.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator


class StandardOutput(io.TextIOWrapper):
    """Text on standard output, whose failures name it.

    Raises
    ------
    OutputError
        If something cannot be written.
    BrokenPipeError
        If nobody reads any more.
    """

    def write(self, text: str, /) -> int:
        """Write a text."""
        with _failures_named():
            return super().write(text)

    def flush(self) -> None:
        """Write what is still kept."""
        with _failures_named():
            super().flush()


@contextmanager
def failures_named() -> Iterator[None]:
    """Let failures of standard output be ours, and keep what could not be written from the exit."""
    if type(sys.stdout) is io.TextIOWrapper:
        sys.stdout = _named(sys.stdout)
    try:
        yield
    finally:
        _discard_unwritten()


def _named(stream: io.TextIOWrapper) -> StandardOutput:
    encoding, errors, lines = stream.encoding, stream.errors, stream.line_buffering
    direct = stream.write_through
    return StandardOutput(
        stream.detach(), encoding, errors, line_buffering=lines, write_through=direct
    )


@contextmanager
def _failures_named() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as exc:
        from asmr_classify.writers.output import explain

        raise OutputError(explain("standard output", exc)) from exc


def _discard_unwritten() -> None:
    """Send nowhere what cannot be written, which was told already."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, OutputError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
