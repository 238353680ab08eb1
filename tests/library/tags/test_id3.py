"""What is not ours stays, byte for byte, in ID3 tags of any version."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutagen.id3 import APIC, COMM, ID3, TCON, TDRC, TIT2, TXXX, TYER, UFID
from mutagen.wave import WAVE

from asmr_classify.errors import NotCarriedError, TagError
from asmr_classify.library.tags.fields import Wishes, tagged, untagged
from asmr_classify.library.tags.state import TagState
from tests.library.reading import read_fields
from tests.library.tags.conftest import heard, read, write

ALL = Wishes(genre=True, comment=True, chapters=True)

COVER = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 300


def raw_frame(name, content, version, flags=b"\0\0"):
    size = len(content)
    if version == 4:
        size = sum((size >> 7 * k & 0x7F) << 8 * k for k in range(4))
    return name + size.to_bytes(4, "big") + flags + content


def raw_tag(frames, version=4, flags=0, padding=50):
    size = len(frames) + padding
    coded = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3" + bytes([version, 0, flags]) + coded + frames + b"\0" * padding


@pytest.fixture
def bare(recording):
    """An MP3 file without any tag, as bytes."""
    path = recording("mp3")
    ID3(path).delete()
    return Path(path).read_bytes()


@pytest.fixture
def mp3(recording, bare):
    """Makes an MP3 file with a given tag in front and bytes behind."""

    def make(tag, behind=b""):
        path = recording("mp3")
        Path(path).write_bytes(tag + bare + behind)
        return path

    return make


STRANGE = [
    raw_frame(b"TIT2", b"\0Title with terminator\0", 3),
    raw_frame(b"TYER", b"\x002020", 3),
    raw_frame(b"TXXX", b"\x01\xff\xfem\0y\0\0\0\xff\xfev\0", 3),
    raw_frame(b"XYZ1", b"nobody knows this frame", 3),
    raw_frame(b"COMM", b"\0engiTunNORM\0 00000A\0", 3),
    raw_frame(b"PRIV", bytes(range(200)), 3),
    raw_frame(b"TPE1", b"\0Once", 3),
    raw_frame(b"TPE1", b"\0Twice", 3),
    raw_frame(b"APIC", b"\0JPG\0\x03\0" + COVER, 3),
]
"""Frames as programs write them; mutagen would write most of them otherwise."""


@pytest.mark.parametrize("version", [3, 4])
def test_all_frames_of_others_are_kept_byte_for_byte_and_in_order(mp3, version):
    frames = b"".join(raw_frame(raw[:4], raw[10:], version) for raw in STRANGE)
    path = mp3(raw_tag(frames, version, padding=4000))
    size = Path(path).stat().st_size
    write(path, tagged(read(path), heard(path), ALL))
    after = Path(path).read_bytes()
    assert after[3] == version
    assert after[10 : 10 + len(frames)] == frames
    assert len(after) == size, "the padding was used"
    assert ID3(path)["TXXX:ASMR_TRIGGERS"].text == ["tap;white_noise"]
    write(path, untagged(read(path)))
    assert (
        Path(path).read_bytes()[: 10 + len(frames)]
        == raw_tag(frames, version, padding=4000)[: 10 + len(frames)]
    )


@pytest.mark.parametrize("version", [3, 4])
def test_the_version_is_kept(mp3, version):
    path = mp3(b"")
    tags = ID3()
    tags.add(TIT2(encoding=1, text=["Títle 囁き"]))
    tags.add(TYER(text=["2020"]) if version == 3 else TDRC(text=["2020"]))
    tags.add(APIC(mime="image/jpeg", type=3, data=COVER))
    tags.add(UFID(owner="me", data=b"1"))
    tags.add(TXXX(desc="ASMR_OTHER", text=["not ours"]))
    tags.save(path, v2_version=version)
    write(path, tagged(read(path), heard(path), ALL))
    found = ID3(path, translate=False)
    assert found.version == (2, version, 0)
    assert found["APIC:"].data == COVER
    assert found["TXXX:ASMR_OTHER"].text == ["not ours"]
    assert str(found["TIT2"]) == "Títle 囁き"


def test_an_id3v1_tag_is_kept(mp3):
    v1 = b"TAG" + b"Old title".ljust(30, b"\0") + b"\0" * 94 + b"\x0c"
    path = mp3(b"", behind=v1)
    before = Path(path).read_bytes()
    write(path, tagged(read(path), heard(path), ALL))
    assert Path(path).read_bytes().endswith(v1)
    assert read_fields(path)["ASMR_MODEL"] == "tiny@0.1"
    write(path, untagged(read(path)))
    assert Path(path).read_bytes() == before


def test_genres_of_the_first_kind_are_understood(mp3):
    path = mp3(raw_tag(raw_frame(b"TCON", b"\0(101)", 3), 3))
    assert read(path).genre == ("Speech",)
    write(path, tagged(read(path), heard(path), Wishes(genre=True)))
    assert ID3(path).getall("TCON")[0].text == ["Speech/ASMR"]


def test_genres_that_are_called_latin_stay_the_bytes_they_are(mp3):
    sleep = "Сон".encode("cp1251")  # as old programs write, and players guess
    path = mp3(raw_tag(raw_frame(b"TCON", b"\0" + sleep, 3), 3))
    write(path, tagged(read(path), heard(path), Wishes(genre=True)))
    assert raw_frame(b"TCON", b"\0" + sleep + b"/ASMR\0", 3) in Path(path).read_bytes()
    other = raw_frame(b"TCON", b"\1" + "眠り".encode("utf-16"), 3)
    path = mp3(raw_tag(raw_frame(b"TCON", b"\0Sleep", 3) + other, 3))
    write(path, tagged(read(path), heard(path), Wishes(genre=True)))
    assert read(path).genre == ("Sleep", "眠り", "ASMR")


def test_the_comment_of_the_user_is_what_players_show_first(mp3):
    path = mp3(b"")
    tags = ID3()
    tags.add(COMM(encoding=3, lang="deu", desc="", text=["meiner"]))
    tags.add(TCON(encoding=3, text=["Sleep", "Ambient"]))
    tags.save(path)
    write(path, tagged(read(path), heard(path), ALL))
    found = ID3(path)
    assert found["COMM::deu"].text == ["meiner"]
    assert found["COMM:ASMR:eng"].text == ["ASMR: tap, white noise; no talking"]
    assert found["TCON"].text == ["Sleep", "Ambient", "ASMR"]


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        pytest.param(raw_tag(b"TT2\0\0\x02\0x", 2), "ID3v2.2 tag is of a kind", id="v2.2"),
        pytest.param(
            raw_tag(raw_frame(b"TIT2", b"\0x", 3), 3, flags=0x80), "a kind", id="unsynchronised"
        ),
        pytest.param(raw_tag(b"\0" * 10, 4, flags=0x10), "a kind", id="footer"),
        pytest.param(
            raw_tag(raw_frame(b"T\xe9TL", b"\0x", 4) + raw_frame(b"TIT2", b"\0x", 4)),
            "cannot keep as it is",
            id="a name that is none",
        ),
        pytest.param(
            raw_tag(raw_frame(b"TIT2", b"", 4) + raw_frame(b"TIT2", b"\0x", 4)),
            "cannot keep as it is",
            id="an empty frame",
        ),
        pytest.param(
            raw_tag(raw_frame(b"TIT2", b"\0x", 4) + b"\0" * 20 + b"junk"),
            "cannot keep as it is",
            id="junk behind the padding",
        ),
    ],
)
def test_what_could_not_be_kept_is_refused(mp3, tag, reason):
    path = mp3(tag)
    before = Path(path).read_bytes()
    with pytest.raises(NotCarriedError, match=reason):
        write(path, TagState({"ASMR_MODEL": "x"}))
    assert Path(path).read_bytes() == before


def test_a_tag_that_is_longer_than_the_file_is_damaged(mp3):
    path = mp3(raw_tag(b"", padding=10**6)[:40])
    with pytest.raises(TagError, match="its ID3 tag is cut short"):
        read(path)


def chunked(path):
    """Chunks of a WAV or AIFF file: id and content."""
    data = Path(path).read_bytes()
    order = "little" if data[:4] == b"RIFF" else "big"
    assert int.from_bytes(data[4:8], order) == len(data) - 8
    at, chunks = 12, []
    while at < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], order)
        chunks.append((data[at : at + 4], data[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return chunks


@pytest.mark.parametrize("ext", ["wav", "aiff"])
def test_all_other_chunks_are_kept(recording, ext):
    path = recording(ext)
    before = chunked(path)
    write(path, TagState({"ASMR_MODEL": "odd"}))
    write(path, TagState({"ASMR_MODEL": "even", "ASMR_TRIGGERS": "x" * 3000}))
    after = chunked(path)
    assert [chunk for chunk in after if chunk[0] != b"ID3 "] == before
    assert len(after) == len(before) + 1


def test_a_tag_that_mutagen_wrote_into_a_wav_file_is_used(recording):
    path = recording("wav")
    file = WAVE(path)
    file.add_tags()
    file.tags.add(TIT2(encoding=3, text=["mine"]))
    file.save()
    ids = [name for name, _ in chunked(path)]
    assert b"id3 " in ids
    write(path, TagState({"ASMR_MODEL": "x"}))
    assert str(WAVE(path).tags["TIT2"]) == "mine"
    assert WAVE(path).tags["TXXX:ASMR_MODEL"].text == ["x"]
    assert [name for name, _ in chunked(path)] == ids


INFO = {b"INAM": b"Rain", b"IART": b"Mia", b"IGNR": b"Sleep/17\0", b"ICMT": b"for tonight\0"}


@pytest.fixture
def listed(recording):
    """Makes a WAV file whose tags are in a list INFO alone."""

    def make(info=INFO):
        path = recording("wav")
        items = b"".join(
            name + len(text).to_bytes(4, "little") + text + b"\0" * (len(text) % 2)
            for name, text in info.items()
        )
        chunk = b"LIST" + (len(items) + 4).to_bytes(4, "little") + b"INFO" + items
        data = Path(path).read_bytes()
        at = data.index(b"LIST")  # that of FFmpeg, which names itself
        rest = data[at + 8 + int.from_bytes(data[at + 4 : at + 8], "little") :]
        Path(path).write_bytes(data[:at] + chunk + rest)
        put(path, 4, (Path(path).stat().st_size - 8).to_bytes(4, "little"))
        return path

    return make


def test_a_list_of_a_wav_file_is_read_and_kept(listed):
    path = listed()
    lists = [chunk for chunk in chunked(path) if chunk[0] == b"LIST"]
    old = read(path)
    assert (old.genre, old.comment) == (("Sleep", "Rock"), ("for tonight",))
    write(path, tagged(old, heard(path), Wishes()))
    assert {frame.FrameID for frame in WAVE(path).tags.values()} == {"TXXX"}
    write(path, tagged(read(path), heard(path), ALL))
    tags = WAVE(path).tags
    assert tags["TCON"].genres == ["Sleep", "Rock", "ASMR"]
    assert tags["COMM::eng"].text == ["for tonight"]
    assert tags["COMM:ASMR:eng"].text == ["ASMR: tap, white noise; no talking"]
    new = read(path)
    assert tagged(new, heard(path), ALL).says_the_same(new)
    write(path, untagged(new))
    assert read(path) == old
    assert WAVE(path).tags["TCON"].genres == ["Sleep", "Rock"]
    assert [chunk for chunk in chunked(path) if chunk[0] == b"LIST"] == lists


def test_a_tag_counts_more_than_a_list(listed):
    path = listed()
    file = WAVE(path)
    file.add_tags()
    file.tags.add(TCON(encoding=3, text=["Talk"]))
    file.save()
    assert (read(path).genre, read(path).comment) == (("Talk",), ("for tonight",))
    write(path, tagged(read(path), heard(path), ALL))
    assert WAVE(path).tags["TCON"].genres == ["Talk", "ASMR"]


@pytest.mark.parametrize("genre", [b"Sleep", b"ASMR"])
def test_a_list_that_our_genre_hid_is_seen_again(listed, genre):
    path = listed({b"IGNR": genre})
    file = WAVE(path)  # as earlier versions wrote it; some programs copy it into the list
    file.add_tags()
    file.tags.add(TCON(encoding=3, text=["ASMR"]))
    file.tags.add(TXXX(encoding=3, desc="ASMR_GENRE", text=["ASMR"]))
    file.save()
    for new in (tagged(read(path), heard(path), Wishes()), untagged(read(path))):
        write(path, new)
        assert read(path).says_the_same(new)
    assert read(path).genre == (genre.decode(),)


@pytest.mark.parametrize(
    ("info", "comment"),
    [
        ({b"ICMT": "Früh".encode("latin-1")}, ("Früh",)),
        ({b"ICMT": "雨 🌧".encode()}, ("雨 🌧",)),
        ({b"ICMT": b"", b"IGNR": b"\0"}, ()),
        ({b"ICMT": b"x" * (1 << 20)}, ()),
        ({}, ()),
    ],
    ids=["Latin-1", "UTF-8", "empty", "too long", "no text"],
)
def test_texts_of_a_list(listed, info, comment):
    path = listed(info)
    old = read(path)
    assert old == TagState(comment=comment, comment_beneath=comment)
    write(path, tagged(old, heard(path), ALL))
    assert read(path).comment == (*comment, "ASMR: tap, white noise; no talking")


def put(path, at, data):
    content = bytearray(Path(path).read_bytes())
    content[at : at + len(data)] = data
    Path(path).write_bytes(content)


def test_a_wav_file_whose_size_is_left_open_is_refused(recording):
    path = recording("wav")
    put(path, 4, b"\xff\xff\xff\xff")
    with pytest.raises(NotCarriedError, match="its WAV header does not tell its size"):
        read(path)


def test_a_wav_file_that_is_cut_short_says_so(recording):
    path = recording("wav")
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[:-1000])
    sizes = rf"{len(whole)} bytes, and it has {len(whole) - 1000}\): it was cut short"
    with pytest.raises(NotCarriedError, match=sizes):
        read(path)


def test_two_tags_are_refused(recording):
    path = recording("wav")
    data = Path(path).read_bytes() + 2 * (b"id3 \x0a\0\0\0" + raw_tag(b"", padding=0))
    Path(path).write_bytes(data)
    put(path, 4, (len(data) - 8).to_bytes(4, "little"))
    with pytest.raises(NotCarriedError, match="more than one ID3 tag"):
        read(path)


def test_a_chunk_that_is_cut_short_is_refused(recording):
    path = recording("aiff")
    at = Path(path).read_bytes().index(b"SSND")
    put(path, at + 4, b"\x0f\0\0\0")
    with pytest.raises(NotCarriedError, match="a chunk of its AIFF form is cut short"):
        read(path)
