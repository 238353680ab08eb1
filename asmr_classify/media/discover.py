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
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Self

from asmr_classify.errors import UsageError
from asmr_classify.media.found import Found, Globs, Ignored, Reason, untold
from asmr_classify.media.recognise import (
    HEAD_BYTES,
    MEDIA_EXTENSIONS,
    extension_of,
    find_unfinished,
    is_media_by_head,
    is_media_by_name,
)
from asmr_classify.media.source import Url, as_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asmr_classify.media.found import Course


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
