"""What holds of every kind of file that carries tags."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import av
import mutagen
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asmr_classify.aggregate import FileResult, Status
from asmr_classify.errors import MediaError, NotCarriedError, OpenError, TagError
from asmr_classify.library.tags.carriers import CARRIERS, find_carrier
from asmr_classify.library.tags.fields import FIELD_NAMES, Wishes, tagged, untagged
from asmr_classify.library.tags.state import Chapter, TagState
from asmr_classify.library.tags.streams import digest_streams
from tests.catalogue.results import seen
from tests.conftest import shared_folder
from tests.library.reading import read_fields
from tests.library.tags.conftest import CARRIED, NOT_CARRIED, WITH_CHAPTERS, heard, read, write
from tests.media.make_media import RECIPES, write_media

ALL = Wishes(genre=True, comment=True, chapters=True)

each_kind = pytest.mark.parametrize("ext", CARRIED)


def shared_media():
    folder = shared_folder() / "media"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def tag_all(path):
    """Write all that we can write, and give what should be there then."""
    carrier = find_carrier(path)
    wishes = Wishes(genre=True, comment=True, chapters=carrier.max_chapters > 0)
    new = tagged(carrier.read(path), heard(path), wishes)
    write(path, new)
    return new


def test_every_carrier_is_tried_by_these_tests(originals):
    names = {type(find_carrier(str(originals / f"a.{ext}"))).__name__ for ext in CARRIED}
    assert names == {place.partition(":")[2] for place in CARRIERS.values()}


@each_kind
def test_what_is_written_is_read_back(recording, ext):
    path = recording(ext)
    assert read_fields(path) == {}
    new = tag_all(path)
    assert read(path).says_the_same(new)
    assert read_fields(path) == {
        "ASMR_TRIGGERS": "tap;white_noise",
        "ASMR_KINDS": "typing;running_water",
        "ASMR_SCORES": "tap=0.91 white_noise=0.70 speech=0.05",
        "ASMR_NO_TALKING": "true",
        "ASMR_VISUAL": "picture=video motion=slow light=dark",
        "ASMR_MODEL": "tiny@0.1",
        "ASMR_GENRE": "ASMR",
        "ASMR_COMMENT": "ASMR: tap, white noise; no talking",
        **({"ASMR_CHAPTERS": new.fields["ASMR_CHAPTERS"]} if new.chapters else {}),
    }


@pytest.mark.parametrize("ext", ["mp4", "mov", "mkv", "webm"])
def test_a_video_without_sound_is_tagged_with_what_is_seen(tmp_path, ext):
    path = str(tmp_path / f"a.{ext}")
    write_media(Path(path), None, RECIPES[ext], video_duration=1.0)
    before = digest_streams(path)
    mute = FileResult(path, Status.NO_AUDIO, "tiny@0.1", visual=seen())
    write(path, tagged(read(path), mute, Wishes()))
    assert read_fields(path) == {
        "ASMR_VISUAL": "picture=video motion=slow light=dark",
        "ASMR_MODEL": "tiny@0.1",
    }
    assert digest_streams(path) == before


@each_kind
def test_the_streams_are_the_same_packet_for_packet(recording, ext, originals):
    path = recording(ext)
    tag_all(path)
    assert digest_streams(path) == digest_streams(str(originals / f"a.{ext}"))


@each_kind
def test_the_samples_are_the_same(recording, ext, originals):
    def decode(place):
        with av.open(str(place)) as container:
            return b"".join(bytes(frame.planes[0]) for frame in container.decode(audio=0))

    path = recording(ext)
    tag_all(path)
    assert decode(path) == decode(originals / f"a.{ext}")


@each_kind
def test_all_of_ours_can_be_taken_out_again(recording, ext):
    path = recording(ext)
    before = read(path)
    tag_all(path)
    write(path, untagged(read(path)))
    assert read(path) == before


@pytest.mark.parametrize("ext", ["wav", "aiff", "flac", "ogg", "opus"])
def test_where_nothing_is_left_to_hold_tags_the_very_file_is_back(recording, ext, originals):
    path = recording(ext)
    tag_all(path)
    write(path, untagged(read(path)))
    assert Path(path).read_bytes() == (originals / f"a.{ext}").read_bytes()


def test_an_mp3_without_a_tag_has_none_afterwards(recording):
    path = recording("mp3")
    mutagen.File(path).delete()
    bare = Path(path).read_bytes()
    tag_all(path)
    assert Path(path).read_bytes().startswith(b"ID3")
    write(path, untagged(read(path)))
    assert Path(path).read_bytes() == bare


def ffmpeg_metadata(path):
    with av.open(path) as container:
        streams = [dict(stream.metadata) for stream in container.streams]
        return {
            name.upper(): value
            for part in (*streams, dict(container.metadata))
            for name, value in part.items()
        }


@pytest.mark.parametrize("ext", [ext for ext in CARRIED if ext != "mov"])
def test_ffmpeg_reads_them(recording, ext):
    path = recording(ext)
    tag_all(path)
    found = ffmpeg_metadata(path)
    assert found["ASMR_TRIGGERS"] == "tap;white_noise"
    assert found["ASMR_KINDS"] == "typing;running_water"
    assert found["GENRE"] == "ASMR"
    assert found["COMMENT"] == "ASMR: tap, white noise; no talking"


@pytest.mark.parametrize("ext", WITH_CHAPTERS)
def test_ffmpeg_reads_the_chapters(recording, ext):
    path = recording(ext)
    tag_all(path)
    with av.open(path) as container:
        found = [
            (float(entry["start"] * entry["time_base"]), entry["metadata"]["title"])
            for entry in container.chapters()
        ]
    assert found == [(0.0, "tap"), (20.0, "tap + white noise")]


@each_kind
def test_chapters_of_the_user_are_kept(recording, ext):
    path = recording(ext)
    if find_carrier(path).max_chapters == 0:
        pytest.skip("holds no chapters")
    mine = (Chapter(0, 400, "intro"), Chapter(400, 1000, "main"))
    write(path, TagState(chapters=mine))
    new = tagged(read(path), heard(path), ALL)
    assert "ASMR_CHAPTERS" not in new.fields
    write(path, new)
    write(path, untagged(read(path)))
    assert [chapter.title for chapter in read(path).chapters] == ["intro", "main"]


@each_kind
def test_genre_and_comment_of_the_user_are_kept(recording, ext):
    path = recording(ext)
    mine = TagState(genre=("Sleep",), comment=("recorded in a tent",))
    write(path, mine)
    write(
        path, tagged(read(path), heard(path), ALL if ext in WITH_CHAPTERS else Wishes(True, True))
    )
    both = read(path)
    assert sorted(both.genre) == ["ASMR", "Sleep"]
    assert sorted(both.comment) == ["ASMR: tap, white noise; no talking", "recorded in a tent"]
    write(path, untagged(both))
    assert read(path) == mine


@each_kind
def test_a_changed_tag_replaces_the_old_one(recording, ext):
    path = recording(ext)
    tag_all(path)
    new = tagged(read(path), heard(path, tags=("whisper",), no_talking=False), Wishes())
    write(path, new)
    found = read(path)
    assert found.says_the_same(new)
    assert found.fields["ASMR_TRIGGERS"] == "whisper"
    assert found.comment == ("ASMR: whisper",), "what was asked for once is kept up to date"


TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n;= %"), min_size=1
)


@each_kind
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=st.dictionaries(st.sampled_from(FIELD_NAMES[:6]), TEXT, min_size=1), comment=TEXT)
def test_any_text_survives(recording, ext, fields, comment):
    path = recording(ext)
    new = TagState(fields, comment=(comment,))
    write(path, new)
    assert read(path).says_the_same(new)
    write(path, TagState())
    assert read(path) == TagState()


def test_a_long_text_survives(recording):
    for ext in CARRIED:
        path = recording(ext)
        new = TagState({"ASMR_SCORES": " ".join(f"label{k}=0.50" for k in range(5000))})
        write(path, new)
        assert read(path).says_the_same(new), ext
        assert digest_streams(path), ext


@pytest.mark.parametrize("ext", NOT_CARRIED)
def test_other_kinds_are_refused(recording, ext):
    with pytest.raises(NotCarriedError, match="no tags can be written into files of its kind"):
        read_fields(recording(ext))


@pytest.mark.parametrize(("name", "kind"), [("a.mp3", "MP3"), ("a.M4A", "MP4"), ("a.opus", "Opus")])
def test_what_is_not_what_its_name_tells_is_called_damaged(tmp_path, name, kind):
    path = tmp_path / name
    path.write_bytes(b"\0" * 2000)
    match = f"does not begin as {kind} files do: it is damaged, or named wrongly"
    with pytest.raises(NotCarriedError, match=match):
        read_fields(path)


@each_kind
def test_content_decides_not_the_name(recording, ext):
    wrong = "m4a" if ext == "mp3" else "mp3"
    path = recording(ext, f"b.{wrong}")
    tag_all(path)
    assert read_fields(path)["ASMR_MODEL"] == "tiny@0.1"


@each_kind
def test_names_that_are_not_utf8(recording, ext):
    path = recording(ext)
    strange = os.path.join(os.path.dirname(path), os.fsdecode(b"caf\xe9 \xff." + ext.encode()))
    os.rename(path, strange)
    tag_all(strange)
    assert read_fields(strange)["ASMR_TRIGGERS"] == "tap;white_noise"
    assert digest_streams(strange)


def test_a_missing_file_is_told():
    with pytest.raises(OpenError, match="cannot be read: No such file"):
        read_fields("/nowhere/a.mp3")


@each_kind
def test_damaged_files_end_as_our_errors(recording, ext, originals):
    whole = (originals / f"a.{ext}").read_bytes()
    rng = random.Random(20240229)  # noqa: S311
    path, errors = recording(ext), []
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(rng.choice([1, 4, 30])):
            data[rng.randrange(min(len(data), 5000))] = rng.choice([0, 255, rng.randrange(256)])
        Path(path).write_bytes(data[: rng.choice([rng.randrange(len(data)), len(data)])])
        try:
            write(path, TagState({"ASMR_TRIGGERS": "tap"}))
        except MediaError as exc:
            errors.append(exc)
    assert all(exc.path == path and len(exc.message) > 10 for exc in errors)
    assert errors


@pytest.mark.parametrize(
    ("ext", "start"), [("mp3", 0), ("flac", 0), ("mkv", 0), ("mp4", 0)], ids=str
)
def test_a_file_that_is_cut_short_says_so(recording, ext, start):
    path = recording(ext)
    if ext == "mp3":
        tag_all(path)
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[start : start + 60])
    with pytest.raises(TagError, match=r"damaged|cut short"):
        read_fields(path)


@pytest.mark.parametrize("source", shared_media(), ids=lambda path: path.name)
def test_media_as_users_have_them(source, tmp_path):
    path = str(tmp_path / source.name)
    shutil.copyfile(source, path)
    before = read(path)
    streams = digest_streams(path)
    theirs = {
        name: value
        for name, value in ffmpeg_metadata(path).items()
        if name not in {"GENRE", "COMMENT"}
    }
    new = tag_all(path)
    assert read(path).says_the_same(new)
    assert digest_streams(path) == streams
    assert theirs.items() <= ffmpeg_metadata(path).items()
    write(path, untagged(read(path)))
    assert read(path) == before
