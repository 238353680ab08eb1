"""Which carrier a file has: decided by content, whatever the name says."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from asmr_classify.errors import NotCarriedError, OpenError
from asmr_classify.media.whole import id3_size

if TYPE_CHECKING:
    from asmr_classify.library.tags.state import Carrier

CARRIERS = {
    "mp3": "asmr_classify.library.tags.id3:Id3",
    "wav": "asmr_classify.library.tags.id3:Wav",
    "aiff": "asmr_classify.library.tags.id3:Aiff",
    "flac": "asmr_classify.library.tags.vorbis:Flac",
    "ogg": "asmr_classify.library.tags.vorbis:Ogg",
    "mp4": "asmr_classify.library.tags.mp4:Mp4",
    "matroska": "asmr_classify.library.tags.matroska:Matroska",
}
"""What carries tags in each kind of file; imported when needed."""

NAMED = {
    "mp3": "MP3",
    "wav": "WAV",
    "wave": "WAV",
    "aif": "AIFF",
    "aiff": "AIFF",
    "flac": "FLAC",
    "ogg": "Ogg",
    "oga": "Ogg",
    "opus": "Opus",
    "mp4": "MP4",
    "m4a": "MP4",
    "m4b": "MP4",
    "mov": "MOV",
    "mkv": "Matroska",
    "mka": "Matroska",
    "webm": "WebM",
}
"""What a file should be, by its extension."""

HEAD_BYTES = 16


def find_carrier(path: str) -> Carrier:
    """Find what reads and writes the tags of a file.

    Parameters
    ----------
    path : str

    Returns
    -------
    Carrier

    Raises
    ------
    NotCarriedError
        If no tags can be written into files of this kind, or it is not of the kind that its name
        tells.
    OpenError
        If it cannot be read.
    """
    kind = _kind(path)
    if kind is None:
        raise NotCarriedError(path, _why_no_kind(path))
    module, _, name = CARRIERS[kind].partition(":")
    carrier: Carrier = getattr(import_module(module), name)()
    return carrier


def _why_no_kind(path: str) -> str:
    name = NAMED.get(Path(path).suffix.lstrip(".").lower())
    if name is None:
        return "no tags can be written into files of its kind"
    return f"it does not begin as {name} files do: it is damaged, or named wrongly"


def _kind(path: str) -> str | None:
    try:
        with Path(path).open("rb") as file:
            head = file.read(HEAD_BYTES)
            if size := id3_size(head):
                file.seek(size)
                head = file.read(HEAD_BYTES)
                # Between a tag and the sound some programs leave a gap.
                return _by_head(head) or (None if head[:1] == b"\xff" else "mp3")
    except OSError as exc:
        raise OpenError(path, f"cannot be read: {exc.strerror}") from exc
    return _by_head(head)


def _by_head(head: bytes) -> str | None:
    form = head[:4] + head[8:12]
    if form == b"RIFFWAVE":
        return "wav"
    if form in (b"FORMAIFF", b"FORMAIFC"):
        return "aiff"
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"):
        return "mp4"
    for mark, kind in ((b"fLaC", "flac"), (b"OggS", "ogg"), (b"\x1aE\xdf\xa3", "matroska")):
        if head.startswith(mark):
            return kind
    # A frame of MPEG audio, layer III: eleven bits set, two of the version, then 01.
    is_mp3 = head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE6 == 0xE2
    return "mp3" if is_mp3 else None
