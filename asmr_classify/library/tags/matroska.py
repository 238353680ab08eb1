"""Tags and chapters in Matroska and WebM.

FFmpeg can only write such a file anew, and then changes much of it: the name of the writer, the
identity of file and tracks, the case of tag names, statistics, what it does not know. Therefore
only three elements are touched here: ``Tags`` (and ``Chapters``), which are put in their old place
where there is room, else at the end of the file; ``SeekHead``, the table that tells where they
are; and the size of the ``Segment``. No other byte moves, so that positions in ``Cues`` stay true.

Our fields are in a ``Tag`` of their own for the whole file. It stands first: of two values of one
name FFmpeg and mpv show the last, which is the user's.

References
----------
RFC 9559 (Matroska), RFC 8794 (EBML).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from asmr_classify.errors import NotCarriedError, TagError
from asmr_classify.library.tags import ebml
from asmr_classify.library.tags.fields import FIELD_NAMES
from asmr_classify.library.tags.state import Chapter, TagState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EBML_HEADER, SEGMENT = 0x1A45DFA3, 0x18538067
SEEK_HEAD, SEEK, SEEK_ID, SEEK_POSITION = 0x114D9B74, 0x4DBB, 0x53AB, 0x53AC
TAGS, TAG, TARGETS, SIMPLE_TAG = 0x1254C367, 0x7373, 0x63C0, 0x67C8
TAG_NAME, TAG_STRING, TARGET_VALUE, TARGET_TYPE = 0x45A3, 0x4487, 0x68CA, 0x63CA
CHAPTERS, EDITION, ATOM, CHAPTER_UID = 0x1043A770, 0x45B9, 0xB6, 0x73C4
TIME_START, TIME_END, DISPLAY, CHAPTER_STRING, CHAPTER_LANGUAGE = 0x91, 0x92, 0x80, 0x85, 0x437C

MEANINGLESS = frozenset((ebml.VOID, ebml.CRC32))
"""What is left out where a tag is put together anew."""

GENRE, COMMENT = "GENRE", "COMMENT"
HEAD_BYTES = 12
"""The longest head of an element: four bytes of id, eight of size."""

NS_PER_MS = 1_000_000


class Matroska:
    """Tags of MKV and WebM files."""

    name = "Matroska"
    max_chapters = 10_000

    def read(self, path: str) -> TagState:
        """Read the tags of a file; see :class:`~asmr_classify.library.tags.state.Carrier`."""
        with _Translating(path):
            layout = _Layout.of(path)
            simple = list(_iter_simple_tags(layout.content(TAGS)))
            chapters = tuple(_iter_chapters(layout.content(CHAPTERS)))
        return TagState(
            fields={name: value for name, value in simple if name in FIELD_NAMES},
            genre=tuple(value for name, value in simple if name == GENRE),
            comment=tuple(value for name, value in simple if name == COMMENT),
            chapters=chapters,
        )

    def check(self, path: str, before: TagState, after: TagState) -> None:
        """Check that these tags find room."""
        with _Translating(path):
            _plan_writes(_Layout.of(path), before, after)

    def write(self, path: str, before: TagState, after: TagState) -> None:
        """Change the tags of a copy of a file."""
        with _Translating(path):
            layout = _Layout.of(path)
            writes = _plan_writes(layout, before, after)
        with Path(path).open("r+b") as file:
            for start, data in writes.overwrites:
                file.seek(start)
                file.write(data)
            file.truncate(writes.end)
            file.seek(writes.end)
            file.write(writes.appended)


class _Translating:
    """Gives errors of the format the name of the file."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, exc: BaseException | None, traceback: object) -> None:
        if isinstance(exc, _CannotPlaceError):
            raise NotCarriedError(self._path, str(exc)) from exc
        if isinstance(exc, (ValueError, OverflowError)):
            raise TagError(
                self._path, f"is no sound Matroska file ({exc}); it may be damaged"
            ) from exc


class _CannotPlaceError(Exception):
    """The file gives no room for what is to be written."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """The elements of a file's only segment, heads read, content where it is needed."""

    path: str
    size: int
    segment: ebml.Element
    children: tuple[ebml.Element, ...]

    @classmethod
    def of(cls, path: str) -> _Layout:
        size = Path(path).stat().st_size
        header = _read_head(path, 0)
        if header.id != EBML_HEADER:
            raise ValueError("it begins with something else")
        segment = _read_head(path, header.end)
        if segment.id != SEGMENT:
            raise ValueError("no segment follows the header")
        if segment.end != size:
            raise _CannotPlaceError(_why_not_whole(segment.end, size))
        children = tuple(_iter_children(path, segment))
        if any(child.id == ebml.CRC32 for child in children):
            raise _CannotPlaceError("its whole segment has a checksum")
        return cls(path, size, segment, children)

    def of_id(self, element_id: int) -> list[ebml.Element]:
        return [child for child in self.children if child.id == element_id]

    def only(self, element_id: int) -> ebml.Element | None:
        found = self.of_id(element_id)
        if len(found) > 1:
            raise _CannotPlaceError(f"it has {len(found)} elements of id {element_id:X}")
        return found[0] if found else None

    def content(self, element_id: int) -> bytes:
        element = self.only(element_id)
        return b"" if element is None else self.read(element.data, element.end)

    def read(self, start: int, end: int) -> bytes:
        with open(self.path, "rb") as file:
            file.seek(start)
            return file.read(end - start)

    def room_end(self, element: ebml.Element) -> int:
        """End of the empty elements that follow an element."""
        end = element.end
        for child in self.children[self.children.index(element) + 1 :]:
            if child.id != ebml.VOID:
                break
            end = child.end
        return end


def _why_not_whole(end: int, size: int) -> str:
    if end < 0:
        return "its length is left open, as in a live recording"
    return "it is cut short" if end > size else "something follows its segment"


def _read_head(path: str, at: int) -> ebml.Element:
    with Path(path).open("rb") as file:
        file.seek(at)
        return ebml.read_element(file.read(HEAD_BYTES), offset=at)


def _iter_children(path: str, segment: ebml.Element) -> Iterator[ebml.Element]:
    at = segment.data
    with Path(path).open("rb") as file:
        while at < segment.end:
            file.seek(at)
            element = ebml.read_element(file.read(HEAD_BYTES), offset=at)
            if element.end < 0:
                raise _CannotPlaceError("a cluster's length is left open, as in a live recording")
            if element.end > segment.end:
                raise ValueError("an element reaches beyond the segment")
            yield element
            at = element.end


def _children(content: bytes) -> dict[int, bytes]:
    return {
        element.id: content[element.data : element.end] for element in ebml.iter_elements(content)
    }


@dataclass(frozen=True, slots=True)
class _Part:
    """An element of a tag as it is; of a simple tag whose value is text, name and value."""

    id: int
    raw: bytes
    pair: tuple[str, str] | None = None

    @property
    def is_ours(self) -> bool:
        return self.pair is not None and self.pair[0] in FIELD_NAMES


def _iter_tags(content: bytes) -> Iterator[tuple[bytes, list[_Part]]]:
    """Give each tag as it is, and the parts of those that are for the whole file."""
    content = ebml.split_checksum(content)[1]
    for element in ebml.iter_elements(content):
        inner = content[element.data : element.end]
        raw = content[element.start : element.end]
        yield raw, list(_iter_parts(inner)) if _is_global(inner) else []


def _is_global(tag: bytes) -> bool:
    targets = _children(_children(tag).get(TARGETS, b""))
    return not set(targets) - {TARGET_VALUE, TARGET_TYPE, ebml.VOID, ebml.CRC32}


def _iter_parts(tag: bytes) -> Iterator[_Part]:
    for element in ebml.iter_elements(tag):
        pair = None
        if element.id == SIMPLE_TAG:
            simple = _children(tag[element.data : element.end])
            name = simple.get(TAG_NAME, b"").rstrip(b"\0").decode("utf-8", "replace")
            if TAG_STRING in simple:
                pair = name, simple[TAG_STRING].rstrip(b"\0").decode("utf-8", "replace")
        yield _Part(element.id, tag[element.start : element.end], pair)


def _iter_simple_tags(content: bytes) -> Iterator[tuple[str, str]]:
    for _, parts in _iter_tags(content):
        yield from (part.pair for part in parts if part.pair is not None)


def _iter_chapters(content: bytes) -> Iterator[Chapter]:
    content = ebml.split_checksum(content)[1]
    for edition in ebml.iter_elements(content):
        if edition.id == EDITION:
            inner = content[edition.data : edition.end]
            for atom in ebml.iter_elements(inner):
                if atom.id == ATOM:
                    yield _chapter(_children(inner[atom.data : atom.end]))


def _chapter(atom: dict[int, bytes]) -> Chapter:
    start = int.from_bytes(atom.get(TIME_START, b""), "big") // NS_PER_MS
    end = int.from_bytes(atom[TIME_END], "big") // NS_PER_MS if TIME_END in atom else start
    title = _children(atom.get(DISPLAY, b"")).get(CHAPTER_STRING, b"").decode("utf-8", "replace")
    return Chapter(start, end, title)


def _tags_content(content: bytes, before: TagState, after: TagState) -> bytes:
    """Content of ``Tags``: our tag first, and in it what is not ours, then all others as they are.

    FFmpeg joins all tags for the whole file, so that what is the user's may stand among ours.
    """
    shown: list[_Part] = []
    others = []
    for raw, parts in _iter_tags(content):
        if any(part.is_ours for part in parts):
            shown += [part for part in parts if not (part.is_ours or part.id in MEANINGLESS)]
        else:
            others.append(raw)
    targets = {part.raw for part in shown if part.id == TARGETS} or {ebml.render(TARGETS, b"")}
    if len(targets) > 1:
        raise _CannotPlaceError("its tags are mixed with ours")
    added = list(after.fields.items())
    for name, old, new in (
        (GENRE, before.genre, after.genre),
        (COMMENT, before.comment, after.comment),
    ):
        shown = _without(shown, [(name, value) for value in old if value not in new])
        added += [(name, value) for value in new if value not in old]
    simple = [_simple_tag(*pair) for pair in added]
    simple += [part.raw for part in shown if part.id != TARGETS]
    ours = ebml.render(TAG, b"".join([*targets, *simple])) if simple else b""
    return ours + b"".join(others)


def _without(parts: list[_Part], gone: Sequence[tuple[str, str]]) -> list[_Part]:
    pairs = [part.pair for part in parts]
    if any(pair not in pairs for pair in gone):
        raise _CannotPlaceError(f"its {gone[0][0].lower()} is not ours to change")
    return [part for part in parts if part.pair not in gone]


def _simple_tag(name: str, value: str) -> bytes:
    return ebml.render(
        SIMPLE_TAG,
        ebml.render(TAG_NAME, name.encode()) + ebml.render(TAG_STRING, value.encode()),
    )


def _chapters_content(chapters: Sequence[Chapter]) -> bytes:
    if not chapters:
        return b""
    return ebml.render(
        EDITION, b"".join(_atom(number, item) for number, item in enumerate(chapters, start=1))
    )


def _atom(number: int, chapter: Chapter) -> bytes:
    display = ebml.render(CHAPTER_STRING, chapter.title.encode()) + ebml.render(
        CHAPTER_LANGUAGE, b"eng"
    )
    return ebml.render(
        ATOM,
        ebml.render_uint(CHAPTER_UID, number)
        + ebml.render_uint(TIME_START, chapter.start_ms * NS_PER_MS)
        + ebml.render_uint(TIME_END, chapter.end_ms * NS_PER_MS)
        + ebml.render(DISPLAY, display),
    )


@dataclass(slots=True)
class _Writes:
    """What is to be written: over old bytes, and from ``end`` on."""

    end: int
    overwrites: list[tuple[int, bytes]] = field(default_factory=list)
    appended: bytes = b""
    places: dict[int, int | None] = field(default_factory=dict)
    """Where elements are now, by id, from the beginning of the file; None where gone."""


def _plan_writes(layout: _Layout, before: TagState, after: TagState) -> _Writes:
    writes = _Writes(end=layout.size)
    _place(layout, writes, TAGS, _tags_content(layout.content(TAGS), before, after))
    if after.chapters != before.chapters:
        _place(layout, writes, CHAPTERS, _chapters_content(after.chapters))
    _update_seek_head(layout, writes)
    size_at = layout.segment.start + len(ebml.render_id(SEGMENT))
    new_size = writes.end + len(writes.appended) - layout.segment.data
    try:
        head = ebml.render_head(SEGMENT, new_size, layout.segment.data - size_at)
    except OverflowError as exc:
        raise _CannotPlaceError("the size of its segment has no room to grow") from exc
    writes.overwrites.append((layout.segment.start, head))
    return writes


def _place(layout: _Layout, writes: _Writes, element_id: int, content: bytes) -> None:
    """Put an element where it was if there is room, else at the end."""
    old = layout.only(element_id)
    checked = old is not None and ebml.split_checksum(layout.content(element_id))[0]
    renderer = ebml.render_checked if checked else ebml.render
    data = renderer(element_id, content) if content else b""
    if old is not None:
        room = layout.room_end(old) - old.start
        if data and (len(data) == room or len(data) <= room - 2):
            writes.overwrites.append((old.start, data + ebml.render_void(room - len(data))))
            return
        if old.end == writes.end and not writes.appended:
            writes.end = old.start
        else:
            writes.overwrites.append((old.start, ebml.render_void(old.end - old.start)))
    if data or old is not None:
        writes.places[element_id] = writes.end + len(writes.appended) if data else None
        writes.appended += data


def _update_seek_head(layout: _Layout, writes: _Writes) -> None:
    """Tell in the table of contents where elements are now."""
    if not writes.places:
        return
    heads = layout.of_id(SEEK_HEAD)
    if not heads:
        raise _CannotPlaceError("it has no table of contents, so nobody would find the tags")
    first, content = heads[0], layout.read(heads[0].data, heads[0].end)
    if any(
        seek_id in writes.places
        for head in heads[1:]
        for seek_id, _ in _iter_seeks(layout.read(head.data, head.end))
    ):
        raise _CannotPlaceError("a second table of contents tells where its tags are")
    seeks = [raw for seek_id, raw in _iter_seeks(content) if seek_id not in writes.places]
    seeks += [
        _seek(element_id, place - layout.segment.data)
        for element_id, place in writes.places.items()
        if place is not None
    ]
    renderer = ebml.render_checked if ebml.split_checksum(content)[0] else ebml.render
    data = renderer(SEEK_HEAD, b"".join(seeks))
    room = layout.room_end(first) - first.start
    try:
        writes.overwrites.append((first.start, data + ebml.render_void(room - len(data))))
    except OverflowError as exc:
        raise _CannotPlaceError("its table of contents has no room for one more entry") from exc


def _iter_seeks(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Give each entry's id, and the entry as it is."""
    content = ebml.split_checksum(content)[1]
    for element in ebml.iter_elements(content):
        if element.id == SEEK:
            seek = _children(content[element.data : element.end])
            seek_id = int.from_bytes(seek.get(SEEK_ID, b""), "big")
            yield seek_id, content[element.start : element.end]


def _seek(element_id: int, position: int) -> bytes:
    return ebml.render(
        SEEK,
        ebml.render(SEEK_ID, ebml.render_id(element_id))
        + ebml.render_uint(SEEK_POSITION, position),
    )
