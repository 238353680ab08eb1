"""ID3v2 tags, at the head of MP3 files and in a chunk of WAV and AIFF files.

mutagen, as it is commonly used, writes all frames anew: it converts v2.3 to v2.4, sorts frames,
merges some and drops others. Here it is told that it knows no frame, which makes it hand out each
as the bytes it is; ours are added behind them. The tag keeps its version, and its size as long as
its padding lasts; an ID3v1 tag at the end of the file is never touched.

WAV files may tell genre and comment in a list ``INFO`` too, which stays as it is. Players that find
an ID3 tag that tells them do not look there. So where it tells none, those of the list are read,
and are written into the tag along with ours.

A tag that mutagen cannot split into frames without a byte left over (unsynchronised, compressed,
of version 2.2, with a footer …) is refused.

References
----------
https://id3.org/id3v2.4.0-structure, https://id3.org/id3v2-chapters-1.0
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from asmr_classify.errors import NotCarriedError, TagError
from asmr_classify.library.tags.fields import FIELD_NAMES
from asmr_classify.library.tags.foreign import translating
from asmr_classify.library.tags.state import Chapter, TagState, replace_range
from asmr_classify.media.whole import ID3_HEADER_BYTES, id3_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from mutagen.id3 import Frame

NEW_VERSION = 4
"""Of a tag that we create: the newest, which is UTF-8 throughout."""

NEW_PADDING = 1024
"""Bytes left empty at the end of a tag that had to grow, as mutagen does."""

COMMENT_NAMES = ("", "ASMR")
"""Descriptions of the comment frames that we write: that which players show, if it is free."""

CHUNK_ID = b"ID3 "
"""Of the chunk that holds the tag in WAV and AIFF files; some programs write it small."""

GENRE_ID, COMMENT_ID = b"IGNR", b"ICMT"
"""Of what a list ``INFO`` tells."""

LIST_BYTES = 1 << 20
"""A list that is longer holds no texts."""

CHAPTER_PREFIX = "asmr"
"""Of the ids of our chapter frames."""


@dataclass(frozen=True, slots=True)
class _Tag:
    """A tag in its place: ``start`` and ``size`` of it in the file; size 0 where there is none."""

    start: int
    size: int
    version: int
    frames: tuple[bytes, ...]


class Id3:
    """Tags of MP3 files."""

    name = "MP3"
    max_chapters = 10_000

    def read(self, path: str) -> TagState:
        """Read the tags of a file; see :class:`~asmr_classify.library.tags.state.Carrier`."""
        with translating(path):
            tag = self._tag(path)
            return _read_state(tag)

    def check(self, path: str, before: TagState, after: TagState) -> None:
        """Do nothing: a tag that could be read can be written."""

    def write(self, path: str, before: TagState, after: TagState) -> None:
        """Change the tags of a copy of a file."""
        with translating(path):
            tag = self._tag(path)
            frames = _change_frames(tag, before, after)
            room = tag.size if tag.size else 0
            data = _render_tag(frames, tag.version, room) if frames else b""
            self._put(path, tag, data)

    def _tag(self, path: str) -> _Tag:
        return _split(path, *self._place(path))

    def _place(self, path: str) -> tuple[int, int]:
        """Find the tag: its first byte, and the bytes that are kept for it."""
        with Path(path).open("rb") as file:
            head = file.read(ID3_HEADER_BYTES)
        return 0, id3_size(head)

    def _put(self, path: str, tag: _Tag, data: bytes) -> None:
        replace_range(path, tag.start, tag.start + tag.size, data)


class _ChunkedId3(Id3):
    """Tags of files that are made of chunks, one of which holds the tag."""

    max_chapters = 0
    _form: bytes
    """Id of the chunk that is the whole file."""

    _byteorder: Literal["little", "big"]

    def _int(self, data: bytes) -> int:
        return int.from_bytes(data, self._byteorder)

    def _bytes(self, value: int) -> bytes:
        return value.to_bytes(4, self._byteorder)

    def _place(self, path: str) -> tuple[int, int]:
        with Path(path).open("rb") as file:
            chunks = self._iter_chunks(path, file)
            found = [(at, size) for name, at, size in chunks if name.upper() == CHUNK_ID]
        if len(found) > 1:
            raise NotCarriedError(path, "it has more than one ID3 tag")
        return found[0] if found else (Path(path).stat().st_size, 0)

    def _iter_chunks(self, path: str, file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
        """Give the id of each chunk, the first byte of its content, and how many there are."""
        size = Path(path).stat().st_size
        head = file.read(12)
        end = 8 + self._int(head[4:8])
        if head[:4] != self._form or end != size or end % 2:
            told = f"its {self.name} header does not tell its size"
            sizes = f"({end} bytes, and it has {size})"
            raise NotCarriedError(path, f"{told} {sizes}: it was cut short, or streamed")
        at = 12
        while at < end:
            file.seek(at)
            chunk = file.read(8)
            length = self._int(chunk[4:8])
            if len(chunk) < 8 or at + 8 + length > end:
                raise NotCarriedError(path, f"a chunk of its {self.name} form is cut short")
            yield chunk[:4], at + 8, length
            at += 8 + length + length % 2

    def _put(self, path: str, tag: _Tag, data: bytes) -> None:
        size = Path(path).stat().st_size
        start, end, chunk_id = tag.start, tag.start, CHUNK_ID
        if tag.size:
            start, end = tag.start - 8, tag.start + tag.size + tag.size % 2
            with Path(path).open("rb") as file:
                file.seek(start)
                chunk_id = file.read(4)
        chunk = chunk_id + self._bytes(len(data)) + data + b"\0" * (len(data) % 2)
        new = chunk if data else b""
        if size - (end - start) + len(new) - 8 > 0xFFFFFFFF:
            raise NotCarriedError(path, f"a {self.name} file cannot get larger than it is")
        replace_range(path, start, end, new)
        form_size = self._bytes(Path(path).stat().st_size - 8)
        replace_range(path, 4, 8, form_size)


class Wav(_ChunkedId3):
    """Tags of WAV files."""

    name = "WAV"
    _form = b"RIFF"
    _byteorder = "little"

    def read(self, path: str) -> TagState:
        """Read the tags, and what the list tells of which they say nothing."""
        state = super().read(path)
        with translating(path):
            genre, comment = self._info(path)
        return replace(
            state,
            genre=state.genre or genre,
            comment=state.comment or comment,
            genre_beneath=genre,
            comment_beneath=comment,
        )

    def write(self, path: str, before: TagState, after: TagState) -> None:
        """Change the tags of a copy; comments of the list go into them only along with others."""
        if before.comment == after.comment:
            own = super().read(path).comment
            before, after = replace(before, comment=own), replace(after, comment=own)
        super().write(path, before, after)

    def _info(self, path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Read genres and comment from the list, as they will be read from the tag."""
        from mutagen.id3 import TCON

        told: dict[bytes, bytes] = {}
        with Path(path).open("rb") as file:
            for name, at, size in self._iter_chunks(path, file):
                file.seek(at)
                if name != b"LIST" or size > LIST_BYTES or file.read(4) != b"INFO":
                    continue
                items, place = file.read(size - 4), 0
                while place + 8 < len(items):
                    start = place + 8
                    n_bytes = self._int(items[place + 4 : start])
                    told.setdefault(items[place : place + 4], items[start : start + n_bytes])
                    place = start + n_bytes + n_bytes % 2
        genre, comment = (_to_text(told.get(name, b"")) for name in (GENRE_ID, COMMENT_ID))
        genres = TCON(encoding=1, text=[part for part in genre.split("/") if part]).genres
        return tuple(genres), (comment,) if comment else ()


class Aiff(_ChunkedId3):
    """Tags of AIFF files."""

    name = "AIFF"
    _form = b"FORM"
    _byteorder = "big"


def _to_text(content: bytes) -> str:
    """Read a text that ends with a zero, of an alphabet that is nowhere told."""
    content = content.partition(b"\0")[0]
    try:
        return content.decode().strip()
    except UnicodeDecodeError:
        return content.decode("latin-1").strip()


def _split(path: str, start: int, size: int) -> _Tag:
    """Split a tag into frames, and make sure that nothing was lost."""
    from mutagen.id3 import ID3

    if size == 0:
        return _Tag(start, 0, NEW_VERSION, ())
    with Path(path).open("rb") as file:
        file.seek(start)
        raw = file.read(size)
    if len(raw) < ID3_HEADER_BYTES or not id3_size(raw) <= len(raw) == size:
        raise TagError(path, "its ID3 tag is cut short; the file may be damaged")
    version, flags = raw[3], raw[5]
    if version not in (3, 4) or flags:
        raise NotCarriedError(path, f"its ID3v2.{version} tag is of a kind that we do not change")
    parsed = ID3(BytesIO(raw), known_frames={}, translate=False, load_v1=False)
    frames = tuple(map(bytes, parsed.unknown_frames))
    if raw[ID3_HEADER_BYTES:].rstrip(b"\0") != b"".join(frames).rstrip(b"\0"):
        raise NotCarriedError(path, "its ID3 tag holds what we cannot keep as it is")
    return _Tag(start, size, version, frames)


def _parse(frame: bytes, version: int) -> Frame | None:
    """Read one frame; None if it cannot be read."""
    from mutagen.id3 import ID3

    head = b"ID3" + bytes([version, 0, 0]) + _syncsafe(len(frame))
    parsed = ID3(BytesIO(head + frame), translate=False, load_v1=False)
    return next(iter(parsed.values()), None)


def _syncsafe(size: int) -> bytes:
    if size >= 1 << 28:
        raise OverflowError("an ID3 tag holds at most 256 MB")
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


def _read_state(tag: _Tag) -> TagState:
    fields: dict[str, str] = {}
    genre: list[str] = []
    comment: list[str] = []
    chapters: list[Chapter] = []
    for raw in tag.frames:
        frame = _parse(raw, tag.version) if raw[:4] in _READ else None
        if frame is None:
            continue
        match frame.FrameID:
            case "TXXX" if frame.desc in FIELD_NAMES:
                fields[frame.desc] = str(frame)
            case "TCON":
                genre += _genres(frame, tag.version)
            case "COMM":
                comment.append("\n".join(frame.text))
            case "CHAP":
                chapters.append(_chapter(frame))
    return TagState(fields, tuple(genre), tuple(comment), tuple(chapters))


_READ = (b"TXXX", b"TCON", b"COMM", b"CHAP")


def _genres(frame: Frame, version: int) -> list[str]:
    genres: list[str] = frame.genres
    return [part for text in genres for part in text.split("/")] if version == 3 else genres


def _chapter(frame: Frame) -> Chapter:
    title = next((str(title) for title in frame.sub_frames.getall("TIT2")), "")
    return Chapter(frame.start_time, frame.end_time, title)


def _change_frames(tag: _Tag, before: TagState, after: TagState) -> list[bytes]:
    """Give the frames of the new tag: those that stay, as they are, and the changed ones."""
    from mutagen.id3 import TCON

    kept: list[bytes] = []
    comments = list(after.comment)
    encoding = _encoding("".join(after.genre))
    for raw in tag.frames:
        frame = _parse(raw, tag.version) if raw[:4] in {*_READ, b"CTOC"} else None
        if frame is None or not _goes(frame, before, after):
            kept.append(raw)
            if frame is not None and frame.FrameID == "COMM":
                comments.remove("\n".join(frame.text))
        elif frame.FrameID == "TCON" and not frame.encoding and _is_latin(after.genre):
            encoding = 0  # often it is of another alphabet, in truth: so the bytes stay
    free = [name for name in COMMENT_NAMES if name not in _comment_names(kept, tag.version)]
    names = [*free, *COMMENT_NAMES[-1:] * len(comments)]
    new = _new_frames(before, after, list(zip(names, comments, strict=False)))
    if before.genre != after.genre and after.genre:
        new.append(TCON(encoding=encoding, text=list(after.genre)))
    return kept + [_render_frame(frame, tag.version) for frame in new]


def _goes(frame: Frame, before: TagState, after: TagState) -> bool:
    """Whether a frame is taken out, be it to be written anew."""
    match frame.FrameID:
        case "TXXX":
            return frame.desc in FIELD_NAMES
        case "TCON":
            return before.genre != after.genre
        case "COMM":
            return "\n".join(frame.text) not in after.comment
        case _:
            ours = frame.element_id.startswith(CHAPTER_PREFIX)
            return before.chapters != after.chapters and bool(ours)


def _comment_names(frames: Sequence[bytes], version: int) -> set[str]:
    parsed = (_parse(raw, version) for raw in frames if raw[:4] == b"COMM")
    return {frame.desc for frame in parsed if frame is not None}


def _new_frames(
    before: TagState, after: TagState, comments: Sequence[tuple[str, str]]
) -> list[Frame]:
    from mutagen.id3 import COMM, TXXX

    frames: list[Frame] = [
        TXXX(encoding=_encoding(value), desc=name, text=[value])
        for name, value in after.fields.items()
    ]
    frames += [
        COMM(encoding=_encoding(text), lang="eng", desc=name, text=[text])
        for name, text in comments
    ]
    if before.chapters != after.chapters:
        frames += _chapter_frames(after.chapters)
    return frames


def _encoding(text: str) -> int:
    """Choose Latin-1 where it does, else UTF-16, which both versions know."""
    return 0 if text.isascii() else 1


def _is_latin(texts: Sequence[str]) -> bool:
    return max("".join(texts), default="") <= "\xff"


def _chapter_frames(chapters: Sequence[Chapter]) -> list[Frame]:
    from mutagen.id3 import CHAP, CTOC, TIT2, CTOCFlags

    ids = [f"{CHAPTER_PREFIX}{number}" for number in range(len(chapters))]
    frames: list[Frame] = [
        CHAP(
            element_id=element_id,
            start_time=chapter.start_ms,
            end_time=chapter.end_ms,
            sub_frames=[TIT2(encoding=_encoding(chapter.title), text=[chapter.title])],
        )
        for element_id, chapter in zip(ids, chapters, strict=True)
    ]
    # A table holds its number of entries in one byte.
    if 0 < len(ids) < 256:
        flags = CTOCFlags.TOP_LEVEL | CTOCFlags.ORDERED
        frames.insert(
            0, CTOC(element_id=f"{CHAPTER_PREFIX}_toc", flags=flags, child_element_ids=ids)
        )
    return frames


def _render_frame(frame: Frame, version: int) -> bytes:
    """Write one frame; a list of values of v2.3 is joined by a slash, as that version says."""
    from mutagen.id3 import ID3

    tags, file = ID3(), BytesIO()
    tags.add(frame)
    tags.save(file, v1=0, v2_version=version, padding=lambda _: 0)
    return file.getvalue()[ID3_HEADER_BYTES:]


def _render_tag(frames: Sequence[bytes], version: int, room: int) -> bytes:
    """Write a tag, into the room of the old one if it fits."""
    content = b"".join(frames)
    size = ID3_HEADER_BYTES + len(content)
    padding = room - size if size <= room else NEW_PADDING
    head = b"ID3" + bytes([version, 0, 0]) + _syncsafe(len(content) + padding)
    return head + content + b"\0" * padding
