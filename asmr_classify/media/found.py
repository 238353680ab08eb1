"""What a search is told, and what it tells: files that were found, and what was passed over."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase


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


def untold(path: str, seen: set[int]) -> Found | Ignored:
    """Find what was named and cannot be looked at, once: whoever opens it tells why."""
    key = hash(path)
    if key in seen:
        return Ignored(str(path), Reason.DUPLICATE)
    seen.add(key)
    return Found(path, 0)
