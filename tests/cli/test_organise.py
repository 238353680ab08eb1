"""``organise`` and ``undo`` as commands: plans shown, questions, exit statuses."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest
from typer.testing import CliRunner

from asmr_classify.cli import planned
from asmr_classify.cli.app import app
from asmr_classify.cli.plan_progress import PlanProgress
from asmr_classify.library.journal import STATE_VARIABLE, Store, default_folder
from asmr_classify.library.plan import Left
from asmr_classify.writers import Options
from asmr_classify.writers.edl import parts_of
from tests.cli.conftest import heard, lost

TEMPLATE = "{trigger|none}/{stem} [{tags|none}].{ext}"


@pytest.fixture(autouse=True)
def state(place, tmp_path_factory, monkeypatch):  # noqa: ARG001 (what it is beside)
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv(STATE_VARIABLE, str(folder))
    return folder


@pytest.fixture
def library(touch, monkeypatch):
    """Three recordings, as the labelling of them gives: two with triggers, one that failed."""
    touch("in/a.mp3", "in/a.srt", "in/b.wav", "in/bad.mp3")
    known = {
        "a.mp3": {"trigger": "tap", "tags": ("tap",)},
        "b.wav": {"trigger": "whisper", "tags": ("whisper",)},
    }

    def select_results(arguments, _console, **_options):
        found = []
        for argument in arguments:
            for folder, _, names in sorted(os.walk(argument)):
                for name in sorted(names):
                    path = os.path.join(folder, name)  # noqa: PTH118
                    first = name.split(" ")[0].split(".")[0]
                    fields = [known[key] for key in known if key.startswith(first + ".")]
                    if fields and not name.endswith((".srt", ".edl")):
                        found.append(heard(path, **fields[0]))
                    elif name == "bad.mp3":
                        found.append(lost(path))
        return found

    monkeypatch.setattr("asmr_classify.cli.select.select_results", select_results)


def run(*arguments, stdin=None):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


def files(place):
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())


BEFORE = ["in/a.mp3", "in/a.srt", "in/b.wav", "in/bad.mp3"]
AFTER = ["in/bad.mp3", "in/tap/a [tap].mp3", "in/tap/a [tap].srt", "in/whisper/b [whisper].wav"]


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("what", [["in"], ["in/link/a.mp3", "--root", "in", "--found-in=in"]])
def test_a_linked_folder_is_left_where_it_is(place, monkeypatch, what):
    (place / "in").rename(place / "nas")
    (place / "in").mkdir()
    (place / "in/link").symlink_to(place / "nas")
    walked = [str(path) for path in (place / "nas").iterdir() if path.name != "a.srt"]
    found = [heard(path.replace("/nas/", "/in/link/"), trigger="tap") for path in walked]
    monkeypatch.setattr("asmr_classify.cli.select.select_results", lambda *_, **__: found)
    done = run("organise", *what, "--to", TEMPLATE, "--yes")
    assert done.exit_code == 3
    assert f"in/link/a.mp3: lies in {place / 'nas'}, where a link leads" in done.stderr
    assert (place / "nas/a.mp3").exists()


@pytest.mark.usefixtures("library")
def test_a_dry_run_shows_the_plan_and_changes_nothing(place, state):
    done = run("organise", "in", "--to", TEMPLATE, "--dry-run")
    assert done.stdout.splitlines() == [
        "make folder  in/tap",
        "make folder  in/whisper",
        "move  in/a.srt → in/tap/a [tap].srt",
        "move  in/a.mp3 → in/tap/a [tap].mp3",
        "move  in/b.wav → in/whisper/b [whisper].wav",
    ]
    assert "left: in/bad.mp3: could not be labelled; --failed takes it all the same" in done.stderr
    assert "make 2 folders, move 3 files; nothing was changed (--dry-run)" in done.stderr
    assert done.exit_code == 3
    assert files(place) == BEFORE
    assert list(state.iterdir()) == []


@pytest.mark.usefixtures("library")
def test_the_run_does_what_the_dry_run_shows_and_undo_takes_it_back(place):
    shown = json.loads(run("organise", "in", "--to", TEMPLATE, "-n", "--json").stdout)
    done = run("organise", "in", "--to", TEMPLATE, "--yes", "--json")
    assert done.exit_code == 3
    record = json.loads(done.stdout)
    assert record.pop("run") == 1
    assert [step.pop("ending") for step in record["steps"]] == ["done"] * 5
    assert [step.pop("reason") for step in record["steps"]] == [None] * 5
    assert record["steps"] == shown["steps"]
    assert record["left"] == shown["left"]
    assert "5 of 5 steps done; to take it back: asmr-classify undo 1" in done.stderr
    assert files(place) == AFTER
    again = run("organise", "in", "--to", TEMPLATE, "--yes")
    assert "nothing to do" in again.stderr
    assert files(place) == AFTER
    back = run("undo", "--yes")
    assert back.exit_code == 0
    assert "5 of 5 steps done\n" in back.stderr
    assert files(place) == BEFORE
    assert sorted(os.listdir(place / "in")) == ["a.mp3", "a.srt", "b.wav", "bad.mp3"]  # noqa: PTH208


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    "command", [["organise", "--to", TEMPLATE, "-y"], ["tag", "-y"], ["forget"]]
)
def test_an_empty_name_is_refused_where_files_change(command):
    done = run(*command, "")
    assert done.exit_code == 2
    assert "'': an empty name asks for every recording of the catalogue" in done.stderr


@pytest.mark.usefixtures("library")
def test_a_name_of_no_file_is_told_to_be_a_query(place):
    told = "note: music: no file or folder here is called so; it asks for recordings anywhere"
    assert told in run("tag", "music", "-n").stderr
    assert told not in run("tag", "music", "-n", "-q").stderr
    (place / "music").mkdir()
    assert told not in run("tag", "music", "-n").stderr


@pytest.mark.usefixtures("library")
def test_undo_says_which_folder_it_kept(place):
    run("organise", "in", "--to", TEMPLATE, "--yes")
    (place / "in" / "tap" / "mine.txt").write_text("dear diary")
    done = run("undo", "--yes", "--json")
    assert (done.exit_code, "5 of 5 steps done" in done.stderr) == (0, True)
    steps = json.loads(done.stdout)["steps"]
    folders = {
        os.path.basename(step["path"]): step["ending"]  # noqa: PTH119
        for step in steps
        if step["kind"] == "remove_folder"
    }
    assert folders == {"tap": "kept", "whisper": "done"}
    assert [path.name for path in (place / "in" / "tap").iterdir()] == ["mine.txt"]
    assert run("undo", "1", "--yes").stderr == "run 1 is undone already\n"


@pytest.mark.usefixtures("library")
def test_undo_may_remove_the_folder_in_which_it_runs(place, monkeypatch):
    run("organise", "in", "--to", TEMPLATE, "--yes")
    (place / "in" / "tap" / "a [tap].srt").write_text("changed")
    monkeypatch.chdir(place / "in" / "whisper")
    done = run("undo", "--yes")
    assert done.exit_code == 3
    assert not (place / "in" / "whisper").exists()
    assert f"{place}/in/tap/a [tap].srt" in done.stderr


@pytest.mark.usefixtures("library")
def test_undo_lists_runs_and_says_what_is_undone():
    assert "no runs are kept" in run("undo", "--list").stderr
    run("organise", "in", "--to", TEMPLATE, "-y")
    assert re.search(r"^ +1  \d{4}-.* UTC  done  +5/5 steps ", run("undo", "-l").stdout)
    shown = run("undo", "--dry-run")
    assert "move  in/tap/a [tap].mp3 → in/a.mp3" in shown.stdout
    assert "remove folder  in/tap  if it is empty" in shown.stdout
    run("undo", "1", "-y")
    rows = [json.loads(line) for line in run("undo", "--list", "--json").stdout.splitlines()]
    assert [(row["run"], row["state"]) for row in rows] == [(2, "undo of 1"), (1, "undone")]
    done = run("undo", "1", "-y")
    assert (done.exit_code, done.stderr) == (0, "run 1 is undone already\n")
    done = run("undo", "-y")
    assert done.exit_code == 4
    assert "error: nothing to undo" in done.stderr
    done = run("undo", "9", "-y")
    assert done.exit_code == 2
    assert "no run 9: the last is 2; `undo --list` shows them all" in done.stderr
    for number, told in (((), "nothing to undo: no run is kept that"), (("9",), "no run 9: the")):
        assert told in run("undo", *number).stderr  # where nobody can be asked


@pytest.mark.usefixtures("library")
def test_links_that_will_lead_nowhere_are_told(place):
    for folder in ("in/favourites", "out"):
        (place / folder).mkdir()
        (place / folder / "best").symlink_to(place / "in/a.mp3")
    (place / "in/favourites/bad").symlink_to("../bad.mp3")
    told = "note: in/favourites/best: leads to in/a.mp3, and nowhere once that is moved\n"
    done = run("organise", "in", "--to", TEMPLATE, "--dry-run")
    assert (told in done.stderr, done.stderr.count("leads to")) == (True, 1)
    assert "leads" not in run("organise", "in", "--to", TEMPLATE, "-n", "--action", "copy").stderr
    assert told in run("organise", "in", "--to", TEMPLATE, "-y").stderr
    assert "leads to" not in run("organise", "in", "--to", TEMPLATE, "-y").stderr


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("name", ["a.mp3", "b.wav"])
def test_a_list_for_mpv_that_names_its_recording_as_before_is_told(place, name):
    options = Options(skip=("speech",), folder=str(place / "in"))
    (place / "in" / f"{name}.mpv.edl").write_bytes(
        parts_of(heard(str(place / "in" / name)), options)
    )
    (place / "in" / "bad.mpv.edl").write_text("of somebody else")
    done = run("organise", "in", "--to", "{trigger|none}/{stem}.{ext}", "-n")
    assert "mpv.edl" in done.stdout
    assert "mpv.edl: names" not in done.stderr
    told = r"\]\..*mpv.edl: names its recording as it was: write it anew by 'export --format mpv"
    for action in ("copy", "move"):
        done = run("organise", "in", "--to", TEMPLATE, "--action", action, "-n")
        assert len(re.findall(told, done.stderr)) == 1
    assert "mpv.edl: names" not in run("organise", "in", "--to", TEMPLATE, "-nq").stderr


@pytest.mark.usefixtures("library")
def test_undo_tells_which_run_it_takes_back(place, monkeypatch):
    monkeypatch.setattr("sys.argv", ["asmr-classify", "organise", "in", "--to", "x" * 300])
    run("organise", "in", "--to", TEMPLATE, "-y")
    told = f"takes back run 1: asmr-classify organise in --to {'x' * 168}…\n"
    for options in (["-n"], ["-y"]):
        assert run("undo", *options).stderr.startswith(told)
    assert files(place) == BEFORE
    run("organise", "in", "--to", TEMPLATE, "-y")
    assert "takes back" not in run("undo", "-y", "-q").stderr


@pytest.mark.usefixtures("library")
def test_without_any_run_there_is_nothing_to_undo(state):
    told = f"no runs are kept in {state}/runs; tag, organise and extract keep them\n"
    for options in ([], ["-y"], ["-n"]):
        assert run("undo", *options).stderr == f"error: nothing to undo: {told}"
        assert run("undo", "99", *options).stderr == f"error: no run 99: {told}"


@pytest.mark.usefixtures("library")
def test_without_a_terminal_somebody_must_have_said_yes(place):
    run("organise", "in", "--to", TEMPLATE, "-y")
    organised = files(place)
    for command in (["organise", "in", "--to", TEMPLATE], ["undo"]):
        done = run(*command)
        assert done.exit_code == 2
        assert "there is no terminal to ask on: give --yes, or --dry-run" in done.stderr
    assert files(place) == organised


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(("answer", "expected"), [("n\n", BEFORE), ("y\n", AFTER)])
def test_on_a_terminal_the_plan_is_shown_and_asked_for(place, monkeypatch, answer, expected):
    monkeypatch.setattr(planned, "check_can_ask", lambda _: None)
    monkeypatch.setattr("asmr_classify.cli.organise.check_can_ask", lambda _: None)
    monkeypatch.setattr(planned, "N_SHOWN", 2)
    done = run("organise", "in", "--to", TEMPLATE, stdin=answer)
    assert "make folder  in/whisper\n… and 3 more; --dry-run shows all" in done.stderr
    assert "make 2 folders, move 3 files. Go on? [y/N]:" in done.stderr
    assert ("nothing was changed" in done.stderr) == (answer == "n\n")
    assert files(place) == expected


@pytest.mark.usefixtures("library")
def test_a_question_that_gets_no_answer_changes_nothing(place, monkeypatch):
    monkeypatch.setattr(planned, "check_can_ask", lambda _: None)
    monkeypatch.setattr("asmr_classify.cli.organise.check_can_ask", lambda _: None)
    done = run("organise", "in", "--to", TEMPLATE, stdin="")
    assert done.exit_code == 130
    assert done.stderr.endswith("interrupted: nothing was changed\n")
    assert files(place) == BEFORE


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--to: give a template, as in '{trigger"),
        (["--to", "{tag}/{name}"], "no field 'tag'; did you mean 'tags'?"),
        (["--to", "{scores.tab|none}/{name}"], "no label 'tab'; did you mean 'tap'?"),
        (["--to", "../{name}"], "a part of the path is empty, or only dots"),
        (["--to", "{name}", "in/a.mp3"], "--root: say in which folder"),
        (["--to", "{name}", "--root", "in/a.mp3"], "--root in/a.mp3: is no folder"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_done(options, message):
    done = run("organise", "in", "-y", *options)
    assert done.exit_code == 2
    assert message in done.stderr


@pytest.mark.usefixtures("library")
def test_nothing_found_is_told(place):
    (place / "empty").mkdir()
    done = run("organise", "empty", "--to", "{name}", "-y")
    assert done.exit_code == 4
    assert "nothing to organise was found" in done.stderr


@pytest.mark.usefixtures("library")
def test_an_interrupt_finishes_the_step_at_hand(place, monkeypatch):
    def interrupt(progress, step, outcome):
        on_outcome(progress, step, outcome)
        if outcome.index == 2:
            signal.raise_signal(signal.SIGINT)

    on_outcome = PlanProgress.on_outcome
    monkeypatch.setattr(PlanProgress, "on_outcome", interrupt)
    done = run("organise", "in", "--to", TEMPLATE, "-y")
    assert done.exit_code == 130
    assert "finishing the step at hand; interrupt again to stop at once" in done.stderr
    assert "3 of 5 steps done" in done.stderr
    assert "interrupted: the other steps were not begun" in done.stderr
    assert files(place) == ["in/a.mp3", "in/b.wav", "in/bad.mp3", "in/tap/a [tap].srt"]
    monkeypatch.undo()


@pytest.mark.usefixtures("library")
def test_steps_that_are_skipped_are_told_and_the_status_says_so(place, monkeypatch):
    monkeypatch.setattr(planned, "_agreed", lambda _: (place / "in/b.wav").write_bytes(b"new"))
    monkeypatch.setattr("asmr_classify.cli.organise.check_can_ask", lambda _: None)
    done = run("organise", "in", "--to", TEMPLATE)
    assert done.exit_code == 3
    assert "skipped: in/b.wav: has changed since it was planned: 112 bytes, now 3" in done.stderr
    assert "4 of 5 steps done" in done.stderr


@pytest.mark.usefixtures("library")
def test_another_run_is_waited_for_by_the_user():
    with Store().locked():
        done = run("organise", "in", "--to", TEMPLATE, "-y")
    assert done.exit_code == 1
    assert "another run of this program is touching files; wait for it to end" in done.stderr


@pytest.mark.usefixtures("library")
def test_a_damaged_journal_is_told(state):
    run("organise", "in", "--to", TEMPLATE, "-y")
    journal = state / "runs" / "000001.jsonl"
    journal.write_bytes(b"\xff" + journal.read_bytes())
    done = run("undo", "1", "-y")
    assert done.exit_code == 1
    assert "the journal of run 1 is damaged at its beginning" in done.stderr
    listed = run("undo", "--list")
    assert listed.exit_code == 3
    assert "is damaged at its beginning" in listed.stderr


@pytest.mark.usefixtures("library")
def test_a_broken_run_is_settled_by_the_next_and_told_by_a_dry_run(place, state):
    run("organise", "in", "--to", TEMPLATE, "-y")
    journal = state / "runs" / "000001.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-2]))  # the mark of the last step, and the end
    done = run("undo", "--dry-run")
    assert "note: run 1 was broken off or goes on; the next run settles it" in done.stderr
    assert run("undo", "-y").exit_code == 0
    assert files(place) == BEFORE


def test_names_are_shown_without_acting_on_the_terminal(capsys):
    planned.tell_left([Left("a\x1b[2J\nleft: b.mp3", "is no regular file")])
    shown = "left: a\\x1b[2J\\nleft: b.mp3: is no regular file\n"
    assert capsys.readouterr().err == shown


def test_names_in_errors_take_no_line_of_their_own(place):
    done = run("organise", place / "a\nerror: b.mp3", "--to", "{name}", "--root", ".", "-y")
    assert done.exit_code == 2
    assert "a\\nerror: b.mp3" in done.stderr
    assert "^" in run("organise", "in", "--to", "{tag}/{name}", "-y").stderr.splitlines()[2]


def test_the_state_is_kept_in_the_users_folder(monkeypatch):
    monkeypatch.delenv(STATE_VARIABLE)
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert default_folder().name == "asmr-classify"
