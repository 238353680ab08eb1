"""Markers in the manner of Stash: a scene, with a marker where each segment begins [1]_.

Seconds are texts there. ``end_seconds`` is what newer versions know; others pass over it. Scenes
are found by the whole paths of their files. Labels are escaped as in
:mod:`asmr_classify.writers.escapes`.

References
----------
.. [1] Stash, pkg/models/jsonschema. https://github.com/stashapp/stash
"""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from asmr_classify.timeline import Segment
from asmr_classify.writers.documents import UNSCORED, document, ordered_segments, whole_path
from asmr_classify.writers.escapes import escape, unescape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asmr_classify.aggregate import FileResult


def markers_of(result: FileResult) -> str:
    """Write the markers of a recording, by start."""
    scene = {
        "title": escape(PurePath(result.path).stem),
        "files": [escape(whole_path(result.path))],
        "tags": [escape(tag) for tag in result.tags],
        "markers": [_marker(segment) for segment in ordered_segments(result)],
    }
    return json.dumps(scene, ensure_ascii=False, indent=2) + "\n"


def _marker(segment: Segment) -> dict[str, Any]:
    label = escape(segment.label)
    return {
        "title": label,
        "seconds": f"{segment.start:.3f}",
        "end_seconds": f"{segment.end:.3f}",
        "primary_tag": label,
        "tags": [],
    }


def read_stash(lines: Iterable[str]) -> Iterator[FileResult]:
    """Read markers as :func:`markers_of` writes them.

    Raises
    ------
    ValueError, KeyError, TypeError
        If the text is something else.
    """
    markers = json.loads("".join(lines))["markers"]
    yield document(
        Segment(
            float(marker["seconds"]),
            float(marker["end_seconds"]),
            unescape(marker["primary_tag"]),
            UNSCORED,
        )
        for marker in markers
    )
