from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmr_classify.aggregate import Status
from asmr_classify.catalogue.corrections import Correction
from asmr_classify.errors import NotRepresentableError
from asmr_classify.library.tags.chapters import MAX_TITLE_BYTES, timeline_chapters
from asmr_classify.library.tags.fields import (
    FIELD_NAMES,
    KINDS,
    TRIGGERS,
    Wishes,
    comment_text,
    describe_change,
    mark_of_chapters,
    read_names,
    result_to_fields,
    tagged,
    untagged,
)
from asmr_classify.library.tags.spelling import escape, unescape
from asmr_classify.library.tags.state import Chapter, TagState
from asmr_classify.timeline import Segment
from asmr_classify.visual.levels import LIVELY
from asmr_classify.visual.seen import Lanes, Picture, Visual
from asmr_classify.writers.youtube import chapters_of
from tests.catalogue.results import seen
from tests.library.tags.conftest import heard

ALL = Wishes(genre=True, comment=True, chapters=True)

LABELS = st.text(min_size=1)
"""Any word: models of users' own have labels of their own."""


@given(label=LABELS)
def test_any_label_can_be_spelt_and_read(label):
    spelt = escape(label)
    assert unescape(spelt) == label
    assert not set(spelt) & set(" ;=")
    assert spelt.isprintable()


@given(scores=st.dictionaries(LABELS, st.floats(0, 1), min_size=1, max_size=5))
def test_results_of_any_model_can_be_read_from_fields(scores):
    fields = result_to_fields(heard("a", tags=tuple(scores), scores=scores))
    assert read_names(fields, TRIGGERS) == tuple(scores)
    pairs = (pair.rpartition("=") for pair in fields["ASMR_SCORES"].split())
    told = {unescape(label): float(score) for label, _, score in pairs}
    assert told == {label: round(score, 2) for label, score in scores.items()}
    assert all(value.isprintable() for value in fields.values())


def test_empty_fields_are_left_out():
    silent = heard(
        "a", status=Status.SILENT, tags=(), scores={}, no_talking=None, visual=None, kinds={}
    )
    assert result_to_fields(silent) == {"ASMR_MODEL": "tiny@0.1"}
    assert read_names({}, TRIGGERS) == ()


@given(kinds=st.dictionaries(LABELS, st.floats(0, 1), min_size=1, max_size=5))
def test_kinds_of_any_model_can_be_read_whether_or_not_there_is_a_trigger(kinds):
    for tags in (("tap",), ()):
        fields = result_to_fields(heard("a", tags=tags, kinds=kinds))
        assert read_names(fields, KINDS) == tuple(kinds)
        assert fields["ASMR_KINDS"].isprintable()


@pytest.mark.parametrize(
    ("kinds", "text"),
    [
        pytest.param(("typing", "rain"), "rain;typing", id="surest first"),
        pytest.param((), None, id="none"),
    ],
)
def test_kinds_that_were_set_by_hand_take_the_place_of_those_told(kinds, text):
    told = heard("a", kinds={"typing": 0.93, "chewing": 0.6})
    corrected = Correction(kinds=kinds).apply(told)
    assert result_to_fields(corrected).get("ASMR_KINDS") == text


@pytest.mark.parametrize(
    ("visual", "text"),
    [
        pytest.param(seen(), "picture=video motion=slow light=dark", id="video"),
        pytest.param(seen(motion=None), "picture=video light=dark", id="no motion"),
        pytest.param(seen(motion=None, light=None), "picture=video", id="nothing more"),
        pytest.param(Visual(Picture.COVER), None, id="cover"),
        pytest.param(Visual(Picture.NONE), None, id="sound"),
        pytest.param(None, None, id="not looked at"),
    ],
)
def test_what_is_seen_is_told_where_there_is_something_to_see(visual, text):
    assert result_to_fields(heard("a", visual=visual)).get("ASMR_VISUAL") == text


WORDS = st.text(st.characters(codec="utf-8"), min_size=1)
STATES = st.builds(
    TagState,
    genre=st.lists(WORDS, unique=True, max_size=3).map(tuple),
    comment=st.lists(WORDS, unique=True, max_size=3).map(tuple),
    chapters=st.lists(st.builds(Chapter, st.integers(0, 9), st.integers(9, 20), WORDS), max_size=3)
    .map(tuple),
)  # fmt: skip


@given(theirs=STATES, wishes=st.builds(Wishes, *[st.booleans()] * 4))
def test_what_is_the_users_is_left_when_ours_is_taken_out(theirs, wishes):
    ours = tagged(theirs, heard("a"), wishes)
    assert untagged(ours) == theirs
    assert tagged(ours, heard("a"), wishes) == ours, "once more changes nothing"
    assert set(ours.fields) <= set(FIELD_NAMES)


def test_a_genre_that_is_there_is_not_ours():
    new = tagged(TagState(genre=("asmr",)), heard("a"), ALL)
    assert new.genre == ("asmr",)
    assert "ASMR_GENRE" not in new.fields


def test_what_holds_no_trigger_is_no_asmr():
    new = tagged(TagState(), heard("a", tags=(), segments=()), ALL)
    assert (new.genre, new.comment, new.chapters) == ((), (), ())


def test_chapters_that_the_user_changed_are_kept():
    ours = tagged(TagState(), heard("a"), ALL)
    assert ours.fields["ASMR_CHAPTERS"] == mark_of_chapters(ours.chapters)
    renamed = (Chapter(0, 500, "my part"), *ours.chapters[1:])
    changed = TagState(ours.fields, ours.genre, ours.comment, renamed)
    assert untagged(changed).chapters == renamed


@given(
    spans=st.lists(
        st.tuples(st.integers(0, 99), st.integers(1, 50), st.sampled_from("abc")), min_size=1
    ),
    duration=st.none() | st.integers(1, 200),
)
def test_chapters_cover_the_recording_and_are_long_enough_to_be_of_use(spans, duration):
    segments = tuple(Segment(start, start + length, label, 0.5) for start, length, label in spans)
    end = duration or max(segment.end for segment in segments)
    result = heard("a", segments=segments, duration=duration, decoded=end)
    chapters = timeline_chapters(result)
    assert (chapters[0].start_ms, chapters[-1].end_ms) == (0, 1000 * end)
    assert all(
        one.end_ms == other.start_ms and one.title != other.title
        for one, other in pairwise(chapters)
    )
    if len(chapters) > 1:
        assert min(chapter.end_ms - chapter.start_ms for chapter in chapters) >= 10_000
    lines = chapters_to_lines(result)
    assert lines is None or lines == [chapter.title for chapter in chapters]


@pytest.mark.parametrize(("duration", "n_chapters"), [(0.9, 0), (1.0, 1)])
def test_less_than_a_second_has_no_chapter(duration, n_chapters):
    segments = (Segment(0, duration, "tap", 0.9),)
    result = heard("a", segments=segments, duration=duration, decoded=duration)
    assert len(timeline_chapters(result)) == n_chapters
    assert timeline_chapters(heard("a", segments=())) == ()


def chapters_to_lines(result):
    """The titles that YouTube gets, if it takes the list."""
    try:
        return [line.split(" ", 1)[1] for line in chapters_of(result).splitlines()]
    except NotRepresentableError:
        return None


def test_a_second_of_something_is_no_chapter():
    segments = (Segment(0, 30, "tap", 0.9), Segment(12, 13, "speech", 0.7))
    chapters = timeline_chapters(heard("a", segments=segments, duration=30.25, decoded=30.25))
    assert chapters == (Chapter(0, 30_250, "tap"),)


@pytest.mark.parametrize(("segments", "duration"), [((), 100), ((Segment(0, 0.4, "a", 1),), 0.4)])
def test_where_there_is_nothing_to_divide_there_are_no_chapters(segments, duration):
    result = heard("a", segments=segments, duration=duration, decoded=duration)
    assert timeline_chapters(result) == ()


def test_chapters_tell_where_it_is_lively_until_they_are_taken_out():
    moved = seen(lanes=Lanes(10.0, motion=(0.0, LIVELY, 0.0, LIVELY), light=()))
    plainly = tagged(TagState(), heard("a", visual=moved), Wishes(chapters=True))
    lively = tagged(plainly, heard("a", visual=moved), Wishes(chapters=True, lively=True))
    titles = ["tap", "tap + lively", "tap + white noise", "tap + white noise + lively"]
    assert [chapter.title for chapter in lively.chapters] == titles
    assert [chapter.title for chapter in plainly.chapters] == titles[::2]
    assert lively.fields["ASMR_CHAPTERS"] == f"{mark_of_chapters(lively.chapters)} lively"
    for later in (Wishes(), Wishes(chapters=True)):
        assert tagged(lively, heard("a", visual=moved), later) == lively
    unseen = tagged(lively, heard("a", visual=None), Wishes())
    assert unseen.chapters == plainly.chapters
    assert tagged(unseen, heard("a", visual=moved), Wishes()) == lively
    assert untagged(lively) == TagState()


def test_where_only_pictures_are_lively_there_are_chapters():
    mute = heard("a", segments=(), visual=seen(lanes=Lanes(20.0, (0.0, LIVELY), light=())))
    told = [chapter.title for chapter in timeline_chapters(mute, lively=True)]
    assert (timeline_chapters(mute), told) == ((), ["other", "lively"])


def test_a_long_title_is_cut_between_characters():
    segments = (Segment(0, 20, "ä" * 300, 0.5),)
    title = timeline_chapters(heard("a", segments=segments, duration=20, decoded=20))[0].title
    assert title == "ä" * (MAX_TITLE_BYTES // 2)


def test_the_comment_is_for_people():
    assert comment_text(heard("a")) == "ASMR: tap, white noise; no talking"
    assert comment_text(heard("a", tags=())) == ""


def test_what_is_seen_is_told_where_it_changes():
    old = tagged(TagState(), heard("a", visual=None), Wishes())
    new = tagged(old, heard("a", visual=seen(light=None)), Wishes())
    told = "tap, white_noise; seen: picture=video motion=slow"
    assert (describe_change(old, new), describe_change(new, old)) == (told, "tap, white_noise")


def test_kinds_are_told_where_they_change():
    bare, plain, told = (
        tagged(TagState(), heard("a", tags=(), visual=None, kinds=kinds), Wishes())
        for kinds in ({}, {"rain": 0.9}, {"rain": 0.9, "running_water": 0.8})
    )
    assert describe_change(TagState(), bare) == "no tags of ours → no trigger"
    assert describe_change(bare, told) == "no trigger; kinds: rain, running_water"
    assert describe_change(told, plain) == "no trigger; kinds: rain"
    assert describe_change(plain, bare) == "no trigger; kinds: none"
    assert describe_change(plain, plain) == "no trigger"
    assert describe_change(told, TagState()) == "no trigger → no tags of ours"


def test_chapters_that_change_in_what_they_say_are_told_so():
    old = tagged(TagState(), heard("a"), ALL)
    longer = replace(old, chapters=(*old.chapters[:-1], replace(old.chapters[-1], end_ms=10**6)))
    assert "chapters" not in describe_change(old, longer)  # ends are not kept by all formats
    other = replace(old, chapters=(*old.chapters[:-1], replace(old.chapters[-1], title="rain")))
    assert describe_change(old, other).endswith("; chapters: 2, with other times or titles")


def test_a_change_is_told_in_a_line():
    old = tagged(TagState(genre=("Sleep",)), heard("a"), Wishes())
    new = tagged(old, heard("a", tags=("whisper",)), ALL)
    assert describe_change(old, new) == (
        "tap, white_noise → whisper; + genre 'ASMR'; "
        "+ comment 'ASMR: whisper; no talking'; chapters: 0 → 2"
    )
    assert describe_change(new, TagState(genre=("Sleep",))) == (
        "whisper → no tags of ours; - genre 'ASMR'; "
        "- comment 'ASMR: whisper; no talking'; chapters: 2 → 0"
    )
