"""The numbers that the frames of a FLAC file bear.

FFmpeg cuts the file into packets by the headers that it finds. Near damaged bytes it takes several
frames for one packet, which it stamps with the time of a later one, or with none.

References
----------
RFC 9639, section 9.1: frame header.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from asmr_classify.media.opening import open_bytes
from asmr_classify.media.whole import ID3_HEADER_BYTES, id3_size

if TYPE_CHECKING:
    from collections.abc import Sequence

SHORTEST_HEADER, LONGEST_HEADER = 6, 16
"""Bytes that the header of a frame has."""

LAST_BLOCK = 0x80
"""Marks the last block of metadata, behind which the first frame stands."""

MOST_BLOCKS = 1000


def first_header(path: str) -> bytes:
    """Read the bytes where the header of the first frame stands.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with open_bytes(path) as file:
        file.seek(id3_size(file.read(ID3_HEADER_BYTES)) + len("fLaC"))
        for _ in range(MOST_BLOCKS):
            head = file.read(4)
            file.seek(int.from_bytes(head[1:], "big"), 1)
            if not head or head[0] & LAST_BLOCK:
                break
        return file.read(LONGEST_HEADER)


def first_sample(header: Sequence[int], streaminfo: bytes) -> int | None:
    r"""Tell which sample of the recording is the first of a frame.

    Parameters
    ----------
    header : sequence of int
        Bytes from the first of the frame on, at least as many as its header has.
    streaminfo : bytes
        The block of metadata of that name, with which a file begins; empty if it has none.

    Returns
    -------
    int or None
        None for bytes that are no whole header, and where the file does not tell how many samples
        each frame holds.

    Examples
    --------
    >>> streaminfo = bytes.fromhex("12001200")
    >>> first_sample(bytes.fromhex("fff859080232"), streaminfo)
    9216
    >>> first_sample(bytes.fromhex("fff859080332"), streaminfo) is None
    True
    """
    if len(header) < SHORTEST_HEADER or header[0] != 0xFF or header[1] & 0xFE != 0xF8:
        return None
    n_ones = 8 - (~header[4] & 0xFF).bit_length()  # as in UTF-8, they tell how many bytes it has
    end_of_number = 4 + max(1, n_ones)
    end = end_of_number + _n_extra(header[2])
    if n_ones in (1, 8) or len(header) <= end or _crc(header[:end]) != header[end]:
        return None
    number = header[4] & 0xFF >> n_ones + 1
    for byte in header[5:end_of_number]:
        number = number << 6 | byte & 0x3F
    if header[1] & 1:
        return number
    least, most = streaminfo[:2], streaminfo[2:4]
    size = int.from_bytes(most, "big")
    return number * size if least == most and size else None


def _n_extra(sizes: int) -> int:
    """Tell how many bytes behind the number state the size of the block and the rate."""
    return {6: 1, 7: 2}.get(sizes >> 4, 0) + {12: 1, 13: 2, 14: 2}.get(sizes & 0xF, 0)


def _crc(data: Sequence[int]) -> int:
    value, table = 0, _crc_table()
    for byte in data:
        value = table[value ^ byte]
    return value


@cache
def _crc_table() -> bytes:
    """Give the remainders of CRC-8 with the polynomial x^8 + x^2 + x + 1, by byte."""
    table = [*range(256)]
    for _ in range(8):
        table = [value << 1 ^ (0x107 if value & 0x80 else 0) for value in table]
    return bytes(table)
