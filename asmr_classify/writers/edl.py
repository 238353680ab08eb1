"""Edit decision lists: what a player leaves out.

Two formats share the ending ``.edl``, and no player reads both:

- Kodi and MPlayer: a line a cut, start and end in seconds and the action, ``0`` for a cut [1]_.
  Kodi takes the list that lies beside the video and has its name, but for the extension.
- mpv: the first line is ``# mpv EDL v0``; each further one names a file, a start and a length that
  are to be *played* [2]_. mpv is given the list in place of the recording. Names are addresses, or
  relative to the folder of the list, and are given with their length in bytes, so that any name
  will do.

Beside labels, stretches in which much moves can be left out, as :data:`LIVELY`.

References
----------
.. [1] Kodi, Edit decision list. https://kodi.wiki/view/Edit_decision_list
.. [2] mpv, EDL files. https://github.com/mpv-player/mpv/blob/master/DOCS/edl-mpv.rst
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from asmr_classify.errors import NotRepresentableError, UsageError
from asmr_classify.labels import SILENCE
from asmr_classify.media.source import is_url
from asmr_classify.timeline import Segment, join_spans
from asmr_classify.visual.levels import lively_spans
from asmr_classify.visual.seen import MotionLevel
from asmr_classify.writers.documents import UNSCORED, document, whole_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from asmr_classify.aggregate import FileResult
    from asmr_classify.writers import Options

CUT = "0"
"""Kodi's action for a stretch that is left out."""

KODI_HEADER = "## asmr-classify: what to skip\n"
"""A comment to Kodi, and nothing to older ones and to MPlayer."""

MPV_HEADER = b"# mpv EDL v0\n# asmr-classify: what to play\n"

MPV_PART = re.compile(rb"%(\d+)%")

LIVELY = MotionLevel.LIVELY.value
"""Names stretches of a video, and no label."""

SKIPPED, PLAYED = "skip", "play"
"""Labels of what is read back."""


def check_skip(skip: Sequence[str], labels: Sequence[str]) -> None:
    """Check that something is to be skipped, and that it can be.

    Parameters
    ----------
    skip : sequence of str
        Labels to skip, and :data:`LIVELY`.
    labels : sequence of str
        The model's.

    Raises
    ------
    UsageError
        If nothing is named, or a label that the model does not have.
    """
    if not skip:
        raise UsageError("nothing to skip is named: give --skip LABEL, once for each label")
    known = (*labels, SILENCE)
    for label in skip:
        if label not in (*known, LIVELY):
            raise UsageError(
                f"--skip {label!r}: the labels are {', '.join(known)}; {LIVELY} stands for "
                "stretches of a video in which much moves"
            )


def skipped_spans(result: FileResult, skip: Sequence[str]) -> list[tuple[float, float]]:
    """Join the segments of some labels, and the lively stretches of a video if they are named.

    Returns
    -------
    list of (float, float)
        Start and end in seconds, rounded to milliseconds, ascending, apart from each other.

    Raises
    ------
    NotRepresentableError
        If lively stretches are to be skipped, and nobody looked whether there are any.
    """
    spans = [(s.start, s.end) for s in result.segments if s.label in skip]
    if LIVELY in skip:
        spans += lively_stretches(result)
    return join_spans((round(start, 3), round(end, 3)) for start, end in spans)


def lively_stretches(result: FileResult) -> list[tuple[float, float]]:
    """Find where much moves in a recording.

    Returns
    -------
    list of (float, float)
        Start and end in seconds, ascending, apart from each other; none past its end.

    Raises
    ------
    NotRepresentableError
        If nobody looked.
    """
    visual = result.visual
    if visual is None:
        reason = "it was only listened to" if result.visual_error is None else "it cannot be seen"
        raise NotRepresentableError(
            f"{result.path}: what moves in it is not known, as {reason}; label it anew, or leave "
            f"--skip {LIVELY} out"
        )
    end = max(result.duration or 0.0, result.decoded)
    spans = [] if visual.lanes is None else lively_spans(visual.lanes)
    return [(start, min(stop, end)) for start, stop in spans if start < end]


def cuts_of(result: FileResult, options: Options) -> str:
    """Write the list for Kodi and MPlayer."""
    spans = skipped_spans(result, options.skip)
    return KODI_HEADER + "".join(f"{start:.3f}\t{end:.3f}\t{CUT}\n" for start, end in spans)


def read_edl(lines: Iterable[str]) -> Iterator[FileResult]:
    """Read a list as :func:`cuts_of` writes it; what is skipped is labelled ``skip``.

    Raises
    ------
    ValueError
        If the text is something else.
    """
    header, *rows = lines
    if header != KODI_HEADER:
        raise ValueError("not written by this program")
    cuts = (row.rstrip("\n").split("\t") for row in rows)
    yield document(Segment(float(start), float(end), SKIPPED, UNSCORED) for start, end, _ in cuts)


def played_spans(result: FileResult, skip: Sequence[str]) -> list[tuple[float, float | None]]:
    """Find what is left when segments of some labels, or lively stretches, are skipped.

    Returns
    -------
    list of (float, float or None)
        Start and end in seconds; None for the end of the recording, wherever that is.
    """
    spans: list[tuple[float, float | None]] = []
    start = 0.0
    for skipped_from, skipped_to in skipped_spans(result, skip):
        if start < skipped_from:
            spans.append((start, skipped_from))
        start = skipped_to
    if start == 0 or start < round(max(result.duration or 0.0, result.decoded), 3):
        spans.append((start, None))
    return spans


def parts_of(result: FileResult, options: Options) -> bytes:
    """Write the list for mpv.

    Raises
    ------
    NotRepresentableError
        If nothing is left to play: mpv takes no empty list.
    """
    spans = played_spans(result, options.skip)
    if not spans:
        raise NotRepresentableError(
            f"{result.path}: all of it would be skipped, and mpv takes no empty list; "
            "name fewer labels"
        )
    path = whole_path(result.path)
    if not is_url(path):
        path = os.path.relpath(path, os.path.realpath(options.folder))
    # Not normalised by pathlib: names are bytes to mpv.
    name = os.fsencode(path)
    return MPV_HEADER + b"".join(_part(name, start, end) for start, end in spans)


def _part(name: bytes, start: float, end: float | None) -> bytes:
    length = "" if end is None else f",{end - start:.3f}"
    return b"%%%d%%%s,%s\n" % (len(name), name, f"{start:.3f}{length}".encode())


def read_mpv_edl(lines: Iterable[bytes]) -> Iterator[FileResult]:
    """Read a list as :func:`parts_of` writes it; what is played is labelled ``play``.

    The last stretch ends at infinity where the list leaves its end open.

    Raises
    ------
    ValueError
        If the bytes are something else.
    """
    data = b"".join(lines)
    rest = data.removeprefix(MPV_HEADER)
    if rest == data:
        raise ValueError("not written by this program")
    path, segments = "", []
    while rest:
        match = MPV_PART.match(rest)
        if match is None:
            raise ValueError("not written by this program")
        end_of_name = match.end() + int(match[1])
        path = os.fsdecode(rest[match.end() : end_of_name])
        times, _, rest = rest[end_of_name + 1 :].partition(b"\n")
        segments.append(_played(*map(float, times.split(b","))))
    yield document(segments, path)


def _played(start: float, length: float = float("inf")) -> Segment:
    return Segment(start, round(start + length, 3), PLAYED, UNSCORED)
