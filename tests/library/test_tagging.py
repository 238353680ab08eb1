"""Plans that tag: which file gets what, and why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.library.journal import Store
from asmr_classify.library.plan import Work
from asmr_classify.library.runs import carry_out
from asmr_classify.library.tagging import TagOptions, plan_removal, plan_tags
from asmr_classify.library.tags.fields import Wishes
from asmr_classify.library.tags.sidecar import (
    WriteSidecar,
    parse_sidecar,
    read_sidecar,
    sidecar_path,
)
from asmr_classify.library.tags.steps import WriteTags
from asmr_classify.library.undo import choose_run, plan_undo, read_runs
from tests.library.reading import read_fields
from tests.library.tags.conftest import (  # noqa: F401 (fixtures)
    CARRIED,
    heard,
    originals,
    read,
    recording,
    tmp_path,
    write,
)

ALL = TagOptions(Wishes(genre=True, comment=True, chapters=True))


@pytest.fixture
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("state"))


def plan(*paths, options=None, **changes):
    results = [heard(path, **changes) for path in paths]
    return plan_tags(results, options or TagOptions(), ("tag",))


def run(planned, store):
    report = carry_out(planned.plan, store)
    assert report.n_done == len(planned.plan.steps)
    return report


def undo(store):
    runs, _ = read_runs(store)
    planned = plan_undo(choose_run(store, runs, None), runs, ("undo",))
    assert planned.left == ()
    assert carry_out(planned, store).n_done == len(planned.steps)


def seen(folder):
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode)
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


def test_a_library_is_tagged_and_all_of_it_undone(recording, tmp_path, store):  # noqa: F811
    paths = [recording(ext) for ext in (*CARRIED, "avi", "wma")]
    before = seen(tmp_path)
    planned = plan(*paths, options=ALL)
    assert [type(step) for step in planned.plan.steps] == [WriteTags] * 11 + [WriteSidecar] * 2
    run(planned, store)
    assert all(read_fields(path)["ASMR_TRIGGERS"] == "tap;white_noise" for path in paths[:11])
    undo(store)
    assert seen(tmp_path) == before


def test_equal_tags_are_no_step(recording, tmp_path, store):  # noqa: F811
    paths = [recording(ext) for ext in (*CARRIED, "avi")]
    run(plan(*paths, options=ALL), store)
    before = seen(tmp_path), [os.stat(path).st_ino for path in paths]
    again = plan(*paths, options=ALL)
    assert again.plan.steps == ()
    assert again.unchanged == tuple(paths)
    assert carry_out(again.plan, store).number is None
    assert (seen(tmp_path), [os.stat(path).st_ino for path in paths]) == before


def test_a_score_that_moves_little_is_no_reason_to_write(recording, store):  # noqa: F811
    path = recording("mp3")
    run(plan(path), store)
    assert plan(path, scores={"tap": 0.9118, "white_noise": 0.7, "speech": 0.05}).plan.steps == ()


def test_kinds_come_into_what_was_tagged_without_them(recording, tmp_path, store):  # noqa: F811
    paths = [recording(ext) for ext in (*CARRIED, "avi")]
    run(plan(*paths, kinds={}), store)
    before = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    planned = plan(*paths)
    assert len(planned.plan.steps) == len(paths)
    assert planned.plan.steps[0].describe().detail == (
        "tap, white_noise; kinds: typing, running_water"
    )
    run(planned, store)
    for path in paths[:-1]:
        assert read_fields(path)["ASMR_KINDS"] == "typing;running_water"
    assert list(parse_sidecar(read_sidecar(paths[-1])).kinds) == ["typing", "running_water"]
    undo(store)
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == before


def test_kinds_that_are_set_as_none_leave_the_file(recording, store):  # noqa: F811
    paths = [recording(ext) for ext in CARRIED]
    run(plan(*paths, tags=(), segments=()), store)
    assert {read_fields(path)["ASMR_KINDS"] for path in paths} == {"typing;running_water"}
    planned = plan(*paths, tags=(), segments=(), kinds={})
    assert {step.describe().detail for step in planned.plan.steps} == {"no trigger; kinds: none"}
    run(planned, store)
    assert not [path for path in paths if "ASMR_KINDS" in read_fields(path)]


def test_removal_takes_out_all_that_is_ours(recording, tmp_path, store):  # noqa: F811
    paths = [recording(ext) for ext in (*CARRIED, "avi")]
    states = [read(path) for path in paths[:-1]]
    run(plan(*paths, options=ALL), store)
    removal = plan_removal(paths, TagOptions(), ("tag", "--remove"))
    run(removal, store)
    assert [read(path) for path in paths[:-1]] == states
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".json")]
    nothing = plan_removal(paths, TagOptions(), ("tag", "--remove"))
    assert nothing.plan.steps == ()
    assert nothing.unchanged == tuple(paths)
    undo(store)
    assert read_fields(paths[0])["ASMR_MODEL"] == "tiny@0.1"
    assert read_sidecar(paths[-1]) is not None


def test_links_lead_to_the_file(recording, tmp_path, store):  # noqa: F811
    path = recording("mp3")
    link = tmp_path / "elsewhere" / "link.mp3"
    link.parent.mkdir()
    link.symlink_to(path)
    planned = plan(link, path)
    assert [step.path for step in planned.plan.steps] == [path]
    run(planned, store)
    assert link.is_symlink()
    assert read_fields(str(link))["ASMR_MODEL"] == "tiny@0.1"


def test_hard_links_are_not_parted(recording, tmp_path):  # noqa: F811
    path = recording("mp3")
    os.link(path, tmp_path / "second.mp3")
    (step,) = plan(path).plan.steps
    assert isinstance(step, WriteSidecar)
    assert "it has 2 names on the disk" in step.describe().detail


def test_hard_links_made_since_are_not_parted(recording, tmp_path, store):  # noqa: F811
    path, second = recording("mp3"), tmp_path / "second.mp3"
    planned = plan(path)
    os.link(path, second)
    (outcome,) = carry_out(planned.plan, store).outcomes
    assert "it has 2 names on the disk" in outcome.reason
    second.unlink()
    run(plan(path), store)
    os.link(path, second)
    removal = plan_removal([path], TagOptions(), ("tag", "--remove"))
    runs, _ = read_runs(store)
    undoing = plan_undo(choose_run(store, runs, None), runs, ("undo",))
    for planned in (removal.plan, undoing):
        assert planned.steps == ()
        assert "it has 2 names on the disk" in planned.left[0].reason
    assert os.path.samefile(path, second)
    second.unlink()
    undo(store)
    assert read(path).fields == {}


def test_a_file_of_another_user_stays_theirs(recording, of_another):  # noqa: F811
    path = recording("mp3")
    of_another(path)
    before = os.stat(path).st_ino
    (step,) = plan(path).plan.steps
    assert isinstance(step, WriteSidecar)
    assert "it belongs to another user" in step.describe().detail
    step.do(Work("7-0", lambda **_: None))
    assert os.stat(path).st_ino == before
    assert read_sidecar(path) is not None


def test_root_gives_what_is_written_anew_to_its_owner(recording, store, of_another, monkeypatch):  # noqa: F811
    path = recording("mp3")
    of_another(path)
    monkeypatch.undo()
    before = os.stat(path)
    run(plan(path), store)
    assert read(path).fields
    undo(store)
    after = os.stat(path)
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid) != (0, 0)


def test_a_file_of_another_user_keeps_its_tags(recording, of_another, store):  # noqa: F811
    path = recording("mp3")
    run(plan(path), store)
    of_another(path)
    before = Path(path).read_bytes()
    assert plan(path).unchanged == (path,)
    removal = plan_removal([path], TagOptions(), ("tag", "--remove")).plan
    runs, _ = read_runs(store)
    for planned in (removal, plan_undo(runs[0], runs, ("undo",))):
        assert planned.steps == ()
        assert "it belongs to another user" in planned.left[0].reason
    assert Path(path).read_bytes() == before


def test_a_name_without_room_for_a_sidecar_can_be_tagged(recording):  # noqa: F811
    path = recording("mp3", "n" * 250 + ".mp3")
    (step,) = plan(path).plan.steps
    assert isinstance(step, WriteTags)
    planned = plan(path, options=TagOptions(sidecar=True)).plan
    assert planned.steps == ()
    assert "the name of its sidecar would be longer than 255 bytes" in planned.left[0].reason


def test_why_a_sidecar_is_written(recording):  # noqa: F811
    (step,) = plan(recording("avi")).plan.steps
    assert step.describe().detail == (
        "tap, white_noise (no tags can be written into files of its kind)"
    )
    (step,) = plan(recording("mp3"), options=TagOptions(sidecar=True)).plan.steps
    assert step.describe().detail == "tap, white_noise (as asked)"


def test_a_sidecar_is_kept_up_to_date(recording, store):  # noqa: F811
    path = recording("mp3")
    run(plan(path, options=TagOptions(sidecar=True)), store)
    planned = plan(path, tags=("whisper",))
    assert [type(step) for step in planned.plan.steps] == [WriteTags, WriteSidecar]
    run(planned, store)
    assert '"tags": ["whisper"]' in read_sidecar(path)


def test_what_is_not_known_or_not_there_is_left(recording, tmp_path):  # noqa: F811
    path = recording("mp3")
    results = [
        FileResult("a.mp3", Status.FAILED, "m", error=Problem("OpenError", "a.mp3: not a file")),
        FileResult("b.mp4", Status.NO_AUDIO, "m", error=Problem("NoAudioError", "b.mp4: mute")),
        heard(tmp_path / "gone.mp3"),
        heard(tmp_path),
        heard(path),
    ]
    made = plan_tags(results, TagOptions(), ("tag",))
    assert [(note.path, note.reason) for note in made.notes] == [("b.mp4", "mute")]
    planned = made.plan
    assert [(os.path.basename(left.path), left.reason) for left in planned.left] == [
        ("a.mp3", "not a file"),
        ("gone.mp3", "cannot be read: No such file or directory"),
        (tmp_path.name, "is no file; only files have tags"),
    ]
    assert [step.path for step in planned.steps] == [path]


def test_a_damaged_file_does_not_keep_others_from_being_tagged(recording):  # noqa: F811
    broken, sound = recording("flac"), recording("mp3")
    Path(broken).write_bytes(Path(broken).read_bytes()[:60])
    planned = plan(broken, sound).plan
    assert [step.path for step in planned.steps] == [sound]
    assert [left.path for left in planned.left] == [broken]
    assert "may be damaged" in planned.left[0].reason


def test_a_strange_file_beside_is_left(recording):  # noqa: F811
    path = recording("avi")
    Path(sidecar_path(path)).write_text("my notes")
    planned = plan(path).plan
    assert planned.steps == ()
    assert planned.left[0].reason == "is not ours: move it away, or give it another name"


@pytest.mark.parametrize(
    ("ext", "note"),
    [("wav", "no chapters: a WAV file holds none"), ("mp3", "no chapters: those that it has")],
)
def test_chapters_that_cannot_be_written_are_told(recording, ext, note):  # noqa: F811
    from asmr_classify.library.tags.state import Chapter, TagState

    path = recording(ext)
    if ext == "mp3":
        write(path, TagState(chapters=(Chapter(0, 500, "mine"),)))
    planned = plan(path, options=ALL)
    assert len(planned.plan.steps) == 1
    assert "ASMR_CHAPTERS" not in planned.plan.steps[0].new.fields
    assert planned.notes[0].reason.startswith(note)


def test_lively_stretches_that_nobody_saw_are_no_chapters_and_told(recording):  # noqa: F811
    path = recording("mp4")
    lively = TagOptions(Wishes(chapters=True, lively=True))
    planned = plan(path, options=lively, visual=None)
    (note,) = planned.notes
    assert (note.path, note.reason[:43]) == (path, "its chapters do not tell where much moves: ")
    assert planned.plan.steps[0].new.fields["ASMR_CHAPTERS"].startswith("2 ")
    assert plan(path, options=lively).notes == ()
    assert plan(path, options=ALL, visual=None).notes == ()
