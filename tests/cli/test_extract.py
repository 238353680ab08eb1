"""``extract`` as a command, and its data sets as those read them for whom they are made."""

from __future__ import annotations

import csv
import gc
import io
import json
import re
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import mutagen
import numpy as np
import pandas as pd
import pytest
import soundfile
from typer.testing import CliRunner

from asmr_classify.catalogue import Catalogue
from asmr_classify.catalogue.corrections import Correction
from asmr_classify.cli import select
from asmr_classify.cli.app import app
from asmr_classify.cli.extract import FormName, LayoutOption
from asmr_classify.library.clips import Selected
from asmr_classify.library.layouts import LayoutName
from asmr_classify.media.cut import Form
from asmr_classify.media.found import Found
from asmr_classify.model import load_model
from asmr_classify.timeline import Segment
from asmr_classify.training.layouts import read_sources
from tests.cli.conftest import heard
from tests.conftest import DEMO

SHIPPED = str(DEMO.parents[1] / "models" / "asmr-4.safetensors")

SPANS = {
    "tap-wood": [(0.5, 2.5, "tap", 0.9), (3.0, 5.0, "tap", 0.7)],
    "tap-keys": [(0.0, 6.0, "tap", 0.95)],
    "crinkle-paper": [(1.0, 4.0, "crinkle", 0.9)],
    "crinkle-plastic": [(1.0, 4.0, "crinkle", 0.6)],
    "whisper-over-rain": [(0.0, 6.0, "white_noise", 0.8), (3.0, 6.0, "whisper", 0.9)],
    "none-silence": [],
}


def labelled():
    return [
        heard(
            f"in/{name}.flac",
            duration=6.0,
            decoded=6.0,
            tags=tuple({label: 0 for _, _, label, _ in spans}),
            scores={"tap": 0.5, "crinkle": 0.25, "white_noise": 0.125, "whisper": 1.0},
            segments=tuple(Segment(*span) for span in spans),
        )
        for name, spans in SPANS.items()
    ]


@pytest.fixture
def clips(place):
    """Demo clips."""
    (place / "in").mkdir()
    for name in SPANS:
        shutil.copy(DEMO / f"{name}.flac", place / "in")
    return place


@pytest.fixture
def library(clips, monkeypatch):
    """Demo clips, and where the labelling of them finds what."""

    def select_as_labelled(arguments, _console, **_options):
        return Selected([] if arguments == ["nothing"] else labelled())

    monkeypatch.setattr("asmr_classify.cli.select.select_as_labelled", select_as_labelled)
    return clips


@pytest.fixture
def known(clips, monkeypatch):
    """Demo clips, and what a catalogue knows of them."""
    monkeypatch.setenv("ASMR_CLASSIFY_CATALOGUE", str(clips / "library.sqlite"))
    with Catalogue.open(str(clips / "library.sqlite"), create=True) as catalogue:
        for result in labelled():
            status = (clips / result.path).stat()
            catalogue.add(Found(result.path, status.st_size, status.st_mtime_ns), result, None)
    return clips


def run(*arguments):
    return CliRunner().invoke(app, ["extract", *map(str, arguments)])


def extract(layout, *options):
    done = run("in", "--to", "out", "--layout", layout, "--group-by", "{stem}", "--yes", *options)
    assert done.exit_code == 0, done.stderr
    return done


def names_and_labels(folder):
    with (folder / "clips.csv").open(newline="", encoding="utf-8") as file:
        return {row["file_name"]: row["label"] for row in csv.DictReader(file)}


def test_options_name_all_that_there_is():
    """They are written twice, as help must not load what decodes sound."""
    assert [*LayoutOption] == [*LayoutName]
    assert [*FormName] == [*Form]


@pytest.mark.usefixtures("library")
def test_a_dry_run_shows_the_plan_and_changes_nothing(place):
    done = run("in", "--to", "out", "--label", "crinkle", "--dry-run")
    assert done.exit_code == 0
    assert "make folder  out/crinkle/in" in done.stdout.splitlines()
    clip = "in/crinkle-paper.flac → out/crinkle/in/crinkle-paper_0001000-0004000.flac"
    assert f"extract  {clip}  crinkle 1.000-4.000 s" in done.stdout.splitlines()
    assert "write  out/README.md  tells of 2 clips" in done.stdout.splitlines()
    assert "2 clips, 0.00 h, of 1 maker: train 2" in done.stderr
    assert "1 maker: too few for train, validation and test; --group-by tells" in done.stderr
    assert "make 3 folders, extract 2 clips, write 2 files; nothing was changed" in done.stderr
    assert not (place / "out").exists()


@pytest.mark.usefixtures("library")
def test_the_run_does_what_the_dry_run_shows_and_undo_takes_it_back(place):
    shown = json.loads(run("in", "--to", "out", "-n", "--json").stdout)
    done = run("in", "--to", "out", "--yes", "--json")
    assert done.exit_code == 0
    record = json.loads(done.stdout)
    assert [step.pop("ending") for step in record["steps"]] == ["done"] * len(record["steps"])
    for step in record["steps"]:
        del step["reason"]
    assert record["steps"] == shown["steps"]
    assert len(names_and_labels(place / "out")) == 7
    assert "nothing to do" in run("in", "--to", "out", "--yes").stderr
    back = CliRunner().invoke(app, ["undo", "--yes"])
    assert back.exit_code == 0
    assert not (place / "out").exists()


class Killed(BaseException):
    """Ends the program at once, as a signal does."""


def begin_and_die(monkeypatch, n_steps, *arguments):
    """Extract, and die after some steps."""
    from asmr_classify.library.runs import _Hand

    take = _Hand.take

    def take_or_die(self, index):
        if index == n_steps:
            raise Killed
        return take(self, index)

    with monkeypatch.context() as patch:
        patch.setattr(_Hand, "take", take_or_die)
        with pytest.raises(Killed):
            run(*arguments)


def undo_all(*arguments):
    done = CliRunner().invoke(app, ["undo", "--yes", *arguments])
    assert done.exit_code == 0
    return done.stderr


def test_one_undo_takes_back_a_run_and_those_it_went_on_with(library, monkeypatch):
    command = ["in", "--to", "out", "--yes"]
    for n_steps in (11, 2):
        begin_and_die(monkeypatch, n_steps, *command)
    assert run(*command).exit_code == 0
    before = sorted((library / "out").rglob("*"))
    shown = CliRunner().invoke(app, ["undo", "--dry-run"])
    assert "run 2 is of the same command, and was broken off: it goes along" in shown.stderr
    assert sorted((library / "out").rglob("*")) == before
    assert "run 1 is of the same command" in undo_all()
    assert not (library / "out").exists()
    assert CliRunner().invoke(app, ["undo", "--yes"]).exit_code == 4


@pytest.mark.parametrize("differs", ["command", "folder"])
def test_an_undo_leaves_what_other_commands_began(differs, library, monkeypatch):
    command = ["in", "--to", library / "out", "--yes"]
    monkeypatch.setattr("sys.argv", ["asmr-classify", "one"])
    begin_and_die(monkeypatch, 11, *command)
    begun = set((library / "out").rglob("*.flac"))
    assert begun
    if differs == "command":
        monkeypatch.setattr("sys.argv", ["asmr-classify", "two"])
    else:
        (library / "elsewhere").mkdir()
        (library / "elsewhere/in").symlink_to(library / "in")
        monkeypatch.chdir(library / "elsewhere")
    assert run("in", "--to", library / "other", "--yes").exit_code == 0
    assert "broken off" not in undo_all()
    assert set((library / "out").rglob("*.flac")) == begun


def test_an_undo_goes_back_no_farther_than_work_of_another_kind(library, monkeypatch):
    for folder, is_whole in (("out", False), ("other", True), ("out", True)):
        monkeypatch.setattr("sys.argv", ["asmr-classify", "extract", folder])
        command = ["in", "--to", library / folder, "--yes"]
        if is_whole:
            assert run(*command).exit_code == 0
        else:
            begin_and_die(monkeypatch, 11, *command)
    assert "broken off" not in undo_all()


def test_an_undo_leaves_what_came_to_its_end_before(library, monkeypatch):
    monkeypatch.setattr("sys.argv", ["asmr-classify", "one"])
    assert run("in", "--to", "out", "--yes").exit_code == 0
    assert run("in", "--to", "other", "--yes").exit_code == 0
    undo_all()
    assert (library / "out").exists()
    assert not (library / "other").exists()


@pytest.mark.filterwarnings("ignore:.*unclosed file", "ignore:Exception ignored in:")  # theirs
def test_hugging_face_reads_an_audiofolder(library, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(library / "home"))
    import datasets

    if find_spec("torchcodec") is None:  # without PyTorch it does not even pass a name on
        monkeypatch.setattr(
            datasets.Audio, "encode_example", lambda _, path: {"bytes": None, "path": path}
        )
    extract("audiofolder")
    data = datasets.load_dataset(
        "audiofolder", data_dir=str(library / "out"), cache_dir=str(library / "cache")
    )
    assert set(data) == {"train", "validation", "test"}
    groups = {part: set(rows["group"]) for part, rows in data.items()}
    assert sum(map(len, groups.values())) == len(set().union(*groups.values())) == 5
    n_rows = 0
    for part, rows in data.items():
        for row in rows.cast_column("audio", datasets.Audio(decode=False)):
            n_rows += 1
            assert row["split"] == part
            y, sr = soundfile.read(row["audio"]["path"], dtype="int16")
            assert sr == row["sr"] == 32000
            whole, _ = soundfile.read(library / "in" / row["source"], dtype="int16")
            first, last = round(row["start"] * sr), round(row["end"] * sr)
            assert len(y) == last - first
            faded = sr // 100  # 5 ms, and some more
            assert np.array_equal(y[faded:-faded], whole[first + faded : last - faded])
            assert y.any()
            assert len(row["sha256"]) == 64
            assert row["model"] == "tiny@0.1"
            assert row["score_tap"] == 0.5
    assert n_rows == 7
    gc.collect()  # of files that it left open, here rather than in the next test


@pytest.mark.filterwarnings("ignore:.*unclosed file", "ignore:Exception ignored in:")  # theirs
def test_parts_of_an_audiofolder_have_columns_of_the_same_types(library, monkeypatch):
    """A licence that is known in one part, makers named by years, and scores of another model."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    results = labelled()
    for k, result in enumerate(results):
        year = library / "in" / (str(2019 + k) if k % 2 else f"mia {k}")
        year.mkdir()
        name = Path(result.path).name
        shutil.move(library / "in" / name, year / name)
        changes = {"corrected": ("trigger",)} if k == 1 else {}
        scores = {**result.scores, "keys": 0.5} if k == 3 else result.scores
        results[k] = replace(result, path=str(year / name), scores=scores, **changes)
        if k == 2:
            licensed = mutagen.File(year / name)
            licensed["license"] = "2020"
            licensed.save()
    monkeypatch.setattr(
        "asmr_classify.cli.select.select_as_labelled", lambda *_, **__: Selected(results)
    )
    done = run("in", "--to", "out", "--layout", "audiofolder", "--yes")
    assert done.exit_code == 0, done.stderr
    files = {p: str(library / f"out/{p}/metadata.csv") for p in ("train", "validation", "test")}
    data = datasets.load_dataset("csv", data_files=files, cache_dir=str(library / "cache"))
    kinds = [[*map(str, pd.read_csv(file).dtypes.items())] for file in files.values()]
    assert kinds[0] == kinds[1] == kinds[2]
    said = [row for part in data.values() for row in part]
    assert {row["licence"] for row in said} == {"not stated", "'2020"}
    assert {row["corrected"] for row in said} == {"nothing", "trigger"}
    assert {"mia 0", "'2020"} <= {row["group"] for row in said}
    assert {row["score_keys"] for row in said} == {None, 0.5}
    gc.collect()


@pytest.mark.filterwarnings("ignore:.*unclosed file", "ignore:Exception ignored in:")  # theirs
def test_the_guide_reads_a_data_set_without_torchcodec(library, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(library / "cache"))
    extract("audiofolder")
    guide = (DEMO.parents[1] / "docs" / "dataset.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    told: dict = {}
    exec(code.replace("published/", "out/"), told)  # noqa: S102 (our own)
    assert {*told["data"]} == {"train", "validation", "test"}
    row, rows = told["row"], told["data"]["train"].to_list()
    assert (row["label"], row["split"]) == (rows[0]["label"], "train")
    assert len(told["y"]) == round((row["end"] - row["start"]) * told["sr"])
    gc.collect()


@pytest.mark.filterwarnings("ignore:Passing a schema:DeprecationWarning")  # theirs
def test_jams_reads_its_annotations(library):
    import jams

    extract("jams", "--label", "whisper,tap", "--pad", "0.5s")
    found = sorted((library / "out/jams").glob("*.jams"))
    assert len(found) == 4
    for path in found:
        jam = jams.load(str(path), validate=True, strict=True)
        y, sr = soundfile.read(library / "out/jams" / jam.sandbox["file"])
        assert jam.file_metadata.duration == len(y) / sr
        assert jam.sandbox["source"].endswith(".flac")
    jam = jams.load(str(library / "out/jams/whisper-over-rain_0002500-0006000.jams"))
    (annotation,) = jam.annotations.search(namespace="tag_open")
    assert [(o.time, o.duration, o.value, o.confidence) for o in annotation.data] == [
        (0.0, 3.5, "white_noise", 0.8),
        (0.5, 3.0, "whisper", 0.9),
    ]


def test_esc50_is_read_by_pandas_and_by_train(library):
    extract("esc50")
    table = pd.read_csv(library / "out/meta/esc50.csv")
    assert list(table.columns[:7]) == [
        "filename", "fold", "target", "category", "esc10", "src_file", "take",
    ]  # fmt: skip
    assert table["fold"].between(1, 5).all()
    assert (table.groupby("group")["fold"].nunique() == 1).all()
    assert (table.groupby("category")["target"].nunique() == 1).all()
    for row in table.itertuples():
        assert row.filename == f"{row.fold}-{row.src_file}-{row.take}-{row.target}.wav"
        info = soundfile.info(library / "out/audio" / row.filename)
        assert info.frames == round((row.end - row.start) * info.samplerate)
    assert set(table.loc[table["category"] == "tap", "take"]) == {"A", "B"}
    corpus = read_sources([library / "out"])
    assert sorted(clip.labels[0] for clip in corpus.clips) == sorted(table["category"])


def test_folders_are_read_by_train(library):
    extract("folders")
    corpus = read_sources([library / "out"])
    assert {clip.group for clip in corpus.clips} == {name for name in SPANS if "none" not in name}
    labels = names_and_labels(library / "out")
    assert {
        clip.path.removeprefix(f"{library}/out/"): clip.labels[0] for clip in corpus.clips
    } == labels


def lines_of(path):
    return path.read_text(encoding="utf-8").splitlines()


def test_kaldi_finds_its_tables_sorted_and_whole(library):
    extract("kaldi", "--pad", "0.5s")
    n_clips, speakers = 0, []
    for part in ("train", "validation", "test"):
        tables = {
            name: [
                line.split(" ") for line in (library / "out" / part / name).read_text().splitlines()
            ]
            for name in ("wav.scp", "segments", "utt2spk", "spk2utt", "text")
        }
        for lines in tables.values():
            assert lines == sorted(lines, key=lambda words: words[0].encode())
        files = dict(tables["wav.scp"])
        speaker = dict(tables["utt2spk"])
        assert list(speaker.values()) == sorted(speaker.values())
        assert {(u, who) for who, *of in tables["spk2utt"] for u in of} == set(speaker.items())
        assert {words[0]: words[1] for words in tables["text"]}.keys() == files.keys()
        for utterance, recording, begin, end in tables["segments"]:
            info = soundfile.info(library / "out" / files[recording])
            assert utterance in speaker
            assert 0 <= float(begin) < float(end) <= info.duration + 1e-3
            n_clips += 1
        speakers += set(speaker.values())
    assert n_clips == 7
    assert len(speakers) == len(set(speakers)) == 5


@pytest.mark.parametrize("layout", LayoutName)
def test_the_card_counts_what_there_is(layout, library):
    extract(layout.value)
    card = (library / "out/README.md").read_text(encoding="utf-8")
    assert re.search(
        r"^7 clips, 0\.00\d\d hours, of 5 recordings by 5 makers, labelled", card, re.M
    )
    assert re.search(r"^\| tap \| 3 \| 0\.0028 \| 2 \|", card, re.M)
    assert "Nobody has checked the labels" in card
    assert "| (not stated) | 7 |" in card


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["nothing"], 4, "nothing to extract was found"),
        (["in", "--min", "10s"], 4, "nothing fits, of 6 recordings (segments of 10 s or more"),
        (["in", "--label", "nois"], 2, "--label 'nois': the labels are tap, crinkle,"),
        (["in", "--min", "soon"], 2, "--min 'soon' is no duration"),
        (["in", "--score", "2.."], 2, "--score '2' is no number between 0 and 1"),
        (["in", "--min", "3s", "--max", "2s"], 2, "--max 2s is less than --min 3s"),
        (["in", "--copy", "--mono"], 2, "--copy leaves sound as it is"),
        (["in", "--sr", "44100", "--format", "opus"], 2, "--sr 44100: Opus knows 8000"),
        (["in", "--group-by", "studio"], 2, "studio: give creator, folder, recording, or a"),
        (["in", "--group-by", "{maker}"], 2, "--group-by: no field 'maker'"),
        (["in", "--group-by", "{scores.tab}"], 2, "--group-by: {scores.tab}: no label 'tab'; did"),
        (["in", "--to", "in/tap-wood.flac"], 2, "is there already, and is no folder"),
        (["in", "--to", "in"], 2, "that this command would not make so"),
        (["in", "--to", ""], 2, "--to: name the folder of the data set"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_told(arguments, status, told, place):
    before = sorted(place.rglob("*"))
    done = run("--to", "out", *arguments, "--yes")
    assert (done.exit_code, told in done.stderr) == (status, True), done.stderr
    assert sorted(place.rglob("*")) == before


@pytest.mark.usefixtures("clips")
def test_what_was_set_as_absent_is_not_called_too_short(monkeypatch):
    results = [replace(x, corrected=("trigger",), tags=()) for x in labelled() if "tap" in x.path]
    selected = Selected(results)
    monkeypatch.setattr(select, "select_as_labelled", lambda *_, **__: selected)
    done = run("in", "--to", "out", "--yes")
    assert (done.exit_code, done.stderr) == (
        4,
        "error: nothing fits, of 2 recordings (tap was set as absent); nothing is written\n",
    )
    selected.results[0] = replace(results[0], corrected=())
    done = run("in", "--to", "out", "--min", "10s", "--yes")
    assert "(segments of 10 s or more: --min; tap was set as absent)" in done.stderr


SET_BY_HAND = "set by hand; the timeline has no white_noise to cut"


def set_white_noise(known):
    with Catalogue.open(str(known / "library.sqlite")) as catalogue:
        names = ["in/tap-wood.flac", "in/crinkle-paper.flac"]
        catalogue.correct(names, Correction(tags=("white_noise",)))


def test_what_was_set_by_hand_and_is_nowhere_in_the_timeline_is_told_and_listed(known):
    set_white_noise(known)
    done = run("--label", "white_noise", "--to", "out", "--yes")
    assert done.exit_code == 0, done.stderr
    left = dict.fromkeys(["tap-wood.flac", "crinkle-paper.flac"], SET_BY_HAND)
    assert reasons_left(known / "out") == left
    for name in left:
        assert f"left out: in/{name}: {SET_BY_HAND}\n" in done.stderr
    assert "note: 2 recordings were set to hold what the model hears nowhere there;" in done.stderr
    assert "nothing to cut: 2 (see left-out.csv)" in (known / "out/README.md").read_text()
    assert [*names_and_labels(known / "out").values()] == ["white_noise"]


def test_where_nothing_fits_what_was_set_by_hand_is_told(known):
    set_white_noise(known)
    done = run("path:tap-wood", "--label", "white_noise", "--to", "out", "--yes")
    assert done.exit_code == 4
    error = f"nothing fits, of 1 recording ({SET_BY_HAND}); nothing is written\n"
    assert done.stderr.endswith(f"error: {error}")
    assert "in 'review', and give --answered; or 'teach' a model that" in done.stderr
    done = run("path:tap-wood", "--label", "white_noise,tap", "--to", "out", "--yes")
    assert f"({SET_BY_HAND}; tap was set as absent)" in done.stderr


def test_what_is_named_and_could_not_be_labelled_is_left_and_listed(known):
    (known / "in" / "bad.flac").write_bytes(b"fLaC")
    done = run("in", "--to", "out", "--yes", "--model", SHIPPED)
    assert done.exit_code == 3, done.stderr
    reason = "could not be labelled: 'label' tells why"
    assert reasons_left(known / "out") == {"bad.flac": reason}
    assert f"left: in/bad.flac: {reason}\n" in done.stderr


def test_labels_alone_are_looked_for_in_all_that_is_known(library, monkeypatch):
    asked = []
    of_all = select.select_as_labelled

    def select_as_labelled(arguments, *others, **options):
        asked.append(arguments)
        return of_all(arguments, *others, **options)

    monkeypatch.setattr(select, "select_as_labelled", select_as_labelled)
    done = CliRunner().invoke(app, ["extract", "--label", "tap", "--to", "out", "--yes"])
    assert done.exit_code == 0
    assert asked == [[select.EVERYTHING]]
    assert len(list((library / "out").rglob("*.flac"))) == 3


def reasons_left(folder):
    with (folder / "left-out.csv").open(newline="", encoding="utf-8") as file:
        return {row["source"]: row["reason"] for row in csv.DictReader(file)}


def change(path):
    y, sr = soundfile.read(DEMO / "tap-keys.flac")
    soundfile.write(path, y[sr:], sr)


def test_what_is_not_as_it_was_labelled_is_left_out_and_listed(known):
    change(known / "in/tap-wood.flac")
    for name in ("whisper-over-rain", "none-silence"):
        (known / "in" / f"{name}.flac").unlink()
    done = run("--label", "tap,whisper", "--to", "out", "--yes")
    assert done.exit_code == 3
    changed, gone = "has changed since it was labelled: label it again", "is not there any more"
    left = {"tap-wood.flac": changed, "whisper-over-rain.flac": gone}
    assert reasons_left(known / "out") == left
    for name, reason in left.items():
        assert f"left: in/{name}: {reason}" in " ".join(done.stderr.split())
    assert [*names_and_labels(known / "out").values()] == ["tap"]


def test_what_is_named_as_well_is_not_left_out(known):
    change(known / "in/tap-wood.flac")
    done = run("tap", "in", "--label", "tap", "--to", "out", "--yes")
    assert done.exit_code == 0, done.output
    assert "left:" not in done.stderr


def test_where_nothing_is_as_it_was_labelled_each_is_told(known):
    for path in (known / "in").iterdir():
        path.unlink()
    done = run("tap", "--to", "out", "--yes")
    assert done.exit_code == 4
    assert "left: in/tap-wood.flac: is not there any more" in done.stderr
    assert not (known / "out").exists()


@pytest.mark.parametrize(
    "named", [["in/tap-wood.flac"], ["path:tap-wood", "--model", "shipped"]], ids=["path", "model"]
)
def test_what_changed_and_is_named_or_labelled_anew_is_taken_as_it_is_now(known, named):
    change(known / "in/tap-wood.flac")
    named = [SHIPPED if word == "shipped" else word for word in named]
    done = run(*named, "--to", "out", "--yes", "--label", "tap")
    assert (done.exit_code, "has changed" in done.stderr) == (0, False), done.stderr
    with (known / "out/clips.csv").open(newline="", encoding="utf-8") as file:
        assert {row["model"] for row in csv.DictReader(file)} == {load_model(SHIPPED).id}


@pytest.fixture
def answered(known):
    """What people told of the demo clips, other than the model."""
    with Catalogue.open(str(known / "library.sqlite")) as catalogue:
        catalogue.correct(["in/tap-keys.flac"], Correction(tags=()))
        catalogue.answer("in/tap-keys.flac", 1, 3, ["tap", "key_clicks"], ["tap", "whisper"])
        catalogue.answer("in/crinkle-paper.flac", 2, 4, [], ["crinkle", "tap"])
        catalogue.answer("in/none-silence.flac", 0.5, 2, ["whisper"], ["whisper", "tap"])
        catalogue.answer("in/tap-wood.flac", 0.5, 2.5, ["speech"], ["speech"])
    return known


def rows_of(folder):
    return sorted(
        (row["source"], row["label"], row["labels"], float(row["start"]), float(row["end"]))
        for row in csv.DictReader(io.StringIO((folder / "clips.csv").read_text()))
    )


def test_what_people_answered_is_cut_out(answered):
    done = run("--answered", "--to", "out", "--group-by", "{stem}", "--yes")
    assert done.exit_code == 0, done.stderr
    silence, keys = rows_of(answered / "out")
    assert keys[0] == "tap-keys.flac"
    assert {keys[1], *keys[2].split(",")} == {"tap", "key_clicks"}
    assert keys[2].startswith(keys[1])
    assert keys[3:] == (1.0, 3.0)
    assert silence == ("none-silence.flac", "whisper", "whisper", 0.5, 2.0)
    card = (answered / "out/README.md").read_text()
    assert "labelled by people; scores are by tiny@0.1." in card
    assert "- Labels and times are what people answered about stretches" in card
    assert "Nobody has checked" not in card
    assert "Left out as set by hand" not in card


@pytest.mark.usefixtures("answered")
def test_the_timelines_of_a_model_are_not_kept_where_those_of_people_are_cut(monkeypatch):
    """A catalogue may have millions of segments."""
    given, of_all = [], select.select_as_labelled
    monkeypatch.setattr(
        select,
        "select_as_labelled",
        lambda *x, **options: given.append(of_all(*x, **options)) or given[-1],
    )
    assert run("in", "--answered", "--to", "out", "--dry-run").exit_code == 0
    (selected,) = given
    assert len(selected.results) > 5
    assert {result.segments for result in selected.results} == {()}


def test_of_what_people_answered_labels_choose(answered):
    done = run("in", "--answered", "--label", "speech,key_clicks", "--to", "out", "--yes")
    assert done.exit_code == 0, done.stderr
    assert [(row[0], row[1]) for row in rows_of(answered / "out")] == [
        ("tap-keys.flac", "key_clicks"),
        ("tap-wood.flac", "speech"),
    ]


DENIED = "crinkle was answered as not heard there"


def test_what_people_answered_as_not_heard_is_not_cut_out(answered):
    """Also where a model hears it; what it hears beside that, or people heard themselves, stays."""
    with Catalogue.open(str(answered / "library.sqlite")) as catalogue:
        catalogue.answer("in/crinkle-plastic.flac", 0, 6, [], ["crinkle"])
        catalogue.answer("in/crinkle-plastic.flac", 1, 2.5, ["crinkle"], [])
    done = run("--label", "crinkle", "--to", "out", "--group-by", "{stem}", "--yes")
    assert done.exit_code == 0, done.stderr
    assert rows_of(answered / "out") == [
        ("crinkle-paper.flac", "crinkle", "crinkle", 1.0, 2.0),
        ("crinkle-plastic.flac", "crinkle", "crinkle", 1.0, 2.5),
    ]
    assert f"left out: in/crinkle-paper.flac 2.000-4.000 s: {DENIED}\n" in done.stderr
    with (answered / "out/left-out.csv").open(newline="", encoding="utf-8") as file:
        left = sorted(map(tuple, csv.reader(file)))
    assert left == [
        ("crinkle-paper.flac", "2.000", "4.000", "crinkle", DENIED),
        ("crinkle-plastic.flac", "2.500", "4.000", "crinkle", DENIED),
        ("source", "start", "end", "label", "reason"),
    ]
    card = (answered / "out/README.md").read_text()
    assert "Left out as answered not to be heard: 2 (see left-out.csv)." in card


def test_stretches_that_were_answered_as_not_heard_are_told_once_a_recording(answered):
    with Catalogue.open(str(answered / "library.sqlite")) as catalogue:
        for start in (0, 2, 3):
            catalogue.answer("in/crinkle-plastic.flac", start, start + 0.5, [], ["crinkle"])
    done = run("--label", "crinkle", "--min", "0.1s", "--to", "out", "--dry-run")
    told = [line for line in done.stderr.splitlines() if DENIED in line]
    assert told == [
        f"left out: in/crinkle-paper.flac 2.000-4.000 s: {DENIED}",
        f"left out: in/crinkle-plastic.flac 2.000-2.500 s and 1 stretch more: {DENIED}",
    ]


def test_where_all_was_answered_as_not_heard_that_is_said(known):
    with Catalogue.open(str(known / "library.sqlite")) as catalogue:
        catalogue.answer("in/crinkle-paper.flac", 0, 6, [], ["crinkle"])
    done = run("in/crinkle-paper.flac", "--to", "out", "--yes")
    assert done.exit_code == 4
    assert done.stderr.endswith(f"nothing fits, of 1 recording ({DENIED}); nothing is written\n")
    asked = run("in/crinkle-paper.flac", "--label", "tap", "--to", "out", "--yes")
    assert "(segments of 1 s or more: --min)" in asked.stderr


def test_where_nobody_answered_that_is_said(answered):
    done = run("in/crinkle-paper.flac", "--answered", "--to", "out", "--yes")
    assert done.exit_code == 4
    assert "(nobody answered that it is heard: 'review'); nothing is written" in done.stderr
    wrong = run("--answered", "--score", "0.5..", "--to", "out", "--yes")
    assert "--score is of what the model hears" in wrong.stderr
    assert not (answered / "out").exists()


@pytest.mark.usefixtures("library")
def test_few_clips_to_learn_from_are_told(monkeypatch):
    """Parts go by makers, so that a large one may be held out."""
    arguments = ("in", "--to", "out", "--group-by", "{stem}", "--dry-run")
    assert "clips are in train" not in run(*arguments).stderr
    monkeypatch.setattr("asmr_classify.cli.extract.LEAST_LEARNT", 1.0)
    told = " ".join(run(*arguments).stderr.split())
    assert re.search(r"warning: \d+ of \d+ clips are in train: makers are few, or differ", told)
