"""What lies at an address in storage: searched and judged as folders of this machine are.

A folder is a common beginning of names up to a slash. It is listed level by level, so that what is
hidden or excluded is not listed at all, and no more of it is held than one level.

Where storage does not tell what lies at an address that is named, that address is given as a file:
whoever opens it is told why, and the run has a result that says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asmr_classify.errors import StorageError
from asmr_classify.media.discover import (
    HEAD_BYTES,
    MEDIA_EXTENSIONS,
    Found,
    Ignored,
    Reason,
    extension_of,
    find_unfinished,
    is_media_by_head,
    is_media_by_name,
)
from asmr_classify.media.remote import list_folder, look_at, match_names, read_head
from asmr_classify.media.source import WEB, Url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asmr_classify.media.discover import Globs
    from asmr_classify.media.remote import Entry

WILD = re.compile(r"[*?\[]")
"""What makes an address a pattern, unless an object is called just so."""


@dataclass(frozen=True, slots=True)
class _Search:
    """What holds for all that is found from one address on: where it begins, and what is wanted."""

    root: Url
    globs: Globs
    seen: set[int]

    def below(self, url: Url) -> str:
        return url[len(self.root) :].lstrip("/")


def discover_url(url: Url, globs: Globs, seen: set[int]) -> Iterator[Found | Ignored]:
    """Find what to label at an address: an object, all below a folder, or what matches a pattern.

    Parameters
    ----------
    url : Url
    globs : Globs
    seen : set of int
        Hashes of what was found already; added to.

    Yields
    ------
    Found or Ignored
        In the order in which a folder of this machine gives them.
    """
    search = _Search(url, globs, seen)
    try:
        entry = look_at(url)
        if entry is None and url.scheme not in WEB and WILD.search(url):
            yield from _matching(url, globs, seen)
            return
    except StorageError:
        yield Found(url, 0)
        return
    if entry is None:
        is_named_so = extension_of(url) in MEDIA_EXTENSIONS
        yield Found(url, 0) if is_named_so else Ignored(str(url), Reason.EMPTY)
    elif entry.is_folder:
        yield from _walk(url, search)
    elif globs.leaves_out(url):
        yield Ignored(str(url), Reason.EXCLUDED)
    else:
        yield _once(url, entry, search)


def _matching(pattern: Url, globs: Globs, seen: set[int]) -> Iterator[Found | Ignored]:
    """Judge what matches a pattern as if it lay in the folder before the first wildcard."""
    fixed = WILD.split(pattern.whole, maxsplit=1)[0]
    root = Url(fixed[: fixed.rindex("/") + 1])
    search = _Search(root, globs, seen)
    entries = match_names(pattern)
    if not entries:
        yield Ignored(str(pattern), Reason.EMPTY)
    within = _path_of(root)
    for entry in entries:
        url = Url(root.whole + entry.path.lstrip("/").removeprefix(within).lstrip("/"))
        found = _judge(url, entry, search, is_finished=not find_unfinished([_name(entry)]))
        if found is None:
            yield from _walk(url, search)
        else:
            yield found


def _path_of(root: Url) -> str:
    from asmr_classify.media.remote import connect

    return connect(root)[1].strip("/")


def _walk(folder: Url, search: _Search) -> Iterator[Found | Ignored]:
    """Search a folder depth first, by name."""
    stack = [folder]
    while stack:
        current = stack.pop()
        try:
            entries = list_folder(current)
        except StorageError:
            yield Ignored(str(current), Reason.UNREADABLE)
            continue
        folders = []
        under_way = find_unfinished(map(_name, entries))
        for entry in entries:
            url = _child(current, entry)
            found = _judge(url, entry, search, is_finished=_name(entry) not in under_way)
            if found is None:
                folders.append(url)
            else:
                yield found
        stack += reversed(folders)


def _name(entry: Entry) -> str:
    return entry.path.rpartition("/")[2]


def _child(folder: Url, entry: Entry) -> Url:
    slash = "" if folder.whole.endswith("/") else "/"
    return Url(f"{folder.whole}{slash}{_name(entry)}")


def _judge(url: Url, entry: Entry, search: _Search, *, is_finished: bool) -> Found | Ignored | None:
    """Judge what lies in a folder; None for a folder to be searched."""
    below, reason = search.below(url), None
    if _name(entry).startswith("."):
        reason = Reason.HIDDEN
    elif search.globs.leaves_out(below):
        reason = Reason.EXCLUDED
    elif entry.is_folder:
        return None
    elif not search.globs.wants(below):
        reason = Reason.EXCLUDED
    elif not is_finished:
        reason = Reason.UNFINISHED
    elif not _looks_like_media(url, entry):
        reason = Reason.NOT_MEDIA
    return _once(url, entry, search) if reason is None else Ignored(str(url), reason)


def _once(url: Url, entry: Entry, search: _Search) -> Found | Ignored:
    key = hash(url.whole)
    if key in search.seen:
        return Ignored(str(url), Reason.DUPLICATE)
    search.seen.add(key)
    return Found(Url(url.whole, entry.size), entry.size, version=entry.version)


def _looks_like_media(url: Url, entry: Entry) -> bool:
    by_name = is_media_by_name(url)
    if by_name is not None or not entry.size:
        return bool(by_name)
    try:
        return is_media_by_head(read_head(url, min(HEAD_BYTES, entry.size)))
    except StorageError:
        return False
