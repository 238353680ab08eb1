from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from asmr_classify.aggregate import Problem, Status
from asmr_classify.catalogue.corrections import Correction
from asmr_classify.cli.render import results_table, shorten
from asmr_classify.cli.results import TableWriter
from asmr_classify.cli.timeline_bar import Look, cells_of
from asmr_classify.labels import CONTEXTS, SILENCE, TRIGGERS
from asmr_classify.timeline import Segment
from asmr_classify.visual.seen import Light, LightLevel, Motion, MotionLevel, Picture, Visual
from tests.catalogue.results import seen
from tests.cli.conftest import heard, lost

LABELS = ("tap", "whisper", "speech")


def draw(results, width, *, plain=True, labels=LABELS, kinds=()):
    console = Console(file=io.StringIO(), width=width, force_terminal=not plain)
    console.print(results_table(results, labels, width=width, plain=plain, kinds=kinds))
    return console.file.getvalue()


MANY = [
    heard("recordings/2024/a-very-long-name-of-a-recording-that-goes-on-and-on.mp3"),
    heard("囁き声の録音ファイル-とても長い名前-とても長い名前.webm", tags=("tap", "whisper")),
    heard("x", trigger=None, tags=(), segments=()),
    heard("quiet.wav", status=Status.SILENT, trigger=None, tags=(), scores={}, shares={}),
    lost("mute.mp4", "NoAudioError", "no sound track", status=Status.NO_AUDIO),
    lost("lost/gone.mp3", message="a reason that is told at length " * 5),
    heard("part.mkv", status=Status.PARTIAL, error=Problem("DecodeError", "part.mkv: broke off")),
]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_table_fits_its_width(width):
    lines = draw(MANY, width).splitlines()
    assert max(cell_len(line) for line in lines) <= width
    assert len({line.index("timeline") for line in lines if "timeline" in line}) == 1


@pytest.mark.parametrize("width", [60, 80, 120])
def test_what_is_seen_has_a_column_where_there_is_room(width):
    mute = lost("mute.mp4", "NoAudioError", "no sound", status=Status.NO_AUDIO)
    lively = seen(
        motion=Motion(MotionLevel.LIVELY, 0.5, 0.9), light=Light(LightLevel.BRIGHT, 0.4, 0.5, 0.3)
    )
    videos = [
        replace(MANY[0], visual=lively),
        replace(mute, duration=83.0, visual=seen()),
        heard("sound.mp4", visual=Visual(Picture.NONE)),
        *MANY,
    ]
    lines = draw(videos, width).splitlines()
    assert max(cell_len(line) for line in lines) <= width
    words = [re.findall("lively, bright|slow, dark", line) for line in lines]
    found = [word for line in words for word in line]
    assert found == ([] if width < 80 else ["lively, bright", "slow, dark"])
    assert ("picture" in lines[0]) == (width >= 80)
    (row,) = (line for line in lines if line.startswith("mute.mp4") and "1:23" in line)
    assert "no audio" in row


@pytest.mark.parametrize(("n_letters", "is_there"), [(10, True), (30, False), (42, False)])
def test_what_is_seen_gives_way_to_long_labels(n_letters, is_there):
    label = "x" * n_letters
    result = heard("a/whispering.mp4", trigger=label, tags=(label,), scores={label: 0.9}, shares={})
    lively = seen(
        motion=Motion(MotionLevel.LIVELY, 0.5, 0.9), light=Light(LightLevel.BRIGHT, 0.4, 0.5, 0.3)
    )
    drawn = {"width": 80, "labels": (*LABELS, label)}
    text = draw([replace(result, visual=lively)], **drawn)
    assert ("lively, bright" in text) == is_there
    assert text == draw([result], **drawn) or is_there
    assert max(map(cell_len, text.splitlines())) <= 80


def test_where_nothing_is_seen_there_is_no_column_for_it():
    assert "picture" not in draw([heard("a.wav", visual=Visual(Picture.NONE))], 120)
    assert "picture" not in draw(MANY, 120)


def test_folders_are_shortened_before_names():
    text = draw(
        [heard(f"recordings/of/a/whole/year/and/more/{k}/whispering.mp3") for k in "ab"], 80
    )
    assert "/a/whispering.mp3  tap" in text
    assert "…" in text


def test_lines_of_tags_and_of_the_legend_break_between_labels_only():
    labels = ("tap", "whisper", "crinkle", "white_noise")
    result = heard(
        "a-name-that-takes-its-share-of-the-width.mp3",
        tags=labels,
        scores=dict.fromkeys(labels, 0.5),
        segments=tuple(Segment(0, 40, x, 0.5) for x in (*labels, "speech", "music", "other")),
    )
    lines = draw([result], 84).splitlines()
    for tag in ("whisper 0.50", "crinkle 0.50", "white_noise 0.50"):
        assert sum(tag in line for line in lines) == 1
    legend = draw([result], 60).splitlines()[-2:]
    assert [line.split()[0] for line in legend] == ["W", "m"]


def test_failures_come_last_with_their_reason_and_without_their_name_twice():
    text = draw(MANY, 120)
    assert text.index("part.mkv") < text.index("lost/gone.mp3")
    assert "a reason that is told at length" in text
    assert text.count("lost/gone.mp3") == 1
    assert "broke off" in text
    assert "partial" in text


@pytest.mark.parametrize("plain", [True, False])
def test_a_trigger_that_was_set_need_be_none_of_the_model(plain):
    result = heard("a.mp3", trigger="brush", tags=("brush", "soap"), corrected=("trigger",))
    shown = draw([result], 120, plain=plain)
    assert "brush" in shown
    assert "soap" in shown


def test_a_trigger_that_nobody_could_set_yet_is_shown_with_its_score():
    was_set = Correction(("tap",), asked=("tap", "whisper"))
    result = was_set.apply(heard("a.mp3", tags=("soap",), scores={"tap": 0.5, "soap": 0.75}))
    assert "soap 0.75" in draw([result], 120)


def test_what_has_no_trigger_says_why():
    text = draw(MANY, 120)
    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "none" in rows["x"]
    assert "silent" in rows["quiet.wav"]
    assert "no audio" in rows["mute.mp4"]


def test_only_failures_make_no_empty_table():
    assert "timeline" not in draw([lost("gone.mp3")], 80)


def test_labels_from_a_model_do_not_act_on_the_terminal():
    evil = "t\x1b[2J[red]"
    result = heard("a", trigger=evil, tags=(evil,), scores={evil: 0.9}, shares={}, segments=())
    console = Console(file=io.StringIO(), width=100)
    console.print(results_table([result], [evil], width=100, plain=True))
    assert "\x1b" not in console.file.getvalue()
    assert "[red]" in console.file.getvalue()


@given(st.text(st.characters(exclude_categories=["C", "M", "Z"])), st.integers(4, 60))
def test_a_shortened_text_fits_and_keeps_its_end(text, width):
    short = shorten(text, width)
    assert cell_len(short) <= width
    assert short == text or text.endswith(short.split("…")[-1])


def test_cells_hold_the_labels_that_cover_most_of_them():
    result = heard("a", duration=40.0)
    assert cells_of(result, 4) == [["tap"], ["tap"], ["tap", "speech"], ["tap", "speech"]]


def test_triggers_stand_before_contexts_and_silence_alone():
    segments = (
        Segment(0, 10, "speech", 0.9),
        Segment(4, 10, "tap", 0.6),
        Segment(10, 20, SILENCE, 1.0),
        Segment(15, 20, "speech", 0.6),
    )
    result = heard("a", duration=30.0, segments=segments)
    assert cells_of(result, 3) == [["tap", "speech"], ["speech"], []]


def test_a_short_segment_is_not_lost_where_nothing_else_is():
    result = heard("a", duration=3600.0, segments=(Segment(1000, 1001, "tap", 0.9),))
    assert [k for k, cell in enumerate(cells_of(result, 36)) if cell] == [10]


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), max_size=5), st.integers(1, 50))
def test_any_timeline_gives_as_many_cells_as_asked_for(spans, width):
    segments = tuple(Segment(min(s), max(s), "tap", 0.5) for s in spans)
    assert len(cells_of(heard("a", duration=100.0, segments=segments), width)) == width
    assert cells_of(heard("a", duration=None, segments=segments), width) == [[]] * width


def test_each_label_has_a_letter_of_its_own_capital_for_triggers():
    letters = Look.of_labels(("soft tap", "scratch"), plain=True).letters
    assert len(set(letters.values())) == len(letters)
    assert all(letters[label].isupper() for label in (*TRIGGERS, "soft tap"))
    assert all(letters[label].islower() for label in CONTEXTS)


def test_colours_are_named_in_the_legend():
    text = draw([heard("a")], 100, plain=False)
    assert "▀" in text
    assert "█ tap" in text.splitlines()[-1]
    assert "whisper" not in text.splitlines()[-1]


def test_a_long_run_prints_one_table_after_the_other(monkeypatch):
    monkeypatch.setattr("asmr_classify.cli.results.TABLE_CHUNK", 2)
    console = Console(file=io.StringIO(), width=100)
    writer = TableWriter(console, LABELS)
    for name in ("c", "b", "a"):
        writer.write(replace(MANY[2], path=name))
    assert console.file.getvalue().count("timeline") == 1
    writer.close()
    text = console.file.getvalue()
    assert [line[0] for line in text.splitlines() if "none" in line] == ["b", "c", "a"]


def test_what_covers_much_of_a_file_is_named_with_its_share():
    from tests.cli.conftest import heard

    shares = {"tap": 0.9, "whisper": 0.3, "speech": 0.5, "silence": 0.4}
    result = heard("a.wav", trigger=None, tags=(), shares=shares)
    table = results_table([result], LABELS, width=120, plain=True)
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(table)
    assert re.findall(r"\w+ \d+%", console.export_text()) == [
        "tap 90%",
        "speech 50%",
        "whisper 30%",
    ]


def test_kinds_stand_behind_the_tags_as_far_as_there_is_room():
    kinds = {"typing": 0.934, "music": 0.8, "page_turn": 0.71}
    result = heard("a.mp3", shares={}, tags=("tap", "whisper"), kinds=kinds)
    text = draw([replace(result, scores={**result.scores, "music": 0.7})], 160)
    assert re.search(r"  whisper 0\.\d\d, typing 0\.93, page_turn 0\.71 ", text)
    assert "  whisper 0.10, typing 0.93    " in draw([result], 120)
    assert "  typing 0.93, music 0.80    " in draw([replace(result, tags=("tap",))], 120)
    narrow = draw([result], 80)
    assert "page_turn" not in narrow
    assert len(narrow.splitlines()) == len(draw([replace(result, kinds={})], 80).splitlines())
    assert "\x1b[2mtyping 0.93" in draw([replace(result, tags=("tap",))], 120, plain=False)


def test_kinds_that_were_asked_for_are_always_shown():
    kinds = {"typing": 0.934, "rain": 0.8, "page_turn": 0.71}
    result = heard("a.mp3", shares={}, tags=("tap", "whisper"), kinds=kinds)
    narrow = draw([result], 80, kinds=("page_turn", "soap"))
    assert "page_turn 0.71" in narrow
    assert "typing" not in narrow
    assert "  whisper 0.10, rain 0.80    " in draw([result], 120, kinds=("rain",))
    assert draw([result], 160, kinds=("rain",)).count("rain") == 1


def test_kinds_do_not_act_on_the_terminal():
    assert "\x1b[31m" not in draw([heard("a.mp3", shares={}, kinds={"\x1b[31mred": 0.9})], 120)


@pytest.mark.parametrize(("no_talking", "text"), [(True, "no talking"), (False, "talking")])
def test_what_was_set_of_talking_is_shown(no_talking, text):
    result = heard("a.mp3", shares={}, no_talking=no_talking, corrected=("no_talking",))
    assert re.search(rf"a\.mp3  tap 0\.90  {text} \(set\) ", draw([result], 120))
    assert "talking" not in draw([replace(result, corrected=())], 120)
