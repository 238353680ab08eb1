"""``asmr-classify watch``: what arrives is labelled, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from asmr_classify.catalogue import Catalogue, default_path
from asmr_classify.cli import then
from asmr_classify.cli import watch as watch_command
from asmr_classify.cli.app import app
from asmr_classify.errors import UsageError
from asmr_classify.media.found import Found
from asmr_classify.watch import wakes
from tests.cli.conftest import heard

PATIENCE = 120.0
"""Seconds in which a process must do what it should."""


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(wakes, "LEAST_PAUSE", 0.02)


@pytest.fixture
def watch(place, labelling, model_file):  # noqa: ARG001 (what it runs on)
    """Runs ``asmr-classify watch --once`` with a small model."""

    def run(*arguments, settle="0s"):
        command = ["watch", "--model", str(model_file), "--once", "--settle", settle]
        return CliRunner().invoke(app, [*command, *map(str, arguments)])

    return run


@pytest.fixture
def touch(touch, place):
    """Makes files that differ in content: a copy is known by that of the first."""

    def make(*names):
        touch(*names)
        for name in names:
            (place / name).write_bytes((place / name).read_bytes() + name.encode())

    return make


def paths_of(lines):
    return [json.loads(line)["path"] for line in lines.splitlines()]


def test_what_is_there_is_labelled_once_and_kept(watch, touch, labelling):
    touch("in/tap.wav", "in/below/b.wav", "in/notes.txt")
    first = watch("in", "--json")
    assert first.exit_code == 0
    assert paths_of(first.stdout) == ["in/tap.wav", "in/below/b.wav"]
    assert "2 recordings there, 0 labelled already" in first.stderr
    again = watch("in", "--json")
    assert (again.exit_code, again.stdout) == (0, "")
    assert "2 recordings there, 2 labelled already" in again.stderr
    assert len(labelling) == 2
    found = CliRunner().invoke(app, ["find", "--json"])
    assert paths_of(found.stdout) == ["in/below/b.wav", "in/tap.wav"]


def test_a_copy_of_what_is_known_arrives_without_being_labelled(
    watch, touch, place, labelling, commands
):
    touch("in/a.wav")
    watch("in", "--then", "check")
    (place / "in" / "b.wav").write_bytes((place / "in" / "a.wav").read_bytes())
    done = watch("in", "--json", "--then", "check")
    assert paths_of(done.stdout) == ["in/b.wav"]
    assert labelling == ["in/a.wav"]
    assert [Path(call[2]).name for call in commands.calls] == ["a.wav", "b.wav"]


def test_labels_of_another_model_that_give_way_are_told_once(watch, touch, place):
    touch("in/a.wav", "in/b.wav")
    assert watch("in", "-q").stderr == ""
    path = place / "in" / "a.wav"
    found = Found(str(path), path.stat().st_size, path.stat().st_mtime_ns)
    with Catalogue.open(default_path()) as catalogue:
        result = heard(path, model="mine@1.0.0", scores={"tap": 0.9, "brush": 0.8})
        catalogue.add(found, result, "mine")
    done = watch("in", "-q")
    assert done.exit_code == 0
    (told,) = done.stderr.splitlines()
    assert told[20:].startswith(
        "note: labelled by mine@1.0.0: 1 recording of the catalogue; those at hand are labelled "
        "anew by tiny@0.1, which does not tell brush. To label by mine"
    )


def test_each_line_has_a_time_and_a_file(watch, touch):
    touch("in/a.wav", "in/mute.wav")
    talk = watch("in").stderr.splitlines()
    times, texts = zip(*((line[:19], line[20:]) for line in talk), strict=True)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", text) for text in times)
    assert texts == (
        "2 recordings there, 0 labelled already",
        "in/a.wav: tap",
        "in/mute.wav: no_audio",
        "2 labelled, 0 failed",
    )


def test_quiet_tells_of_what_goes_wrong_only(watch, touch):
    touch("in/a.wav", "in/fail.wav", "in/partial.wav")
    done = watch("in", "-q", "no-such-folder")
    assert done.exit_code == 1
    texts = [line[20:] for line in done.stderr.splitlines()]
    assert texts[0] == (
        "note: no-such-folder: is not there: check its name and its disk; "
        "what it holds is left for the next time"
    )
    assert sorted(texts[1:]) == [
        "note: failed: in/fail.wav: no such file; check the name",
        "note: partial: in/partial.wav: broke off",
    ]


def test_a_file_that_failed_by_its_own_fault_is_left_alone_until_it_changes(
    watch, touch, label, labelling, place
):
    touch("in/a.wav", "in/fail.wav")
    assert watch("in").exit_code == 3
    again = watch("in", "--json")
    assert (again.exit_code, again.stdout) == (0, "")
    told = [line[20:] for line in again.stderr.splitlines()]
    assert told == [
        "2 recordings there, 1 labelled already, 1 failed before",
        "0 labelled, 0 failed, 1 failed before and unchanged: label --catalogue tries again",
    ]
    assert (watch("in", "-q").stderr, labelling.count("in/fail.wav")) == ("", 1)
    assert label("in", "--catalogue").exit_code == 3
    assert labelling.count("in/fail.wav") == 2
    with (place / "in" / "fail.wav").open("ab") as file:
        file.write(b"more")
    assert watch("in").exit_code == 3
    assert labelling.count("in/fail.wav") == 3


def test_a_file_that_failed_by_a_fault_of_the_machine_is_tried_again(watch, touch, labelling):
    touch("in/bug.wav")
    assert [watch("in").exit_code for _ in range(2)] == [3, 3]
    assert labelling == ["in/bug.wav"] * 2


def test_nothing_at_all_is_told(watch, place):
    (place / "in").mkdir()
    done = watch("in")
    assert done.exit_code == 4
    assert "error: nothing to label was found" in done.stderr


def test_what_grows_while_it_is_heard_is_not_kept(watch, touch, place, monkeypatch, labelling):
    from asmr_classify import classify

    touch("in/a.wav", "in/b.wav")
    usual = classify.label_file

    def meanwhile(path, **options):
        if path == "in/a.wav" and path not in labelling:
            with (place / path).open("ab") as file:
                file.write(b"more")
        return usual(path, **options)

    monkeypatch.setattr(classify, "label_file", meanwhile)
    done = watch("in", "--json")
    assert labelling == ["in/a.wav", "in/b.wav", "in/a.wav"]
    assert paths_of(done.stdout) == ["in/b.wav", "in/a.wav"]


def test_what_goes_away_while_it_waits_for_its_turn_is_no_failure(watch, touch, place, monkeypatch):
    from asmr_classify import classify

    touch("in/a.wav", "in/fail.wav")
    usual = classify.label_file

    def meanwhile(path, **options):
        (place / "in" / "fail.wav").unlink(missing_ok=True)
        return usual(path, **options)

    monkeypatch.setattr(classify, "label_file", meanwhile)
    done = watch("in", "--json")
    assert done.exit_code == 0
    assert paths_of(done.stdout) == ["in/a.wav"]
    assert CliRunner().invoke(app, ["find", "--json"]).stdout.count("\n") == 1


def test_a_file_that_settles_is_waited_for_and_one_that_grows_is_left(
    watch, touch, place, monkeypatch
):
    touch("in/a.wav", "in/grows.wav")
    usual = wakes.Wakes.wait

    def grow_meanwhile(*arguments):
        with (place / "in" / "grows.wav").open("ab") as file:
            file.write(b"more")
        usual(*arguments)

    monkeypatch.setattr(wakes.Wakes, "wait", grow_meanwhile)
    done = watch("in", "--json", settle="0.2s")
    assert paths_of(done.stdout) == ["in/a.wav"]
    assert "1 still growing, left for the next time" in done.stderr


class Commands:
    """Stands in for processes that ``--then`` starts."""

    def __init__(self):
        self.calls, self.statuses = [], []
        self.meanwhile = lambda: None

    def __call__(self, arguments, *, env, **_):
        place = arguments.index(then.START) + 2
        self.calls.append([env["ASMR_CLASSIFY_CATALOGUE"], *arguments[place:]])
        self.meanwhile()
        status = self.statuses.pop(0) if self.statuses else 0
        return subprocess.CompletedProcess(arguments, status)


@pytest.fixture
def commands(monkeypatch):
    stand_in = Commands()
    monkeypatch.setattr(then.subprocess, "run", stand_in)
    return stand_in


def test_then_gets_what_was_labelled_and_no_failures(watch, touch, commands, place):
    touch("in/a.wav", "in/fail.wav", "in/mute.wav", "in/partial.wav")
    watch("in", "--catalogue", "c.sqlite", "--then", "tag --yes --genre")
    files = [str(place / "in" / name) for name in ("a.wav", "partial.wav")]
    assert commands.calls == [[str(place / "c.sqlite"), "tag", *files, "--yes", "--genre"]]
    watch("in", "--catalogue", "c.sqlite", "--then", "tag --yes --genre")
    assert len(commands.calls) == 1
    assert sorted(path.name for path in place.iterdir()) == ["c.sqlite", "in"]


def test_then_organise_is_told_where_files_were_found(watch, touch, commands, place):
    touch("in/a.wav")
    options = ["--to", "{stem}.{ext}", "--root", "out", "--yes"]
    watch("in", "more", "--then", shlex.join(["organise", *options]))
    (call,) = commands.calls
    found_in = ["--found-in=in", "--found-in=more"]
    assert call[1:] == ["organise", str(place / "in" / "a.wav"), *found_in, *options]


def test_then_runs_now_and_then_while_many_are_labelled(watch, touch, commands, monkeypatch):
    monkeypatch.setattr(then, "AT_ONCE", 4)
    touch(*(f"in/{number:02d}.wav" for number in range(10)))
    watch("in", "--then", "check")
    assert [len(call[2:]) for call in commands.calls] == [4, 4, 2]
    names = [Path(path).name for call in commands.calls for path in call[2:]]
    assert names == [f"{number:02d}.wav" for number in range(10)]


def test_a_then_that_fails_is_told_and_watching_goes_on(watch, touch, commands):
    commands.statuses = [3, 4, -9]
    for name in ("a", "b", "c"):
        touch(f"in/{name}.wav")
        done = watch("in", "--then", "tag --yes")
        assert done.exit_code == 0
        assert ("--then 'tag --yes' ended with status 3 on 1 file; watching" in done.stderr) == (
            name == "a"
        )
    assert "--then 'tag --yes' was killed (signal 9) on 1 file" in done.stderr
    assert len(commands.calls) == 3


def test_a_then_that_was_stopped_is_run_at_the_next_start(watch, touch, commands):
    touch("in/a.wav")
    commands.meanwhile = lambda: signal.raise_signal(signal.SIGINT)
    commands.statuses = [130]
    stopped = watch("in", "--then", "tag --yes")
    assert stopped.exit_code == 130
    assert "interrupted: what was finished is in the catalogue" in stopped.stderr
    commands.meanwhile = lambda: None
    watch("in", "--then", "check")  # which is owed nothing
    assert watch("in", "--then", "tag --yes").exit_code == 0
    assert [call[1:] for call in commands.calls] == [commands.calls[0][1:]] * 2


def test_a_kill_between_labels_and_then_leaves_it_owed(watch, touch, commands, monkeypatch):
    touch("in/a.wav", "in/b.wav")

    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(watch_command.Session, "take", lambda _self, results: kill(next(results)))
        with pytest.raises(Killed):
            watch("in", "--then", "tag --yes")
    assert commands.calls == []
    watch("in", "--then", "tag --yes")
    assert [Path(call[2]).name for call in commands.calls] == ["a.wav", "b.wav"]


def test_a_then_whose_disk_is_away_is_run_when_it_is_back(watch, touch, commands, place):
    touch("in/a.wav")
    commands.statuses = [2]
    commands.meanwhile = lambda: (place / "in").rename(place / "away")
    assert watch("in", "--then", "tag --yes").exit_code == 1
    (place / "away").rename(place / "in")
    commands.meanwhile = lambda: None
    assert watch("in", "--then", "tag --yes").exit_code == 0
    assert len(commands.calls) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tag", "nobody is there to be asked: add --yes"),
        ("organise --to {stem}", "add --yes"),
        ("", "write one of check, label, organise"),
        ("watch in", "write one of"),
        ("rm -rf", "write one of"),
        ("tag '", "no closing quotation; close what is quoted"),
    ],
)
def test_a_then_that_cannot_be_run_is_refused(text, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        then.parse_then(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in/a.wav"], "in/a.wav: is a file; name the folder"),
        (["in", "--settle", "soon"], "--settle 'soon' is no duration; write 90s"),
        (["in", "--poll", "0"], "--poll 0: would look without a pause"),
        (["in", "--then", "tag"], "add --yes"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_done(watch, touch, labelling, arguments, message):
    touch("in/a.wav")
    done = watch(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert labelling == []


def wait_until(holds, process):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert process.poll() is None, "it ended"
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_watch_that_is_killed_and_started_again_labels_each_file_once(record, place, model_file):
    def start(name):
        program = [sys.executable, "-m", "asmr_classify", "watch", "in", "--settle", "0.5s"]
        options = ["--json", "-j", "1", "--model", model_file, "--then", "tag --yes --quiet"]
        with (place / name).open("wb") as out, (place / f"{name}.talk").open("wb") as talk:
            return subprocess.Popen([*program, *options], stdout=out, stderr=talk)

    def labelled(name):
        return paths_of((place / name).read_text())

    (place / "in").mkdir()
    record("in/there.wav", "growing.wav", "late.wav", duration=2.0)
    whole = (place / "growing.wav").read_bytes()
    with start("first") as process:
        wait_until(lambda: labelled("first") == ["in/there.wav"], process)
        (place / "in" / "growing.wav").write_bytes(whole[:20_000])
        process.kill()
    with (place / "in" / "growing.wav").open("ab") as file:
        file.write(whole[20_000:])  # while nobody looks
    with start("second") as process:
        wait_until(lambda: labelled("second") == ["in/growing.wav"], process)
        (place / "in" / "later").mkdir()
        (place / "late.wav").rename(place / "in" / "later" / "late.wav")
        wait_until(lambda: labelled("second")[1:] == ["in/later/late.wav"], process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert "2 labelled, 0 failed" in (place / "second.talk").read_text()
    with start("third") as process:  # runs what is owed, and finds nothing new
        wait_until(lambda: "labelled already" in (place / "third.talk").read_text(), process)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
    assert "3 recordings there, 3 labelled already" in (place / "third.talk").read_text()
    durations = CliRunner().invoke(app, ["find", "--json"]).stdout.splitlines()
    assert [json.loads(line)["duration"] for line in durations] == [2.0, 2.0, 2.0]
    tagged = CliRunner().invoke(app, ["tag", "in", "--dry-run"])
    assert "3 files tagged so already" in tagged.stderr
