"""Runs that are killed in the middle: each file is then wholly before or wholly after."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass

import numpy as np
import pytest

from asmr_classify.library import places
from asmr_classify.library.journal import Store
from tests.conftest import sample_of
from tests.library.conftest import quick_folder
from tests.library.worlds import (
    contents,
    fill,
    go_on_undoing,
    heard,
    look,
    organise,
    run_in_child,
    undo,
    undo_what_was_begun,
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks and signals of POSIX")

N_MOMENTS = sample_of(50, 25)

FEWER = 12
"""Moments of what differs little from another case."""

FILES = {
    "in/a.mp3": b"a" * 5000,
    "in/a.en.srt": b"subtitles",
    "in/b.mp3": b"b" * 70000,
    "in/deep/c.wav": b"",
}

TRIGGERS = {"a.mp3": "tap", "b.mp3": "whisper", "c.wav": "tap"}

CASES = ["move", "move to another disk", "copy", "hardlink", "symlink"]

POORER_DISKS = ["without exclusive renames", "without hard links"]


@dataclass
class Scene:
    """A library, where it is organised to, and its journals."""

    folder: str
    out: str
    action: str

    def __post_init__(self):
        fill(self.folder, FILES)
        self.store = Store(f"{self.folder}/state")
        self.before = self.see()

    def see(self):
        """What is there, but for the journals; names as in any scene."""
        seen = {}
        for path, value in look(self.folder, self.out).items():
            if "/state" not in path and path != self.out:
                shown = path.replace(self.out, "OUT").replace(self.folder, "LIBRARY")
                seen[shown] = (
                    str(value).replace(self.folder, "LIBRARY") if value[0] == "link" else value
                )
        return seen

    def results(self):
        """Results as labelling would give them now: of each file once, where it is."""
        found = {}
        for path in look(f"{self.folder}/in", self.out):
            name = os.path.basename(path)
            if name in TRIGGERS:
                found.setdefault(name, heard(path, TRIGGERS[name]))
        return list(found.values())

    def organise(self):
        return organise(self.results(), self.out, self.store, action=self.action)

    def check_nothing_is_torn(self, after):
        """Everything is as before or as after the run, but for what settling takes away."""
        whole = {*self.before.items(), *after.items()}
        seen = self.see()
        torn = {
            path
            for path, value in seen.items()
            if (path, value) not in whole and not (path.startswith("OUT") and value[0] == b"")
        }
        assert all(path.endswith(".part") for path in torn), torn
        assert set(contents(self.before)) <= set(contents(seen))


@pytest.fixture(params=CASES)
def new_scene(request, tmp_path):
    """Makes scenes of one kind, each in a folder of its own."""
    action, _, far = request.param.partition(" ")

    def make(folder):
        out = f"{tmp_path}{folder}" if far else f"{folder}/out"
        os.makedirs(out)
        if far and os.stat(out).st_dev == os.stat(folder).st_dev:
            pytest.skip("there is only one disk to write to")
        return Scene(folder, out, action)

    return make


def an_unbroken_run(new_scene):
    """What it leaves, and how many moments it has."""
    with quick_folder() as folder:
        # What is imported here is not imported in each child.
        report = new_scene(folder).organise()
        assert report.n_done == len(report.outcomes)
    with quick_folder() as folder:
        scene = new_scene(folder)
        n_calls = run_in_child(scene.organise)
        return scene.see(), n_calls


def moments(n_calls, seed, n_moments=N_MOMENTS):
    """Moments drawn from all calls, but for the last few, whose number varies a little."""
    rng = np.random.default_rng(seed)
    return sorted(map(int, rng.choice(n_calls - 10, n_moments, replace=False) + 1))


def iter_killed(new_scene, seed, n_moments=N_MOMENTS):
    """Scenes in which a run was killed, each at another moment, and what an unbroken one leaves."""
    after, n_calls = an_unbroken_run(new_scene)
    for moment in moments(n_calls, seed, n_moments):
        with quick_folder() as folder:
            scene = new_scene(folder)
            assert run_in_child(scene.organise, kill_at=moment) is None
            scene.check_nothing_is_torn(after)
            yield scene, after


def check_undone(killed):
    for scene, _ in killed:
        undo_what_was_begun(scene)


def test_a_killed_run_is_undone(new_scene):
    check_undone(iter_killed(new_scene, 7))


@pytest.mark.parametrize("new_scene", ["move", "move to another disk", "copy"], indirect=True)
@pytest.mark.parametrize("disk", POORER_DISKS)
def test_a_killed_run_is_undone_on_a_disk(disk, new_scene, monkeypatch):
    monkeypatch.setattr(places, "_rename_at_once", lambda *_: False)
    if disk == "without hard links":
        monkeypatch.setattr(os, "link", refuse_links)
    check_undone(iter_killed(new_scene, 6, FEWER))


def refuse_links(*_, **__):
    raise PermissionError(errno.EPERM, "no hard links here")


def test_the_same_command_finishes_a_killed_run(new_scene):
    for scene, after in iter_killed(new_scene, 8):
        report = scene.organise()
        assert report.n_done == len(report.outcomes)
        assert scene.see() == after


def test_a_killed_undo_goes_on(new_scene):
    with quick_folder() as folder:
        scene = new_scene(folder)
        scene.organise()
        undo(scene.store)
    with quick_folder() as folder:
        scene = new_scene(folder)
        scene.organise()
        n_calls = run_in_child(lambda: undo(scene.store))
    for moment in moments(n_calls, 9, FEWER):
        with quick_folder() as folder:
            scene = new_scene(folder)
            scene.organise()
            after = scene.see()
            assert run_in_child(lambda: undo(scene.store), kill_at=moment) is None  # noqa: B023
            scene.check_nothing_is_torn(after)
            go_on_undoing(scene)
