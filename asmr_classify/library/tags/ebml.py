"""EBML, the binary tree that Matroska and WebM are written in (RFC 8794).

An element is an id, a size and its content. Ids are kept with their length marker, as the
specification of Matroska (RFC 9559) prints them.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CRC32, VOID = 0xBF, 0xEC


@dataclass(frozen=True, slots=True)
class Element:
    """Where an element lies.

    Parameters
    ----------
    id : int
    start, data, end : int
        Offsets of its first byte, of its content, and of what follows. ``end`` is -1 where the
        size is left open, as live recordings do.
    """

    id: int
    start: int
    data: int
    end: int


def read_element(data: bytes, at: int = 0, *, offset: int = 0) -> Element:
    """Read the head of an element.

    Parameters
    ----------
    data : bytes
    at : int
        Where in ``data`` the element begins.
    offset : int
        Where ``data`` begins in the file; added to all places.

    Raises
    ------
    ValueError
        If there is no element.
    """
    id_length = _length(data, at, 4)
    size_at = at + id_length
    size_length = _length(data, size_at, 8)
    raw = int.from_bytes(data[size_at : size_at + size_length], "big")
    mask = (1 << 7 * size_length) - 1
    start, content = offset + at, offset + size_at + size_length
    end = -1 if raw & mask == mask else content + (raw & mask)
    return Element(int.from_bytes(data[at:size_at], "big"), start, content, end)


def _length(data: bytes, at: int, limit: int) -> int:
    """Bytes of a number whose first byte tells how many there are."""
    length = 9 - data[at].bit_length() if at < len(data) else 9
    if length > limit or at + length > len(data):
        raise ValueError("not EBML")
    return length


def iter_elements(data: bytes) -> Iterator[Element]:
    """Read the elements that some content consists of.

    Raises
    ------
    ValueError
        If it is not made of whole elements.
    """
    at = 0
    while at < len(data):
        element = read_element(data, at)
        if not at < element.end <= len(data):
            raise ValueError("an element reaches beyond its parent")
        yield element
        at = element.end


def render(element_id: int, content: bytes) -> bytes:
    """Write an element, its size as short as can be."""
    length = 1
    while len(content) >= (1 << 7 * length) - 1:
        length += 1
    return render_head(element_id, len(content), length) + content


def render_head(element_id: int, size: int, length: int) -> bytes:
    """Write id and size of an element, the size in so many bytes.

    Raises
    ------
    OverflowError
        If the size does not fit.
    """
    if size >= (1 << 7 * length) - 1:
        raise OverflowError(f"a size of {size} does not fit into {length} bytes")
    return render_id(element_id) + (size | 1 << 7 * length).to_bytes(length, "big")


def render_id(element_id: int) -> bytes:
    """Write an id."""
    return element_id.to_bytes((element_id.bit_length() + 7) // 8, "big")


def render_uint(element_id: int, value: int) -> bytes:
    """Write an unsigned integer element."""
    return render(element_id, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def render_void(size: int) -> bytes:
    """Write an element of exactly so many bytes that means nothing; 0, or at least 2.

    Raises
    ------
    OverflowError
        If it cannot have that size.
    """
    if size == 0:
        return b""
    if size == 1:
        raise OverflowError("an element has at least two bytes")
    length = 1 if size < 128 else 8
    content = size - 1 - length
    return render_head(VOID, content, length) + b"\0" * content


def render_checked(element_id: int, content: bytes) -> bytes:
    """Write an element with a checksum of its content in front."""
    checksum = zlib.crc32(content).to_bytes(4, "little")
    return render(element_id, render(CRC32, checksum) + content)


def split_checksum(content: bytes) -> tuple[bool, bytes]:
    """Take the checksum off the content of an element, if there is one in front."""
    if content[:1] == bytes([CRC32]):
        return True, content[read_element(content).end :]
    return False, content
