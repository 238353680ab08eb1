"""Runs taken back, and journals that are damaged."""

from __future__ import annotations

import errno
import os
import shutil

import pytest

from asmr_classify.errors import JournalError, NothingToUndoError, UsageError
from asmr_classify.library.moves import Move
from asmr_classify.library.plan import Plan, step_from_record
from asmr_classify.library.runs import Ending, settle_broken
from asmr_classify.library.undo import choose_run, plan_undo, read_runs, run_state
from tests.library.worlds import (
    FILES,
    fill,
    heard,
    look,
    organise,
    reasons,
    undo,
)


def test_what_the_user_changed_since_is_not_undone(place, three, store):
    organise(three, place, store)
    (place / "tap/a.mp3").write_bytes(b"edited by hand")
    (place / "tap/b.mp3").unlink()
    fill(place, {"c.mp3": b"another file of that name"})
    planned, _, _ = undo(store)
    assert [left.reason for left in planned.left] == [
        "is there already, and nothing is overwritten",
        "is not there any more",
        "has changed since it was moved; it is left there",
    ]
    assert (place / "tap/a.mp3").read_bytes() == b"edited by hand"
    runs, _ = read_runs(store)
    assert run_state(runs[0], runs) == "partly undone"
    os.unlink(place / "c.mp3")
    undo(store)
    assert (place / "c.mp3").read_bytes() == b"cccc"


def test_what_a_later_run_moved_names_that_run(place, three, store):
    before = look(place)
    organise(three, place, store)
    now = [heard(place / "tap" / name) for name in FILES]
    organise(now, place, store, "later/{trigger}/{name}")
    planned, _, _ = undo(store, 1)
    assert {left.reason for left in planned.left} == {"was moved by run 2: undo that first"}
    undo(store, 2)
    (place / "tap/b.mp3").rename(place / "b")
    planned, _, _ = undo(store, 1)
    assert [left.reason for left in planned.left] == ["is not there any more"]
    (place / "b").rename(place / "tap/b.mp3")
    undo(store, 1)
    assert before.items() <= look(place).items()


def test_the_last_copy_is_never_removed(place, three, store):
    for action in ("copy", "hardlink"):
        organise(three, place / action, store, action=action)
    os.unlink(place / "a.mp3")
    (place / "b.mp3").write_bytes(b"BBBB")
    planned, _, _ = undo(store, 2)
    assert {left.reason for left in planned.left} == {
        "is left there: what it was made of is gone",
        "has changed since it was made; it is left there",
    }
    _, report, _ = undo(store, 1)
    assert f"{place}/b.mp3: has changed since the copy was made; both are left" in reasons(report)
    assert sorted(os.listdir(place / "copy/tap")) == ["a.mp3", "b.mp3"]


def test_a_copy_to_which_its_source_is_a_link_now_is_the_last(place, three, store):
    organise(three, place / "new", store, action="copy")
    copy, source = place / "new/tap/a.mp3", place / "a.mp3"
    source.unlink()
    source.symlink_to(copy)  # as programs do that look for duplicates
    planned, _, _ = undo(store)
    assert [(left.path, left.reason) for left in planned.left] == [
        (str(copy), "is left there: what it was made of is a link to it now")
    ]
    assert source.read_bytes() == FILES["a.mp3"]


@pytest.mark.parametrize("action", ["copy", "hardlink"])
def test_a_folder_that_is_a_link_now_holds_no_other_copy(action, place, store):
    fill(place / "old", FILES)
    organise([heard(place / "old" / name) for name in FILES], place / "new", store, action=action)
    shutil.rmtree(place / "old")
    (place / "old").symlink_to(place / "new/tap")
    before = look(place)
    planned, _, _ = undo(store)
    assert len(planned.left) == len(FILES)
    assert look(place) == before


def test_a_link_that_leads_elsewhere_now_is_left(place, three, store):
    organise(three[:1], place / "out", store, action="symlink")
    os.unlink(place / "out/tap/a.mp3")
    os.symlink(place / "b.mp3", place / "out/tap/a.mp3")
    assert "it is left there" in undo(store)[0].left[0].reason


def test_folders_with_something_in_them_stay_and_missing_ones_come_back(place, three, store):
    fill(place, {"in/d.mp3": b"d"})
    before = look(place)
    organise([*three, heard(place / "in/d.mp3")], place, store)
    os.rmdir(place / "in")
    fill(place, {"tap/mine.txt": b""})
    undo(store)
    assert sorted(os.listdir(place / "tap")) == ["mine.txt"]
    assert {key: look(place)[key] for key in before} == before


def test_runs_are_chosen_by_number_or_the_last_that_is_not_undone(place, three, store):
    with pytest.raises(NothingToUndoError, match="nothing to undo"):
        undo(store)
    with pytest.raises(
        UsageError, match=r"no run 1: no runs are kept in .*; tag, organise and extract"
    ):
        store.read(1)
    organise(three[:1], place, store)
    organise(three[1:], place, store)
    with pytest.raises(UsageError, match="no run 7: the last is 2; `undo --list`"):
        undo(store, 7)
    undo(store)
    undo(store)
    runs, _ = read_runs(store)
    assert [run_state(run, runs) for run in runs] == ["undone", "undone", "undo of 2", "undo of 1"]
    with pytest.raises(UsageError, match="run 3 is itself the undoing of run 2"):
        choose_run(store, runs, 3)
    with pytest.raises(NothingToUndoError, match="nothing to undo"):
        choose_run(store, runs, None)


def test_a_damaged_line_costs_its_step_only(place, three, store):
    organise(three, place, store)
    path = store.path_of(1)
    lines = path.read_bytes().split(b"\n")
    index = next(k for k, line in enumerate(lines) if b"b.mp3" in line)
    lines[index] = b"\xff garbage"
    path.write_bytes(b"\n".join(lines))
    planned, _, _ = undo(store)
    assert [left.reason for left in planned.left] == [
        f"line {line} is damaged: what it tells cannot be undone" for line in (index + 1, index + 2)
    ]
    assert sorted(os.listdir(place)) == ["a.mp3", "c.mp3", "tap"]
    assert sorted(os.listdir(place / "tap")) == ["b.mp3"]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"", "is damaged at its beginning"),
        (b"[1]", "is damaged at its beginning"),
        (b'{"asmr-classify run": 1}', "is damaged at its beginning"),
        (b'{"asmr-classify run":9,"token":"","command":[],"created":"","n_steps":1,"undoes":0}',
         "is of version 9; this program knows 1"),
    ],
)  # fmt: skip
def test_a_journal_that_is_none_is_told(header, message, place, three, store):
    organise(three, place, store)
    _, _, rest = store.path_of(1).read_bytes().partition(b"\n")
    store.path_of(1).write_bytes(header + b"\n" + rest)
    with pytest.raises(JournalError, match=message):
        store.read(1)
    runs, damaged = read_runs(store)
    assert runs == []
    assert message in damaged[0].reason


def test_a_journal_that_was_never_begun_is_dropped(store):
    store.folder.mkdir(parents=True)
    store.path_of(1).write_bytes(b'{"asmr-cla')
    assert settle_broken(store) == []
    assert store.numbers() == []


def test_an_unknown_step_is_told():
    with pytest.raises(JournalError, match=r"not a step of this version: \{'kind': 'dance'\}"):
        step_from_record({"kind": "dance"})


def test_an_undoing_has_a_plan_of_its_own(place, three, store):
    organise(three, place, store)
    runs, _ = read_runs(store)
    planned = plan_undo(runs[0], runs, ("undo",))
    assert isinstance(planned, Plan)
    assert planned.undoes == 1
    assert [step.describe().verb for step in planned.steps] == [*["move"] * 3, "remove folder"]
    assert Ending.DONE == "done"


def test_what_cannot_be_settled_is_told_and_tried_again(place, three, store, monkeypatch):
    organise(three[:1], place, store)
    lines = store.path_of(1).read_bytes().splitlines(keepends=True)
    store.path_of(1).write_bytes(b"".join(lines[:-2]))
    fill(place, {"a.mp3": b"written by the user"})
    os.utime(place / "tap/a.mp3")
    with monkeypatch.context() as patched:
        patched.setattr(Move, "settle", refuse)
        planned, _, left = undo(store)
    assert [item.path for item in left] == [f"{place}/a.mp3"]
    assert left[0].reason.startswith("no permission: change that of the file")
    assert planned.left[0].reason == "a step on it was broken off, and is not settled yet"
    assert settle_broken(store) == []
    assert (place / "a.mp3").read_bytes() == b"written by the user"
    assert (place / "tap/a.mp3").read_bytes() == b"aaaa"


def test_a_file_that_vanished_after_a_kill_is_told_of_once(place, three, store):
    organise(three[:1], place, store)
    lines = store.path_of(1).read_bytes().splitlines(keepends=True)
    store.path_of(1).write_bytes(b"".join(lines[:-2]))
    os.unlink(place / "tap/a.mp3")
    (left,) = settle_broken(store)
    assert left.path == f"{place}/tap/a.mp3"
    assert left.reason.startswith("is not there any more: what run 1, which was broken off, did")
    assert store.read(1).end == "broken off"
    assert settle_broken(store) == []
    planned, _, _ = undo(store)
    assert [step.describe().verb for step in planned.steps] == ["remove folder"]


def refuse(*_):
    raise PermissionError(errno.EACCES, "Permission denied")


def test_a_journal_that_another_run_drops_meanwhile_is_passed_over(store, monkeypatch):
    store.folder.mkdir(parents=True)
    monkeypatch.setattr(store, "numbers", lambda: [7])
    assert store.broken_numbers() == []
    assert settle_broken(store) == []


def test_a_journal_that_cannot_be_read_is_named(store):
    store.path_of(7).mkdir(parents=True)
    with pytest.raises(JournalError, match=r"000007\.jsonl: cannot be read: Is a directory"):
        store.broken_numbers()


def test_a_step_that_cannot_be_read_is_told(place, three, store):
    organise(three[:1], place, store)
    path = store.path_of(1)
    path.write_bytes(path.read_bytes().replace(b'"kind":"move"', b'"kind":"dance"'))
    planned, _, _ = undo(store)
    assert "step 1 cannot be read: not a step of this version" in planned.left[0].reason


def test_a_killed_run_whose_journal_is_damaged_stops_the_next(place, three, store):
    organise(three[:1], place, store)
    store.path_of(1).write_bytes(b"garbage\n")
    with pytest.raises(JournalError, match="Move the journal away to go on without it"):
        organise(three, place, store)


def test_what_is_undone_is_not_undone_again(place, three, store):
    organise(three[:2], place, store)
    (place / "tap/a.mp3").write_bytes(b"edited by hand")
    undo(store)
    os.unlink(place / "b.mp3")
    planned, _, _ = undo(store, 1)
    assert [left.path for left in planned.left] == [f"{place}/tap/a.mp3"]


def test_a_line_that_was_cut_off_is_dropped(place, three, store):
    organise(three[:1], place, store)
    lines = store.path_of(1).read_bytes().splitlines(keepends=True)
    store.path_of(1).write_bytes(b"".join(lines[:-2]) + lines[-2][:10])
    settle_broken(store)
    run = store.read(1)
    assert (run.damaged, run.end, len(run.done)) == ((), "broken off", 2)
