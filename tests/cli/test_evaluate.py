"""``evaluate --model``: a model judged as it is."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from asmr_classify.cli.app import app
from asmr_classify.model import shipped_model_path
from asmr_classify.training.record import load_record, record_path, save_record
from tests.conftest import DEMO


@pytest.fixture
def judge(tmp_path):
    def invoke(*arguments, model="shipped"):
        options = ["--model", model, "--output", tmp_path / "p.jsonl", "--jobs", "1"]
        done = CliRunner().invoke(app, ["evaluate", *map(str, [*arguments, *options])])
        return done, " ".join(done.stderr.split())

    return invoke


@pytest.fixture
def manifest(tmp_path):
    """Write a manifest of some demo clips with triggers of one's own, all of one group."""

    def write(**triggers):
        with (tmp_path / "mine.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("path", "trigger", "group"))
            for name, trigger in triggers.items():
                clip = f"{name.replace('_', '-')}.flac"
                shutil.copy(DEMO / clip, tmp_path)
                writer.writerow((clip, trigger, "me"))
        return tmp_path / "mine.csv"

    return write


def predictions(tmp_path):
    return [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]


def test_the_predictions_are_those_of_label(judge, tmp_path):
    page = tmp_path / "page.html"
    done, told = judge(DEMO / "manifest.csv", "--html", page)
    assert done.exit_code == 0, done.output
    arguments = ["label", str(DEMO), "-f", "jsonl", "--quiet"]
    labelled = CliRunner().invoke(app, arguments)
    assert labelled.exit_code == 0, labelled.output
    expected = {Path(r["path"]).name: r for r in map(json.loads, labelled.stdout.splitlines())}
    found = predictions(tmp_path)
    assert len(found) == len(expected) == 12
    for each in found:
        same = expected[Path(each["path"]).name]
        assert each["tags"] == same["tags"]
        assert each["scores"] == pytest.approx(same["scores"], abs=1e-3)
    assert "by clip: mean AP 1.000, macro-F1 1.000, false tags 0.000, ECE 0.0" in told
    assert "only if it was fitted on none of the clips" in told
    assert "warning" not in told
    shown = page.read_text(encoding="utf-8")
    assert "how it does on 12 clips" in shown
    assert "labelled by this model as it is: 12 clips of 12 groups" in shown
    assert "never heard its group" not in shown


def test_triggers_that_the_model_does_not_know_are_left_out_and_named(judge, manifest, tmp_path):
    clips = {"tap_wood": "tap,brush", "noise_pink": "brush", "none_talk": "none"}
    done, told = judge(manifest(**clips))
    assert done.exit_code == 0, done.output
    assert "does not know brush (2 clips); 1 clip that holds nothing else is left out" in told
    assert [each["path"].rsplit("/")[-1] for each in predictions(tmp_path)] == [
        "tap-wood.flac",
        "none-talk.flac",
    ]
    assert "brush: AP" not in told
    renamed, told = judge(manifest(**clips), "--rename", "brush=white_noise")
    assert renamed.exit_code == 0, renamed.output
    assert "white_noise: AP 1.000" in told
    assert "does not know" not in told


def test_triggers_that_no_clip_holds_have_their_line_too(judge, manifest, tmp_path):
    """What they are tagged with, wrongly or not, would be nowhere to be seen."""
    clips = manifest(tap_wood="tap", noise_pink="none", noise_fan="none", none_talk="none")
    page = tmp_path / "page.html"
    done, told = judge(clips, "--html", page)
    assert done.exit_code == 0, done.output
    assert told.count("tap: AP 1.000, F1 1.000, recall 1.000") == 2
    line = "white_noise: AP n/a, F1 n/a, recall n/a: no clip holds it, and 2 of 4 are tagged with"
    assert told.count(line) == 2
    assert "crinkle: AP n/a, F1 n/a, recall n/a: no clip holds it, and 0 of 4" in told
    assert "speech" not in told
    shown = page.read_text(encoding="utf-8")
    assert "white_noise: no clip holds it, and 2 of 4 are tagged with it" in shown
    cells = r"<td>trigger</td>(<td>0</td>){2}<td>0\.\d\d</td>(<td>n/a</td>){5}"
    assert re.search(rf">white_noise</th>{cells}</tr>", shown)


def test_quiet_leaves_figures_and_what_goes_wrong(judge, manifest):
    clips = manifest(tap_wood="tap", noise_pink="brush", none_talk="none")
    done, told = judge(clips, "--quiet")
    assert done.exit_code == 0, done.output
    assert told.startswith("warning: asmr-4@")
    assert "does not know brush (1 clip)" in told
    assert "by clip: mean AP 1.000" in told
    assert "labelled the clips as it is" not in told


def test_a_model_that_knows_no_trigger_of_the_clips_cannot_be_judged(judge, manifest):
    done, told = judge(manifest(noise_pink="hiss", none_talk="none"))
    assert done.exit_code == 1
    assert "knows none of hiss, which the clips hold; its labels are whisper, tap" in told


def test_what_is_for_fitting_is_refused(judge):
    for option, value in (("--members", 1), ("--rounds", 0), ("--seed", 3), ("--cache", "x")):
        done, told = judge(DEMO / "manifest.csv", option, value)
        assert done.exit_code == 2
        assert f"--model fits nothing, and {option} is for fitting: leave one out" in told
    done, told = judge(DEMO / "manifest.csv", "--issues", "issues.csv")
    assert done.exit_code == 2
    assert "--issues issues.csv: models tell it that never heard the maker of a clip" in told


@pytest.mark.parametrize(("option", "name"), [("--issues", "a.jsonl"), ("--html", "./a.jsonl")])
def test_two_outputs_are_not_one_file(option, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["evaluate", str(DEMO / "manifest.csv"), "--output", "a.jsonl", option, name]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    told = f"{option} a.jsonl: is the file of --output too; name another one"
    assert told in " ".join(done.stderr.split())
    assert not (tmp_path / "a.jsonl").exists()


def test_clips_of_groups_that_the_model_was_fitted_on_are_warned_of(judge, tmp_path):
    model = tmp_path / "mine.safetensors"
    shutil.copy(shipped_model_path(), model)
    record = load_record(record_path(shipped_model_path()))
    first, *others = record.clips
    heard = replace(first, group="tap-wood")
    save_record(replace(record, clips=(heard, *others)), record_path(model))
    done, told = judge(DEMO / "manifest.csv", model=model)
    assert done.exit_code == 0, done.output
    assert "warning: 1 of 12 clips are of groups by whose names asmr-4@" in told
    assert "(tap-wood): it has heard them, or others like them" in told


def test_a_record_that_is_none_is_warned_of(judge, tmp_path):
    model = tmp_path / "mine.safetensors"
    shutil.copy(shipped_model_path(), model)
    record_path(model).write_text("{}")
    done, told = judge(DEMO / "manifest.csv", model=model)
    assert done.exit_code == 0, done.output
    assert "damaged (no format 2); train the model again; so whether it has heard" in told


def test_an_unreadable_clip_is_named_and_left_out(judge, manifest, tmp_path):
    path = manifest(tap_wood="tap", none_talk="none", noise_pink="white_noise")
    (tmp_path / "noise-pink.flac").write_bytes(b"fLaC and no more")
    done, told = judge(path, "--quiet")
    assert done.exit_code == 3
    assert re.search(r"warning: \S+noise-pink\.flac: .*; the clip is left out", told)
    assert "1 clip could not be read" in told
    assert "white_noise: AP n/a, F1 n/a, recall n/a: no clip holds it" in told
    assert len(predictions(tmp_path)) == 2


def test_no_model_of_that_name(judge, tmp_path):
    done, told = judge(DEMO / "manifest.csv", model=tmp_path / "none.safetensors")
    assert done.exit_code == 1
    assert "no such model file; for the shipped one give --model shipped" in told
    assert not (tmp_path / "p.jsonl").exists()
