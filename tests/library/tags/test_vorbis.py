from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen import File
from mutagen.flac import FLAC, CueSheet, CueSheetTrack, CueSheetTrackIndex, Picture
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis

from asmr_classify.errors import NotCarriedError, TagError
from asmr_classify.library.tags.chapters import read_chapters
from asmr_classify.library.tags.fields import Wishes, tagged, untagged
from asmr_classify.library.tags.state import TagState
from asmr_classify.library.tags.streams import digest_streams
from asmr_classify.library.tags.vorbis import Comments
from tests.library.tags.conftest import heard, read, write

ALL = Wishes(genre=True, comment=True, chapters=True)

STRANGE = (b"TITLE=caf\xe9", b"no equals sign", b"", b"t\xc3\xa4g=x", b"Genre=Sleep", b"=empty")


@given(vendor=st.binary(), entries=st.lists(st.binary()), rest=st.binary())
def test_any_header_is_put_together_as_it_was(vendor, entries, rest):
    comments = Comments(vendor, tuple(entries), rest)
    assert Comments.parse(comments.render()) == comments


def test_entries_of_others_are_kept_byte_for_byte_and_in_order():
    comments = Comments(b"somebody", STRANGE, b"\x01")
    old = comments.read()
    ours = comments.change(old, tagged(old, heard("a"), Wishes(comment=True, chapters=True)))
    assert ours.entries[: len(STRANGE)] == STRANGE
    assert ours.change(ours.read(), untagged(ours.read())) == comments


def test_a_second_genre_is_an_entry_of_its_own():
    comments = Comments(b"", STRANGE)
    new = comments.change(comments.read(), tagged(comments.read(), heard("a"), ALL))
    assert new.read().genre == ("Sleep", "ASMR")


def test_genres_and_comments_of_others_are_kept_byte_for_byte():
    comments = Comments(b"", (b"genre=Ambi\xe9nt", b"Comment=caf\xe9", b"GENRE=Sleep"))
    old = comments.read()
    ours = comments.change(old, tagged(old, heard("a"), ALL))
    assert ours.entries[:3] == comments.entries
    assert ours.read().genre[2:] == ("ASMR",)
    assert ours.change(ours.read(), untagged(ours.read())) == comments


def flac_blocks(path):
    data = Path(path).read_bytes()
    at, blocks = 4, []
    while True:
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        blocks.append((data[at] & 0x7F, data[at + 4 : at + 4 + size]))
        at += 4 + size
        if data[at - 4 - size] & 0x80:
            return blocks, data[at:]


def test_all_other_blocks_of_flac_are_kept(recording):
    path = recording("flac")
    file = FLAC(path)
    picture = Picture()
    picture.data, picture.mime, picture.type = b"\xff\xd8" * 5000, "image/jpeg", 3
    file.add_picture(picture)
    file["title"] = "mine"
    file.save()
    before, sound = flac_blocks(path)
    size = Path(path).stat().st_size
    write(path, tagged(read(path), heard(path), ALL))
    after, same = flac_blocks(path)
    assert same == sound
    assert [block for block in after if block[0] not in {1, 4}] == [
        block for block in before if block[0] not in {1, 4}
    ]
    assert Path(path).stat().st_size == size, "the padding was used"
    assert FLAC(path)["title"] == ["mine"]
    assert FLAC(path)["asmr_triggers"] == ["tap;white_noise"]


@pytest.mark.parametrize("padding", [0, 1, 4, 100, 3000], ids=str)
def test_a_flac_file_without_comments_is_as_before_when_they_are_gone(recording, padding):
    path = recording("flac")
    file = FLAC(path)
    file.metadata_blocks = file.metadata_blocks[:1]
    file.tags = None
    file.save(padding=lambda _: padding)
    write(path, TagState({"ASMR_MODEL": "x" * 50}))
    assert FLAC(path)["asmr_model"] == ["x" * 50]
    write(path, TagState())
    assert [code for code, _ in flac_blocks(path)[0]] in ([0], [0, 1])
    assert digest_streams(path)


@pytest.mark.parametrize("ext", ["flac", "ogg", "opus"])
def test_chapters_whose_numbers_have_two_digits_are_the_users(recording, ext):
    path = recording(ext)
    write(path, TagState({"ASMR_MODEL": "m"}))
    file = File(path)
    file.update(CHAPTER01="00:00:00.000", CHAPTER01NAME="mine", CHAPTER02="00:00:00.500")
    file.save()
    write(path, tagged(read(path), heard(path), ALL))
    assert read(path).starts == [(0, "mine"), (500, "")]
    assert "chapter000" not in File(path)


def test_tracks_of_a_cue_sheet_are_the_users_chapters(recording):
    path = recording("flac")
    file, sheet = FLAC(path), CueSheet(None)
    for number, offset in ((1, 0), (2, 22050), (170, 44100)):  # the last one is the end
        sheet.tracks.append(CueSheetTrack(number, offset))
        sheet.tracks[-1].indexes += [CueSheetTrackIndex(1, 0)] * (number != 170)
    file.metadata_blocks.append(sheet)
    file.save()
    before = read_chapters(path)
    assert [chapter.start_ms for chapter in before] == [0, 500]
    write(path, tagged(read(path), heard(path), ALL))
    assert read_chapters(path) == before
    assert "ASMR_CHAPTERS" not in read(path).fields


def test_an_id3_tag_in_front_of_flac_is_left_alone(recording):
    path = recording("flac")
    front = b"ID3\x03\0\0\0\0\0\x14" + b"TIT2\0\0\0\x02\0\0\0x" + b"\0" * 8
    Path(path).write_bytes(front + Path(path).read_bytes())
    write(path, TagState({"ASMR_MODEL": "x"}))
    assert Path(path).read_bytes().startswith(front + b"fLaC")
    assert FLAC(path)["asmr_model"] == ["x"]


def test_two_blocks_of_comments_are_refused(recording):
    path = recording("flac")
    blocks, sound = flac_blocks(path)
    comments = next(block for block in blocks if block[0] == 4)
    new = [*blocks, comments]
    data = b"fLaC" + b"".join(
        bytes([code | (0x80 if k == len(new) - 1 else 0)]) + len(data).to_bytes(3, "big") + data
        for k, (code, data) in enumerate(new)
    )
    Path(path).write_bytes(data + sound)
    with pytest.raises(NotCarriedError, match="more than one block of comments"):
        read(path)


def test_comments_that_are_too_long_for_flac_are_refused(recording):
    path = recording("flac")
    before = Path(path).read_bytes()
    with pytest.raises(NotCarriedError, match="longer than a block can be"):
        write(path, TagState({"ASMR_SCORES": "x" * (1 << 24)}))
    assert Path(path).read_bytes() == before


@pytest.mark.parametrize(("ext", "kind"), [("ogg", OggVorbis), ("opus", OggOpus)])
def test_comments_over_many_pages(recording, ext, kind):
    path = recording(ext)
    file = kind(path)
    file["title"] = "mine"
    file["cover"] = "x" * 200_000
    file.save()
    streams = digest_streams(path)
    write(path, tagged(read(path), heard(path), ALL))
    assert kind(path)["cover"] == ["x" * 200_000]
    assert kind(path)["asmr_triggers"] == ["tap;white_noise"]
    assert digest_streams(path) == streams
    write(path, untagged(read(path)))
    assert dict(kind(path)) == dict(file)


def test_other_streams_of_ogg_are_refused(recording):
    path = recording("ogg")
    data = Path(path).read_bytes().replace(b"\x03vorbis", b"\x03nobody")
    Path(path).write_bytes(data)
    with pytest.raises((NotCarriedError, TagError), match=r"neither Vorbis nor Opus|damaged"):
        read(path)
