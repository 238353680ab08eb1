"""``asmr-classify teach``."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from asmr_classify.catalogue import Catalogue, default_path
from asmr_classify.cli.app import app
from asmr_classify.cli.teach import _gather
from asmr_classify.labels import TRIGGERS
from asmr_classify.library.makers import Maker
from asmr_classify.training.answers import said_of_clips
from asmr_classify.training.layouts import read_clips
from tests.conftest import DEMO
from tests.media.make_media import write_float_wav

KEYS = ["tap-keys.flac", "tap-wood.flac"]
OTHERS = ["crinkle-paper.flac", "noise-fan.flac", "none-talk.flac", "whisper-slow.flac"]


@pytest.fixture
def run(monkeypatch):
    """Runs the program."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return call


@pytest.fixture
def folders(tmp_path):
    for label, names in {"keys": KEYS, "none": OTHERS}.items():
        for name in names:
            folder = tmp_path / "sorted" / label / name.partition(".")[0]
            folder.mkdir(parents=True)
            shutil.copy(DEMO / name, folder)
    return tmp_path / "sorted"


def test_folders_teach_a_label_that_is_then_labelled(run, folders, tmp_path):
    mine = tmp_path / "mine.safetensors"
    done = run("teach", folders, "--output", mine, "--cache", tmp_path / "cache")
    assert done.exit_code == 0, done.stderr
    assert "keys" in done.stdout
    assert "too few answers to tell" in done.stdout
    card = mine.with_suffix(".md").read_text()
    assert card.startswith("# mine@1.0.0\n\nBy `asmr-classify teach`, on top of asmr-4@")
    row = "| keys | 2 | 4 | 2 | too few answers to tell |  | 0 of 4, at most 53% | new |"
    assert row in card
    told = " ".join(done.stderr.split())
    assert "note: keys: of the 4 examples that do not hold it 0 were tagged when their" in told
    assert "so up to 53% of a library may be, whatever AP says" in told
    done = run(
        "label",
        DEMO / "tap-keys.flac",
        DEMO / "none-talk.flac",
        "--model",
        mine,
        "-q",
        "--format",
        "jsonl",
    )
    records = [json.loads(line) for line in done.stdout.splitlines()]
    scores = {record["path"].rsplit("/", 1)[-1]: record["scores"] for record in records}
    assert scores["tap-keys.flac"]["keys"] > scores["none-talk.flac"]["keys"]
    shipped = run("label", DEMO / "none-talk.flac", "-q", "--format", "jsonl")
    before = json.loads(shipped.stdout)["scores"]
    assert {k: v for k, v in scores["none-talk.flac"].items() if k != "keys"} == before
    # taught again, in its own place
    again = run("teach", folders, "--output", mine, "-q", "--cache", tmp_path / "cache")
    assert again.exit_code == 0, again.stderr
    assert "too few answers to tell" in again.stdout
    assert "mine.safetensors" not in again.stderr


def test_one_example_is_too_few_for_a_threshold_which_is_said(run, folders, tmp_path):
    shutil.rmtree(folders / "keys" / KEYS[0].partition(".")[0])
    mine = tmp_path / "mine.safetensors"
    done = run("teach", folders, "--output", mine, "-q", "--cache", tmp_path / "cache")
    assert done.exit_code == 0, done.stderr
    told = " ".join(done.stderr.split())
    assert "note: keys: 1 examples hold it and 4 do not, too few to choose a threshold" in told
    assert "give 2 or more of each" in told
    assert "| keys | 1 | 4 | 1 | too few answers for a threshold |" in (
        mine.with_suffix(".md").read_text()
    )
    shutil.copytree(tmp_path / "sorted" / "keys", tmp_path / "both" / "keys")
    shutil.copytree(tmp_path / "sorted" / "none", tmp_path / "both" / "none")
    shutil.copy(DEMO / KEYS[0], tmp_path / "both" / "keys")
    done = run("teach", tmp_path / "both", "--output", mine, "-q", "--cache", tmp_path / "cache")
    assert "threshold" not in done.stderr
    heard = run("label", *(DEMO / name for name in KEYS), "--model", mine, "-q", "-f", "jsonl")
    assert all("keys" in json.loads(line)["tags"] for line in heard.stdout.splitlines())


def test_a_label_that_is_not_found_in_its_own_examples_is_told(run, tmp_path):
    odd = {"tap-keys.flac", "whisper-slow.flac", "noise-pink.flac", "none-melody.flac"}
    for clip in sorted(DEMO.glob("*.flac")):
        folder = tmp_path / "sorted" / ("odd" if clip.name in odd else "none") / clip.stem
        folder.mkdir(parents=True)
        shutil.copy(clip, folder)
    mine = tmp_path / "mine.safetensors"
    done = run("teach", tmp_path / "sorted", "--output", mine, "-q", "--cache", tmp_path / "cache")
    assert done.exit_code == 0, done.stderr
    told = " ".join(done.stderr.split())
    assert "note: odd: what was learnt finds it in none of the 4 examples that hold it" in told
    assert "| new, but found in none of its own |" in mine.with_suffix(".md").read_text()
    clips = [DEMO / name for name in sorted(odd)]
    heard = run("label", *clips, "--model", mine, "-q", "-f", "jsonl").stdout.splitlines()
    assert ["odd" in json.loads(line)["tags"] for line in heard] == [False] * len(odd)


def test_the_card_of_a_taught_model_is_named_where_figures_are_asked(run, folders, tmp_path):
    mine = tmp_path / "mine.safetensors"
    assert run("teach", folders, "--output", mine, "-q").exit_code == 0
    shown = run("model", "show", mine)
    assert shown.exit_code == 0
    assert f"was taught: {mine.with_suffix('.md')} tells" in shown.stderr
    assert "evaluation" not in shown.stderr
    mine.with_suffix(".md").unlink()
    shown = run("model", "show", mine, "--html", tmp_path / "page.html")
    assert shown.exit_code == 1
    assert "mine.md: missing; teach writes there" in " ".join(shown.stderr.split())


def test_answers_and_corrections_of_the_catalogue_teach(run, tmp_path):
    names = [*KEYS, *OTHERS]
    assert run("label", *(DEMO / name for name in names), "--catalogue", "-q").exit_code == 0
    with Catalogue.open(default_path()) as catalogue:
        for name in names:
            labels = ("keys",) if name in KEYS else ()
            catalogue.answer(str(DEMO / name), 0.0, 5.0, labels, ("keys",))
    assert run("set", DEMO / "crinkle-paper.flac", "trigger=none", "-q").exit_code == 0
    assert run("set", DEMO / "tap-keys.flac", "trigger=crinkle,tap", "-q").exit_code == 0
    mine = tmp_path / "mine.safetensors"
    done = run("teach", "--output", mine, "--group-by", "recording")
    assert done.exit_code == 0, done.stderr
    taught = {line.split()[0] for line in done.stdout.splitlines()[1:]}
    assert "keys" in taught
    assert "crinkle" in taught
    only = run("teach", "--only", "keys", "--output", mine)
    assert {line.split()[0] for line in only.stdout.splitlines()[1:]} == {"keys"}


def test_what_lies_in_folders_of_labels_is_not_taken_for_what_nobody_spoke_of(run, folders):
    assert run("label", DEMO, folders, "--catalogue", "-q", "--output", "-").exit_code == 0
    with Catalogue.open(default_path()) as known:
        known.answer(str(DEMO / "none-melody.flac"), 0, 5, ["music"], ["music"])
    said, _ = _gather(
        said_of_clips(read_clips([folders])), Path(default_path()), Maker.CREATOR, TRIGGERS
    )
    unasked = {Path(each.path) for each in said if not each.asked}
    assert unasked
    assert not any(path.is_relative_to(folders) for path in unasked)


def test_recordings_that_vanished_are_told_and_the_others_teach(run, folders, tmp_path):
    assert run("label", folders, "--catalogue", "-q").exit_code == 0
    with Catalogue.open(default_path()) as catalogue:
        for path in sorted(folders.rglob("*.flac")):
            labels = ("keys",) if path.name in KEYS else ()
            catalogue.answer(str(path), 0.0, 5.0, labels, ("keys",))
    gone = folders / "none" / "none-talk" / "none-talk.flac"
    gone.unlink()
    done = run("teach", "--output", tmp_path / "mine.safetensors")
    assert done.exit_code == 3
    assert "none-talk.flac" in done.stderr
    assert "left out" in done.stderr
    assert (tmp_path / "mine.safetensors").exists()


def test_what_is_there_no_more_is_heard_in_a_copy(run, folders, tmp_path):
    """Of a whole recording that was set, as of an answer."""
    assert run("label", folders, "--catalogue", "-q").exit_code == 0
    answered, was_set = (next(folders.rglob(name)) for name in ("tap-keys.flac", "none-talk.flac"))
    with Catalogue.open(default_path()) as catalogue:
        for path in sorted(folders.rglob("*.flac")):
            if path != was_set:
                labels = ("tap",) if path.name in KEYS else ()
                catalogue.answer(str(path), 0.0, 5.0, labels, ("tap",))
    assert run("set", was_set, "trigger=none", "-q").exit_code == 0
    copies = tmp_path / "copies"
    copies.mkdir()
    for path in (answered, was_set):
        shutil.copy(path, copies)
    assert run("label", copies, "--catalogue", "-q").exit_code == 0
    answered.unlink()
    was_set.unlink()
    mine = tmp_path / "mine.safetensors"
    done = run("teach", "--output", mine, "--only", "tap")
    assert (done.exit_code, done.stderr.count("warning")) == (0, 0), done.stderr
    assert "| tap | 2 | 4 |" in mine.with_suffix(".md").read_text()


@pytest.mark.usefixtures("in_this_process")
def test_kept_features_are_labelled_anew_without_decoding(run, folders, tmp_path, monkeypatch):
    monkeypatch.setattr("asmr_classify.folders.user_cache", lambda: tmp_path / "cache")
    mine = tmp_path / "mine.safetensors"
    keep = ["label", folders, "--catalogue", "--keep-features", "1GB", "--format", "jsonl"]
    done = run(*keep)
    assert done.exit_code == 0, done.stderr
    assert re.search(r"features of 6 recordings are kept: 0\.\d MB of 1\.0 GB, in ", done.stderr)
    assert run("teach", folders, "--output", mine, "-q").exit_code == 0
    anew = run("label", folders, "--model", mine, "-q", "--format", "jsonl")
    monkeypatch.setattr("asmr_classify.classify.AudioStream", None)  # nothing can be decoded
    again = run(*keep, "--model", mine, "-q")
    assert again.exit_code == 0
    assert sorted(again.stdout.splitlines()) == sorted(anew.stdout.splitlines())
    assert "keys" in json.loads(again.stdout.splitlines()[0])["scores"]
    # what moved is known by its content
    (folders / "keys" / "tap-keys").rename(folders / "moved")
    moved = run("label", folders / "moved", *keep[3:], "--model", mine, "-q", "--output", "-")
    assert moved.exit_code == 0


@pytest.mark.usefixtures("in_this_process")
def test_no_more_features_are_kept_than_allowed(run, folders, tmp_path, monkeypatch):
    monkeypatch.setattr("asmr_classify.folders.user_cache", lambda: tmp_path / "cache")
    for size, least, most in [("50MB", 6, 6), ("0.05MB", 1, 5), ("0MB", 0, 0)]:
        done = run("label", folders, "--keep-features", size)
        kept = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*.recording.npz"))
        assert kept <= float(size[:-2]) * 1e6
        assert least <= int(re.search(r"features of (\d+) rec", done.stderr)[1]) <= most


@pytest.mark.parametrize("size", ["much", "2", "-1GB", "2KB"])
def test_a_size_of_features_that_is_none_is_refused(run, size):
    done = run("label", DEMO, f"--keep-features={size}")
    assert done.exit_code == 2
    assert f"--keep-features {size}: is no size; write 500MB or 2GB" in done.stderr


@pytest.mark.parametrize("has_home", [False, True])
def test_features_that_cannot_be_kept_are_told_before_work(run, tmp_path, monkeypatch, has_home):
    (tmp_path / "file").touch()
    place = tmp_path / "file" if has_home else None
    monkeypatch.setattr("asmr_classify.folders.user_cache", lambda: place)
    done = run("label", DEMO, "--keep-features", "1GB")
    assert done.exit_code == 1
    assert "XDG_CACHE_HOME" in done.stderr
    assert not done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 1, "nothing was said of any recording"),
        (["--output", "mine.bin"], 2, "ends in .safetensors"),
        (["--model", "nowhere.safetensors"], 1, "no such model file"),
        (["nowhere"], 1, "nowhere: there is no such folder or manifest; check the name"),
        (["--catalogue", "nowhere.sqlite"], 1, "there is no catalogue"),
    ],
)
def test_what_cannot_teach_is_told(run, tmp_path, monkeypatch, arguments, status, message):
    monkeypatch.chdir(tmp_path)
    done = run("teach", *arguments)
    assert done.exit_code == status
    assert message in done.stderr
    assert not list(tmp_path.iterdir())


def test_one_label_for_all_teaches_nothing(run, tmp_path):
    (tmp_path / "sorted" / "keys").mkdir(parents=True)
    shutil.copy(DEMO / "tap-keys.flac", tmp_path / "sorted" / "keys")
    done = run("teach", tmp_path / "sorted", "--output", tmp_path / "mine.safetensors")
    assert done.exit_code == 1
    assert "keys: 1 example, which holds it: add some that do not" in done.stderr


def test_no_file_of_somebody_is_written_over(run, folders, tmp_path):
    mine = tmp_path / "mine.safetensors"
    mine.write_text("letters")
    done = run("teach", folders, "--output", mine)
    assert done.exit_code != 0
    assert mine.read_text() == "letters"
    mine.unlink()
    mine.with_suffix(".md").write_text("a diary")
    assert run("teach", folders, "--output", mine).exit_code != 0
    assert mine.with_suffix(".md").read_text() == "a diary"
    mine.with_suffix(".md").unlink()
    (tmp_path / "mine.evaluation.json").write_text("{}")
    done = run("teach", folders, "--output", mine)
    assert done.exit_code == 2
    assert "that train made" in done.stderr


def test_recordings_that_changed_teach_nothing_wrong(run, folders, tmp_path):
    assert run("label", folders, "--catalogue", "-q").exit_code == 0
    with Catalogue.open(default_path()) as catalogue:
        for path in sorted(folders.rglob("*.flac")):
            labels = ("keys",) if path.name in KEYS else ()
            catalogue.answer(str(path), 0.0, 5.0, labels, ("keys",))
    changed = folders / "keys" / "tap-wood" / "tap-wood.flac"
    shutil.copy(DEMO / "whisper-quick.flac", changed)
    done = run("teach", "--output", tmp_path / "mine.safetensors")
    assert done.exit_code == 0
    assert "tap-wood.flac: has changed since" in done.stderr
    assert "| keys | 1 | 4 |" in (tmp_path / "mine.md").read_text()
    # labelled anew, it is another recording, of which nothing was said
    assert run("label", folders, "--catalogue", "-q").exit_code == 0
    done = run("teach", "--output", tmp_path / "mine.safetensors")
    assert "has changed" not in done.stderr
    assert "| keys | 1 | 4 |" in (tmp_path / "mine.md").read_text()


def test_names_that_queries_cannot_reach_are_refused_before_listening(run, folders, tmp_path):
    (folders / "keys").rename(folders / "path")
    place = tmp_path / "cache"
    mine = tmp_path / "mine.safetensors"
    done = run("teach", folders, "--output", mine, "--cache", place)
    assert done.exit_code == 2
    assert "'path' cannot be a label: it has another meaning in queries" in done.stderr
    assert not mine.exists()
    assert not place.exists()


def test_what_cannot_be_learnt_beside_what_can_is_told(run, folders, tmp_path):
    for path in sorted(folders.rglob("*.flac")):
        path.rename(folders / path.parent.parent.name / path.name)
        path.parent.rmdir()
    (folders / "silence").mkdir()
    shutil.copy(DEMO / "crinkle-paper.flac", folders / "silence")
    done = run("teach", folders, "--output", tmp_path / "mine.safetensors", "-q")
    assert done.exit_code == 0, done.stderr
    assert "nothing is learnt of silence: it is decided by level" in done.stderr
    assert "no example holds it" not in done.stderr


@pytest.fixture
def spoken_of(run, tmp_path):
    """A folder of one label, and a catalogue of answers about another one."""
    place = tmp_path / "sorted" / "soap cutting"
    place.mkdir(parents=True)
    shutil.copy(DEMO / "crinkle-plastic.flac", place)
    names = [*KEYS, *OTHERS]
    assert run("label", *(DEMO / x for x in names), "--catalogue", "-q").exit_code == 0
    with Catalogue.open(default_path()) as catalogue:
        for name in names:
            labels = ("keys", "hum") if name in KEYS else ()
            asked = ("keys", "purr", *labels)
            catalogue.answer(str(DEMO / name), 0.0, 5.0, labels, asked)
    return tmp_path / "sorted"


def test_a_folder_of_whose_label_nothing_can_be_learnt_is_an_error(run, spoken_of, tmp_path):
    """What was asked for would not be in the model, though another label would."""
    mine = tmp_path / "mine.safetensors"
    both = ("teach", spoken_of, "--catalogue", default_path(), "--output", mine)
    done = run(*both)
    told = " ".join(done.stderr.split())
    assert done.exit_code == 1
    assert "nothing can be learnt of soap_cutting: 1 example, which holds it: add some" in told
    assert "or name what is to be taught by --only" in told
    assert not mine.exists()
    assert run(*both, "--only", "keys").exit_code == 0
    (spoken_of / "none").mkdir()
    shutil.copy(DEMO / "whisper-quick.flac", spoken_of / "none")
    assert run(*both).exit_code == 0
    assert "| soap_cutting | 1 | 1 |" in mine.with_suffix(".md").read_text()
    assert run(*both, "--only", "soap cutting").exit_code == 0


def test_a_folder_in_which_nothing_is_heard_is_an_error(run, spoken_of, tmp_path):
    shutil.copy(DEMO / "none-silence.flac", spoken_of / "soap cutting" / "crinkle-plastic.flac")
    mine = tmp_path / "mine.safetensors"
    done = run("teach", spoken_of, "--catalogue", default_path(), "--output", mine)
    assert done.exit_code == 1
    assert "soap_cutting: nothing can be heard in what holds it" in done.stderr
    assert not mine.exists()


@pytest.mark.usefixtures("spoken_of")
def test_answers_of_which_nothing_can_be_learnt_are_told_apart(run, tmp_path):
    done = run("teach", "--output", tmp_path / "mine.safetensors", "-q")
    assert done.exit_code == 0, done.stderr
    told = " ".join(done.stderr.split())
    assert "note: nothing is learnt of purr: no example holds it" in told
    assert "warning: nothing is learnt of hum, and the model is not taught it: all" in told


def test_what_was_set_without_a_label_that_has_a_name_is_told_to_hide_it(run, tmp_path):
    names = [*KEYS, *OTHERS]
    assert run("label", *(DEMO / name for name in names), "--catalogue", "-q").exit_code == 0
    assert run("set", DEMO / KEYS[1], "trigger=none", "-q").exit_code == 0  # before
    with Catalogue.open(default_path()) as catalogue:
        for name in names:
            labels = ("keys",) if name in KEYS else ()
            catalogue.answer(str(DEMO / name), 0.0, 3.0, labels, ("keys",))
    assert run("set", DEMO / KEYS[0], "trigger=none", "-q").exit_code == 0
    mine = tmp_path / "mine.safetensors"
    done = run("teach", "--output", mine, "--only", "keys")
    assert done.exit_code == 0, done.stderr
    told = f"{KEYS[0]}: was set without keys, which hides it there whatever is taught"
    assert told in " ".join(done.stderr.split())
    assert "was set without keys" not in done.stderr.replace(f"{KEYS[0]}: was set", "", 1)
    assert run("label", DEMO / KEYS[1], "--catalogue", "--model", mine, "-q").exit_code == 0
    assert KEYS[1] in run("find", "keys").stdout
    assert KEYS[1] not in run("find", "tap").stdout


def test_a_misspelt_label_is_told_before_anything_is_heard(run, tmp_path, monkeypatch):
    assert run("label", DEMO / KEYS[0], "--catalogue", "-q").exit_code == 0
    with Catalogue.open(default_path()) as catalogue:
        catalogue.answer(str(DEMO / KEYS[0]), 0.0, 3.0, ("tap",), ("tap",))
    monkeypatch.setattr("asmr_classify.training.answers.hear", pytest.fail)
    done = run("teach", "--output", tmp_path / "mine.safetensors", "--only", "tep")
    assert done.exit_code == 2
    assert "--only tep: nothing was said of it; there is tap" in done.stderr


def test_an_answer_that_contradicts_what_was_set_is_told_and_counts(run, tmp_path):
    names = [*KEYS, *OTHERS]
    assert run("label", *(DEMO / name for name in names), "--catalogue", "-q").exit_code == 0
    with Catalogue.open(default_path()) as catalogue:
        for name in names:
            labels = ("tap",) if name in KEYS else ()
            catalogue.answer(str(DEMO / name), 0.0, 3.0, labels, ("tap",))
    assert run("set", DEMO / "tap-keys.flac", "trigger=none", "-q").exit_code == 0
    done = run("teach", "--output", tmp_path / "mine.safetensors", "--only", "tap")
    assert done.exit_code == 0, done.stderr
    assert "tap-keys.flac: was set to hold no tap, which was heard in a stretch" in done.stderr
    assert "| tap | 2 | 4 |" in (tmp_path / "mine.md").read_text()


def test_a_contradiction_is_told_by_either_side(run, tmp_path):
    names = [*KEYS, *OTHERS]
    assert run("label", *(DEMO / name for name in names), "--catalogue", "-q").exit_code == 0
    with Catalogue.open(default_path()) as catalogue:
        for name in names:
            labels = ("tap", "keys") if name == KEYS[0] else ()
            catalogue.answer(str(DEMO / name), 0.0, 6.1, labels, ("tap", "keys"))
    told = " ".join(run("set", DEMO / KEYS[0], "trigger=none", "-q").stderr.split())
    assert f"{KEYS[0]}: tap was heard in a stretch of it, by an answer to 'review'" in told
    assert run("set", DEMO / KEYS[0], "trigger=tap", "-q").stderr == ""
    assert run("set", DEMO / KEYS[1], "trigger=tap", "-q").stderr == ""
    done = run("teach", "--output", tmp_path / "mine.safetensors", "--only", "tap")
    assert done.exit_code == 0, done.stderr
    told = " ".join(done.stderr.split())
    assert f"{KEYS[1]}: was set to hold tap, which was not heard where it should be" in told
    assert f"{KEYS[0]}: was set" not in told


def test_a_trigger_that_was_set_and_is_heard_nowhere_is_told(run, tmp_path):
    long = write_float_wav(
        tmp_path / "long.wav",
        np.random.default_rng(0).normal(0, 0.1, (1, 960000)).astype(np.float32),
        48000,
    )
    names = [*KEYS, *OTHERS]
    files = [long, *(DEMO / name for name in names)]
    assert run("label", *files, "--catalogue", "-q").exit_code == 0
    assert run("set", long, "trigger=crinkle", "-q").exit_code == 0
    with Catalogue.open(default_path()) as catalogue:
        for name in names:
            catalogue.answer(str(DEMO / name), 0.0, 3.0, ("tap",) if name in KEYS else (), ("tap",))
    mine = tmp_path / "mine.safetensors"
    done = run("teach", "--output", mine, "--only", "tap")
    assert done.exit_code == 0, done.stderr
    told = " ".join(done.stderr.split())
    assert "long.wav: was set to hold crinkle, which is heard nowhere in it" in told
    with Catalogue.open(default_path()) as catalogue:
        catalogue.answer(str(long), 5.0, 8.0, ("crinkle",), ("crinkle",))
    done = run("teach", "--output", mine, "--only", "tap")
    assert "heard nowhere" not in done.stderr


def test_a_library_of_which_nothing_was_said_has_a_say_in_what_a_new_label_is(run, tmp_path):
    """Of a known label it has none."""
    assert run("label", DEMO, "--catalogue", "-q").exit_code == 0
    names = [*KEYS, *OTHERS]
    with Catalogue.open(default_path()) as catalogue:
        for name in names:
            labels = ("keys", "tap") if name in KEYS else ()
            catalogue.answer(str(DEMO / name), 0.0, 6.0, labels, ("keys", "tap"))
    mine = tmp_path / "mine.safetensors"
    cards = {}
    for only in ("keys", "tap"):
        done = run("teach", "--only", only, "--output", mine, "-q", "--group-by", "recording")
        assert done.exit_code == 0, done.stderr
        cards[only] = mine.with_suffix(".md").read_text()
        assert "from 6 stretches of 6 recordings of 6 makers" in cards[only]
    told = re.search(r"(\d+) more stretches of the library, of which nothing was", cards["keys"])
    heard = len(list(DEMO.glob("*.flac"))) - len(names) - 1  # but for the silent one
    assert told is not None
    assert int(told[1]) >= heard
    assert "more stretches of the library" not in cards["tap"]


def test_what_was_set_says_nothing_of_a_label_that_the_model_does_not_tell(run):
    """The label may be younger than what was set."""
    assert (
        run("label", *(DEMO / name for name in [*KEYS, *OTHERS]), "--catalogue", "-q").exit_code
        == 0
    )
    assert run("set", DEMO / "tap-wood.flac", "trigger=tap", "-q").exit_code == 0
    with Catalogue.open(default_path()) as catalogue:
        catalogue.answer(str(DEMO / "tap-keys.flac"), 0.0, 5.0, ("keys",), ("keys",))
    said, _ = _gather(None, None, Maker.RECORDING, TRIGGERS)
    assert {x.path for x in said if "keys" in x.asked} == {str(DEMO / "tap-keys.flac")}
    assert {x.asked for x in said if x.path == str(DEMO / "tap-wood.flac")} >= {
        ("tap",),
        ("whisper",),
    }
    for has_a_name in (False, True):
        knows, _ = _gather(None, None, Maker.RECORDING, (*TRIGGERS, "keys"))
        spoken_of = {x.asked for x in knows if x.path == str(DEMO / "tap-wood.flac")}
        assert (("keys",) in spoken_of) == has_a_name
        assert run("set", DEMO / "tap-wood.flac", "trigger=tap", "-q").exit_code == 0


def test_examples_of_one_maker_are_told_to_be_that(run, folders, tmp_path):
    """They are many enough, and no maker is left to be held out."""
    one, other = (name.partition(".")[0] for name in KEYS)
    (folders / "keys" / other / KEYS[1]).rename(folders / "keys" / one / KEYS[1])
    (folders / "keys" / other).rmdir()
    done = run("teach", folders, "--output", tmp_path / "mine.safetensors", "-q")
    told = " ".join(done.stderr.split())
    assert "note: keys: all 2 examples that hold it are of one maker" in told
    assert "--group-by recording" in told
    assert "give 2 or more" not in told
