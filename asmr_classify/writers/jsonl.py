r"""JSON Lines: one object a line, a line a file. The contract that other programs rely on.

Keys are those of :class:`~asmr_classify.aggregate.FileResult` in a fixed order, and ``schema``.
Keys may be added; none is removed or changes its meaning. Lines are UTF-8 and readable as they
are, but for characters that are no text: control characters and line separators, which would act
on a terminal or tear the line, and the surrogates that stand for bytes of a name which are not
UTF-8. These are written as ``\uNNNN``, and ``os.fsencode`` of the path that is read back gives
the bytes of the name again.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.config import SCORE_DIGITS
from asmr_classify.labels import word_of
from asmr_classify.timeline import Segment
from asmr_classify.visual.seen import record_to_visual, visual_to_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

    from asmr_classify.writers.output import Output

SCHEMA_VERSION = 1

TIME_DIGITS = 3
"""Milliseconds: finer than any window edge."""

NO_TEXT = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What :mod:`json` leaves as it is, though it is no text."""


class JsonlWriter:
    """Writes a line per result.

    Parameters
    ----------
    stream : text stream
    """

    def __init__(self, stream: TextIO | Output) -> None:
        self._stream = stream

    def write(self, result: FileResult) -> None:
        """Write one result and flush it."""
        self._stream.write(result_to_line(result) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Do nothing: every line is complete."""


def result_to_line(result: FileResult) -> str:
    """Turn a result into its line, without the newline."""
    return record_to_line(result_to_record(result))


def record_to_line(record: dict[str, Any]) -> str:
    """Turn an object of plain values into a line, without the newline."""
    line = json.dumps(record, ensure_ascii=False, allow_nan=False)
    return NO_TEXT.sub(lambda match: f"\\u{ord(match[0]):04x}", line)


def result_to_record(result: FileResult, *, rounded: bool = True) -> dict[str, Any]:
    """Turn a result into the object that is written.

    Parameters
    ----------
    result : FileResult
    rounded : bool
        To the digits that mean something, as is usual; else numbers are kept as they are.

    Returns
    -------
    dict
        Plain values only, keys in the order of the contract.
    """

    def seconds(value: float | None) -> float | None:
        return round(float(value), TIME_DIGITS) if rounded and value is not None else value

    def score(value: float) -> float:
        return round(float(value), SCORE_DIGITS) if rounded else float(value)

    return {
        "schema": SCHEMA_VERSION,
        "path": result.path,
        "status": result.status.value,
        "error": _problem(result.error),
        "duration": seconds(result.duration),
        "decoded": seconds(result.decoded),
        "trigger": result.trigger,
        "tags": list(result.tags),
        "scores": {label: score(value) for label, value in result.scores.items()},
        "shares": {label: score(value) for label, value in result.shares.items()},
        "segments": [
            {
                "start": seconds(segment.start),
                "end": seconds(segment.end),
                "label": segment.label,
                "score": score(segment.score),
            }
            for segment in result.segments
        ],
        "no_talking": result.no_talking,
        "longest_talk": seconds(result.longest_talk),
        "model": result.model,
        "corrected": list(result.corrected),
        "kinds": {kind: score(value) for kind, value in result.kinds.items()},
        "visual": result.visual and visual_to_record(result.visual, rounded=rounded),
        "visual_error": _problem(result.visual_error),
    }


def _problem(problem: Problem | None) -> dict[str, str] | None:
    return None if problem is None else {"kind": problem.kind, "message": problem.message}


def record_to_result(record: dict[str, Any]) -> FileResult:
    """Turn an object that was read back into a result."""
    path, visual = record["path"], record.get("visual")
    return FileResult(
        path=path,
        status=word_of(Status, record["status"], "status"),
        model=record["model"],
        error=_read_problem(record["error"]),
        duration=record["duration"],
        decoded=record["decoded"],
        trigger=record["trigger"],
        tags=tuple(record["tags"]),
        scores=record["scores"],
        shares=record["shares"],
        segments=tuple(Segment(**segment) for segment in record["segments"]),
        no_talking=record.get("no_talking"),
        longest_talk=record.get("longest_talk"),
        corrected=tuple(record.get("corrected", ())),
        kinds=record.get("kinds", {}),
        visual=visual and record_to_visual(visual),
        visual_error=_read_problem(record.get("visual_error")),
    )


def _read_problem(problem: dict[str, str] | None) -> Problem | None:
    return None if problem is None else Problem(problem["kind"], problem["message"])


def read_jsonl(lines: Iterable[str]) -> Iterator[FileResult]:
    """Read results from lines as :class:`JsonlWriter` writes them."""
    for line in lines:
        if line.strip():
            yield record_to_result(json.loads(line))
