"""Whether a file is all there, by the sizes that its own structure states.

Most containers are elements that say how long they are. One that reaches beyond the end of the
file proves that the file was cut; where all end in time, it is whole, whatever duration a header
claims. Formats without such sizes, and sizes that were left open as by recorders that write to a
pipe, prove neither.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from asmr_classify.media.opening import open_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

ID3_HEADER_BYTES = 10

OPEN = (0, 0xFFFFFFFF)
"""Sizes in 32 bits that mean that the size was not known when it was written."""

MOST_ELEMENTS = 100_000
"""So many elements are looked at; a long fragmented recording has some thousands."""

LARGEST_FILE = 1 << 44
"""Bytes; what claims to be longer is no element, but damage or something that was put behind."""

EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
OGG_PAGE, OGG_HEADER_BYTES, LONGEST_OGG_PAGE = b"OggS", 27, 65307
LAST_OGG_PAGE = 4
"""Bit of a page that says that its stream ends with it."""

W64_RIFF = b"riff\x2e\x91\xcf\x11"
ASF_HEADER = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"
BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"moof", b"pnot"})


def id3_size(head: bytes) -> int:
    r"""Tell how many bytes the ID3 tag has with which a file begins, by its first ten; 0 if none.

    Examples
    --------
    >>> id3_size(b"ID3\x04\0\0\0\0\x02\x01"), id3_size(b"fLaC\0\0\0\x22\x10\0")
    (267, 0)
    """
    if len(head) < ID3_HEADER_BYTES or head[:3] != b"ID3":
        return 0
    size = 0
    for byte in head[6:ID3_HEADER_BYTES]:
        size = size << 7 | byte & 0x7F
    return ID3_HEADER_BYTES + size


def held_share(path: str) -> float | None:
    """Tell what share of a file is there, by its own structure.

    Parameters
    ----------
    path : str

    Returns
    -------
    float or None
        1 for a whole file, less for one that was cut; None where the structure says nothing of it.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with open_bytes(path) as file:
        size = _size_of(file)
        walk = _walker(file.read(12))
        if walk is None:
            return None
        file.seek(0)
        end = walk(file, size)
    return min(1.0, size / end) if end else None


@dataclass(frozen=True, slots=True)
class WavData:
    """What the header of a WAV file says of its sound.

    Parameters
    ----------
    start : int
        Where it begins, in bytes.
    stated, held : int
        Bytes that it has by the header, and that are there.
    n_samples : int
        How many there are in each channel, where it is said; else 0.
    byte_rate : int
        Bytes a second; right for plain samples only.
    """

    start: int
    stated: int
    held: int
    n_samples: int
    byte_rate: int


def wav_data(path: str) -> WavData | None:
    """Read what the header of a WAV file says of its sound.

    Parameters
    ----------
    path : str

    Returns
    -------
    WavData or None
        None if the header leaves open how much there is.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with open_bytes(path) as file:
        return _find_data(file, _size_of(file))


def _size_of(file: BinaryIO) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def _walker(head: bytes) -> Callable[[BinaryIO, int], int | None] | None:
    """Choose what follows the elements of a file, by its first bytes."""
    if head[:4] in {b"RIFF", b"RF64", b"BW64"} and head[8:] == b"WAVE":
        return _end_of_wav
    by_start = {
        b"RIFF": _end_of_riff,
        b"FORM": _end_of_form,
        b"caff": _end_of_caf,
        b".snd": _end_of_au,
        OGG_PAGE: _end_of_ogg,
        EBML: _end_of_matroska,
        W64_RIFF[:4]: _end_of_w64,
        ASF_HEADER[:4]: _end_of_asf,
    }
    return _end_of_boxes if head[4:8] in BOXES else by_start.get(head[:4])


def _find_data(file: BinaryIO, file_size: int) -> WavData | None:
    """Find the sound of a WAV file among its chunks."""
    file.seek(12)
    n_samples = large = byte_rate = 0  # in RF64 a chunk before states the size of the sound
    for _ in range(MOST_ELEMENTS):
        head = file.read(8)
        kind, size = head[:4], int.from_bytes(head[4:], "little")
        if len(head) < 8:
            return None
        start = file.tell()
        if kind == b"data":
            stated = large if size == OPEN[1] else size
            if not 0 < stated < (1 << 62 if large else 0xFFFFFF00):
                return None
            held = min(stated, max(0, file_size - start))
            return WavData(start, stated, held, n_samples, byte_rate)
        if kind == b"ds64":
            large = int.from_bytes(file.read(16)[8:], "little")
        if kind == b"fmt ":
            byte_rate = int.from_bytes(file.read(12)[8:], "little")
        if kind == b"fact":
            n_samples = int.from_bytes(file.read(4), "little")
        file.seek(start + size + size % 2)
    return None


def _end_of_wav(file: BinaryIO, size: int) -> int | None:
    data = _find_data(file, size)
    return None if data is None else data.start + data.stated


def _end_of_riff(file: BinaryIO, size: int) -> int | None:
    """Follow the lists of an AVI file: long ones have several."""
    return _follow(file, size, 8, lambda head: _chunk(head, b"RIFF", "little"))


def _end_of_form(file: BinaryIO, size: int) -> int | None:
    return _follow(file, size, 8, lambda head: _chunk(head, b"FORM", "big"))


def _chunk(head: bytes, kind: bytes, order: str) -> int | None:
    stated = int.from_bytes(head[4:8], "little" if order == "little" else "big")
    return None if head[:4] != kind or stated in OPEN else 8 + stated


def _end_of_caf(file: BinaryIO, size: int) -> int | None:
    file.seek(8)
    return _follow(file, size, 12, _caf_chunk)


def _caf_chunk(head: bytes) -> int | None:
    stated = int.from_bytes(head[4:12], "big", signed=True)
    return None if stated < 0 else 12 + stated


def _end_of_au(file: BinaryIO, _size: int) -> int | None:
    head = file.read(12)
    start, stated = int.from_bytes(head[4:8], "big"), int.from_bytes(head[8:12], "big")
    return None if stated in OPEN else start + stated


def _end_of_ogg(file: BinaryIO, size: int) -> int | None:
    """Find the last page, and tell where it ends; None if more may follow, or something else does.

    A header that is cut itself tells nothing but that.
    """
    first = max(0, size - LONGEST_OGG_PAGE)
    file.seek(first)
    tail = file.read(LONGEST_OGG_PAGE)
    start = tail.rfind(OGG_PAGE)
    head, lengths = tail[start:][:OGG_HEADER_BYTES], tail[start:][OGG_HEADER_BYTES:][:255]
    if start < 0 or any(head[4:5]):  # of another version, or no page
        return None
    if len(head) < OGG_HEADER_BYTES or len(lengths) < head[26]:
        return size + 1
    end = first + start + OGG_HEADER_BYTES + head[26] + sum(lengths[: head[26]])
    return end if end > size or (end == size and head[5] & LAST_OGG_PAGE) else None


def _end_of_w64(file: BinaryIO, size: int) -> int | None:
    return _follow(file, size, 24, lambda head: int.from_bytes(head[16:24], "little") or None)


def _end_of_asf(file: BinaryIO, size: int) -> int | None:
    """Follow the objects; an index behind the packets may be there or not."""
    return _follow(file, size, 24, lambda head: int.from_bytes(head[16:24], "little") or None)


def _end_of_boxes(file: BinaryIO, size: int) -> int | None:
    return _follow(file, size, 16, _box)


def _box(head: bytes) -> int | None:
    stated = int.from_bytes(head[:4], "big")
    if stated == 1 and len(head) == 16:
        stated = int.from_bytes(head[8:16], "big")
    return stated if stated >= 8 else None


def _follow(
    file: BinaryIO, size: int, head_size: int, length_of: Callable[[bytes], int | None]
) -> int | None:
    """Follow elements from here on, and tell where the last one ends.

    None where the first is of no stated length. What follows an element that says nothing, like
    the zeros that some writers leave behind, is not judged.
    """
    end = None
    for _ in range(MOST_ELEMENTS):
        start = file.tell()
        head = file.read(head_size)
        length = length_of(head) if len(head) >= 8 else None
        if length is None or start + length > LARGEST_FILE:
            return end
        end = start + length
        if end >= size:
            return end
        file.seek(end)
    return end


def _end_of_matroska(file: BinaryIO, size: int) -> int | None:
    """Follow the top elements of Matroska or WebM; a segment of unknown size tells nothing."""
    end = None
    for _ in range(MOST_ELEMENTS):
        identity = file.read(4)
        stated = _ebml_size(file) if identity in {EBML, SEGMENT} else None
        if stated is None:
            return end
        after = file.tell() + stated
        end = after if identity == SEGMENT else None
        if after >= size:
            return after
        file.seek(after)
    return end


def _ebml_size(file: BinaryIO) -> int | None:
    """Read a number of variable length; None if it is damaged or says that it is unknown."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    n_bits = first[0].bit_length() - 1
    value = first[0] & ((1 << n_bits) - 1)
    n_more = 7 - n_bits
    value = value << 8 * n_more | int.from_bytes(file.read(n_more), "big")
    return None if value == (1 << 7 * (n_more + 1)) - 1 else value
