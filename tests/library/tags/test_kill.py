"""Tagging that is killed in the middle: each file is then wholly before or wholly after."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from asmr_classify.library.journal import Store
from asmr_classify.library.runs import carry_out, settle_broken
from asmr_classify.library.tagging import TagOptions, plan_tags
from asmr_classify.library.tags.fields import Wishes
from asmr_classify.library.tags.sidecar import read_sidecar
from tests.conftest import sample_of
from tests.library.conftest import quick_folder
from tests.library.reading import read_fields
from tests.library.tags.conftest import heard
from tests.library.worlds import go_on_undoing, look, run_in_child, undo, undo_what_was_begun

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks and signals of POSIX")

N_MOMENTS = sample_of(50, 20)

KINDS = ("mp3", "opus", "m4a", "mkv", "avi")

LAST_CALLS = 20
"""Their number varies a little from run to run."""


class Scene:
    """A small library, and its journals."""

    def __init__(self, folder, originals, *, keep_mtime=False):
        self.library = f"{folder}/library"
        os.makedirs(self.library)
        for ext in KINDS:
            shutil.copy(originals / f"a.{ext}", self.library)
            os.utime(f"{self.library}/a.{ext}", ns=(10**18, 10**18 + 123))
        self.paths = [f"{self.library}/a.{ext}" for ext in KINDS]
        self.store = Store(f"{folder}/state")
        self.keep_mtime = keep_mtime
        self.before = self.see()

    def see(self):
        return {os.path.basename(path): value for path, value in look(self.library).items()}

    def tag(self):
        settle_broken(self.store)
        options = TagOptions(Wishes(genre=True), keep_mtime=self.keep_mtime)
        planned = plan_tags([heard(path) for path in self.paths], options, ("tag",))
        return carry_out(planned.plan, self.store)

    def contents(self):
        """As :meth:`see`, without times."""
        return {name: value[0] for name, value in self.see().items()}

    def check_nothing_is_torn(self, after):
        for name, content in self.contents().items():
            if not name.endswith(".part"):
                was = self.before.get(name, (None,))[0]
                assert content in (was, after[name]), name
        assert {os.path.basename(path) for path in self.paths} <= set(self.see())


@pytest.fixture(params=[False, True], ids=["new times", "kept times"])
def new_scene(request, originals):
    return lambda folder: Scene(folder, originals, keep_mtime=request.param)


@pytest.fixture
def unbroken(new_scene):
    """What an unbroken run leaves, and how many moments it has."""
    with quick_folder() as folder:
        scene = new_scene(folder)
        assert scene.tag().n_done == len(KINDS)
        after = scene.contents()
    with quick_folder() as folder:
        return after, run_in_child(new_scene(folder).tag)


def moments(n_calls, seed):
    rng = np.random.default_rng(seed)
    return sorted(map(int, rng.choice(n_calls - LAST_CALLS, N_MOMENTS, replace=False) + 1))


def iter_killed(new_scene, unbroken, seed):
    after, n_calls = unbroken
    for moment in moments(n_calls, seed):
        with quick_folder() as folder:
            scene = new_scene(folder)
            assert run_in_child(scene.tag, kill_at=moment) is None
            scene.check_nothing_is_torn(after)
            yield scene, after


def test_a_killed_run_is_undone(new_scene, unbroken):
    for scene, _ in iter_killed(new_scene, unbroken, 3):
        undo_what_was_begun(scene)


def test_the_same_command_finishes_a_killed_run(new_scene, unbroken):
    for scene, after in iter_killed(new_scene, unbroken, 4):
        report = scene.tag()
        assert report.n_done == len(report.outcomes)
        assert scene.contents() == after
        assert read_fields(scene.paths[0])["ASMR_TRIGGERS"] == "tap;white_noise"
        assert read_sidecar(scene.paths[-1]) is not None


def test_a_killed_undo_goes_on(new_scene):
    with quick_folder() as folder:
        scene = new_scene(folder)
        scene.tag()
        n_calls = run_in_child(lambda: undo(scene.store))
    for moment in moments(n_calls, 5)[::5]:
        with quick_folder() as folder:
            scene = new_scene(folder)
            scene.tag()
            after = scene.contents()
            assert run_in_child(lambda: undo(scene.store), kill_at=moment) is None  # noqa: B023
            scene.check_nothing_is_torn(after)
            go_on_undoing(scene)
