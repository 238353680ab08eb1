"""Sounds and pictures of stretches are made once, and ahead of the page."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import SimpleNamespace

import pytest

from asmr_classify.errors import MediaError
from asmr_classify.review import cut_stretches, listen, serve, sound
from asmr_classify.review.app import Review
from asmr_classify.review.sound import KEPT, Once, Sounds, media_type
from asmr_classify.review.stretches import stretch_at
from tests.catalogue.results import heard
from tests.review.conftest import short


def keys(count):
    return [(f"/{k}.wav", 0.0, 4.0) for k in range(count)]


def test_whoever_asks_meanwhile_is_given_the_same():
    (key,) = keys(1)
    begun, may_end, once, given = threading.Event(), threading.Event(), Once(), []

    def make():
        begun.set()
        assert may_end.wait(10)
        return object()

    def ask(make):
        given.append(once.get(key, make))

    first = threading.Thread(target=ask, args=(make,))
    first.start()
    assert begun.wait(10)
    second = threading.Thread(target=ask, args=(lambda: pytest.fail("made twice"),))
    second.start()
    may_end.set()
    first.join()
    second.join()
    assert len(given) == 2
    assert given[0] is given[1]


def test_only_the_last_are_kept():
    once = Once()
    many = keys(KEPT + 3)
    for number, key in enumerate(many):
        assert once.get(key, lambda number=number: number) == number
    assert once.get(many[-1], lambda: "anew") == KEPT + 2
    assert once.get(many[3], lambda: "anew") == 3
    assert once.get(many[0], lambda: "anew") == "anew"


def test_of_long_stretches_one_sound_is_kept(monkeypatch):
    """Files may tell of an hour, whose sound has 700 MB."""
    made = []
    monkeypatch.setattr(sound, "make_wav", lambda x: made.append(x.end) or b"RIFF")
    whole = heard("/night.wav", duration=7200.0, decoded=7200.0)
    short_one, *long_ones = (stretch_at(whole, 0, end) for end in (6, 3600, 3601))
    sounds = Sounds()
    for stretch in (short_one, *long_ones, long_ones[-1], short_one, long_ones[0]):
        assert sounds.wav(stretch) == b"RIFF"
    assert made == [6, 3600, 3601, 3600]


def test_what_could_not_be_made_is_tried_again():
    (key,) = keys(1)
    once = Once()

    def fail():
        raise MediaError("/0.wav", "is no longer there")

    with pytest.raises(MediaError, match="no longer there"):
        once.get(key, fail)
    assert once.get(key, lambda: 1) == 1


@pytest.mark.parametrize(
    ("name", "seconds", "kind"),
    [
        pytest.param("a.MP3", 4.0, "audio/mpeg", id="short"),
        pytest.param("a.flac", 4.0, "audio/flac", id="short flac"),
        pytest.param("a.flac", 1800.0, None, id="long, where a browser would have to seek"),
        pytest.param("a.aiff", 4.0, None, id="of no browser"),
    ],
)
def test_only_short_recordings_are_given_as_they_are(name, seconds, kind):
    (stretch, *_) = cut_stretches(heard(f"/{name}", **short(seconds)))
    assert media_type(stretch) == kind


@pytest.fixture
def session(library, open_session):
    return open_session(library.add("long.wav"), library.add("a.wav", **short()))


def test_the_first_stretch_is_ready_before_the_page(session, monkeypatch):
    sounds = Sounds()
    Review(session, sounds, lambda: None).prepare()
    for made in ("make_wav", "draw"):
        monkeypatch.setattr(f"asmr_classify.review.sound.{made}", lambda _: pytest.fail("late"))
    assert sounds.wav(session.stretch(0)).startswith(b"RIFF")
    assert set(sounds.picture(session.stretch(0))) == {"peaks", "mel", "bands"}


def test_what_cannot_be_prepared_is_left_to_the_page(session, tmp_path):
    (tmp_path / "long.wav").unlink()
    Review(session, Sounds(), lambda: None).prepare()


@pytest.fixture
def serve_quietly(session, monkeypatch):
    """Serves nobody, and tells in which order things came."""
    came = []

    monkeypatch.setattr("uvicorn.Server.run", lambda *_, **__: came.append("served"))

    def prepare(_):
        time.sleep(0.05)  # what is told without waiting is told before
        came.append("prepared")

    monkeypatch.setattr(Review, "prepare", prepare)

    def run():
        serve(
            session,
            listen(0),
            on_address=lambda _: came.append("told"),
            work=lambda _: came.append("worked"),
        )
        return came

    return SimpleNamespace(run=run, came=came)


def test_the_address_is_told_once_the_first_stretch_is_ready(serve_quietly):
    assert serve_quietly.run() == ["prepared", "told", "served"]


def test_a_recording_that_takes_long_does_not_hold_the_address_back(serve_quietly, monkeypatch):
    goes_on = threading.Event()
    monkeypatch.setattr("asmr_classify.review.server.HEAD_START", 0.01)
    monkeypatch.setattr(Review, "prepare", lambda _: goes_on.wait(10))
    monkeypatch.setattr("uvicorn.Server.run", lambda *_, **__: goes_on.set())
    assert serve_quietly.run() == ["told"]


@pytest.mark.skipif(os.name != "posix", reason="signals are sent otherwise")
def test_an_interrupt_as_soon_as_the_address_is_told_ends_the_server_and_not_its_start(session):
    told = []

    def interrupt(address):
        os.kill(os.getpid(), signal.SIGINT)
        told.append(address)

    with pytest.raises(KeyboardInterrupt):
        serve(session, listen(0), on_address=interrupt)
    assert len(told) == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_nobody_listens_ahead_before_the_page_has_its_first_stretch(session, monkeypatch):
    came, has_worked = [], threading.Event()

    def work(_):
        came.append("worked")
        has_worked.set()

    def ask(*_, **__):
        has_worked.wait(0.1)  # time to begin too early
        came.append("asked")
        review[0].picture(SimpleNamespace(path_params={"number": "1"}))
        assert has_worked.wait(10)

    review = []
    monkeypatch.setattr(Review, "prepare", lambda _: None)
    begin = Review.__init__
    monkeypatch.setattr(Review, "__init__", lambda own, *a: review.append(own) or begin(own, *a))
    monkeypatch.setattr("uvicorn.Server.run", ask)
    serve(session, listen(0), on_address=lambda _: None, work=work)
    assert came == ["asked", "worked"]
