"""Which recordings label tracks are of, by where they lie.

A track is of the recording that the journal of :mod:`asmr_classify.writers.per_file` notes, if that
is still there. Otherwise, as where tracks were moved, it is called as it was written:
``night/rain.mp3.labels.txt`` is of the ``night/rain.mp3`` of the folder that was mirrored. That is
the one below which each of the tracks has its recording; where there are several such, or none,
that is an error, never a guess.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

from asmr_classify.errors import UsageError
from asmr_classify.writers.per_file import path_mark, without_links, written_below

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from asmr_classify.writers.per_file import Journals

MARKED = re.compile(r"(.*)~([0-9a-f]{8})")
"""A name that was taken already, or too long."""

N_NAMED = 3
"""Recordings of which a track may be, that a message names."""

Candidates = dict[str, str]
"""Recordings of which a track may be, by the folder that was mirrored then."""


def recordings_of(
    tracks: Mapping[str, str], top: str | None, known: Sequence[str], journals: Journals
) -> dict[str, str]:
    """Find the recordings of label tracks.

    Parameters
    ----------
    tracks : mapping of str to str
        Paths of files, to the same without what the format put behind the name of the recording.
    top : str or None
        The folder that was named and holds them; None if each was named itself. Where a folder
        tells that they were written below it, that one counts.
    known : sequence of str
        Absolute paths of recordings.
    journals : Journals
        What is noted there of a recording that exists counts, also if it is not known.

    Returns
    -------
    dict of str to str
        Absolute paths of recordings, by that of the track.

    Raises
    ------
    UsageError
        If a track is of no recording that is known, or may be of several.
    """
    by_name: dict[str, list[str]] = {}
    for path in known:
        by_name.setdefault(os.path.basename(path), []).append(path)  # noqa: PTH119 (a name may hold any byte)

    @cache
    def by_mark() -> dict[str, list[str]]:
        marks: dict[str, list[str]] = {}
        for path in known:
            marks.setdefault(path_mark(path), []).append(path)
        return marks

    found: dict[str, str] = {}
    by_root: dict[str, dict[str, Candidates]] = {}
    for track, stem in tracks.items():
        noted = journals.recording_of(track)
        if noted is not None and os.path.lexists(noted):
            same = by_name.get(os.path.basename(noted), ())  # noqa: PTH119
            found[track] = next((path for path in same if without_links(path) == noted), noted)
            continue
        root = written_below(track) or os.path.abspath(top or os.path.dirname(track))  # noqa: PTH100, PTH120
        below = os.path.relpath(os.path.abspath(stem), root)  # noqa: PTH100
        by_root.setdefault(root, {})[track] = _candidates(root, below, by_name, by_mark)
    for candidates in by_root.values():
        found |= _choose(candidates)
    return found


def _candidates(
    root: str,
    below: str,
    by_name: Mapping[str, Sequence[str]],
    by_mark: Callable[[], Mapping[str, Sequence[str]]],
) -> Candidates:
    folder, name = os.path.split(below)
    beside = os.path.join(root, below)  # noqa: PTH118
    if beside in by_name.get(name, ()):
        return {root: beside}
    paths: Iterable[str] = by_name.get(name, ())
    marked = MARKED.fullmatch(name)
    if marked and not paths:
        same = by_mark().get(marked[2], ())
        paths = [path for path in same if os.path.basename(path).startswith(marked[1])]  # noqa: PTH119
    ending = os.path.join(os.sep, folder) if folder else ""  # noqa: PTH118
    folders = ((os.path.dirname(path), path) for path in paths)  # noqa: PTH120
    return {
        inside[: len(inside) - len(ending)] or os.sep: path
        for inside, path in folders
        if inside.endswith(ending)
    }


def _choose(candidates: Mapping[str, Candidates]) -> dict[str, str]:
    """Choose the folder below which each track has its recording."""
    for track, some in candidates.items():
        if not some:
            raise UsageError(
                f"{track}: no recording of this name is in the catalogue; name the one that it is "
                "of: set RECORDING --from FILE"
            )
    votes = Counter(base for some in candidates.values() for base in some)
    most = max(votes.values())
    bases = [base for base, count in votes.items() if count == most]
    for track, some in candidates.items():
        paths = [some[base] for base in bases if base in some]
        if len(bases) > 1 or not paths:
            listed = ", ".join(sorted(paths or some.values())[:N_NAMED])
            raise UsageError(
                f"{track}: may be of {listed}; name the recordings, or the folder that holds them: "
                "set FOLDER --from FILE"
            )
    return {track: some[bases[0]] for track, some in candidates.items()}
