"""A run that is killed, interrupted, or cannot write loses nothing and says what happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from asmr_classify.writers import FORMATS
from tests.conftest import sample_of

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and limits as POSIX has them")

N_MOMENTS = sample_of(50, 10)
"""Times that the long run is killed."""
FEW = sample_of((40, 6), (24, 3))
"""Files, and times that a run over them is killed whose format is written differently."""


@pytest.fixture
def command(model_file):
    """``asmr-classify label`` of the working directory, as a shell runs it."""
    program = [sys.executable, "-m", "asmr_classify", "label", ".", "--model", str(model_file)]

    def make(*options):
        return [*program, *options]

    return make


def finished(arguments, **options):
    """Run a command to its end."""
    return subprocess.run(arguments, check=False, capture_output=True, text=True, **options)


def wait_for_entries(process, journal, count, deadline):
    """Wait until a journal has so many entries more, or the process has ended."""
    while process.poll() is None and time.monotonic() < deadline:
        if journal.exists() and journal.read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.005)


def kill_and_restart(start, journal, n_files, n_moments):
    """Kill a run at random moments, and start it again each time; at last let it end."""
    rng = np.random.default_rng(n_files)
    most = n_files // n_moments  # so that about half of the files are left at the last moment
    n_begun = 0
    for _ in range(n_moments):
        entries = journal.read_bytes().count(b"\n") if journal.exists() else 0
        with start() as process:
            deadline = time.monotonic() + 60
            wait_for_entries(process, journal, entries + rng.integers(most), deadline)
            time.sleep(0.02 * rng.random())
            n_begun += process.poll() is None
            process.kill()
    with start() as process:
        assert process.wait(600) == 0
    return n_begun


@pytest.mark.parametrize(
    ("ending", "n_files", "n_moments"),
    [("jsonl", 6 * N_MOMENTS, N_MOMENTS), ("csv", *FEW), ("txt", *FEW)],
)
def test_a_run_that_is_killed_and_started_again_gives_what_an_unbroken_one_gives(
    record, command, tmp_path_factory, ending, n_files, n_moments
):
    elsewhere = tmp_path_factory.mktemp("results")
    record(*(f"{number:03d}.wav" for number in range(n_files)), duration=0.3)
    unbroken = elsewhere / f"unbroken.{ending}"
    subprocess.run(command("-q", "-o", unbroken), check=True)
    broken = elsewhere / f"broken.{ending}"

    def start():
        return subprocess.Popen(command("-q", "-o", broken))

    journal = elsewhere / f"broken.{ending}.journal"
    assert kill_and_restart(start, journal, n_files, n_moments) > n_moments / 2
    lines, expected = broken.read_text().splitlines(), unbroken.read_text().splitlines()
    assert sorted(lines) == sorted(expected)
    if ending in FORMATS:
        results = list(FORMATS[ending].read(lines))
        assert len({result.path for result in results}) == len(results) == n_files


def test_the_first_interrupt_finishes_what_is_at_hand_and_a_second_ends_at_once(
    record, command, place
):
    record(*(f"{number}.wav" for number in range(40)), duration=20.0)
    for n_interrupts in (1, 2):
        with subprocess.Popen(command("-o", "out.jsonl"), stderr=subprocess.PIPE, text=True) as run:
            already = len(lines_of(place / "out.jsonl.journal"))
            wait_for_entries(run, place / "out.jsonl.journal", already + 2, time.monotonic() + 60)
            for _ in range(n_interrupts):
                run.send_signal(signal.SIGINT)
                time.sleep(0.02)
            _, talk = run.communicate(timeout=60)
        assert run.returncode == 130
        assert "interrupted: what was finished is saved" in talk
        done = [json.loads(line) for line in lines_of(place / "out.jsonl")]
        assert 0 < len(done) < 40
    subprocess.run(command("-q", "-o", "out.jsonl"), check=True)
    paths = [json.loads(line)["path"] for line in lines_of(place / "out.jsonl")]
    assert sorted(paths) == sorted(f"{number}.wav" for number in range(40))


def test_a_run_that_ignores_interrupts_goes_on_to_its_end(record, command, place):
    record(*(f"{number}.wav" for number in range(12)), duration=20.0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # which is inherited
    with subprocess.Popen(
        command("-q", "-j", "2", "-o", "out.jsonl"), stderr=subprocess.PIPE
    ) as run:
        wait_for_entries(run, place / "out.jsonl.journal", 2, time.monotonic() + 60)
        for _ in range(3):
            run.send_signal(signal.SIGINT)
            time.sleep(0.02)
        _, talk = run.communicate(timeout=60)
    assert (run.returncode, talk) == (0, b"")
    assert len(lines_of(place / "out.jsonl")) == 12


def lines_of(path):
    return path.read_text().splitlines() if path.exists() else []


def limited_to(n_bytes):
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))

    return limit


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_a_disk_that_is_full_is_told_and_corrupts_nothing(record, command, place, ending):
    record(*(f"{number}.wav" for number in range(20)), duration=0.3)
    output = place / f"out.{ending}"
    run = finished(command("-o", output), preexec_fn=limited_to(4000))
    assert run.returncode == 1
    assert f"error: {output}" in run.stderr
    assert "cannot be written; the file got larger than is allowed here" in run.stderr
    results = list(FORMATS[ending].read(output.read_text().splitlines()))
    assert 0 < len(results) < 20
    subprocess.run(command("-q", "-o", output), check=True)
    results = list(FORMATS[ending].read(output.read_text().splitlines()))
    assert len({result.path for result in results}) == len(results) == 20


def test_a_reader_that_goes_away_ends_the_run_quietly(record, command):
    record(*(f"{number}.wav" for number in range(20)), duration=0.3)
    with subprocess.Popen(
        command("-q", "-f", "jsonl"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert json.loads(run.stdout.readline())["status"] == "ok"
        run.stdout.close()
        assert run.wait(60) == 141
        assert run.stderr.read() == ""


def test_a_library_that_may_only_be_read_is_labelled(record, command, place):
    record("a.wav", "b.wav")
    before = {path: path.stat() for path in (place, *place.iterdir())}
    done = finished(command("-f", "jsonl"), preexec_fn=limited_to(0))  # no file can be written
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["ok", "ok"]
    after = {path: path.stat() for path in (place, *place.iterdir())}
    assert {path: status.st_mtime_ns for path, status in after.items()} == {
        path: status.st_mtime_ns for path, status in before.items()
    }


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="no folder that nobody may write to")
def test_a_folder_that_may_not_be_written_to_is_told_at_once(record, command):
    record("a.wav", "b.wav")
    done = finished(command("-o", "/sys/kernel/out.jsonl"))
    assert done.returncode == 1
    assert "error: /sys/kernel/out.jsonl.journal: cannot be written; " in done.stderr
    assert "write elsewhere" in done.stderr


def test_a_file_that_is_replaced_while_it_is_read_is_labelled_again_later(record, command, place):
    record("a.wav", "long.wav", duration=600.0)
    long = place / "long.wav"
    with subprocess.Popen(command("-j", "1", "-o", "out.jsonl")) as run:
        wait_for_entries(run, place / "out.jsonl.journal", 2, time.monotonic() + 60)
        time.sleep(0.1)
        os.truncate(long, long.stat().st_size // 200)
        run.wait(60)
    first = {r["path"]: r for r in map(json.loads, lines_of(place / "out.jsonl"))}
    assert first["a.wav"]["status"] == "ok"
    again = finished(command("-o", "out.jsonl"))
    assert "(1 known already)" in again.stderr
    second = {r["path"]: r for r in map(json.loads, lines_of(place / "out.jsonl"))}
    assert second["a.wav"] == first["a.wav"]
    assert second["long.wav"]["status"] == "partial"
    assert second["long.wav"]["decoded"] < 4


def test_a_clock_that_is_set_back_changes_nothing(record, command, place):
    record("a.wav", "b.wav")
    subprocess.run(command("-q", "-o", "out.jsonl"), check=True)
    record("c.wav")
    for name in ("c.wav", "out.jsonl", "out.jsonl.journal"):
        os.utime(place / name, (4e9, 4e9))  # from a time to come
    again = finished(command("-o", "out.jsonl"))
    assert again.returncode == 0
    assert "3 files found: 3 ok (2 known already)" in again.stderr
