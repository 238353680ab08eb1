"""Ranges in queries: of scores and shares, other numbers, durations, and dates.

``A..B`` holds both ends, and either may be left out; ``>A``, ``>=A``, ``<A``, ``<=A`` say the same
otherwise. A date without day or month stands for all of that month or year, in local time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from asmr_classify.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

DURATION = re.compile(
    r"(?=.)(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m)?(?:(?P<s>\d+(?:\.\d+)?)s?)?",
    re.ASCII,
)
NUMBER = re.compile(r"\d*\.?\d+|\d+\.", re.ASCII)
DATE = re.compile(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds, each None where there is none.

    Parameters
    ----------
    low, high : float or None
        Bounds that belong to the range.
    above, below : float or None
        Bounds that do not.
    """

    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None

    def holds(self, value: float | None) -> bool:
        """Tell whether a value lies in the range; no value does not."""
        return value is not None and (
            (self.low is None or value >= self.low)
            and (self.above is None or value > self.above)
            and (self.high is None or value <= self.high)
            and (self.below is None or value < self.below)
        )


def read_range(operator: str, text: str, parse: Callable[[str], Range]) -> Range:
    """Read what stands after a name.

    Parameters
    ----------
    operator : str
        ``:``, ``>``, ``>=``, ``<`` or ``<=``.
    text : str
    parse : callable
        Turns one bound into the range that it stands for.

    Returns
    -------
    Range

    Raises
    ------
    UsageError
        If it is none, or holds nothing.

    Examples
    --------
    >>> read_range(":", "20m..1h", parse_duration)
    Range(low=1200.0, high=3600.0, above=None, below=None)
    """
    if operator != ":":
        return _beside(operator, parse(text))
    low, dots, high = text.partition("..")
    if not dots:
        only = parse(text)
        if only.low == only.high:
            raise UsageError(f"{text!r} is one value; write a range, {text}.. or ..{text}")
        return only
    if not low and not high:
        raise UsageError("'..' has no bound; write A.., ..B or A..B")
    try:
        first = parse(low) if low else Range()
        last = parse(high) if high else Range()
    except UsageError as exc:
        if ".." in high or high.startswith("."):
            raise UsageError(f"{text!r} is no range; write A.., ..B or A..B") from exc
        raise
    if first.low is not None and not (first.low < _end(last) or last.high == first.low):
        raise UsageError(f"{text!r} holds nothing: its ends are the wrong way round")
    return Range(first.low, last.high, below=last.below)


def _end(last: Range) -> float:
    bounds = [bound for bound in (last.high, last.below) if bound is not None]
    return bounds[0] if bounds else float("inf")


def _beside(operator: str, value: Range) -> Range:
    """Turn a comparison with a value, which may be a span of time, into a range."""
    if operator == ">=":
        return Range(low=value.low)
    if operator == "<":
        return Range(below=value.low)
    if operator == "<=":
        return Range(high=value.high, below=value.below)
    return Range(above=value.high, low=value.below)


def parse_share(text: str) -> Range:
    """Read a score or a share.

    Raises
    ------
    UsageError
        If it is no number between 0 and 1.
    """
    if not NUMBER.fullmatch(text) or float(text) > 1:
        raise UsageError(f"{text!r} is no number between 0 and 1")
    return Range(float(text), float(text))


def parse_number(text: str) -> Range:
    """Read a number that is not negative.

    Raises
    ------
    UsageError
        If it is none.
    """
    if not NUMBER.fullmatch(text):
        raise UsageError(f"{text!r} is no number")
    return Range(float(text), float(text))


def parse_duration(text: str) -> Range:
    """Read a duration in seconds.

    Raises
    ------
    UsageError
        If it is none.

    Examples
    --------
    >>> parse_duration("1h30m").low, parse_duration("90s").low, parse_duration("90").low
    (5400.0, 90.0, 90.0)
    """
    match = DURATION.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is no duration; write 90s, 20m or 1h30m")
    hours, minutes, seconds = (float(match[unit] or 0) for unit in "hms")
    total = 3600 * hours + 60 * minutes + seconds
    return Range(total, total)


def parse_date(text: str) -> Range:
    """Read a year, month or day, in local time, as seconds since 1970.

    Raises
    ------
    UsageError
        If it is none.

    Examples
    --------
    >>> january = parse_date("2026-01")
    >>> round((january.below - january.low) / 86400)
    31
    """
    match = DATE.fullmatch(text)
    wrong = UsageError(f"{text!r} is no date; write 2026, 2026-01 or 2026-01-31")
    if match is None:
        raise wrong
    year, month, day = (None if part is None else int(part) for part in match.groups())
    try:
        start = datetime(year or 0, 1 if month is None else month, 1 if day is None else day)
        return Range(low=start.timestamp(), below=_next(start, month, day).timestamp())
    except (ValueError, OverflowError, OSError) as exc:
        raise wrong from exc


def _next(start: datetime, month: int | None, day: int | None) -> datetime:
    """Find where the span ends that begins there."""
    if day is not None:
        return start + timedelta(days=1)
    if month is None or month == 12:
        return start.replace(year=start.year + 1, month=1)
    return start.replace(month=month + 1)
