from __future__ import annotations

import json
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from asmr_classify.training.scenes import Layer, Scene
from asmr_classify.watch.arrivals import AT_ONCE
from tests.benchmarks import check, cluster, growth, library, many_files, sounds, storage, visual
from tests.benchmarks.__main__ import write_table
from tests.benchmarks.measure import median_ratio, one_core, run_python
from tests.benchmarks.report import RESULTS, Table, figures_for_people, with_figures
from tests.benchmarks.robustness import REACH, main_tags
from tests.benchmarks.scenes import find_gaps, gap_figures, onset_errors, segment_f1, tag_figures
from tests.conftest import DEMO, ROOT
from tests.visual.scenes import Film, lit, pan, still, write_film


def test_every_change_is_labelled():
    tags = main_tags(str(DEMO / "tap-wood.flac"))
    assert set(tags) == {"plain", *REACH}
    assert tags["plain"] == tags["-30 dB"] == "tap"
    assert {tags[change] for change in ("binaural", "out of phase", "partly out of phase")} == {
        "tap"
    }


def test_a_table_is_written_for_people_and_for_programs(tmp_path):
    write_table(Table("speed", "Of things.", ("what", "x"), (("a", 1.23456), ("b", 2))), tmp_path)
    text = (tmp_path / "speed.md").read_text()
    assert "| what | x |\n| --- | --- |\n| a | 1.235 |\n| b | 2 |\n" in text
    record = json.loads((tmp_path / "speed.json").read_text())
    assert record["rows"] == [["a", 1.23456], ["b", 2]]
    assert record["machine"] in text


def test_the_figures_in_the_readme_are_those_of_the_tables():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_figures(readme, figures_for_people(RESULTS)) == readme


def test_a_library_is_found_in_and_reported(monkeypatch):
    monkeypatch.setattr(library, "N_KNOWN", (40,))
    monkeypatch.setattr(library, "N_REPORTED", (30,))
    rows = library.run().rows
    named = {what: (files, value) for what, files, value, _ in rows}
    assert named["find the first twenty by length"][0] == 40
    assert any(what.startswith("find all ") for what in named)
    assert named["page of the report"] == (30, pytest.approx(0.1, abs=0.09))
    assert all(value > 0 for _, value in named.values())


def test_a_cluster_is_measured_beside_the_pool(monkeypatch):
    monkeypatch.setattr(cluster, "WORKERS", 1)
    table = cluster.run(n_long=1, n_short=3, n_objects=3000, repeats=1)
    rows = {what: row for what, *row in table.rows}
    assert rows["throughput: 3 files of 2 s"][2] > 0.05
    assert rows["names a second, of 3,000"][0] > 10
    assert rows[cluster.ON_DISK][0] > 500
    assert 10 < rows["MB of whoever sends them, at most"][0] < 1000
    assert 10 < rows["MB of the scheduler, at most"][0] < 1000


def test_storage_is_measured_beside_the_disk(monkeypatch):
    monkeypatch.setattr(storage, "REPEATS", 1)
    rows = {what: row for what, *row in storage.run(n_files=1, n_clips=2, video=2).rows}
    clips = dict(zip(storage.HEAD[1:], rows["2 clips of 2 s"], strict=True))
    assert clips["MB"] == clips["MB fetched"] == pytest.approx(2 * 0.256, rel=0.01)
    assert (clips["requests"], clips["files"]) == (2, 2)
    assert 0.1 < clips["storage over disk"] < 100
    assert all(row[storage.HEAD.index("fetching alone s") - 1] > 0 for row in rows.values())


def test_ratios_are_taken_by_turns():
    calls = []

    def ours():
        calls.append("ours")
        time.sleep(0.02)

    def theirs():
        calls.append("theirs")
        time.sleep(0.01)

    ratio, slow, fast = median_ratio(ours, theirs, repeats=3)
    assert calls == ["theirs", "ours"] * 4
    assert 1.2 < ratio < 3
    assert slow > fast


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux counts it")
def test_a_process_is_measured():
    with one_core():
        took, small = run_python("-c", "import os; assert len(os.sched_getaffinity(0)) == 1")
        _, large = run_python("-c", "x = b'x' * 100_000_000")
    assert took > 0
    assert 90 < large - small < 120
    with pytest.raises(RuntimeError, match="exit status 3"):
        run_python("-c", "raise SystemExit(3)")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux counts it")
def test_many_files_are_all_labelled_and_then_recalled():
    all_to_do, nothing_left = many_files.run(n_files=230).rows
    assert all_to_do[1] == nothing_left[1] == 230
    assert 0 < nothing_left[2] <= nothing_left[3] < all_to_do[3]
    assert all_to_do[4] > 50


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux counts it")
def test_each_of_many_arrivals_is_given_once():
    (row,) = many_files.run_arrivals(n_files=AT_ONCE + 1).rows
    n_files, n_early, n_given, n_distinct, n_looks, took, peak, over = row
    assert n_early == 0
    assert n_files == n_given == n_distinct == AT_ONCE + 1
    assert n_looks == 2
    assert took > 0
    assert 1 < over < peak < 200


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux counts it")
def test_features_are_measured_by_length(monkeypatch):
    monkeypatch.setattr(sounds, "TEN_MINUTES", 5)
    short, long = growth.run_features((1, 2)).rows
    assert [row[0] for row in (short, long)] == [1 / 6, 2 / 6]
    assert (short[1], long[1]) == (5, 10)
    assert short[2] < long[2]
    assert short[4] > 50
    assert (short[5], long[5]) == (0, pytest.approx(long[4] - short[4]))


def test_recordings_to_measure_on_are_made(tmp_path):
    paths = sounds.write_clips(tmp_path / "clips", 3, 0.5)
    assert [path.stat().st_size for path in paths] == [paths[0].stat().st_size] * 3
    assert len({path.read_bytes() for path in paths}) == 3
    assert sounds.stereo(0.5).shape == (2, 24000)


def test_growth_is_drawn_on_a_line(tmp_path):
    growth.draw([1 / 6, 1, 10], [2.0, 9.0, 90.0], tmp_path / "growth.svg")
    assert ET.parse(tmp_path / "growth.svg").getroot().tag.endswith("svg")  # noqa: S314 (our own)


def test_loudness_is_compared_with_other_meters():
    differences = dict(check._compare(DEMO / "tap-wood.flac"))
    assert "true peak, to FFmpeg" in differences
    integrated = [value for what, value in differences.items() if check.reach(what)]
    assert integrated
    assert max(integrated) < 0.1


def test_timelines_are_measured_against_the_truth():
    truth = [
        (2.0, 8.0, "tap"),
        (4.0, 20.0, "whisper"),
        (0.0, 30.0, "white_noise"),
        (25.0, 29.0, "crinkle"),
    ]
    perfect = segment_f1([truth], [truth], 30.0)
    assert perfect["tap"] == perfect["whisper"] == perfect["white_noise"] == 1.0
    late = [(5.0, 8.0, "tap"), (4.5, 20.0, "whisper"), (10.0, 11.0, "crinkle")]
    measured = segment_f1([truth], [late], 30.0)
    assert measured["tap"] == pytest.approx(2 * 3 / (3 + 6))
    assert measured["whisper"] == 1.0  # half a second lies within one segment
    assert measured["white_noise"] == measured["crinkle"] == 0.0
    assert sorted(onset_errors(truth, late)) == [0.5, 3.0]
    assert onset_errors(truth, [(8.5, 9.0, "tap")]) == []


def layer(start, end, labels=(), clip=None):
    return Layer(clip, labels, start, end, np.zeros(1, dtype=np.float32))


def test_gaps_are_where_nothing_was_laid():
    taps = (layer(2.0, 5.0, ("tap",), 1), layer(4.0, 6.0, ("other",), 2))
    quiet = Scene(np.zeros(1, dtype=np.float32), 1, layer(0.0, 9.0), taps)
    assert find_gaps(quiet) == [(0.0, 2.0), (6.0, 9.0)]
    music = replace(quiet, background=layer(0.0, 9.0, ("music",), 3))
    assert find_gaps(music) == []
    assert find_gaps(replace(quiet, events=())) == []
    found = [(1.0, 7.0, "white_noise"), (8.5, 9.0, "tap")]
    figures = gap_figures([find_gaps(quiet), []], [found, [(0.0, 9.0, "crinkle")]])
    assert figures["white_noise in gaps"] == pytest.approx(2 / 5)
    assert figures["tap in gaps"] == pytest.approx(0.5 / 5)
    assert figures["crinkle in gaps"] == 0


def test_tags_of_scenes_are_counted_by_what_sounds_long_enough():
    rain_under = [(0.0, 30.0, "white_noise"), (4.0, 9.0, "whisper")]
    references = [rain_under, rain_under, [(1.0, 3.0, "tap"), (5.0, 7.0, "tap")], [(0, 2, "tap")]]
    tags = [("white_noise", "whisper"), ("white_noise", "crinkle"), (), ("tap",)]
    figures = tag_figures([*references, [(0.0, 9.0, "crinkle")]], [*tags, ("crinkle",)])
    assert figures["tagged whisper"] == figures["both tags of whispers over noise"] == 0.5
    assert figures["tagged white_noise"] == figures["tagged crinkle"] == 1.0
    assert figures["tagged tap"] == 0.0  # two seconds and two are four; the other is too short
    assert figures["right tags"] == pytest.approx(5 / 6)


def test_the_kind_of_picture_is_judged_where_it_is_known(tmp_path):
    tally, path = visual.Tally(), tmp_path / "a.mp4"
    flicker = lit(still(), lambda time: 0.4 + 0.2 * (4 * time % 2 < 1), "2 Hz")
    for scene in (still(), flicker, pan(0.2), replace(pan(0.2), is_still=True)):
        write_film(path, scene, Film(seconds=1.0))
        visual._judge(path, scene, tally)
    assert tally.picture == [True, True, False]
    named = {what: row for what, *row in visual._rows_of("all", tally)}
    assert named["all: kind of picture right"] == [3, pytest.approx(2 / 3), "share", ">= 0.97"]
