"""Training that was interrupted goes on where it was."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest

from asmr_classify.errors import OutputError
from asmr_classify.estimators import Ensemble, Network
from asmr_classify.training import checkpoints as checkpoints_module
from asmr_classify.training import evaluate as evaluate_module
from asmr_classify.training import student as student_module
from asmr_classify.training.checkpoints import Checkpoints
from asmr_classify.training.corpus import read_corpus
from asmr_classify.training.evaluate import evaluate, train
from asmr_classify.training.prepare import prepare
from asmr_classify.training.spec import EncoderSpec, FitSpec, StudentSpec, TrainingSpec
from asmr_classify.training.takes import TakeSpec

SPEC = TrainingSpec(
    fit=FitSpec(members=1, hidden=(2,), epochs=1, tree_rounds=1),
    student=StudentSpec(hints=2, hidden=(2,), epochs=1),
    encoder=EncoderSpec(width=2, texture_width=2, codes=3, hints=2, epochs=1),
    takes=TakeSpec(copies=0, scenes=0, noises=0),
)


@pytest.fixture(scope="module")
def corpus(corpus_folder):
    return read_corpus(corpus_folder / "manifest.csv")


@pytest.fixture(scope="module")
def features(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    prepare(corpus, SPEC, cache=folder, jobs=1)
    return folder


@pytest.fixture
def cache(features, tmp_path):
    """A cache with all features, and no fit."""
    return shutil.copytree(features, tmp_path / "cache")


class Fits:
    """How many students, ensembles and encoders were fitted, and at how many to interrupt."""

    def __init__(self):
        self.students = self.ensembles = self.encoders = 0
        self.interrupt_at = None

    def count(self):
        return self.students + self.ensembles + self.encoders

    def counted(self, what, fit):
        def fitted(*given, **named):
            if self.count() == self.interrupt_at:
                raise KeyboardInterrupt
            setattr(self, what, getattr(self, what) + 1)
            return fit(*given, **named)

        return fitted


@pytest.fixture
def fits(monkeypatch):
    counts = Fits()
    for module, name, what in (
        (student_module, "fit_student", "students"),
        (evaluate_module, "fit_ensemble", "ensembles"),
        (evaluate_module, "fit_encoder", "encoders"),
    ):
        monkeypatch.setattr(module, name, counts.counted(what, getattr(module, name)))
    return counts


def trained(corpus, cache, teacher=None, spec=SPEC):
    prepared = prepare(corpus, spec, teacher=teacher, cache=cache, jobs=1)
    return train(prepared, evaluate(prepared, spec, jobs=1), spec), prepared


def test_what_was_fitted_before_an_interrupt_is_not_fitted_again(corpus, fits, cache, teacher):
    whole, prepared = trained(corpus, cache, teacher)
    assert (fits.students, fits.ensembles, fits.encoders) == (11, 5, 5)
    prepared.checkpoints.forget()
    fits.students = fits.ensembles = fits.encoders = 0
    for fits.interrupt_at in (4, 12, 17):
        with pytest.raises(KeyboardInterrupt):
            trained(corpus, cache, teacher)
        assert fits.count() == fits.interrupt_at
    fits.interrupt_at = None
    resumed, _ = trained(corpus, cache, teacher)
    assert (fits.students, fits.ensembles, fits.encoders) == (11, 5, 5)
    assert resumed.digest() == whole.digest()


def test_all_fits_are_taken_from_a_training_that_stopped_before_its_model(corpus, fits, cache):
    first, prepared = trained(corpus, cache)
    assert fits.ensembles == 5
    second, _ = trained(corpus, cache)
    assert fits.ensembles == 5
    assert second.digest() == first.digest()
    prepared.checkpoints.forget()
    trained(corpus, cache)
    assert fits.ensembles == 10


@pytest.mark.parametrize("what", ["seed", "labels", "code"])
def test_what_decides_a_fit_makes_another(corpus, fits, cache, monkeypatch, what):
    trained(corpus, cache)
    spec = SPEC
    if what == "seed":
        spec = replace(SPEC, fit=replace(SPEC.fit, seed=1))
    elif what == "labels":
        clips = list(corpus.clips)
        clips[0] = replace(clips[0], fit_labels=("music",))
        corpus = replace(corpus, clips=tuple(clips))
    else:
        monkeypatch.setattr(checkpoints_module, "_code", lambda: "another")
    trained(corpus, cache, spec=spec)
    assert fits.ensembles == 10


def test_name_and_version_do_not(corpus, fits, cache):
    trained(corpus, cache)
    renamed, _ = trained(corpus, cache, spec=replace(SPEC, name="other", version="2"))
    assert fits.ensembles == 5
    assert renamed.id == "other@2"


def an_ensemble():
    one = np.ones((1, 1), np.float32)
    return Ensemble(one[0], one[0], (Network((one,), (one[0],)),))


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 and no more", None])
def test_a_damaged_fit_is_made_again(tmp_path, damage):
    kept = Checkpoints.of(tmp_path, needed=True, decided_by=[1])
    kept.fitted(Ensemble, an_ensemble, 0)
    (place,) = kept.folder.iterdir()
    place.write_bytes(place.read_bytes()[:200] if damage is None else damage)
    made = []
    kept.fitted(Ensemble, lambda: made.append(1) or an_ensemble(), 0)
    kept.fitted(Ensemble, lambda: made.append(1) or an_ensemble(), 0)
    assert made == [1]


def test_fits_of_trainings_given_up_are_removed_after_a_month(tmp_path):
    days = {"own": 40, "old": 31, "new": 29}
    kept = [Checkpoints.of(tmp_path, needed=True, decided_by=[name]) for name in days]
    for checkpoints, n_days in zip(kept, days.values(), strict=True):
        checkpoints.fitted(Ensemble, an_ensemble, 0)
        then = time.time() - n_days * 24 * 3600
        os.utime(checkpoints.folder, (then, then))
    own, old, new = (checkpoints.folder for checkpoints in kept)
    assert Checkpoints.of(tmp_path, needed=True, decided_by=["own"]).folder == own
    assert (own.is_dir(), old.is_dir(), new.is_dir()) == (True, False, True)


def test_a_folder_that_cannot_be_written_matters_only_if_it_was_asked_for(tmp_path):
    (tmp_path / "fits").write_text("a file")
    asked, default = (
        Checkpoints.of(tmp_path, needed=needed, decided_by=[]) for needed in (True, False)
    )
    assert default.fitted(Ensemble, an_ensemble).mean == 1
    with pytest.raises(OutputError, match="cannot write the cache"):
        asked.fitted(Ensemble, an_ensemble)
