"""``train`` and ``evaluate``: the demo clips are too few for a good model, but enough for a run."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys

import pytest
from typer.testing import CliRunner

from asmr_classify.cli.app import app
from asmr_classify.cli.fitting import training_spec
from asmr_classify.labels import TRIGGERS
from asmr_classify.model import load_model
from asmr_classify.training.plots import PICTURES
from asmr_classify.training.record import load_record
from asmr_classify.training.takes import MOST_SCENES
from tests.conftest import DEMO

QUICK = ["--members", "1", "--copies", "0", "--scenes", "0", "--rounds", "2", "--jobs", "1"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    cache = str(tmp_path_factory.mktemp("cache"))

    def invoke(command, *arguments):
        extra = ["--cache", cache, *QUICK]
        return CliRunner().invoke(app, [command, *map(str, arguments), *extra])

    return invoke


def test_train_writes_a_model_with_its_card(run, tmp_path):
    output = tmp_path / "mine.safetensors"
    done = run("train", DEMO / "manifest.csv", "--output", output, "--version", "2.0")
    assert done.exit_code == 0, done.output
    assert load_model(output).id == "mine@2.0"
    card = (tmp_path / "mine.md").read_text()
    assert card.startswith("# mine@2.0")
    assert "mean AP" in done.stderr
    assert done.stdout == ""
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", card)
    assert len(shown) == len(PICTURES)
    assert all((tmp_path / link).is_file() for link in shown)
    record = load_record(tmp_path / "mine.evaluation.json", load_model(output))
    assert f"| every clip alike | {record.measures().mean_average_precision:.3f} |" in card
    assert {clip.name for clip in record.clips} == {path.name for path in DEMO.glob("*.flac")}
    assert str(DEMO) not in card
    assert "warning: small labels: whisper (3 clips of 3 groups), tap" in done.stderr
    assert not list(tmp_path.rglob("*.part"))


def test_sounds_need_a_teacher(run, tmp_path):
    for command, name in (("train", "x.safetensors"), ("evaluate", "p.jsonl")):
        options = ("--sounds", DEMO, "--output", tmp_path / name)
        done = run(command, DEMO / "manifest.csv", *options)
        assert done.exit_code == 2
        assert "name one by --teacher" in " ".join(done.stderr.split())


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_teacher_that_is_not_there_is_told_before_any_work(run, tmp_path, command):
    output = tmp_path / ("x.safetensors" if command == "train" else "p.jsonl")
    options = ("--teacher", tmp_path / "none.tflite", "--output", output)
    done = run(command, DEMO / "manifest.csv", *options)
    assert done.exit_code == 2
    assert done.stderr.strip().endswith("none.tflite: no such file")
    assert "features" not in done.stderr


def test_kinds_of_too_few_makers_are_warned_of(run, tmp_path):
    table = tmp_path / "kinds.csv"
    table.write_text("kind,labels\nwhispering,whisper\n")
    options = ("--kinds", table, "--output", tmp_path / "p.jsonl")
    done = run("evaluate", DEMO / "manifest.csv", *options)
    assert done.exit_code == 0, done.output
    assert "no kind of it has clips of 8 groups, so none is learnt" in " ".join(done.stderr.split())


def test_evaluate_writes_predictions_of_every_clip_and_a_page(run, tmp_path):
    output, page = tmp_path / "p.jsonl", tmp_path / "page.html"
    done = run("evaluate", DEMO / "manifest.csv", "--output", output, "--html", page, "--quiet")
    assert done.exit_code == 0, done.output
    records = [json.loads(line) for line in output.read_text().splitlines()]
    assert {r["path"] for r in records} == {str(p) for p in DEMO.glob("*.flac")}
    assert {r["status"] for r in records} == {"ok", "silent"}
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith("warning: small labels: ")  # what goes wrong, and what was asked for
    (first,) = (k for k, line in enumerate(lines) if line.startswith("by clip: mean AP "))
    by_clip, by_group = lines[first : first + 5], lines[first + 5 :]
    assert [line.split(":")[0].strip() for line in by_clip[1:]] == [*TRIGGERS]
    assert by_group[0].startswith("by group: mean AP ")
    assert len(by_group) == len(by_clip)
    assert "12 clips of 12" in page.read_text(encoding="utf-8")


def test_without_matplotlib_a_model_is_trained_and_the_lack_is_told(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    page = tmp_path / "page.html"
    refused = run("evaluate", DEMO / "manifest.csv", "-o", tmp_path / "p.jsonl", "--html", page)
    assert refused.exit_code == 1
    assert "pip install 'asmr-classify[plots]'" in refused.stderr
    assert not (tmp_path / "p.jsonl").exists()
    done = run("train", DEMO / "manifest.csv", "--output", tmp_path / "mine.safetensors")
    assert done.exit_code == 0, done.output
    assert "without pictures; they need matplotlib" in done.stderr
    assert "![" not in (tmp_path / "mine.md").read_text()
    assert (tmp_path / "mine.evaluation.json").is_file()


@pytest.mark.parametrize(
    ("command", "name", "what"),
    [("train", "m.safetensors", "model was"), ("evaluate", "p.jsonl", "predictions were")],
)
def test_an_interrupt_tells_what_is_not_there(run, tmp_path, monkeypatch, command, name, what):
    def interrupt(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("asmr_classify.training.prepare.prepare", interrupt)
    done = run(command, DEMO / "manifest.csv", "--output", tmp_path / name, "--quiet")
    assert done.exit_code == 130
    told = f"interrupted: no {what} written; features and fits so far are kept\n"
    assert done.stderr.endswith(told)
    assert done.stderr.startswith("warning: small labels: ")
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_what_cannot_be_read_or_written_is_told_before_the_work(run, tmp_path, command):
    good = "m.safetensors" if command == "train" else "p.jsonl"
    gone = run(command, tmp_path / "none.csv", "--output", tmp_path / good)
    assert gone.exit_code == 1
    assert "there is no such folder or manifest; check the name" in gone.stderr
    nowhere = run(command, DEMO / "manifest.csv", "--output", tmp_path / "no" / "folder" / good)
    assert nowhere.exit_code == 1
    assert "cannot be written there" in nowhere.stderr


def test_a_model_file_has_its_ending(run, tmp_path):
    done = run("train", DEMO / "manifest.csv", "--output", tmp_path / "model.pkl")
    assert done.exit_code == 2
    assert "ends in .safetensors" in done.stderr


def test_wrong_rows_of_a_manifest_are_told_line_by_line(run, tmp_path):
    manifest = tmp_path / "m.csv"
    manifest.write_text("path,trigger,group\na.wav,tap,me\nb.wav,,me\n")
    done = run("evaluate", manifest, "--output", tmp_path / "p.jsonl")
    assert done.exit_code == 1
    told = done.stderr.splitlines()
    assert told[0] == f"error: {manifest}: 2 rows are wrong:"
    assert told[1] == f"  line 2: {tmp_path / 'a.wav'}: no such file"
    assert told[2] == "  line 3: nothing in column trigger"


@pytest.fixture
def mine(tmp_path):
    """A folder per label, with the same recordings by three makers."""
    for maker in range(3):
        for clip, label in (("tap-wood", "knock"), ("noise-pink", "hiss"), ("none-talk", "none")):
            place = tmp_path / "mine" / label / f"maker-{maker}" / f"{clip}.flac"
            place.parent.mkdir(parents=True)
            shutil.copy(DEMO / f"{clip}.flac", place)
    return tmp_path / "mine"


def test_a_folder_per_label_trains_a_model_with_those_labels(run, mine, tmp_path):
    output = tmp_path / "mine.safetensors"
    done = run("train", mine, "--output", output, "--rename", "hiss=white_noise")
    assert done.exit_code == 0, done.output
    assert load_model(output).labels == ("white_noise", "other", "knock")
    assert "hold the same sound and are in different folds" in done.stderr
    assert "4 more pairs hold the same sound" in done.stderr
    assert str(tmp_path) not in (tmp_path / "mine.md").read_text()
    labelled = CliRunner().invoke(
        app, ["label", str(DEMO / "tap-wood.flac"), "--model", str(output), "-f", "jsonl", "-q"]
    )
    assert json.loads(labelled.stdout)["trigger"] == "knock"


def test_figures_that_clips_of_one_label_cannot_tell_are_not_told(run, mine, tmp_path):
    for label in ("hiss", "none"):
        shutil.rmtree(mine / label)
    done = run("train", mine, "--output", tmp_path / "m.safetensors")
    assert done.exit_code == 0, done.output
    assert "by clip: mean AP n/a, macro-F1" in done.stderr
    assert "knock: AP n/a" in done.stderr
    card = (tmp_path / "m.md").read_text()
    assert "| every clip alike | n/a |" in card
    assert "How far other groups of the same kind would change figures, its clips do not" in card
    shown = CliRunner().invoke(app, ["model", "show", str(tmp_path / "m.safetensors"), "--json"])
    by_clip = json.loads(shown.stdout)["evaluation"]["by_clip"]
    assert by_clip["mean_average_precision"] is by_clip["average_precision"]["knock"] is None


def test_a_wrong_rename_is_wrong_usage(run, tmp_path):
    done = run("train", DEMO / "manifest.csv", "-o", tmp_path / "m.safetensors", "--rename", "tap")
    assert done.exit_code == 2
    assert "--rename tap: give OLD=NEW" in done.stderr


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("song.flac", b"fLaC\0\xff", "named like a recording", id="recording"),
        pytest.param("notes.jsonl", b"my notes\n", "was not written by this program", id="text"),
    ],
)
def test_evaluate_writes_over_earlier_predictions_only(run, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    done = run("evaluate", DEMO / "manifest.csv", "--output", tmp_path / name)
    assert done.exit_code == 2
    assert message in done.stderr
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize(
    "name", ["m.safetensors", "m.md", "m.evaluation.json", "m.figures/confusion.svg"]
)
def test_train_writes_over_nothing_of_others(run, tmp_path, name):
    mine = tmp_path / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("# m\n\nmine\n")
    done = run("train", DEMO / "manifest.csv", "--output", tmp_path / "m.safetensors")
    assert done.exit_code == 2
    assert "so it is left alone; remove it, or name another file" in done.stderr
    assert mine.read_text() == "# m\n\nmine\n"
    assert [x for x in tmp_path.rglob("*") if x.is_file()] == [mine]


@pytest.mark.parametrize(
    "name", ["m.safetensors", "m.md", "m.evaluation.json", "m.figures/confusion.svg"]
)
def test_train_refuses_what_is_read_only_before_it_begins(run, tmp_path, deny, name):
    for path in (tmp_path / "m.safetensors", tmp_path / name):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    deny(str(tmp_path / name))
    done = run("train", DEMO / "manifest.csv", "--output", tmp_path / "m.safetensors")
    assert done.exit_code == 1
    assert f"{tmp_path / name}: is read-only: write elsewhere, or change" in done.stderr
    assert (tmp_path / name).stat().st_size == 0


def test_training_again_replaces_the_earlier_model(run, tmp_path):
    output = tmp_path / "m.safetensors"
    beside = tmp_path / "m.safetensors.part"
    beside.write_text("mine")
    for version, how in (("1.0", QUICK), ("2.0", [])):
        arguments = ["--output", output, "--version", version, "--quiet", *how]
        done = run("train", DEMO / "manifest.csv", *arguments)
        assert done.exit_code == 0, done.output
    assert load_model(output).id == "m@2.0"
    assert (tmp_path / "m.md").read_text().startswith("# m@2.0")
    assert beside.read_text() == "mine"


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_the_probe_of_a_folder_touches_no_file(run, tmp_path, command):
    good = "m.safetensors" if command == "train" else "p.jsonl"
    beside = tmp_path / f"{good}.part"
    beside.write_text("mine")
    assert run(command, tmp_path / "none.csv", "--output", tmp_path / good).exit_code == 1
    assert beside.read_text() == "mine"


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_the_help_tells_how_many_scenes_are_made_at_most(command):
    assert MOST_SCENES == 2
    done = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "300"})
    assert "at most two are made for each clip of the fold" in done.stdout


@pytest.mark.parametrize(
    ("rounds", "is_taught", "fitted"), [(None, False, 100), (None, True, 0), (7, True, 7)]
)
def test_with_a_teacher_no_trees_are_fitted_unless_asked_for(rounds, is_taught, fitted):
    spec = training_spec(
        seed=0, members=None, copies=None, scenes=None, rounds=rounds, is_taught=is_taught
    )
    assert spec.fit.tree_rounds == fitted


@pytest.mark.parametrize(
    ("command", "name", "written"),
    [("train", "m.safetensors", "m.evaluation.json"), ("evaluate", "p.jsonl", "p.jsonl")],
)
def test_an_unreadable_clip_is_named_and_left_out(run, mine, tmp_path, command, name, written):
    clip = mine / "knock" / "maker-1" / "broken.flac"
    clip.write_bytes(b"fLaC and no more")
    done = run(command, mine, "--output", tmp_path / name)
    assert done.exit_code == 3, done.output
    told = " ".join(done.stderr.split())
    assert re.search(rf"warning: {re.escape(str(clip))}: .*; the clip is left out", told)
    assert told.endswith("1 clip could not be read and was left out; each is named above")
    assert (tmp_path / written).read_text().count(".flac") == 9


def test_a_second_evaluation_decodes_nothing_and_makes_no_record_for_nobody(tmp_path, monkeypatch):
    command = ["evaluate", DEMO / "manifest.csv", "--cache", tmp_path / "cache", *QUICK, "-o"]
    first, again = tmp_path / "p.jsonl", tmp_path / "again.jsonl"
    assert CliRunner().invoke(app, [*map(str, command), str(first)]).exit_code == 0

    def refuse(*_, **__):
        pytest.fail("not needed")

    for module in ("readable", "takes"):
        monkeypatch.setattr(f"asmr_classify.training.{module}.read_audio", refuse)
    monkeypatch.setattr("asmr_classify.training.record.EvaluationRecord.of_evaluation", refuse)
    done = CliRunner().invoke(app, [*map(str, command), str(again)])
    assert done.exit_code == 0, done.output
    assert again.read_text() == first.read_text()


def test_one_file_under_two_labels_is_warned_of(run, mine, tmp_path):
    shutil.copy(DEMO / "tap-wood.flac", mine / "hiss" / "maker-0")
    done = run("evaluate", mine, "--output", tmp_path / "p.jsonl")
    assert done.exit_code == 0, done.output
    told = " ".join(done.stderr.split())
    assert "knock/maker-0/tap-wood.flac (knock)" in told
    assert "hiss/maker-0/tap-wood.flac (hiss)" in told
    assert told.count("are the same file with other labels, of which one is wrong: keep one") == 1


def test_what_is_likely_wrong_with_a_corpus_is_written_as_a_table(run, mine, tmp_path):
    pytest.importorskip("cleanlab", reason="cleanlab is not installed")
    shutil.copy(DEMO / "tap-wood.flac", mine / "hiss" / "maker-0")
    issues, output = tmp_path / "issues.csv", tmp_path / "p.jsonl"
    done = run("evaluate", mine, "--output", output, "--issues", issues)
    assert done.exit_code == 0, done.output
    with issues.open(newline="") as file:
        rows = list(csv.DictReader(file))
    [against] = [row for row in rows if row["issue"] == "contradiction"]
    assert {against["labels"], against["other_labels"]} == {"knock", "hiss"}
    assert str(mine / "hiss/maker-0/tap-wood.flac") in {against["path"], against["other"]}
    copies = [row for row in rows if row["issue"] == "copy"]
    assert len(copies) >= 9
    assert all(float(row["difference"]) == 0 for row in copies)
    assert "issues.csv: contradiction 1, " in done.stderr
    lines = tmp_path / "issues.jsonl"
    quiet = run("evaluate", mine, "-o", output, "--issues", lines, "-q")
    assert quiet.exit_code == 0
    assert "issues.jsonl: " not in quiet.stderr
    assert "are the same file with other labels" in " ".join(quiet.stderr.split())
    records = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [x["path"] for x in records] == [row["path"] for row in rows]
    assert records[0]["labels"] in (["knock"], ["hiss"])


@pytest.mark.parametrize("name", ["issues.txt", "theirs.csv"])
def test_a_table_of_issues_is_refused_before_the_work(run, tmp_path, monkeypatch, name):
    (tmp_path / "theirs.csv").write_text("a,b\n")
    options = ("--output", tmp_path / "p.jsonl", "--issues", tmp_path / name)
    done = run("evaluate", DEMO / "manifest.csv", *options)
    assert done.exit_code == 2
    assert name in done.stderr
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    done = run("evaluate", DEMO / "manifest.csv", *options[:-1], tmp_path / "issues.csv")
    assert "--issues needs cleanlab, which is not installed" in done.stderr
    assert not (tmp_path / "p.jsonl").exists()
