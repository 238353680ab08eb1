"""Results that ``label`` wrote into a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from asmr_classify.errors import UsageError
from asmr_classify.writers import FORMATS
from asmr_classify.writers.jsonl import result_to_line

if TYPE_CHECKING:
    from asmr_classify.aggregate import FileResult
    from asmr_classify.writers import Format

READABLE = ("jsonl", "csv")
"""Formats that hold what a report shows, and are text; of a csv file, there is no timeline."""


def is_results_file(source: str) -> bool:
    """Tell whether an argument names a file of results, not a recording.

    Examples
    --------
    >>> is_results_file("library/whispers.ogg")
    False
    """
    return _format_of(source) is not None and Path(source).is_file()


def _format_of(source: str) -> Format | None:
    suffix = Path(source).suffix.lower()
    formats = (FORMATS[name] for name in READABLE)
    return next((form for form in formats if suffix in form.suffixes), None)


def read_results(source: str) -> list[FileResult]:
    """Read a file of results.

    Parameters
    ----------
    source : str
        Named by its ending, as ``label --output`` writes it.

    Returns
    -------
    list of FileResult
        In the order of the file; of several results for one path, the last.

    Raises
    ------
    UsageError
        If it cannot be read, or holds something else.
    """
    form = _format_of(source)
    if form is None:
        raise UsageError(f"{source}: not a file of results; name a .jsonl or .csv file of label")
    results: dict[str, FileResult] = {}
    count = 0
    try:
        with Path(source).open(encoding="utf-8-sig", newline="") as lines:
            for result in form.read(lines):
                _check(result)
                results[result.path] = result
                count += 1
    except OSError as exc:
        raise UsageError(f"{source}: cannot be read: {exc.strerror}") from exc
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as exc:
        raise UsageError(
            f"{source}: holds no result of label after the first {count} ({_reason(exc)}); "
            "give a .jsonl or .csv file that label wrote"
        ) from exc
    return list(results.values())


def _reason(exc: Exception) -> str:
    if isinstance(exc, UnicodeDecodeError):
        return "not UTF-8 text"
    if isinstance(exc, KeyError):
        return f"without {exc.args[0]!r}"
    return str(exc) if isinstance(exc, ValueError) else repr(exc)


def _check(result: FileResult) -> None:
    """Fail on values that no result has."""
    result_to_line(result)
    texts = [result.path, result.model, *result.tags, *result.scores, *result.shares]
    texts += [segment.label for segment in result.segments]
    if result.error is not None:
        texts += [result.error.kind, result.error.message]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a name that is no text")
