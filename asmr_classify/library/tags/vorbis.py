"""Vorbis comments, in FLAC files and in Ogg files that hold Vorbis or Opus.

A comment is kept as the bytes it is; mutagen, as it is commonly used, replaces what is not UTF-8
and renames what has no name. It serves here to cut Ogg files into pages and to put them together.

Chapters are the entries ``CHAPTER000=00:00:00.000`` and ``CHAPTER000NAME=…``, which FFmpeg reads.

References
----------
RFC 7845 (Opus in Ogg), RFC 9639 (FLAC), https://xiph.org/vorbis/doc/v-comment.html,
https://wiki.xiph.org/Chapter_Extension
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from asmr_classify.errors import NotCarriedError
from asmr_classify.library.tags.chapters import read_chapters
from asmr_classify.library.tags.fields import FIELD_NAMES
from asmr_classify.library.tags.foreign import translating
from asmr_classify.library.tags.state import Chapter, TagState, replace_range
from asmr_classify.media.whole import ID3_HEADER_BYTES, id3_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from mutagen.ogg import OggPage

VENDOR = b"asmr-classify"
"""Of a FLAC comment block that we create."""

PADDING_BLOCK, COMMENT_BLOCK, CUE_SHEET_BLOCK = 1, 4, 5
MAX_BLOCK_BYTES = (1 << 24) - 1
NEW_PADDING = 1024
"""Bytes left empty behind a FLAC comment block that had to grow, as mutagen does."""

PREFIXES = (b"\x03vorbis", b"OpusTags")
"""First bytes of the packet that holds the comments."""

MAX_HEADER_PAGES = 64
"""The comments are in the second packet of a stream; further on nobody would look."""

CHAPTER_NAME = re.compile(r"CHAPTER(\d+)(NAME)?\Z")
"""Three digits by the book; programs for subtitles write two, which FFmpeg reads too."""

CHAPTER_TIME = re.compile(r"(\d+):(\d\d):(\d\d)\.(\d{3})\d*\Z")


@dataclass(frozen=True, slots=True)
class Comments:
    """A comment header, taken apart.

    Parameters
    ----------
    vendor : bytes
    entries : tuple of bytes
        ``NAME=value`` each, as they are.
    rest : bytes
        What follows: the framing bit of Vorbis, padding.
    """

    vendor: bytes
    entries: tuple[bytes, ...] = ()
    rest: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> Comments:
        """Take a header apart.

        Raises
        ------
        ValueError
            If it is cut short.
        """
        vendor, at = _read_counted(data, 0)
        count, at = _read_int(data, at)
        entries = []
        for _ in range(count):
            entry, at = _read_counted(data, at)
            entries.append(entry)
        return cls(vendor, tuple(entries), data[at:])

    def render(self) -> bytes:
        """Put the header together."""
        parts = [_counted(self.vendor), _int(len(self.entries))]
        return b"".join([*parts, *map(_counted, self.entries), self.rest])

    def read(self) -> TagState:
        """Read what we look at."""
        pairs = [_pair(entry) for entry in self.entries]
        return TagState(
            fields={name: value for name, value in pairs if name in FIELD_NAMES},
            genre=tuple(value for name, value in pairs if name == "GENRE"),
            comment=tuple(value for name, value in pairs if name == "COMMENT"),
            chapters=_read_chapters(pairs),
        )

    def change(self, before: TagState, after: TagState) -> Comments:
        """Change what differs; all other entries stay as they are, and in their order."""
        gone: set[tuple[str, str]] = set()
        new = list(after.fields.items())
        for name, old, values in (
            ("GENRE", before.genre, after.genre),
            ("COMMENT", before.comment, after.comment),
        ):
            gone |= {(name, value) for value in old if value not in values}
            new += [(name, value) for value in values if value not in old]
        kept = [
            entry
            for entry in self.entries
            if _pair(entry)[0] not in FIELD_NAMES and _pair(entry) not in gone
        ]
        if before.chapters != after.chapters:
            kept = [entry for entry in kept if not CHAPTER_NAME.match(_pair(entry)[0])]
            new += _chapter_pairs(after.chapters)
        added = [f"{name}={value}".encode() for name, value in new]
        return replace(self, entries=(*kept, *added))


def _int(value: int) -> bytes:
    return value.to_bytes(4, "little")


def _counted(data: bytes) -> bytes:
    return _int(len(data)) + data


def _read_int(data: bytes, at: int) -> tuple[int, int]:
    if at + 4 > len(data):
        raise ValueError("its comments are cut short")
    return int.from_bytes(data[at : at + 4], "little"), at + 4


def _read_counted(data: bytes, at: int) -> tuple[bytes, int]:
    length, at = _read_int(data, at)
    if at + length > len(data):
        raise ValueError("its comments are cut short")
    return data[at : at + length], at + length


def _pair(entry: bytes) -> tuple[str, str]:
    name, _, value = entry.decode("utf-8", "replace").partition("=")
    return name.upper(), value


def _read_chapters(pairs: Sequence[tuple[str, str]]) -> tuple[Chapter, ...]:
    named = {name: value for name, value in pairs if CHAPTER_NAME.match(name)}
    starts = [
        (_read_time(value), named.get(f"{name}NAME", ""))
        for name, value in named.items()
        if not name.endswith("NAME")
    ]
    ends = [start for start, _ in starts[1:]] + [start for start, _ in starts[-1:]]
    return tuple(
        Chapter(start, end, title) for (start, title), end in zip(starts, ends, strict=True)
    )


def _read_time(text: str) -> int:
    found = CHAPTER_TIME.match(text)
    if found is None:
        return 0
    hours, minutes, seconds, milliseconds = map(int, found.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds


def _chapter_pairs(chapters: Sequence[Chapter]) -> Iterator[tuple[str, str]]:
    for number, chapter in enumerate(chapters):
        seconds, milliseconds = divmod(chapter.start_ms, 1000)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        time = f"{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}"
        yield f"CHAPTER{number:03}", time
        yield f"CHAPTER{number:03}NAME", chapter.title


class Flac:
    """Tags of FLAC files; an ID3 tag in front of one is left alone."""

    name = "FLAC"
    max_chapters = 1000

    def read(self, path: str) -> TagState:
        """Read the tags of a file; see :class:`~asmr_classify.library.tags.state.Carrier`."""
        with translating(path):
            blocks = _read_blocks(path)
            if sum(block.code == COMMENT_BLOCK for block in blocks) > 1:
                raise NotCarriedError(path, "it has more than one block of comments")
            state = _comments_of(blocks).read()
            if state.chapters or all(block.code != CUE_SHEET_BLOCK for block in blocks):
                return state
            return replace(state, chapters=read_chapters(path))  # tracks, which are the user's

    def check(self, path: str, before: TagState, after: TagState) -> None:
        """Do nothing: a file that could be read can be written."""

    def write(self, path: str, before: TagState, after: TagState) -> None:
        """Change the tags of a copy of a file."""
        with translating(path):
            blocks = _read_blocks(path)
            had = any(block.code == COMMENT_BLOCK for block in blocks)
            comments = _comments_of(blocks).change(before, after)
            data = comments.render()
            keeps = comments.entries or (had and comments.vendor != VENDOR)
            new = _with_comments(path, blocks, data if keeps else None)
            start, end = blocks[0].start, blocks[-1].end
            replace_range(path, start, end, _render_blocks(new, end - start))


@dataclass(frozen=True, slots=True)
class _Block:
    """A metadata block of FLAC, and where it lies."""

    code: int
    data: bytes
    start: int = 0
    end: int = 0


def _read_blocks(path: str) -> list[_Block]:
    with Path(path).open("rb") as file:
        at = _find_flac(file) + 4
        blocks: list[_Block] = []
        while True:
            file.seek(at)
            head = file.read(4)
            size = int.from_bytes(head[1:], "big")
            data = file.read(size)
            if len(head) < 4 or len(data) < size:
                raise ValueError("its metadata blocks are cut short")
            blocks.append(_Block(head[0] & 0x7F, data, at, at + 4 + size))
            at += 4 + size
            if head[0] & 0x80:
                return blocks


def _find_flac(file: BinaryIO) -> int:
    """Where a FLAC file begins: behind the ID3 tag that some programs put in front."""
    start = id3_size(file.read(ID3_HEADER_BYTES))
    file.seek(start)
    if file.read(4) != b"fLaC":
        raise ValueError("it begins with something else")
    return start


def _comments_of(blocks: Sequence[_Block]) -> Comments:
    found = [block for block in blocks if block.code == COMMENT_BLOCK]
    return Comments.parse(found[0].data) if found else Comments(VENDOR)


def _with_comments(path: str, blocks: Sequence[_Block], data: bytes | None) -> list[_Block]:
    """Replace the comments, or put them behind the first block, which must be first."""
    if data is not None and len(data) > MAX_BLOCK_BYTES:
        raise NotCarriedError(path, "its comments are longer than a block can be")
    new = [] if data is None else [_Block(COMMENT_BLOCK, data)]
    at = next((k for k, block in enumerate(blocks) if block.code == COMMENT_BLOCK), None)
    if at is None:
        return [blocks[0], *new, *blocks[1:]]
    return [*blocks[:at], *new, *blocks[at + 1 :]]


def _render_blocks(blocks: Sequence[_Block], room: int) -> bytes:
    """Write the blocks, padding used or made so that audio stays in its place if it can."""
    others = [block for block in blocks if block.code != PADDING_BLOCK]
    used = sum(4 + len(block.data) for block in others)
    padding = room - used - 4
    had_padding = len(others) < len(blocks)
    if used != room:
        if not 0 <= padding <= MAX_BLOCK_BYTES:
            padding = NEW_PADDING if padding < 0 or had_padding else 0
        others.append(_Block(PADDING_BLOCK, b"\0" * padding))
    last = len(others) - 1
    return b"".join(
        bytes([block.code | (0x80 if k == last else 0)])
        + len(block.data).to_bytes(3, "big")
        + block.data
        for k, block in enumerate(others)
    )


class Ogg:
    """Tags of Ogg files that hold Vorbis or Opus."""

    name = "Ogg"
    max_chapters = 1000

    def read(self, path: str) -> TagState:
        """Read the tags of a file; see :class:`~asmr_classify.library.tags.state.Carrier`."""
        with translating(path), Path(path).open("rb") as file:
            return _parse_packet(_packets(_comment_pages(file, path))[0])[1].read()

    def check(self, path: str, before: TagState, after: TagState) -> None:
        """Do nothing: a file that could be read can be written."""

    def write(self, path: str, before: TagState, after: TagState) -> None:
        """Change the tags of a copy of a file."""
        from mutagen.ogg import OggPage

        with translating(path), Path(path).open("r+b") as file:
            old = _comment_pages(file, path)
            packets = _packets(old)
            prefix, comments = _parse_packet(packets[0])
            packets[0] = prefix + comments.change(before, after).render()
            new = OggPage.from_packets(packets, old[0].sequence)
            # The last packet may go on in the next page.
            new[-1].complete = old[-1].complete
            OggPage.replace(file, old, new)


def _comment_pages(file: BinaryIO, path: str) -> list[OggPage]:
    """Read the pages that hold the comments, and what else is on them."""
    from mutagen.ogg import OggPage

    for _ in range(MAX_HEADER_PAGES):
        try:
            page = OggPage(file)
        except EOFError:
            break
        if page.packets and page.packets[0].startswith(PREFIXES):
            break
    else:
        page = None
    if page is None or not page.packets or not page.packets[0].startswith(PREFIXES):
        raise NotCarriedError(path, "it is an Ogg file that holds neither Vorbis nor Opus")
    pages = [page]
    while not (pages[-1].complete or len(pages[-1].packets) > 1):
        page = OggPage(file)
        if page.serial == pages[0].serial:
            pages.append(page)
    return pages


def _packets(pages: Sequence[OggPage]) -> list[bytes]:
    from mutagen.ogg import OggPage

    packets: list[bytes] = OggPage.to_packets(list(pages), strict=False)
    return packets


def _parse_packet(packet: bytes) -> tuple[bytes, Comments]:
    prefix = next(prefix for prefix in PREFIXES if packet.startswith(prefix))
    return prefix, Comments.parse(packet[len(prefix) :])
