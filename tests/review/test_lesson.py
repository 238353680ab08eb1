"""Each answer about a label decides what is asked next."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from asmr_classify.model import load_model
from asmr_classify.review import Order, Wish, embedder, parse_order, refine
from asmr_classify.review.lesson import follow
from tests.conftest import DEMO
from tests.review.conftest import short, write_wav

WHERE = {"0": 3.0, "1": 2.5, "2": -3.0, "3": -2.5, "4": 0.0, "5": 2.0, "6": -2.0}
"""Where recordings lie on the axis of what is to be learnt, by name."""


def embed(key):
    name = key[0].rsplit("/", 1)[-1].partition(".")[0]
    place = np.full(8, 0.01, dtype=np.float32)
    place[0], place[1 + int(name)] = WHERE[name], 1
    return place


@pytest.fixture
def session(library, open_session, tmp_path):
    made = []
    for name in WHERE:
        (tmp_path / name).mkdir()
        write_wav(tmp_path / name / f"{name}.wav", duration=4.0, tone=200 + 10 * int(name))
        made.append(library.add(f"{name}/{name}.wav", **short()))
    session = open_session(*made)
    session.page(0, 1)
    return session


def number_of(session, name):
    names = [session.stretch(k).path.rsplit("/", 1)[-1] for k in range(len(session))]
    return names.index(f"{name}.wav")


def comes_next(session, *names):
    """Wait until one of some recordings comes next of those that no page has shown."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if session.unseen()[0].path.endswith(tuple(f"/{name}.wav" for name in names)):
            return True
        time.sleep(0.01)
    return False


def test_answers_decide_what_comes_next(session):
    stop = threading.Event()
    session.add_label("soap")
    arguments = (session, session.newest_label, embed, stop)
    thread = threading.Thread(target=follow, args=arguments, kwargs={"patience": 0.01})
    session.answer(number_of(session, "0"), ["soap"], "tab")
    session.answer(number_of(session, "2"), [], "tab")
    thread.start()
    try:
        # of what lies on neither side least is known
        assert comes_next(session, "4")
        session.page(0, 2)
        session.answer(1, [], "tab")
        # and what may well be it is asked in turn
        assert comes_next(session, "1", "5")
    finally:
        stop.set()
        thread.join()
    assert len({session.stretch(k).key for k in range(len(session))}) == len(WHERE)


def test_without_a_label_of_ones_own_the_order_stays(session):
    stop = threading.Event()
    session.rearrange = lambda _: pytest.fail("arranged")
    assert session.newest_label() is None
    asked = []

    def none():
        asked.append(None)
        if len(asked) > 3:
            stop.set()

    follow(session, none, embed, stop, patience=0.001)
    assert len(asked) > 3


def test_what_cannot_be_heard_comes_last(session):
    stop = threading.Event()

    def deaf(key):
        stop.set() if key[0].endswith("6.wav") else None
        return None if key[0].endswith(("1.wav", "3.wav")) else embed(key)

    session.add_label("soap")
    session.answer(number_of(session, "0"), ["soap"], "tab")
    session.answer(number_of(session, "2"), [], "tab")
    follow(session, session.newest_label, deaf, stop, patience=0.001)
    rest = [x.path[-5:] for x in session.unseen()]
    assert set(rest[-3:]) == {"1.wav", "2.wav", "3.wav"}


def test_other_orders_do_not_follow_answers(session):
    session.add_label("soap")
    session.said_of = lambda _: pytest.fail("looked at answers")
    for order in (Order.UNCERTAIN, Order.DIVERSE, Order.RANDOM):
        refine(session, Wish(order), threading.Event(), embed)
    refine(session, Wish(like=session.stretch(0)), threading.Event(), embed)


def test_a_label_that_was_named_earlier_can_be_asked_for(session):
    session.add_label("soap")
    session.answer(0, ["soap"], "tab")
    assert session.said_of("soap") == {session.stretch(0).key: True}
    assert session.said_of("brush") == {}
    assert parse_order("label=soap", ["tap", "soap"]) == (Order.LABEL, "soap")


def test_the_model_tells_where_stretches_lie():
    tell = embedder(load_model())
    keys, again, talk = (
        tell((str(DEMO / name), *span))
        for name, span in (
            ("tap-keys.flac", (0.0, 3.0)),
            ("tap-keys.flac", (3.0, 6.0)),
            ("none-talk.flac", (0.0, 3.0)),
        )
    )
    assert np.linalg.norm(keys - again) < np.linalg.norm(keys - talk)
    assert tell((str(DEMO / "gone.flac"), 0.0, 3.0)) is None


def test_a_model_without_an_embedding_tells_of_no_places(tiny_model):
    assert embedder(tiny_model) is None


def test_what_lies_in_the_same_direction_is_alike(session):
    like = session.stretch(number_of(session, "0"))
    refine(session, Wish(like=like), threading.Event(), embed)
    rest = [x.path[-5] for x in session.unseen()]
    assert set(rest[:2]) == {"1", "5"}
    assert set(rest[-3:]) == {"2", "3", "6"}


def test_each_stretch_is_heard_once(monkeypatch):
    tell = embedder(load_model())
    key = (str(DEMO / "tap-keys.flac"), 0.0, 3.0)
    place = tell(key)
    monkeypatch.setattr("asmr_classify.training.answers.hear", lambda *_: pytest.fail("heard"))
    assert tell(key) is place
