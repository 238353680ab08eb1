"""Playlists as files: extended M3U in UTF-8 [1]_, for any player.

A whole recording is its title, its length in whole seconds, and its name::

    #EXTINF:1834,Rain on a tent · white_noise
    sleep/Rain on a tent.mp3

No standard says how M3U plays a part of a file, so each player has its own way (tried with VLC
3.0.23 and mpv 0.35.1):

- VLC: ``#EXTVLCOPT:start-time=…`` and ``stop-time=…``, in seconds, before the name [2]_. Others
  take them for comments and play the whole file.
- mpv ignores these, and takes ``edl://%27%/home/you/asmr/rain.flac,61.500,20.000``: the bytes of
  the name, the name, start and length [3]_. One EDL file for all would be opened with all its
  recordings at once, and play nothing if one of them is missing.

Names are relative to the playlist's folder where they can be, so that both may be moved together.
A name that a player would misread is written as an absolute ``file:`` URI: VLC takes ``%41`` for
an escape (but none in a name where a ``%`` begins none, as in ``100% rain``), ``?`` and ``#`` for
parts of a URL and ``a:b`` for a scheme, lines end names, and a file in UTF-8 has no place for other
bytes. No relative name serves both players there: VLC alone reads escapes, as ``%23``, and of
``./#1.mp3``, which mpv plays, it plays the whole folder. In ``edl://`` names are absolute, as mpv
would take them to be relative to the folder it was started in.

References
----------
.. [1] https://en.wikipedia.org/wiki/M3U#Extended_M3U
.. [2] https://wiki.videolan.org/VLC_command-line_help
.. [3] https://github.com/mpv-player/mpv/blob/master/DOCS/edl-mpv.rst
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asmr_classify.errors import UsageError
from asmr_classify.library.playlist import Player
from asmr_classify.writers.escapes import escape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asmr_classify.library.playlist import Item

SUFFIXES = (".m3u8", ".m3u")

BEGIN = "#EXTM3U\n# Written by asmr-classify\n"
"""Tells our playlists from those of others, which are never written over."""

SEAL = "# Unchanged since: "
"""Begins the last line, with a digest of those before: who edits a playlist wants to keep it."""

MISREAD = re.compile(
    r"[?#\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|^\s|\s$|^[^/]*:|://"
    r"|^(?:[^%]*%[0-9A-Fa-f]{2})+[^%]*$"
)
"""Names that some player takes for something else."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a playlist file.

    Parameters
    ----------
    path : str
        The recording, absolute.
    title : str
    duration : int
        Whole seconds.
    start, end : float, optional
        Seconds from the beginning of the recording; None for all of it.
    """

    path: str
    title: str
    duration: int
    start: float | None = None
    end: float | None = None


def entry_of(item: Item) -> Entry:
    """Make the entry that plays an item; its title says what, and from when on.

    Parameters
    ----------
    item : Item

    Returns
    -------
    Entry
    """
    name = Path(item.path).stem
    place = "" if item.is_whole else f" · {_clock(item.start)}"
    return Entry(
        path=os.path.abspath(item.path),
        title=f"{name}{place} · {item.label}".strip(),
        duration=max(1, round(item.duration)),
        start=None if item.is_whole else item.start,
        end=None if item.is_whole else item.end,
    )


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def write_m3u8(
    entries: Iterable[Entry],
    *,
    title: str = "",
    folder: str | None = None,
    player: Player = Player.VLC,
) -> str:
    """Write a playlist.

    Parameters
    ----------
    entries : iterable of Entry
    title : str
        Of the whole; not every player shows it.
    folder : str, optional
        Where the playlist will lie; names are relative to it. By default they are absolute.
    player : Player
        Who is to play parts of files.

    Returns
    -------
    str
        Text that can be encoded as UTF-8.
    """
    lines = [f"#PLAYLIST:{escape(title)}\n"] if title else []
    for entry in entries:
        lines.append(f"#EXTINF:{entry.duration},{escape(entry.title)}\n")
        name = entry_name(entry.path, folder)
        if entry.start is not None and entry.end is not None:
            if player is Player.VLC:
                lines.append(f"#EXTVLCOPT:start-time={entry.start:.3f}\n")
                lines.append(f"#EXTVLCOPT:stop-time={entry.end:.3f}\n")
            else:
                name = entry_name(entry.path, None)
                n_bytes = len(name.encode())
                name = f"edl://%{n_bytes}%{name},{entry.start:.3f},{entry.end - entry.start:.3f}"
        lines.append(f"{name}\n")
    text = BEGIN + "".join(lines)
    return f"{text}{SEAL}{_digest(text.encode())}\n"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def entry_name(path: str, folder: str | None) -> str:
    """Name a file so that players find it from a playlist's folder.

    Parameters
    ----------
    path : str
        Absolute.
    folder : str or None
        None for a name that is good anywhere.

    Returns
    -------
    str
        A relative or absolute path, or an absolute ``file:`` URI.
    """
    name = path if folder is None else _relative(path, folder)
    rest = os.path.splitdrive(name)[1].replace(os.sep, "/")
    if MISREAD.search(rest) or (os.sep == "/" and "\\" in rest):
        return Path(path).as_uri()
    return name.replace(os.sep, "/")


def _relative(path: str, folder: str) -> str:
    try:
        below = os.path.relpath(path, os.path.abspath(folder))
        # The way up from a folder that is a link leads elsewhere than its name tells.
        climbs = below.startswith(os.pardir)
        return os.path.relpath(path, os.path.realpath(folder)) if climbs else below
    except ValueError:  # another drive of Windows
        return path


def holds_playlist(path: str) -> bool:
    """Tell whether a file begins as the playlists that this program writes.

    Raises
    ------
    UsageError
        If it does, and was changed since.
    """
    with Path(path).open("rb") as file:
        if file.read(len(BEGIN)) != BEGIN.encode():
            return False
    content, _, digest = Path(path).read_bytes().rpartition(SEAL.encode())
    if digest != f"{_digest(content)}\n".encode():
        raise UsageError(
            f"{path}: was changed since this program wrote it, so it is left alone; move it away, "
            "or name another file"
        )
    return True
