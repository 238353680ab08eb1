"""Parquet: one row a recording, for pandas, Polars, DuckDB and R. Holds all that JSON Lines does.

The columns of :mod:`~asmr_classify.writers.csv`, a ``share_`` column for each label and silence,
``segments``, a list of ``{start, end, label, score}``, ``kinds``, a list of ``{kind, score}``, and
``visual`` and ``visual_error`` as in JSON Lines:
scores and shares are plain columns, so that ``df[df.score_tap > 0.8]`` needs no unpacking, and
``df.explode("segments")`` gives a row a segment. Numbers are not rounded. What was not heard or is
not known is null. Text is as it is, but for bytes of names that are not UTF-8, see
:mod:`asmr_classify.writers.escapes`.

A Parquet file ends with its index and cannot be read before; so the file is written beside its
place and moved there when it is whole, see :class:`~asmr_classify.writers.output.Replacement`.
What a killed run had finished is in the journal, and the next run writes it all. A table in parts,
:mod:`asmr_classify.batch.table`, is a folder of such files.

Needs pyarrow, the extra ``parquet``.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.labels import SILENCE, word_of
from asmr_classify.timeline import Segment
from asmr_classify.visual.seen import record_to_visual, visual_to_record
from asmr_classify.writers.csv import SCORE_PREFIX, seen_values
from asmr_classify.writers.escapes import NOT_UTF8, escape, unescape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from asmr_classify.writers import Stream

SHARE_PREFIX = "share_"

ROWS_PER_GROUP = 1000
"""Rows that are kept before they are written: few enough for flat memory."""

SCHEMA_KEY, SCHEMA_VERSION = b"asmr_classify.schema", b"1"
"""Kept in the metadata of the file."""


class ParquetWriter:
    """Writes a row per result, in groups.

    Parameters
    ----------
    stream : binary stream
    labels : sequence of str
        The model's labels; each gets a column for its score and one for its share.
    metadata : mapping of bytes to str, optional
        What else to keep in the metadata of the file.
    """

    def __init__(
        self, stream: Stream, labels: Sequence[str], metadata: Mapping[bytes, str] | None = None
    ) -> None:
        from pyarrow import parquet

        self._labels = tuple(labels)
        schema = make_schema(self._labels)
        self._schema = schema.with_metadata({**schema.metadata, **(metadata or {})})
        self._file = parquet.ParquetWriter(stream, self._schema)
        self._rows: list[dict[str, Any]] = []

    def write(self, result: FileResult) -> None:
        """Keep one result, and write all that were kept once they are many."""
        self._rows.append(_row(result, self._labels))
        if len(self._rows) >= ROWS_PER_GROUP:
            self._write_group()

    def _write_group(self) -> None:
        import pyarrow as pa

        rows, self._rows = self._rows, []
        if rows:
            self._file.write_table(pa.Table.from_pylist(rows, schema=self._schema))

    def close(self) -> None:
        """Write what was kept, and the index."""
        try:
            self._write_group()
        finally:
            self._file.close()


def make_schema(labels: Sequence[str]) -> Any:
    """Make the ``pyarrow.Schema`` for the labels of a model."""
    import pyarrow as pa

    segment = pa.struct(
        [
            ("start", pa.float64()),
            ("end", pa.float64()),
            ("label", pa.string()),
            ("score", pa.float64()),
        ]
    )
    return pa.schema(
        [
            pa.field("path", pa.string(), nullable=False),
            pa.field("status", pa.string(), nullable=False),
            ("trigger", pa.string()),
            ("tags", pa.list_(pa.string())),
            ("no_talking", pa.bool_()),
            ("longest_talk", pa.float64()),
            ("duration", pa.float64()),
            ("decoded", pa.float64()),
            ("error", pa.string()),
            ("message", pa.string()),
            ("model", pa.string()),
            ("corrected", pa.list_(pa.string())),
            *((name, pa.float64()) for name in _columns(SCORE_PREFIX, labels).values()),
            *((name, pa.float64()) for name in _columns(SHARE_PREFIX, labels).values()),
            ("segments", pa.list_(segment)),
            ("kinds", pa.list_(pa.struct([("kind", pa.string()), ("score", pa.float64())]))),
            ("picture", pa.string()),
            ("motion", pa.string()),
            ("light", pa.string()),
            ("cuts_per_minute", pa.float64()),
            ("flashes", pa.int64()),
            ("visual", _visual_type()),
            ("visual_error", pa.struct([("kind", pa.string()), ("message", pa.string())])),
        ],
        metadata={SCHEMA_KEY: SCHEMA_VERSION},
    )


def _visual_type() -> Any:
    import pyarrow as pa

    def struct(**fields: Any) -> Any:
        return pa.struct([*fields.items()])

    text, number, lane = pa.string(), pa.float64(), pa.list_(pa.float64())
    return struct(
        picture=text,
        motion=struct(level=text, median=number, p95=number),
        light=struct(level=text, median=number, p95=number, blue=number),
        cuts_per_minute=number,
        flashes=pa.int64(),
        seen=number,
        effort=text,
        version=pa.int64(),
        timeline=struct(step=number, motion=lane, light=lane),
    )


def _columns(prefix: str, labels: Sequence[str]) -> dict[str, str]:
    """Name the columns of labels; shares have one for silence too."""
    more = (SILENCE,) if prefix == SHARE_PREFIX else ()
    return {label: prefix + _text(label) for label in (*labels, *more)}


def _text(text: str) -> str:
    return escape(text, NOT_UTF8)


def _row(result: FileResult, labels: Sequence[str]) -> dict[str, Any]:
    error = result.error
    return {
        "path": _text(result.path),
        "status": result.status.value,
        "trigger": None if result.trigger is None else _text(result.trigger),
        "tags": [_text(tag) for tag in result.tags],
        "no_talking": result.no_talking,
        "longest_talk": result.longest_talk,
        "duration": result.duration,
        "decoded": result.decoded,
        "error": None if error is None else _text(error.kind),
        "message": None if error is None else _text(error.message),
        "model": _text(result.model),
        "corrected": list(result.corrected),
        **_values(SCORE_PREFIX, labels, result.scores),
        **_values(SHARE_PREFIX, labels, result.shares),
        "segments": [
            {"start": s.start, "end": s.end, "label": _text(s.label), "score": s.score}
            for s in result.segments
        ],
        "kinds": [{"kind": _text(kind), "score": score} for kind, score in result.kinds.items()],
        **seen_values(result),
        "visual": result.visual and visual_to_record(result.visual, rounded=False),
        "visual_error": _problem_of(result.visual_error),
    }


def _problem_of(error: Problem | None) -> dict[str, str] | None:
    return None if error is None else {"kind": _text(error.kind), "message": _text(error.message)}


def _values(
    prefix: str, labels: Sequence[str], values: Mapping[str, float]
) -> dict[str, float | None]:
    return {name: values.get(label) for label, name in _columns(prefix, labels).items()}


def read_parquet(file: IO[bytes]) -> Iterator[FileResult]:
    """Read results from a file as :class:`ParquetWriter` writes it.

    Raises
    ------
    ValueError
        If the file is something else.
    """
    from pyarrow import parquet

    source = parquet.ParquetFile(file)
    if SCHEMA_KEY not in (source.schema_arrow.metadata or {}):
        raise ValueError("not written by this program")
    for batch in source.iter_batches(ROWS_PER_GROUP):
        yield from map(_result, batch.to_pylist())


def _result(row: dict[str, Any]) -> FileResult:
    return FileResult(
        path=unescape(row["path"]),
        status=word_of(Status, row["status"], "status"),
        model=unescape(row["model"]),
        error=_problem(row),
        duration=row["duration"],
        decoded=row["decoded"],
        trigger=None if row["trigger"] is None else unescape(row["trigger"]),
        tags=tuple(map(unescape, row["tags"])),
        scores=_labelled(SCORE_PREFIX, row),
        shares=_labelled(SHARE_PREFIX, row),
        segments=tuple(
            Segment(s["start"], s["end"], unescape(s["label"]), s["score"]) for s in row["segments"]
        ),
        no_talking=row["no_talking"],
        longest_talk=row["longest_talk"],
        corrected=tuple(row["corrected"]),
        kinds={unescape(kind["kind"]): kind["score"] for kind in row.get("kinds") or ()},
        visual=record_to_visual(row["visual"]) if row.get("visual") else None,
        visual_error=_visual_problem(row.get("visual_error")),
    )


def _visual_problem(error: dict[str, str] | None) -> Problem | None:
    return None if error is None else Problem(unescape(error["kind"]), unescape(error["message"]))


def _problem(row: dict[str, Any]) -> Problem | None:
    if row["error"] is None:
        return None
    return Problem(unescape(row["error"]), unescape(row["message"]))


def _labelled(prefix: str, row: dict[str, Any]) -> dict[str, float]:
    return {
        unescape(name.removeprefix(prefix)): value
        for name, value in row.items()
        if name.startswith(prefix) and value is not None
    }
