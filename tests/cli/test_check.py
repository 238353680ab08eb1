"""``asmr-classify check``: what it prints, what it writes, and how it exits."""

from __future__ import annotations

import csv
import json
import re
import signal

import numpy as np
import pytest
from typer.testing import CliRunner

from asmr_classify import check as package
from asmr_classify.batch import pool
from asmr_classify.check.limits import default_limits_text, load_limits
from asmr_classify.cli.app import app
from tests.check.signals import noise, silence, sine
from tests.media.make_media import RECIPES, write_float_wav, write_media


@pytest.fixture
def check_apart(place, model_file):  # noqa: ARG001 (where it works)
    """Checks in a process of its own, as users do."""

    def run(*arguments):
        command = ["check", "--model", str(model_file), *map(str, arguments)]
        return CliRunner().invoke(app, command)

    return run


@pytest.fixture
def check(check_apart, in_this_process):  # noqa: ARG001 (which is quicker)
    return check_apart


@pytest.fixture
def wav(place):
    def write(name, y):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        return write_float_wav(place / name, y, 48000)

    return write


@pytest.fixture
def good(wav):
    rng = np.random.default_rng(0)
    return wav("good.wav", noise(rng, -30, 2))


@pytest.fixture
def clipping(wav):
    rng = np.random.default_rng(1)
    return wav("clipping.wav", (3 * noise(rng, -12, 2)).clip(-1, 1))


@pytest.fixture
def broken(place):
    path = place / "broken.mp3"
    path.write_bytes(b"just words\n" * 90)
    return path


def test_a_good_file_is_ok(check, good):
    done = check(good.name)
    assert done.exit_code == 0
    title = done.stdout.splitlines()[0]
    assert title.startswith("good.wav  2.0 s")
    assert title.endswith("OK")
    assert "LUFS" in done.stdout
    assert "warn under -45, warn over -14" in done.stdout
    assert "1 file checked: 1 ok" in done.stderr


def test_a_failure_exits_with_5_and_names_figure_limit_and_place(check, clipping):
    done = check(clipping.name)
    assert done.exit_code == 5
    title, *lines = done.stdout.splitlines()
    assert title.endswith("FAIL: true peak")
    [line] = [line for line in lines if "true peak" in line]
    assert "dBTP" in line
    assert "fail over -1" in line
    assert "FAIL" in line


def test_a_file_that_cannot_be_read_exits_with_3_and_costs_no_other(check, good, broken):
    done = check(broken.name, good.name)
    assert done.exit_code == 3
    assert "broken.mp3  not read" in done.stdout
    assert "not an audio or video file" in done.stdout
    assert "good.wav" in done.stdout
    assert "2 files checked: 1 ok · 1 not read" in done.stderr


def test_a_failure_outranks_what_could_not_be_read(check, clipping, broken):
    assert check(broken.name, clipping.name).exit_code == 5


def test_warnings_exit_with_0(check, wav):
    wav("dual.wav", sine(-30, 1))
    done = check("dual.wav")
    assert done.exit_code == 0
    assert "dual mono" in done.stdout
    assert "WARN" in done.stdout


def test_folders_are_searched(check, wav, place):
    wav("a/one.wav", silence(1))
    wav("a/b/two.wav", silence(1))
    (place / "a/notes.txt").write_text("no sound")
    done = check("a", "--json", "-q")
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == [
        "a/one.wav",
        "a/b/two.wav",
    ]
    done = check("a", "--exclude", "b", "--json", "-q")
    assert len(done.stdout.splitlines()) == 1


def test_json_goes_to_stdout_one_object_a_line(check, good, clipping, broken):
    done = check(good.name, clipping.name, broken.name, "--json")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["verdict"] for record in records] == ["ok", "fail", None]
    assert records[0]["figures"]["true_peak"]["verdict"] == "ok"
    assert records[2]["figures"] == {}
    assert records[2]["labels"]["error"]["kind"] == "OpenError"


@pytest.mark.parametrize("name", ["out.jsonl", "out.json"])
def test_output_by_its_ending(check, good, place, name):
    done = check(good.name, "--output", name)
    assert done.stdout == ""
    assert json.loads((place / name).read_text())["path"] == "good.wav"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("out.tsv", "--output out.tsv: checks are not written as .tsv; name a .jsonl or .csv"),
        ("out", "--output out: checks are not written as files without an ending; name"),
        (".", "--output .: is a folder; name a .jsonl, .csv or .txt file in it"),
    ],
    ids=["tsv", "none", "folder"],
)
def test_an_ending_of_no_format_is_refused(check, good, place, name, told):
    done = check(good.name, "--output", name)
    assert (done.exit_code, told in done.stderr) == (2, True), done.stderr
    assert [path.name for path in place.iterdir()] == [good.name]


def test_json_goes_into_a_file_of_any_ending(check, good, place):
    assert check(good.name, "--json", "--output", "out.csv").exit_code == 0
    assert json.loads((place / "out.csv").read_text())["path"] == "good.wav"


def test_a_table_goes_to_a_file(check, good, place):
    assert check(good.name, "--output", "out.txt").exit_code == 0
    assert "true peak" in (place / "out.txt").read_text()


def test_all_figures_go_to_a_csv_file_a_row_a_file(check, good, clipping, broken, place):
    files = [good.name, clipping.name, broken.name]
    lines = check(*files, "--json", "-q").stdout.splitlines()
    done = check(*files, "--output", "out.csv")
    assert (done.exit_code, done.stdout) == (5, "")
    with (place / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, record in zip(rows, map(json.loads, lines), strict=True):
        assert (row["path"], row["verdict"]) == (record["path"], record["verdict"] or "")
        assert row["status"] == record["labels"]["status"]
        told = {
            f"{name}{part}": "" if value is None else str(value)
            for name, figure in record["figures"].items()
            for part, value in (("", figure["value"]), ("_verdict", figure["verdict"]))
        }
        assert told.items() <= row.items()
    assert rows[1]["true_peak_verdict"] == "fail"
    assert float(rows[1]["true_peak_at"]) < 2
    assert "not an audio or video file" in rows[2]["error"]
    assert rows[2]["true_peak"] == ""
    assert {name for name in rows[0] if name.endswith("_at")} == {
        f"{name}_at"
        for name, figure in json.loads(lines[1])["figures"].items()
        if figure["at"] is not None
    } | {"max_short_term_at", "startle_at"}  # of which two seconds have none


@pytest.mark.parametrize(("columns", "shown"), [(60, False), (79, False), (80, True)])
def test_limits_are_shown_where_there_is_room(check, clipping, monkeypatch, columns, shown):
    monkeypatch.setenv("COLUMNS", str(columns))
    text = check(clipping.name).stdout
    assert ("fail over -1" in text) == shown
    assert re.search(r"^  left over right +\S+  dB +.*OK", text, re.MULTILINE) or shown
    assert max(map(len, text.splitlines())) <= columns


def test_limits_of_the_user(check, good, place):
    (place / "mine.toml").write_text("[integrated_loudness]\nfail_above = -60\n")
    done = check(good.name, "--limits", "mine.toml")
    assert done.exit_code == 5
    assert "fail over -60" in done.stdout
    assert "fail over -1 " not in done.stdout


def test_wrong_limits_are_told_before_anything_is_measured(check, good, place):
    (place / "mine.toml").write_text("[true_peek]\nfail_above = -1\n")
    done = check(good.name, "--limits", "mine.toml")
    assert done.exit_code == 1
    assert "mine.toml: no figure is called 'true_peek'; did you mean true_peak?" in done.stderr
    assert "check --show-limits prints the default limits" in done.stderr
    assert done.stdout == ""


def test_the_default_limits_are_shown_and_can_be_given_back(check, good, place):
    done = CliRunner().invoke(app, ["check", "--show-limits"])
    assert done.exit_code == 0
    assert done.stdout == default_limits_text()
    (place / "same.toml").write_text(done.stdout)
    assert load_limits("same.toml") == load_limits()
    assert check(good.name, "--limits", "same.toml").stdout == check(good.name).stdout


def test_showing_limits_checks_nothing(check, good):
    done = check("--show-limits", good.name)
    assert done.exit_code == 2
    assert "name no file" in done.stderr


def test_nothing_named_is_wrong_usage(check):
    done = check()
    assert done.exit_code == 2
    assert "nothing to check is named" in done.stderr


@pytest.mark.usefixtures("good")
def test_what_a_query_finds_is_checked(check, clipping, wav, model_file):
    wav("in/other.wav", sine(-20, 1))
    CliRunner().invoke(app, ["label", ".", "-q", "--model", str(model_file), "--catalogue"])

    def checked(*words):
        return [json.loads(line)["path"] for line in check(*words, "--json").stdout.splitlines()]

    assert checked("path:good") == ["good.wav"]
    assert sorted(checked("-path:good", "-qv")) == ["clipping.wav", "in/other.wav"]
    assert checked("path:other", "good.wav", "good.wav") == ["good.wav", "in/other.wav"]
    clipping.unlink()
    done = check("path:clipping")
    assert (done.exit_code, done.stdout) == (4, "")
    assert "left out: 1 recording, no longer there" in done.stderr
    assert "no such file or folder; check the name" in check("gone.wav").stderr
    assert "no field or label is called 'whimper'" in check("whimper").stderr


def test_nothing_found_exits_with_4(check, place):
    (place / "empty").mkdir()
    done = check("empty")
    assert done.exit_code == 4
    assert "nothing to check was found" in done.stderr


def test_recordings_are_not_written_over(check, good):
    before = good.read_bytes()
    done = check(good.name, "--output", good.name)
    assert done.exit_code == 2
    assert good.read_bytes() == before


def test_names_do_nothing_on_a_terminal(check, wav):
    wav("a\x1b[2Jb[red].wav", silence(1))
    done = check(".")
    assert "\x1b[2J" not in done.stdout
    assert r"a\x1b[2Jb[red].wav" in done.stdout


def test_a_sudden_moment_is_told_with_its_time(check, wav):
    rng = np.random.default_rng(2)
    y = np.concatenate([noise(rng, -50, 8), noise(rng, -25, 1), noise(rng, -50, 1)], axis=1)
    wav("bang.wav", y)
    done = check("bang.wav")
    assert done.exit_code == 5
    assert re.search(r"sudden: 8\.[01] s \(\+2[45]\.\d LU within 0\.1 s\)", done.stdout)


def test_an_interrupt_keeps_what_was_finished(check, good, clipping, monkeypatch):
    real = package.CheckTask.do

    def interrupt(task, found, on_progress):
        signal.raise_signal(signal.SIGINT)
        return real(task, found, on_progress)

    monkeypatch.setattr(package.CheckTask, "do", interrupt)
    done = check(good.name, clipping.name, "--json")
    assert done.exit_code == 130
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == ["good.wav"]
    assert "interrupted: what was finished is written; the rest was not checked" in done.stderr


def test_an_unexpected_error_costs_its_file_only(check, good, wav, place, monkeypatch):
    wav("bug.wav", noise(np.random.default_rng(2), -30, 1))
    real = package.label_file

    def label_file(path, **options):
        if path == "bug.wav":
            raise ZeroDivisionError("float division")
        return real(path, **options)

    monkeypatch.setattr(package, "label_file", label_file)
    done = check("bug.wav", good.name, "--json", "--log-file", "run.log")
    assert done.exit_code == 3
    bug, fine = map(json.loads, done.stdout.splitlines())
    message = bug["labels"]["error"]["message"]
    assert message.startswith("bug.wav: unexpected error (ZeroDivisionError: float division)")
    assert (bug["verdict"], fine["verdict"]) == (None, "ok")
    assert "Traceback" in (place / "run.log").read_text()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["out.jsonl", "out.txt", "out.csv"])
def test_only_earlier_checks_are_written_over(check, good, broken, place, name):
    mine = '{"my": "notes"}\n'
    (place / name).write_text(mine)
    done = check(good.name, "--output", name)
    assert done.exit_code == 2
    assert f"{name}: exists and was not written by this program" in done.stderr
    assert (place / name).read_text() == mine
    (place / name).unlink()
    for file, status in ((good, 0), (broken, 3), (good, 0)):
        assert check(file.name, "--output", name).exit_code == status


def test_videos_are_looked_at_unless_told_to_only_listen(check, place):
    write_media(place / "a.mp4", None, RECIPES["mp4"], video_duration=2.0)
    seen, heard = (
        json.loads(check("a.mp4", "--json", *more).stdout) for more in ([], ["--no-video"])
    )
    assert list(seen["figures"]) == ["channels", "picture", "light", "flashes"]
    assert seen["labels"]["visual"]["effort"] == "normal"
    assert (list(heard["figures"]), heard["labels"]["visual"]) == (["channels"], None)


@pytest.mark.parametrize(
    ("crashing", "status", "figures"),
    [
        pytest.param("asmr_classify.visual.look.look", "ok", "a.wav", id="who looks"),
        pytest.param("asmr_classify.check.label_file", "failed", None, id="who listens"),
    ],
)
def test_a_file_that_crashes_its_process_costs_no_other(
    check_apart, wav, monkeypatch, crashing, status, figures
):
    wav("a.wav", noise(np.random.default_rng(0), -30, 1))
    wav("b.wav", noise(np.random.default_rng(1), -30, 1))
    module, _, name = crashing.rpartition(".")
    start = pool.START.replace(
        "main()",
        f"import os, {module} as module\nreal = module.{name}\n"
        "def crash(path, **options):\n"
        "    if path == 'a.wav': os.abort()\n"
        "    return real(path, **options)\n"
        f"module.{name} = crash\nmain()",
    )
    monkeypatch.setattr(pool, "START", start)
    done = check_apart("a.wav", "b.wav", "--json")
    first, second = map(json.loads, done.stdout.splitlines())
    assert (first["labels"]["status"], second["labels"]["status"]) == (status, "ok")
    problem = first["labels"]["error" if figures is None else "visual_error"]
    assert "SIGABRT" in problem["message"]
    assert (first["figures"] == {}) == (figures is None)
    assert (second["labels"]["error"], second["labels"]["visual"]["picture"]) == (None, "none")
