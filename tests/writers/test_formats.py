"""What holds of every format: a reader, a round trip, a purpose, names that cannot break it."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.cli.formats import FormatName
from asmr_classify.errors import NotRepresentableError, UsageError
from asmr_classify.timeline import Segment
from asmr_classify.visual.levels import LIVELY
from asmr_classify.visual.seen import Lanes, Picture, Visual
from asmr_classify.writers import FORMATS, Options, format_by_name
from asmr_classify.writers.escapes import escape, unescape
from tests.catalogue.results import seen
from tests.writers.roundtrip import SKIP, holds, read, timeline, write
from tests.writers.strategies import LABELS, names, results, timelines
from tests.writers.test_hostile_names import HOSTILE

TIMELINES = [name for name, form in FORMATS.items() if not form.holds_failures]
DOCUMENTS = [name for name, form in FORMATS.items() if form.is_document]
TEXTS = [name for name, form in FORMATS.items() if not form.in_bytes]

HOSTILE_LABELS = [
    "-->",
    "00:00:01.000 --> 00:00:02.000",
    "two\n\nlines",
    "tab\tand\rreturn",
    "<b>bold</b> &amp; &lt;",
    '"quoted',
    "\\",
    " ends ",
    "nel\x85ls\u2028",
    "lone \udc80",
    "囁き 🎧",
    r"\x41 and \\x41",
]

quick = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_says_what_it_is_for_and_has_an_ending_of_its_own(form):
    kind = FORMATS[form]
    assert len(kind.help) > 20
    assert [format_by_name(f"x/A{suffix.upper()}") for suffix in kind.suffixes] == [form] * len(
        kind.suffixes
    )


def test_the_program_offers_every_format():
    assert {str(name) for name in FormatName} == {"table", *FORMATS}


@pytest.mark.parametrize("form", FORMATS)
@quick
@given(timelines())
def test_write_and_read_give_what_the_format_holds(form, result):
    try:
        content = write(form, [result], LABELS)
    except NotRepresentableError:
        assume(False)  # there is no such file
    expected = holds(form, result)
    assert (read(form, content) if content or expected else []) == expected


@quick
@given(results())
def test_parquet_holds_everything(result):
    assert read("parquet", write("parquet", [result], LABELS)) == [result]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("path", HOSTILE, ids=ascii)
def test_hostile_names_come_back(form, path):
    result = timeline(path)
    assert read(form, write(form, [result], LABELS)) == holds(form, result)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("label", HOSTILE_LABELS, ids=ascii)
def test_hostile_labels_come_back(form, label):
    labels = (label, "speech", "tap")
    result = replace(
        timeline(labels=labels), tags=(label,), trigger=label, scores={label: 0.5}, shares={}
    )
    assert read(form, write(form, [result], labels)) == holds(form, result)


@pytest.mark.parametrize("form", TEXTS)
@pytest.mark.parametrize("label", HOSTILE_LABELS, ids=ascii)
def test_texts_are_utf8_without_control_characters(form, label):
    labels = (label, "speech", "tap")
    text = write(form, [timeline(f"{label}\udce9\x1b.mp3", labels=labels)], labels)
    text.encode()
    assert not any(0x7F <= ord(x) < 0xA0 or (ord(x) < 32 and x not in "\n\t") for x in text)


@pytest.mark.parametrize("form", TIMELINES)
def test_labels_that_were_set_as_absent_are_left_out(form):
    result = timeline(duration=150.0, labels=("tap", "speech", "tap", "whisper", "tap"))
    options = Options(skip=("tap", "whisper"))
    tapping = replace(result, tags=("tap",), no_talking=True)
    content = write(form, [replace(tapping, corrected=("trigger", "no_talking"))], LABELS, options)
    left = replace(tapping, segments=[s for s in result.segments if s.label == "tap"])
    assert content == write(form, [left], LABELS, options)
    assert content != write(form, [result], LABELS, options)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_what_tells_of_corrections_keeps_the_timeline_of_the_model(form):
    result = replace(timeline(), tags=("tap",), corrected=("trigger",))
    assert read(form, write(form, [result], LABELS)) == [result]


@given(names)
def test_escapes_are_undone(text):
    assert unescape(escape(text)) == text


@pytest.mark.parametrize("form", TIMELINES)
@pytest.mark.parametrize("status", [Status.FAILED, Status.NO_AUDIO])
def test_what_could_not_be_heard_is_not_written_as_if_nothing_was_found(form, status):
    lost = FileResult("a.mp3", status, "m@1", error=Problem("OpenError", "a.mp3: is empty"))
    content = write(form, [lost], LABELS)
    assert content == write(form, [], LABELS)


@pytest.mark.parametrize("form", [x for x in FORMATS if x != "youtube"])
def test_a_recording_without_segments_gives_a_valid_file(form):
    nothing = FileResult("a.mp3", Status.SILENT, "m@1", duration=5.0, decoded=5.0)
    assert read(form, write(form, [nothing], LABELS)) == holds(form, nothing)


@pytest.mark.parametrize("form", [x for x, kind in FORMATS.items() if not kind.is_document])
def test_files_of_many_hold_them_in_their_order(form):
    two = [timeline("b.mp3"), timeline("a.mp3", duration=30.0)]
    assert read(form, write(form, two, LABELS)) == [x for r in two for x in holds(form, r)]


@pytest.mark.parametrize("form", DOCUMENTS)
def test_a_document_belongs_to_one_recording(form):
    with pytest.raises(UsageError, match=r"b\.mp3: a file of this format .* to a\.mp3; .*per-file"):
        write(form, [timeline("a.mp3"), timeline("b.mp3")], LABELS)


@pytest.mark.parametrize("form", FORMATS)
def test_readers_refuse_what_is_something_else(form):
    foreign = "1\n00:00:01,000 --> 00:00:02,000\nDialogue\n\n"
    content = foreign.encode() if FORMATS[form].in_bytes else foreign
    with pytest.raises((ValueError, KeyError, TypeError)):
        read(form, content)


@pytest.mark.parametrize("form", [name for name, kind in FORMATS.items() if kind.skips])
@pytest.mark.parametrize(
    ("skip", "message"),
    [
        pytest.param((), "nothing to skip is named: give --skip LABEL", id="none"),
        pytest.param(("hum",), "'hum': the labels are tap, .*, silence; lively stands", id="wrong"),
    ],
)
def test_labels_to_skip_must_be_named_and_known(form, skip, message):
    with pytest.raises(UsageError, match=message):
        write(form, [], LABELS, Options(skip=skip))


def test_a_missing_library_is_told_with_its_remedy(monkeypatch):
    monkeypatch.setattr("asmr_classify.writers.find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r"pip install 'asmr-classify\[parquet\]'"):
        write("parquet", [], LABELS)


def test_raven_counts_through_the_recordings_that_have_rows():
    silent = FileResult("s.wav", Status.SILENT, "m@1", duration=9.0, decoded=9.0)
    two = [timeline("a.wav", duration=30.0), silent, timeline("b.wav", duration=30.0)]
    rows = list(csv.DictReader(io.StringIO(write("raven", two, LABELS)), delimiter="\t"))
    assert [row["Selection"] for row in rows] == list("123456")
    assert [float(row["Begin Time (s)"]) for row in rows] == [0, 10, 20, 30, 40, 50]
    assert [float(row["File Offset (s)"]) for row in rows] == [0, 10, 20] * 2
    assert {row["Begin Path"] for row in rows} == {str(Path.cwd() / x) for x in ("a.wav", "b.wav")}
    assert {row["High Freq (Hz)"] for row in rows} == {"16000.0"}


def test_webvtt_times_and_markup():
    result = replace(timeline(), segments=(Segment(3661.5, 3662.0005, "a<b>-->", 0.5),))
    assert write("webvtt", [result], LABELS).endswith(
        "\n01:01:01.500 --> 01:01:02.000\na&lt;b&gt;--&gt;\n"
    )


def test_cuts_are_joined_and_ascend():
    segments = (
        Segment(40, 50, "speech", 0.9),
        Segment(0, 10, "speech", 0.9),
        Segment(4, 6, "speech", 0.9),
        Segment(8, 20, "silence", 1.0),
        Segment(9, 12, "speech", 0.9),
        Segment(30, 40, "tap", 0.9),
    )
    result = replace(timeline(), segments=segments)
    text = write("edl", [result], LABELS, Options(skip=("speech", "silence")))
    assert text.splitlines()[1:] == ["0.000\t20.000\t0", "40.000\t50.000\t0"]
    parts = write("mpv-edl", [result], LABELS, Options(skip=("speech", "silence")))
    assert parts.splitlines()[2:] == [b"%5%a.mp3,20.000,20.000", b"%5%a.mp3,50.000"]


def test_lively_stretches_are_cut_beside_labels():
    fast = 2 * LIVELY
    lanes = Lanes(4.0, motion=(0.0, fast, LIVELY, None, 0.0, fast, 0.0, fast), light=())
    talk = (Segment(0, 5, "speech", 0.9), Segment(12, 13, "speech", 0.9))
    video = replace(timeline(duration=30.0), visual=seen(lanes=lanes), segments=talk)
    for skip, cuts in (
        (("lively",), [(4, 12), (20, 24), (28, 30)]),
        (("speech", "lively"), [(0, 13), (20, 24), (28, 30)]),
    ):
        text = write("edl", [video], LABELS, Options(skip=skip))
        assert text.splitlines()[1:] == [f"{start:.3f}\t{end:.3f}\t0" for start, end in cuts]
    parts = write("mpv-edl", [video], LABELS, Options(skip=("lively",)))
    assert parts.splitlines()[2:] == [b"%5%a.mp3,0.000,4.000", b"%5%a.mp3,12.000,8.000",
                                      b"%5%a.mp3,24.000,4.000"]  # fmt: skip


@pytest.mark.parametrize("form", ["edl", "mpv-edl"])
def test_what_nobody_saw_is_not_taken_for_calm(form):
    for changes, reason in (
        ({}, "it was only listened to"),
        ({"visual_error": Problem("DecodeError", "x")}, "it cannot be seen"),
    ):
        with pytest.raises(NotRepresentableError, match=f"not known, as {reason}; label it anew"):
            write(form, [replace(timeline(), **changes)], LABELS, Options(skip=("lively",)))
    sound = replace(timeline(), visual=Visual(Picture.NONE))
    assert write(form, [sound], LABELS, Options(skip=("lively",)))


def test_mpv_names_recordings_from_the_folder_of_the_list(tmp_path):
    result = timeline(str(tmp_path / "in" / "caf\udce9,1.mp3"))
    parts = write("mpv-edl", [result], LABELS, replace(SKIP, folder=str(tmp_path / "out")))
    assert parts.splitlines()[2] == b"%16%../in/caf\xe9,1.mp3,0.000,20.000"


@pytest.mark.parametrize("url", ["https://example.org/a.mp3", "s3://films/a.mp3"])
def test_recordings_in_storage_are_named_by_their_addresses(url):
    parts = write("mpv-edl", [timeline(url)], LABELS, replace(SKIP, folder="out"))
    assert parts.splitlines()[2] == b"%%%d%%%s,0.000,20.000" % (len(url), url.encode())
    (row, *_) = csv.DictReader(io.StringIO(write("raven", [timeline(url)], LABELS)), delimiter="\t")
    assert (row["Begin File"], row["Begin Path"]) == ("a.mp3", url)


def test_a_list_that_skips_everything_is_none_for_mpv():
    result = timeline(labels=("speech",))
    with pytest.raises(NotRepresentableError, match=r"a\.mp3: all of it would be skipped"):
        write("mpv-edl", [result], LABELS)


@pytest.mark.parametrize("form", [name for name, kind in FORMATS.items() if kind.skips])
def test_of_a_video_without_sound_lively_stretches_are_told(form):
    lanes = Lanes(4.0, motion=(0.0, 2 * LIVELY, 0.0), light=())
    seen = Visual(Picture.VIDEO, lanes=lanes)
    mute = FileResult("a.mp4", Status.NO_AUDIO, "m@1", duration=12.0, visual=seen)
    lively = Options(skip=("lively",))
    heard = replace(mute, status=Status.SILENT)
    content = write(form, [mute], LABELS, lively)
    assert content == write(form, [heard], LABELS, lively) != write(form, [], LABELS, lively)
