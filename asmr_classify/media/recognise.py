"""Which files are media, and which are downloads under way, by their names and first bytes."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MEDIA_EXTENSIONS = frozenset(
    "3g2 3gp aac ac3 aif aifc aiff amr ape asf au avi caf divx dff dsf dts eac3 evo f4v flac flv "
    "m2t m2ts m4a m4b m4r m4v mka mkv mov mp2 mp3 mp4 mpc mpe mpeg mpg mts mxf oga ogg ogm ogv "
    "opus ra rf64 rm rmvb snd spx tak tod trp tta vob voc w64 wav wave webm wma wmv wtv wv".split()
)
"""Not ``ts`` and ``mod``, which are programs and music of trackers as well: by content."""

UNFINISHED_EXTENSIONS = frozenset(
    "!qb !ut aria2 bc! crdownload download dtapart fdmdownload opdownload part partial td tmp "
    "ytdl".split()
)
"""What browsers and downloaders call a file until it is all there."""

UNFINISHED_FRAGMENT = re.compile(r"\.part-frag\d+(\.part)?$", re.IGNORECASE)
"""What yt-dlp calls one of the pieces that it puts together."""

CONTROL_FILE = ".aria2"
"""aria2 keeps this beside a download while it is under way, with the name of that in front."""

OTHER_EXTENSIONS = frozenset(
    "7z ass avif bmp bz2 c cfg conf css csv cue db doc docx epub gif gz heic htm html ico ini jpeg "
    "jpg js json jsonl log lrc m3u m3u8 md nfo npy npz odt parquet pdf pkl pls png ppt pptx psd "
    "py rar raw rtf sh sqlite srt ssa sub svg tar tif tiff toml torrent tsv ttf txt url vtt webp "
    "xls xlsx xml xz yaml yml zip".split()
)
"""Extensions of what is known to hold no sound; such files are not even opened."""

SIGNATURES = (
    (0, b"RIFF"), (0, b"RF64"), (0, b"FORM"), (0, b"fLaC"), (0, b"OggS"), (0, b"ID3"),
    (4, b"ftyp"), (4, b"moov"), (4, b"mdat"), (0, b"\x1aE\xdf\xa3"), (0, b"\x30\x26\xb2\x75"),
    (0, b"caff"), (0, b".snd"), (0, b"FLV\x01"), (0, b"wvpk"), (0, b"MAC "), (0, b"#!AMR"),
    (0, b".RMF"), (0, b"\x00\x00\x01\xba"), (0, b"\xff\xfb"), (0, b"\xff\xf3"), (0, b"\xff\xf1"),
    (0, b"\xff\xf9"), (0, b"TTA1"), (0, b"DSD "), (0, b"MPCK"), (0, b"MP+"), (0, b"riff"),
)  # fmt: skip
"""Offsets and first bytes of media formats."""

TS_PACKETS = ((0, 188), (4, 192), (0, 204))
"""Where the first packet of an MPEG transport stream begins, and how long each is: as broadcast,
with the time before it as cameras and Blu-ray have it, with check bytes behind it."""

TS_SYNC, TS_LOOKED_AT = ord("G"), 3
"""Each packet begins with this byte; so many that do are no chance."""

HEAD_BYTES = 4 + TS_LOOKED_AT * 204
"""So much of a file of unknown kind is read."""

NOT_SOUND = (b"WEBP", b"ANI ", b"ILBM")
"""What RIFF and FORM files may be instead, at offset 8."""


def extension_of(name: str) -> str:
    """Give the extension of a name in small letters, without the dot; empty if it has none."""
    return os.path.splitext(name)[1].lstrip(".").lower()  # noqa: PTH122 (of any name)


def is_media_by_name(name: str) -> bool | None:
    """Tell by its extension whether a file is media; None where that does not tell."""
    extension = extension_of(name)
    if extension in MEDIA_EXTENSIONS:
        return True
    return False if extension in OTHER_EXTENSIONS else None


def is_media_by_head(head: bytes) -> bool:
    """Tell by its first bytes, :data:`HEAD_BYTES` of them, whether a file looks like media."""
    if head[8:12] in NOT_SOUND:
        return False
    is_signed = any(head[offset : offset + len(mark)] == mark for offset, mark in SIGNATURES)
    return is_signed or _is_transport_stream(head)


def _is_transport_stream(head: bytes) -> bool:
    """Tell by the bytes that packets begin with; a short file has fewer to look at."""
    for start, step in TS_PACKETS:
        syncs = head[start::step][:TS_LOOKED_AT]
        if len(syncs) == TS_LOOKED_AT and set(syncs) == {TS_SYNC}:
            return True
    return False


def find_unfinished(names: Iterable[str]) -> set[str]:
    """Find the names, of those in one folder, of downloads that are under way."""
    unfinished = set()
    for name in names:
        if name.lower().endswith(CONTROL_FILE):
            unfinished.add(name[: -len(CONTROL_FILE)])
        if extension_of(name) in UNFINISHED_EXTENSIONS or UNFINISHED_FRAGMENT.search(name):
            unfinished.add(name)
    return unfinished
