from __future__ import annotations

import pytest

from asmr_classify.catalogue import Catalogue
from asmr_classify.errors import CatalogueError, UsageError
from tests.catalogue.results import SETTINGS, found, heard
from tests.review.conftest import short


def test_each_tab_undoes_its_own_answers(library, open_session):
    session = open_session(library.add("a.wav", **short()), library.add("b.wav", **short(5.0)))
    session.answer(0, ["tap"], "one")
    session.answer(1, ["whisper"], "other")
    assert session.undo("one")["stretch"]["number"] == 0
    assert library.answers() == [(0.0, ("whisper",))]
    with pytest.raises(UsageError, match="nothing to undo"):
        session.undo("one")


def test_what_was_answered_anew_elsewhere_is_not_undone(library, open_session):
    result = library.add("a.wav", **short())
    mine, theirs = open_session(result), open_session(result)
    mine.answer(0, ["tap"], "a")
    theirs.answer(0, ["whisper"], "a")
    with pytest.raises(UsageError, match="anew elsewhere"):
        mine.undo("a")
    assert library.answers() == [(0.0, ("whisper",))]
    assert mine.page(0, 1)[0]["labels"] == ["whisper"]


def test_the_opinion_is_told_after_the_answer_or_before_on_request(library, open_session):
    result = library.add("a.wav", **short())
    session = open_session(result)
    assert session.page(0, 1)[0]["opinion"] is None
    opinion = session.answer(0, [], "a")["stretch"]["opinion"]
    assert opinion == {"tap": 0.6, "whisper": 0.1, "speech": 0.2}
    session.undo("a")
    assert session.page(0, 1)[0]["opinion"] is None
    assert open_session(result, shows_opinion=True).page(0, 1)[0]["opinion"] == opinion


def test_progress_tells_what_was_heard_and_where_the_model_was_wrong(library, open_session):
    session = open_session(library.add("a.wav", **short()), library.add("b.wav", **short(5.0)))
    session.answer(0, ["tap"], "a")
    session.answer(1, ["whisper"], "a")
    assert session.n_given == 2
    assert session.progress() == {
        "answered": 2,
        "tally": [
            {"label": "whisper", "heard": 1, "against": 1},
            {"label": "tap", "heard": 1, "against": 1},
        ],
    }


def test_a_label_that_the_model_does_not_know_is_not_against_it(library, open_session):
    session = open_session(library.add("a.wav", **short()))
    session.add_label("soap")
    session.answer(0, ["tap", "soap"], "a")
    tally = {x["label"]: x["against"] for x in session.progress()["tally"]}
    assert tally == {"tap": 0, "soap": 0}


def test_a_session_begins_with_what_is_open_and_gives_a_few_at_a_time(library, open_session):
    results = [library.add(f"{k:02}.wav", **short(2.0 + k / 10)) for k in range(60)]
    open_session(*results).answer(0, ["tap"], "a")
    session = open_session(*results)
    assert (session.start()["first"], session.start()["total"]) == (1, 60)
    assert len(session.page(0, 1000)) == 50
    assert [x["number"] for x in session.page(58, 5)] == [58, 59]
    assert session.page(99, 5) == []


def test_only_what_no_page_has_shown_is_put_into_another_order(library, open_session):
    results = [library.add(f"{k}.wav", **short(2.0 + k)) for k in range(5)]
    session = open_session(*results)
    session.page(0, 2)
    session.rearrange(lambda rest: rest[::-1])
    assert [session.stretch(k).end for k in range(5)] == [2.0, 3.0, 6.0, 5.0, 4.0]


def test_answers_and_what_is_set_of_the_whole_live_side_by_side(library, open_session):
    result = library.add("a.wav", **short())
    open_session(result).answer(0, ["tap"], "a")
    with Catalogue.open(library.place) as catalogue:
        catalogue.add(found(result.path), heard(result.path, **short(model="new@2")), SETTINGS)
    assert library.answers() == [(0.0, ("tap",))]


def test_of_labels_that_a_page_did_not_show_nothing_is_said(library, open_session):
    """Another page has named one meanwhile: who never saw it did not say that it is absent."""
    session = open_session(library.add("a.wav", **short()), library.add("b.wav", **short(5.0)))
    shown = [label["name"] for label in session.labels()]
    session.add_label("soap")
    session.answer(0, ["tap"], "old", asked=shown)
    session.answer(1, ["soap"], "new", asked=[*shown, "soap"])
    session.answer(0, ["tap"], "old", asked=[*shown, "never offered"])
    with Catalogue.open(library.place) as catalogue:
        asked = {x.path.rsplit("/", 1)[-1]: x.asked for x in catalogue.answers()}
    assert asked == {
        "a.wav": ("whisper", "tap", "speech"),
        "b.wav": ("whisper", "tap", "speech", "soap"),
    }


def test_an_undo_that_could_not_be_written_is_tried_again(library, open_session, monkeypatch):
    session = open_session(library.add("a.wav", **short()))
    session.answer(0, ["tap"], "a")

    def fail(*_):
        raise CatalogueError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Catalogue, "take_back", fail)
        with pytest.raises(CatalogueError):
            session.undo("a")
    assert session.n_given == 1
    assert library.answers() == [(0.0, ("tap",))]
    session.undo("a")
    assert library.answers() == []
    assert session.n_given == 0


def test_who_asks_beyond_the_end_does_not_freeze_the_order(library, open_session):
    session = open_session(*(library.add(f"{k}.wav", **short(2.0 + k)) for k in range(4)))
    assert session.page(99, 5) == []
    session.page(0, 1)
    session.rearrange(lambda rest: rest[::-1])
    assert [session.stretch(k).end for k in range(4)] == [2.0, 5.0, 4.0, 3.0]
