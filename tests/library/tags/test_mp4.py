from __future__ import annotations

import struct
from pathlib import Path

import av
import pytest
from mutagen.mp4 import MP4, MP4Cover, MP4FreeForm

from asmr_classify.errors import NotCarriedError, TagError
from asmr_classify.library.tags.fields import Wishes, tagged, untagged
from asmr_classify.library.tags.state import Chapter, TagState
from asmr_classify.library.tags.streams import digest_streams
from tests.library.tags.conftest import heard, read, write
from tests.media.make_media import RECIPES, tone, write_media

ALL = Wishes(genre=True, comment=True, chapters=True)

CONTAINERS = {b"moov", b"udta", b"ilst", b"trak", b"mdia", b"minf", b"stbl"}


def atoms(data):
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        yield name, data[at + 8 : at + size]
        at += size


def inside(path, *names):
    """Contents of an atom, found from the top."""
    data = Path(path).read_bytes()
    for name in names:
        data = dict(atoms(data))[name]
        data = data[4:] if name == b"meta" else data
    return data


ILST = (b"moov", b"udta", b"meta", b"ilst")


def add_raw(path, raw):
    """Put raw atoms into the tags, in the room of the padding behind them."""
    data = bytearray(Path(path).read_bytes())
    at = data.index(b"ilst") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    free = at + size
    room = int.from_bytes(data[free : free + 4], "big")
    assert data[free + 4 : free + 8] == b"free"
    assert room > len(raw) + 8
    data[at : at + 4] = (size + len(raw)).to_bytes(4, "big")
    data[free : free + room] = (
        raw + struct.pack(">I4s", room - len(raw), b"free") + bytes(room - len(raw) - 8)
    )
    Path(path).write_bytes(data)


def atom(name, content):
    return struct.pack(">I4s", 8 + len(content), name) + content


STRANGE = [
    atom(b"gnre", atom(b"data", b"\0" * 8 + b"\0\x12")),
    atom(b"tmpo", atom(b"data", b"\0\0\0\x15" + b"\0" * 4 + b"\0\0\0\x78")),
    atom(b"xyzw", b"nobody knows this"),
    atom(b"trkn", atom(b"data", b"\0" * 8 + b"\0\0\0\x03\0\x09")),
    atom(
        b"----",
        atom(b"mean", b"\0\0\0\0com.me") + atom(b"name", b"\0\0\0\0X") + atom(b"data", bytes(9)),
    ),
]
"""Atoms as programs write them; mutagen would write most of them otherwise."""


@pytest.mark.parametrize("ext", ["m4a", "mp4", "mov"])
def test_all_atoms_of_others_are_kept_byte_for_byte(recording, ext):
    path = recording(ext)
    file = MP4(path)
    file["covr"] = [MP4Cover(b"\xff\xd8\xff" * 9000)]
    file["\xa9nam"] = ["mine"]
    file["----:com.apple.iTunes:iTunSMPB"] = [MP4FreeForm(b" 0 0 0")]
    file.save()
    add_raw(path, b"".join(STRANGE))
    before = sorted(atoms(inside(path, *ILST)))
    write(path, tagged(read(path), heard(path), Wishes(chapters=True)))
    after = sorted(atoms(inside(path, *ILST)))
    assert [item for item in after if b"asmr-classify" not in item[1]] == before
    assert MP4(path)["----:io.github.asmr-classify:ASMR_TRIGGERS"] == [b"tap;white_noise"]
    assert bytes(MP4(path)["covr"][0]) == b"\xff\xd8\xff" * 9000
    write(path, untagged(read(path)))
    assert sorted(atoms(inside(path, *ILST))) == before


def test_genre_and_comment_of_others_are_kept_byte_for_byte(recording):
    path = recording("m4a")
    file = MP4(path)
    file["\xa9nam"] = ["mine"]
    file.save()
    add_raw(path, b"".join([
        atom(b"\xa9gen", atom(b"data", b"\0\0\0\1" + b"\0\0\0\7" + b"Ambi\xe9nt")),
        atom(b"\xa9cmt", atom(b"data", b"\0\0\0\2" + bytes(4) + "mine".encode("utf-16-be"))),
    ]))  # fmt: skip
    before = sorted(atoms(inside(path, *ILST)))
    write(path, tagged(read(path), heard(path), ALL))
    after = dict(atoms(inside(path, *ILST)))
    for name in (b"\xa9gen", b"\xa9cmt"):
        first, second = atoms(after[name])
        assert first == next(atoms(dict(before)[name]))
        assert second[1].startswith(b"\0\0\0\1" + bytes(4) + b"ASMR")
    write(path, untagged(read(path)))
    assert sorted(atoms(inside(path, *ILST))) == before


@pytest.mark.parametrize("ext", ["m4a", "mp4", "mov"])
def test_sound_is_found_when_the_index_stands_before_it(tmp_path, ext):
    recipe = RECIPES[ext]
    path = str(
        write_media(
            tmp_path / f"b.{ext}",
            tone(1.0, recipe.sr),
            recipe,
            video_duration=1.0,
            options={"movflags": "faststart"},
        )
    )
    data = Path(path).read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    streams = digest_streams(path)
    write(path, tagged(read(path), heard(path), ALL))
    assert digest_streams(path) == streams
    write(path, untagged(read(path)))
    assert digest_streams(path) == streams
    with av.open(path) as container:
        assert container.chapters() == []


def test_an_m4a_file_without_tags_gets_some(recording):
    path = recording("mov")
    assert b"ilst" not in Path(path).read_bytes()
    write(path, TagState({"ASMR_MODEL": "x"}, genre=("ASMR",)))
    assert MP4(path)["\xa9gen"] == ["ASMR"]


def with_null_words(path):
    """End the user data of a file and of its tracks in null words, as QuickTime does."""
    data = Path(path).read_bytes()
    *_, (name, moov) = atoms(data)
    assert name == b"moov"  # so that no sound moves
    parts = [item for item in atoms(moov) if item[0] != b"udta"]
    kept = dict(atoms(moov)).get(b"udta", b"")
    parts = [(name, part + NULL_UDTA if name == b"trak" else part) for name, part in parts]
    parts.insert(1, (b"udta", kept + bytes(4)))
    moov = b"".join(atom(*part) for part in parts)
    Path(path).write_bytes(data[: data.rindex(b"moov") - 4] + atom(b"moov", moov))


NULL_UDTA = atom(b"udta", bytes(4))


@pytest.mark.parametrize("ext", ["m4a", "mov"])
@pytest.mark.parametrize("wishes", [ALL, Wishes()], ids=["all", "fields"])
def test_null_words_at_the_end_of_user_data_are_kept(recording, ext, wishes):
    path = recording(ext)
    with_null_words(path)
    streams, before = digest_streams(path), read(path)
    new = tagged(before, heard(path), wishes)
    for state in (new, untagged(new)):
        write(path, state)
        assert read(path).says_the_same(state)
        assert digest_streams(path) == streams
        data = inside(path, b"moov", b"udta")
        assert data.endswith(bytes(4))
        assert sum(8 + len(content) for _, content in atoms(data[:-4])) == len(data) - 4
        assert inside(path, b"moov", b"trak").endswith(NULL_UDTA)


def test_user_data_that_end_in_another_word_are_damaged(recording):
    path = recording("m4a")
    with_null_words(path)
    data = Path(path).read_bytes()
    Path(path).write_bytes(data.replace(NULL_UDTA, NULL_UDTA[:-1] + b"x"))
    with pytest.raises(TagError, match="its tags cannot be read"):
        read(path)


def test_files_in_fragments_are_refused(tmp_path):
    recipe = RECIPES["mp4"]
    path = write_media(
        tmp_path / "b.mp4",
        tone(1.0, recipe.sr),
        recipe,
        options={"movflags": "frag_keyframe+empty_moov"},
    )
    with pytest.raises(NotCarriedError, match="it is in fragments"):
        read(str(path))


def test_tags_of_another_kind_are_refused(recording):
    path = recording("m4a")
    data = Path(path).read_bytes()
    Path(path).write_bytes(data.replace(b"ilst", b"ID32"))
    with pytest.raises(NotCarriedError, match="tags are of a kind that we do not change"):
        read(path)


def test_chapters_of_a_text_track_are_the_users(recording, tmp_path):
    from fractions import Fraction

    source, path = recording("m4a"), str(tmp_path / "b.m4a")
    with av.open(source) as old, av.open(path, "w", format="ipod") as new:
        stream = new.add_stream_from_template(old.streams.audio[0])
        unit = Fraction(1, 1000)
        new.set_chapters(
            [{"id": 1, "start": 0, "end": 900, "time_base": unit, "metadata": {"title": "mine"}}]
        )
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    assert [chapter.title for chapter in read(path).chapters] == ["mine"]
    state = tagged(read(path), heard(path), ALL)
    write(path, state)
    assert "ASMR_CHAPTERS" not in state.fields
    assert [chapter.title for chapter in read(path).chapters] == ["mine"]


def test_as_many_chapters_as_a_list_can_hold(recording):
    path = recording("m4a")
    chapters = tuple(Chapter(3 * k, 3 * k + 3, f"part {k} ä") for k in range(255))
    write(path, TagState(chapters=chapters))
    assert [chapter.title for chapter in read(path).chapters] == [c.title for c in chapters]
