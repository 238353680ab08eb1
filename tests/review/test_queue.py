"""What is cut out of recordings, and in which order it is asked."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asmr_classify.aggregate import Status
from asmr_classify.catalogue import Answer
from asmr_classify.errors import UsageError
from asmr_classify.model import load_model
from asmr_classify.review import (
    Order,
    Wish,
    arrange,
    cut_stretches,
    embedder,
    make_queue,
    place_like,
    queue,
    read_place,
    refine,
)
from asmr_classify.review.likeness import spread_out
from asmr_classify.review.stretches import LONGEST, SHORTEST
from asmr_classify.review.suspicious import claims_of
from asmr_classify.timeline import Segment
from tests.catalogue.results import heard
from tests.review.conftest import short, write_wav

SPANS = st.lists(
    st.tuples(
        st.floats(0, 500), st.floats(0.5, 300), st.sampled_from(["tap", "speech", "silence"])
    ),
    max_size=12,
)


@given(SPANS)
@example(
    [
        *((1.0, 58.0, "tap"), (0.0, 13.0, "tap"), (0.0, 54.0, "tap"), (0.0, 83.0, "tap")),
        *((0.0, 198.0, "tap"), (11.0, 50.0, "tap"), (70.0, 13.0, "tap"), (82.0, 13.0, "tap")),
        *((100.0, 13.0, "tap"), (1.0, 58.0, "tap")),
    ]
)
def test_stretches_are_short_lie_within_and_are_the_same_again(spans):
    segments = tuple(Segment(start, start + length, x, 0.8) for start, length, x in spans)
    result = heard("/a.wav", duration=900.0, decoded=900.0, segments=segments)
    stretches = cut_stretches(result)
    assert stretches == cut_stretches(result)
    assert stretches
    for stretch in stretches:
        assert SHORTEST - 0.02 <= stretch.end - stretch.start <= LONGEST + 0.02
        assert 0 <= stretch.start < stretch.end <= 900
        assert all(0 <= p <= 1 for p in stretch.opinion.values())
    keys = [stretch.key for stretch in stretches]
    assert keys == sorted(set(keys))


def test_a_segment_and_what_lies_between_are_asked_about():
    segments = (Segment(20, 24, "tap", 0.9),)
    stretches = cut_stretches(heard("/a.wav", decoded=60.0, duration=60.0, segments=segments))
    assert [(x.start, x.end) for x in stretches] == [(7, 13), (20, 24), (39, 45)]
    assert [x.opinion["tap"] for x in stretches] == [0.0, 0.9, 0.0]


@pytest.mark.parametrize("status", [Status.FAILED, Status.SILENT, Status.NO_AUDIO])
def test_nothing_is_asked_of_what_was_not_heard(status):
    assert cut_stretches(heard("/a.wav", status=status)) == []


def test_what_was_set_by_hand_is_not_what_the_model_is_unsure_of():
    scores = {"tap": 0.5, "speech": 0.9}
    (asked,) = cut_stretches(heard("/a.wav", **short(scores=scores, segments=(), tags=())))
    settled = heard("/a.wav", **short(scores=scores, segments=(), tags=(), corrected=("trigger",)))
    (known,) = cut_stretches(settled)
    assert asked.uncertainty == 1.0
    assert known.uncertainty == pytest.approx(0.2)


def unsure(name, p, label="tap"):
    (stretch,) = cut_stretches(heard(name, **short(scores={label: p}, segments=())))
    return stretch


def paths(stretches):
    return [x.path for x in stretches]


def test_one_maker_does_not_fill_the_beginning():
    many = [unsure(f"/mia/{k}.wav", 0.5) for k in range(5)]
    queue = arrange([*many, unsure("/ann/0.wav", 0.3)], Order.MIXED)
    assert paths(queue)[:3] == ["/mia/0.wav", "/mia/1.wav", "/ann/0.wav"]
    assert paths(arrange([*many, unsure("/ann/0.wav", 0.3)], Order.UNCERTAIN))[-1] == "/ann/0.wav"


def long_and_short():
    """A folder of one long recording, of which the model is unsure, and of short ones."""
    spans = tuple(Segment(20.0 * k, 20.0 * k + 4, "tap", 0.55) for k in range(30))
    long = cut_stretches(heard("/a/0.wav", decoded=600.0, duration=600.0, segments=spans))
    return [*long, *(unsure(f"/a/{k}.wav", 0.3) for k in (1, 2, 3))]


@pytest.mark.parametrize("order", [Order.MIXED, Order.DIVERSE])
def test_one_recording_does_not_fill_the_beginning(order):
    queue = arrange(long_and_short(), order)
    assert {*paths(queue[:8])} == {f"/a/{k}.wav" for k in range(4)}
    assert paths(queue)[0] == "/a/0.wav"
    assert [*{*paths(arrange(long_and_short(), Order.UNCERTAIN)[:30])}] == ["/a/0.wav"]


def test_one_recording_does_not_fill_the_beginning_once_it_was_heard(rng):
    asked = arrange(long_and_short(), Order.MIXED)
    places = rng.standard_normal((len(asked), 8)).astype(np.float32)
    for by_uncertainty in (True, False):
        queue = spread_out(asked, places, by_uncertainty=by_uncertainty)
        assert queue[0] == asked[0]
        assert {*paths(queue[:8])} == {f"/a/{k}.wav" for k in range(4)}
        assert sorted(queue, key=lambda x: x.key) == sorted(asked, key=lambda x: x.key)
    makers = [unsure(f"/mia/{k}.wav", 0.5) for k in range(9)] + [unsure("/ann/0.wav", 0.4)]
    queue = spread_out(makers, places[:10], by_uncertainty=True)
    assert "/ann/0.wav" in paths(queue)[:4]


def test_a_label_is_asked_where_it_may_be():
    asked = [unsure("/a", 0.01), unsure("/b", 0.9), unsure("/c", 0.4), unsure("/d", 0.5, "speech")]
    assert paths(arrange(asked, Order.LABEL, "tap")) == ["/c", "/b"]


def test_any_order_holds_all_and_is_the_same_again():
    asked = [unsure(f"/{k % 3}/{k}.wav", k / 20) for k in range(20)]
    for order in (Order.MIXED, Order.UNCERTAIN, Order.DIVERSE, Order.RANDOM):
        queue = arrange(asked, order)
        assert sorted(paths(queue)) == sorted(paths(asked))
        assert arrange(asked[::-1], order) == queue


@pytest.mark.parametrize(
    "wish",
    [
        *(Wish(order) for order in (Order.MIXED, Order.UNCERTAIN, Order.DIVERSE, Order.RANDOM)),
        Wish(Order.LABEL, "tap"),
        Wish(like=unsure("/0/0.wav", 0.3)),
    ],
    ids=lambda wish: wish.order.value if wish.like is None else "similar",
)
def test_of_very_many_those_that_come_first_are_asked_and_others_take_no_memory(wish, monkeypatch):
    def results():
        for k in range(100):
            scores = {"tap": (37 * k % 100) / 100}
            yield heard(f"/{k}/a.wav", **short(scores=scores, segments=()))

    whole = make_queue(results(), [], wish)
    sizes, in_order = [], queue._in_order

    def count(some, wish):
        sizes.append(len(some))
        return in_order(some, wish)

    monkeypatch.setattr(queue, "_in_order", count)
    assert make_queue(results(), [], wish, most=10) == whole[:10]
    assert max(sizes) <= 10 * queue.BEFORE_SORTED + 1


def test_what_was_answered_is_left_out_even_where_it_was_cut_otherwise():
    result = heard("/a.wav", decoded=60.0, duration=60.0, segments=(Segment(20, 24, "tap", 0.9),))
    answers = [Answer("/a.wav", 20.5, 24.5, (), ("tap",), 0.0)]
    queue = make_queue([result], answers, Wish(Order.UNCERTAIN))
    assert 20 not in [x.start for x in queue]
    assert len(queue) == 2


def test_an_answer_about_an_instant_answers_no_stretch_and_is_compared():
    result = heard("/a.wav", decoded=60.0, duration=60.0, segments=(Segment(20, 24, "tap", 0.9),))
    answers = [Answer("/a.wav", 21.001, end, (), ("tap",), 0.0) for end in (21.001, 21.004)]
    assert len(make_queue([result], answers[:1], Wish(Order.UNCERTAIN))) == 3
    assert [claim.surety for claim in claims_of(result, answers)] == [0.9, 0.9]


def test_one_label_over_much_of_a_recording_answers_no_stretch():
    result = heard("/a.wav", decoded=60.0, duration=60.0, segments=(Segment(20, 24, "tap", 0.9),))

    def asked(*labels):
        answers = [Answer("/a.wav", 0, 60, (), labels, 0.0)]
        return len(make_queue([result], answers, Wish(Order.UNCERTAIN)))

    assert asked("tap") == 3
    assert asked("tap", "whisper", "speech") == 0


def test_diverse_begins_with_what_sounds_different(library, open_session, tmp_path):
    results = []
    for k, tone in enumerate([200, 210, 220, 3000]):
        write_wav(tmp_path / f"{k}.wav", duration=4.0, tone=tone)
        results.append(library.add(f"{k}.wav", **short()))
    session = open_session(*results)
    refine(session, Wish(Order.DIVERSE), threading.Event(), embedder(load_model()))
    assert [session.stretch(k).path[-5:] for k in range(2)] == ["0.wav", "3.wav"]


def test_listening_ahead_ends_when_told(library, open_session):
    session = open_session(library.add("a.wav", **short()))
    stop = threading.Event()
    stop.set()
    session.rearrange = lambda _: pytest.fail("arranged")
    refine(session, Wish(Order.MIXED), stop, lambda _: pytest.fail("heard"))


@pytest.mark.parametrize(
    "text", ["a.wav", "@3", "a.wav@", "a.wav@x", "a.wav@-1", "a.wav@inf", "a.wav@1:60"]
)
def test_what_is_no_place_is_refused(text):
    with pytest.raises(UsageError, match="give a file and a time"):
        read_place(text)


def test_a_place_is_a_stretch_around_a_time():
    like = place_like(heard("/a.wav"), 39.0)
    assert (like.start, like.end) == (34.0, 40.0)


@pytest.mark.parametrize(("at", "is_silent"), [(20.0, True), (31.0, False), (12.5, False)])
def test_nothing_is_like_silence(at, is_silent):
    segments = (Segment(0, 12, "tap", 0.9), Segment(12, 30, "silence", 1.0))
    result = heard("/a.wav", decoded=40.0, duration=40.0, segments=segments)
    if is_silent:
        with pytest.raises(UsageError, match=r"/a.wav: is silent around 20 s"):
            place_like(result, at)
    else:
        assert place_like(result, at).start < at < place_like(result, at).end
