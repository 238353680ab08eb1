"""Each format as programs that are not ours read it."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import webvtt
from hypothesis import HealthCheck, given, settings
from pyarrow import parquet

from asmr_classify.timeline import Segment
from asmr_classify.writers import Options
from tests.writers.roundtrip import timeline, write
from tests.writers.strategies import LABELS, timelines
from tests.writers.test_formats import HOSTILE_LABELS

few = settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def crowsetta():
    """Crowsetta warns of what its own dependencies changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISABLE_PANDERA_IMPORT_WARNING", "True")
        return pytest.importorskip("crowsetta")


@few
@given(result=timelines())
def test_pandas_reads_parquet(result):
    frame = pd.read_parquet(io.BytesIO(write("parquet", [result, timeline()], LABELS)))
    assert list(frame.columns[:2]) == ["path", "status"]
    assert frame.status[0] == result.status.value
    assert frame.score_tap.isna().all()
    rows = frame.explode("segments").segments.dropna()
    assert [(s["start"], s["end"], s["label"]) for s in rows] == [
        (s.start, s.end, s.label) for r in (result, timeline()) for s in r.segments
    ]


def test_pandas_filters_by_score_and_share():
    some = [
        replace(timeline(f"{x}.mp3"), scores={"tap": x / 10}, shares={"silence": x / 10})
        for x in range(10)
    ]
    frame = pd.read_parquet(io.BytesIO(write("parquet", some, LABELS)))
    assert list(frame[frame.score_tap > 0.75].path) == ["8.mp3", "9.mp3"]
    assert list(frame[frame.share_silence < 0.15].path) == ["0.mp3", "1.mp3"]
    assert frame.score_tap.dtype == np.float64


def test_pandas_reads_kinds_surest_first():
    some = [replace(timeline(), kinds={"typing": 0.9, "rain": 0.7}), timeline()]
    frame = pd.read_parquet(io.BytesIO(write("parquet", some, LABELS)))
    rows = frame.explode("kinds").kinds.dropna()
    assert list(rows) == [{"kind": "typing", "score": 0.9}, {"kind": "rain", "score": 0.7}]


def test_pyarrow_finds_groups_and_types():
    content = write("parquet", (timeline(f"{i}.mp3") for i in range(2500)), LABELS)
    file = parquet.ParquetFile(io.BytesIO(content))
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [
        1000, 1000, 500,
    ]  # fmt: skip
    assert str(file.schema_arrow.field("segments").type).startswith("list<element: struct<start")


@few
@given(result=timelines())
def test_webvtt_py_reads_cues(result):
    cues = webvtt.from_string(write("webvtt", [replace(result, status="ok")], LABELS))
    assert [(c.start_in_seconds, c.end_in_seconds, c.text) for c in cues] == [
        (pytest.approx(s.start, abs=1), pytest.approx(s.end, abs=1), s.label)
        for s in result.segments
    ]


@pytest.mark.parametrize("label", HOSTILE_LABELS, ids=ascii)
def test_webvtt_py_finds_as_many_cues_whatever_the_labels(label):
    text = write("webvtt", [timeline(labels=(label, "tap", label))], LABELS)
    assert [c.start for c in webvtt.from_string(text)] == [
        "00:00:00.000", "00:00:20.000", "00:00:40.000",
    ]  # fmt: skip


@few
@given(result=timelines())
def test_crowsetta_reads_audacity_labels(crowsetta, tmp_path, result):
    result = replace(result, status="ok", segments=(*result.segments, Segment(0, 1, "tap", 0.5)))
    path = tmp_path / "a.txt"
    path.write_text(write("audacity", [result], LABELS), encoding="utf-8")
    read = crowsetta.formats.seq.AudSeq.from_file(path)
    expected = sorted((s.start, s.end, s.label) for s in result.segments)
    found = zip(read.start_times, read.end_times, read.labels, strict=True)
    assert [(round(start, 6), round(end, 6), label) for start, end, label in found] == expected


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # of crowsetta's own code
@few
@given(result=timelines())
def test_crowsetta_reads_raven_tables(crowsetta, tmp_path, result):
    result = replace(result, status="ok", segments=(*result.segments, Segment(0, 1, "tap", 0.5)))
    path = tmp_path / "a.txt"
    path.write_text(write("raven", [result], LABELS), encoding="utf-8")
    boxes = crowsetta.formats.bbox.Raven.from_file(path, annot_col="Annotation").to_bbox()
    expected = sorted((s.start, s.end, s.label) for s in result.segments)
    assert [(box.onset, box.offset, box.label) for box in boxes] == expected
    assert {(box.low_freq, box.high_freq) for box in boxes} == {(0.0, 16000.0)}


@pytest.mark.parametrize("label", HOSTILE_LABELS, ids=ascii)
def test_pandas_reads_tables_with_tabs_whatever_the_labels_and_names(label):
    hostile = timeline(f"in/{label}.wav", labels=(label, "tap", label))
    frame = pd.read_csv(io.StringIO(write("raven", [hostile], LABELS)), sep="\t")
    assert list(frame["Selection"]) == [1, 2, 3]
    assert list(frame["File Offset (s)"]) == [0, 20, 40]
    labels = pd.read_csv(io.StringIO(write("audacity", [hostile], LABELS)), sep="\t", header=None)
    assert list(labels[1]) == [20, 40, 60]


mpv = pytest.mark.skipif(shutil.which("mpv") is None, reason="mpv is not installed")


def durations(path):
    """The length that mpv sees, and how often it plays a stretch."""
    done = subprocess.run(
        [
            "mpv", "--no-config", "--no-video", "--ao=null", "--ao-null-untimed", "--length=0.1",
            "--term-playing-msg=length ${=duration} parts ${=chapters}", path,
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )  # fmt: skip
    line = next(x for x in done.stdout.decode().splitlines() if x.startswith("length "))
    _, length, _, parts = line.split()
    return float(length), int(parts)


@mpv
@pytest.mark.parametrize("name", ["a.wav", "caf\udce9, %5%=;\n#1.wav", "#!.wav"], ids=ascii)
def test_mpv_plays_what_is_left(name, tmp_path, record_noise):
    recording = tmp_path / "in" / name
    record_noise(recording, 6.0)
    folder = tmp_path / "out" / "lists"
    folder.mkdir(parents=True)
    result = replace(
        timeline(str(recording), duration=6.0),
        segments=(Segment(1.0, 2.5, "speech", 0.9), Segment(4.0, 5.0, "speech", 0.9)),
    )
    options = Options(skip=("speech",), folder=str(folder))
    (folder / "list.mpv.edl").write_bytes(write("mpv-edl", [result], LABELS, options))
    assert durations(os.fsencode(folder / "list.mpv.edl")) == (pytest.approx(3.5, abs=0.01), 3)


@pytest.fixture
def record_noise(rng):
    import wave

    def record(path, duration):
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(os.fspath(path), "wb") as file:
            file.setparams((1, 2, 16000, 0, "NONE", "NONE"))
            file.writeframes(rng.normal(0, 3000, int(16000 * duration)).astype("<i2").tobytes())

    return record


def kodi_cuts(text):
    """What Kodi's reader takes from a list: two times and an action, separated by blanks."""
    fields = [line.split()[:3] for line in text.splitlines() if not line.startswith("##")]
    return [(float(start), float(end), int(action)) for start, end, action in fields]


@few
@given(result=timelines())
def test_kodi_is_given_cuts_that_it_does_not_refuse(result):
    """Kodi refuses a cut that does not ascend, is empty, or overlaps another."""
    cuts = kodi_cuts(write("edl", [replace(result, status="ok")], LABELS))
    edges = [time for start, end, _ in cuts for time in (start, end)]
    assert edges == sorted(set(edges))
    assert {action for _, _, action in cuts} <= {0}
    speech = sum(s.end - s.start for s in result.segments if s.label == "speech")
    assert sum(end - start for start, end, _ in cuts) <= speech + 1e-6


SCENE = {"title": str, "tags": list, "markers": list, "files": list}
MARKER = {"title": str, "seconds": str, "end_seconds": str, "primary_tag": str, "tags": list}
"""Of the many fields of a scene in Stash's own exports, and of a marker, those that are ours.

Stash refuses a file with a field of another type: seconds are texts, which it reads as decimals."""


@pytest.mark.parametrize("path", ["rain.mp4", "/films/rain.mp4", "s3://films/rain.mp4"])
def test_markers_are_as_stash_exports_them_and_name_their_scene_in_full(
    path, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    result = timeline(path)
    scene = json.loads(write("stash", [result], LABELS))
    assert types_of(scene) == SCENE
    assert {type(text) for text in [*scene["tags"], *scene["files"]]} == {str}
    assert set(scene["tags"]) == set(result.tags)
    assert scene["files"] == [path if "/" in path else str(tmp_path / path)]
    assert len(scene["markers"]) == len(result.segments) > 0
    for marker in scene["markers"]:
        assert types_of(marker) == MARKER
        assert re.fullmatch(
            r"\d+\.\d{3} \d+\.\d{3}", f"{marker['seconds']} {marker['end_seconds']}"
        )
        assert 0 <= float(marker["seconds"]) < float(marker["end_seconds"])
        assert {type(text) for text in marker["tags"]} <= {str}
        assert marker["primary_tag"]


def types_of(fields):
    return {name: type(value) for name, value in fields.items()}
