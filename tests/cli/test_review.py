"""``review``: what it asks about and how it begins and ends; the page has its own tests."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import contextmanager

import httpx
import pytest
from typer.testing import CliRunner

from asmr_classify.catalogue import Catalogue
from asmr_classify.cli.app import app
from asmr_classify.cli.select import selecting_results
from asmr_classify.review.server import open_browser
from asmr_classify.timeline import Segment
from tests.conftest import ROOT
from tests.review.conftest import library, short, write_wav

__all__ = ["library"]  # a fixture


class Patience(threading.Event):
    """Is told to stop as soon as somebody waits for more answers."""

    def wait(self, timeout=None):
        self.set()
        return super().wait(timeout)


@pytest.fixture
def served(monkeypatch):
    """Stands in for the server: keeps the sessions, whose address it tells."""
    sessions = []

    def serve(session, _place, *, on_address, work):
        on_address("http://127.0.0.1:1/token/")
        work(Patience())
        sessions.append(session)

    monkeypatch.setattr("asmr_classify.review.serve", serve)
    return sessions


@pytest.fixture
def review(library, place, served):  # noqa: ARG001 (what it runs on)
    def run(*arguments):
        command = ["review", "--catalogue", library.place, "--no-browser", *map(str, arguments)]
        return CliRunner().invoke(app, command)

    return run


def names(session):
    return [os.path.basename(session.stretch(k).path) for k in range(len(session))]  # noqa: PTH119


def unsure(tap, whisper=0.0, seconds=4.0, **changes):
    scores = {"tap": tap, "whisper": whisper}
    return short(seconds, scores=scores, segments=(), **changes)


def test_what_a_query_finds_is_asked_the_least_sure_first(review, library, served):
    for k, (name, p) in enumerate([("sure.wav", 0.99), ("half.wav", 0.5), ("maybe.wav", 0.7)]):
        library.add(name, **unsure(p, seconds=4.0 + k))
    library.add("other.wav", **unsure(0.5, seconds=3.0, tags=()))
    done = review("tap", "--order", "uncertain")
    assert done.exit_code == 0, done.output
    assert done.stdout == "http://127.0.0.1:1/token/\n"
    assert "open this address in a browser" in done.stderr
    assert f"0 answers kept in {library.place}" in done.stderr
    assert "teach" not in done.stderr
    assert names(served[0]) == ["half.wav", "maybe.wav", "sure.wav"]


@pytest.mark.parametrize("options", [[], ["--order", "suspicious", "--output", "-"]])
def test_timelines_are_read_one_after_the_other(review, library, monkeypatch, options):
    """A catalogue may have millions of segments."""
    for k in range(3):
        library.add(f"tap/{k}.wav", **short(3.0 + k))
    given, finding = [], selecting_results

    @contextmanager
    def find(*names, **how):
        with finding(*names, **how) as (results, known):
            given.append(results)
            yield results, known

    monkeypatch.setattr("asmr_classify.cli.review.selecting_results", find)
    assert review(*options).exit_code == 0
    assert [result.segments for result in given[0]] == [(), (), ()]


def test_a_file_that_changes_meanwhile_is_left_out(review, library, place, served, monkeypatch):
    """Labelling what is new takes hours, in which a download goes on."""
    for name in ("grows.wav", "stays.wav"):
        library.add(name, **short())
    finding = selecting_results

    @contextmanager
    def find(*names, **how):
        with finding(*names, **how) as found:
            write_wav(place / "grows.wav", 5.0)
            yield found

    monkeypatch.setattr("asmr_classify.cli.review.selecting_results", find)
    done = review()
    assert done.exit_code == 0, done.output
    assert names(served[0]) == ["stays.wav"]
    assert "grows.wav: has changed since it was labelled; label it first" in done.stderr


def test_paths_are_labelled_first_and_kept(review, labelling, touch, served, library):
    touch("in/a.mp3")
    done = review("in/a.mp3", "--order", "label=tap")
    assert done.exit_code == 0, done.output
    assert labelling == ["in/a.mp3"]
    assert served[0].stretch(0).path == os.path.abspath("in/a.mp3")  # noqa: PTH100
    served[0].answer(0, ["tap"], "a")
    assert len(library.answers()) == 1


def test_what_was_answered_is_not_asked_again(review, library, served):
    library.add("a.wav", **short())
    review()
    served[0].answer(0, [], "a")
    done = review()
    assert done.exit_code == 4
    assert "were answered" in done.stderr
    assert len(served) == 1


def test_similar_stretches_come_first(review, library, served, place):
    for name, tone in [
        ("low.wav", 200),
        ("high.wav", 3000),
        ("lower.wav", 190),
        ("near.wav", 2900),
    ]:
        write_wav(place / name, duration=4.0, tone=tone)
        library.add(name, **short())
    done = review("--similar", "high.wav@1.5")
    assert done.exit_code == 0, done.output
    assert names(served[0])[:2] == ["high.wav", "near.wav"]


def test_what_is_likely_wrong_comes_first(review, library, served):
    pytest.importorskip("cleanlab", reason="cleanlab is not installed")
    for k in range(6):
        library.add(f"tap/{k}.wav", **unsure(0.95 if k else 0.02, 0.03, 2.0 + k))
        library.add(f"whisper/{k}.wav", **unsure(0.03, 0.95, 2.5 + k))
    done = review("--order", "suspicious")
    assert done.exit_code == 0, done.output
    assert names(served[0])[0] == "0.wav"
    assert "/tap/" in served[0].stretch(0).path
    assert len(served[0]) == 12


@pytest.fixture
def doubtful(library):
    """Two recordings that are not what is said of them, by a folder and by an answer."""
    pytest.importorskip("cleanlab", reason="cleanlab is not installed")
    for k in range(6):
        library.add(f"tap/{k}.wav", **unsure(0.95 if k else 0.02, 0.03, 2.0 + k))
        library.add(f"whisper/{k}.wav", **unsure(0.03, 0.95, 2.5 + k))
    with Catalogue.open(library.place) as known:
        known.answer("tap/3.wav", 0, 5, ["whisper"], ["whisper"])
    return library


def test_what_is_likely_wrong_is_written_as_a_table(review, doubtful, served, place):  # noqa: ARG001
    done = review("--order", "suspicious", "--output", "-")
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    found = {(row["path"], row["about"], row["said"], row["by"]) for row in rows}
    assert ("tap/0.wav", "tap", "yes", "folder") in found
    assert ("tap/3.wav", "whisper", "yes", "answer") in found
    assert [float(row["right"]) for row in rows] == sorted(float(row["right"]) for row in rows)
    assert f"likely wrong, of what was answered or put into folders: {len(rows)}" in done.stderr
    done = review("--order", "suspicious", "-o", "doubts.jsonl", "--quiet")
    assert (done.exit_code, done.output, served) == (0, "", [])
    lines = (place / "doubts.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [(x["path"], x["about"]) for x in records] == [(x["path"], x["about"]) for x in rows]
    assert {x["said"] for x in records} <= {True, False}


def test_a_folder_says_nothing_of_other_unless_it_is_called_so(review, library):
    """Something else is beside most labels."""
    pytest.importorskip("cleanlab", reason="cleanlab is not installed")
    for k in range(6):
        scores = {"tap": 0.95, "other": 0.02 if k else 0.95}
        library.add(f"tap/{k}.wav", **short(2.0 + k, scores=scores, segments=(), tags=("tap",)))
        scores = {"tap": 0.03 if k else 0.95, "other": 0.95}
        library.add(f"other/{k}.wav", **short(2.5 + k, scores=scores, segments=(), tags=()))
    done = review("--order", "suspicious", "--output", "-")
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert ("other/0.wav", "tap", "no", "folder") in {
        (row["path"], row["about"], row["said"], row["by"]) for row in rows
    }
    assert "other" not in {row["about"] for row in rows}


def test_only_folders_of_labels_are_cut_for_a_table(review, doubtful, monkeypatch):
    from asmr_classify.review import suspicious

    cut, cut_stretches = [], suspicious.cut_stretches

    def count(result):
        cut.append(result.path)
        return cut_stretches(result)

    monkeypatch.setattr(suspicious, "cut_stretches", count)
    doubtful.add("other place/x.wav", **unsure(0.9, 0.1, 9.0))
    assert review("--order", "suspicious", "--output", "-").exit_code == 0
    assert len(cut) == 12
    assert not any("other place" in path for path in cut)


def test_a_table_of_what_is_likely_wrong_is_no_correction(review, doubtful, place):
    review("--order", "suspicious", "-o", "doubts.csv")
    command = ["set", "--from", "doubts.csv", "--catalogue", doubtful.place]
    assert "line 1: needs a column path and one of" in CliRunner().invoke(app, command).stderr
    assert (place / "doubts.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["-o", "x.csv"], "--output x.csv: is for --order suspicious", id="order"),
        pytest.param(
            ["--order", "suspicious", "-o", "x.txt"], "name a .csv or a .jsonl file", id="ending"
        ),
        pytest.param(
            ["--order", "suspicious", "-o", "no/x.csv"], "its folder does not exist", id="folder"
        ),
        pytest.param(
            ["--order", "suspicious", "-o", "theirs.csv"], "is left alone; remove it", id="others"
        ),
    ],
)
def test_a_table_that_cannot_be_written_is_refused(review, doubtful, place, arguments, message):  # noqa: ARG001
    (place / "theirs.csv").write_text("a,b\n1,2\n")
    done = review(*arguments)
    assert done.exit_code in {1, 2}
    assert message in done.stderr
    assert (place / "theirs.csv").read_text() == "a,b\n1,2\n"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        pytest.param(["--order", "best"], 2, "give mixed, uncertain", id="order"),
        pytest.param(["--order", "label=fizz"], 2, "'fizz' is no label", id="label"),
        pytest.param(["--similar", "a.wav"], 2, "give a file and a time", id="no time"),
        pytest.param(["--similar", "no.wav@2"], 2, "there is no file no.wav", id="no file"),
        pytest.param(["--similar", "a.wav@99"], 2, "holds no sound at 99 s", id="beyond"),
        pytest.param(
            ["--similar", "a.wav@1", "--order", "random"], 2, "leave --order out", id="both"
        ),
        pytest.param(["path:nowhere"], 4, "no recordings were found", id="nothing found"),
    ],
)
def test_what_cannot_be_asked_is_told(review, library, served, arguments, status, message):
    library.add("a.wav", **short())
    done = review(*arguments)
    assert (done.exit_code, served) == (status, [])
    assert message in " ".join(done.stderr.split())


def test_silent_files_and_files_that_are_gone_are_nothing_to_review(review, library, place):
    library.add("gone.wav", **short())
    (place / "gone.wav").unlink()
    done = review()
    assert done.exit_code == 4
    assert "nothing to review" in done.stderr
    library.add("night.wav", segments=(Segment(0, 40, "silence", 1.0),))
    done = review()
    assert done.exit_code == 4
    assert "nothing is heard in these recordings" in done.stderr


def test_a_port_in_use_is_told(review, library):
    library.add("a.wav", **short())
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = review("--port", port)
    assert done.exit_code == 2
    assert f"--port {port}: is used by another program" in done.stderr


def test_a_newer_catalogue_is_left_alone(review, library):
    library.add("a.wav", **short())
    with sqlite3.connect(library.place) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    done = review()
    assert done.exit_code == 1
    assert "install a newer version" in done.stderr


@pytest.mark.parametrize("library_name", ["uvicorn", "starlette"])
def test_what_is_not_installed_is_named(review, monkeypatch, library_name):
    monkeypatch.setitem(sys.modules, library_name, None)
    done = review()
    assert done.exit_code == 1
    assert "pip install 'asmr-classify[review]'" in done.stderr


def test_without_cleanlab_the_other_orders_work(review, library, monkeypatch):
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    library.add("a.wav", **short())
    assert review().exit_code == 0
    done = review("--order", "suspicious")
    assert done.exit_code == 1
    assert "needs cleanlab" in done.stderr


def test_where_there_is_no_browser_none_is_opened(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("webbrowser.open", lambda _: pytest.fail("opened"))
    assert not open_browser("http://127.0.0.1:1/")


@pytest.mark.skipif(os.name != "posix", reason="signals are sent otherwise")
def test_an_interrupt_ends_it_well(library):
    library.add("a.wav", **short())
    command = [sys.executable, "-m", "asmr_classify", "review", "--catalogue", library.place]
    process = subprocess.Popen(
        [*command, "--no-browser"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "0 answers kept" in told
    assert "Traceback" not in told


@pytest.mark.skipif(os.name != "posix", reason="signals are sent otherwise")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_no_file_is_left_however_it_ends(library, tmp_path, name):
    library.add("long.wav")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-m", "asmr_classify", "review", "--catalogue", library.place]
    process = subprocess.Popen(
        [*command, "--no-browser"],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # Under nohup, it is passed on that SIGHUP is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509
    )
    address = process.stdout.readline().strip()
    assert httpx.get(f"{address}sound/0").content.startswith(b"RIFF")
    process.send_signal(getattr(signal, name))
    process.communicate(timeout=30)
    assert [*temporary.iterdir()] == []


def test_the_commands_of_its_guide_ask_what_they_say(review, served, library, place, monkeypatch):
    guide = (ROOT / "docs" / "review.md").read_text(encoding="utf-8")
    told = re.findall(r"(?:^|`)(asmr-classify review[^`\n]+)", guide, re.MULTILINE)
    options = re.findall(r"`(--(?:order|similar)[ =][^`|]+)`", guide)
    listed = [command for command in told if "--output" in command]
    told = [command for command in told if command not in listed]
    assert len(told) == 3
    assert listed == ["asmr-classify review --order suspicious --output doubts.csv"]
    assert options == ["--similar film.mkv@12.5"]
    monkeypatch.setenv("HOME", str(place))
    library.add("asmr/short.wav", **unsure(0.4, 0.6))
    library.add("asmr/long.wav", **short(1300.0, segments=(Segment(20, 30, "whisper", 0.6),)))
    write_wav(place / "film.mkv", duration=40)
    library.add("film.mkv", **unsure(0.1, seconds=40.0))
    asked = []
    for command in [*told, f"asmr-classify review {options[0]}"]:
        done = review(*map(os.path.expanduser, shlex.split(command)[2:]))
        assert done.exit_code == 0, (command, done.output)
        asked.append({*names(served[-1])})
    both = {"short.wav", "long.wav"}
    assert asked == [both, {"long.wav"}, both, {*both, "film.mkv"}]
    pytest.importorskip("cleanlab", reason="cleanlab is not installed")
    assert review(*shlex.split(listed[0])[2:]).exit_code == 0
    assert (place / "doubts.csv").read_text().startswith("path,start,end,about,")
