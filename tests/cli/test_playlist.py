from __future__ import annotations

import os
import re
import shlex
import shutil
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from asmr_classify.aggregate import Status
from asmr_classify.catalogue import Catalogue
from asmr_classify.cli import select
from asmr_classify.cli.app import app
from asmr_classify.cli.select import failed_of, known_kinds
from asmr_classify.library.m3u8 import BEGIN
from tests.catalogue.results import found, heard, seen
from tests.conftest import DEMO, ROOT
from tests.library.reading import read_m3u8


@pytest.fixture
def run(label, place, monkeypatch):  # noqa: ARG001 (labelling needs no recordings)
    """Runs the command on the catalogue of this place; each recording has 40 s of tapping, the
    last 20 s of them with speech."""
    monkeypatch.setenv("ASMR_CLASSIFY_CATALOGUE", str(place / "library.sqlite"))

    def run(*arguments):
        return CliRunner().invoke(app, ["playlist", *map(str, arguments)])

    return run


@pytest.fixture
def library(run, label, touch, place):
    """Four recordings, of which one failed and another is silent film."""
    touch("Mia - a.mp3", "Mia - b.mp3", "Zoe - c.mp3", "in/d.mp3", "mute.mp4", "fail.mp3")
    for path in place.rglob("*.mp3"):
        path.write_bytes(path.read_bytes() + os.fsencode(path.name))
    label(".", "-q", "--catalogue")
    return run


def entries_in(done, folder="."):
    assert done.exit_code == 0, done.stderr
    return list(read_m3u8(done.stdout, folder))


def names_in(done):
    return [os.path.basename(entry.path) for entry in entries_in(done)]  # noqa: PTH119


def test_the_whole_catalogue_plays_by_default_and_stderr_sums_up(library):
    done = library()
    assert sorted(names_in(done)) == ["Mia - a.mp3", "Mia - b.mp3", "Zoe - c.mp3", "d.mp3"]
    assert "4 recordings, 2:40: tap 4 (2:40)" in done.stderr
    assert not library("--quiet").stderr


def test_of_files_of_the_same_content_the_first_by_name_plays(library, label, place):
    shutil.copyfile(place / "in" / "d.mp3", place / "in" / "a copy.mp3")
    shutil.copyfile(place / "in" / "d.mp3", place / "e.mp3")
    alone = library("in/d.mp3")
    assert (names_in(alone), "left out" in alone.stderr) == (["d.mp3"], False)
    label(".", "-q", "--catalogue")
    for options in ([], ["--segments"], ["--order", "score"]):
        done = library("in", "path:e.mp3", *options)
        assert set(names_in(done)) == {"e.mp3"}
        assert "left out 2 files of the very same content as another\n" in done.stderr
    assert not library("-q").stderr
    (place / "library.sqlite").unlink()  # where nothing is known, nothing is left out
    assert len(names_in(library("in", "e.mp3"))) == 3


def test_labels_that_nothing_keeps_are_told_of(run, label, touch, place):
    touch("in/a.mp3", "in/b.mp3")
    told = "labels are kept for this command only, as there is no catalogue: 'asmr-classify label"
    assert told in run("in").stderr
    for arguments in (["in/a.mp3"], ["-q", "in"]):
        assert told not in run(*arguments).stderr
    touch("in/interrupt.mp3")
    done = run("in")
    assert done.exit_code == 130
    lost = "interrupted: nothing was written or changed, nor are labels kept without a catalogue\n"
    assert done.stderr.endswith(lost)
    (place / "in" / "interrupt.mp3").unlink()
    label("in", "-q", "--catalogue")
    assert told not in run("in").stderr


def test_the_catalogue_is_opened_once(library, place, monkeypatch):
    with Catalogue.open(str(place / "library.sqlite")) as catalogue:
        path = place / "in" / "d.mp3"
        catalogue.add(found(path), heard(path, kinds={"chewing": 0.8}), "another")
    opened, open_catalogue = [], select.open_catalogue

    def count(*arguments, **options):
        opened.append(arguments)
        return open_catalogue(*arguments, **options)

    monkeypatch.setattr(select, "open_catalogue", count)
    assert len(names_in(library("--avoid", "chewing"))) == 3
    assert len(opened) == 1


def test_a_query_and_a_path_choose(library):
    assert names_in(library("path:Mia", "-path:b.mp3")) == ["Mia - a.mp3"]
    assert names_in(library("in")) == ["d.mp3"]


def test_kinds_that_the_catalogue_knows_are_wanted_and_avoided(library, place):
    with Catalogue.open(str(place / "library.sqlite")) as catalogue:
        path = place / "in" / "d.mp3"
        scores = {"tap": 0.9, "other": 0.1}
        known = heard(path, scores=scores, kinds={"typing": 0.9, "chewing": 0.8})
        catalogue.add(found(path), known, "another")
    mistyped = library("--avoid", "chewin")
    assert (
        "--avoid chewin: the model tells it as part of other, so all of that is" in mistyped.stderr
    )
    assert "did you mean chewing, which it tells by itself?" in mistyped.stderr
    assert names_in(library("--want", "typing")) == ["d.mp3"]
    calm = library("--avoid", "chewing")
    assert sorted(names_in(calm)) == ["Mia - a.mp3", "Mia - b.mp3", "Zoe - c.mp3"]
    assert "warning" not in calm.stderr
    assert len(names_in(library("--avoid", "chewing", "path:Mia"))) == 2
    done = library("--want", "typing", "--segments")
    assert done.exit_code == 2
    assert "told of whole recordings: leave out --segments" in done.stderr
    assert names_in(library("kind:typing", "kind.chewing>0.7")) == ["d.mp3"]


@pytest.fixture
def answer(library, place):  # noqa: ARG001 (the catalogue)
    """Answers that labels are heard in a stretch of a recording."""

    def answer(name, start, end, *labels):
        with Catalogue.open(str(place / "library.sqlite")) as catalogue:
            catalogue.answer(str(place / name), start, end, labels, labels)

    return answer


def test_what_was_answered_to_be_heard_is_avoided(library, answer, place):
    answer("in/d.mp3", 5, 8, "gum")
    calm = library("--avoid", "gum")
    assert sorted(names_in(calm)) == ["Mia - a.mp3", "Mia - b.mp3", "Zoe - c.mp3"]
    assert "warning" not in calm.stderr
    done = library("in", "--segments", "--avoid", "gum,speech")
    assert [(entry.start, entry.end) for entry in entries_in(done)] == [(8, 20)]
    assert len(names_in(library("path:Mia", "--avoid", "gum"))) == 2
    (place / "copy").mkdir()
    shutil.copyfile(place / "in" / "d.mp3", place / "copy" / "d.mp3")
    assert library("copy", "--avoid", "gum").exit_code == 4


def test_talk_that_was_answered_to_be_heard_is_no_talking(library, answer):
    answer("in/d.mp3", 0, 8, "whisper")
    done = library("in", "--segments", "--no-talking")
    assert [(entry.start, entry.end) for entry in entries_in(done)] == [(8, 20)]
    assert CliRunner().invoke(app, ["set", "in/d.mp3", "no_talking=true", "-q"]).exit_code == 0
    assert library("in", "--no-talking").exit_code == 4


def test_kinds_of_the_model_are_known_where_it_labelled_all(monkeypatch, tiny_model):
    model = replace(tiny_model, kinds={"chewing": 0.5})
    monkeypatch.setattr("asmr_classify.model.load_model", lambda _path: model)
    ours, other = heard("a.mp3", model=model.id), heard("b.mp3", model="older@1")
    assert known_kinds([ours], None, None) == ("chewing",)
    assert known_kinds([ours, other], None, None) == ()


def test_videos_are_chosen_by_their_looks(library, place):
    path = place / "mute.mp4"
    with Catalogue.open(str(place / "library.sqlite")) as catalogue:
        mute = heard(path, status=Status.NO_AUDIO, trigger=None, tags=(), visual=seen())
        catalogue.add(found(path), mute, "another model")
    assert names_in(library("--visual", "still,slow", "--light", "dark")) == ["mute.mp4"]
    assert library("--visual", "slow", "--want", "tap").exit_code == 4
    assert library("--light", "bright,dim").exit_code == 4
    assert names_in(library("no_sound visual:slow", "--visual", "slow")) == ["mute.mp4"]


def test_the_same_creator_is_spaced_and_the_seed_decides(library):
    names = names_in(library("--order", "variety", "path:Mia,", "path:Zoe"))
    assert names[1] == "Zoe - c.mp3"
    shuffled = {tuple(names_in(library("--order", "shuffle", "--seed", n))) for n in range(9)}
    assert len(shuffled) > 1
    assert names_in(library("--seed", 5)) == names_in(library("--seed", 5))


def test_segments_are_cut_to_the_length(library):
    done = library("--segments", "--avoid", "speech", "--length", "50s", "--order", "path")
    places = [(entry.start, entry.end) for entry in entries_in(done)]
    assert places == [(0, 20), (0, 20), (0, 10)]
    assert "3 stretches, 0:50: tap 3 (0:50)" in done.stderr
    mpv = library("--segments", "--player", "mpv", "--want", "tap", "--no-talking")
    assert mpv.stdout.count("edl://%") == len(entries_in(mpv)) == 4


def test_too_little_is_told(library):
    done = library("--length", "1h")
    assert len(entries_in(done)) == 4
    assert "not enough for 1:00:00" in done.stderr


def test_a_file_names_recordings_from_its_folder_and_replaces_only_its_like(library, place):
    (place / "lists").mkdir()
    output = place / "lists" / "tap.m3u8"
    for options, start in (((), "../in/d.mp3"), (("--absolute",), str(place / "in" / "d.mp3"))):
        done = library("path:in/", "-o", output, *options)
        assert (done.exit_code, done.stdout) == (0, "")
        text = output.read_text(encoding="utf-8")
        assert text.startswith(BEGIN)
        assert f"\n{start}\n#" in text
    assert os.listdir(place / "lists") == ["tap.m3u8"]  # noqa: PTH208
    output.write_text("#EXTM3U\nmine.mp3\n", encoding="utf-8")
    done = library("-o", output)
    assert done.exit_code == 2
    assert "was not written by this program" in done.stderr
    assert output.read_text(encoding="utf-8") == "#EXTM3U\nmine.mp3\n"


def test_recordings_that_are_gone_are_left_out(library, place):
    (place / "in" / "d.mp3").unlink()
    done = library()
    assert len(entries_in(done)) == 3
    assert "left out: 1 recording, no longer there; 1 lay in" in done.stderr


@pytest.mark.parametrize("is_mounted_on", [False, True], ids=["gone", "empty"])
def test_where_a_whole_folder_is_gone_the_disk_is_asked_after(library, label, place, is_mounted_on):
    share = place / "share"
    (share / "in").mkdir(parents=True)
    (share / "deep" / "er").mkdir(parents=True)
    for name in ("share/in/e.mp3", "share/in/f.mp3", "share/deep/er/g.mp3"):
        (place / name).write_bytes(b"sound" + name.encode())
    label("share", "-q", "--catalogue")
    (place / "Mia - a.mp3").unlink()
    share.rename(place / "elsewhere")
    if is_mounted_on:
        (share / "in").mkdir(parents=True)
    told = library("path:share/").stderr
    n_gone, top = (2, share / "in") if is_mounted_on else (3, share)
    assert f"{n_gone} lay in {top}, which is gone or empty: is its disk or share conn" in told
    assert "left out: 4 recordings, no longer there; " in library().stderr
    elsewhere = library("path:Mia").stderr
    assert "left out: 1 recording, no longer there\n" in elsewhere


def test_scraps_of_damaged_recordings_are_left_out_and_their_stretches_are_not(library, place):
    with Catalogue.open(str(place / "library.sqlite")) as catalogue:
        for name, decoded in (("Mia - a.mp3", 19.0), ("Zoe - c.mp3", 20.0)):
            path = place / name
            cut = replace(heard(path), status=Status.PARTIAL, decoded=decoded)
            catalogue.add(found(path), cut, "another")
    done = library()
    assert sorted(names_in(done)) == ["Mia - b.mp3", "Zoe - c.mp3", "d.mp3"]
    assert "left out: 1 recording, damaged so that less than half is left: 'label'" in done.stderr
    assert "left out" not in library("--quiet").stderr
    done = library("path:Mia", "-path:b.mp3")
    assert done.exit_code == 4
    assert "nothing fits, of 1 recording;" in done.stderr
    assert names_in(library("--segments", "path:Mia", "-path:b.mp3")) == ["Mia - a.mp3"]


def test_nothing_that_fits_writes_nothing(library, place):
    done = library("--no-talking", "-o", "none.m3u8")
    assert done.exit_code == 4
    assert "nothing fits, of 6 recordings; no playlist is written" in done.stderr
    assert not (place / "none.m3u8").exists()


def test_stretches_that_are_too_short_are_told_of(library):
    done = library("--segments", "--min-segment", "1m30s")
    assert done.exit_code == 4
    assert "nothing fits, of 6 recordings (stretches of 90 s or more: --min-segment)" in done.stderr


def test_a_length_without_a_unit_is_told_to_be_seconds(library):
    told = "--length 70: taken as seconds, as no unit is given; minutes are 70m\n"
    assert told in library("--length", "70").stderr
    assert "taken as" not in library("--length", "70s").stderr
    assert not library("--length", "70", "--quiet").stderr


def test_a_night_plays_one_label_after_the_other(library, place):
    with Catalogue.open(str(place / "library.sqlite")) as catalogue:
        for name in ("Mia - a.mp3", "Zoe - c.mp3"):
            path = place / name
            changes = {"trigger": "whisper", "tags": ("whisper",)}
            catalogue.add(found(path), replace(heard(path), **changes), "another")
    done = library("--want", "tap,whisper,speech", "--order", "want")
    assert [entry.title.rpartition(" ")[2] for entry in entries_in(done)] == [
        "tap", "tap", "whisper", "whisper",
    ]  # fmt: skip
    assert "nothing for speech: " in done.stderr
    done = library("--want", "whisper,tap", "--order", "want", "--length", "80s")
    assert "2 recordings, 1:20: whisper 1 (0:40), tap 1 (0:40)\n" in done.stderr
    assert "nothing for" not in done.stderr
    done = library("--want", "whisper,tap", "--order", "want", "--length", "1s")
    assert "whisper 1 (0:40), tap 1 (0:40)\n" in done.stderr


def test_a_label_that_does_not_fill_its_part_is_told_as_the_cause(library, place):
    with Catalogue.open(str(place / "library.sqlite")) as catalogue:
        path = place / "Mia - a.mp3"
        changes = {"trigger": "whisper", "tags": ("whisper",)}
        catalogue.add(found(path), replace(heard(path), **changes), "another")
    options = ("--want", "whisper,tap", "--order", "want", "--length")
    assert "2:20: a label has less than its equal part\n" in library(*options, "140s").stderr
    assert "10:00: that is all that fits\n" in library(*options, "10m").stderr


def test_what_failed_is_told_where_it_or_a_folder_above_was_named(tmp_path, monkeypatch):
    folders = [str(tmp_path / str(n)) for n in range(5000)]
    monkeypatch.setattr(os.path, "lexists", lambda _: True)
    failed = [
        replace(heard(f"{folder}/{name}/a.mp3"), status=Status.FAILED)
        for folder in folders[-2000:]
        for name in ("in", "out")
    ]
    named = [*folders[:-1], f"{folders[-1]}/in"]
    assert failed_of(failed, named) == failed[:-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["--order", "want"], "--order want: plays in the order of --want", id="order"),
        pytest.param(["--min-segment", "soon"], "--min-segment 'soon' is no duration", id="least"),
        pytest.param(["--avoid", "chew"], "'chew': the labels are tap, whisper", id="label"),
        pytest.param(["--length", "soon"], "--length 'soon' is no duration", id="length"),
        pytest.param(["--length", "0"], "is nothing to listen to", id="no length"),
        pytest.param(["--want", "tap", "--avoid", "tap"], "both wanted and avoided", id="both"),
        pytest.param(["--visual", "slow,fast"], "--visual 'fast': the levels are still, slow",
                     id="motion"),
        pytest.param(["--light", "drak"], "--light 'drak': the levels are dark, dim, bright",
                     id="light"),
        pytest.param(["-o", "a.txt"], "name a .m3u8", id="ending"),
        pytest.param(["-o", "in/d.mp3"], "name a .m3u8", id="recording"),
        pytest.param(["whisper>x"], "is no number", id="query"),
    ],
)  # fmt: skip
def test_wrong_usage_is_told(library, options, message):
    done = library(*options)
    assert done.exit_code == 2
    assert message in done.stderr
    assert not done.stdout


def test_the_commands_of_the_guide_run(run, place):  # noqa: ARG001 (the catalogue)
    shutil.copytree(DEMO, place / "data" / "demo")
    guide = (ROOT / "docs" / "playlists.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", guide, re.DOTALL)
    commands = [shlex.split(line) for block in blocks for line in block.splitlines()]
    for program, *arguments in commands:
        assert program == "asmr-classify"
        done = CliRunner().invoke(app, arguments)
        fits_none = "--no-talking" in arguments or "speech" in arguments  # here, all is talked over
        fits_none = (fits_none and "--segments" not in arguments) or "--visual" in arguments
        assert done.exit_code == (4 if fits_none else 0), done.stderr
        if "--output" in arguments and not done.exit_code:
            assert (place / arguments[-1]).read_text(encoding="utf-8").startswith(BEGIN)
