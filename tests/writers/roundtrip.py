"""Writing to memory and reading back, for every format; and what each format holds of a result."""

from __future__ import annotations

import io
import os
from dataclasses import replace

from asmr_classify.aggregate import FileResult, Status
from asmr_classify.timeline import Segment
from asmr_classify.writers import FORMATS, Options
from asmr_classify.writers.documents import (
    UNSCORED,
    document,
    is_heard,
    ordered_segments,
    without_ruled_out,
)
from asmr_classify.writers.edl import played_spans, skipped_spans
from asmr_classify.writers.youtube import BRACKETS, find_chapters

SKIP = Options(skip=("speech",))


def write(form, results, labels, options=SKIP):
    stream = io.BytesIO() if FORMATS[form].in_bytes else io.StringIO(newline="")
    writer = FORMATS[form].open_writer(stream, labels, options)
    for result in results:
        writer.write(result)
    writer.close()
    return stream.getvalue()


def read(form, content):
    binary = isinstance(content, bytes)
    stream = io.BytesIO(content) if binary else io.StringIO(content, newline="\n")
    return list(FORMATS[form].read(stream))


def holds(form, result):
    """The results that reading gives, if a format does what it promises."""
    if form in {"jsonl", "parquet"}:
        return [result]
    if form == "csv":
        return [replace(result, shares={}, segments=())]
    return TIMELINES[form](without_ruled_out(result)) if is_heard(result) else []


def absolute(result):
    return os.path.abspath(result.path)  # noqa: PTH100 (a name may hold any byte)


def in_raven(result):
    segments = ordered_segments(result)
    return [document(segments, absolute(result))] if segments else []


def in_mpv_edl(result):
    played = played_spans(result, SKIP.skip)
    open_ended = [(start, float("inf") if end is None else end) for start, end in played]
    return [document(spans(open_ended, "play"), os.path.relpath(absolute(result)))]


def unscored(result):
    return [document(replace(segment, score=UNSCORED) for segment in ordered_segments(result))]


def spans(pairs, label):
    return (Segment(start, end, label, UNSCORED) for start, end in pairs)


def chapters(result):
    found = find_chapters(result)
    for i, chapter in enumerate(found):
        last = i == len(found) - 1
        title = " + ".join(chapter.labels).replace("_", " ").translate(BRACKETS)
        end = chapter.start + 10 if last else chapter.end
        yield Segment(chapter.start, end, title, UNSCORED)


def timeline(path="a.mp3", *, duration=60.0, labels=("tap", "speech", "whisper")):
    """A recording of as many equal stretches as there are labels."""
    step = duration / len(labels)
    segments = (Segment(i * step, (i + 1) * step, x, 0.9) for i, x in enumerate(labels))
    return FileResult(
        path, Status.OK, "m@1", duration=duration, decoded=duration, segments=tuple(segments)
    )


TIMELINES = {
    "raven": in_raven,
    "audacity": unscored,
    "webvtt": unscored,
    "stash": unscored,
    "youtube": lambda result: [document(chapters(result))],
    "edl": lambda result: [document(spans(skipped_spans(result, SKIP.skip), "skip"))],
    "mpv-edl": in_mpv_edl,
}
