"""``asmr-classify features``: tables of feature rows, and what becomes of a run that is killed."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import psutil
import pytest
from typer.testing import CliRunner

from asmr_classify import features
from asmr_classify.cli.app import app
from asmr_classify.writers import rows as row_formats
from tests.conftest import DEMO, ROOT

CLIPS = ("tap-wood.flac", "none-silence.flac", "whisper-slow.flac")


@pytest.fixture
def clips(place):
    (place / "in").mkdir()
    for name in CLIPS:
        shutil.copy(DEMO / name, place / "in")
    return place


@pytest.fixture
def run(place, in_this_process):  # noqa: ARG001 (where and how it runs)
    def invoke(*arguments, stdin=None):
        return CliRunner().invoke(app, ["features", *map(str, arguments)], input=stdin)

    return invoke


@pytest.fixture
def decoded(monkeypatch):
    """Names of what is opened to be decoded."""
    from asmr_classify.media.decode import AudioStream

    seen, opened = [], AudioStream.open.__func__
    monkeypatch.setattr(
        AudioStream,
        "open",
        classmethod(lambda cls, path, **options: seen.append(path) or opened(cls, path, **options)),
    )
    return seen


def read(path):
    table = pd.read_parquet(path) if str(path).endswith("parquet") else read_csv(path)
    return {name: rows.reset_index(drop=True) for name, rows in table.groupby("path")}


def read_csv(source):
    singles = dict.fromkeys(["level_db", *features.names()], np.float32)
    return pd.read_csv(source, dtype=singles)


def expected(names=CLIPS, by="window"):
    frames = {f"in/{name}": features.read(f"in/{name}", by=by, as_frame=True) for name in names}
    return {path: frame.reset_index(drop=True) for path, frame in frames.items()}


def check_same(table, other):
    assert sorted(table) == sorted(other)
    for path, frame in other.items():
        pd.testing.assert_frame_equal(table[path], frame, check_exact=True, check_dtype=True)


@pytest.mark.parametrize("by", ["window", "file"])
@pytest.mark.parametrize("output", ["out.csv", "out.parquet"])
def test_tables_hold_what_python_gets_to_the_last_bit(clips, run, output, by):
    done = run("in", "--by", by, "-o", output)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "3 files found: 2 ok · 1 silent" in done.stderr
    check_same(read(clips / output), expected(by=by))


def test_csv_goes_to_standard_output_and_leaves_nothing_behind(clips, run):
    done = run("in", "-q")
    assert (done.exit_code, done.stderr) == (0, "")
    table = read_csv(io.StringIO(done.stdout))
    assert list(table) == ["path", "start", "end", "level_db", *features.names()]
    assert len(table) == 15
    assert os.listdir(clips) == ["in"]  # noqa: PTH208
    assert "--fresh changes nothing here" in run("in", "--fresh").stderr


@pytest.mark.parametrize("output", ["out.csv", "out.parquet"])
def test_a_second_run_computes_only_what_is_new_or_changed(clips, run, decoded, output):
    run("in", "-o", output)
    assert sorted(decoded) == sorted(f"in/{name}" for name in CLIPS)
    decoded.clear()
    shutil.copy(DEMO / "tap-keys.flac", clips / "in" / "new.flac")
    shutil.copy(DEMO / "none-talk.flac", clips / "in" / "tap-wood.flac")
    done = run("in", "-o", output)
    assert sorted(decoded) == ["in/new.flac", "in/tap-wood.flac"]
    assert "(2 known already)" in done.stderr
    check_same(read(clips / output), expected((*CLIPS, "new.flac")))
    decoded.clear()
    run("in", "-o", output, "--fresh")
    assert len(decoded) == 4


def test_rows_of_another_kind_are_not_taken_for_these(clips, run, decoded):
    run("in", "-o", "out.csv")
    decoded.clear()
    run("in", "-o", "out.csv", "--by", "file")
    assert len(decoded) == 3
    check_same(read(clips / "out.csv"), expected(by="file"))


def test_quiet_tells_of_failed_files_alone(clips, run):
    (clips / "in" / "broken.mp3").write_bytes(b"RIFF no sound")
    done = run("in", "-o", "out.csv", "--quiet")
    assert done.exit_code == 3
    assert done.stderr.startswith("failed: in/broken.mp3: ")
    assert done.stderr.count("\n") == 1


def test_a_table_is_not_replaced_without_a_word(clips, run):
    output = "out.csv"
    anew, without = "is written anew", "without 2 recordings of earlier runs, not named now"
    one = "in/tap-wood.flac"
    assert "note" not in run("in", "-o", output).stderr
    assert "note" not in run("in", "-o", output).stderr  # the same
    told = run(one, "-o", output).stderr
    assert f"{output}: {without}" in " ".join(told.split())
    assert "note" not in run(one, "-o", output, "--quiet").stderr
    assert "note" not in run("in", "-o", output).stderr
    check_same(read(clips / output), expected())
    assert anew in run("in", "-o", output, "--by", "file").stderr
    assert "without" not in run(one, "-o", output).stderr  # what else is kept has other rows
    shutil.rmtree(clips / f"{output}.parts")
    assert anew in " ".join(run("in", "-o", output).stderr.split())
    assert anew not in run("in", "-o", "other.csv").stderr


def test_parts_that_were_cut_or_changed_are_computed_again(clips, run, decoded):
    run("in", "-o", "out.csv")
    one, two, three = sorted((clips / "out.csv.parts").glob("*.raw"))
    one.write_bytes(one.read_bytes()[:-20])
    two.write_bytes(b"")
    three.write_bytes(b"\xff" * 5000)
    decoded.clear()
    assert run("in", "-o", "out.csv").exit_code == 0
    assert len(decoded) == 3
    check_same(read(clips / "out.csv"), expected())


def test_a_bad_file_is_told_of_has_no_rows_and_stops_no_other(clips, run):
    (clips / "in" / "bad.mp3").write_text("no sound")
    done = run("in", "-o", "out.parquet")
    assert done.exit_code == 3
    assert "failed: in/bad.mp3: " in done.stderr
    assert "2 ok · 1 silent · 1 failed" in done.stderr
    check_same(read(clips / "out.parquet"), expected())


def test_of_a_file_that_breaks_off_there_is_what_was_heard(clips, run):
    whole = (DEMO / "tap-wood.flac").read_bytes()
    (clips / "in" / "cut.flac").write_bytes(whole[: len(whole) // 2])
    done = run("in", "-o", "out.csv")
    assert done.exit_code == 0
    assert "partial: in/cut.flac: " in done.stderr
    assert 0 < len(read(clips / "out.csv")["in/cut.flac"]) < 5


def test_names_that_a_table_cannot_hold_are_escaped_as_with_labels(place, run):
    name = os.fsdecode(b'in/=a"\xe9,\n.flac')
    (place / "in").mkdir()
    shutil.copy(DEMO / "tap-wood.flac", name)
    run("in", "-o", "out.csv")
    run("in", "-o", "out.parquet")
    assert set(read(place / "out.csv")) == {'in/=a"\\udce9,\\x0a.flac'}
    assert set(read(place / "out.parquet")) == {'in/=a"\\udce9,\n.flac'}


def test_a_file_that_fills_the_disk_ends_the_run(clips, run, monkeypatch):
    from asmr_classify.batch.parts import PartWriter
    from asmr_classify.errors import OutputError

    def write(self, _rows):
        raise OutputError(f"{self._scratch}: cannot be written; the disk is full")

    monkeypatch.setattr(PartWriter, "write", write)
    done = run("in", "-o", "out.csv")
    assert done.exit_code == 1
    assert "the disk is full" in done.stderr
    assert os.listdir(clips) == ["in"]  # noqa: PTH208


def test_two_runs_do_not_write_one_output(clips, run):
    from asmr_classify.batch import Parts
    from asmr_classify.config import FeatureSpec
    from asmr_classify.features.table import By

    with Parts.open("out.csv", FeatureSpec(), By.WINDOW):
        done = run("in", "-o", "out.csv")
    assert done.exit_code == 1
    assert "another run writes to this output" in done.stderr
    assert not (clips / "out.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "no recordings are named"),
        (["in", "-o", "out.xls"], 2, "no table of features ends in '.xls'"),
        (["in", "-o", "in"], 2, "is a folder; name a .csv or .parquet file in it"),
        (["in", "-o", "out.mp3", "-f", "csv"], 2, "is named like a recording"),
        (["in", "--by", "minute"], 2, "minute"),
        (["in", "-o", "none/out.csv"], 1, "its folder does not exist"),
        (["empty", "-o", "out.csv"], 4, "no recordings were found"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_done_is_said_and_nothing_begun(clips, run, arguments, status, message):
    (clips / "empty").mkdir()
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (status, "")
    assert message in " ".join(done.stderr.split())
    assert sorted(os.listdir(clips)) == ["empty", "in"]  # noqa: PTH208


@pytest.mark.parametrize("name", ["mine.csv", "mine.parquet"])
def test_what_is_no_table_of_features_is_left_alone(clips, run, name):
    (clips / name).write_text("dear diary\n")
    done = run("in", "-o", name)
    assert done.exit_code == 2
    assert (clips / name).read_text() == "dear diary\n"


def test_without_pyarrow_there_is_no_parquet(clips, run, monkeypatch):
    monkeypatch.setattr(row_formats, "find_spec", lambda _: None)
    done = run("in", "-o", "out.parquet")
    assert done.exit_code == 1
    assert "pip install 'asmr-classify[parquet]'" in " ".join(done.stderr.split())
    assert os.listdir(clips) == ["in"]  # noqa: PTH208


@pytest.mark.skipif(os.name != "posix", reason="kills by a signal")
def test_a_run_that_is_killed_goes_on_where_it_was(place, decoded, run):
    (place / "in").mkdir()
    names = [f"{number}.flac" for number in range(24)]
    for name in names:
        shutil.copy(DEMO / "tap-wood.flac", place / "in" / name)
    command = [sys.executable, "-m", "asmr_classify", "features", "in", "-o", "out.parquet"]
    command += ["--jobs", "2", "-q"]
    started = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})
    parts = place / "out.parquet.parts"
    deadline = time.monotonic() + 60
    while len(list(parts.glob("*.raw"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    workers = psutil.Process(started.pid).children()
    started.kill()
    started.wait()
    assert not (place / "out.parquet").exists()
    _, left = psutil.wait_procs(workers, timeout=60)
    assert not left  # they look once a second whether who started them is still there
    finished = {footer_of(part)["key"][0] for part in parts.glob("*.raw")}
    assert len(finished) >= 5
    assert run("in", "-o", "out.parquet").exit_code == 0
    again = {str(place / path) for path in decoded}
    assert not again & finished
    assert len(again | finished) == len(names)
    assert not list(parts.glob("*.part"))
    table = read(place / "out.parquet")
    decoded.clear()
    check_same(table, expected(names))


def footer_of(part):
    content = part.read_bytes()
    length = int.from_bytes(content[-8:], "little")
    return json.loads(content[-8 - length : -8])


def test_workers_give_the_same_table(clips):
    command = [sys.executable, "-m", "asmr_classify", "features", "in", "-o", "out.csv", "-q"]
    subprocess.run([*command, "--jobs", "2"], check=True,
                   env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    check_same(read(clips / "out.csv"), expected())
