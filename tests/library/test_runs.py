"""Plans carried out, in a world that may have changed since they were made."""

from __future__ import annotations

import errno
import json
import os
import threading
from dataclasses import asdict
from pathlib import Path

import pytest

from asmr_classify.errors import BusyError, NothingToUndoError, StepError
from asmr_classify.library import copies, moves, places
from asmr_classify.library.journal import Store
from asmr_classify.library.places import is_same_entry, rename_exclusive
from asmr_classify.library.plan import KINDS, FileState, Work, record_to_json, step_from_record
from asmr_classify.library.runs import Watcher, carry_out
from asmr_classify.library.undo import read_runs, run_state
from tests.library.worlds import (
    fill,
    heard,
    look,
    organise,
    plan,
    reasons,
    undo,
)


def test_the_dry_run_is_the_very_plan(place, three):
    planned = plan(three, place)
    record = json.loads(record_to_json(planned.to_record()))
    assert [step_from_record(step) for step in record["steps"]] == list(planned.steps)


def test_every_kind_of_step_survives_its_journal(place):
    fill(place, {"a": b"1"})
    state = FileState.of(str(place / "a"))
    for kind, home in KINDS.items():
        fields = {"path": "/p", "source": "/s", "target": "/t", "original": "/o", "how": "copy"}
        name = home.partition(":")[2]
        module = __import__(home.partition(":")[0], fromlist=[name])
        cls = getattr(module, name)
        wanted = {key: fields[key] for key in cls.__dataclass_fields__ if key in fields}
        if "before" in cls.__dataclass_fields__:
            wanted["before"] = state
        if not set(cls.__dataclass_fields__) <= {*fields, "before", "digest"}:
            continue  # tested where it is at home
        step = cls(**wanted)
        assert step.kind == kind
        assert step_from_record(json.loads(json.dumps(step.to_record()))) == step
        assert step.describe().verb


def test_a_file_that_changed_since_the_plan_is_skipped_and_the_others_go_on(place, three, store):
    planned = plan(three, place)
    (place / "a.mp3").write_bytes(b"longer than before")
    (place / "b.mp3").write_bytes(b"BBBB")
    (place / "c.mp3").unlink()
    (place / "tap").mkdir()
    report = carry_out(planned, store)
    assert [outcome.ending for outcome in report.outcomes] == ["done", *["skipped"] * 3]
    assert reasons(report) == [
        f"{place}/a.mp3: has changed since it was planned: 4 bytes, now 18",
        f"{place}/b.mp3: has changed since it was planned: it was written to",
        f"{place}/c.mp3: is not there any more",
    ]
    with pytest.raises(NothingToUndoError, match="nothing to undo: no run is kept that"):
        undo(store)
    assert (place / "tap").is_dir()  # which the run found, and did not make


def test_a_file_that_was_replaced_is_skipped(place, three, store):
    planned = plan(three[:1], place)
    state = os.stat(place / "a.mp3")
    (place / "new").write_bytes(b"AAAA")
    os.utime(place / "new", ns=(state.st_atime_ns, state.st_mtime_ns))
    (place / "new").replace(place / "a.mp3")
    report = carry_out(planned, store)
    assert "it was replaced by another file" in reasons(report)[0]


def test_a_name_that_was_taken_since_the_plan_is_not_overwritten(place, three, store):
    planned = plan(three, place)
    fill(place, {"tap/a.mp3": b"mine"})
    report = carry_out(planned, store)
    assert reasons(report) == [f"{place}/tap/a.mp3: is there already, and nothing is overwritten"]
    assert (place / "tap/a.mp3").read_bytes() == b"mine"
    assert report.n_done == 3


@pytest.mark.parametrize("action", ["move", "copy", "hardlink", "symlink"])
@pytest.mark.parametrize("disk", ["good", "without exclusive renames", "without hard links"])
def test_a_name_that_is_taken_at_the_last_moment_is_not_overwritten(
    action, disk, place, three, store, monkeypatch
):
    if disk != "good":
        monkeypatch.setattr(places, "_rename_at_once", lambda *_: False)
    if disk == "without hard links" and action != "hardlink":
        monkeypatch.setattr(os, "link", refuse_links)

    def take_the_name(_source, target):
        Path(target).write_bytes(b"")

    monkeypatch.setattr(moves, "check_free", take_the_name)
    monkeypatch.setattr(copies, "check_free", take_the_name)
    report = carry_out(plan(three[:1], place, action=action), store)
    assert reasons(report)[0].startswith(f"{place}/a.mp3: File exists")
    assert (place / "tap/a.mp3").read_bytes() == b""
    assert (place / "a.mp3").read_bytes() == b"aaaa"
    assert sorted(os.listdir(place / "tap")) == ["a.mp3"]


def refuse_links(*_, **__):
    raise PermissionError(errno.EPERM, "no hard links here")


@pytest.mark.parametrize("disk", ["without exclusive renames", "without hard links"])
def test_poorer_disks_move_as_well(disk, place, three, store, monkeypatch):
    monkeypatch.setattr(places, "_rename_at_once", lambda *_: False)
    if disk == "without hard links":
        monkeypatch.setattr(os, "link", refuse_links)
    before = look(place)
    organise(three, place, store)
    assert sorted(os.listdir(place)) == ["tap"]
    undo(store)
    assert look(place) == before


def test_a_plan_without_steps_leaves_no_run(place, store):
    assert carry_out(plan([], place), store).number is None
    assert store.numbers() == []


def test_a_run_stops_between_steps_when_asked_to(place, three, store):
    stop = threading.Event()

    class StopAtTwo(Watcher):
        def on_outcome(self, _step, outcome):
            if outcome.index == 1:
                stop.set()

    before = look(place)
    report = carry_out(plan(three, place), store, stop=stop, watcher=StopAtTwo())
    assert report.stopped
    assert len(report.outcomes) == 2
    runs, _ = read_runs(store)
    assert run_state(runs[0], runs) == "partly done"
    undo(store)
    assert look(place) == before


def test_two_runs_at_once_are_refused(place, three, store):
    planned = plan(three, place)
    with store.locked(), pytest.raises(BusyError, match=r"another run .* is touching files"):
        carry_out(planned, Store(store.folder.parent))
    assert carry_out(planned, store).n_done == 4


def test_two_names_of_one_file_are_two_entries(place):
    fill(place, {"a.mp3": b"1"})
    os.link(place / "a.mp3", place / "A.mp3")
    assert not is_same_entry(str(place / "a.mp3"), str(place / "A.mp3"))
    with pytest.raises(FileExistsError):
        rename_exclusive(str(place / "a.mp3"), str(place / "A.mp3"))


def test_a_folder_reached_in_two_ways_has_the_same_entries(place):
    fill(place, {"real/a.mp3": b"1"})
    os.symlink(place / "real", place / "link")
    assert is_same_entry(str(place / "real/a.mp3"), str(place / "link/a.mp3"))
    results = [heard(place / "real/a.mp3")]
    assert plan(results, place / "link", "{name}").steps == ()


def test_a_rename_in_case_only(place, store):
    fill(place, {"in/RAIN.mp3": b"1"})
    before = look(place)
    organise([heard(place / "in/RAIN.mp3", "rain")], place, store, "in/{trigger}.{ext}")
    assert os.listdir(place / "in") == ["rain.mp3"]
    undo(store)
    assert look(place) == before


def test_steps_say_what_is_wrong_with_what_they_find(place):
    with pytest.raises(StepError, match="is not there any more"):
        FileState.of(str(place / "none"))
    fill(place, {"file": b""})
    with pytest.raises(StepError, match="cannot be looked at: Not a directory"):
        FileState.of(str(place / "file/none"))


def test_names_that_are_not_utf8_come_back(place, store):
    fill(place, {"caf\udce9.mp3": b"1"})
    before = look(place)
    report = organise(
        [heard(os.path.join(place, "caf\udce9.mp3"))], place, store, "{trigger}/{name}"
    )
    assert report.n_done == 2
    assert os.listdir(place / "tap") == ["caf_.mp3"]
    undo(store)
    assert look(place) == before


@pytest.fixture
def careless_of_case(monkeypatch):
    """Lets names be found in whatever case, as on macOS and Windows."""
    lstat = os.lstat

    def spelt(path):
        if not isinstance(path, str):
            return path
        folder, name = os.path.split(path)
        alike = [other for other in os.listdir(folder) if other.lower() == name.lower()]
        return os.path.join(folder, alike[0]) if alike else path

    def lexists(path):
        try:
            lstat(spelt(path))
        except OSError:
            return False
        return True

    monkeypatch.setattr(os, "lstat", lambda path, **options: lstat(spelt(path), **options))
    monkeypatch.setattr(os.path, "lexists", lexists)


@pytest.mark.usefixtures("careless_of_case")
def test_a_rename_in_case_only_where_case_does_not_count(place, store):
    fill(place, {"in/RAIN.mp3": b"1"})
    source, target = str(place / "in/RAIN.mp3"), str(place / "in/rain.mp3")
    assert is_same_entry(source, target)
    planned = plan([heard(source, "rain")], place, "in/{trigger}.{ext}")
    assert carry_out(planned, store).n_done == 1
    assert os.listdir(place / "in") == ["rain.mp3"]
    work = Work("name", note=lambda **_: None)
    assert planned.steps[0].settle(work, {}) == {"after": asdict(FileState.of(target))}
    os.rename(target, source)
    assert planned.steps[0].settle(work, {}) is None
    assert os.listdir(place / "in") == ["RAIN.mp3"]
