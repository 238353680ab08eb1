"""Corrections change what is fitted on, and no figure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asmr_classify.errors import CorpusError
from asmr_classify.training import fit as fit_module
from asmr_classify.training import takes as takes_module
from asmr_classify.training.corpus import Clip, read_corpus, read_manifest
from asmr_classify.training.corrections import (
    COLUMNS,
    read_corrections,
    relabelled,
    with_corrections,
)
from asmr_classify.training.fit import fit_ensemble
from asmr_classify.training.prepare import prepare
from asmr_classify.training.spec import FitSpec, TrainingSpec
from asmr_classify.training.takes import TakeKind, TakeSpec, clip_targets, plan_takes
from tests.conftest import ROOT

SPEC = TrainingSpec(
    fit=FitSpec(members=0, tree_rounds=1),
    takes=TakeSpec(copies=0, steady_copies=0, scenes=0, noises=0),
)


@pytest.fixture
def corpus(corpus_folder):
    return read_corpus(corpus_folder / "manifest.csv")


HEAD = ",".join(COLUMNS)


@pytest.fixture
def write(tmp_path):
    def write_lines(*lines, head=HEAD):
        path = tmp_path / "corrections.csv"
        path.write_text("\n".join([head, *lines, ""]))
        return path

    return write_lines


def named(corpus, part) -> Clip:
    return next(clip for clip in corpus.clips if part in clip.path)


@pytest.fixture
def corrected(corpus, write):
    lines = [
        f"{named(corpus, 'tap-0-0').sha256},tap-0-0,white_noise,sounds like it",
        f"{named(corpus, 'tap-0-1').sha256},tap-0-1,unsure,nothing to hear",
        f'{named(corpus, "music-1-0").sha256},music-1-0,"tap,music",both',
        f"{named(corpus, 'white_noise-1-0').sha256},white_noise-1-0,none,a bird",
        f"{'0' * 64},elsewhere,tap,another corpus",
    ]
    # the corpus of the tests knows no "other"
    known = replace(corpus, labels=(*corpus.labels, "other"))
    return with_corrections(known, read_corrections(write(*lines)))


def test_labels_to_fit_are_the_corrected_ones_and_truth_stays(corpus, corrected):
    assert named(corrected, "tap-0-0").to_fit == ("white_noise",)
    assert named(corrected, "tap-0-1").to_fit == ()
    assert named(corrected, "music-1-0").to_fit == ("tap", "music")
    assert named(corrected, "white_noise-1-0").to_fit == ("other",)
    assert named(corrected, "tap-2-0").to_fit == ("tap",)
    assert np.array_equal(clip_targets(corrected)[:, :-1], clip_targets(corpus))


def test_clips_of_which_nobody_can_tell_are_not_fitted_on(corrected, monkeypatch):
    prepared = prepare(corrected, SPEC, jobs=1)
    fitted_on = []
    monkeypatch.setattr(
        fit_module, "fit_trees", lambda X, targets, *_: fitted_on.append((len(X), targets))
    )
    fit_ensemble(prepared.rows, corrected, np.ones(24, dtype=bool), SPEC)
    ((n_rows, targets),) = fitted_on
    assert n_rows == 23  # of 24 clips of one window
    tap = corrected.labels.index("tap")
    assert targets[:, tap].sum() == 8 - 2 + 1


def test_figures_with_corrections_leave_out_what_nobody_can_tell(corrected):
    kept, triggers = relabelled(corrected)
    assert len(kept) == len(triggers) == 23
    held = dict(zip((corrected.clips[k].path.rsplit("/")[-1] for k in kept), triggers, strict=True))
    assert held["tap-0-0.wav"] == ("white_noise",)
    assert held["music-1-0.wav"] == ("tap",)
    assert held["white_noise-1-0.wav"] == ()


def test_an_unknown_label_is_named(corpus, write):
    path = write(f"{named(corpus, 'tap-0-0').sha256},tap-0-0,hum,a tone")
    with pytest.raises(CorpusError, match="tap-0-0: corrected to hum, which no clip holds"):
        with_corrections(corpus, read_corrections(path))


@pytest.mark.parametrize(
    ("lines", "head", "message"),
    [
        pytest.param((), "sha256,path,trigger", "no column reason", id="column"),
        pytest.param(("a,b,tap,",), None, "line 2: nothing in column reason", id="no reason"),
        pytest.param(("a,b,tap,x", "a,c,tap,y"), None, "line 3: c is corrected twice", id="twice"),
    ],
)
def test_a_wrong_file_is_refused(write, lines, head, message):
    path = write(*lines, **({"head": head} if head else {}))
    with pytest.raises(CorpusError, match=message):
        read_corrections(path)


def test_checksums_may_be_in_capitals_as_windows_writes_them(corpus, write, tmp_path):
    clip = named(corpus, "tap-0-0")
    path = write(f"{clip.sha256.upper()},tap-0-0,none,a bird")
    assert read_corrections(path)[0].sha256 == clip.sha256
    manifest = tmp_path / "capitals.csv"
    manifest.write_text(
        f"path,trigger,group,sha256\n{clip.path},tap,a,{clip.sha256.upper()}\n", encoding="utf-8"
    )
    assert read_manifest(manifest)[0].sha256 == clip.sha256


def test_all_wrong_lines_are_told(write):
    path = write("a,b,tap,x", "a,c,tap,y", "d,,tap,z")
    told = r"2 rows are wrong:\n  line 3: c is corrected twice\n  line 4: nothing in column path"
    with pytest.raises(CorpusError, match=told):
        read_corrections(path)


def test_a_correction_to_none_and_a_label_is_refused(write):
    told = r"\.csv, line 2: a: 'none,tap': none means that there is no trigger"
    with pytest.raises(CorpusError, match=told):
        read_corrections(write('0,a,"none,tap",heard'))


def test_corrections_that_excel_saved_are_read(write):
    path = write("0,a,tap,heard")
    before = read_corrections(path)
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert read_corrections(path) == before


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CorpusError, match=r"none\.csv: cannot read the corrections"):
        read_corrections(tmp_path / "none.csv")


def test_the_projects_own_corrections_are_of_clips_of_the_corpus(shared):
    corpus = read_corpus(shared / "corpus" / "manifest.csv")
    corrections = read_corrections(ROOT / "data" / "corrections.csv")
    after = with_corrections(corpus, corrections)
    changed = [clip.path for clip in after.clips if clip.fit_labels is not None]
    assert len(changed) == len(corrections)
    assert all(any(path.endswith(c.path) for path in changed) for c in corrections)


def test_nothing_is_not_unsure_where_the_corpus_knows_no_other(corpus, write):
    assert "other" not in corpus.labels
    clip = named(corpus, "tap-0-0")
    lines = [f"{clip.sha256},tap-0-0,none,a bird"]
    changed = with_corrections(corpus, read_corrections(write(*lines)))
    assert named(changed, "tap-0-0").to_fit == ("none",)
    kept, triggers = relabelled(changed)
    index = changed.clips.index(named(changed, "tap-0-0"))
    assert index in kept
    assert triggers[kept.index(index)] == ()
    spec = replace(SPEC, takes=replace(SPEC.takes, scenes=2))
    rows = prepare(changed, spec, jobs=1).rows
    assert not rows.targets[
        rows.take_of_row() == [t.clips for t in rows.takes].index((index,))
    ].any()


@pytest.mark.parametrize("name", ["AUDIBLE_DB", "MASKED_DB", "FADED_DB"])
def test_what_counts_as_heard_makes_new_scenes_and_keeps_the_rest(corpus, monkeypatch, name):
    spec = TakeSpec(copies=1, scenes=1, noises=0)
    takes = plan_takes(corpus, np.zeros(len(corpus.clips), dtype=np.int64), spec)
    before = takes_module._take_keys(corpus, takes, spec)
    monkeypatch.setattr(takes_module, name, getattr(takes_module, name) - 1)
    after = takes_module._take_keys(corpus, takes, spec)
    changed = {take.kind for take, x, y in zip(takes, before, after, strict=True) if x != y}
    assert changed == {TakeKind.SCENE}
