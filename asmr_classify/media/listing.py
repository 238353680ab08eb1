"""What lies at an address in storage: searched and judged as folders of this machine are.

A folder is a common beginning of names up to a slash. It is listed level by level, so that what is
hidden or excluded is not listed at all, and no more of it is held than one level; of S3 no more
than a thousand names, and the folders that are still to be searched.

Where storage does not tell what lies at an address that is named, that address is given as a file:
whoever opens it is told why, and the run has a result that says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asmr_classify.errors import StorageError
from asmr_classify.media.discover import (
    CONTROL_FILE,
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
from asmr_classify.media.remote import iter_folder, look_at, match_names, read_head
from asmr_classify.media.source import WEB, Url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asmr_classify.media.discover import Globs
    from asmr_classify.media.remote import Entry

WILD = re.compile(r"[*?\[]")
"""What makes an address a pattern, unless an object is called just so."""


@dataclass(frozen=True, slots=True)
class _Search:
    """What holds for all that is found from one address on: where it begins, and what is wanted.

    Where nothing can be found again, it is not noted that it was: that would be all that grows.
    """

    root: Url
    globs: Globs
    seen: set[int]
    is_last: bool

    def below(self, url: Url) -> str:
        return url[len(self.root) :].lstrip("/")


def discover_url(
    url: Url, globs: Globs, seen: set[int], *, is_last: bool
) -> Iterator[Found | Ignored]:
    """Find what to label at an address: an object, all below a folder, or what matches a pattern.

    Parameters
    ----------
    url : Url
    globs : Globs
    seen : set of int
        Hashes of what was found already; added to.
    is_last : bool
        Whether nothing else is searched afterwards.

    Yields
    ------
    Found or Ignored
        In the order in which a folder of this machine gives them.
    """
    search = _Search(url, globs, seen, is_last)
    try:
        entry = look_at(url)
        if entry is None and url.scheme not in WEB and WILD.search(url):
            yield from _matching(url, globs, seen)
            return
    except StorageError:
        yield Found(url, 0)
        return
    if entry is None:
        is_named_so = extension_of(url.bare) in MEDIA_EXTENSIONS
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
    search = _Search(root, globs, seen, is_last=False)  # it may match a folder and what is in it
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
        current, folders = stack.pop(), []
        try:
            for entry, is_finished in _iter_finished(iter_folder(current)):
                url = _child(current, entry)
                found = _judge(url, entry, search, is_finished=is_finished)
                if found is None:
                    folders.append(url)
                else:
                    yield found
        except StorageError:
            yield Ignored(str(current), Reason.UNREADABLE)
        stack += reversed(folders)


def _iter_finished(entries: Iterable[Entry]) -> Iterator[tuple[Entry, bool]]:
    """Yield what lies in a folder, and whether it is no download under way.

    A file waits until that which aria2 keeps beside it cannot come any more: only names that begin
    like its own lie between. They are not held for it, so few are at any time, however many there
    are, and come before it.
    """
    waiting: list[Entry] = []
    for entry in entries:
        under_way = find_unfinished([_name(entry)])
        still = [other for other in waiting if _is_before_control(entry, other)]
        for other in waiting:
            if other not in still:
                yield other, _name(other) not in under_way
        waiting = still
        if entry.is_folder or _name(entry) in under_way:
            yield entry, entry.is_folder
        else:
            waiting.append(entry)
    for entry in waiting:
        yield entry, True


def _is_before_control(entry: Entry, other: Entry) -> bool:
    """Whether a name comes before that of what aria2 keeps beside the other."""
    name, control = _name(entry), _name(other) + CONTROL_FILE
    return name.startswith(_name(other)) and name.lower() != control.lower() and name < control


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
    key = hash(url)  # of what is shown: the same object may be signed twice
    if key in search.seen:
        return Ignored(str(url), Reason.DUPLICATE)
    if not search.is_last:
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
