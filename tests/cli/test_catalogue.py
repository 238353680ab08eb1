from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.catalogue import Catalogue
from asmr_classify.cli.app import app
from asmr_classify.cli.select import select_results
from asmr_classify.errors import CatalogueError, QueryError, UsageError
from asmr_classify.media.found import Found
from asmr_classify.model import load_model, save_model
from asmr_classify.writers import FORMATS
from tests.cli.conftest import heard
from tests.test_package import HEAVY, modules_after


@pytest.fixture
def run(label, place, monkeypatch):  # noqa: ARG001 (labelling needs no recordings)
    """Runs commands on the catalogue of this place."""
    monkeypatch.setenv("ASMR_CLASSIFY_CATALOGUE", str(place / "library.sqlite"))

    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def files(touch, place):
    """Files that look like media, each with its own content."""

    def make(*names):
        touch(*names)
        for name in names:
            with (place / name).open("ab") as file:
                file.write(os.fsencode(name))

    return make


@pytest.fixture
def library(run, label, files):
    """Six files in a catalogue, one in a folder, one that failed."""
    files("a.mp3", "b.mp3", "in/sleep.mp3", "partial.mp3", "mute.mp4", "fail.mp3")
    assert label(".", "-q", "--catalogue").exit_code == 3
    return run


def paths_in(done):
    assert done.exit_code == 0, done.stderr
    return [json.loads(line)["path"] for line in done.stdout.splitlines()]


def test_what_is_labelled_is_found(library):
    assert paths_in(library("find", "--json")) == [
        "a.mp3", "b.mp3", "fail.mp3", "in/sleep.mp3", "mute.mp4", "partial.mp3"
    ]  # fmt: skip
    assert paths_in(library("find", "tap>0.8 length:20s..", "path:SLEEP", "-f", "jsonl")) == [
        "in/sleep.mp3"
    ]
    assert paths_in(library("find", "status:failed,", "path:mute", "--json")) == [
        "fail.mp3", "mute.mp4"
    ]  # fmt: skip


def test_a_dash_negates_wherever_it_stands(library):
    for words in (["-tap"], ["-tap", "-status:failed"], ["--", "-tap -status:failed"]):
        found = paths_in(library("find", "--json", *words))
        assert found == (
            ["fail.mp3", "mute.mp4"] if len(words) == 1 and "-tap" in words else ["mute.mp4"]
        )


def test_results_stay_in_the_order_asked_for(library):
    done = library("find", "tap", "--sort", "path-", "--limit", "2")
    assert [line.split()[0] for line in done.stdout.splitlines()[1:3]] == [
        "partial.mp3", "in/sleep.mp3"
    ]  # fmt: skip


@pytest.mark.parametrize("command", [["find"], ["export", "-f", "table"]], ids=" ".join)
def test_kinds_that_a_query_names_are_in_the_table(command, library, place, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status = (place / "a.mp3").stat()
    kinds = {"typing": 0.9, "rain": 0.8, "purr": 0.7, "soap": 0.6}
    with Catalogue.open(str(place / "library.sqlite")) as known:
        found = Found(str(place / "a.mp3"), status.st_size, status.st_mtime_ns)
        known.add(found, heard(found.path, kinds=kinds), "settings")
    assert "soap" not in library(*command, "tap").stdout
    for query in ("kind:soap", "tap kind.soap>0.5 -kind:chewing, whisper"):
        assert "soap 0.60" in library(*command, query).stdout
        assert "purr" not in library(*command, query).stdout


def test_false_kinds_are_taken_away_by_hand(library, place):
    status = (place / "a.mp3").stat()
    found = Found(str(place / "a.mp3"), status.st_size, status.st_mtime_ns)
    with Catalogue.open(str(place / "library.sqlite")) as known:
        known.add(found, heard(found.path, kinds={"soap": 0.9, "purr": 0.8}), "settings")
    done = library("set", "a.mp3", "kinds=rain,purr")
    assert re.findall(r"(\w+) \(set\)", done.stdout) == ["rain", "purr"]
    assert "soap" not in done.stdout
    (record,) = map(json.loads, library("find", "path:a.mp3", "--json").stdout.splitlines())
    assert (record["kinds"], record["corrected"]) == ({"rain": 1.0, "purr": 0.8}, ["kinds"])
    assert paths_in(library("find", "kind:soap", "--json")) == []
    assert paths_in(library("find", "kind:rain corrected", "--json")) == ["a.mp3"]
    assert "no kinds (set)" in library("set", "a.mp3", "kinds=none").stdout
    assert "soap 0.90" in library("set", "a.mp3", "reset").stdout
    wrong = library("set", "a.mp3", "kinds=sope")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "kinds=sope: 'sope' is no kind; known are soap, purr, " in wrong.stderr


def test_paths_outside_of_the_working_directory_are_absolute(library, place, monkeypatch):
    monkeypatch.chdir(place / "in")
    assert paths_in(library("find", "tap", "path:sleep", "--json")) == ["sleep.mp3"]
    assert paths_in(library("find", "path:mute", "--json")) == [str(place / "mute.mp4")]


def test_a_skip_list_is_not_found_but_exported(library):
    done = library("find", "tap", "--format", "edl")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--format edl: is written by `export --format edl --skip LABEL`" in done.stderr


def test_a_format_of_one_recording_is_refused_before_anything_is_written(library):
    done = library("find", "tap", "--format", "audacity")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--format audacity: such a file belongs to one recording" in done.stderr
    assert library("find", "path:a.mp3", "--format", "audacity").stdout.startswith("0.000000\t")


def test_a_wrong_query_is_shown_where_it_is_wrong(library):
    done = library("find", "tap", "-whimper", "--json")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no field or label is called 'whimper'; did you mean whisper?" in done.stderr
    assert "  tap -whimper\n      ^^^^^^^^\n" in done.stderr
    assert "fields: path:sleep, length:20m..1h" in done.stderr
    assert "labels: whisper, tap" in done.stderr


def test_nothing_found_is_told_and_no_error(library):
    done = library("find", "whisper", "--json")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "nothing in the catalogue matches" in done.stderr


def test_without_a_catalogue_all_say_so(run):
    for words in (["find"], ["export"], ["set", "a.mp3", "reset"], ["forget", "missing"]):
        done = run(*words)
        assert done.exit_code == 1
        assert "library.sqlite: there is no catalogue; 'asmr-classify label" in done.stderr


def test_moved_and_known_files_are_not_labelled_again(library, label, labelling, place):
    n_labelled = len(labelling)
    (place / "a.mp3").rename(place / "in" / "renamed.mp3")
    done = label(".", "--catalogue", "-f", "jsonl")
    assert "(5 known already)" in done.stderr
    assert labelling[n_labelled:] == ["fail.mp3"]  # failures are tried again
    assert {json.loads(line)["path"] for line in done.stdout.splitlines()} >= {"in/renamed.mp3"}
    assert paths_in(library("find", "path:renamed, path:a.mp3", "--json")) == ["in/renamed.mp3"]
    label(".", "--catalogue", "--fresh", "-q")
    assert len(labelling) == n_labelled + 1 + 6


def test_journal_and_catalogue_learn_from_each_other(run, label, files, labelling, place):
    files("a.mp3", "b.mp3")
    label("a.mp3", "-q", "-o", "out.jsonl")
    label(".", "-q", "-o", "out.jsonl", "--catalogue")  # a from the journal, b anew
    assert paths_in(run("find", "--json")) == ["a.mp3", "b.mp3"]
    label(".", "-q", "-o", "other.jsonl", "--catalogue")  # both from the catalogue
    size = (place / "other.jsonl.journal").stat().st_size
    label(".", "-q", "-o", "other.jsonl")  # both from the journal of this output
    label(".", "-q", "-o", "other.jsonl", "--catalogue")  # nothing new to anyone
    assert labelling == ["a.mp3", "b.mp3"]
    assert (place / "other.jsonl.journal").stat().st_size == size


def test_corrections_are_shown_and_outlive_labelling(library, label, place):
    done = library(
        "set", "a.mp3", "in/sleep.mp3", "trigger=whisper,tap", "--catalogue=library.sqlite"
    )
    assert done.stdout.splitlines()[1].startswith("a.mp3         whisper (set)  tap (set)")
    (place / "a.mp3").rename(place / "z.mp3")
    done = label(".", "-q", "--catalogue", "--fresh", "-f", "jsonl")
    results = {json.loads(line)["path"]: json.loads(line) for line in done.stdout.splitlines()}
    assert results["z.mp3"]["tags"] == ["whisper", "tap"]
    assert results["z.mp3"]["corrected"] == ["trigger"]
    assert results["z.mp3"]["scores"]["whisper"] == 0.1
    assert results["b.mp3"]["corrected"] == []
    assert paths_in(library("find", "whisper", "--json")) == ["in/sleep.mp3", "z.mp3"]
    assert library("set", "z.mp3", "reset", "-q").stdout == ""
    assert paths_in(library("find", "corrected", "--json")) == ["in/sleep.mp3"]
    done = library("set", "z.mp3", "trigger=none")
    assert done.stdout.splitlines()[1].startswith("z.mp3  none (set)")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trigger=tap"], "no file is named: write set FILE trigger=tap"),
        (["a.mp3"], "nothing is set: add trigger=LABEL"),
        (["a.mp3", "triggers=tap"], "triggers=tap: cannot be set; give trigger=LABEL"),
        (["a.mp3", "triggers=tap", "no_talking=true"], "triggers=tap: cannot be set; give"),
        (["a.mp3", "trigger=none,tap"], "none means that there is no trigger, so it stands alone"),
        (["a.mp3", "trigger=whimper"], "'whimper' is no trigger; known are whisper, tap, crinkle"),
        (["a.mp3", "trigger=tap", "trigger=none"], "trigger=none: trigger is set twice; give it"),
        (["a.mp3", "reset", "trigger=tap"], "give it alone, then set anew"),
        (["new.mp3", "trigger=tap"], "new.mp3: there is no such file, nor is one known: check the"),
        (["tap", "trigger=none"], "tap: is a query, and files are set; to set all that are found"),
        (["a.mp3", "tap>0.5", "no_talking=yes"], "find 'tap>0.5' -0 | xargs -0 asmr-classify set"),
        (["in", "reset"], "find 'path:\"in\"' -0 | xargs -0 asmr-classify set reset"),
        (["a.mp3", "trigger="], "trigger=: names nothing; give trigger=LABEL,… or trigger=none"),
        (["a.mp3", "trigger=brush"], "a label of your own is given to stretches in 'asmr-classify"),
        (["a.mp3", "trigger=whisper", "no_talking=yes"], "contradict each other"),
        (["a.mp3", "fail.mp3", "trigger=tap"], "fail.mp3: could not be labelled, so nothing of it"),
        (["fail.mp3", "trigger=none"], "can be set: no such file; check the name; once that is"),
        (["mute.mp4", "trigger=tap"], "has no sound of which anything could be set: no sound"),
    ],
)
def test_what_cannot_be_set_is_refused(library, words, message):
    done = library("set", *words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert paths_in(library("find", "corrected", "--json")) == []


def test_other_files_that_are_set_too_are_told(library, label, place):
    for k in range(7):
        (place / f"copy-{k}.mp3").write_bytes((place / "a.mp3").read_bytes())
    (place / "in" / "copy.mp3").write_bytes((place / "in" / "sleep.mp3").read_bytes())
    label(".", "-q", "--catalogue")
    one = library("set", "in/sleep.mp3", "trigger=whisper", "-q")
    told = "note: 1 other file of the very same content was set too: in/copy.mp3\n"
    assert (one.stdout, one.stderr) == ("", told)
    many = library("set", "a.mp3", "trigger=whisper").stderr
    names = ", ".join(f"copy-{k}.mp3" for k in range(5))
    assert many == (
        f"note: 7 other files of the very same content were set too: {names} and 2 more\n"
    )
    assert len(paths_in(library("find", "corrected", "--json"))) == 10
    assert "was reset too: in/copy.mp3" in library("set", "in/sleep.mp3", "reset").stderr
    assert library("set", "b.mp3", "trigger=whisper").stderr == ""


def test_corrections_that_contradict_earlier_ones_are_refused(library):
    library("set", "a.mp3", "trigger=whisper")
    done = library("set", "a.mp3", "no_talking=true")
    assert done.exit_code == 2
    assert "set both anew, as in trigger=tap no_talking=true" in done.stderr


COMBINED = sorted(name for name, form in FORMATS.items() if not form.is_document)
DOCUMENTS = sorted(name for name, form in FORMATS.items() if form.is_document)


@pytest.mark.parametrize("name", COMBINED)
def test_any_format_is_exported(library, place, name):
    form = FORMATS[name]
    output = place / f"out{form.suffixes[0]}"
    assert library("export", "tap", "-o", output, "--sort", "path-").exit_code == 0
    with output.open("rb" if form.in_bytes else "r") as file:
        results = list(form.read(file))
    known = ["partial.mp3", "in/sleep.mp3", "b.mp3", "a.mp3"]
    if form.holds_failures:
        assert [result.path for result in results] == known
        assert results[0].scores == {"tap": 0.9, "whisper": 0.1, "speech": 0.7}
    else:
        assert {Path(result.path).name for result in results} <= {Path(x).name for x in known}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_format_of_one_recording_is_exported_per_file(library, place, name):
    skip = ["--skip", "tap"] if FORMATS[name].skips else []
    refused = library("export", "tap", "--format", name, *skip)
    assert refused.exit_code == 2
    assert "give --per-file DIR for a file each" in refused.stderr
    found = library("find", "tap", "--format", name)
    assert found.exit_code == 2
    assert f"`export --format {name} " in found.stderr  # find has neither option
    done = library("export", "tap", "--format", name, *skip, "--per-file", "each")
    assert done.exit_code == 0, done.stderr
    written = {str(p.relative_to(place / "each")) for p in (place / "each").rglob("*.*")}
    assert any(name.startswith("in/sleep.") for name in written) or "left out" in done.stderr


def test_an_export_of_nothing_leaves_no_folder(library, place):
    done = library("export", "tap>=1", "path:nowhere", "-f", "webvtt", "--per-file", "each")
    assert done.exit_code == 0
    assert not (place / "each").exists()


def test_an_export_goes_to_stdout_and_over_no_catalogue(library, place):
    assert len(paths_in(library("export"))) == 6
    before = (place / "library.sqlite").read_bytes()
    done = library("export", "-o", "library.sqlite", "-f", "csv")
    assert done.exit_code == 2
    assert "is an input and would be written over" in done.stderr
    assert (place / "library.sqlite").read_bytes() == before


@pytest.mark.parametrize("name", ["notes.txt", "notes.csv", "notes.jsonl"])
def test_an_export_writes_over_earlier_results_only(library, place, name):
    (place / name).write_text("dear diary\n")
    done = library("export", "-o", name)
    assert done.exit_code == 2
    assert "was not written by this program in the format asked for" in done.stderr
    assert (place / name).read_text() == "dear diary\n"
    for _ in range(2):
        assert library("export", "-o", f"new-{name}").exit_code == 0


@pytest.fixture
def unheard(run, files, place):
    """A catalogue of recordings that broke off before anything was heard in them."""
    lengths = {"none.mp3": (None, 0.0), "zero.mp3": (0.0, 0.0), "long.mp3": (40.0, 0.0)}
    files(*lengths)
    with Catalogue.open(str(place / "library.sqlite"), create=True) as known:
        for name, (duration, decoded) in lengths.items():
            status = (place / name).stat()
            broken = FileResult(
                name,
                Status.PARTIAL,
                "tiny@0.1",
                error=Problem("DecodeError", f"{name}: broke off"),
                duration=duration,
                decoded=decoded,
            )
            known.add(Found(name, status.st_size, status.st_mtime_ns), broken, "settings")
    return run


def test_what_broke_off_at_once_is_found_and_claims_nothing(unheard):
    done = unheard("find", "status:partial", "--sort", "share.tap-", "--sort", "length")
    assert done.exit_code == 0, done.stderr
    assert "%" not in done.stdout
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:4]] == [
        ["zero.mp3", "partial"], ["long.mp3", "partial"], ["none.mp3", "partial"]
    ]  # fmt: skip
    for line in unheard("find", "--json").stdout.splitlines():
        record = json.loads(line)
        assert (record["trigger"], record["tags"], record["segments"]) == (None, [], [])
        assert (record["scores"], record["shares"]) == ({}, {})
        assert (record["no_talking"], record["longest_talk"]) == (None, None)
    for query in ("tap", "share.tap:0..", "no_talking", "silence", "longest_talk:0.."):
        assert paths_in(unheard("find", query, "--json")) == []


@pytest.mark.parametrize("name", FORMATS)
def test_what_broke_off_at_once_is_exported(unheard, place, name):
    form = FORMATS[name]
    skip = ["--skip", "silence"] if form.skips else []
    where = ["--per-file", "each"] if form.is_document else ["-o", f"out{form.suffixes[0]}"]
    done = unheard("export", "-f", name, *skip, *where)
    assert done.exit_code == 0, done.stderr
    if not form.is_document and form.holds_failures:
        with (place / where[1]).open("rb" if form.in_bytes else "r") as file:
            results = list(form.read(file))
        assert [(Path(x.path).name, x.shares, x.segments) for x in results] == [
            (file, {}, ()) for file in ("long.mp3", "none.mp3", "zero.mp3")
        ]


def test_what_broke_off_at_once_is_reported(unheard, place):
    done = unheard("report", "--no-waveforms", "-q")
    assert done.exit_code in {0, 3}, done.stderr
    page = (place / "report.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert [file["status"] for file in data["files"]] == ["partial"] * 3
    assert not any({"segments", "scores", "tags", "quiet"} & file.keys() for file in data["files"])


def test_files_are_forgotten(library, place):
    (place / "b.mp3").unlink()
    assert paths_in(library("find", "missing", "--json")) == ["b.mp3"]
    done = library("forget", "missing")
    assert "1 file forgotten" in done.stderr
    assert "2 files forgotten" in library("forget", "in", "status:failed").stderr
    assert paths_in(library("find", "--json")) == ["a.mp3", "mute.mp4", "partial.mp3"]
    assert (place / "fail.mp3").exists()
    assert library("forget", "typo.mp3").exit_code == 2


@pytest.mark.parametrize("option", [["--catalogue", "-q"], ["--catalogue=other.sqlite"]])
def test_a_catalogue_may_be_named_or_not(run, label, files, place, option):
    files("a.mp3")
    assert label("a.mp3", *option).exit_code == 0
    name = "other" if "=" in option[0] else "library"
    assert [path.name for path in place.glob("*.sqlite")] == [f"{name}.sqlite"]
    assert paths_in(run("find", "--json", "--catalogue", f"{name}.sqlite")) == ["a.mp3"]


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("in", "in: is a folder, where a catalogue is expected; write --catalogue after the paths"),
        ("a.mp3", "a.mp3: is no catalogue, or damaged at its beginning; name another after"),
    ],
)
def test_what_is_taken_for_a_catalogue_by_mistake_is_left_alone(label, place, name, message):
    before = (place / "a.mp3").read_bytes()
    done = label("--catalogue", name, "b.mp3")
    assert done.exit_code == 1
    assert message in " ".join(done.stderr.split())
    assert (place / "a.mp3").read_bytes() == before


def test_a_damaged_catalogue_is_told_by_every_command(library, label, place):
    path = place / "library.sqlite"
    path.write_bytes(path.read_bytes()[:9000])
    for words in (["find"], ["export"], ["set", "a.mp3", "reset"], ["forget", "missing"]):
        done = library(*words)
        assert done.exit_code == 1
        assert f"error: {path}: is damaged; move it away" in done.stderr
    done = label(".", "--catalogue", "-o", "out.jsonl")
    assert done.exit_code == 1
    assert f"error: {path}: is damaged" in done.stderr


def test_a_name_that_was_mistyped_is_told_and_not_kept(library, label):
    known = paths_in(library("find", "--json"))
    done = label("fail-typo", "a.mp3", "-q", "--catalogue", "--json")
    assert done.exit_code == 3
    assert done.stderr == "failed: fail-typo: no such file; check the name\n"
    assert paths_in(library("find", "--json")) == known


def by_mine(*names, scores):
    """Has files been labelled by another model."""
    with Catalogue.open("library.sqlite") as catalogue:
        for name in names:
            status = Path(name).stat()
            found = Found(name, status.st_size, status.st_mtime_ns)
            catalogue.add(found, heard(name, model="mine@1.0.0", scores=scores), "mine")


@pytest.mark.usefixtures("library")
def test_labels_of_another_model_that_give_way_are_told_once(label, place):
    by_mine("a.mp3", "b.mp3", "in/sleep.mp3", scores={"tap": 0.9, "brush": 0.8, "hum": 0.1})
    done = label("in", "a.mp3", "-q", "--catalogue", "--log-file", "log")
    assert done.exit_code == 0
    told = (
        "labelled by mine@1.0.0: 3 recordings of the catalogue; those at hand are labelled anew by "
        "tiny@0.1, which does not tell brush, hum. To label by mine, stop this and give its "
        "file by --model"
    )
    assert done.stderr == f"warning: {told}\n"
    assert (place / "log").read_text().count(told) == 1
    assert label("in", "a.mp3", "-q", "--catalogue").stderr == ""
    assert label("b.mp3", "-v", "--catalogue").stderr.count("labelled by mine@1.0.0: 1 rec") == 1


def test_a_model_that_is_named_and_tells_all_labels_replaces_another_in_silence(library, label):
    """As a taught one does the shipped one, while the way back was hardly meant."""
    by_mine("a.mp3", scores={"tap": 0.9})
    assert label("a.mp3", "-q", "--catalogue").stderr == ""
    by_mine("a.mp3", scores={"tap": 0.9})
    done = library("label", "a.mp3", "-q", "--catalogue")
    assert done.exit_code == 0
    assert "labelled by mine@1.0.0: 1 recording of the catalogue; those at hand" in done.stderr
    assert "does not tell" not in done.stderr


def test_a_name_that_is_not_utf_8_comes_back_as_it_is(run, label, place):
    name = os.fsdecode(b"caf\xe9.mp3")
    (place / name).write_bytes(b"sound")
    label(".", "-q", "--catalogue")
    (path,) = paths_in(run("find", "--json"))
    assert os.fsencode(path) == b"caf\xe9.mp3"
    assert "caf\\xe9.mp3  tap 0.90" in run("find").stdout
    assert "whisper (set)" in run("set", place / name, "trigger=whisper").stdout


def test_flags_may_stand_together_beside_what_is_negated(library):
    together = library("tag", "-nq", "-path:in/", "tap")
    apart = library("tag", "-n", "-q", "-path:in/", "tap")
    assert (together.exit_code, together.stderr) == (apart.exit_code, apart.stderr)
    assert "in/sleep.mp3" not in together.output
    assert "called 'nx'" in library("tag", "-nx", "-n", "tap").stderr


def console():
    return Console(file=io.StringIO())


def selected(*arguments, **options):
    return [result.path for result in select_results(arguments, console(), quiet=True, **options)]


@pytest.fixture
def shipped(monkeypatch, tiny_model):
    """A small model in the place of the shipped one."""
    monkeypatch.setattr("asmr_classify.model.load_model", lambda *_: tiny_model)


@pytest.mark.usefixtures("shipped")
def test_a_selection_takes_paths_and_a_query(library, labelling, files, place):
    n_labelled = len(labelling)
    assert selected("in", "path:mute", "b.mp3") == ["b.mp3", "in/sleep.mp3", "mute.mp4"]
    assert selected("b.mp3", "tap", "-path:a.mp3", "-path:partial") == ["b.mp3", "in/sleep.mp3"]
    assert len(labelling) == n_labelled
    files("new.mp3")
    assert selected("new.mp3", catalogue=place / "library.sqlite") == ["new.mp3"]
    assert len(labelling) == n_labelled + 1
    assert selected("path:new") == ["new.mp3"]  # was added
    library("set", "new.mp3", "trigger=whisper", "-q")
    (result,) = select_results(["new.mp3"], console(), quiet=True)
    assert result.tags == ("whisper",)


@pytest.mark.usefixtures("shipped", "library", "labelling")
def test_a_file_that_is_known_by_a_link_too_is_selected_once(label, place):
    (place / "by link").symlink_to("in", target_is_directory=True)
    label("by link", "-q", "--catalogue")
    (place / "alone.mp3").symlink_to("a.mp3")
    label("alone.mp3", "-q", "--catalogue")
    assert selected("path:sleep") == selected("by link", "path:in/") == ["in/sleep.mp3"]
    assert selected("path:alone") == ["alone.mp3"]
    assert selected("alone.mp3", "path:a.mp3") == ["a.mp3"]


@pytest.mark.usefixtures("shipped", "library")
def test_what_changed_is_labelled_anew_and_said(place, capsys):
    (place / "a.mp3").write_bytes(b"another sound")
    (place / "b.mp3").unlink()
    found = select_results(["tap", "-path:partial"], console())
    assert [result.path for result in found] == ["a.mp3", "in/sleep.mp3"]
    told = capsys.readouterr().err
    assert "labelled anew: 1 recording, changed since" in told
    assert "left out: 1 recording, no longer there" in told


@pytest.mark.usefixtures("shipped", "run", "labelling")
def test_a_selection_of_paths_needs_no_catalogue(files, place):
    files("a.mp3")
    assert selected("a.mp3") == ["a.mp3"]
    assert not (place / "library.sqlite").exists()
    assert selected("a.mp3", catalogue=place / "new.sqlite") == ["a.mp3"]
    assert (place / "new.sqlite").exists()
    with pytest.raises(CatalogueError, match=r"none\.sqlite: there is no catalogue"):
        selected("tap", catalogue=place / "none.sqlite")


@pytest.mark.usefixtures("labelling")
def test_without_a_catalogue_what_is_no_path_is_a_wrong_name(run, files):
    files("a.mp3")
    for words in (
        ["tag", "--dry-run"],
        ["tag", "--remove", "--dry-run"],
        ["organise", "--to", "{stem}.{ext}", "--root", ".", "--dry-run"],
        ["playlist"],
        ["report", "--no-waveforms"],
        ["check"],
    ):
        for gone in ("nosuchdir", "-nosuchdir"):
            done = run(*words, "a.mp3", gone)
            assert (done.exit_code, done.stdout) == (2, "")
            told = f"error: {gone}: no such file or folder, and there is no catalogue to ask: "
            assert told in " ".join(done.stderr.split())


@pytest.mark.parametrize("has_catalogue", [True, False], ids=["catalogue", "none"])
def test_a_model_that_is_named_labels_what_is_named(
    label, files, labelling, tiny_model, place, has_catalogue
):
    other = replace(tiny_model, name="other")
    save_model(other, place / "other.safetensors")
    files("a.mp3", "b.mp3")
    if has_catalogue:
        label("a.mp3", "-q", "--catalogue")
    for _ in range(2):
        results = select_results(
            ["a.mp3", "b.mp3"], console(), quiet=True, model=place / "other.safetensors"
        )
        assert [result.model for result in results] == [other.id, other.id]
    assert len(labelling) == (3 if has_catalogue else 4)  # what it said once is known


@pytest.mark.parametrize("what", ["a.mp3", "tap"])
def test_every_command_that_labels_takes_a_model(library, place, what):
    for words in (
        ["tag", what, "--dry-run"],
        ["organise", what, "--to", "{stem}.{ext}", "--root", ".", "--dry-run"],
        ["playlist", what],
        ["report", what, "--no-waveforms"],
        ["check", what],
    ):
        done = library(*words, "--model", place / "none.safetensors")
        assert done.exit_code == 1
        assert "none.safetensors" in " ".join(done.stderr.split())


def test_a_model_that_is_named_labels_what_a_query_finds(
    library, labelling, tiny_model, place, monkeypatch
):
    other = replace(tiny_model, name="other")
    save_model(other, place / "other.safetensors")
    options = {"quiet": True, "model": place / "other.safetensors"}
    n_labelled = len(labelling)
    for _ in range(2):
        results = select_results(["tap", "-path:partial"], console(), **options)
        assert [(result.path, result.model) for result in results] == [
            (path, other.id) for path in ("a.mp3", "b.mp3", "in/sleep.mp3")
        ]
        assert len(labelling) == n_labelled + 3  # what it said once is known

    def whispered(path, *, model, **_):
        return heard(path, model=model.id, trigger="whisper", tags=("whisper",))

    monkeypatch.setattr("asmr_classify.classify.label_file", whispered)
    save_model(replace(tiny_model, name="third"), place / "other.safetensors")
    assert select_results(["trigger:tap", "path:sleep"], console(), **options) == []
    assert paths_in(library("find", "trigger:whisper", "--json")) == ["in/sleep.mp3"]


def test_a_model_that_would_label_nothing_is_refused(library, model_file):
    assert library("export", "tap", "--output", "kept.jsonl").exit_code == 0
    for words, told in (
        (["tag", "a.mp3", "--remove", "--dry-run"], "by whatever model: omit --model"),
        (["report", "kept.jsonl"], "only results are named, which are shown as they are"),
    ):
        done = library(*words, "--model", model_file)
        assert (done.exit_code, done.stdout) == (2, "")
        assert told in " ".join(done.stderr.split())


@pytest.mark.usefixtures("library")
def test_a_selection_that_cannot_be_is_refused():
    with pytest.raises(UsageError, match="nothing is named: give files, folders or a query"):
        selected()
    for word in ("no/such", "gone.mp3"):
        with pytest.raises(UsageError, match=f"{word}: no such file or folder; check the name"):
            selected(word)
    with pytest.raises(QueryError, match="no field or label is called 'whimper'"):
        selected("a.mp3", "whimper")


@pytest.mark.parametrize(("option", "end"), [("--paths", b"\n"), ("--null", b"\0"), ("-0", b"\0")])
def test_bare_paths_are_the_bytes_they_are_and_no_options(run, label, files, option, end):
    files("b c.mp3", os.fsdecode(b"caf\xe9.mp3"), "-rf.mp3", "in/d\ne.mp3")
    assert label(".", "-q", "--catalogue").exit_code == 0
    done = run("find", option, "status:ok")
    names = [b"./-rf.mp3", b"b c.mp3", b"caf\xe9.mp3", b"in/d\ne.mp3"]
    assert done.stdout_bytes == b"".join(name + end for name in names)
    none = run("find", option, "path:nowhere")
    assert (none.stdout_bytes, none.stderr) == (b"", "nothing in the catalogue matches\n")


def test_bare_paths_are_labelled_from_a_list(library, label):
    done = library("find", "-0", "path:in")
    again = label("--files-from", "-", "-0", "--json", stdin=done.stdout_bytes)
    assert [json.loads(line)["path"] for line in again.stdout.splitlines()] == ["in/sleep.mp3"]


@pytest.mark.parametrize("form", [["--json"], ["--format", "csv"]], ids=" ".join)
def test_bare_paths_go_with_no_format(library, form):
    for option in ("--paths", "--null"):
        done = library("find", option, *form)
        assert done.exit_code == 2
        assert f"{option} and --format" in done.stderr


@pytest.mark.usefixtures("library")
def test_finding_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['x', 'find', 'tap', '--catalogue', 'library.sqlite']\n"
        "from asmr_classify.cli.app import main\ntry: main()\nexcept SystemExit: pass"
    )
    assert not modules_after(code) & set(HEAVY)


def test_real_recordings_go_in_and_come_out(record, model_file):
    record("a.wav", "b.wav", duration=0.5)
    program = [sys.executable, "-m", "asmr_classify"]
    label = [*program, "label", ".", "-q", "--model", model_file, "--catalogue=c.sqlite"]
    subprocess.run(label, check=True)
    Path("a.wav").rename("c.wav")
    again = subprocess.run([*label, "-f", "jsonl"], check=True, capture_output=True, text=True)
    found = subprocess.run(
        [*program, "find", "-missing", "--json", "--catalogue=c.sqlite"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert sorted(again.stdout.splitlines()) == found.stdout.splitlines()
    assert load_model(str(model_file)).id in found.stdout
