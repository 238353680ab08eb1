"""Files that go along with a recording: subtitles, lyrics, covers and notes of the same stem.

``rain.mp3`` takes ``rain.srt``, ``rain.en.vtt``, ``rain.info.json`` and ``rain.mp3.json`` along.
A file goes with the recording whose name it shares most of, so ``rain.2.srt`` goes with
``rain.2.mp3`` where there is one. Other media files never go along.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from asmr_classify.library.names import name_key, split_name
from asmr_classify.media.recognise import MEDIA_EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

EXTENSIONS = frozenset(
    "ass cue description edl idx jpeg jpg json labels lrc nfo png sbv srt ssa sub tsv ttml txt vtt "
    "webp xml".split()
)
"""Of files that belong to a recording of the same stem."""

MOST_PIECES = 3
"""Between dots, after the stem: ``.mp3.asmr.json`` has as many."""


class Folders:
    """What folders hold, looked at once.

    Parameters
    ----------
    recordings : iterable of str
        Paths of files that are known to be media, whatever their endings say.
    """

    def __init__(self, recordings: Iterable[str] = ()) -> None:
        self._recordings = frozenset(recordings)
        self._names: dict[str, tuple[str, ...]] = {}
        self._spellings: dict[str, dict[str, list[str]]] = {}
        self._sidecars: dict[str, dict[str, list[str]]] = {}

    def names(self, folder: str) -> tuple[str, ...]:
        """Give the names in a folder, sorted; none if it cannot be read."""
        if folder not in self._names:
            names: list[str] = []
            with suppress(OSError):
                names = sorted(os.listdir(folder))
            self._names[folder] = tuple(names)
        return self._names[folder]

    def spellings(self, folder: str, name: str) -> list[str]:
        """Give the names in a folder that some system takes for the same as one."""
        if folder not in self._spellings:
            spellings: dict[str, list[str]] = {}
            for present in self.names(folder):
                spellings.setdefault(name_key(present), []).append(present)
            self._spellings[folder] = spellings
        return self._spellings[folder].get(name_key(name), [])

    def sidecars(self, path: str) -> list[tuple[str, str]]:
        """Give the files that go along with a recording.

        Returns
        -------
        list of (str, str)
            Path, and what follows the stem in its name, as ``.en.vtt``.
        """
        folder, name = os.path.split(path)
        stem = split_name(name)[0]
        if folder not in self._sidecars:
            names = self.names(folder)
            media = [name for name in names if self._is_media(folder, name)]
            self._sidecars[folder] = _find_sidecars(names, media)
        found = self._sidecars[folder]
        shared = sorted({*found.get(stem, ()), *found.get(name, ())})
        return [(os.path.join(folder, sidecar), sidecar[len(stem) :]) for sidecar in shared]

    def _is_media(self, folder: str, name: str) -> bool:
        return _ending(name) in MEDIA_EXTENSIONS or os.path.join(folder, name) in self._recordings


def _find_sidecars(names: tuple[str, ...], media: list[str]) -> dict[str, list[str]]:
    """Find the stem or whole name to which each file belongs that may go along."""
    owners = {*media, *(split_name(name)[0] for name in media)}
    found: dict[str, list[str]] = {}
    for name in names:
        if _ending(name) in EXTENSIONS:
            owner = _longest_owner(name, owners)
            if owner is not None:
                found.setdefault(owner, []).append(name)
    return found


def _longest_owner(name: str, owners: set[str]) -> str | None:
    begin = name
    for _ in range(MOST_PIECES):
        begin = begin.rpartition(".")[0]
        if begin in owners:
            return begin
    return None


def _ending(name: str) -> str:
    return split_name(name)[1][1:].lower()
