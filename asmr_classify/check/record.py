"""The record of a check that other programs read: one JSON object a file.

Keys may be added; none is removed or changes its meaning. ``labels`` is the record that ``label``
writes (:mod:`asmr_classify.writers.jsonl`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asmr_classify.check.figures import FigureName
from asmr_classify.writers.jsonl import TIME_DIGITS, result_to_record
from asmr_classify.writers.tables import LONGEST_LINE

if TYPE_CHECKING:
    from asmr_classify.check import CheckResult, Judged

SCHEMA_VERSION = 1

PLACED = (
    FigureName.MAX_SHORT_TERM,
    FigureName.MAX_MOMENTARY,
    FigureName.TRUE_PEAK,
    FigureName.STARTLE,
)
"""Figures that have a place in the recording."""

COLUMNS = (
    *("path", "verdict", "status", "error", "duration"),
    *(
        f"{name.value}{part}"
        for name in FigureName
        for part in ("", *(("_at",) if name in PLACED else ()), "_verdict")
    ),
)
"""Of the table."""

VALUE_DIGITS = 3
"""Finer than any of the figures is defined."""


def check_to_record(result: CheckResult) -> dict[str, Any]:
    """Turn the result of a check into the object that is written.

    Parameters
    ----------
    result : CheckResult

    Returns
    -------
    dict
        Plain values only. ``verdict`` is ``ok``, ``warn``, ``fail``, or None for a file that could
        not be read. ``figures`` has an entry a figure with ``value`` (None where there is none),
        ``at`` (seconds, or None) and ``verdict`` (None where it has no value or no limit).
    """
    return {
        "schema": SCHEMA_VERSION,
        "path": result.labels.path,
        "verdict": result.verdict and result.verdict.value,
        "figures": {judged.figure.name.value: _judged(judged) for judged in result.figures},
        "startles": [
            {
                "start": round(startle.start, TIME_DIGITS),
                "size": round(startle.size, VALUE_DIGITS),
                "level": round(startle.level, VALUE_DIGITS),
                "rise": round(startle.rise, TIME_DIGITS),
            }
            for startle in result.startles
        ],
        "labels": result_to_record(result.labels),
    }


def check_to_row(result: CheckResult) -> dict[str, Any]:
    """Turn the result of a check into a row: all figures, without the sudden moments and labels.

    Returns
    -------
    dict
        By :data:`COLUMNS`; what cannot be measured is None or not there.
    """
    labels = result_to_record(result.labels)
    row = {
        "path": labels["path"],
        "verdict": result.verdict and result.verdict.value,
        "status": labels["status"],
        "error": labels["error"] and labels["error"]["message"],
        "duration": labels["duration"],
    }
    for judged in result.figures:
        name = judged.figure.name.value
        value, at, verdict = _judged(judged).values()
        row |= {name: value, f"{name}_at": at, f"{name}_verdict": verdict}
    return row


def _judged(judged: Judged) -> dict[str, Any]:
    value, at = judged.figure.value, judged.figure.at
    return {
        "value": round(value, VALUE_DIGITS) if isinstance(value, float) else value,
        "at": None if at is None else round(at, TIME_DIGITS),
        "verdict": judged.verdict and judged.verdict.value,
    }


def holds_checks(path: str) -> bool:
    """Tell whether a file begins with the record of a check."""
    try:
        with Path(path).open(encoding="utf-8") as file:
            record = json.loads(file.readline(LONGEST_LINE))
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and {"schema", "figures", "labels"} <= record.keys()
