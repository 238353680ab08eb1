"""What people say of stretches stays with the content."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace

import pytest

from asmr_classify.catalogue import Catalogue, parse_query
from asmr_classify.catalogue.answers import MOST_CHARACTERS, check_new_label
from asmr_classify.catalogue.fields import FIELDS
from asmr_classify.errors import CatalogueError, UsageError
from asmr_classify.media.found import Found
from tests.catalogue.results import SETTINGS, found, heard

ASKED = ("tap", "whisper")


def said(catalogue, *paths):
    return [
        (x.path, x.start, x.end, x.labels) for x in catalogue.answers([*map(str, paths)] or None)
    ]


def test_an_answer_tells_what_was_heard_and_asked_where_and_when(catalogue, labelled):
    file = labelled("a.mp3")
    before = time.time()
    catalogue.answer(str(file), 2.0004, 5, ["crinkle", "tap"], ASKED)
    (answer,) = catalogue.answers()
    assert (answer.path, answer.start, answer.end) == (str(file), 2.0, 5.0)
    assert answer.labels == ("crinkle", "tap")
    assert answer.asked == ("tap", "whisper", "crinkle")
    assert before <= answer.at <= time.time()


def test_another_answer_of_the_same_stretch_replaces_it_and_of_another_does_not(
    catalogue, labelled
):
    file = str(labelled("a.mp3"))
    catalogue.answer(file, 2, 5, ["tap"], ASKED)
    catalogue.answer(file, 2, 6, ["whisper"], ASKED)
    catalogue.answer(file, 2, 5, [], ASKED)
    assert said(catalogue) == [(file, 2, 5, ()), (file, 2, 6, ("whisper",))]


def test_an_answer_is_taken_back_alone(catalogue, labelled):
    file, other = str(labelled("a.mp3")), str(labelled("b.mp3"))
    for path, start in [(file, 0), (file, 4), (other, 0)]:
        catalogue.answer(path, start, start + 3.1, ["tap"], ASKED)
    catalogue.take_back(file, 0, 3.1)
    catalogue.take_back(file, 0, 3.1)
    assert said(catalogue) == [(file, 4, 7.1, ("tap",)), (other, 0, 3.1, ("tap",))]
    assert said(catalogue, other) == [(other, 0, 3.1, ("tap",))]


def test_answers_go_with_the_content(catalogue, labelled, place):
    file, copy = labelled("a.mp3", b"same"), labelled("b.mp3", b"same")
    catalogue.answer(str(file), 0, 3, ["tap"], ASKED)
    assert said(catalogue, file, copy) == [
        (str(file), 0, 3, ("tap",)),
        (str(copy), 0, 3, ("tap",)),
    ]
    assert said(catalogue) == [(str(file), 0, 3, ("tap",))]
    moved = file.rename(place / "z.mp3")
    copy.unlink()
    catalogue.answer(str(moved), 4, 7, ["whisper"], ASKED)  # finds it by its hash
    catalogue.add(found(moved), heard(moved), SETTINGS)
    assert {row[0] for row in said(catalogue)} == {str(moved)}
    assert len(said(catalogue)) == 2


def test_of_copies_one_that_is_there_is_named(catalogue, labelled):
    asked, *copies = (labelled(name, b"same") for name in ("b.mp3", "a.mp3", "c.mp3"))
    catalogue.answer(str(asked), 0, 3, ["tap"], ASKED)
    asked.unlink()
    assert [row[0] for row in said(catalogue)] == [str(copies[0])]
    copies[0].unlink()
    assert [row[0] for row in said(catalogue)] == [str(copies[1])]
    copies[1].unlink()
    assert [row[0] for row in said(catalogue)] == [str(asked)]


def test_they_outlive_labelling_anew_and_being_forgotten(catalogue, labelled, place):
    file = labelled("a.mp3")
    catalogue.answer(str(file), 0, 3, ["tap"], ASKED)
    catalogue.add(found(file), heard(file, scores={"drip": 0.5}), "another model")
    assert said(catalogue) == [(str(file), 0, 3, ("tap",))]
    moved = file.rename(place / "moved.mp3")
    catalogue.recall(found(moved), None)
    assert catalogue.forget([str(place)]) == 1
    assert said(catalogue) == [(str(moved), 0, 3, ("tap",))]  # the last place that it had
    assert said(catalogue, moved) == said(catalogue)
    assert said(catalogue, file) == []
    again = moved.rename(place / "again.mp3")
    catalogue.add(found(again), heard(again), SETTINGS)
    assert said(catalogue) == [(str(again), 0, 3, ("tap",))]


def test_another_recording_at_the_place_has_none_and_the_first_keeps_its_own(
    catalogue, labelled, write
):
    file = labelled("a.mp3", b"one")
    catalogue.answer(str(file), 0, 3, ["tap"], ASKED)
    write("a.mp3", b"another recording")
    catalogue.add(found(file), heard(file, scores={"tap": 0.4}), SETTINGS)
    assert said(catalogue, file) == []
    assert said(catalogue) == [(str(file), 0, 3, ("tap",))]


def test_tags_that_are_written_take_answers_along(catalogue, labelled, write):
    file = labelled("a.mp3", b"sound")
    catalogue.answer(str(file), 0, 3, ["tap"], ASKED)
    before = found(file)
    write("a.mp3", b"sound and tags")
    catalogue.follow(Found(before.path, before.size, before.mtime_ns), str(file))
    assert said(catalogue) == [(str(file), 0, 3, ("tap",))]
    write("a.mp3", b"sound and tags of another program")
    catalogue.add(found(file), heard(file), SETTINGS)
    assert said(catalogue, file) == [(str(file), 0, 3, ("tap",))]


def test_of_two_answers_of_what_becomes_one_content_the_later_stands(catalogue, labelled, write):
    file, other = labelled("a.mp3", b"one"), labelled("b.mp3", b"two")
    catalogue.answer(str(file), 0, 3, ["tap"], ASKED)
    catalogue.answer(str(file), 4, 7, ["tap"], ASKED)
    catalogue.answer(str(other), 0, 3, ["whisper"], ASKED)
    before = found(file)
    write("a.mp3", b"two")
    catalogue.follow(before, str(file))
    assert said(catalogue, other) == [
        (str(other), 0, 3, ("whisper",)),
        (str(other), 4, 7, ("tap",)),
    ]


@pytest.mark.parametrize("is_later", [True, False])
def test_what_becomes_one_content_keeps_what_only_one_was_asked_of(
    catalogue, labelled, write, is_later
):
    file, other = labelled("a.mp3", b"one"), labelled("b.mp3", b"two")
    given = [
        (file, ["whisper"], ["whisper", "tap"]),
        (other, ["tap", "crinkle"], ["tap", "crinkle"]),
    ]
    for path, labels, asked in given if is_later else reversed(given):
        catalogue.answer(str(path), 0, 3, labels, asked)
    before = found(file)
    write("a.mp3", b"two")
    catalogue.follow(before, str(file))
    (answer,) = catalogue.answers([str(file)])
    assert {*answer.labels} == {"whisper", "crinkle"} | ({"tap"} if is_later else set())
    assert {*answer.asked} == {"whisper", "tap", "crinkle"}


@pytest.mark.parametrize(
    ("label", "message"),
    [
        *((name, "it has another meaning in queries") for name in (*FIELDS, "none")),
        ("share.soap", "it has another meaning in queries"),
        ("kind.soap", "it has another meaning in queries"),
        *((name, "leave out commas and : = < >") for name in ("-soap", "^soap", "'soap'", '"s')),
        *((f"so{sign}ap", "leave out commas and : = < >") for sign in ",:=<>"),
        ("Soap", "it differs in case only from soap, which is one"),
        ("TAP", "it differs in case only from tap, which is one"),
        ("Silence", "it differs in case only from silence, which is one"),
        (" soap", "without space around them"),
    ],
)
def test_a_name_by_which_queries_cannot_ask_is_no_new_label(label, message):
    with pytest.raises(UsageError, match=f"cannot be a label: .*{message}"):
        check_new_label(label, ["soap"])


@pytest.mark.parametrize(
    "label", ["soap", "soap cutting", "soap-cutting", "seife_3", "mein'n", "泡"]
)
def test_a_new_label_is_what_its_query_asks_for(label):
    text = f'"{label}">0.5' if " " in label else f"-{label}>0.5"
    ((term,),) = parse_query(text).alternatives
    assert term.name == check_new_label(label, ["soap"])


@pytest.mark.parametrize(
    ("start", "end", "label", "message"),
    [
        pytest.param(3, 3, "tap", "3 to 3 is no stretch: give seconds from 0 on", id="empty"),
        pytest.param(3, 3.0004, "tap", "3 to 3.0004 is no stretch", id="empty once rounded"),
        pytest.param(-1, 3, "tap", "is no stretch", id="before the start"),
        pytest.param(0, float("inf"), "tap", "is no stretch", id="endless"),
        pytest.param(float("nan"), 3, "tap", "is no stretch", id="no number"),
        pytest.param(0, 3, "", "'' cannot be a label: give up to 60", id="no name"),
        pytest.param(0, 3, " tap", "' tap' cannot be a label", id="space"),
        pytest.param(0, 3, "a\u202eb", "cannot be a label", id="turns text around"),
        pytest.param(0, 3, "x" * (MOST_CHARACTERS + 1), "cannot be a label", id="long"),
    ],
)
def test_what_is_no_answer_is_refused(catalogue, labelled, start, end, label, message):
    file = str(labelled("a.mp3"))
    with pytest.raises(UsageError, match=message):
        catalogue.answer(file, start, end, [label], ASKED)
    with pytest.raises(UsageError, match=message):
        catalogue.answer(file, start, end, [], [label])
    assert catalogue.answers() == []


def test_only_what_is_known_is_answered(catalogue, labelled, write):
    stranger, changed = write("a.mp3"), labelled("b.mp3")
    write("b.mp3", b"something else")
    with pytest.raises(UsageError, match=r"a\.mp3: is not in the catalogue"):
        catalogue.answer(str(stranger), 0, 3, [], ASKED)
    with pytest.raises(UsageError, match=r"b\.mp3: has changed since it was labelled"):
        catalogue.answer(str(changed), 0, 3, [], ASKED)


def test_a_file_that_is_gone_can_be_answered_of(catalogue, labelled):
    file = labelled("a.mp3")
    file.unlink()
    catalogue.answer(str(file), 0, 3, ["tap"], ASKED)
    assert said(catalogue) == [(str(file), 0, 3, ("tap",))]


def test_two_who_answer_at_once_lose_nothing(catalogue, labelled):
    file = str(labelled("a.mp3"))
    with Catalogue.open(catalogue.path) as other:
        for k in range(20):
            (catalogue, other)[k % 2].answer(file, k, k + 2, ["tap"], ASKED)
        assert other.answers() == catalogue.answers()
    assert len(catalogue.answers()) == 20


def test_answers_that_are_damaged_are_told(catalogue, labelled):
    catalogue.answer(str(labelled("a.mp3")), 0, 3, ["tap"], ASKED)
    connection = sqlite3.connect(catalogue.path)
    connection.execute("UPDATE answers SET labels = '[\"ta'")
    connection.commit()
    connection.close()
    with pytest.raises(CatalogueError, match=r"library\.sqlite: is damaged"):
        catalogue.answers()


def test_an_answer_is_compared_by_what_it_says(catalogue, labelled):
    file = str(labelled("a.mp3"))
    catalogue.answer(file, 0, 3, ["tap"], ASKED)
    (answer,) = catalogue.answers()
    catalogue.answer(file, 0, 3, ["tap"], ASKED)
    (later,) = catalogue.answers()
    assert later.at > answer.at
    assert replace(later, at=answer.at) == answer
