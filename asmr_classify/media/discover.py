"""What to label: files as they are named, and what folders hold.

A file that is named is always taken, whatever its name says, so that a wrong one ends as a
message and not in silence; a folder is searched for what looks like media, by extension or, where
that is unknown, by content. Downloads that are under way are left alone there. Special files are
never opened: reading a FIFO would wait for ever.

Addresses of storage (``s3://bucket/prefix``) are searched likewise, see
:mod:`asmr_classify.media.listing`.

Globs are matched against the path below the folder that is searched, and against the bare name,
without regard to case; ``*`` also matches ``/``.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, BinaryIO, Self

from asmr_classify.errors import UsageError
from asmr_classify.media.source import Url, as_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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


class Reason(StrEnum):
    """Why a file is ignored."""

    NOT_MEDIA = "not media"
    EXCLUDED = "excluded"
    HIDDEN = "hidden"
    SPECIAL = "special file"
    LOOP = "link loop"
    DUPLICATE = "named twice"
    UNREADABLE = "unreadable folder"
    UNFINISHED = "unfinished download"
    EMPTY = "nothing at this address"


@dataclass(frozen=True, slots=True)
class Found:
    """A file to label.

    Parameters
    ----------
    path : str
        Of an object in storage a :class:`~asmr_classify.media.source.Url`.
    size : int
        In bytes; 0 where unknown.
    mtime_ns, ctime_ns : int
        When the content and when the file's entry were last changed, in nanoseconds since 1970;
        0 where unknown, and in storage.
    version : str
        In storage what changes with the content: the ETag, else a time; empty where unknown.
    """

    path: str
    size: int
    mtime_ns: int = 0
    ctime_ns: int = 0
    version: str = ""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A file or folder that is passed over, and why."""

    path: str
    reason: Reason


class Course:
    """How far a search has come, told in such a way that another can go on from there.

    Only storage that lists in the order of names knows of it, where a single folder is searched;
    elsewhere nothing is told, and all is searched.

    Parameters
    ----------
    start : Mark, optional
        Go on from there.
    """

    def __init__(self, start: Mark | None = None) -> None:
        self.start = start

    def on_reached(self, mark: Mark) -> None:
        """Learn that all is given that comes before, and that there is something behind."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the search of a folder.

    Parameters
    ----------
    after : str
        Path of the last file that was given; empty where a folder is to be begun.
    folders : tuple of str
        Addresses of folders that are still to be searched, the last one first: the one that the
        file lies in.
    found : tuple of str
        Of those that were found beside the file so far.
    """

    after: str
    folders: tuple[str, ...]
    found: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Globs:
    """Which files of a folder are wanted.

    Parameters
    ----------
    include : tuple of str
        If any are given, only files that match one are taken.
    exclude : tuple of str
        Files and folders that match one are left out.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def wants(self, path: str) -> bool:
        """Whether a file is wanted."""
        return not self.leaves_out(path) and (not self.include or _matches(path, self.include))

    def leaves_out(self, path: str) -> bool:
        """Whether a file or folder is excluded."""
        return _matches(path, self.exclude)


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    path = path.replace(os.sep, "/").lower()
    names = (path, path.rsplit("/", 1)[-1])
    return any(fnmatchcase(name, pattern.lower()) for pattern in patterns for name in names)


def discover(
    paths: Sequence[str],
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    course: Course | None = None,
) -> Iterator[Found | Ignored]:
    """Find what to label, one file at a time and in a stable order.

    Parameters
    ----------
    paths : sequence of str
        Files, and folders to be searched with all below them; addresses of storage too.
    include, exclude : sequence of str
        Globs for files, see above.
    course : Course, optional
        Told how far the search has come.

    Yields
    ------
    Found or Ignored
        Every file once, though it be named twice. Links to files and folders are followed, but
        not into a folder that is being searched or was.
    """
    globs = Globs(tuple(include), tuple(exclude))
    seen: set[int] = set()
    for number, path in enumerate(map(as_source, paths), 1):
        if isinstance(path, Url):
            from asmr_classify.media.listing import discover_url

            alone = course if len(paths) == 1 else None
            yield from discover_url(path, globs, seen, is_last=number == len(paths), course=alone)
            continue
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            yield untold(path, seen)
            continue
        if stat.S_ISDIR(status.st_mode):
            seen.add(hash((status.st_dev, status.st_ino)))
            yield from _walk(path, path, globs, seen)
        elif globs.leaves_out(path):
            yield Ignored(path, Reason.EXCLUDED)
        else:
            yield _once(path, os.path.realpath(path), status, seen)


def untold(path: str, seen: set[int]) -> Found | Ignored:
    """Find what was named and cannot be looked at, once: whoever opens it tells why."""
    key = hash(path)
    if key in seen:
        return Ignored(str(path), Reason.DUPLICATE)
    seen.add(key)
    return Found(path, 0)


def _walk(folder: str, root: str, globs: Globs, seen: set[int]) -> Iterator[Found | Ignored]:
    """Search a folder depth first, by name; folders are kept on a stack, not on the call stack."""
    stack = [folder]
    while stack:
        current = stack.pop()
        try:
            with os.scandir(current) as entries:
                ordered = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            yield Ignored(current, Reason.UNREADABLE)
            continue
        folders = []
        place = _Place.of(current, root)
        under_way = find_unfinished(entry.name for entry in ordered)
        for entry in ordered:
            found = _look_at(entry, place, globs, seen, is_finished=entry.name not in under_way)
            if found is None:
                folders.append(entry.path)
            else:
                yield found
        stack += reversed(folders)


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder: its path below the root of the search, and its real path; each to put names to."""

    below: str
    real: str

    @classmethod
    def of(cls, folder: str, root: str) -> Self:
        below = os.path.relpath(folder, root)
        return cls(
            "" if below == os.curdir else os.path.join(below, ""),
            os.path.join(os.path.realpath(folder), ""),
        )


def find_unfinished(names: Iterable[str]) -> set[str]:
    """Find the names, of those in one folder, of downloads that are under way."""
    unfinished = set()
    for name in names:
        if name.lower().endswith(CONTROL_FILE):
            unfinished.add(name[: -len(CONTROL_FILE)])
        if extension_of(name) in UNFINISHED_EXTENSIONS or UNFINISHED_FRAGMENT.search(name):
            unfinished.add(name)
    return unfinished


def _look_at(
    entry: os.DirEntry[str], place: _Place, globs: Globs, seen: set[int], *, is_finished: bool
) -> Found | Ignored | None:
    """Judge one entry of a folder; None for a folder to be searched."""
    below = place.below + entry.name
    if entry.name.startswith("."):
        return Ignored(entry.path, Reason.HIDDEN)
    if globs.leaves_out(below):
        return Ignored(entry.path, Reason.EXCLUDED)
    try:
        status = entry.stat()
        if stat.S_ISDIR(status.st_mode):
            status = os.stat(entry.path)  # on Windows, an entry tells no inode
    except OSError:  # a dangling link, or gone since the folder was read
        is_media = extension_of(entry.name) in MEDIA_EXTENSIONS
        return Found(entry.path, 0) if is_media else Ignored(entry.path, Reason.NOT_MEDIA)
    if not stat.S_ISDIR(status.st_mode):
        real = os.path.realpath(entry.path) if entry.is_symlink() else place.real + entry.name
        reason = None if globs.wants(below) else Reason.EXCLUDED
        reason = reason or (None if is_finished else Reason.UNFINISHED)
        return _look_at_file(entry.path, real, status, seen, reason)
    key = hash((status.st_dev, status.st_ino))
    if key in seen:
        return Ignored(entry.path, Reason.LOOP)
    seen.add(key)
    return None


def _look_at_file(
    path: str, real: str, status: os.stat_result, seen: set[int], reason: Reason | None
) -> Found | Ignored:
    """Judge a file, unless there is a reason already to pass it over."""
    if reason is not None:
        return Ignored(path, reason)
    if stat.S_ISREG(status.st_mode) and not _looks_like_media(path):
        return Ignored(path, Reason.NOT_MEDIA)
    return _once(path, real, status, seen)


def _once(path: str, real: str, status: os.stat_result, seen: set[int]) -> Found | Ignored:
    if not stat.S_ISREG(status.st_mode):
        return Ignored(path, Reason.SPECIAL)
    # Hard links are files of their own, with names of their own; only a link or a second
    # mention of the same name is a duplicate.
    key = hash(real)
    if key in seen:
        return Ignored(path, Reason.DUPLICATE)
    seen.add(key)
    return Found(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def extension_of(name: str) -> str:
    """Give the extension of a name in small letters, without the dot; empty if it has none."""
    return os.path.splitext(name)[1].lstrip(".").lower()


def _looks_like_media(path: str) -> bool:
    """Tell by extension, or by the first bytes where the extension is unknown."""
    by_name = is_media_by_name(path)
    if by_name is not None:
        return by_name
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    return is_media_by_head(head)


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


def read_paths(stream: BinaryIO, *, separator: bytes = b"\n") -> list[str]:
    """Read a list of paths, one a line or separated by NUL bytes.

    Parameters
    ----------
    stream : binary file
    separator : bytes
        A newline, or a NUL byte for names that may hold newlines.

    Returns
    -------
    list of str
        Names that are not UTF-8 are surrogate-escaped, as everywhere in Python.

    Raises
    ------
    UsageError
        If lines hold NUL bytes, as those of UTF-16 do.
    """
    content = stream.read()
    if separator == b"\n":
        if b"\0" in content:
            raise UsageError(
                "the list of paths holds NUL bytes: save it as UTF-8, or give --null if paths "
                "end in them"
            )
        content = content.removeprefix(codecs.BOM_UTF8)
    parts = content.split(separator)
    if separator == b"\n":
        parts = [part.removesuffix(b"\r") for part in parts]
    return [os.fsdecode(part) for part in parts if part]
