from __future__ import annotations

import zlib
from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmr_classify.errors import NotCarriedError, TagError
from asmr_classify.library.tags import ebml
from asmr_classify.library.tags import matroska as mk
from asmr_classify.library.tags.fields import Wishes, tagged, untagged
from asmr_classify.library.tags.state import TagState
from asmr_classify.library.tags.streams import digest_streams
from tests.library.tags.conftest import heard, read, write

ALL = Wishes(genre=True, comment=True, chapters=True)


CLUSTER = 0x1F43B675


def segment(path):
    """Elements of the segment as id, offset from its content, and raw bytes."""
    data = Path(path).read_bytes()
    head = ebml.read_element(data, ebml.read_element(data).end)
    assert head.end == len(data)
    content = data[head.data :]
    return [(e.id, e.start, content[e.start : e.end]) for e in ebml.iter_elements(content)]


def table_of_contents(path):
    """What the first SeekHead tells: id and offset."""
    raw = next(raw for element_id, _, raw in segment(path) if element_id == mk.SEEK_HEAD)
    found = {}
    for element in ebml.iter_elements(raw[ebml.read_element(raw).data :]):
        if element.id == mk.SEEK:
            base = ebml.read_element(raw).data
            inner = {
                e.id: raw[base + element.data :][e.data : e.end]
                for e in ebml.iter_elements(raw[base + element.data : base + element.end])
            }
            found[int.from_bytes(inner[mk.SEEK_ID], "big")] = int.from_bytes(
                inner[mk.SEEK_POSITION], "big"
            )
    return found


def remux(source, target, *, chapters=(), attachments=(), metadata=None, muxer="matroska"):
    """Write a file anew with more in it."""
    with av.open(source) as old, av.open(str(target), "w", format=muxer) as new:
        streams = [new.add_stream_from_template(stream) for stream in old.streams]
        streams[-1].metadata.update({"language": "jpn", "title": "Hörspur"})
        for name, mimetype, data in attachments:
            new.add_attachment(name, mimetype, data)
        new.metadata.update(metadata or {})
        unit = Fraction(1, 1000)
        new.set_chapters(
            [
                {"id": k, "start": a, "end": b, "time_base": unit, "metadata": {"title": title}}
                for k, (a, b, title) in enumerate(chapters, start=1)
            ]
        )
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream_index]
                new.mux(packet)
    return str(target)


@pytest.fixture
def rich(recording, tmp_path):
    """A video with cover art, a font, chapters, languages and tags."""
    return remux(
        recording("mkv"),
        tmp_path / "rich.mkv",
        chapters=[(0, 500, "one"), (500, 1000, "two")],
        attachments=[
            ("cover.jpg", "image/jpeg", b"\xff\xd8\xff\xe0" * 500),
            ("font.ttf", "application/x-truetype-font", b"abcd" * 10),
        ],
        metadata={"title": "T", "ARTIST": "A", "GENRE": "Sleep"},
    )


@given(value=st.integers(0, 2**55))
def test_numbers_of_any_size(value):
    raw = ebml.render_uint(mk.SEEK_POSITION, value)
    element = ebml.read_element(raw)
    assert int.from_bytes(raw[element.data : element.end], "big") == value


@given(size=st.integers(2, 70_000))
def test_voids_of_any_size(size):
    raw = ebml.render_void(size)
    element = ebml.read_element(raw)
    assert (len(raw), element.end, element.id) == (size, size, ebml.VOID)


def test_a_void_of_one_byte_there_is_not():
    assert ebml.render_void(0) == b""
    with pytest.raises(OverflowError, match="at least two bytes"):
        ebml.render_void(1)


def test_nothing_but_tags_and_their_place_changes(rich):
    before = segment(rich)
    streams = digest_streams(rich)
    write(rich, tagged(read(rich), heard(rich), ALL))
    after = {offset: raw for _, offset, raw in segment(rich)}
    touched = {mk.TAGS, mk.SEEK_HEAD, ebml.VOID}
    for element_id, offset, raw in before:
        if element_id not in touched:
            assert after[offset] == raw, hex(element_id)
    assert digest_streams(rich) == streams
    with av.open(rich) as container:
        assert dict(container.metadata)["ARTIST"] == "A"
        assert dict(container.metadata)["title"] == "T"
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["one", "two"]
        assert len(container.streams) == 4


def test_the_genre_of_the_user_is_what_players_show(rich):
    write(rich, tagged(read(rich), heard(rich), ALL))
    assert sorted(read(rich).genre) == ["ASMR", "Sleep"]
    with av.open(rich) as container:
        assert container.metadata["GENRE"] == "Sleep"


def test_what_ffmpeg_joined_with_ours_is_kept_as_it_is(recording, tmp_path):
    path = recording("mkv")
    write(path, tagged(read(path), heard(path), ALL))
    with av.open(path) as container:
        told = {**container.metadata, "COMMENT-ger": "leise", "ARTIST": "A"}
    joined = remux(path, tmp_path / "joined.mkv", metadata=told)
    write(joined, tagged(read(joined), heard(joined, tags=("tap",)), ALL))
    with av.open(joined) as container:
        told = dict(container.metadata)
    assert told["ASMR_TRIGGERS"] == "tap"
    assert (told["COMMENT-ger"], told["COMMENT"]) == ("leise", "ASMR: tap; no talking")
    assert told["ARTIST"] == "A"
    write(joined, untagged(read(joined)))
    with av.open(joined) as container:
        told = dict(container.metadata)
    assert told["COMMENT-ger"] == "leise"
    assert not {"COMMENT", "GENRE", "ASMR_TRIGGERS"} & set(told)


def test_what_stands_among_ours_is_kept_byte_for_byte():
    def tag(*parts):
        return ebml.render(mk.TAG, b"".join(parts))

    targets = ebml.render(mk.TARGETS, ebml.render_uint(mk.TARGET_VALUE, 70))
    name = ebml.render(mk.TAG_NAME, b"ARTIST")
    nested = ebml.render(mk.SIMPLE_TAG, name + ebml.render(mk.SIMPLE_TAG, name))
    ours = mk._simple_tag("ASMR_TRIGGERS", "tap")
    before, after = TagState({"ASMR_TRIGGERS": "tap"}), TagState()
    assert mk._tags_content(tag(targets, ours, nested), before, after) == tag(targets, nested)
    with pytest.raises(mk._CannotPlaceError, match="mixed with ours"):
        mk._tags_content(
            tag(targets, ours) + tag(ebml.render(mk.TARGETS, b""), ours), before, after
        )


def test_tags_of_others_are_kept_byte_for_byte():
    def raw_tag(*parts):
        return ebml.render(mk.TAG, b"".join(parts))

    def simple(name, value):
        return ebml.render(
            mk.SIMPLE_TAG,
            ebml.render(mk.TAG_NAME, name) + ebml.render(mk.TAG_STRING, value),
        )

    album = ebml.render(mk.TARGETS, ebml.render(mk.TARGET_TYPE, b"ALBUM"))
    track = ebml.render(mk.TARGETS, ebml.render(0x63C5, b"\x01"))
    others = [
        raw_tag(album, simple(b"lower case", b"caf\xe9")),
        raw_tag(track, simple(b"ASMR_MODEL", b"of a track")),
        raw_tag(simple(b"GENRE", b"Sleep"), ebml.render(0x5555, b"unknown")),
    ]  # fmt: skip
    content = b"".join(others)
    ours = mk._tags_content(
        content, TagState(genre=("Sleep",)), TagState({"ASMR_MODEL": "m"}, ("Sleep", "ASMR"))
    )
    assert ours.endswith(content)
    state = TagState({"ASMR_MODEL": "m"}, ("ASMR", "Sleep"))
    assert mk._tags_content(ours, state, TagState(genre=("Sleep",))) == content


@pytest.mark.parametrize("ext", ["mkv", "webm"])
def test_the_table_of_contents_tells_the_truth(recording, ext):
    path = recording(ext)
    for new in (
        tagged(read(path), heard(path), ALL),
        TagState({"ASMR_SCORES": "x" * 5000}),
        TagState({"ASMR_SCORES": "x" * 50}),
        TagState(),
        TagState({"ASMR_MODEL": "m"}),
    ):
        write(path, new)
        places = {element_id: offset for element_id, offset, _ in segment(path)}
        told = table_of_contents(path)
        assert mk.TAGS in told or not read(path).fields
        for element_id, offset in told.items():
            if element_id not in {mk.SEEK_HEAD}:
                assert places[element_id] == offset, hex(element_id)


def test_checksums_are_made_anew(recording):
    path = recording("mkv")
    write(path, tagged(read(path), heard(path), ALL))
    n_checked = 0
    for element_id, _, raw in segment(path):
        content = raw[ebml.read_element(raw).data :]
        if element_id != CLUSTER and content[:1] == bytes([ebml.CRC32]):
            told, rest = content[2:6], content[6:]
            assert zlib.crc32(rest).to_bytes(4, "little") == told, hex(element_id)
            n_checked += 1
    assert n_checked >= 2


def test_tags_come_and_go_without_the_file_growing(recording):
    path = recording("mkv")
    sizes = []
    for _ in range(4):
        write(path, tagged(read(path), heard(path), ALL))
        sizes.append(Path(path).stat().st_size)
        write(path, untagged(read(path)))
    assert sizes[1] == sizes[2] == sizes[3]


def live(path):
    """Make a file like one that a browser records: sizes left open."""
    data = bytearray(Path(path).read_bytes())
    head = ebml.read_element(data, ebml.read_element(bytes(data)).end)
    data[head.start + 4 : head.data] = b"\x01" + b"\xff" * 7
    return data


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(live, "left open, as in a live recording", id="live"),
        pytest.param(lambda path: Path(path).read_bytes()[:-100], "cut short", id="cut"),
        pytest.param(lambda path: Path(path).read_bytes() + b"x" * 9, "follows", id="more"),
        pytest.param(
            lambda path: Path(path).read_bytes().replace(b"\x11\x4d\x9b\x74", b"\x11\x4d\x9b\x75"),
            "no table of contents",
            id="no table of contents",
        ),
    ],
)
def test_what_could_not_be_kept_is_refused(recording, change, reason):
    path = recording("mkv")
    Path(path).write_bytes(change(path))
    before = Path(path).read_bytes()
    with pytest.raises(NotCarriedError, match=reason):
        write(path, TagState({"ASMR_SCORES": "x" * 300}))
    assert Path(path).read_bytes() == before


def test_a_table_of_contents_without_room_is_left_alone(recording):
    path = recording("mkv")
    elements = segment(path)
    at = next(k for k, (element_id, *_) in enumerate(elements) if element_id == mk.SEEK_HEAD)
    _, offset, void = elements[at + 1]
    assert void[0] == ebml.VOID
    data = bytearray(Path(path).read_bytes())
    base = ebml.read_element(data, ebml.read_element(bytes(data)).end).data
    data[base + offset] = 0xC0  # an element that nobody knows
    Path(path).write_bytes(data)
    with pytest.raises(NotCarriedError, match="no room for one more entry"):
        write(path, TagState({"ASMR_SCORES": "x" * 300}, chapters=heard_chapters(path)))


def heard_chapters(path):
    return tagged(read(path), heard(path), ALL).chapters


def test_something_else_is_damaged(recording):
    path = recording("mkv")
    data = bytearray(Path(path).read_bytes())
    data[0:4] = b"\x1a\x45\xdf\xa3"
    at = ebml.read_element(bytes(data)).end
    data[at : at + 4] = b"\0\0\0\0"
    Path(path).write_bytes(data)
    with pytest.raises(TagError, match=r"is no sound Matroska file .*; it may be damaged"):
        read(path)
