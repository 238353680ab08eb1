"""What people said, and what of it can be learnt from."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from asmr_classify.aggregate import FileResult, Status
from asmr_classify.model import load_model
from asmr_classify.timeline import Segment
from asmr_classify.training.answers import (
    Said,
    hear,
    others_beside,
    said_of_clips,
    said_of_correction,
    settle,
    spread,
)
from asmr_classify.training.layouts import read_clips
from tests.conftest import DEMO
from tests.media.make_media import RECIPES, tone, write_media


def place(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(DEMO / name, folder)


def test_folders_say_which_labels_are_there_and_which_are_not(tmp_path):
    place(tmp_path / "keys" / "mia", "tap-keys.flac")
    place(tmp_path / "none", "none-talk.flac")
    said = {x.path.rsplit("/", 1)[-1]: x for x in said_of_clips(read_clips([tmp_path]))}
    keys, talk = said["tap-keys.flac"], said["none-talk.flac"]
    assert (keys.labels, keys.asked, keys.group) == (("keys",), ("keys",), "mia")
    assert (talk.labels, talk.asked) == ((), ("keys",))
    assert (keys.start, keys.end) == pytest.approx((0, 6), abs=0.01)


def test_a_folder_named_other_is_a_label(tmp_path):
    place(tmp_path / "keys", "tap-keys.flac")
    place(tmp_path / "other", "none-talk.flac")
    said = said_of_clips(read_clips([tmp_path]))
    assert {x.labels for x in said} == {("keys",), ("other",)}
    assert {x.asked for x in said} == {("keys", "other")}


def test_recordings_that_do_not_say_how_long_they_are_are_heard_all_over(tmp_path):
    place(tmp_path / "none", "none-talk.flac")
    (tmp_path / "keys").mkdir()
    write_media(tmp_path / "keys" / "long.aac", tone(40.0, 44100), RECIPES["aac"])
    said = said_of_clips(read_clips([tmp_path]))
    spans = [(x.start, x.end) for x in said if x.labels]
    assert spans == [pytest.approx(span, abs=0.1) for span in ((5, 15), (15, 25), (25, 35))]


def result_of(**changes):
    segments = (
        Segment(0.0, 4.0, "tap", 0.6),
        Segment(5.0, 40.0, "tap", 0.9),
        Segment(40.0, 60.0, "speech", 0.8),
    )
    made = FileResult(
        "a.wav", Status.OK, "m@1", duration=60.0, decoded=60.0, segments=segments, tags=("tap",)
    )
    return replace(made, **changes)


def test_a_trigger_that_was_taken_away_is_not_where_it_was_heard():
    result = result_of(tags=("whisper",), corrected=("trigger",))
    said = said_of_correction(result, ["tap", "whisper", "crinkle"], "maker")
    assert said == [
        Said("a.wav", 5.0, 15.0, (), ("tap",), "maker"),
        # whisper is somewhere in a minute, and nobody knows where
        Said("a.wav", 25.0, 35.0, (), ("crinkle",), "maker"),
    ]


def test_a_trigger_that_was_confirmed_is_where_it_was_heard():
    said = said_of_correction(result_of(corrected=("trigger",)), ["tap"], "maker")
    assert said == [Said("a.wav", 5.0, 15.0, ("tap",), ("tap",), "maker")]


def test_no_talking_says_that_there_is_neither_speech_nor_whisper():
    result = result_of(no_talking=True, corrected=("no_talking",))
    said = said_of_correction(result, ["tap"], "maker")
    assert {(x.asked, x.labels, x.start, x.end) for x in said} == {
        (("whisper",), (), 25.0, 35.0),
        (("speech",), (), 40.0, 50.0),
    }
    assert said_of_correction(result_of(no_talking=False, corrected=("no_talking",)), [], "") == []


def test_stretches_are_heard_once_and_what_cannot_be_heard_is_told(tmp_path, monkeypatch):
    model = load_model()
    asked = ("keys",)
    said = [
        Said(str(DEMO / "tap-keys.flac"), 1.0, 5.0, asked, asked, "a"),
        Said(str(DEMO / "none-silence.flac"), 0.0, 4.0, (), asked, "b"),
        Said(str(tmp_path / "gone.flac"), 0.0, 4.0, (), asked, "c"),
        Said(str(DEMO / "none-talk.flac"), 30.0, 34.0, (), asked, "d"),
    ]
    told = []
    heard, errors = hear(
        said, model, cache=tmp_path / "cache", on_progress=lambda *numbers: told.append(numbers)
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert heard.said == (said[0],)
    assert heard.embedded.shape == (1, model.ensemble.embedding.n_outputs)
    assert heard.logits.shape == (1, len(model.labels))
    assert sorted(error.path for error in errors) == sorted([said[2].path, said[3].path])

    def never(*_args, **_kwargs):
        raise AssertionError("read though it is kept")

    monkeypatch.setattr("asmr_classify.training.answers.read_stretch", never)
    moved = shutil.copy(said[0].path, tmp_path / "moved.flac")  # known by its content
    again, _ = hear([replace(said[0], path=moved)], model, cache=tmp_path / "cache")
    np.testing.assert_array_equal(again.embedded, heard.embedded)


def test_a_copy_is_no_further_example_and_no_further_maker(tmp_path):
    asked = ("keys",)
    first = Said(str(DEMO / "tap-keys.flac"), 1.0, 5.0, asked, asked, "a")
    copy = replace(first, path=str(shutil.copy(first.path, tmp_path / "copy.flac")), group="b")
    told_otherwise, elsewhere = replace(copy, labels=()), replace(copy, start=0.0, end=3.0)
    heard, _ = hear([first, copy, told_otherwise, elsewhere], load_model())
    assert heard.said == (first, told_otherwise, elsewhere)


def test_a_damaged_cache_is_heard_anew(tmp_path):
    model = load_model()
    said = [Said(str(DEMO / "tap-keys.flac"), 1.0, 5.0, ("keys",), ("keys",), "a")]
    heard, _ = hear(said, model, cache=tmp_path)
    (kept,) = tmp_path.glob("*.npz")
    kept.write_bytes(b"PK nothing")
    again, errors = hear(said, model, cache=tmp_path)
    assert not errors
    np.testing.assert_array_equal(again.embedded, heard.embedded)


def test_what_the_model_was_taught_is_not_its_own_opinion():
    model = load_model()
    n_dimensions, n_labels = model.ensemble.embedding.n_outputs, len(model.labels)
    layer = replace(
        model.ensemble.embedding,
        weights=(np.ones((n_dimensions, n_labels), np.float32),),
        biases=(np.ones(n_labels, np.float32),),
    )
    taught = replace(model, ensemble=replace(model.ensemble, taught=layer))
    said = [Said(str(DEMO / "tap-keys.flac"), 1.0, 5.0, ("keys",), ("keys",), "a")]
    np.testing.assert_array_equal(hear(said, taught)[0].logits, hear(said, model)[0].logits)


def test_an_answer_counts_before_what_was_set_of_the_whole():
    tap = ("tap",)
    heard = Said("a.wav", 5.0, 9.0, tap, (*tap, "whisper"), "m")
    none = Said("b.wav", 5.0, 9.0, (), tap, "m")
    absent = Said("a.wav", 30.0, 40.0, (), tap, "m")
    present = Said("b.wav", 0.0, 10.0, tap, tap, "m")
    beside = Said("b.wav", 20.0, 30.0, tap, tap, "m")
    of_another_label = Said("a.wav", 0.0, 10.0, (), ("crinkle",), "m")
    agreeing = Said("a.wav", 30.0, 40.0, (), ("whisper",), "m")
    answered = [heard, none]
    corrected = [absent, present, beside, of_another_label, agreeing]
    kept, against = settle(answered, corrected)
    assert kept == [*answered, beside, of_another_label, agreeing]
    assert against == [absent]


def test_what_was_set_as_there_and_is_not_heard_where_it_should_be_contradicts():
    tap = ("tap",)
    present = Said("b.wav", 0.0, 6.0, tap, tap, "m")
    nothing, part, elsewhere = (
        Said("b.wav", 0.0, 6.0, (), tap, "m"),
        Said("b.wav", 2.0, 6.0, (), tap, "m"),
        Said("b.wav", 9.0, 12.0, tap, tap, "m"),
    )
    assert settle([nothing], [present]) == ([nothing], [present])
    assert settle([part], [present]) == ([part], [])
    assert settle([nothing, elsewhere], [present]) == ([nothing, elsewhere], [])


def test_what_nothing_was_said_of_is_heard_without_a_word_and_never_as_a_copy(tmp_path):
    asked = ("keys",)
    first = Said(str(DEMO / "tap-keys.flac"), 1.0, 5.0, asked, asked, "a")
    other = Said(str(DEMO / "noise-fan.flac"), 1.0, 5.0, (), (), "b")
    copy = replace(first, path=str(shutil.copy(first.path, tmp_path / "copy.flac")), labels=())
    gone = replace(other, path=str(tmp_path / "gone.flac"))
    heard, errors = hear([first, replace(copy, asked=()), other, gone], load_model())
    assert heard.said == (first, other)
    assert heard.labels == asked
    assert not errors


def test_others_lie_beside_what_was_said_and_are_spread_over_recordings(monkeypatch):
    monkeypatch.setattr("asmr_classify.training.answers.MOST_OTHERS", 4)
    results = [
        result_of(path="a.wav"),
        result_of(path="b.wav"),
        result_of(path="c.wav", decoded=4.0),
    ]
    silent = result_of(path="d.wav", decoded=0.0)
    said = [Said("a.wav", 0.0, 60.0, (), ("tap",), "a"), Said("c.wav", 2.0, 3.0, (), (), "c")]
    others = others_beside([*results, silent], said[:1])
    assert all(each.labels == each.asked == () for each in others)
    assert [each.path for each in others] == ["b.wav", "c.wav", "b.wav", "b.wav"]
    assert (others[1].start, others[1].end) == (0.0, 4.0)
    spans = sorted((each.start, each.end) for each in others if each.path == "b.wav")
    assert all(end - start == pytest.approx(10) and end <= 60 for start, end in spans)
    assert all(one[1] <= after[0] for one, after in pairwise(spans))
    assert [each.path for each in others_beside(results, said)] == ["b.wav"] * 3
    catalogued = [replace(x, path=os.path.abspath(x.path)) for x in results]  # noqa: PTH100
    assert len(others_beside(catalogued, said)) == 3


def test_long_stretches_are_looked_at_in_places():
    def of(start, end):
        return Said("a.mp3", start, end, ("tap",), ("tap", "whisper"), "mia")

    short = [of(3.1, 13.1), of(2, 6)]
    assert spread(short) == short
    assert spread([of(10, 25)]) == [of(12.5, 22.5)]
    assert spread([of(100, 3710)]) == [of(700, 710), of(1900, 1910), of(3100, 3110)]
