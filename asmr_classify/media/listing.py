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
from asmr_classify.media.found import Found, Ignored, Mark, Reason, untold
from asmr_classify.media.recognise import (
    CONTROL_FILE,
    HEAD_BYTES,
    MEDIA_EXTENSIONS,
    extension_of,
    find_unfinished,
    is_media_by_head,
    is_media_by_name,
)
from asmr_classify.media.remote import is_ordered, iter_folder, look_at, match_names, read_head
from asmr_classify.media.source import WEB, Url

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from asmr_classify.media.found import Course, Globs
    from asmr_classify.media.remote import Entry

MARK_EVERY, MOST_FOLDERS = 1000, 1000
"""Files between two marks, as many as S3 tells at once; and folders that a mark may name."""

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
    marker: _Marker

    def below(self, url: Url) -> str:
        return url[len(self.root) :].lstrip("/")


def discover_url(
    url: Url, globs: Globs, seen: set[int], *, is_last: bool, course: Course | None = None
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
    course : Course, optional
        Told how far the search of a folder has come, where that can go on from there.

    Yields
    ------
    Found or Ignored
        In the order in which a folder of this machine gives them.
    """
    is_folder_of_all = not url.whole.partition("://")[2].strip("/")
    while url.whole.endswith("//") and url.scheme not in WEB and not is_folder_of_all:
        url = Url(url.whole[:-1])  # the folder is meant, and not one without a name in it
    search = _Search(url, globs, seen, is_last, _Marker(course))
    try:
        entry = look_at(url)
        if entry is None and url.scheme not in WEB and WILD.search(url):
            yield from _matching(url, globs, seen)
            return
    except StorageError:
        yield untold(url, seen)
        return
    if entry is None:
        is_named_so = extension_of(url.bare) in MEDIA_EXTENSIONS
        yield untold(url, seen) if is_named_so else Ignored(str(url), Reason.EMPTY)
    elif entry.is_folder:
        if not is_ordered(url):
            search.marker.stop()
        yield from _walk(url, search)
    elif globs.leaves_out(url):
        yield Ignored(str(url), Reason.EXCLUDED)
    else:
        yield _once(url, entry, search)


def _matching(pattern: Url, globs: Globs, seen: set[int]) -> Iterator[Found | Ignored]:
    """Judge what matches a pattern as if it lay in the folder before the first wildcard."""
    fixed = WILD.split(pattern.whole, maxsplit=1)[0]
    root = Url(fixed[: fixed.rindex("/") + 1])
    # It may match a folder and what is in it.
    search = _Search(root, globs, seen, is_last=False, marker=_Marker(None))
    entries = match_names(pattern)
    if not entries:
        yield Ignored(str(pattern), Reason.EMPTY)
    within = _path_of(root)
    for entry in entries:
        url = Url(root.whole + entry.path.lstrip("/").removeprefix(within).removeprefix("/"))
        found = _judge(url, entry, search, is_finished=not find_unfinished([_name(entry)]))
        if found is None:
            yield from _walk(url, search)
        else:
            yield found


def _path_of(root: Url) -> str:
    from asmr_classify.media.remote import connect

    return connect(root)[1].strip("/")


class _Marker:
    """Tells a course of about each thousandth file, once there is something behind it.

    Once something was not listed or looked at, it tells of nothing more: whoever went on behind
    that would never find what is there.
    """

    def __init__(self, course: Course | None) -> None:
        self._course = course
        self._n_given = 0
        self._mark: Mark | None = None

    def begin(self, folder: Url) -> tuple[list[Url], str, dict[Url, None]]:
        """Give folders to search, after what in the last of them, and those found beside that."""
        start = None if self._course is None else self._course.start
        if start is None:
            return [folder], "", {}
        return [*map(Url, start.folders)], start.after, dict.fromkeys(map(Url, start.found))

    def tell(self) -> None:
        """Tell of the last mark, now that something comes after it."""
        if self._mark is not None and self._course is not None:
            self._course.on_reached(self._mark)
        self._mark = None

    def stop(self) -> None:
        """Tell of nothing that comes from here on."""
        self.tell()
        self._course = None

    def count(self) -> None:
        """Count a file that was given."""
        self._n_given += 1

    @property
    def is_due(self) -> bool:
        """Whether a mark is wanted."""
        return self._course is not None and self._n_given >= MARK_EVERY

    def note(self, after: str, stack: Sequence[Url], folders: Collection[Url] = ()) -> None:
        """Note a place in a folder, unless that would have to name too many folders."""
        self._n_given = 0
        if len(stack) + len(folders) <= MOST_FOLDERS:
            self._mark = Mark(after, tuple(x.whole for x in stack), tuple(x.whole for x in folders))


def _walk(folder: Url, search: _Search) -> Iterator[Found | Ignored]:
    """Search a folder depth first, by name."""
    marker = search.marker
    stack, after, folders = marker.begin(folder)
    while stack:
        current = stack.pop()
        try:
            for entry, is_finished, is_settled in _iter_finished(iter_folder(current, after)):
                marker.tell()
                url = _child(current, entry)
                found = _judge(url, entry, search, is_finished=is_finished)
                if found is None:
                    folders[url] = None  # once, be it on both sides of a mark
                    continue
                yield found
                marker.count()
                if is_settled and marker.is_due:
                    marker.note(entry.path, (*stack, current), folders)
        except StorageError:
            marker.stop()
            yield Ignored(str(current), Reason.UNREADABLE)
        stack += reversed(folders)
        after, folders = "", {}
        if marker.is_due:
            marker.note("", stack)


def _iter_finished(entries: Iterable[Entry]) -> Iterator[tuple[Entry, bool, bool]]:
    """Yield what lies in a folder, whether it is no download under way, and whether it is in order.

    It is in order if all files of names before it were given, and none of those behind.

    A file waits until that which aria2 keeps beside it cannot come any more: only names of files
    that begin like its own lie between. They are not held for it, so few are at any time, however
    many there are, and come before it.
    """
    waiting: list[Entry] = []
    last = ""
    for entry in entries:
        under_way = find_unfinished([_name(entry)])
        still = [other for other in waiting if _is_before_control(entry, other)]
        for other in waiting:
            if other not in still:
                yield other, _name(other) not in under_way, not still and other.path > last
                last = max(last, other.path)
        waiting = still
        if entry.is_folder or _name(entry) in under_way:
            last = last if entry.is_folder else entry.path
            yield entry, entry.is_folder, False
        else:
            waiting.append(entry)
    for entry in waiting:
        yield entry, True, entry.path > last


def _is_before_control(entry: Entry, other: Entry) -> bool:
    """Whether a name comes before that of what aria2 keeps beside the other.

    That of a folder may come before the other's own: S3 lists it with a slash behind it, so that
    ``a/`` is told after ``a.mp3``, on a later page at times, and stands before all files there.
    """
    name, control = _name(entry), _name(other) + CONTROL_FILE
    return name.lower() != control.lower() and name < control


def _name(entry: Entry) -> str:
    return entry.path.rpartition("/")[2]


def _child(folder: Url, entry: Entry) -> Url:
    slash = "" if folder.whole.endswith("/") else "/"
    return Url(f"{folder.whole}{slash}{_name(entry) or '/'}")


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
    elif not _looks_like_media(url, entry, search.marker):
        reason = Reason.NOT_MEDIA
    return _once(url, entry, search) if reason is None else Ignored(str(url), reason)


def _once(url: Url, entry: Entry, search: _Search) -> Found | Ignored:
    key = hash(url)  # of what is shown: the same object may be signed twice
    if key in search.seen:
        return Ignored(str(url), Reason.DUPLICATE)
    if not search.is_last:
        search.seen.add(key)
    return Found(Url(url.whole, entry.size), entry.size, version=entry.version)


def _looks_like_media(url: Url, entry: Entry, marker: _Marker) -> bool:
    by_name = is_media_by_name(url)
    if by_name is not None or not entry.size:
        return bool(by_name)
    try:
        return is_media_by_head(read_head(url, min(HEAD_BYTES, entry.size)))
    except StorageError:  # whoever opens it tells why
        marker.stop()
        return True
