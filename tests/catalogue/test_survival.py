"""Kills at any moment, and several processes at once, harm nothing."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from asmr_classify.catalogue import Catalogue
from tests.conftest import sample_of

N_KILLS = sample_of(25, 10)
N_EACH = 60

WRITER = """
import sys
from pathlib import Path
from asmr_classify.catalogue import Catalogue
from asmr_classify.catalogue.corrections import Correction
from tests.catalogue.results import SETTINGS, found, heard
prefix, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with Catalogue.open("library.sqlite", create=True) as catalogue:
    for number in range(first, last):
        path = Path(f"{prefix}{number}.mp3")
        path.write_text(path.name)
        catalogue.add(found(path), heard(path), SETTINGS)
        if number % 3 == 0:
            catalogue.correct([str(path)], Correction(tags=("whisper",)))
        print(number, flush=True)
"""


def start(prefix, first, last, place):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, prefix, str(first), str(last)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=place,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def check_sound(path):
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    finally:
        connection.close()


@pytest.mark.skipif(os.name != "posix", reason="kills as POSIX has them")
def test_a_kill_at_any_moment_leaves_a_sound_file_with_all_that_was_told_of(place):
    rng = np.random.default_rng(4)
    told: set[int] = set()
    for _ in range(N_KILLS):
        first = max(told, default=-1) + 1
        with start("a", first, 10**6, place) as writer:
            for _ in range(rng.integers(0, 12)):
                told.add(int(writer.stdout.readline()))
            time.sleep(0.02 * rng.random())
            writer.send_signal(signal.SIGKILL)
            told.update(int(line) for line in writer.stdout if line.endswith("\n"))
        if Path("library.sqlite").exists():
            check_sound("library.sqlite")
    with Catalogue.open("library.sqlite") as catalogue:
        results = {Path(result.path).name: result for result in catalogue.find()}
    assert {f"a{number}.mp3" for number in told} <= set(results)
    assert len(told) > N_KILLS
    for number in told:
        assert results[f"a{number}.mp3"].tags == (("whisper",) if number % 3 == 0 else ("tap",))


def test_processes_that_write_at_once_lose_nothing(place):
    writers = [start(prefix, 0, N_EACH, place) for prefix in "abc"]
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0
    check_sound("library.sqlite")
    with Catalogue.open("library.sqlite") as catalogue:
        assert len(catalogue) == 3 * N_EACH
        assert catalogue.labels == ("tap", "whisper", "speech")


LIMITED = """
import resource, sys
from asmr_classify.errors import CatalogueError
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    exec(sys.argv.pop(1))
except CatalogueError as exc:
    sys.exit(str(exc))
"""


FULL = """
import resource, sys
from asmr_classify.catalogue import Catalogue
from asmr_classify.catalogue.corrections import Correction
from asmr_classify.errors import CatalogueError
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
with Catalogue.open("library.sqlite") as catalogue:
    (path,) = [result.path for result in catalogue.find()]
    try:
        catalogue.correct([path], Correction(tags=()))
    except CatalogueError as exc:
        print(exc)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits as POSIX has them")
def test_on_a_disk_that_is_full_it_is_read(place):
    with start("a", 0, 1, place) as writer:
        writer.communicate(timeout=120)
    done = subprocess.run(
        [sys.executable, "-c", FULL],
        capture_output=True,
        text=True,
        check=False,
        cwd=place,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stderr == ""
    assert "library.sqlite: it may only be read; change the permissions, or make" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="limits as POSIX has them")
def test_a_disk_that_is_full_is_told_and_loses_nothing(place):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, WRITER, "a", "0", "5000"],
        capture_output=True,
        text=True,
        check=False,
        cwd=place,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 1
    assert "library.sqlite: the disk" in done.stderr
    assert "full" in done.stderr
    told = {int(line) for line in done.stdout.splitlines()}
    check_sound("library.sqlite")
    with Catalogue.open("library.sqlite") as catalogue:
        kept = {Path(result.path).name for result in catalogue.find()}
    assert len(told) > 10
    assert {f"a{number}.mp3" for number in told} <= kept
