from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.catalogue.answers import Answer
from asmr_classify.catalogue.corrections import Correction
from asmr_classify.errors import UsageError
from asmr_classify.library.m3u8 import (
    Entry,
    entry_name,
    entry_of,
    holds_playlist,
    write_m3u8,
)
from asmr_classify.library.makers import creator_of
from asmr_classify.library.playlist import (
    Item,
    Player,
    Wish,
    fill,
    fill_in_turn,
    find_items,
    is_scrap,
    playing_time,
    widen_avoided,
)
from asmr_classify.library.variety import Order, iter_ordered
from asmr_classify.timeline import Segment, join_spans
from asmr_classify.visual.seen import LightLevel, Motion, MotionLevel
from asmr_classify.writers.output import check_replaceable
from tests.catalogue.results import seen
from tests.library.reading import read_m3u8

LABELS = ("whisper", "tap", "crinkle", "speech", "music")


def result(path="a.mp3", *segments, **changes):
    """A minute that is tagged with the triggers of its segments."""
    found = tuple(Segment(start, end, label, 0.9) for label, start, end in segments)
    tags = tuple(dict.fromkeys(s.label for s in found if s.label not in {"speech", "music"}))
    fields = {
        "model": "tiny@0.1",
        "duration": 60.0,
        "decoded": 60.0,
        "trigger": tags[0] if tags else None,
        "tags": tags,
        "scores": {label: 0.9 if label in tags else 0.1 for label in LABELS},
        "segments": found,
        "no_talking": not {"speech", "whisper"} & {s.label for s in found},
    }
    return FileResult(path, **{"status": Status.OK, **fields, **changes})


def item(path="a.mp3", label="tap", start=0.0, end=60.0, **changes):
    return Item(path, label, start, end, **{"score": 0.9, "is_whole": False, **changes})


def names(items):
    return [item.path for item in items]


def stretches(results, answers=None, **wish):
    items = find_items(results, Wish(segments=True, **wish), answers=answers or {}, named=NAMED)
    return [(item.label, item.start, item.end) for item in items]


NAMED = ("gum", "speech")


def answers(path, *heard, asked=NAMED):
    """What people said of stretches: start, end and what is heard there."""
    return {path: [Answer(path, start, end, labels, asked, 0.0) for start, end, *labels in heard]}


# What is chosen


TAP = result("tap.mp3", ("tap", 0, 60))
WHISPER = result("whisper.mp3", ("whisper", 0, 60))
BOTH = result("both.mp3", ("tap", 0, 40), ("whisper", 20, 60), ("music", 0, 5))
MUSIC = result("music.mp3", ("music", 0, 60))


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        pytest.param({}, ["both.mp3", "tap.mp3", "whisper.mp3"], id="any trigger"),
        pytest.param({"want": ("tap",)}, ["both.mp3", "tap.mp3"], id="wanted"),
        pytest.param({"want": ("tap", "whisper"), "avoid": ("music",)}, ["tap.mp3", "whisper.mp3"],
                     id="avoided segment"),
        pytest.param({"avoid": ("tap",)}, ["whisper.mp3"], id="avoided tag"),
        pytest.param({"want": ("music",)}, ["both.mp3", "music.mp3"], id="wanted context"),
        pytest.param({"no_talking": True}, ["tap.mp3"], id="no talking"),
        pytest.param({"min_score": 0.95}, [], id="score too low"),
    ],
)  # fmt: skip
def test_whole_recordings_fit_a_wish(wish, expected):
    assert names(find_items([TAP, WHISPER, BOTH, MUSIC], Wish(**wish))) == expected


def test_what_has_no_sound_plays_as_long_as_it_claims_else_as_long_as_it_was_seen():
    assert playing_time(replace(MUTE, duration=33.5)) == 33.5
    assert playing_time(MUTE) == 40.0
    assert playing_time(replace(MUTE, duration=33.5, visual=None)) == 0.0


SLOW = replace(TAP, path="slow.mp4", visual=seen())
LIVELY = replace(
    TAP, path="lively.mp4", visual=seen(motion=Motion(MotionLevel.LIVELY, 0.5, 0.9), light=None)
)
MUTE = FileResult("mute.mp4", Status.NO_AUDIO, "tiny@0.1", visual=seen())
TALK = result("talk.mp4", ("speech", 0, 60), visual=seen())
DARK, STILL, MOVING = (LightLevel.DARK,), (MotionLevel.STILL,), (MotionLevel.SLOW,)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        pytest.param({}, ["tap tap.mp3", "tap lively.mp4", "tap slow.mp4"], id="any"),
        pytest.param(
            {"motion": MOVING}, ["slow mute.mp4", "tap slow.mp4", "slow talk.mp4"], id="motion"
        ),
        pytest.param(
            {"light": DARK}, ["dark mute.mp4", "tap slow.mp4", "dark talk.mp4"], id="light"
        ),
        pytest.param({"motion": (MotionLevel.LIVELY,)}, ["tap lively.mp4"], id="lively"),
        pytest.param(
            {"motion": (MotionLevel.LIVELY, *MOVING), "light": DARK, "want": ("tap",)},
            ["tap slow.mp4"],
            id="both and a trigger",
        ),
        pytest.param(
            {"motion": MOVING, "no_talking": True}, ["slow mute.mp4", "tap slow.mp4"], id="talkless"
        ),
        pytest.param(
            {"motion": MOVING, "avoid": ("tap",)}, ["slow mute.mp4", "slow talk.mp4"], id="avoided"
        ),
        pytest.param({"motion": MOVING, "segments": True}, ["tap slow.mp4"], id="stretches"),
        pytest.param({"motion": STILL}, [], id="none"),
    ],
)
def test_recordings_fit_a_wish_by_their_looks(wish, expected):
    items = find_items([TAP, SLOW, LIVELY, MUTE, TALK], Wish(**wish))
    assert sorted(f"{item.label} {item.path}" for item in items) == sorted(expected)


def test_a_video_without_sound_plays_as_long_as_it_was_looked_at():
    (only,) = find_items([MUTE, replace(MUTE, visual=seen(lanes=None))], Wish(light=DARK))
    assert (only.end, only.is_whole) == (40.0, True)


def test_a_likely_label_without_a_segment_is_avoided_too():
    scores = {**TAP.scores, "speech": 0.5}
    wish = Wish(avoid=("speech",))
    assert not find_items([replace(TAP, scores=scores)], wish)
    assert find_items([replace(TAP, scores={**scores, "speech": 0.49})], wish)


def test_what_was_not_heard_is_not_played_and_what_broke_off_as_far_as_it_goes():
    lost = replace(TAP, status=Status.FAILED, error=Problem("OpenError", "x"))
    partial = replace(TAP, status=Status.PARTIAL, decoded=12.0)
    (only,) = find_items([lost, partial, result("silent.mp3", status=Status.SILENT)], Wish())
    assert only.end == 12


@pytest.mark.parametrize(
    ("duration", "decoded", "expected"),
    [
        pytest.param(11.2, 1.9, True, id="little of it"),
        pytest.param(60.0, 29.9, True, id="less than half"),
        pytest.param(60.0, 30.0, False, id="half"),
        pytest.param(0.6, 0.6, True, id="all that is left"),
        pytest.param(None, 40.0, False, id="of unknown length"),
    ],
)
def test_what_broke_off_early_is_a_scrap(duration, decoded, expected):
    whole = replace(TAP, duration=duration, decoded=decoded)
    assert is_scrap(replace(whole, status=Status.PARTIAL)) is expected
    assert not is_scrap(whole)


def test_what_was_set_by_hand_counts():
    corrected = replace(BOTH, tags=("tap",), trigger="tap", corrected=("trigger",))
    assert find_items([corrected], Wish(avoid=("whisper",)))
    assert not find_items([corrected], Wish(want=("whisper",)))
    assert stretches([corrected]) == [("tap", 0, 40)]
    quiet = replace(WHISPER, no_talking=True, corrected=("no_talking",), tags=("tap",))
    assert find_items([quiet], Wish(no_talking=True))
    assert find_items([quiet], Wish(avoid=("whisper",)))
    assert stretches([quiet], want=("whisper",)) == []
    loud = replace(TAP, no_talking=False, corrected=("no_talking",))
    assert stretches([loud], no_talking=True) == []


def test_what_was_set_before_a_label_was_named_says_nothing_of_it():
    was_set = Correction(("tap",), asked=("tap", "whisper"))
    scores = {**TAP.scores, "soap": 0.6}
    unsure = was_set.apply(replace(TAP, scores=scores))
    assert not find_items([unsure], Wish(avoid=("soap",)))
    assert find_items([unsure], Wish(avoid=("whisper",)))
    sure = was_set.apply(replace(TAP, scores=scores, tags=("tap", "soap")))
    assert [item.score for item in find_items([sure], Wish(want=("soap",)))] == [0.6]
    assert [item.score for item in find_items([sure], Wish(want=("tap",)))] == [1.0]


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        pytest.param({}, ["mind.mp3", "tap.mp3"], id="not avoided"),
        pytest.param({"avoid": ("gum",)}, ["mind.mp3"], id="own label"),
        pytest.param({"avoid": ("speech",)}, ["tap.mp3"], id="label"),
        pytest.param({"no_talking": True}, ["tap.mp3"], id="talk"),
    ],
)
def test_what_was_heard_in_a_stretch_leaves_the_recording_out(wish, expected):
    mind = replace(TAP, path="mind.mp3", corrected=("trigger", "no_talking"))
    said = answers("tap.mp3", (3, 4, "gum"), (8, 9)) | answers("mind.mp3", (3, 4, "speech"))
    assert names(find_items([TAP, mind], Wish(**wish), (), NAMED, said)) == expected


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        pytest.param({}, [(0, 60)], id="not avoided"),
        pytest.param({"avoid": ("gum",)}, [(0, 20), (25, 60)], id="own label"),
        pytest.param({"avoid": ("gum", "speech")}, [(0, 20), (40, 60)], id="both"),
        pytest.param({"no_talking": True}, [(0, 24), (40, 60)], id="talk"),
    ],
)
@pytest.mark.parametrize("corrected", [(), ("trigger", "no_talking")])
def test_a_stretch_in_which_it_was_heard_is_cut_out(wish, expected, corrected):
    said = answers("tap.mp3", (20, 25, "gum"), (24, 40, "speech"), (45, 50))
    found = stretches([replace(TAP, corrected=corrected)], said, **wish)
    assert [(start, end) for _, start, end in found] == expected


def test_a_label_that_only_answers_tell_of_may_be_avoided_and_not_wanted():
    wish = Wish(avoid=("gum",))
    assert widen_avoided(wish, [TAP], (), NAMED) == (wish, {})
    assert names(find_items([TAP], wish, (), NAMED)) == ["tap.mp3"]
    with pytest.raises(UsageError, match=r"'gun': the labels are whisper, .*, silence, gum"):
        find_items([TAP], Wish(avoid=("gun",)), (), NAMED)
    with pytest.raises(UsageError, match=r"'gum': the labels are whisper, .*, silence$"):
        find_items([TAP], Wish(want=("gum",)), (), NAMED)


def test_a_finer_label_that_answers_tell_of_is_avoided_beside_what_holds_it():
    known = result("tap.mp3", ("tap", 0, 60), scores=dict.fromkeys([*LABELS, "other"], 0.1))
    wish, widened = widen_avoided(Wish(avoid=("chew", "speech")), [known], (), ("chew",))
    assert (wish.avoid, widened) == (("other", "speech", "chew"), {"chew": "other"})
    assert find_items([known], wish, (), ("chew",))
    said = answers("tap.mp3", (3, 4, "chew"))
    assert not find_items([known], wish, (), ("chew",), said)


def test_what_holds_a_finer_label_is_avoided_with_it():
    scores = dict.fromkeys([*LABELS, "other"], 0.1)
    calm = replace(TAP, path="calm.mp3", scores={**scores, "tap": 0.9})
    chewing = replace(calm, path="eats.mp3", scores={**calm.scores, "other": 0.9})
    wish, widened = widen_avoided(Wish(avoid=("chew", "speech", "other")), [calm, chewing])
    assert widened == {"chew": "other"}
    assert wish.avoid == ("other", "speech")
    assert [item.path for item in find_items([calm, chewing], wish)] == ["calm.mp3"]
    typo = Wish(avoid=("whimper",))
    assert widen_avoided(typo, [calm]) == (typo, {})


def test_a_finer_label_is_refused_with_what_holds_it():
    known = result(scores=dict.fromkeys([*LABELS, "other"], 0.1))
    with pytest.raises(UsageError, match=r"'chew': the labels are whisper, tap, .*part of other"):
        find_items([known], Wish(avoid=("chew",)))
    assert find_items([], Wish(avoid=("chew",))) == []


TYPING = replace(TAP, path="typing.mp3", kinds={"typing": 0.8, "chewing": 0.6, "music": 0.9})
RAIN = replace(result("rain.mp3"), kinds={"rain": 0.7})


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        pytest.param({"want": ("typing",)}, ["typing.mp3"], id="wanted"),
        pytest.param({"want": ("rain", "typing")}, ["rain.mp3", "typing.mp3"], id="any"),
        pytest.param({"want": ("rain", "tap")}, ["rain.mp3", "tap.mp3", "typing.mp3"], id="both"),
        pytest.param({"avoid": ("chewing",)}, ["tap.mp3"], id="avoided"),
        pytest.param({"want": ("tap",), "avoid": ("chewing",)}, ["tap.mp3"], id="tag, no kind"),
        pytest.param({"want": ("rain", "typing"), "min_score": 0.75}, ["typing.mp3"], id="score"),
        pytest.param({"avoid": ("music",)}, ["tap.mp3", "typing.mp3"], id="a label as well"),
        pytest.param({"avoid": ("snoring",)}, ["tap.mp3", "typing.mp3"], id="known, never told"),
    ],
)
def test_whole_recordings_are_chosen_by_kind(wish, expected):
    assert names(find_items([TAP, TYPING, RAIN], Wish(**wish), ["snoring"])) == expected


def test_a_kind_counts_whatever_trigger_was_set_by_hand():
    corrected = replace(TYPING, corrected=("trigger",), tags=("crinkle",), trigger="crinkle")
    assert not find_items([corrected], Wish(avoid=("chewing",)))
    (only,) = find_items([corrected], Wish(want=("typing",)))
    assert (only.label, only.score, only.is_whole) == ("typing", 0.8, True)


def test_what_was_set_and_lies_nobody_knows_where_leaves_out_all_stretches():
    known = replace(TAP, tags=("tap", "crinkle"), corrected=("trigger",))
    assert stretches([known]) == [("tap", 0, 60)]
    assert not stretches([known], avoid=("crinkle",))


def test_kinds_leave_out_all_stretches_and_have_none():
    assert stretches([TAP, TYPING], avoid=("chewing",)) == [("tap", 0, 60)]
    with pytest.raises(UsageError, match="'typing' is a kind, and kinds are told of whole record"):
        stretches([TAP, TYPING], want=("typing",))


def test_a_kind_is_avoided_itself_and_not_what_holds_it():
    scores = dict.fromkeys([*LABELS, "other"], 0.1)
    calm = replace(TAP, scores={**scores, "tap": 0.9, "other": 0.9})
    wish = Wish(avoid=("chewing",))
    assert widen_avoided(wish, [calm, TYPING]) == (wish, {})
    assert widen_avoided(wish, [calm], ["chewing"]) == (wish, {})
    assert widen_avoided(wish, [calm])[1] == {"chewing": "other"}


@pytest.mark.parametrize("wish", [{"want": ("Tapp",)}, {"avoid": ("tapp", "speech")}])
def test_a_name_that_is_mistyped_is_refused_with_what_was_meant(wish):
    with pytest.raises(UsageError, match=r"the labels are whisper, .*; did you mean tap\?$"):
        find_items([TYPING], Wish(**wish), ["fan"])
    with pytest.raises(UsageError, match=r"; did you mean chewing\?$"):
        find_items([TYPING], Wish(want=("chewin",)))


def test_an_unknown_name_is_refused_with_labels_and_kinds():
    with pytest.raises(UsageError, match=r"the labels are whisper, .*, the kinds fan, typing, ch"):
        find_items([TYPING], Wish(want=("typo",)), ["fan"])


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        pytest.param({"want": ("tap",), "avoid": ("tap",)}, "both wanted and avoided", id="both"),
        pytest.param({"want": ("whisper",), "no_talking": True}, "is talking", id="talk"),
    ],
)
def test_a_wish_that_contradicts_itself_is_refused(wish, message):
    with pytest.raises(UsageError, match=message):
        Wish(**wish)


@pytest.mark.parametrize(
    ("segments", "wish", "expected"),
    [
        pytest.param([("tap", 0, 20), ("tap", 20.5, 30)], {}, [("tap", 0, 30)], id="merged"),
        pytest.param([("tap", 0, 20), ("whisper", 15, 60)], {}, [("whisper", 0, 60)],
                     id="the label that covers most"),
        pytest.param([("tap", 0, 60), ("speech", 20, 25)], {"avoid": ("speech",)},
                     [("tap", 0, 20), ("tap", 25, 60)], id="cut out"),
        pytest.param([("tap", 0, 60), ("speech", 5, 25)], {"no_talking": True},
                     [("tap", 25, 60)], id="talk cut out, the rest too short"),
        pytest.param([("tap", 0, 60), ("whisper", 30, 60)], {"no_talking": True},
                     [("tap", 0, 30)], id="whisper is talk"),
        pytest.param([("tap", 0, 9)], {}, [], id="too short"),
        pytest.param([("tap", 0, 9)], {"min_segment": 9}, [("tap", 0, 9)], id="long enough"),
        pytest.param([("tap", 0, 60)], {"min_score": 0.95}, [], id="score too low"),
        pytest.param([("music", 0, 60)], {"want": ("music",)}, [("music", 0, 60)], id="context"),
    ],
)  # fmt: skip
def test_stretches_fit_a_wish(segments, wish, expected):
    assert stretches([result("a.mp3", *segments)], **wish) == expected


timelines = st.lists(
    st.tuples(st.sampled_from(LABELS), st.integers(0, 50), st.integers(1, 30)).map(
        lambda s: (s[0], s[1], min(60, s[1] + s[2]))
    ),
    max_size=8,
)


@given(timelines, st.sets(st.sampled_from(LABELS), max_size=2), st.integers(0, 12))
def test_stretches_never_hold_what_is_avoided_and_are_long_enough(timeline, avoid, shortest):
    want = tuple(label for label in LABELS if label not in avoid)
    found = stretches(
        [result("a.mp3", *timeline)], want=want, avoid=tuple(avoid), min_segment=shortest
    )
    for before, after in pairwise(found):
        assert before[2] <= after[1]
    for _, start, end in found:
        assert 0 <= start < end <= 60
        assert end - start >= shortest
        assert not any(s < end and e > start for label, s, e in timeline if label in avoid)
        wanted = sum(
            min(end, e) - max(start, s)
            for s, e in join_spans([(s, e) for label, s, e in timeline if label in want])
            if s < end and e > start
        )
        assert end - start - wanted <= len(timeline)  # gaps of a second at most


# How long


def test_the_last_stretch_is_cut_to_the_length():
    items = [item(start=5.0, end=25.0), item(start=30.0, end=50.0), item(start=55.0, end=60.0)]
    taken = list(fill(items, 30))
    assert [(i.start, i.end) for i in taken] == [(5, 25), (30, 40)]
    assert list(fill(items, 20.5)) == items[:1]  # no scrap of half a second
    assert list(fill(items, None)) == items


@given(st.lists(st.integers(1, 100)), st.integers(1, 300), st.booleans())
def test_a_playlist_is_never_over_by_more_than_its_last_recording(lengths, wanted, whole):
    items = [item(end=float(length), is_whole=whole) for length in lengths]
    taken = list(fill(items, wanted))
    total = sum(i.duration for i in taken)
    assert total >= min(wanted - 1, sum(lengths))
    if taken:
        assert total - taken[-1].duration < wanted if whole else total <= wanted


# In which order


@pytest.mark.parametrize(
    ("path", "creator"),
    [
        pytest.param("x/Mia - Rain - live.mp3", "mia", id="prefix"),
        pytest.param("x/01 - Rain.mp3", "x", id="number"),
        pytest.param("x/Mia-Rain.mp3", "x", id="hyphen"),
        pytest.param("Rain.mp3", "", id="no folder"),
        pytest.param("x/囁き - 雨.mp3", "囁き", id="other script"),
    ],
)
def test_creators_are_told_by_name_or_folder(path, creator):
    assert creator_of(path) == creator


items = st.builds(
    item,
    st.tuples(st.sampled_from("xyz"), st.integers(0, 3)).map(lambda n: f"{n[0]}/{n[1]}.mp3"),
    st.sampled_from(LABELS),
    st.integers(0, 50).map(float),
)
several = st.lists(items, max_size=25)
seeds = st.integers(0, 5)


@given(several, seeds, st.sampled_from(Order), st.randoms(use_true_random=False))
def test_every_order_is_one_of_the_items_and_follows_from_the_seed(chosen, seed, order, rng):
    ordered = list(iter_ordered(chosen, order, seed=seed))
    assert Counter(ordered) == Counter(chosen)
    rng.shuffle(chosen)
    assert list(iter_ordered(chosen, order, seed=seed)) == ordered


@given(several, seeds)
def test_variety_parts_triggers_wherever_that_can_be(chosen, seed):
    labels = [i.label for i in iter_ordered(chosen, Order.VARIETY, seed=seed)]
    pairs = sum(a == b for a, b in pairwise(labels))
    most = max(Counter(labels).values(), default=0)
    assert pairs == max(0, most - (len(labels) - most) - 1)


@given(several, seeds)
def test_variety_takes_another_trigger_while_one_is_left(chosen, seed):
    labels = [i.label for i in iter_ordered(chosen, Order.VARIETY, seed=seed)]
    for place in range(1, len(labels)):
        if labels[place] == labels[place - 1]:
            assert set(labels[place:]) == {labels[place]}


@given(several, seeds)
def test_variety_parts_creators_and_recordings_where_a_trigger_has_others(chosen, seed):
    ordered = list(iter_ordered(chosen, Order.VARIETY, seed=seed))
    for place in range(1, len(ordered)):
        before, now = ordered[place - 1], ordered[place]
        left = [i for i in ordered[place:] if i.label == now.label]
        if now.creator == before.creator:
            assert {i.creator for i in left} == {now.creator}
        if now.path == before.path:
            assert {i.path for i in left} == {now.path}


def test_rare_triggers_are_heard_early_and_not_only_in_the_end():
    many = [item(f"{n}.mp3", "tap") for n in range(50)]
    some = [item(f"w{n}.mp3", "whisper") for n in range(50)]
    rare = [item(f"c{n}.mp3", "crinkle") for n in range(2)]
    labels = [i.label for i in iter_ordered([*many, *some, *rare], Order.VARIETY)]
    assert "crinkle" in labels[:5]


def test_stretches_of_a_recording_keep_their_order():
    parts = [item(f"{n % 3}.mp3", start=float(n)) for n in range(30)]
    ordered = list(iter_ordered(parts, Order.VARIETY, seed=3))
    for path in ("0.mp3", "1.mp3", "2.mp3"):
        starts = [i.start for i in ordered if i.path == path]
        assert starts == sorted(starts)


def test_seeds_differ_and_give_the_same_on_every_machine():
    chosen = [item(f"{n:02}.mp3", "tap") for n in range(12)]
    orders = {seed: names(iter_ordered(chosen, Order.SHUFFLE, seed=seed)) for seed in (0, 1)}
    assert orders[0] != orders[1]
    # random.Random(0).random() is 0.844, 0.757, 0.420, … in all of Python 3
    keys = [random.Random(0).random()]  # noqa: S311
    assert keys == [pytest.approx(0.8444218515250481)]
    assert orders[0][0] == min(
        zip(_draws(12), sorted(names(chosen)), strict=True)
    )[1]  # fmt: skip


def _draws(number):
    rng = random.Random(0)  # noqa: S311
    return [rng.random() for _ in range(number)]


def test_score_and_path():
    chosen = [item("b.mp3", score=0.2), item("c.mp3", score=0.9), item("a.mp3", score=0.5)]
    assert names(iter_ordered(chosen, Order.SCORE)) == ["c.mp3", "a.mp3", "b.mp3"]
    assert names(iter_ordered(chosen, Order.PATH)) == ["a.mp3", "b.mp3", "c.mp3"]


def test_as_wanted_one_label_plays_after_the_other_and_each_is_varied():
    makers = "ABAB"
    chosen = [
        item(f"{maker} - {label}{n}.mp3", label)
        for label in ("crinkle", "tap", "whisper")
        for n, maker in enumerate(makers)
    ]
    ordered = list(iter_ordered(chosen, Order.WANT, want=("whisper", "tap")))
    assert [i.label for i in ordered] == ["whisper"] * 4 + ["tap"] * 4 + ["crinkle"] * 4
    assert all(a.creator != b.creator for a, b in pairwise(ordered[:4]))


def test_each_label_fills_its_part_of_the_length():
    whole = [item(f"{label}{n}.mp3", label) for label in ("tap", "whisper") for n in range(9)]
    [taps, whispers] = [whole[:9], whole[9:]]
    per_item = taps[0].duration
    assert list(fill_in_turn(whole, 4 * per_item)) == [*taps[:2], *whispers[:2]]
    assert list(fill_in_turn(whole, None)) == whole
    assert list(fill_in_turn(taps, 4 * per_item)) == taps[:4]
    assert list(fill_in_turn(whole, 1.0))  # a playlist of nothing plays in no player


def test_thousands_of_stretches_are_ordered_in_a_moment():
    chosen = [item(f"one/{n % 3000}.mp3", LABELS[n % 4], start=float(n)) for n in range(12_000)]
    begin = time.perf_counter()
    assert len(list(iter_ordered(chosen, Order.VARIETY))) == len(chosen)
    assert time.perf_counter() - begin < 5


# The file


parts_of_names = st.binary(min_size=1, max_size=12).map(
    lambda b: b.replace(b"/", b"_").replace(b"\0", b"_").decode("utf-8", "surrogateescape")
) | st.sampled_from(
    ["#first", "100%41.mp3", "what?.mp3", "a:b", " x ", "two\nlines", "囁き.ogg", "e dl", "c\\d"]
)
paths = st.lists(parts_of_names.filter(lambda n: n not in {".", ".."}), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)
times = st.tuples(st.integers(0, 10**7), st.integers(1, 10**7)).map(
    lambda t: {"start": t[0] / 1000, "end": (t[0] + t[1]) / 1000}
) | st.just({})
entries = st.builds(
    lambda path, title, duration, place: Entry(path, title, duration, **place),
    paths, st.text(max_size=20), st.integers(1, 10**5), times,
)  # fmt: skip


@settings(max_examples=50)
@given(
    st.lists(entries, max_size=4),
    st.text(max_size=9),
    st.none() | paths,
    st.sampled_from(Player),
)
def test_what_is_written_is_read(written, title, folder, player):
    text = write_m3u8(written, title=title, folder=folder, player=player)
    assert list(read_m3u8(text, folder or "/elsewhere")) == written
    text.encode()


def test_the_form_of_the_file():
    whole = entry_of(item("/asmr/in/Rain.mp3", "white_noise", 0.0, 1834.4, is_whole=True))
    part = entry_of(item("/asmr/Mia - Talk.mp3", "whisper", 3661.5, 3700.0))
    text = write_m3u8([whole, part], title="x", folder="/asmr")
    assert re.sub(r"[0-9a-f]{16}\n$", "DIGEST\n", text) == (
        "#EXTM3U\n# Written by asmr-classify\n#PLAYLIST:x\n"
        "#EXTINF:1834,Rain · white_noise\nin/Rain.mp3\n"
        "#EXTINF:38,Mia - Talk · 1:01:01 · whisper\n"
        "#EXTVLCOPT:start-time=3661.500\n#EXTVLCOPT:stop-time=3700.000\nMia - Talk.mp3\n"
        "# Unchanged since: DIGEST\n"
    )
    text = write_m3u8([part], folder="/asmr", player=Player.MPV)
    assert "\nedl://%20%/asmr/Mia - Talk.mp3,3661.500,38.500\n#" in text


def test_a_title_does_not_begin_with_the_space_of_a_name():
    text = write_m3u8([entry_of(item("/m/ leading.mp3", "tap", is_whole=True))], folder="/m")
    assert "#EXTINF:60,leading · tap\nfile:///m/%20leading.mp3\n" in text


@pytest.mark.parametrize(
    ("path", "name"),
    [
        pytest.param("/m/in/a b.mp3", "in/a b.mp3", id="below"),
        pytest.param("/n/a.mp3", "../n/a.mp3", id="beside"),
        pytest.param("/m/囁き.mp3", "囁き.mp3", id="other script"),
        pytest.param("/m/#a.mp3", "file:///m/%23a.mp3", id="comment"),
        pytest.param("/m/a%41.mp3", "file:///m/a%2541.mp3", id="escape"),
        pytest.param("/m/5%aF/%20b.mp3", "file:///m/5%25aF/%2520b.mp3", id="escapes alone"),
        pytest.param("/m/100% a.mp3", "100% a.mp3", id="no escape"),
        pytest.param("/m/a%41 100%.mp3", "a%41 100%.mp3", id="not all escapes"),
        pytest.param("/m/a\nb.mp3", "file:///m/a%0Ab.mp3", id="line"),
        pytest.param("/m/caf\udce9.mp3", "file:///m/caf%E9.mp3", id="not UTF-8"),
        pytest.param("/m/a:b.mp3", "file:///m/a%3Ab.mp3", id="scheme"),
        pytest.param("/m/in/a:b.mp3", "in/a:b.mp3", id="no scheme"),
    ],
)
def test_names_are_as_players_take_them(path, name):
    assert entry_name(path, "/m") == name


def test_names_lead_out_of_a_folder_that_is_a_link(tmp_path):
    (tmp_path / "far" / "lists").mkdir(parents=True)
    (tmp_path / "lists").symlink_to(tmp_path / "far" / "lists")
    name = entry_name(str(tmp_path / "a.mp3"), str(tmp_path / "lists"))
    assert os.path.realpath(tmp_path / "lists" / name) == os.path.realpath(tmp_path / "a.mp3")


def test_only_playlists_of_ours_are_replaced(tmp_path):
    path = tmp_path / "mine.m3u8"
    check_replaceable(str(path), holds_playlist)
    path.write_text(write_m3u8([]), encoding="utf-8")
    check_replaceable(str(path), holds_playlist)
    path.write_text("#EXTM3U\na.mp3\n", encoding="utf-8")
    with pytest.raises(UsageError, match="was not written by this program"):
        check_replaceable(str(path), holds_playlist)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda text: text + "mine.mp3\n", id="added at the end"),
        pytest.param(lambda text: text.replace("a.mp3", "b.mp3"), id="changed"),
        pytest.param(lambda text: text.replace("a.mp3\n", ""), id="taken out"),
        pytest.param(lambda text: text[: text.rindex("#")], id="without the last line"),
    ],
)
def test_a_playlist_that_was_edited_is_not_replaced(tmp_path, edit):
    path = tmp_path / "ours.m3u8"
    text = write_m3u8([entry_of(item(str(tmp_path / "a.mp3")))], folder=str(tmp_path))
    path.write_text(edit(text), encoding="utf-8")
    with pytest.raises(UsageError, match=r"ours.m3u8: was changed since this program wrote it"):
        check_replaceable(str(path), holds_playlist)
    path.write_text(text, encoding="utf-8")
    check_replaceable(str(path), holds_playlist)


# Real players

TONE_HZ = 300
STEP_HZ = 100
SR = 16000
ODD_NAMES = (
    "#a.wav",
    "b%41?.wav",
    os.fsdecode(b"caf\xe9\n.wav"),
    "d:e.wav",
    "囁き f.wav",
    "100% g.wav",
    "9%z/h%41.wav",
)


@pytest.fixture
def tones():
    """A folder that players may read, with recordings whose pitch tells the second."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        folder.chmod(0o777)
        seconds = np.arange(SR) / SR
        y = np.concatenate(
            [np.sin(2 * np.pi * (TONE_HZ + STEP_HZ * k) * seconds) / 4 for k in range(20)]
        )
        for name in ODD_NAMES:
            (folder / name).parent.mkdir(exist_ok=True)
            with (folder / name).open("wb") as file:
                soundfile.write(file, y, SR, format="WAV")
        yield folder


def seconds_heard(path):
    """Tell which seconds of a recording were played, by pitch, every quarter of a second."""
    y, sr = soundfile.read(path)
    quarters = y[: len(y) // (sr // 4) * (sr // 4)].reshape(-1, sr // 4)
    pitches = np.abs(np.fft.rfft(quarters)).argmax(axis=1) * 4
    return sorted({round((pitch - TONE_HZ) / STEP_HZ) for pitch in pitches}), len(y) / sr


def playlist_of(folder, names, player, *, start=5.0, end=7.0):
    parts = [entry_of(item(str(folder / name), start=start, end=end)) for name in names]
    path = folder / f"{player}.m3u8"
    path.write_text(write_m3u8(parts, folder=str(folder), player=player), encoding="utf-8")
    return path


@pytest.mark.skipif(shutil.which("mpv") is None, reason="mpv is not installed")
def test_mpv_plays_stretches_and_finds_every_name(tones):
    def play(playlist, *options):
        command = ["mpv", "--no-config", "--vo=null", "--term-status-msg=", *options, playlist]
        return subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=50, check=True
        )

    heard = tones / "heard.wav"
    one = playlist_of(tones, ODD_NAMES[:1], Player.MPV)
    play(one, "--ao=pcm", f"--ao-pcm-file={heard}", "--untimed")
    played, length = seconds_heard(heard)
    assert played == [5, 6]
    assert length == pytest.approx(2, abs=0.1)
    tell = "--term-playing-msg=PLAYED ${duration/full}"
    quick = ("--ao=null", "--ao-null-untimed", tell)
    assert play(playlist_of(tones, ODD_NAMES, Player.MPV), *quick).stdout.count(
        "PLAYED 00:00:02.000"
    ) == len(ODD_NAMES)
    entries = [entry_of(item(str(tones / name), end=20.0, is_whole=True)) for name in ODD_NAMES]
    whole = tones / "whole.m3u8"
    whole.write_text(write_m3u8(entries, folder=str(tones)), encoding="utf-8")
    assert play(whole, *quick).stdout.count("PLAYED 00:00:20.000") == len(ODD_NAMES)


def as_someone():
    """VLC refuses to run as root."""
    return {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}


@pytest.mark.skipif(shutil.which("cvlc") is None, reason="VLC is not installed")
@pytest.mark.parametrize("name", ODD_NAMES)
def test_vlc_plays_stretches_and_finds_every_name(tones, name):
    heard = tones / "heard.wav"
    subprocess.run(
        ["cvlc", "-I", "dummy", "-A", "afile", "--audiofile-file", heard, "--play-and-exit",
         playlist_of(tones, [name], Player.VLC)],
        env={"PATH": os.environ["PATH"], "HOME": str(tones)},
        capture_output=True, timeout=50, check=True, **as_someone(),
    )  # fmt: skip
    played, length = seconds_heard(heard)
    assert played == [5, 6]
    assert length == pytest.approx(2, abs=0.5)  # VLC lets the last blocks go
