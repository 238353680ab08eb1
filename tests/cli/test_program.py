"""The program as its users start it: commands, help, start-up, terminals, signals, pipes."""

from __future__ import annotations

import inspect
import json
import os
import re
import signal
import subprocess
import sys
import time
from shutil import copyfile

import pytest
import typer.main
from typer.testing import CliRunner

from asmr_classify.cli.app import app
from tests.conftest import ROOT

PROGRAM = [sys.executable, "-m", "asmr_classify"]


def commands_of(group, before=""):
    """All commands by the words that call them, those of groups too."""
    found = {}
    for name, command in group.commands.items():
        inner = hasattr(command, "commands")
        found |= commands_of(command, f"{before}{name} ") if inner else {f"{before}{name}": command}
    return found


COMMANDS = commands_of(typer.main.get_command(app))

needs_posix = pytest.mark.skipif(os.name != "posix", reason="signals and terminals of POSIX")


def run(*arguments, **options):
    environment = {**os.environ, "COLUMNS": "100", **options.pop("env", {})}
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        check=False,
        env=environment,
        timeout=120,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name):
    command = COMMANDS[name]
    assert len(command.help) > 20
    for parameter in command.params:
        assert getattr(parameter, "help", None), parameter.name
        assert parameter.help.endswith("."), parameter.name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_reports_its_errors(name):
    assert hasattr(COMMANDS[name].callback, "__wrapped__")
    assert "ExitStatus" in str(inspect.signature(COMMANDS[name].callback).return_annotation)


HELPS = [["--help"], ["--version"], *([*name.split(), "--help"] for name in COMMANDS)]

ASK_ALL = """
import json, os, sys
from asmr_classify.cli.app import main

told, asked = [], json.loads(sys.argv[1])
known, heavy = set(), {"librosa", "sklearn", "scipy", "pandas", "av", "numpy", "joblib"}
for arguments in asked:
    sys.argv = ["asmr-classify", *arguments]
    try:
        main()
    except SystemExit as exc:
        status = exc.code
    loaded = heavy & set(sys.modules) - known
    known |= loaded
    told.append([status, sorted(loaded), os.listdir()])
json.dump(told, sys.stderr)
"""
"""One process for all: what a command loads is told of the first that does."""


@pytest.fixture(scope="module")
def what_helps_do(tmp_path_factory):
    """Exit status, heavy modules loaded and files written, by arguments."""
    place = tmp_path_factory.mktemp("helps")
    done = subprocess.run(
        [sys.executable, "-B", "-c", ASK_ALL, json.dumps(HELPS)],
        cwd=place,
        env={**os.environ, "HOME": str(place), "XDG_CACHE_HOME": str(place / "cache")},
        capture_output=True,
        check=True,
    )
    return dict(zip(map(tuple, HELPS), json.loads(done.stderr), strict=True))


@pytest.mark.parametrize("arguments", HELPS, ids=" ".join)
def test_help_and_version_write_nothing_and_load_nothing_heavy(arguments, what_helps_do):
    assert what_helps_do[tuple(arguments)] == [0, [], []]


def test_version_is_that_of_the_package():
    done = run("--version")
    assert re.fullmatch(rb"asmr-classify \d+\.\d+\.\d+\S*\n", done.stdout)


@pytest.mark.parametrize("name", ["", "model", *COMMANDS])
def test_the_help_is_in_plain_words_and_fits_eighty_columns(name):
    text = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "80"}).stdout
    assert not re.search(r"<\w+|\[\[| range", text)  # <bool>, [[MODEL]], <int range>
    assert max(map(len, text.splitlines())) <= 80
    assert re.search(r"│ --help +(-h +)?Show this", text)  # a flag takes no word
    jobs = "--jobs" in text
    assert jobs == bool(re.search(r"--jobs +-j +JOBS \[x>=1\]", text))


def test_the_help_says_how_to_begin_and_the_exit_statuses_come_last():
    text = run("--help").stdout.decode()
    assert text.index("label FOLDER") < text.index("Options") < text.index("Exit status")


def test_the_help_tells_the_exit_statuses():
    text = " ".join(run("--help").stdout.decode().split())
    for status in (
        "0 done",
        "1 could not run",
        "4 nothing to do",
        "2 wrong usage",
        "130 interrupted",
        "141 the reader",
        "143 ended by SIGTERM",
    ):
        assert status in text


def test_real_files_give_the_same_records_with_one_process_and_with_two(place, record, model_file):
    record("a.wav", "b.wav", duration=2.5)
    (place / "fail.wav").write_bytes(b"")
    lines = []
    for jobs in (1, 2):
        done = run("label", ".", "--model", model_file, "-f", "jsonl", "-q", "-j", jobs)
        told = b"failed: fail.wav: the file is empty; fetch or record it again\n"
        assert (done.returncode, done.stderr) == (3, told)
        lines.append(sorted(done.stdout.splitlines()))
    assert lines[0] == lines[1]
    assert [json.loads(line)["path"] for line in lines[0]] == ["a.wav", "b.wav", "fail.wav"]


@pytest.mark.usefixtures("place")
def test_a_reader_that_goes_away_ends_the_program_quietly(record, model_file):
    record(*(f"{k}.wav" for k in range(5)))
    command = [*PROGRAM, "label", ".", "--model", model_file, "-f", "jsonl", "-q", "-j", "1"]
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.fixture(scope="module")
def kept(tmp_path_factory, model_file):
    """A folder with a recording that a catalogue knows, and a run that tagged it."""
    place = tmp_path_factory.mktemp("kept")
    copyfile(ROOT / "data" / "demo" / "tap-keys.flac", place / "a.flac")
    env = {"ASMR_CLASSIFY_CATALOGUE": str(place / "c.sqlite"), "ASMR_CLASSIFY_STATE": str(place)}
    label = run("label", "a.flac", "--model", model_file, "--catalogue", "-q", cwd=place, env=env)
    tag = run("tag", "a.flac", "--yes", "-q", cwd=place, env=env)
    assert (label.returncode, tag.returncode) == (0, 0), tag.stderr
    return place, env


@needs_posix
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(
    "command",
    ["--help", "find --help", "find", "find --json", "model show", "playlist -q", "undo --list"],
)
def test_no_reader_at_all_is_no_failure(kept, command, unbuffered):
    place, env = kept
    done = run_without_reader(
        *command.split(), cwd=place, env={**env, "PYTHONUNBUFFERED": unbuffered}
    )
    assert (done.returncode, done.stderr) == (141, b"")


@needs_posix
def test_a_reader_of_the_talk_that_goes_away_loses_nothing(place, record, model_file):
    record("a.wav", "b.wav")
    words = ["label", ".", "--model", model_file, "-o", "out.jsonl", "-v", "-j", "1"]
    done = run_without_reader(*words, stderr=subprocess.STDOUT)
    assert done.returncode == 141
    n_saved = len((place / "out.jsonl").read_text().splitlines())
    assert n_saved > 0
    done = run(*words)
    assert (done.returncode, f"({n_saved} known already)" in done.stderr.decode()) == (0, True)


def run_without_reader(*arguments, **options):
    """Run the program with standard output into a pipe whose other end is closed."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return run(*arguments, **{"stdout": writer, **options})
    finally:
        os.close(writer)


FULL = (
    b"error: standard output: cannot be written; the disk is full: make room, or write elsewhere\n"
)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no disk that is always full")  # noqa: PTH110
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "--version",
        "find --help",
        "find",
        "find --json",
        "label a.flac -q --model {model}",
        "check a.flac -q",
        "check --show-limits",
        "model show",
        "model show --json",
        "set a.flac reset",
        "tag a.flac --genre --dry-run -q",
        "undo --list",
        "undo --list --json",
    ],
)
def test_a_full_disk_behind_standard_output_is_told_once(kept, model_file, command, unbuffered):
    place, env = kept
    words = command.format(model=model_file).split()
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = run(*words, stdout=full, cwd=place, env={**env, "PYTHONUNBUFFERED": unbuffered})
    assert (done.returncode, done.stderr) == (1, FULL)


@needs_posix
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupt_from_the_terminal_leaves_whole_lines_and_no_traceback(
    jobs, place, record, model_file
):
    record("one.wav", duration=20)
    for k in range(200):
        (place / f"{k}.wav").hardlink_to(place / "one.wav")
    command = [*PROGRAM, "label", ".", "--model", model_file, "-o", "out.jsonl", "-j", jobs]
    with subprocess.Popen(
        list(map(str, command)), stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        out = place / "out.jsonl"
        deadline = time.monotonic() + 60
        while not (out.exists() and out.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        talk = process.stderr.read().decode()
    assert process.returncode == 130, talk
    assert "interrupted: what was finished is saved" in talk
    assert "Traceback" not in talk
    lines = out.read_text().splitlines()
    assert 0 < len(lines) < 201
    assert all(json.loads(line)["status"] == "ok" for line in lines)


def on_a_terminal(command, **env):
    """Run a command on a terminal of its own, and give what it wrote there."""
    import pty

    leader, follower = pty.openpty()
    process = subprocess.Popen(
        list(map(str, command)),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", **env},
    )
    os.close(follower)
    written = b""
    try:
        while chunk := os.read(leader, 4096):
            written += chunk
    except OSError:  # how Linux tells that the other end is closed
        pass
    os.close(leader)
    assert process.wait() == 0
    return written.decode()


@needs_posix
@pytest.mark.usefixtures("place")
def test_colour_on_a_terminal_and_none_with_no_color(record, model_file):
    record("a.wav", duration=2)
    command = [*PROGRAM, "label", "a.wav", "--model", model_file]
    colour = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
    coloured = on_a_terminal(command)
    assert colour.search(coloured)
    plain = on_a_terminal(command, NO_COLOR="1")
    assert not colour.search(plain)
    assert "1 file found: 1 ok" in plain
