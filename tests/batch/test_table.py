"""Tables in parts: what is written, what counts as done, and what becomes of rows that are old."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import fsspec
import pandas as pd
import pytest
from pyarrow import dataset, parquet

from asmr_classify import label_paths
from asmr_classify.aggregate import Problem, Status
from asmr_classify.batch import Table, engine, table
from asmr_classify.batch.bench import Done
from asmr_classify.batch.engine import ExecutorEngine
from asmr_classify.batch.isolate import Outcome
from asmr_classify.errors import OutputError, UsageError
from asmr_classify.media.found import Found
from asmr_classify.media.source import Url
from asmr_classify.visual.seen import Effort, Picture, Visual
from asmr_classify.writers import FORMATS
from asmr_classify.writers.folder import StoredFolder, open_folder
from asmr_classify.writers.parquet import make_schema, read_parquet
from tests.batch.conftest import Notes
from tests.batch.tasks import Stub
from tests.batch.test_engine import run
from tests.catalogue.results import failed, heard
from tests.conftest import DEMO

SEEN = Visual(Picture.NONE)


def found_of(name, version="v1"):
    return Found(name, 9, mtime_ns=ord(version[-1]), ctime_ns=5)


@pytest.fixture
def fill(place, tiny_model):  # noqa: ARG001 (where it writes)
    """Runs over files as a labeller does that tells of each what the test says."""

    def run_over(results, output="out/", *, until=None, finish=True, **options):
        """Give the names that were labelled, and what the run came to."""
        labelled = []
        with Table.open(output, tiny_model, **options) as kept:
            for found, result in results:
                if found.path == until:
                    raise KeyboardInterrupt
                if kept.recall(found) is None:
                    labelled.append(found.path)
                    kept.record(found, result)
            return labelled, kept.finish() if finish else None

    return run_over


def files(*names, version="v1", **changes):
    return [(found_of(name, version), heard(name, visual=SEEN, **changes)) for name in names]


def parts_of(folder):
    return sorted(folder.glob("*.parquet"))


def rows_of(folder):
    """The paths of all rows, each as often as it is there."""
    return sorted(row for part in parts_of(folder) for row in pd.read_parquet(part).path)


def manifest_of(folder):
    return json.loads((folder / "_manifest.json").read_text())


@pytest.mark.parametrize("output", ["out/", "file://{}/out/"], ids=["path", "address"])
@pytest.mark.usefixtures("in_this_process")
def test_a_table_holds_what_a_file_holds(output, recordings, tiny_model, place, monkeypatch):
    monkeypatch.setattr(table, "PART_ROWS", 3)
    with (place / "one.parquet").open("wb") as file:
        writer = FORMATS["parquet"].open_writer(file, tiny_model.labels)
        for result in label_paths([recordings], model=tiny_model):
            writer.write(result)
        writer.close()
    with Table.open(output.format(place), tiny_model) as kept:
        list(label_paths([recordings], model=tiny_model, journal=kept))
        done = kept.finish()
    one, folder = pd.read_parquet("one.parquet"), place / "out"
    pd.testing.assert_frame_equal(pd.read_parquet("out"), one)
    assert dataset.dataset("out").schema.equals(make_schema(tiny_model.labels))
    assert [parquet.read_metadata(part).num_rows for part in parts_of(folder)] == [3, 1]
    with parts_of(folder)[0].open("rb") as file:
        assert len([*read_parquet(file)]) == 3
    assert (done.n_rows, done.n_parts, done.is_changed) == (4, 2, True)
    manifest = manifest_of(folder)
    assert manifest["rows"] == 4
    assert manifest["statuses"] == {"failed": 1, "ok": 3}
    assert manifest["model"] == tiny_model.id
    assert manifest["parts"] == [
        {"name": part.name, "rows": n_rows, "bytes": part.stat().st_size}
        for part, n_rows in zip(parts_of(folder), (3, 1), strict=True)
    ]
    assert {path.name for path in folder.iterdir()} == {
        *(part.name for part in parts_of(folder)),
        "_manifest.json",
        "_lock",
    }


@pytest.mark.usefixtures("in_this_process")
def test_what_has_its_row_is_not_labelled_again(recordings, tiny_model, place):
    for attempt in range(2):
        notes = Notes()
        with Table.open("out/", tiny_model) as kept:
            list(label_paths([recordings], model=tiny_model, journal=kept, observer=notes))
            done = kept.finish()
        n_files = len(notes.found)
        assert (len(notes.recalled), len(notes.finished)) == [(0, n_files), (n_files, 0)][attempt]
        assert done.is_changed == (attempt == 0)
    statuses = {result.status for _, result in notes.recalled}
    assert statuses == {Status.OK, Status.FAILED}  # and the empty file is told of again
    (lost,) = [result for _, result in notes.recalled if result.status is Status.FAILED]
    assert "empty.mp3" in lost.error.message
    assert len(parts_of(place / "out")) == 1


def test_a_run_that_was_stopped_goes_on(fill, place):
    with suppress(KeyboardInterrupt):
        fill(files("a", "b", "c"), until="c")
    assert rows_of(place / "out") == ["a", "b"]
    assert not (place / "out" / "_manifest.json").exists()
    labelled, done = fill(files("a", "b", "c"))
    assert labelled == ["c"]
    assert (done.n_rows, done.n_parts) == (3, 2)
    assert rows_of(place / "out") == ["a", "b", "c"]


def test_what_changed_gets_another_row_for_its_old_one(fill, place, monkeypatch):
    monkeypatch.setattr(table, "PART_ROWS", 2)
    fill(files("a", "b", "c", "d"))
    before = parts_of(place / "out")
    labelled, done = fill(
        [*files("a"), *files("b", version="v2", duration=99.0), *files("c", "d", version="v2")]
    )
    assert labelled == ["b", "c", "d"]
    assert (done.n_rows, rows_of(place / "out")) == (4, ["a", "b", "c", "d"])
    frame = pd.read_parquet("out").set_index("path")
    assert (frame.loc["b"].duration, frame.loc["a"].duration) == (99.0, 40.0)
    assert not {*before} & {*parts_of(place / "out")}
    assert manifest_of(place / "out")["rows"] == 4
    assert fill([*files("a"), *files("b", "c", "d", version="v2")])[0] == []


def test_rows_of_what_is_gone_stay(fill, place):
    fill(files("a", "b"))
    labelled, done = fill(files("b", "c"))
    assert (labelled, done.n_rows) == (["c"], 3)
    assert rows_of(place / "out") == ["a", "b", "c"]


def test_recordings_of_one_name_in_two_folders_have_a_row_each(tiny_model, place, monkeypatch):
    for folder in ("one", "two"):
        (place / folder).mkdir()
        (place / folder / "a.flac").write_bytes((DEMO / "tap-wood.flac").read_bytes())
        monkeypatch.chdir(place / folder)
        with Table.open("../out/", tiny_model) as kept:
            list(label_paths(["a.flac"], model=tiny_model, journal=kept))
            kept.finish()
    assert rows_of(place / "out") == ["a.flac", "a.flac"]


def test_a_run_that_looks_otherwise_does_not_fill_a_table(recordings, tiny_model):
    with Table.open("out/", tiny_model, video=None) as kept:
        list(label_paths([recordings], model=tiny_model, journal=kept, video=None))
        kept.finish()
        with pytest.raises(UsageError, match="out/: was opened for video=None, not normal"):
            label_paths([recordings], model=tiny_model, journal=kept)


def test_a_file_that_is_moved_while_a_folder_is_listed_is_passed_over(place, monkeypatch):
    (place / "part-000001-0123abcd.parquet").write_bytes(b"any")
    (place / ".scratch").write_bytes(b"any")
    scan = os.scandir

    @contextmanager
    def scanned(path):
        with scan(path) as entries:
            found = list(entries)
        (place / ".scratch").unlink()
        yield found

    folder = open_folder(f"{place}/")
    monkeypatch.setattr("os.scandir", scanned)
    assert folder.list() == {"part-000001-0123abcd.parquet": 3}


def test_a_failure_that_may_pass_is_tried_again(fill, place):
    for may_pass, again in ((True, ["a"]), (False, [])):
        problem = Problem("StorageError", "a: gone", may_pass=may_pass)
        lost = replace(failed("a"), error=problem)
        assert fill([(found_of("a"), lost)], fresh=may_pass)[0] == ["a"]
        assert fill([(found_of("a"), lost)])[0] == again
        assert rows_of(place / "out") == ["a"]


def test_a_picture_that_may_be_seen_another_time_is_tried_again(fill):
    problem = Problem("WorkerError", "a: crashed", may_pass=True)
    assert fill([(found_of("a"), heard("a", visual_error=problem))])[0] == ["a"]
    settled = heard("a", visual_error=replace(problem, may_pass=False))
    assert fill([(found_of("a"), settled)])[0] == ["a"]
    assert fill([(found_of("a"), settled)])[0] == []


def test_a_failure_is_known_by_more_than_its_content(fill):
    fill([(found_of("a"), failed("a"))])
    permitted = replace(found_of("a"), ctime_ns=7)
    assert fill([(permitted, heard("a", visual=SEEN))])[0] == ["a"]
    assert fill([(replace(permitted, ctime_ns=8), None)])[0] == []


def test_what_tells_no_time_is_labelled_again(fill):
    for _ in range(2):
        unknown = Found("a", 9)
        assert fill([(unknown, heard("a", visual=SEEN))])[0] == ["a"]


def test_other_settings_are_refused_and_fresh_begins_anew(fill, place, tiny_model):
    fill(files("a", "b"))
    other = tiny_model.with_thresholds({"tap": 0.9})
    with (
        pytest.raises(UsageError, match=r"out/: holds results of another model.*--fresh"),
        Table.open("out/", other),
    ):
        pass
    with pytest.raises(UsageError, match="videos that were looked at otherwise"):
        fill(files("a"), video=Effort.FULL)
    (place / "out" / "notes.txt").write_text("mine")
    fill(files("c"), fresh=True, video=None)
    assert rows_of(place / "out") == ["c"]
    assert (place / "out" / "notes.txt").exists()


def test_names_that_are_no_text_keep_their_row(fill, place):
    name = "caf\udce9.mp3"
    for labelled in ([name], []):
        assert fill(files(name))[0] == labelled
    assert rows_of(place / "out") == ["caf\\udce9.mp3"]


def write_part(model, output, number, *rows, run="0123abcd"):
    """Write a part as a worker does that nobody hears of any more."""
    with Table.open(output, model) as kept:
        kept.sink.put(f"part-{number:06d}-{run}.parquet", rows)


def test_a_part_that_nobody_learnt_of_counts(fill, tiny_model):
    write_part(tiny_model, "out/", 7, *files("a"))
    labelled, done = fill(files("a", "b"))
    assert labelled == ["b"]
    assert (done.n_rows, done.n_parts) == (2, 2)


def strange_rows(folder, caplog):
    """Take away the part that was said to be left out, and give its rows."""
    [record] = caplog.records
    caplog.clear()
    part = folder / Path(record.getMessage().partition(":")[0]).name
    assert "is left out, as it holds results of other settings" in record.getMessage()
    rows = [*pd.read_parquet(part).path]
    part.unlink()
    return rows


def test_a_part_that_comes_late_leaves_no_row_twice(fill, place, tiny_model, caplog):
    """A worker of a run that was killed was at work yet when the next run began."""
    with Table.open("out/", tiny_model) as kept:
        for found, result in files("a", "b"):
            assert kept.recall(found) is None
            kept.record(found, result)
        late = files("b", duration=1.0) + files("c")
        kept.sink.put("part-000001-0123abcd.parquet", late)
        kept.sink.put("part-000009-0123abcd.parquet", files("a"))
        replace(kept.sink, settings="").put("part-000010-0123abcd.parquet", files("d"))
        done = kept.finish()
        assert not kept.finish().is_changed
    assert strange_rows(place / "out", caplog) == ["d"]
    assert (done.n_rows, rows_of(place / "out")) == (3, ["a", "b", "c"])
    assert pd.read_parquet("out").set_index("path").loc["b"].duration == 40.0
    assert fill(files("a", "b", "c"))[0] == []


def test_a_part_of_what_fresh_did_away_with_is_stepped_over_by_the_next_run(
    fill, place, tiny_model, caplog
):
    with Table.open("out/", tiny_model, video=Effort.FULL) as before:
        sink = before.sink
    fill(files("a", "b"))
    sink.put("part-000007-0123abcd.parquet", files("a", "c"))
    labelled, done = fill(files("a", "b"))
    assert (labelled, done.n_rows, done.is_changed) == ([], 2, False)
    assert strange_rows(place / "out", caplog) == ["a", "c"]
    assert rows_of(place / "out") == ["a", "b"]
    sink.put("part-000007-0123abcd.parquet", files("a", "c"))
    (place / "out" / "_manifest.json").unlink()
    with pytest.raises(UsageError, match=r"another model.*, in part-000007-0123abcd"):
        fill(files("a", "b"))  # nothing tells whose the table is


def test_a_kill_while_old_rows_go_is_mended_by_the_next_run(fill, place, monkeypatch):
    fill(files("a", "b"))
    folder = type(table.open_folder("out/"))

    def killed(*_):
        raise KeyboardInterrupt

    changed = [*files("a"), *files("b", version="v2", duration=5.0)]
    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(table, "copy_rows", killed)
        fill(changed)
    assert rows_of(place / "out") == ["a", "b", "b"]
    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        real = folder.remove
        patch.setattr(folder, "remove", lambda self, x: killed() if "part" in x else real(self, x))
        fill(changed)
    assert rows_of(place / "out") == ["a", "a", "b", "b"]
    assert not (place / "out" / "_manifest.json").exists()
    labelled, done = fill(changed)
    assert (labelled, done.n_rows) == ([], 2)
    assert rows_of(place / "out") == ["a", "b"]
    assert pd.read_parquet("out").set_index("path").loc["b"].duration == 5.0


def test_a_part_is_written_when_its_first_row_is_old(fill, place, monkeypatch):
    monkeypatch.setattr(table, "PART_SECONDS", 0.0)
    fill(files("a", "b", "c"))
    assert len(parts_of(place / "out")) == 3


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more"])
def test_a_part_that_is_damaged_is_named(fill, place, content):
    fill(files("a"))
    (part,) = parts_of(place / "out")
    part.write_bytes(content)
    with pytest.raises(OutputError, match=rf"out/{part.name}: cannot be read .* move it away"):
        fill(files("a"))
    part.unlink()
    assert fill(files("a"))[0] == ["a"]


def test_a_file_of_that_name_that_is_no_part_is_named(fill, place):
    fill(files("a"))
    pd.DataFrame({"path": ["b"]}).to_parquet(place / "out" / "part-000001-00000000.parquet")
    with pytest.raises(OutputError, match=r"part-000001-00000000.parquet: cannot be read"):
        fill(files("a"))


def test_a_part_that_somebody_removes_is_told(tiny_model, fill, place):
    fill(files("a"))
    with (
        Table.open("out/", tiny_model) as kept,
    ):
        parts_of(place / "out")[0].unlink()
        with pytest.raises(OutputError, match="was removed by somebody else; run again"):
            kept.finish()


def test_two_runs_do_not_write_one_table(tiny_model, fill):
    with (
        Table.open("out/", tiny_model),
        pytest.raises(OutputError, match=r"out/: another run writes to this output"),
    ):
        fill(files("a"))


def test_folders_that_cannot_be_are_told(tiny_model, place):
    (place / "file").touch()
    for output, message in (
        ("none/out/", "none/out/: cannot be written; its folder does not exist"),
        ("file/", "file/: cannot be written"),
        ("https://me:hush@host/out/", "https://host/out/: nothing can be written to the web"),
    ):
        with (
            pytest.raises((OutputError, UsageError), match=message),
            Table.open(output, tiny_model),
        ):
            pass


@pytest.fixture
def in_memory():
    """A file system of fsspec's that knows no objects which appear whole."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def test_other_storage_gets_files_beside_their_place(fill, in_memory, monkeypatch):
    seen = []
    real = type(in_memory).pipe_file

    def pipe_file(self, path, value, **options):
        seen.append(path.rpartition("/")[2])
        return real(self, path, value, **options)

    monkeypatch.setattr(type(in_memory), "pipe_file", pipe_file)
    for labelled in (["a", "b"], []):
        assert fill(files("a", "b"), "memory://deep/out/")[0] == labelled
    fill(files("a", version="v2"), "memory://deep/out/")
    names = [path.rpartition("/")[2] for path in in_memory.ls("/deep/out", detail=False)]
    assert sorted(names)[0] == "_manifest.json"
    assert [name.endswith(".parquet") for name in names].count(True) == 2
    assert all(name.startswith(".") for name in seen)
    assert not any(name.startswith(".") for name in names)
    paths = pd.read_parquet("memory://deep/out", engine="pyarrow").path
    assert sorted(paths) == ["a", "b"]


def test_workers_write_what_they_did_and_this_process_the_rest(place, tiny_model, monkeypatch):
    def work(order, batch, part):
        if any(found.path == "3" for found, _ in batch):
            raise OSError("no link")
        outcomes = [Outcome(found, heard(found.path, visual=SEEN)) for found, _ in batch]
        return Done(order.sink.put_batch(part, outcomes), 0.001)

    monkeypatch.setattr(engine, "do_batch", work)
    finds = [found_of(str(number)) for number in range(40)]
    with Table.open("out/", tiny_model) as kept, ThreadPoolExecutor(1) as workers:
        outcomes = [*run(finds, Stub(None), ExecutorEngine(workers), table=kept)]
        for outcome in outcomes:
            (kept.learn(outcome) if outcome.part else kept.record(outcome.found, outcome.result))
        done = kept.finish()
    assert done.n_rows == 40
    assert rows_of(place / "out") == sorted(map(str, range(40)))
    assert [outcome.found.path for outcome in outcomes if outcome.part is None] == ["3"]
    assert not any(outcome.result.segments for outcome in outcomes)
    assert pd.read_parquet("out").segments.map(len).sum() == 39 * len(heard("a").segments)


def test_an_executor_fills_a_table(recordings, tiny_model, place):
    with ThreadPoolExecutor(2) as workers, Table.open("out/", tiny_model) as kept:
        results = [*label_paths([recordings], model=tiny_model, executor=workers, journal=kept)]
        done = kept.finish()
    assert (len(results), done.n_rows) == (4, 4)
    assert rows_of(place / "out") == sorted(result.path for result in results)
    with Table.open("out/", tiny_model) as kept, ThreadPoolExecutor(2) as workers:
        notes = Notes()
        how = {"executor": workers, "journal": kept, "observer": notes}
        list(label_paths([recordings], model=tiny_model, **how))
        assert not kept.finish().is_changed
    assert len(notes.recalled) == 4


def test_a_worker_without_the_library_ends_the_run_before_it_labels(
    recordings, tiny_model, monkeypatch, place
):
    monkeypatch.setattr("asmr_classify.writers.find_spec", lambda _: None)
    with ThreadPoolExecutor(1) as workers, Table.open("out/", tiny_model) as kept:
        results = label_paths([recordings], model=tiny_model, executor=workers, journal=kept)
        with pytest.raises(UsageError, match=r"a worker cannot write to out/: .* pip install"):
            list(results)
    assert not parts_of(place / "out")


def test_a_worker_without_the_library_of_the_storage_is_told(tiny_model):
    folder = StoredFolder(Url("gs://bucket/out/"))
    with pytest.raises(UsageError, match=r"a worker cannot write to gs://bucket/out/: .* gcsfs"):
        table.PartSink(folder, tuple(tiny_model.labels), "", "").check()


def test_a_part_that_cannot_be_written_ends_the_run(recordings, tiny_model, monkeypatch):
    def full(_self, name, _content):
        raise OutputError(f"{name}: the disk is full")

    monkeypatch.setattr("asmr_classify.writers.folder.DiskFolder.put", full)
    with ThreadPoolExecutor(1) as workers, Table.open("out/", tiny_model) as kept:
        results = label_paths([recordings], model=tiny_model, executor=workers, journal=kept)
        with pytest.raises(OutputError, match="the disk is full"):
            list(results)
