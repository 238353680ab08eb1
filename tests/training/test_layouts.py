"""Small copies of the layouts that people and data sets have."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from asmr_classify.errors import CorpusError
from asmr_classify.training.layouts import read_sources
from asmr_classify.training.takes import TakeSpec, compute_rows, plan_takes

SR = 8000


def sound(path: Path, seconds: float = 0.5) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(path.name))
    wavfile.write(path, SR, (0.1 * rng.standard_normal(int(seconds * SR))).astype(np.float32))


def facts(corpus, folder: Path) -> list[tuple]:
    return sorted(
        (str(Path(clip.path).relative_to(folder)), clip.labels, clip.group) for clip in corpus.clips
    )


def test_a_folder_per_label(tmp_path):
    for name in (
        "tap/a.wav",
        "tap/anna/b.wav",
        "tap/anna/c.wav",
        "tap, speech/d.wav",
        "none/e.wav",
    ):
        sound(tmp_path / name)
    (tmp_path / "tap" / "notes.txt").write_text("not a recording")
    corpus = read_sources([tmp_path])
    assert facts(corpus, tmp_path) == [
        ("none/e.wav", ("other",), "none/e.wav"),
        ("tap, speech/d.wav", ("tap", "speech"), "tap, speech/d.wav"),
        ("tap/a.wav", ("tap",), "tap/a.wav"),
        ("tap/anna/b.wav", ("tap",), "anna"),
        ("tap/anna/c.wav", ("tap",), "anna"),
    ]
    assert corpus.labels == ("tap", "speech", "other")


def test_folders_whose_names_differ_from_labels_by_capitals_are_refused_or_renamed(tmp_path):
    for name in ("Tap/anna/a.wav", "hum/ben/b.wav"):
        sound(tmp_path / name)
    with pytest.raises(CorpusError, match=r"a\.wav: no label is called 'Tap'; did you mean 'tap'"):
        read_sources([tmp_path])
    assert read_sources([tmp_path], {"Tap": ("tap",)}).labels == ("tap", "hum")
    sound(tmp_path / "none,hum" / "c.wav")
    with pytest.raises(CorpusError, match="'none,hum': none means that there is no trigger"):
        read_sources([tmp_path], {"Tap": ("tap",)})


def test_a_label_of_two_words_has_one_name_however_it_is_written(tmp_path):
    """It is that of the page of `review`."""
    place = tmp_path / "sorted"
    for name in ("soap cutting/anna/a.wav", "soap_cutting/ben/b.wav", "White Noise/cy/c.wav"):
        sound(place / name)
    with pytest.raises(CorpusError, match=r"called 'White_Noise'; did you mean 'white_noise'"):
        read_sources([place])
    renamed = {"White Noise": ("white_noise",)}
    assert read_sources([place], renamed).labels == ("white_noise", "soap_cutting")
    (place / "manifest.csv").write_text(
        "path,trigger,group\nsoap cutting/anna/a.wav,soap  cutting,anna\n"
        'soap_cutting/ben/b.wav,"tap, soap_cutting",ben\n'
    )
    manifest = place / "manifest.csv"
    assert read_sources([manifest]).labels == ("tap", "soap_cutting")
    renamed = {"soap cutting": ("tap",)}
    assert read_sources([manifest], renamed).labels == ("tap",)


def test_recordings_outside_of_label_folders_are_refused(tmp_path):
    sound(tmp_path / "a.wav")
    with pytest.raises(CorpusError, match=r"a\.wav: lies in no folder that names its label"):
        read_sources([tmp_path])


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(CorpusError, match="no recording in it; a folder per label"):
        read_sources([tmp_path])


@pytest.fixture
def esc50(tmp_path):
    rows = [
        ("1-100032-A-0.wav", 1, 0, "dog", "True", 100032, "A"),
        ("1-137-A-32.wav", 1, 32, "keyboard_typing", "False", 137, "A"),
        ("2-137-B-32.wav", 1, 32, "keyboard_typing", "False", 137, "B"),
        ("3-155312-A-10.wav", 3, 10, "rain", "True", 155312, "A"),
    ]
    head = "filename,fold,target,category,esc10,src_file,take"
    lines = [head, *(",".join(map(str, row)) for row in rows)]
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "esc50.csv").write_text("\n".join(lines) + "\n")
    for row in rows:
        sound(tmp_path / "audio" / row[0])
    return tmp_path


def test_esc50(esc50):
    corpus = read_sources([esc50])
    assert corpus.labels == ("dog", "keyboard_typing", "rain")
    assert [clip.fold for clip in corpus.clips] == [1, 1, 1, 3]
    assert {clip.group for clip in corpus.clips} == {
        "freesound:100032",
        "freesound:137",
        "freesound:155312",
    }


def test_labels_are_renamed_dropped_and_made_negatives(esc50):
    renamed = {"keyboard_typing": ("tap",), "dog": ("none",), "rain": ("unsure",)}
    corpus = read_sources([esc50], renamed)
    assert corpus.labels == ("tap", "other")
    assert [clip.triggers for clip in corpus.clips] == [(), ("tap",), ("tap",)]
    assert corpus.clips[0].label == "dog"


def test_renaming_what_is_not_there_is_refused(esc50):
    with pytest.raises(CorpusError, match=r"no clip is labelled 'rian'.*there are dog, keyb"):
        read_sources([esc50], {"rian": ("white_noise",)})


def test_missing_audio_is_told_before_any_work(esc50):
    (esc50 / "audio" / "3-155312-A-10.wav").unlink()
    with pytest.raises(CorpusError, match=r"line 5: .*3-155312-A-10\.wav: no such file$"):
        read_sources([esc50])


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        pytest.param(
            ",1,0,dog", ",one,0,dog", r"2: 1-100032-A-0\.wav: fold 'one' is not", id="fold"
        ),
        pytest.param(
            "rain,True,155312,A", "rain", "line 5: nothing in column src_file", id="short"
        ),
        pytest.param(",dog,", ",,", "line 2: nothing in column category", id="no label"),
        pytest.param("src_file", "source", "no column src_file; it needs filename", id="no column"),
        pytest.param(
            ",1,", ",,", "3 rows are wrong:\n  line 2: nothing in column fold", id="folds"
        ),
    ],
)
def test_odd_rows_of_esc50_are_told_by_line(before, after, message, esc50):
    table = esc50 / "meta" / "esc50.csv"
    table.write_text(table.read_text().replace(before, after))
    with pytest.raises(CorpusError, match=rf"esc50\.csv(?s:.*){message}"):
        read_sources([esc50])


@pytest.fixture
def fsd50k(tmp_path):
    truth, about = tmp_path / "FSD50K.ground_truth", tmp_path / "FSD50K.metadata"
    truth.mkdir()
    about.mkdir()
    (truth / "dev.csv").write_text(
        'fname,labels,mids,split\n64760,"Tap,Wood","/m/01,/m/02",train\n16399,Rain,/m/03,val\n'
    )
    (truth / "eval.csv").write_text("fname,labels,mids\n37199,Rain,/m/03\n")
    (about / "dev_clips_info_FSD50K.json").write_text(
        json.dumps({"64760": {"uploader": "anna", "license": "CC0"}})
    )
    for name in ("dev_audio/64760", "dev_audio/16399", "eval_audio/37199"):
        sound(tmp_path / f"FSD50K.{name}.wav")
    return tmp_path


def test_odd_rows_of_fsd50k_are_told_by_line(fsd50k):
    table = fsd50k / "FSD50K.ground_truth" / "dev.csv"
    table.write_text("fname,labels\n64760,\n16399\n")
    with pytest.raises(
        CorpusError, match=r"dev\.csv: 2 rows are wrong:\s+line 2: .* column labels"
    ):
        read_sources([fsd50k])


@pytest.mark.parametrize("text", ["{", "[]", '{"64760": "anna"}'])
def test_metadata_of_fsd50k_that_are_none_are_told(text, fsd50k):
    (fsd50k / "FSD50K.metadata" / "dev_clips_info_FSD50K.json").write_text(text)
    with pytest.raises(CorpusError, match=r"dev_clips_info_FSD50K\.json: .*unpack the metadata"):
        read_sources([fsd50k])


def test_fsd50k(fsd50k):
    corpus = read_sources([fsd50k], {"Tap": ("tap",), "Wood": ("none",), "Rain": ("white_noise",)})
    assert corpus.labels == ("tap", "white_noise")
    first, second, third = corpus.clips
    assert (first.labels, first.group, first.licence) == (("tap",), "freesound:anna", "CC0")
    assert (second.group, third.group) == ("freesound:16399", "freesound:37199")


@pytest.fixture
def audioset(tmp_path):
    (tmp_path / "balanced.csv").write_text(
        "# Segments csv created Sun Mar  5 10:54:31 2017\n"
        "# num_ytids=4, num_segs=4\n"
        "# YTID, start_seconds, end_seconds, positive_labels\n"
        'aaaaaaaaaaa, 1.000, 3.000, "/m/02rtxlg,/m/09x0r"\n'
        'bbbbbbbbbbb, 30.000, 40.000, "/m/07qcx4z"\n'
        'ccccccccccc, 0.000, 10.000, "/m/07qcx4z"\n'
        '-ddddddddd_, 5.000, 15.000, "/m/07qcx4z"\n'
    )
    (tmp_path / "class_labels_indices.csv").write_text(
        "index,mid,display_name\n2,/m/02rtxlg,Whispering\n0,/m/09x0r,Speech\n7,/m/07qcx4z,Tearing\n"
    )
    sound(tmp_path / "audio" / "aaaaaaaaaaa.wav", 5)
    sound(tmp_path / "audio" / "bbbbbbbbbbb_30.000.wav", 4)
    sound(tmp_path / "audio" / "-ddddddddd__5000_15000.wav", 4)
    return tmp_path


def test_audioset_segments(audioset):
    names = {"Whispering": ("whisper",), "Speech": ("speech",), "Tearing": ("crinkle",)}
    corpus = read_sources([audioset / "balanced.csv"], names)
    assert [clip.labels for clip in corpus.clips] == [
        ("whisper", "speech"), ("crinkle",), ("crinkle",),
    ]  # fmt: skip
    assert corpus.clips[0].group == "youtube:aaaaaaaaaaa"
    rows = compute_rows(
        corpus,
        takes := plan_takes(
            corpus, np.zeros(len(corpus.clips)), spec := TakeSpec(copies=0, scenes=0)
        ),
        spec,
        jobs=1,
    )
    # of the whole video only the segment is heard, and all of what was cut
    assert [rows.of(k).intervals[-1, 1] for k in range(len(takes))] == pytest.approx([2, 4, 4])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("aaaaaaaaaaa, x, 3, /m/09x0r", "line 4: aaaaaaaaaaa: x to 3 are", id="text"),
        pytest.param("aaaaaaaaaaa, 3, 1, /m/09x0r", "line 4: aaaaaaaaaaa: 3 to 1 are", id="back"),
        pytest.param("aaaaaaaaaaa, 0, nan, /m/09x0r", "0 to nan are no seconds", id="nan"),
        pytest.param("aaaaaaaaaaa, 1, 3", "line 4: has 3 cells, not YTID, start", id="few"),
        pytest.param("aaaaaaaaaaa, 1, 3, /m/0,/m/1", "has 5 cells, .* stand in quotes", id="many"),
        pytest.param(
            'aaaaaaaaaaa, 1, 3, ""', "line 4: nothing in column positive_l", id="no label"
        ),
    ],
)
def test_odd_segments_are_told_by_line(line, message, audioset):
    table = audioset / "balanced.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines[:3], line, *lines[4:]]))
    with pytest.raises(CorpusError, match=rf"balanced\.csv, .*{message}"):
        read_sources([table])


def test_odd_rows_of_names_of_classes_are_told_by_line(audioset):
    with (audioset / "class_labels_indices.csv").open("a") as file:
        file.write("9,/m/0\n")
    with pytest.raises(CorpusError, match=r"indices\.csv, line 5: nothing in column display_name"):
        read_sources([audioset / "balanced.csv"])


def test_tables_with_a_byte_order_mark_are_read(audioset):
    names = {"Whispering": ("whisper",), "Speech": ("speech",), "Tearing": ("crinkle",)}
    before = read_sources([audioset / "balanced.csv"], names)
    for path in audioset.glob("*.csv"):
        path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert read_sources([audioset / "balanced.csv"], names) == before


def test_segments_without_audio_are_told(audioset):
    for path in (audioset / "audio").iterdir():
        path.unlink()
    with pytest.raises(CorpusError, match="no audio of its segments lies beside it"):
        read_sources([audioset / "balanced.csv"])


def test_sources_are_joined(esc50, corpus_folder):
    corpus = read_sources([corpus_folder / "manifest.csv", esc50], {"dog": ("none",)})
    assert len(corpus.clips) == 24 + 4
    assert corpus.labels == ("tap", "white_noise", "music", "other", "keyboard_typing", "rain")
