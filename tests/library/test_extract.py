"""Data sets that are extracted: what is chosen and left out, what a kill or a full disk does."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from asmr_classify.catalogue.answers import Answer, rest_of
from asmr_classify.catalogue.ranges import Range
from asmr_classify.checksums import file_sha256
from asmr_classify.errors import UsageError
from asmr_classify.library import alike, clips
from asmr_classify.library.alike import Copy, _hear, choose
from asmr_classify.library.clips import (
    PARTS,
    Selected,
    Wish,
    assign_parts,
    find_stretches,
    without_denied,
)
from asmr_classify.library.extract import Order, _groups, plan_extract, shared_sound
from asmr_classify.library.journal import Store
from asmr_classify.library.layouts import LayoutName, _as_text, plain, plain_names
from asmr_classify.library.makers import Maker
from asmr_classify.library.runs import carry_out, settle_broken
from asmr_classify.library.template import Template
from asmr_classify.library.undo import read_runs
from asmr_classify.timeline import Segment
from tests.library.test_bad_disks import file_size_limit
from tests.library.worlds import heard, look, reasons, run_in_child, undo, undo_what_was_begun
from tests.media.make_media import write_damaged

SR = 16_000
DURATION = 6.0

LIBRARY = {
    "mia/rain.wav": [(0.5, 2.0, "tap", 0.9), (3.0, 6.0, "whisper", 0.7)],
    "mia/two/rain.wav": [(1.0, 4.0, "tap", 0.6)],
    "tom/rain.wav": [(0.0, 5.0, "whisper", 0.95), (5.2, 5.8, "tap", 0.9)],
    "zoe/rain.wav": [(1.0, 3.0, "tap", 0.8), (1.0, 3.0, "whisper", 0.8)],
}


def noise(seed, seconds=DURATION):
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * SR))


@pytest.fixture
def library(place):
    """Four recordings by three makers, of 6 s of noise each, and where each is labelled."""
    for seed, name in enumerate(LIBRARY):
        path = place / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise(seed), SR, subtype="PCM_16")
    return place


def test_seconds_that_two_answers_tell_of_cover_a_clip_once():
    spans = [(0, 30, "whisper"), (0, 10, "tap"), (1, 9, "tap"), (20, 24, "tap"), (0, 30, "speech")]
    segments = tuple(Segment(*span, 1.0) for span in spans)
    whole = find_stretches([heard("/a.wav", segments=segments)], Wish(), {"/a.wav": "a"})
    (longest,) = [x for x in whole if x.label == "whisper"]
    assert set(longest.labels) == {"whisper", "speech"}


def test_what_was_denied_is_cut_out_in_a_few_looks(monkeypatch):
    """Files may tell of hundreds of stretches of a long night."""
    n, looked = 40, []
    monkeypatch.setattr(clips, "rest_of", lambda *spans: looked.append(spans) or rest_of(*spans))
    segments = tuple(Segment(10 * k, 10 * k + 8, "tap", 0.9) for k in range(n))
    answers = [
        Answer("/a.wav", 10 * k + start, 10 * k + end, ("tap",) * is_heard, ("tap",), 0.0)
        for k in range(n)
        for start, end, is_heard in ((0, 6, False), (4, 8, True))
    ]
    left = without_denied(heard("/a.wav", segments=segments), answers)
    assert left.segments == tuple(Segment(10 * k + 4, 10 * k + 8, "tap", 0.9) for k in range(n))
    assert len(looked) == 2 * n


def results(place, library=LIBRARY):
    return [
        heard(
            place / "in" / name,
            duration=DURATION,
            decoded=DURATION,
            segments=tuple(Segment(*segment) for segment in segments),
        )
        for name, segments in library.items()
    ]


def planned(place, store, found=None, folder="out", wish=None, **order):
    return plan_extract(
        Selected(results(place) if found is None else found),
        wish or Wish(),
        Order(str(place / folder), **order),
        read_runs(store)[0],
        ("asmr-classify", "extract"),
    )


def extract(place, store, **options):
    """Extract, as the command does."""
    settle_broken(store)
    made = planned(place, store, **options)
    return made, carry_out(made.plan, store)


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def spans(made):
    return sorted(
        (entry.source, entry.stretch.label, entry.start, entry.end) for entry in made.entries
    )


ALL = [
    ("mia/rain.wav", "tap", 0.5, 2.0),
    ("mia/rain.wav", "whisper", 3.0, 6.0),
    ("mia/two/rain.wav", "tap", 1.0, 4.0),
    ("tom/rain.wav", "whisper", 0.0, 5.0),
]


def test_each_segment_becomes_a_clip_that_its_row_describes(library, store):
    made, report = extract(library, store)
    assert report.n_done == len(report.outcomes)
    assert [span for span in spans(made) if span[0] != "zoe/rain.wav"] == ALL
    told = rows(library / "out" / "clips.csv")
    assert len(told) == 5
    for row in told:
        clip = library / "out" / row["file_name"]
        y, sr = soundfile.read(clip)
        whole, _ = soundfile.read(library / "in" / row["source"])
        first, last = round(float(row["start"]) * SR), round(float(row["end"]) * SR)
        assert (sr, len(y)) == (SR, last - first)
        assert np.array_equal(y[80:-80], whole[first + 80 : last - 80])
        assert row["sha256"] == file_sha256(str(clip))
        assert row["model"] == "tiny@0.1"
        assert row["licence"] == ""
        assert float(row["score_tap"]) == 0.9
        assert clip.relative_to(library / "out").parts[0] == row["label"]
    by_name = {(row["source"], row["label"]): row for row in told}
    assert by_name["mia/rain.wav", "tap"]["group"] == "mia"
    assert by_name["mia/two/rain.wav", "tap"]["group"] == "mia/two"
    assert float(by_name["mia/rain.wav", "tap"]["score"]) == 0.9


def test_edges_fade_unless_the_recording_begins_or_ends_there(library, store):
    extract(library, store)
    faded = {}
    for row in rows(library / "out" / "clips.csv"):
        y, _ = soundfile.read(library / "out" / row["file_name"])
        whole, _ = soundfile.read(library / "in" / row["source"])
        first, last = round(float(row["start"]) * SR), round(float(row["end"]) * SR)
        faded[row["source"], row["label"]] = (
            not np.array_equal(y[:80], whole[first : first + 80]),
            not np.array_equal(y[-80:], whole[last - 80 : last]),
        )
    assert faded["mia/rain.wav", "tap"] == (True, True)
    assert faded["mia/rain.wav", "whisper"] == (True, False)
    assert faded["tom/rain.wav", "whisper"] == (False, True)


def test_sounds_under_two_labels_are_one_clip_that_names_both(library, store):
    made, _ = extract(library, store)
    (copy,) = made.choice.copies
    assert copy.stretch.result.path == copy.of.result.path == str(library / "in/zoe/rain.wav")
    (row,) = [r for r in rows(library / "out" / "clips.csv") if r["source"] == "zoe/rain.wav"]
    assert sorted(row["labels"].split(",")) == ["tap", "whisper"]
    assert row["labels"].startswith(row["label"])
    (left,) = rows(library / "out" / "left-out.csv")
    assert left["source"] == "zoe/rain.wav"
    assert left["reason"].startswith("the same sound as zoe/rain.wav 1.000-3.000 s")


def test_copies_of_a_sound_are_left_out_and_listed(library, store):
    copied = np.concatenate([noise(9, 0.6), 0.3 * noise(2), noise(8, 0.4)])
    soundfile.write(library / "in/mia/stolen.flac", copied, SR)
    found = [
        *results(library),
        heard(
            library / "in/mia/stolen.flac",
            duration=7.0,
            decoded=7.0,
            segments=(Segment(0.6, 5.6, "whisper", 0.99),),
        ),
    ]
    made, _ = extract(library, store, found=found, wish=Wish(labels=("whisper",)))
    (copy,) = made.choice.copies
    both = {copy.stretch.result.path, copy.of.result.path}
    assert both == {str(library / "in/tom/rain.wav"), str(library / "in/mia/stolen.flac")}
    assert len(rows(library / "out/clips.csv")) == 3
    assert "Left out as copies of other clips: 1" in (library / "out/README.md").read_text()


def one_recording(place, *spans):
    """A recording of noise, and where it is labelled."""
    (place / "in").mkdir()
    soundfile.write(place / "in/rain.wav", noise(3), SR)
    return results(place, {"rain.wav": [(*span, 0.9) for span in spans]})


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("tap", "whisper", "n_kept"),
    [
        ((0.0, 1.446), (0.696, 3.844), 2),
        ((0.0, 6.0), (0.5, 5.5), 2),
        ((1.0, 5.0), (1.05, 4.95), 1),
        ((1.0, 5.0), (1.1, 5.0), 2),
    ],
    ids=["in part", "within", "same time", "not quite"],
)
def test_clips_of_one_recording_that_merely_overlap_both_stay(
    tap, whisper, n_kept, seed, place, store
):
    found = one_recording(place, (*tap, "tap"), (*whisper, "whisper"))
    made = planned(place, store, found=found, wish=Wish(seed=seed))
    assert (len(made.entries), len(made.choice.copies)) == (n_kept, 2 - n_kept)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("pad", "kept"), [(3.0, [(0.0, 6.0)]), (0.5, [(0.5, 2.5), (1.7, 3.7)])], ids=["whole", "part"]
)
def test_a_clip_that_lies_in_another_of_its_label_is_left_out(pad, kept, seed, place, store):
    found = one_recording(place, (1.0, 2.0, "tap"), (2.2, 3.2, "tap"))
    made = planned(place, store, found=found, wish=Wish(seed=seed, pad=pad))
    assert [(entry.start, entry.end) for entry in made.entries] == kept


@pytest.mark.parametrize("seed", range(4))
def test_a_copy_is_told_of_a_clip_that_is_not_left_out_itself(seed, library, store):
    """Of two labels of one time, one is left out; the other is a copy of a longer clip."""
    soundfile.write(library / "in/long.wav", noise(3), SR)
    long = {"long.wav": [(0.5, 3.5, "tap", 0.9)]}
    extract(
        library, store, found=[*results(library), *results(library, long)], wish=Wish(seed=seed)
    )
    reason = "the same sound as long.wav 0.500-3.500 s (tap)"
    told = [(row["source"], row["reason"]) for row in rows(library / "out/left-out.csv")]
    assert told == [("zoe/rain.wav", reason)] * 2


@pytest.mark.parametrize("seed", range(4))
def test_a_copy_stays_where_the_other_cannot_be_cut_out(seed, place, store, monkeypatch):
    monkeypatch.setattr("asmr_classify.library.extract.MOST_CHANNELS", 1)
    (place / "in").mkdir()
    for n_channels in (1, 2):
        y = np.tile(noise(3)[:, np.newaxis], n_channels)
        soundfile.write(place / f"in/{n_channels}.wav", y, SR)
    found = results(place, {"1.wav": [(1.0, 4.0, "tap", 0.9)], "2.wav": [(0.5, 5.0, "tap", 0.9)]})
    made = planned(place, store, found=found, wish=Wish(seed=seed))
    assert spans(made) == [("1.wav", "tap", 1.0, 4.0)]
    assert [item.reason for item in made.plan.left] == [
        "has 2 channels, more than clips hold: give --mono"
    ]
    assert not made.choice.copies
    mixed = planned(place, store, found=found, wish=Wish(seed=seed), mono=True)
    assert spans(mixed) == [("2.wav", "tap", 0.5, 5.0)]


def test_what_holds_the_sound_of_a_copy_stays_though_copies_make_room(place):
    """The tap of which ``a.wav`` is a copy leaves room for a second one, but not in ``all.wav``."""
    parts = [noise(seed, 2.0) for seed in range(3)]
    (place / "in").mkdir()
    for name, y in {"a": parts[0], "b": parts[2], "all": np.concatenate(parts)}.items():
        soundfile.write(place / f"in/{name}.wav", y, SR)
    drawn = [
        ("all.wav", (0.0, 2.0, "tap", 0.9)),
        ("a.wav", (0.0, 2.0, "tap", 0.9)),
        ("all.wav", (2.0, 4.0, "tap", 0.9)),
        ("all.wav", (4.0, 6.0, "whisper", 0.9)),
        ("b.wav", (0.0, 2.0, "whisper", 0.9)),
    ]
    wish = Wish(per_label=2, per_recording=2)
    stretches = []
    for name, segment in drawn:
        found = results(place, {name: [segment]})
        stretches += find_stretches(found, wish, {found[0].path: name})
    choice = choose(stretches, wish)
    assert choice.stretches == [stretches[0], stretches[3]]
    assert choice.copies == [Copy(stretches[k + 1], stretches[k]) for k in (0, 3)]


COPIES = {
    "licence": ("licensed.ogg", {"first": 0.6, "licence": "CC BY 4.0"}),
    "length": ("longer.ogg", {"first": 0.4}),
    "codec": ("lossless.flac", {"first": 0.6}),
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("better", COPIES)
def test_of_copies_the_one_that_is_worth_more_is_kept(better, seed, place, store):
    """Whichever was drawn first: a licence counts most, then length, then sound."""
    sound = noise(9, 7.0)
    (place / "in").mkdir()
    found = []
    for name, traits in (("plain.ogg", {"first": 0.6}), COPIES[better]):
        path = place / "in" / name
        form = {"format": "OGG", "subtype": "VORBIS"} if name.endswith("ogg") else {}
        with soundfile.SoundFile(path, "w", SR, 1, **form) as file:
            if "licence" in traits:
                file.license = traits["licence"]
            file.write(sound)
        segment = Segment(traits["first"], 5.6, "tap", 0.9)
        found.append(heard(path, duration=7.0, decoded=7.0, segments=(segment,)))
    if better == "licence":  # though the other one is longer
        found[0] = replace(found[0], segments=(Segment(0.1, 5.6, "tap", 0.9),))
    made, _ = extract(place, store, found=found, wish=Wish(seed=seed))
    (copy,) = made.choice.copies
    assert copy.of.result.path == str(place / "in" / COPIES[better][0])
    assert copy.stretch.result.path == str(place / "in/plain.ogg")


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (Wish(labels=("tap",)), {("tap", 1.5), ("tap", 2.0), ("tap", 3.0)}),
        (Wish(labels=("tap",), min_seconds=2.0), {("tap", 2.0), ("tap", 3.0)}),
        (Wish(labels=("tap",), score=Range(low=0.85)), {("tap", 1.5)}),
        (Wish(labels=("tap",), score=Range(high=0.6)), {("tap", 3.0)}),
        (Wish(labels=("tap",), pad=0.25), {("tap", 2.0), ("tap", 2.5), ("tap", 3.5)}),
        (Wish(labels=("whisper",), min_seconds=5, pad=0.75), {("whisper", 5.75)}),
        (
            Wish(labels=("whisper",), min_seconds=1.5, max_seconds=2.0, per_recording=5),
            {("whisper", 2.0)},
        ),
        (Wish(labels=("speech",)), None),
        (Wish(min_seconds=10), set()),
    ],
    ids=["label", "min", "score", "score below", "pad", "pad at the start", "max", "none", "few"],
)
def test_a_wish_chooses(wish, expected, library, store):
    if expected is None:
        with pytest.raises(UsageError, match=r"--label 'speech': the labels are tap, whisper"):
            planned(library, store, wish=wish)
        return
    made = planned(library, store, wish=wish)
    assert {(e.stretch.label, round(e.duration, 3)) for e in made.entries} == expected
    assert bool(made.plan.steps) == bool(expected)


def test_it_is_told_how_many_recordings_were_listened_to(library, store):
    told = []
    plan_extract(
        Selected(results(library)),
        Wish(per_label=2),
        Order(str(library / "out")),
        read_runs(store)[0],
        ("extract",),
        on_heard=lambda *counts: told.append(counts),
    )
    counts, wanted = zip(*told, strict=True)
    assert counts[0] == 0
    assert sorted(counts) == list(counts)
    assert 1 < counts[-1] == wanted[-1] <= len(LIBRARY)


def test_a_folder_of_others_is_refused_before_anything_is_listened_to(library, store):
    (library / "out").mkdir()
    (library / "out/notes.txt").write_text("theirs")
    with pytest.raises(UsageError, match=r"holds 1 file that .* such as notes\.txt"):
        plan_extract(
            Selected(results(library)),
            Wish(),
            Order(str(library / "out")),
            read_runs(store)[0],
            ("extract",),
            on_heard=lambda *_: pytest.fail("listened"),
        )


def test_limits_hold_and_the_seed_decides(library, store):
    chosen = set()
    for seed in range(8):
        for name in ("per_label", "per_recording", "per_group"):
            wish = Wish(seed=seed, max_seconds=1.0, **{name: 1})
            entries = planned(library, store, wish=wish).entries
            assert spans(planned(library, store, wish=wish)) == sorted(
                (e.source, e.stretch.label, e.start, e.end) for e in entries
            )
            of = {
                "per_label": lambda e: e.stretch.label,
                "per_recording": lambda e: e.source,
                "per_group": lambda e: e.stretch.group,
            }[name]
            assert set(Counter(map(of, entries)).values()) == {1}
            chosen.add(entries[0].start)
    assert len(chosen) > 2


@pytest.mark.parametrize("n_groups", [1, 2, 3, 10, 100])
def test_groups_are_whole_in_one_part(n_groups):
    groups = [f"maker {k}" for k in range(n_groups)]
    parts = assign_parts(dict.fromkeys(groups, ("tap",)), seed=1)
    counts = Counter(parts.values())
    assert set(parts) == set(groups)
    assert set(counts) == {1: {"train"}, 2: {"train", "test"}}.get(n_groups, set(PARTS))
    assert counts["test"] == (max(1, n_groups // 10) if n_groups > 1 else 0)
    if n_groups == 100:
        assert assign_parts(dict.fromkeys(groups, ("tap",)), seed=2) != parts
        assert assign_parts(dict.fromkeys(reversed(groups), ("tap",)), seed=1) == parts
        folds = assign_parts(dict.fromkeys(groups, ()), 1, "12345")
        assert set(Counter(folds.values()).values()) == {20}


MAKERS = st.lists(st.sets(st.sampled_from("abcd"), min_size=1), min_size=1, max_size=40)


@given(MAKERS, st.integers(0, 99), st.sampled_from([PARTS, tuple("12345")]))
def test_labels_are_in_all_parts_that_makers_allow(makers, seed, parts):
    """Makers of one label are enough for that, whatever the others hold."""
    labels_of = {f"maker {k}": labels for k, labels in enumerate(makers)}
    part_of = assign_parts(labels_of, seed, parts)
    assert set(part_of) == set(labels_of)
    held = defaultdict(set)
    for group, part in part_of.items():
        for label in labels_of[group]:
            held[label].add(part)
    alone = Counter(label for labels in makers if len(labels) == 1 for label in labels)
    for label, found in held.items():
        if parts == PARTS:
            assert "train" in found
        if alone[label] >= len(parts):
            assert found == set(parts)


def test_labels_keep_their_shares_and_rare_ones_are_in_every_part():
    labels_of = {f"maker {k}": {"tap", "whisper"} if k % 2 else {"tap"} for k in range(60)}
    labels_of |= {f"maker {k}": {"crinkle", "tap"} for k in range(3)}
    labels_of["maker 3"] = {"brush", "tap"}
    for seed in range(5):
        part_of = assign_parts(labels_of, seed)
        counts = Counter((label, part_of[g]) for g, some in labels_of.items() for label in some)
        assert [counts["crinkle", part] for part in PARTS] == [1, 1, 1]
        assert [counts["brush", part] for part in PARTS] == [1, 0, 0]
        assert counts["tap", "train"] == 48
        assert counts["whisper", "test"] == counts["whisper", "validation"] == 3


def test_a_label_that_a_part_lacks_is_told(place, store):
    found = []
    for k, (maker, label) in enumerate(zip("abcd", ["tap", "tap", "tap", "whisper"], strict=True)):
        path = place / "in" / maker / "x.wav"
        path.parent.mkdir(parents=True)
        soundfile.write(path, noise(k), SR)
        found.append(heard(path, decoded=6.0, segments=(Segment(1, 4, label, 0.9),)))
    made, _ = extract(place, store, found=found)
    told = "whisper: no clip is in validation and test, as 1 maker has it"
    assert [str(gap) for gap in made.gaps] == [told]
    assert f"- {told}.\n" in (place / "out/README.md").read_text()
    assert planned(place, store, found=found[:1], folder="one").gaps == ()


@pytest.mark.parametrize("layout", LayoutName)
def test_no_group_is_in_two_parts_of_any_layout(layout, library, store):
    wish = Wish(max_seconds=1.0, min_seconds=0.5)
    made = planned(library, store, wish=wish, layout=layout)
    parts = defaultdict(set)
    for entry in made.entries:
        parts[entry.stretch.group].add(entry.part)
    assert len(parts) == 4
    assert all(len(part) == 1 for part in parts.values())
    files = [entry.file for entry in made.entries]
    assert len({file.casefold() for file in files}) == len(files) > 10


def test_makers_of_the_same_sound_are_in_one_part(place, store):
    """Of one, the beginning of a recording is chosen, and of the other its end."""
    found = []
    for k, maker in enumerate(["ann", "bob", "cleo", "dan", "eve", "fay"]):
        path = place / "in" / maker / "rain.flac"
        path.parent.mkdir(parents=True)
        y = noise(0 if maker in {"bob", "eve"} else k + 1, 8.0)
        soundfile.write(path, y, SR)
        segments = (Segment(0.5, 3.5, "tap", 0.9), Segment(4.5, 7.5, "tap", 0.9))
        found.append(heard(path, duration=8.0, decoded=8.0, segments=segments))
    parts = set()
    for seed in range(6):
        wish = Wish(per_recording=1, seed=seed)
        made = planned(place, store, found=found, wish=wish)
        of = {entry.stretch.group: entry for entry in made.entries}
        if {"bob", "eve"} <= of.keys():
            assert of["bob"].stretch.start != of["eve"].stretch.start
            assert of["bob"].part == of["eve"].part
            assert shared_sound(made.choice) == ["bob, eve"]
            parts.add(of["bob"].part)
        assert "ann" not in made.choice.together
    assert len(parts) > 1
    made, _ = extract(place, store, found=found, wish=Wish(per_recording=1, seed=0))
    card = (place / "out/README.md").read_text()
    assert ("same sound are in one part: bob, eve" in card) == bool(shared_sound(made.choice))


@pytest.mark.parametrize("n_samples", [65_536, 65_537, 65_538])
@pytest.mark.parametrize("sr", [44_100, 48_000])
def test_a_clip_ends_with_the_very_last_sample(sr, n_samples, place, store):
    """Resampling to compare sounds rounds the length of a recording."""
    y = np.random.default_rng(3).normal(0, 0.1, n_samples)
    soundfile.write(place / "a.wav", y, sr)
    seconds = round(n_samples / sr, 3)
    segments = (Segment(0.1, seconds, "tap", 0.9),)
    found = [heard(place / "a.wav", duration=seconds, decoded=seconds, segments=segments)]
    extract(place, store, found=found)
    (row,) = rows(place / "out/clips.csv")
    clip, _ = soundfile.read(place / "out" / row["file_name"])
    assert float(row["end"]) * sr == pytest.approx(n_samples, abs=1e-3 * sr / 1000)
    assert len(clip) == n_samples - round(0.1 * sr)


def test_a_template_tells_makers_apart(library, store):
    group_by = Template.parse_folders("{stem}", option="--group-by")
    made = planned(library, store, group_by=group_by)
    assert {entry.stretch.group for entry in made.entries} == {"rain"}
    missing = Template.parse_folders("{kind}", option="--group-by")
    made = planned(library, store, group_by=missing)
    assert made.entries == ()
    assert "has no kind: give a default in the template" in made.plan.left[0].reason


@pytest.mark.parametrize(
    ("by", "makers"),
    [
        ("folder", {"a/b", "c", "lib"}),
        ("creator", {"mia", "c", "lib"}),
        ("recording", {"a/b/Mia - Rain.flac", "c/rain.flac", "Mia - Tap.flac", "x.flac"}),
    ],
)
def test_makers_are_told_apart_by_words_as_in_teach(by, makers):
    names = ("a/b/Mia - Rain.flac", "c/rain.flac", "Mia - Tap.flac", "x.flac")
    found = [heard(f"/lib/{name}") for name in names]
    assert {*_groups(found, Maker(by), []).values()} == makers


def test_packets_are_copied_with_the_borders_they_have(library, store):
    _, report = extract(library, store, copy=True)
    assert report.n_done == len(report.outcomes)
    for row in rows(library / "out/clips.csv"):
        y, _ = soundfile.read(library / "out" / row["file_name"])
        whole, _ = soundfile.read(library / "in" / row["source"])
        first, last = round(float(row["start"]) * SR), round(float(row["end"]) * SR)
        assert first / SR <= float(row["segment_start"])
        assert np.array_equal(y, whole[first:last])
    assert "clips begin and end where packets do" in (library / "out/README.md").read_text()
    with pytest.raises(UsageError, match="--copy leaves sound as it is"):
        planned(library, store, copy=True, mono=True)


@pytest.mark.parametrize("layout", LayoutName)
def test_clips_that_differ_in_their_ending_alone_get_names_that_differ(layout, place, store):
    (place / "in").mkdir()
    for seed, name in enumerate(("rain.wav", "rain.flac")):
        soundfile.write(place / "in" / name, noise(seed), SR, subtype="PCM_16")
    found = results(place, {name: [(0.0, 6.0, "tap", 0.9)] for name in ("rain.wav", "rain.flac")})
    made, report = extract(place, store, found=found, layout=layout, copy=True)
    assert reasons(report) == []
    names = [entry.file.rpartition("/")[2] for entry in made.entries]
    assert sorted(name.rpartition(".")[2] for name in names) == ["flac", "wav"]
    stems = {name.rpartition(".")[0] for name in names}
    assert len(stems) == 2
    if layout is LayoutName.JAMS:
        assert {path.stem for path in (place / "out/jams").iterdir()} == stems
    if layout is LayoutName.KALDI:
        text = (place / "out/train/wav.scp").read_text()
        assert {line.split(" ")[0] for line in text.splitlines()} == stems


def test_undo_takes_all_away_but_what_was_changed(library, store):
    before = look(library / "in")
    extract(library, store)
    assert undo(store)[0].left == ()
    assert not (library / "out").exists()
    made, _ = extract(library, store)
    changed = library / "out" / made.entries[0].file
    changed.write_bytes(b"mine")
    (library / "out/README.md").write_text("mine")
    plan, _, _ = undo(store)
    assert (
        sorted(left.reason for left in plan.left)
        == ["has changed since it was written; it is left there"] * 2
    )
    kept = [path for path, value in look(library / "out").items() if value != "folder"]
    assert sorted(kept) == sorted([str(changed), str(library / "out/README.md")])
    assert look(library / "in") == before


def test_the_same_again_has_nothing_to_do(library, store):
    extract(library, store)
    made, report = extract(library, store)
    assert made.plan.steps == ()
    assert len(made.entries) == 5
    assert report.number is None


def test_what_systems_put_into_folders_is_no_file_of_others(library, store):
    with file_size_limit(60_000):
        extract(library, store)
    clutter = [".DS_Store", "tap/._.DS_Store", "Thumbs.db", "tap/desktop.ini", ".directory"]
    for name in clutter:
        (library / "out" / name).write_bytes(b"theirs")
    _, report = extract(library, store)
    assert reasons(report) == []
    assert len(rows(library / "out/clips.csv")) == 5
    assert {(library / "out" / name).read_bytes() for name in clutter} == {b"theirs"}


def test_recordings_on_several_drives_are_named_in_full(library, store, monkeypatch):
    """As Windows has them: no path leads from one drive to another."""
    relpath, commonpath = os.path.relpath, os.path.commonpath

    def is_far(path):
        return f"{library}/in/tom" in str(path)

    def relpath_on_drives(path, start=os.curdir):
        if is_far(path) != is_far(start):
            raise ValueError("path is on mount 'D:', start on mount 'C:'")
        return relpath(path, start)

    def commonpath_on_drives(paths):
        if len(set(map(is_far, paths))) > 1:
            raise ValueError("Paths don't have the same drive")
        return commonpath(paths)

    monkeypatch.setattr("os.path.relpath", relpath_on_drives)
    monkeypatch.setattr("os.path.commonpath", commonpath_on_drives)
    found = [one for one in results(library) if "zoe" not in one.path]
    made, report = extract(library, store, found=found)
    assert reasons(report) == []
    groups = {entry.source: entry.stretch.group for entry in made.entries}
    assert groups["mia/rain.wav"] == "mia"
    assert groups[f"{library}/in/tom/rain.wav"] == f"{library}/in/tom"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("extract in --to out -yq", "extract in --to out"),
        ("extract in -nf wav --to out --json", "extract in -f wav --to out"),
        ("extract in --yes --quiet --dry-run -y -q -n", "extract in"),
        ("extract in --label=yes-no --format wav", "extract in --label=yes-no --format wav"),
    ],
)
def test_the_card_tells_the_command_without_how_it_was_run(words, told, library, store):
    order = Order(str(library / "out"))
    found = Selected(results(library))
    made = plan_extract(found, Wish(), order, read_runs(store)[0], words.split(" "))
    carry_out(made.plan, store)
    card = (library / "out/README.md").read_text()
    assert f"    {told}" in card.splitlines()


@pytest.mark.parametrize("kind", ["other files", "other clips", "a changed clip", "a file"])
def test_a_folder_that_holds_anything_else_is_refused(kind, library, store):
    told = r"holds \d+ files? that this command would not make so, such as .*new or empty folder"
    if kind == "other files":
        (library / "out").mkdir()
        (library / "out/clips.csv").write_text("theirs")
    elif kind == "a file":
        (library / "out").write_text("theirs")
        told = "is there already, and is no folder"
    else:
        made, _ = extract(library, store)
        if kind == "a changed clip":
            (library / "out" / made.entries[0].file).write_bytes(b"theirs")
    before = look(library)
    wish = Wish(pad=0.1) if kind == "other clips" else None
    with pytest.raises(UsageError, match=told):
        planned(library, store, wish=wish)
    assert look(library) == before


def test_what_vanished_or_is_damaged_is_left_and_said(library, store):
    os.unlink(library / "in/mia/rain.wav")
    (library / "in/zoe/rain.wav").write_bytes(b"no sound")
    with open(library / "in/mia/two/rain.wav", "r+b") as file:
        file.truncate(2 * 2 * SR)
    made, report = extract(library, store)
    assert spans(made) == ALL[-1:]
    left = {os.path.relpath(item.path, library / "in"): item.reason for item in made.plan.left}
    assert left["mia/rain.wav"] == "no such file; it may have been moved or renamed"
    assert left["mia/two/rain.wav"].startswith("ends before tap 1.000-4.000 s does: fetch")
    assert "not an audio or video file" in left["zoe/rain.wav"]
    assert report.n_done == len(report.outcomes)
    assert len(rows(library / "out/left-out.csv")) == 3


@pytest.mark.parametrize("ext", ["mp3", "m4a"])
def test_only_what_holds_damage_is_left_out_of_a_plan(ext, tmp_path):
    path = write_damaged(tmp_path / f"a.{ext}", seconds=24)
    spans = [(5.0, 7.0), (10.0, 11.5), (11.5, 13.0), (12.05, 14.0), (13.0, 15.0), (20.0, 22.0)]
    _, sounds = _hear(str(path), spans)
    assert [sound is None for sound in sounds] == [False, False, True, True, False, False]


def test_spans_in_any_order_are_heard_as_each_alone(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(3, seconds=9), SR)
    spans = [(4.0, 6.5), (0.0, 9.0), (7.25, 7.5), (4.0, 4.5), (1.0, 2.0), (8.0, 9.0)]
    _, sounds = _hear(str(path), spans)
    for span, sound in zip(spans, sounds, strict=True):
        assert np.array_equal(sound, _hear(str(path), [span])[1][0])
        assert len(sound) == round((span[1] - span[0]) * alike.SR)


def test_what_changes_after_it_was_planned_is_skipped_and_tables_wait(library, store):
    made = planned(library, store)
    soundfile.write(library / "in/tom/rain.wav", noise(77), SR)
    report = carry_out(made.plan, store)
    told = reasons(report)
    assert told[0].startswith(f"{library}/in/tom/rain.wav: has changed since it was labelled")
    assert "1 of 5 clips that it tells of are not there" in told[1]
    assert not (library / "out/clips.csv").exists()
    _, report = extract(library, store)
    assert reasons(report) == []
    assert len(rows(library / "out/clips.csv")) == 5


def test_a_full_disk_in_the_middle_loses_nothing_and_is_gone_on_after(library, store):
    before = look(library / "in")
    with file_size_limit(60_000):
        made, report = extract(library, store)
    told = next(reason for reason in reasons(report) if "the file got larger" in reason)
    assert told.startswith(f"{library}/out/")
    assert 0 < report.n_done < len(report.outcomes)
    assert not [path for path in look(library / "out") if path.endswith(".part")]
    again, report = extract(library, store)
    assert reasons(report) == []
    assert len(again.plan.steps) < len(made.plan.steps)
    assert len(rows(library / "out/clips.csv")) == 5
    assert look(library / "in") == before
    undo(store)
    undo(store)
    assert not (library / "out").exists()


@pytest.mark.skipif(os.name != "posix", reason="forks and signals of POSIX")
def test_a_run_that_is_killed_is_undone_or_gone_on_with(library, tmp_path):
    class Scene:
        store = Store(tmp_path / "undone")

        @staticmethod
        def see():
            return look(library)

    # What is imported here is not imported in each child.
    extract(library, Store(tmp_path / "whole"))
    whole = look(library / "out")
    shutil.rmtree(library / "out")
    Scene.before = Scene.see()
    n_calls = run_in_child(lambda: extract(library, Store(tmp_path / "counted")))
    shutil.rmtree(library / "out")
    n_written = set()
    for turn, moment in enumerate(np.linspace(n_calls * 0.55, n_calls - 1, 8).astype(int)):
        Scene.store = Store(tmp_path / f"undone {moment}")
        run_in_child(lambda: extract(library, Scene.store), kill_at=moment)
        n_written.add(sum(value != "folder" for value in look(library / "out").values()))
        if turn % 2:
            undo_what_was_begun(Scene)
            continue
        _, report = extract(library, Scene.store)
        assert reasons(report) == []
        now = look(library / "out")
        assert {k: v[0] for k, v in now.items()} == {k: v[0] for k, v in whole.items()}
        shutil.rmtree(library / "out")
    assert len(n_written) > 3  # it was killed before, between and after files


def test_the_plan_is_plain_values_that_come_back(library, store):
    from asmr_classify.library.plan import step_from_record

    for copy in (False, True):
        for step in planned(library, store, copy=copy).plan.steps:
            record = json.loads(json.dumps(step.to_record()))
            assert step_from_record(record) == step
            assert step.describe().verb in {"make folder", "extract", "write"}


def test_names_are_plain_and_differ():
    assert plain("Rain & wind (2).flac") == "Rain_wind_2_.flac"
    assert plain("囁き") == "囁き"
    names = plain_names(["a b", "a_b", "A B", "..", "x-y"], dash="_")
    assert len({name.casefold() for name in names.values()}) == 5
    assert names["x-y"] == "x_y"


@pytest.mark.parametrize(
    "text",
    "#N/A N/A,#N/A,#NA,-1.#IND,-1.#QNAN,-NaN,-nan,1.#IND,1.#QNAN,<NA>,N/A,NA,NULL,NaN,None,n/a,nan,"
    "null,True,FALSE,2020,1e5,-inf".split(","),
)
def test_makers_are_read_as_texts_however_they_are_called(text):
    (row,) = pd.read_csv(io.StringIO(f"group\n{_as_text(text, '')}\n")).group
    assert row == f"'{text}"
    assert _as_text(f"{text} x", "") == f"{text} x"
