"""Limits: from which value on a figure is a warning or a failure.

They are read from a TOML file, a table a figure; ``limits.toml`` beside this module holds the
defaults, each with its source. A file of limits stands for itself and adds nothing to the defaults,
so that what is written is what is judged.
"""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass, fields
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asmr_classify.check.binaural import Channels
from asmr_classify.check.figures import FigureName
from asmr_classify.errors import LimitsError
from asmr_classify.labels import did_you_mean
from asmr_classify.visual.seen import Picture

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asmr_classify.check.figures import Figure

DEFAULTS = "limits.toml"

WORDS: Mapping[FigureName, tuple[str, ...]] = {
    FigureName.CHANNELS: tuple(Channels),
    FigureName.PICTURE: (Picture.VIDEO, Picture.STILL),
}
"""Figures that are words, and which those are."""


class Verdict(StrEnum):
    """What the limits say of a figure or a recording, from good to bad."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Range:
    """The limits of a number. A value on a limit is within it.

    Parameters
    ----------
    warn_below, warn_above, fail_below, fail_above : float or None
        In the unit of the figure.
    """

    warn_below: float | None = None
    warn_above: float | None = None
    fail_below: float | None = None
    fail_above: float | None = None

    def judge(self, value: float | str) -> Verdict:
        """Tell on which side of the limits a value is.

        Examples
        --------
        >>> limits = Range(warn_above=10, fail_above=15)
        >>> limits.judge(10).value, limits.judge(15).value, limits.judge(15.1).value
        ('ok', 'warn', 'fail')
        """
        number = float(value)
        if self._is_outside(number, self.fail_below, self.fail_above):
            return Verdict.FAIL
        outside = self._is_outside(number, self.warn_below, self.warn_above)
        return Verdict.WARN if outside else Verdict.OK

    @staticmethod
    def _is_outside(value: float, below: float | None, above: float | None) -> bool:
        return (below is not None and value < below) or (above is not None and value > above)


@dataclass(frozen=True, slots=True)
class Words:
    """The limits of a word: those that are a warning, and those that are a failure."""

    warn: tuple[str, ...] = ()
    fail: tuple[str, ...] = ()

    def judge(self, value: float | str) -> Verdict:
        """Tell what a word stands for.

        Examples
        --------
        >>> Words(warn=("mono",)).judge("mono").value
        'warn'
        """
        if value in self.fail:
            return Verdict.FAIL
        return Verdict.WARN if value in self.warn else Verdict.OK


Limit = Range | Words
Limits = dict[FigureName, Limit]


def judge(figure: Figure, limits: Mapping[FigureName, Limit]) -> Verdict | None:
    """Judge a figure.

    Parameters
    ----------
    figure : Figure
    limits : mapping of FigureName to Limit

    Returns
    -------
    Verdict or None
        None where the figure has no value or no limit.
    """
    limit = limits.get(figure.name)
    return None if limit is None or figure.value is None else limit.judge(figure.value)


def worst(verdicts: Iterable[Verdict | None]) -> Verdict:
    """Take the worst of some verdicts; ``OK`` if there is none.

    Examples
    --------
    >>> worst([Verdict.OK, None, Verdict.FAIL, Verdict.WARN]).value
    'fail'
    """
    order = list(Verdict)
    return max((verdict for verdict in verdicts if verdict), key=order.index, default=Verdict.OK)


def default_limits_text() -> str:
    """Read the default limits as they are written, with comments and sources."""
    return files(__package__).joinpath(DEFAULTS).read_text(encoding="utf-8")


def load_limits(path: str | None = None) -> Limits:
    """Load limits.

    Parameters
    ----------
    path : str, optional
        A TOML file; the defaults if None.

    Returns
    -------
    dict of FigureName to Limit

    Raises
    ------
    LimitsError
        If the file cannot be read, is no TOML, or names what is no figure or no limit.
    """
    if path is None:
        return parse_limits(default_limits_text(), DEFAULTS)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as exc:
        raise LimitsError(f"{path}: is not UTF-8 text; limits are a TOML file") from exc
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        raise LimitsError(f"{path}: the limits cannot be read: {reason}") from exc
    return parse_limits(text, path)


def parse_limits(text: str, name: str) -> Limits:
    """Parse limits.

    Parameters
    ----------
    text : str
        TOML.
    name : str
        How messages call it.

    Returns
    -------
    dict of FigureName to Limit

    Raises
    ------
    LimitsError
        See :func:`load_limits`.
    """
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as exc:  # also of a number of thousands of digits
        raise LimitsError(f"{name}: is not valid TOML: {exc}") from exc
    limits: Limits = {}
    for key, table in tables.items():
        _check_known(key, [*FigureName], name, "figure")
        figure = FigureName(key)
        if not isinstance(table, dict):
            raise LimitsError(
                f"{name}: {key} = {table!r}: expected a table, as in\n[{key}]\n{_example(figure)}"
            )
        limits[figure] = _parse_table(figure, table, name)
    return limits


def _example(figure: FigureName) -> str:
    return f'fail = ["{WORDS[figure][1]}"]' if figure in WORDS else "warn_above = 10"


def _check_known(key: str, known: Iterable[str], where: str, what: str) -> None:
    names = [str(name) for name in known]
    if key in names:
        return
    meant = did_you_mean(key, names) or f"; there are {', '.join(names)}"
    raise LimitsError(f"{where}: no {what} is called {key!r}{meant}")


def _parse_table(figure: FigureName, table: dict[str, Any], name: str) -> Limit:
    kind = Words if figure in WORDS else Range
    where = f"{name}: [{figure}]"
    for key in table:
        _check_known(key, [field.name for field in fields(kind)], where, "limit")
    if kind is Words:
        return Words(
            **{key: _parse_words(value, key, where, figure) for key, value in table.items()}
        )
    numbers = {key: _parse_number(value, key, where) for key, value in table.items()}
    _check_order(numbers, where)
    return Range(**numbers)


def _parse_words(value: object, key: str, where: str, figure: FigureName) -> tuple[str, ...]:
    known = WORDS[figure]
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise LimitsError(
            f'{where} {key} = {value!r}: expected a list of words, as in ["{known[1]}"]'
        )
    for word in value:
        _check_known(word, known, f"{where} {key}", f"kind of {figure}")
    return tuple(value)


def _parse_number(value: object, key: str, where: str) -> float:
    # TOML knows inf and nan, which would limit nothing, and whole numbers beyond all others.
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not abs(value) <= sys.float_info.max
    ):
        raise LimitsError(f"{where} {key} = {value!r}: expected a number, as in {key} = -1.0")
    return float(value)


def _check_order(numbers: Mapping[str, float], where: str) -> None:
    """Check that a figure can be good, and be a warning before it is a failure."""
    for low, high in (
        ("warn_above", "fail_above"),
        ("fail_below", "warn_below"),
        ("warn_below", "warn_above"),
        ("fail_below", "fail_above"),
        ("warn_below", "fail_above"),
        ("fail_below", "warn_above"),
    ):
        if low in numbers and high in numbers and numbers[low] > numbers[high]:
            raise LimitsError(
                f"{where} {low} = {numbers[low]:g} and {high} = {numbers[high]:g}: "
                f"expected {low} to be no more than {high}"
            )
