from __future__ import annotations

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmr_classify.media.flac import _crc, first_header, first_sample
from tests.media.make_media import RECIPES, tone, write_media

STREAMINFO = (4096).to_bytes(2, "big") * 2


def make_header(number, *, sizes=0xC9, is_variable=False, more=b""):
    head = bytes([0xFF, 0xF8 | is_variable, sizes, 0x18]) + chr(number).encode() + more
    return (head + bytes([_crc(head)])).ljust(16, b"\0")


@given(st.characters(codec="utf-8"))
def test_numbers_are_read_as_they_are_written(character):
    number = ord(character)
    assert first_sample(make_header(number), STREAMINFO) == number * 4096
    assert first_sample(make_header(number, is_variable=True), STREAMINFO) == number


def test_the_longest_number_is_read():
    head = bytes([0xFF, 0xF9, 0xC9, 0x18, 0xFE, *[0xBF] * 6])
    assert first_sample(head + bytes([_crc(head)]), STREAMINFO) == 2**36 - 1


@pytest.mark.parametrize(("sizes", "n_more"), [(0x69, 1), (0x79, 2), (0x7C, 3), (0x7D, 4)])
def test_sizes_behind_the_number_belong_to_the_header(sizes, n_more):
    header = make_header(300, sizes=sizes, more=bytes(range(1, n_more + 1)))
    assert first_sample(header, STREAMINFO) == 300 * 4096


@pytest.mark.parametrize("place", range(7))
def test_a_damaged_header_tells_nothing(place):
    header = bytearray(make_header(300))
    header[place] ^= 4
    assert first_sample(header, STREAMINFO) is None
    assert first_sample(header[:place], STREAMINFO) is None


def test_frames_of_lengths_that_differ_are_not_counted():
    assert first_sample(make_header(300), STREAMINFO[:2] + b"\x20\0") is None


@pytest.mark.parametrize("streaminfo", [b"", bytes(34)])
def test_frames_of_no_known_length_are_not_counted(streaminfo):
    assert first_sample(make_header(300), streaminfo) is None


@pytest.mark.parametrize("tag", [b"", b"ID3\4\0\0\0\0\1\0" + bytes(128)])
def test_all_frames_of_a_file_are_numbered_as_ffmpeg_numbers_them(tmp_path, tag):
    path = write_media(tmp_path / "a.flac", tone(3.0, 44100), RECIPES["flac"])
    path.write_bytes(tag + path.read_bytes())
    with av.open(str(path)) as container:
        streaminfo = container.streams.audio[0].codec_context.extradata
        packets = [packet for packet in container.demux() if packet.size]
    numbers = [first_sample(bytes(packet)[:16], streaminfo) for packet in packets]
    assert numbers == [packet.pts for packet in packets]
    assert first_header(str(path)) == bytes(packets[0])[:16]
    assert len(numbers) > 20


def test_a_file_that_ends_before_its_frames_has_no_header(tmp_path):
    (tmp_path / "a.flac").write_bytes(b"fLaC\0\0\0\x22")
    assert first_header(str(tmp_path / "a.flac")) == b""
