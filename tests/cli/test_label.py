from __future__ import annotations

import csv
import io
import itertools
import json
import os

import pytest
from typer.testing import CliRunner

from asmr_classify.batch import Limits
from asmr_classify.cli.app import app
from asmr_classify.errors import OutputError
from asmr_classify.writers.output import Output


def records(text):
    return [json.loads(line) for line in text.splitlines()]


def by_path(text):
    return {record["path"]: record for record in records(text)}


def test_a_table_by_default_and_a_summary_beside_it(label, touch):
    touch("b.mp3", "a.mp3", "notes.txt", ".hidden.mp3")
    done = label(".")
    assert done.exit_code == 0
    header, first, second, *_ = done.stdout.splitlines()
    assert header.split() == ["file", "trigger", "also", "length", "timeline"]
    assert first.startswith("a.mp3  tap 0.90  speech 50%")
    assert second.startswith("b.mp3")
    assert "2 files found: 2 ok; ignored 2 (1 hidden, 1 not media); 1:20 of audio in" in done.stderr


def test_jsonl_on_stdout_holds_nothing_but_data(label, touch):
    touch("a.mp3", "fail.mp3")
    done = label(".", "-f", "jsonl")
    assert {path: r["status"] for path, r in by_path(done.stdout).items()} == {
        "a.mp3": "ok",
        "fail.mp3": "failed",
    }
    assert "failed: fail.mp3: no such file" in done.stderr


@pytest.mark.parametrize(
    ("name", "first"),
    [
        pytest.param("out.jsonl", '{"schema": 1', id="jsonl"),
        pytest.param("OUT.NDJSON", '{"schema": 1', id="ndjson"),
        pytest.param("out.csv", "path,status", id="csv"),
        pytest.param("out.txt", "file ", id="table"),
    ],
)
def test_the_format_follows_from_the_name_of_the_output(name, first, label, touch, place):
    touch("a.mp3")
    done = label("a.mp3", "-o", name)
    assert (done.exit_code, done.stdout) == (0, "")
    assert (place / name).read_text().startswith(first)


def test_an_output_whose_format_is_unknown_is_refused(label, touch):
    touch("a.mp3")
    done = label("a.mp3", "-o", "out.xls")
    assert done.exit_code == 2
    told = "no format ends in '.xls'; there are .jsonl, .csv, .parquet, .selections.txt, "
    assert told in done.stderr
    assert (
        ", .vtt, .chapters.txt, .markers.json, .edl, .mpv.edl, and .txt for a table" in done.stderr
    )


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.txt", "out.vtt", "out.parquet"])
def test_an_output_that_is_named_as_an_input_is_refused(label, touch, place, name):
    touch("a.mp3")
    done = label("a.mp3", name)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"{name}: no such file; to write results into it, give --output {name}" in done.stderr
    assert label("-o", name, "a.mp3").exit_code == 0
    first = (place / name).read_bytes()
    assert label("a.mp3", "-o", name, "--fresh").exit_code == 0
    assert (place / name).read_bytes() == first
    if name != "out.parquet":
        again = label("a.mp3", name)
        assert again.exit_code == 2
        assert f"{name}: holds results, and is no recording; to write" in again.stderr


@pytest.mark.parametrize("content", [b"", b"RIFF----WAVE", b"some text\n"])
def test_a_recording_may_be_named_like_results(label, place, content):
    for name in ("a.csv", "a.txt", "a.jsonl"):
        (place / name).write_bytes(content)
    assert label("a.csv", "a.txt", "a.jsonl").exit_code in {0, 3}


def test_a_path_that_was_taken_for_the_catalogue_is_told(label):
    done = label("--catalogue", "in")
    assert done.exit_code == 2
    assert "nothing to label is named: give files or folders, or --files-from; --cat" in done.stderr
    assert "--files-from; " not in label().stderr


def test_a_table_in_a_file_has_no_escapes_and_letters_for_colours(label, touch, place):
    touch("a.mp3")
    label("a.mp3", "-o", "out.txt")
    text = (place / "out.txt").read_text()
    assert "\x1b" not in text
    assert "TTTT" in text
    assert "T tap   s speech" in text


def test_a_result_is_written_before_the_next_file_is_begun(label, touch, labelling):
    touch("a.mp3", "b.mp3")
    sizes = []
    class_write = Output.write

    def write(self, text):
        if self._name == "out.jsonl":
            sizes.append((len(labelling), text[:1]))
        return class_write(self, text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Output, "write", write)
        label(".", "-o", "out.jsonl")
    assert sizes == [(1, "{"), (2, "{")]


@pytest.mark.parametrize(
    ("names", "options", "status"),
    [
        pytest.param(["a.mp3"], [], 0, id="all labelled"),
        pytest.param(["a.mp3", "partial.mp3", "mute.mp4"], [], 0, id="partial is labelled"),
        pytest.param(["a.mp3", "fail.mp3"], [], 3, id="some failed"),
        pytest.param(["fail.mp3"], [], 3, id="all failed"),
        pytest.param(["notes.txt"], [], 4, id="nothing to label"),
        pytest.param(["a.mp3", "fail.mp3"], ["--strict"], 1, id="strict and failed"),
        pytest.param(["a.mp3", "partial.mp3"], ["--strict"], 1, id="strict and partial"),
        pytest.param(["a.mp3", "mute.mp4"], ["--strict"], 0, id="strict and without audio"),
        pytest.param(["a.mp3", "interrupt.mp3", "z.mp3"], [], 130, id="interrupted"),
    ],
)
def test_exit_status(names, options, status, label, touch):
    touch(*names)
    assert label(".", "-o", "out.jsonl", *options).exit_code == status


def test_strict_stops_at_the_first_failure_and_keeps_what_was_finished(label, touch, place):
    touch("a.mp3", "fail.mp3", "z.mp3")
    done = label(".", "-o", "out.jsonl", "--strict")
    assert list(by_path((place / "out.jsonl").read_text())) == ["a.mp3", "fail.mp3"]
    assert "error: stopped at fail.mp3 (--strict)" in done.stderr


def test_an_interrupt_lets_the_file_at_hand_be_finished(label, touch, place):
    touch("a.mp3", "interrupt.mp3", "z.mp3")
    done = label(".", "-o", "out.jsonl")
    assert list(by_path((place / "out.jsonl").read_text())) == ["a.mp3", "interrupt.mp3"]
    assert "finishing the files at hand; interrupt again to stop at once" in done.stderr
    assert "3 files found: 2 ok · 1 not yet labelled" in done.stderr
    assert "interrupted: what was finished is saved; the same command goes on" in done.stderr
    done = label(".", "-f", "csv")
    assert "interrupted: what was finished is on standard output, and kept" in done.stderr


def test_a_second_run_labels_only_what_is_new(label, touch, labelling):
    touch("a.mp3", "fail.mp3")
    label(".", "-o", "out.csv")
    touch("new.mp3")
    again = label(".", "-o", "out.csv")
    assert labelling == ["a.mp3", "fail.mp3", "new.mp3"]
    assert again.exit_code == 3
    assert "3 files found: 2 ok · 1 failed (2 known already)" in again.stderr
    fresh = label(".", "-o", "out.csv", "--fresh")
    assert labelling[3:] == ["a.mp3", "fail.mp3", "new.mp3"]
    assert "earlier" not in fresh.stderr


def test_two_names_of_one_output_have_one_journal(label, touch, place):
    touch("a.mp3")
    (place / "link.csv").symlink_to("out.csv")
    label(".", "-o", "out.csv")
    again = label(".", "-o", "link.csv")
    assert "(1 known already)" in again.stderr
    names = {path.name for path in place.iterdir()}
    assert names == {"a.mp3", "out.csv", "out.csv.journal", "link.csv"}


def test_a_folder_is_no_output(label, touch, place):
    touch("a.mp3")
    (place / "results").mkdir()
    done = label(".", "-o", "results")
    assert done.exit_code == 2
    assert "--output results: is a folder; name a file in it" in done.stderr


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.txt", "out.ndjson"])
@pytest.mark.parametrize(
    "text",
    [
        "Dear diary,\n",
        "path,mood\n",
        '{"name": "x"}\n',
        "\ntwo\n",
        "\ufeffpath,status,trigger,tags,\n",
    ],
)
def test_a_text_of_somebody_else_is_left_alone(name, text, label, touch, place, labelling):
    touch("a.mp3")
    (place / name).write_text(text)
    done = label("a.mp3", "-o", name)
    assert done.exit_code == 2
    assert f"{name}: exists and was not written by this program in the format" in done.stderr
    assert "remove it, or name another file" in done.stderr
    assert (place / name).read_text() == text
    assert labelling == []
    assert not (place / f"{name}.journal").exists()


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.txt", "out.parquet"])
def test_earlier_results_that_are_read_only_are_left(name, label, touch, place, labelling, deny):
    touch("a.mp3", "b.mp3")
    assert label("a.mp3", "-o", name).exit_code == 0
    before = (place / name).read_bytes()
    deny(name)
    done = label("b.mp3", "-o", name)
    assert done.exit_code == 1
    assert f"{name}: is read-only: write elsewhere, or change its permissions" in done.stderr
    assert labelling == ["a.mp3"]
    assert (place / name).read_bytes() == before


@pytest.mark.parametrize("form", ["jsonl", "csv", "table"])
@pytest.mark.parametrize(
    "files",
    [[], ["b.mp3"], ["fail long name.mp3", "mute.mp4"]],
)
def test_earlier_results_are_replaced(form, files, label, touch, place, monkeypatch):
    touch("a.mp3", *files)
    for columns in ("100", "64", "300"):
        monkeypatch.setenv("COLUMNS", columns)
        label(*files, "fail2.mp3", "-o", "out", "-f", form)
        done = label("a.mp3", "-o", "out", "-f", form)
        assert done.exit_code == 0, done.stderr
        assert "a.mp3" in (place / "out").read_text()
        (place / "out").unlink()


@pytest.mark.parametrize("text", ["", "\n"])
def test_an_empty_output_is_filled(text, label, touch, place):
    touch("a.mp3")
    (place / "out.jsonl").write_text(text)
    assert label("a.mp3", "-o", "out.jsonl").exit_code == 0


def test_results_in_one_format_are_not_replaced_by_another(label, touch, place):
    touch("a.mp3")
    for first, second in itertools.permutations(["jsonl", "csv", "table"], 2):
        label("a.mp3", "-o", "out", "-f", first)
        assert "is left alone" in label("a.mp3", "-o", "out", "-f", second).stderr
        (place / "out").unlink()


def test_standard_output_has_no_journal(label, touch, place):
    touch("a.mp3")
    label(".", "-f", "jsonl")
    assert [path.name for path in place.iterdir()] == ["a.mp3"]


@pytest.mark.parametrize("output", [[], ["-o", "-", "-f", "csv"], ["-o", os.devnull, "-f", "csv"]])
def test_fresh_without_a_journal_is_told_to_change_nothing(output, label, touch, labelling):
    touch("a.mp3")
    done = label("a.mp3", "--fresh", *output)
    assert "note: --fresh changes nothing here: only a file named by --output" in done.stderr
    assert (done.exit_code, labelling) == (0, ["a.mp3"])
    assert "note" not in label("a.mp3", "--fresh", "-q", *output).stderr
    assert "note" not in label("a.mp3", "--fresh", "-o", "out.csv").stderr


def test_limits_reach_the_workers(label, touch, monkeypatch):
    seen = []

    def iter_parallel(_items, _model, n_jobs, *, limits, **_):
        seen.append((n_jobs, limits))
        yield from ()

    monkeypatch.setattr("asmr_classify.batch.iter_parallel", iter_parallel)
    touch("a.mp3")
    label(".", "--timeout", "5", "--max-memory", "800", "--jobs", "3")
    assert seen == [(3, Limits(patience=5, max_memory=800_000_000))]


def test_an_interrupted_table_is_printed_as_far_as_it_came(label, touch):
    touch("a.mp3", "interrupt.mp3")
    assert "a.mp3          tap 0.90" in label(".").stdout


def test_an_unexpected_error_costs_its_file_only_and_is_logged(label, touch, place):
    touch("a.mp3", "bug.mp3", "z.mp3")
    done = label(".", "-f", "jsonl", "--log-file", "run.log")
    assert done.exit_code == 3
    assert {r["path"]: r["status"] for r in records(done.stdout)} == {
        "a.mp3": "ok",
        "bug.mp3": "failed",
        "z.mp3": "ok",
    }
    error = by_path(done.stdout)["bug.mp3"]["error"]
    assert error["kind"] == "ZeroDivisionError"
    assert error["message"].startswith("bug.mp3: unexpected error (ZeroDivisionError")
    assert "Traceback" in (place / "run.log").read_text()
    assert "Traceback" not in done.stderr


def test_nothing_found_is_told_also_when_quiet(label, touch):
    touch("notes.txt")
    done = label(".", "-q")
    assert done.stderr == "error: nothing to label was found\n"


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_quiet_tells_of_failed_files_alone(label, touch, form):
    touch("a.mp3", "fail.mp3", "mute.mp4", "partial.mp3")
    done = label(".", "-q", "-f", form)
    assert done.exit_code == 3
    assert done.stderr == "failed: fail.mp3: no such file; check the name\n"


def test_quiet_leaves_failures_to_the_table(label, touch):
    touch("fail.mp3")
    done = label(".", "-q")
    assert "no such file" in done.stdout
    assert done.stderr == ""


def test_verbose_tells_of_every_file(label, touch):
    touch("a.mp3", "mute.mp4")
    done = label(".", "-v", "-f", "jsonl")
    assert "a.mp3: ok tap 0.90\n" in done.stderr
    assert "mute.mp4: no_audio" in done.stderr


def test_the_log_file_is_appended_to(label, touch, place):
    touch("a.mp3")
    for _ in range(2):
        label("a.mp3", "--log-file", "run.log")
    assert (place / "run.log").read_text().count("a.mp3: ok tap 0.90") == 2


def test_include_and_exclude_choose_among_the_files_of_a_folder(label, touch, labelling):
    touch("a.mp3", "b.wav", "old/c.wav")
    label(".", "--include", "*.wav", "--exclude", "old")
    assert labelling == ["b.wav"]


def test_paths_inside_the_working_directory_are_named_relative_to_it(label, touch, place):
    touch("in/a.mp3")
    (outside := place.parent / f"{place.name}-outside.mp3").write_bytes(b"RIFF----WAVE")
    done = label(place, place / "in/a.mp3", "./in/../in", outside, "-f", "jsonl")
    assert list(by_path(done.stdout)) == ["in/a.mp3", str(outside)]


@pytest.mark.parametrize(
    ("content", "options"),
    [
        pytest.param("a.mp3\r\n\nb c.mp3\n", [], id="lines"),
        pytest.param("a.mp3\0b c.mp3\0", ["-0"], id="NUL bytes"),
    ],
)
def test_files_from(content, options, label, touch, place, labelling):
    touch("a.mp3", "b c.mp3")
    (place / "list.txt").write_text(content, newline="")
    for source in ("-", "list.txt"):
        done = label("--files-from", source, *options, stdin=content)
        assert done.exit_code == 0
    assert labelling == ["a.mp3", "b c.mp3"] * 2


def test_files_from_with_nul_bytes_takes_any_name(label, place):
    name = b"two\nlines caf\xe9.mp3"
    (place / os.fsdecode(name)).write_bytes(b"RIFF----WAVE")
    done = label("--files-from", "-", "-0", "-f", "jsonl", stdin=name + b"\0")
    assert os.fsencode(records(done.stdout)[0]["path"]) == name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "nothing to label is named", id="no path"),
        pytest.param(["a.mp3", "-0"], "--null tells how --files-from is read", id="null alone"),
        pytest.param(["--files-from", "none"], "none: cannot be read: No such file", id="no list"),
        pytest.param(["a.mp3", "--threshold", "tap"], "write LABEL=X", id="no number"),
        pytest.param(["a.mp3", "--threshold", "tap=x"], "write LABEL=X", id="not a number"),
        pytest.param(["a.mp3", "--threshold", "hum=0.5"], "labels are tap, whisper", id="label"),
        pytest.param(["a.mp3", "--threshold", "tap=1.5"], "between 0 and 1", id="too high"),
        pytest.param(["a.mp3", "--threshold", "tap=nan"], "between 0 and 1", id="nan"),
        pytest.param(["a.mp3", "--jobs", "0"], "'--jobs'", id="no jobs"),
        pytest.param(["a.mp3", "--format", "xml"], "'--format'", id="format"),
        pytest.param(["a.mp3", "-o", "a.mp3"], "named like a recording", id="input"),
        pytest.param(["a.mp3", "-o", "new.WAV"], "named like a recording", id="media"),
        pytest.param(["a.mp3", "-f", "csv", "-o", "track"], "holds no text", id="sniffed media"),
        pytest.param(["a.mp3", "--log-file", "a.mp3"], "named like a recording", id="log"),
        pytest.param(["--files-from", "l.txt", "-o", "l.txt"], "is an input", id="list"),
        pytest.param(["a.mp3", "--no-such-option"], "No such option", id="unknown option"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_done(
    arguments, message, label, touch, place, labelling
):
    touch("a.mp3", "track")
    (place / "l.txt").write_text("a.mp3\n")
    before = {path: path.read_bytes() for path in place.iterdir()}
    done = label(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""
    assert labelling == []
    assert {path: path.read_bytes() for path in place.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["-o", "no/out.csv"], "no/out.csv.journal: cannot be written; its folder", id="folder"
        ),
        pytest.param(["--log-file", "no/log"], "no/log: cannot be written", id="log"),
        pytest.param(["--model", "none"], "none: no such model file", id="no model"),
        pytest.param(["--model", "a.mp3"], "a.mp3: not a model", id="not a model"),
    ],
)
def test_what_cannot_run_is_told_before_anything_is_labelled(
    arguments, message, label, touch, labelling
):
    touch("a.mp3")
    done = label("a.mp3", *arguments)
    assert done.exit_code == 1
    assert message in done.stderr
    assert labelling == []


def test_a_full_disk_ends_the_run_with_whole_lines(label, touch, place, monkeypatch):
    touch("a.mp3", "b.mp3", "c.mp3")
    write = Output.write
    calls = []

    def write_until_full(self, text):
        calls.append(self._name)
        if calls.count("out.jsonl") == 2:
            raise OutputError("out.jsonl: cannot be written; the disk is full")
        return write(self, text)

    monkeypatch.setattr(Output, "write", write_until_full)
    done = label(".", "-o", "out.jsonl")
    assert done.exit_code == 1
    assert "error: out.jsonl: cannot be written; the disk is full" in done.stderr
    assert len(records((place / "out.jsonl").read_text())) == 1


def test_thresholds_reach_the_model(label, touch, monkeypatch):
    touch("a.mp3")
    seen = []

    def label_file(_path, *, model, **_):
        seen.append(dict(model.thresholds))
        raise OSError

    monkeypatch.setattr("asmr_classify.classify.label_file", label_file)
    label("a.mp3", "--threshold", "tap=0.25", "--threshold", "speech=0.75")
    assert seen == [{"tap": 0.25, "whisper": 0.5, "speech": 0.75}]


HOSTILE = "\x1b[31m[red]x[bold]\x9b2J\u202e\r\nevil\udce9.mp3"


@pytest.mark.parametrize("form", ["table", "jsonl", "csv"])
def test_names_do_not_act_on_the_terminal(form, label, place, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    (place / HOSTILE).write_bytes(b"RIFF----WAVE")
    (place / f"fail{HOSTILE}").write_bytes(b"RIFF----WAVE")
    done = label(".", "-f", form, "-v")
    for text in (done.stdout, done.stderr):
        assert not any(char in text for char in "\x1b\x9b\r")
    assert "[red]x" in done.stdout
    if form == "csv":
        assert len(list(csv.reader(io.StringIO(done.stdout)))) == 3


def test_json_is_another_way_to_ask_for_json_lines(label, touch, place):
    touch("a.mp3")
    asked = label("a.mp3", "-q", "--format", "jsonl").stdout
    assert label("a.mp3", "-q", "--json").stdout == asked
    assert label("a.mp3", "-q", "--json", "-f", "jsonl").stdout == asked
    assert json.loads(asked)["tags"] == ["tap"]
    assert label("a.mp3", "-q", "--json", "-o", "out.txt").exit_code == 0
    assert (place / "out.txt").read_text() == asked
    assert label("a.mp3", "-q", "--json", "--per-file", "each").exit_code == 0
    assert (place / "each" / "a.mp3.jsonl").read_text() == asked
    for command in (lambda *words: label("a.mp3", *words), find):
        done = command("--json", "--format", "csv")
        assert (done.exit_code, done.stdout) == (2, "")
        assert "--json and --format csv exclude each other: --json stands" in done.stderr


def find(*words):
    return CliRunner().invoke(app, ["find", *words])


@pytest.fixture
def looking(monkeypatch):
    """Stands in for looking: writes down with which effort."""
    from asmr_classify.errors import DecodeError
    from asmr_classify.visual.seen import Picture, Visual

    efforts = []

    def look(path, *, effort, on_progress):  # noqa: ARG001
        efforts.append(effort.value)
        if "blind" in path:
            raise DecodeError(path, "no picture could be decoded")
        return Visual(Picture.VIDEO, effort=effort)

    monkeypatch.setattr("asmr_classify.visual.look.look", look)
    return efforts


@pytest.mark.parametrize(
    ("options", "efforts"),
    [
        pytest.param([], ["normal"], id="default"),
        pytest.param(["--video-effort", "low"], ["low"], id="low"),
        pytest.param(["--video-effort", "full"], ["full"], id="full"),
        pytest.param(["--no-video"], [], id="none"),
    ],
)
def test_how_closely_videos_are_looked_at(options, efforts, label, touch, looking):
    touch("a.mp4")
    result = label("a.mp4", "--json", *options)
    assert looking == efforts
    visual = json.loads(result.stdout)["visual"]
    assert ([visual["effort"]] if visual else []) == efforts


def test_not_to_look_and_how_closely_do_not_go_together(label, touch):
    touch("a.mp4")
    result = label("a.mp4", "--no-video", "--video-effort", "low")
    assert result.exit_code == 2
    assert "do not go together" in result.stderr


@pytest.mark.usefixtures("looking")
def test_a_picture_that_cannot_be_seen_is_told_and_fails_nothing(label, touch):
    touch("blind.mp4")
    result = label("blind.mp4", "--json")
    assert result.exit_code == 0
    assert "picture not seen: blind.mp4: no picture could be decoded" in result.stderr
    record = json.loads(result.stdout)
    assert (record["status"], record["visual"]) == ("ok", None)
    assert record["visual_error"]["kind"] == "DecodeError"
