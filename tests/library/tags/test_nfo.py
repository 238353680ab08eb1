"""``.nfo`` files are merged into without losing a byte that is not ours, and given back by undo."""

from __future__ import annotations

import difflib
import errno
import os
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.errors import StepError
from asmr_classify.library.journal import Store
from asmr_classify.library.plan import Work
from asmr_classify.library.runs import FAILURES, carry_out
from asmr_classify.library.tagging import TagOptions, plan_removal, plan_tags
from asmr_classify.library.tags.fields import Wishes
from asmr_classify.library.tags.nfo import WriteNfo
from asmr_classify.library.tags.nfo_text import MARK, Nfo, NotMergeableError, Wanted, new_nfo
from asmr_classify.library.undo import choose_run, plan_undo, read_runs
from asmr_classify.visual.seen import Motion, MotionLevel, Picture, Visual
from tests.catalogue.results import seen

MOVIE = """\
<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>
<!-- created on 2026-01-02 by a media manager -->
<movie>
    <title>Rain &amp; whispers</title>
    <ratings>
        <rating name="imdb" max="10" default="true">
            <value>7.1</value>
        </rating>
    </ratings>
    <plot>He said: "<![CDATA[<tag>none</tag> & so on]]>"</plot>
    <uniqueid type="imdb" default="true">tt0111161</uniqueid>
    <genre>Relaxation</genre>
    <tag>Sleep</tag>
    <tag>ASMR: crinkle</tag>
    <tag>asmr</tag>
    <set>
        <name>Nights</name>
        <tag>ASMR: within</tag>
    </set>
\t<actor>
\t\t<name>囁き</name>
\t</actor>
    <somethingofmine a=">" />
</movie>
"""

EPISODE = "<episodedetails><title>One</title><season>1</season></episodedetails>"

MUSIC = "<musicvideo>\r\n  <title>Brush</title>\r\n  <artist>A</artist>\r\n</musicvideo>\r\n"

ADDRESS = "https://www.themoviedb.org/movie/11-star-wars\n"

SHOW = '<?xml version="1.0" encoding="iso-8859-1"?>\n<tvshow>\n<title>Caf\xe9</title>\n</tvshow>'

FILES = {
    "movie": MOVIE.encode(),
    "episode in a line": EPISODE.encode(),
    "music video with CRLF": MUSIC.encode(),
    "combination": (MOVIE + ADDRESS).encode(),
    "combination in a line": (EPISODE + ADDRESS).encode(),
    "byte order mark": b"\xef\xbb\xbf" + MOVIE.encode(),
    "utf-16": b"\xff\xfe" + MOVIE.replace("UTF-8", "UTF-16").encode("utf-16-le"),
    "utf-16 without a mark": MOVIE.replace("UTF-8", "UTF-16LE").encode("utf-16-le"),
    "utf-16 of Macs": MOVIE.replace("UTF-8", "UTF-16BE").encode("utf-16-be"),
    "shift-jis": MOVIE.replace("UTF-8", "Shift_JIS").encode("shift_jis"),
    "latin-1": SHOW.encode("latin-1"),
    "comments behind": (MOVIE + "<!-- </movie> -->\n").encode(),
    "no end of line": MOVIE.strip().encode(),
    "old Mac": MUSIC.replace("\r\n", "\r").encode(),
}

WANTED = Wanted(("tap", "white noise"), genre=True)


def values(nfo, name):
    """What an XML reader finds; it stops where the root ends, as Kodi does."""
    parser = ET.XMLPullParser(["start", "end"])
    depth = 0
    parser.feed(re.sub("UTF-16(LE|BE)?|Shift_JIS", "UTF-8", nfo.text))
    for event, element in parser.read_events():
        depth += 1 if event == "start" else -1
        if not depth:
            return [child.text for child in element if child.tag == name]
    raise AssertionError("no end")


def merged(content, wanted=WANTED):
    return Nfo.read(Nfo.read(content).merged(wanted).to_bytes())


def changes(before, after):
    lines = difflib.ndiff(before.text.splitlines(True), after.text.splitlines(True))
    return [line for line in lines if line[0] in "+-"]


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_tags_are_added_and_an_xml_reader_finds_them(content):
    before, after = Nfo.read(content), merged(content)
    tags = [tag for tag in values(before, "tag") if not tag.startswith("ASMR: ")]
    assert values(after, "tag") == [*tags, "ASMR: tap", "ASMR: white noise"]
    assert values(after, "genre") == [*values(before, "genre"), "ASMR"]
    assert values(after, "title") == values(before, "title")


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_taking_ours_out_again_gives_the_bytes_that_were_there(content):
    clean = Nfo.read(content).merged(Wanted()).to_bytes()
    assert merged(clean).merged(Wanted()).to_bytes() == clean
    assert Nfo.read(clean).merged(Wanted()).to_bytes() == clean


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_twice_is_once(content):
    once = merged(content)
    assert once.merged(WANTED) == once


def test_only_lines_of_ours_come_and_go():
    before = Nfo.read(MOVIE.encode())
    assert changes(before, before.merged(WANTED)) == [
        "-     <tag>ASMR: crinkle</tag>\n",
        "+     <tag>ASMR: tap</tag>\n",
        "+     <tag>ASMR: white noise</tag>\n",
        f"+     <genre>ASMR</genre>{MARK}\n",
    ]
    crlf = Nfo.read(MUSIC.encode())
    assert changes(crlf, crlf.merged(Wanted(("tap",)))) == ["+   <tag>ASMR: tap</tag>\r\n"]
    line = Nfo.read(EPISODE.encode()).merged(Wanted(("tap",)))
    assert line.text == EPISODE.replace("</ep", "<tag>ASMR: tap</tag></ep")


def test_what_is_still_true_stays_where_it_is():
    before = Nfo.read(MOVIE.encode())
    assert changes(before, before.merged(Wanted(("crinkle",)))) == []


def test_a_genre_of_the_user_is_neither_doubled_nor_taken_out():
    own = EPISODE.replace("<season>", "<genre>asmr</genre><season>").encode()
    assert values(merged(own), "genre") == ["asmr"]
    assert values(merged(own, Wanted()), "genre") == ["asmr"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"<movie><title>a</movie>", "is no well-formed XML", id="broken"),
        pytest.param(b"<movie>", "is no well-formed XML", id="cut off"),
        pytest.param(b"<movie>&nbsp;</movie>", "is no well-formed XML", id="unknown entity"),
        pytest.param(
            b'<!DOCTYPE movie [<!ENTITY a "b">]><movie>&a;</movie>', "document type", id="entity"
        ),
        pytest.param(
            b'<!DOCTYPE movie SYSTEM "file:///etc/passwd"><movie/>', "document type", id="file"
        ),
        pytest.param(ADDRESS.encode(), "holds no XML; put '<movie></movie>'", id="address"),
        pytest.param(b"\xdc\xdb\xb2 RELEASE \xb2", "is not written in utf-8", id="art"),
        pytest.param(b"", "holds no XML", id="empty"),
        pytest.param(b"<html></html>", "is about <html>, and not one of", id="page"),
        pytest.param((EPISODE * 2).encode(), "is about several videos", id="two episodes"),
        pytest.param(b'<?xml encoding="no-such"?><movie></movie>', "as it claims", id="encoding"),
        pytest.param(b'<?xml encoding="hex"?><movie></movie>', "as it claims", id="no text"),
    ],
)
def test_what_cannot_be_changed_safely_is_refused(content, message):
    with pytest.raises(NotMergeableError, match=message):
        Nfo.read(content)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<movie/>", "<movie><tag>ASMR: tap</tag></movie>"),
        (
            "<?xml version='1.0'?>\n<movie />\n",
            "<?xml version='1.0'?>\n<movie><tag>ASMR: tap</tag></movie>\n",
        ),
        ('<video a="/>"\n/><!-- b -->', '<video a="/>"><tag>ASMR: tap</tag></video><!-- b -->'),
    ],
    ids=["bare", "declared", "with more"],
)
def test_an_empty_root_is_opened_when_there_is_something_to_say(before, after):
    nfo = Nfo.read(before.encode())
    assert nfo.merged(Wanted(("tap",))).to_bytes().decode() == after
    assert nfo.merged(Wanted()).to_bytes().decode() == before


@given(
    st.text(), st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=3)
)
def test_any_name_and_any_label_give_xml(title, tags):
    nfo = Nfo.read(new_nfo(title, Wanted(tuple(tags))).to_bytes())
    assert len(values(nfo, "title")) == 1
    assert all(tag.startswith("ASMR:") for tag in values(nfo, "tag"))


def test_a_label_that_the_encoding_lacks_is_written_for_xml():
    nfo = merged(SHOW.encode("latin-1"), Wanted(("囁き",)))
    assert values(nfo, "tag") == ["ASMR: 囁き"]
    assert nfo.to_bytes().isascii() is False


def heard(path, tags=("tap",), **changes):
    scores = dict.fromkeys(tags, 0.9)
    return FileResult(
        str(path), Status.OK, "m@1", duration=9.0, decoded=9.0, tags=tags, scores=scores, **changes
    )


@pytest.fixture
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("state"))


def tag(store, *results, genre=False, nfo=True):
    planned = plan_tags(results, TagOptions(Wishes(genre=genre), nfo=nfo), ("tag",))
    carry_out(planned.plan, store)
    return planned


def undo(store):
    runs, _ = read_runs(store)
    assert carry_out(plan_undo(choose_run(store, runs, None), runs, ("undo",)), store).n_done == 1


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "rain.mp4"
    path.write_bytes(b"no matter")
    return path


def test_a_file_is_begun_changed_and_removed(video, store):
    nfo = video.with_suffix(".nfo")
    tag(store, heard(video, ("white_noise", "tap"), no_talking=True), genre=True)
    root = ET.fromstring(nfo.read_bytes())  # noqa: S314 (our own)
    assert [(x.tag, x.text) for x in root] == [
        ("title", "rain"),
        ("tag", "ASMR: white noise"),
        ("tag", "ASMR: tap"),
        ("tag", "ASMR: no talking"),
        ("genre", "ASMR"),
    ]
    tag(store, heard(video, ("crinkle",)))  # the genre was asked for once
    root = ET.fromstring(nfo.read_bytes())  # noqa: S314
    assert [x.text for x in root] == ["rain", "ASMR", "ASMR: crinkle"]
    planned = plan_removal([str(video)], TagOptions(), ("tag",))
    carry_out(planned.plan, store)
    assert not nfo.exists()
    assert video.read_bytes() == b"no matter"


@pytest.mark.parametrize("content", [None, MOVIE], ids=["no file", "a file of somebody's"])
def test_what_has_nothing_to_tell_is_not_called_tagged(video, store, content):
    nfo = video.with_suffix(".nfo")
    if content is not None:
        nfo.write_text(content.replace("ASMR: ", ""))
    tag(store, heard(video))
    tag(store, heard(video, ()))  # takes out what was told
    planned = tag(store, heard(video, ()))
    assert (planned.plan.steps, planned.unchanged) == ((), ())
    (note,) = planned.notes
    assert str(note) == (
        f"{video}: there is nothing to tell media servers: "
        "neither a trigger nor a kind of sound is heard in it"
    )


def test_undo_gives_back_the_very_bytes_and_the_mode(video, store):
    nfo = video.with_suffix(".nfo")
    nfo.write_bytes(FILES["utf-16"])
    nfo.chmod(0o640)
    (step,) = tag(store, heard(video)).plan.steps
    assert isinstance(step, WriteNfo)
    assert step.describe().verb == "change nfo"
    assert nfo.read_bytes() != FILES["utf-16"]
    undo(store)
    assert nfo.read_bytes() == FILES["utf-16"]
    assert nfo.stat().st_mode & 0o777 == 0o640


def test_hard_links_are_not_parted(video, store):
    nfo, second = video.with_suffix(".nfo"), video.with_name("second.nfo")
    nfo.write_text("<movie>\n</movie>\n")
    second.hardlink_to(nfo)
    (left,) = plan_tags([heard(video)], TagOptions(nfo=True), ("tag",)).plan.left
    assert "it has 2 names on the disk" in left.reason
    second.unlink()
    planned = plan_tags([heard(video)], TagOptions(nfo=True), ("tag",)).plan
    second.hardlink_to(nfo)
    (outcome,) = carry_out(planned, store).outcomes
    assert "it has 2 names on the disk" in outcome.reason
    second.unlink()
    tag(store, heard(video))
    second.hardlink_to(nfo)
    runs, _ = read_runs(store)
    (left,) = plan_undo(choose_run(store, runs, None), runs, ("undo",)).left
    assert "it has 2 names on the disk" in left.reason
    assert nfo.samefile(second)


def test_a_file_of_another_user_stays_theirs(video, of_another, monkeypatch):
    nfo = video.with_suffix(".nfo")
    nfo.write_text("<movie>\n</movie>\n")
    of_another(nfo)
    (left,) = plan_tags([heard(video)], TagOptions(nfo=True), ("tag",)).plan.left
    assert "it belongs to another user" in left.reason
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    (step,) = plan_tags([heard(video)], TagOptions(nfo=True), ("tag",)).plan.steps
    with pytest.raises(StepError, match="it belongs to another user"):
        step.do(Work("7-0", lambda **_: None))
    assert nfo.read_text() == "<movie>\n</movie>\n"
    assert nfo.stat().st_uid != os.geteuid()


def test_a_begun_file_is_gone_after_undo(video, store):
    tag(store, heard(video))
    undo(store)
    assert os.listdir(video.parent) == ["rain.mp4"]


def test_equal_tags_are_no_step(video, store):
    tag(store, heard(video))
    again = tag(store, heard(video))
    assert (again.plan.steps, again.unchanged) == ((), (str(video),))


def test_no_trigger_begins_no_file_and_leaves_none_of_ours(video, store):
    assert tag(store, heard(video, ())).plan.steps == ()
    nfo = video.with_suffix(".nfo")
    nfo.write_text(MOVIE)
    tag(store, heard(video, ()))
    assert nfo.read_text() == MOVIE.replace("    <tag>ASMR: crinkle</tag>\n", "")


def tags_in(nfo):
    return [x.text for x in ET.fromstring(nfo.read_bytes()).iter("tag")]  # noqa: S314 (our own)


@pytest.mark.parametrize(
    ("visual", "tags"),
    [
        pytest.param(seen(), ["slow movements", "dark picture"], id="slow and dark"),
        pytest.param(seen(motion=None, light=None), [], id="nothing more"),
        pytest.param(seen(motion=Motion(MotionLevel.STILL, 0, 0)), ["dark picture"],
                     id="slide show"),
        pytest.param(Visual(Picture.STILL), ["still picture"], id="one picture"),
        pytest.param(Visual(Picture.NONE), [], id="sound"),
        pytest.param(None, [], id="not looked at"),
    ],
)  # fmt: skip
def test_how_a_video_looks_is_a_tag_or_two(video, store, visual, tags):
    tag(store, heard(video, no_talking=False, visual=visual))
    expected = ["tap", *tags]
    assert tags_in(video.with_suffix(".nfo")) == [f"ASMR: {name}" for name in expected]


def test_kinds_are_tags_behind_the_triggers_each_once(video, store):
    told = heard(video, ("tap", "typing"), no_talking=True, visual=seen())
    tag(store, replace(told, kinds={"typing": 0.9, "running_water": 0.8}))
    nfo = video.with_suffix(".nfo")
    names = ["tap", "typing", "running water", "no talking", "slow movements", "dark picture"]
    assert tags_in(nfo) == [f"ASMR: {name}" for name in names]
    tag(store, told)  # its kinds were set as none
    del names[2]
    assert tags_in(nfo) == [f"ASMR: {name}" for name in names]


def test_kinds_come_into_a_file_that_was_written_without_them(video, store):
    tag(store, heard(video))
    nfo = video.with_suffix(".nfo")
    before = nfo.read_bytes()
    (step,) = tag(store, heard(video, kinds={"rain": 0.9})).plan.steps
    assert step.describe().detail == "+ <tag>ASMR: rain</tag>"
    assert tags_in(nfo) == ["ASMR: tap", "ASMR: rain"]
    undo(store)
    assert nfo.read_bytes() == before


def test_what_holds_kinds_but_no_trigger_has_tags_and_no_genre(video, store):
    chewed = heard(video, (), kinds={"chewing": 0.9}, no_talking=True, visual=seen())
    tag(store, chewed, genre=True)
    nfo = video.with_suffix(".nfo")
    names = ["chewing", "no talking", "slow movements", "dark picture"]
    assert tags_in(nfo) == [f"ASMR: {name}" for name in names]
    assert b"<genre>" not in nfo.read_bytes()
    carry_out(plan_removal([str(video)], TagOptions(), ("tag",)).plan, store)
    assert not nfo.exists()


def test_a_video_without_sound_has_tags_of_what_is_seen(video, store):
    error = Problem("NoAudioError", f"{video}: mute")
    mute = FileResult(str(video), Status.NO_AUDIO, "tiny@0.1", error)
    made = tag(store, mute, genre=True)
    assert (made.plan.steps, [note.reason for note in made.notes]) == ((), ["mute"])
    tag(store, replace(mute, visual=seen()), genre=True)
    nfo = video.with_suffix(".nfo")
    assert tags_in(nfo) == ["ASMR: slow movements", "ASMR: dark picture"]
    assert b"<genre>ASMR</genre>" in nfo.read_bytes()


def test_a_video_whose_sound_is_silent_has_tags_of_what_is_seen(video, store):
    silent = FileResult(str(video), Status.SILENT, "tiny@0.1", visual=seen())
    tag(store, silent, genre=True)
    nfo = video.with_suffix(".nfo")
    assert tags_in(nfo) == ["ASMR: slow movements", "ASMR: dark picture"]
    assert b"<genre>ASMR</genre>" in nfo.read_bytes()


def test_what_cannot_be_merged_is_left_with_a_reason(tmp_path, store):
    results = []
    for name, content in (("a.mp4", b"<movie>"), ("b.mp4", b"x" * 2_000_000), ("c.mp3", None)):
        (tmp_path / name).write_bytes(b"")
        if content is not None:
            (tmp_path / name).with_suffix(".nfo").write_bytes(content)
        results.append(heard(tmp_path / name))
    (tmp_path / "d.mkv").touch()
    (tmp_path / "d.mp4").touch()
    planned = tag(store, *results, heard(tmp_path / "d.mkv"), heard(tmp_path / "d.mp4"))
    assert planned.plan.steps == ()
    names = [os.path.basename(left.path) for left in planned.plan.left]
    assert names == ["a.nfo", "b.nfo", "d.mkv", "d.mp4"]
    reasons = [left.reason for left in planned.plan.left]
    assert "is no well-formed XML" in reasons[0]
    assert "is larger than any file of a media server" in reasons[1]
    assert "d.nfo with d.mp4: rename one" in reasons[2]
    assert "d.nfo with d.mkv: rename one" in reasons[3]
    (note,) = planned.notes
    assert "media servers read .nfo files beside videos only" in note.reason
    assert (tmp_path / "a.nfo").read_bytes() == b"<movie>"


def test_a_full_disk_is_told_of_the_file_that_it_kept_from_being_written(video, store, monkeypatch):
    def is_full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    planned = plan_tags([heard(video, ("tap",))], TagOptions(Wishes(), nfo=True), ("tag",))
    monkeypatch.setattr(os, "replace", is_full)
    (outcome,) = carry_out(planned.plan, store).outcomes
    assert outcome.reason == f"{video.with_suffix('.nfo')}: {FAILURES[errno.ENOSPC]}"


def test_videos_that_share_a_file_do_not_overwrite_each_other_whenever_they_come(video, store):
    tag(store, heard(video, ("tap",)))
    kept = video.with_suffix(".nfo").read_bytes()
    later = video.with_suffix(".MKV")
    later.touch()
    for nfo in (True, False):
        planned = tag(store, heard(later, ("crinkle",)), nfo=nfo)
        assert [left.reason for left in planned.plan.left] == [
            f"shares {video.with_suffix('.nfo')} with rain.mp4: rename one"
        ] * nfo
        assert video.with_suffix(".nfo").read_bytes() == kept
    other = later.rename(video.with_name("other.mkv"))
    tag(store, heard(other, ("crinkle",)))
    assert b"ASMR: crinkle" in other.with_suffix(".nfo").read_bytes()
    assert tag(store, heard(video, ("tap",))).unchanged == (str(video),)


def test_plain_tagging_keeps_ours_true_and_heeds_no_other_file(tmp_path, store):
    path = tmp_path / "a.avi"
    path.touch()
    nfo = path.with_suffix(".nfo")
    for content in (b"<movie>", EPISODE.encode()):
        nfo.write_bytes(content)
        assert tag(store, heard(path), nfo=False).plan.left == ()
        assert nfo.read_bytes() == content
    nfo.write_text(MOVIE)
    tag(store, heard(path, ("tap",)), nfo=False)
    assert nfo.read_text() == MOVIE.replace("    <tag>ASMR: crinkle</tag>\n", "").replace(
        "</movie>", "    <tag>ASMR: tap</tag>\n</movie>"
    )


def test_a_file_that_changed_meanwhile_is_left_alone(video, store):
    planned = plan_tags([heard(video)], TagOptions(nfo=True), ("tag",))
    video.with_suffix(".nfo").write_text(MOVIE)
    assert carry_out(planned.plan, store).n_done == 0
    assert video.with_suffix(".nfo").read_text() == MOVIE
