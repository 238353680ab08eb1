"""Corpus to model on sounds that are easily told apart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from asmr_classify.classify import label_file
from asmr_classify.errors import CorpusError, OutputError
from asmr_classify.model import load_model, save_model
from asmr_classify.training import fit as fit_module
from asmr_classify.training import takes as takes_module
from asmr_classify.training.calibration import choose_thresholds, fit_calibration
from asmr_classify.training.card import model_card
from asmr_classify.training.checkpoints import Checkpoints
from asmr_classify.training.corpus import read_corpus
from asmr_classify.training.evaluate import evaluate, train
from asmr_classify.training.fit import _parts, fit_ensemble, group_weights
from asmr_classify.training.prepare import Prepared, prepare
from asmr_classify.training.spec import FitSpec, TrainingSpec
from asmr_classify.training.takes import (
    MOST_SCENES,
    Take,
    TakeKind,
    TakeSpec,
    compute_rows,
    plan_takes,
    take_sound,
)
from asmr_classify.writers.jsonl import result_to_line

SPEC = TrainingSpec(
    name="toy",
    version="3.1",
    fit=FitSpec(members=1, hidden=(16,), epochs=30, batch_size=16, tree_rounds=2),
    takes=TakeSpec(copies=1, scenes=2, noises=0),
)

FOLDS = np.repeat(np.arange(4), 6)
"""Of the corpus that the tests make."""


@pytest.fixture(scope="module")
def corpus(corpus_folder):
    return read_corpus(corpus_folder / "manifest.csv")


@pytest.fixture(scope="module")
def prepared(corpus, tmp_path_factory):
    return prepare(corpus, SPEC, cache=tmp_path_factory.mktemp("cache"), jobs=1)


@pytest.fixture(scope="module")
def evaluation(prepared):
    return evaluate(prepared, SPEC, jobs=1)


@pytest.fixture(scope="module")
def model(prepared, evaluation):
    return train(prepared, evaluation, SPEC)


def test_easy_sounds_are_told_apart_by_models_that_never_heard_them(evaluation):
    assert evaluation.by_clip.mean_average_precision > 0.95
    assert evaluation.by_group.macro_f1 > 0.8
    assert len(evaluation.results) == 24


def test_the_model_labels_files_with_its_own_labels(model, corpus_folder, tmp_path):
    save_model(model, tmp_path / "toy.safetensors")
    again = load_model(tmp_path / "toy.safetensors")
    assert again.id == "toy@3.1"
    result = label_file(corpus_folder / "tap-2-1.wav", model=again)
    assert result.trigger == "tap"
    assert set(result.scores) == {"tap", "white_noise", "music"}


def test_the_same_seed_gives_the_same_model(prepared, evaluation, model):
    again = train(replace(prepared, checkpoints=Checkpoints()), evaluation, SPEC)
    for ours, theirs in zip(model.ensemble.networks, again.ensemble.networks, strict=True):
        assert all(map(np.array_equal, ours.weights, theirs.weights))
    assert np.array_equal(model.ensemble.trees.value, again.ensemble.trees.value)


def test_the_clips_of_a_fold_are_never_fitted_on(prepared, monkeypatch):
    seen = []

    def spy(rows, corpus, inside, *rest):
        seen.append(frozenset(np.unique(prepared.folds[inside]).tolist()))
        return fit_ensemble(rows, corpus, inside, *rest)

    monkeypatch.setattr("asmr_classify.training.evaluate.fit_ensemble", spy)
    quick = FitSpec(members=1, hidden=(2,), epochs=1, tree_rounds=0)
    evaluate(prepared, replace(SPEC, fit=quick), jobs=1)
    everything = frozenset(range(4))
    assert [sorted(everything - inside) for inside in seen] == [[0], [1], [2], [3]]


def test_a_clip_has_no_say_in_its_own_calibration(prepared, evaluation, monkeypatch):
    """Turning the truth of one fold round leaves the scores of that fold as they are."""
    wrong = prepared.truth
    wrong.labels[prepared.folds == 2] = 1 - wrong.labels[prepared.folds == 2]
    monkeypatch.setattr(Prepared, "truth", property(lambda _: wrong))
    again = evaluate(prepared, SPEC, jobs=1)
    same = [ours == theirs for ours, theirs in zip(evaluation.results, again.results, strict=True)]
    assert np.array_equal(same, prepared.folds == 2)


def test_two_folds_are_too_few(manifest_rows, write_rows):
    rows = [{**row, "fold": str(int(row["fold"]) % 2)} for row in manifest_rows]
    prepared = prepare(read_corpus(write_rows(rows)), SPEC, jobs=1)
    with pytest.raises(CorpusError, match="2 folds: figures need at least three"):
        evaluate(prepared, SPEC, jobs=1)


def test_the_card_tells_which_negatives_got_a_tag(model, corpus, evaluation):
    clear = [k for k, clip in enumerate(corpus.clips) if not clip.triggers]
    results = [replace(result, tags=()) for result in evaluation.results]
    for k, score in zip(clear[:3], (0.5, 0.9, 0.7), strict=True):
        results[k] = replace(results[k], tags=("tap",), scores={**results[k].scores, "tap": score})
    card = model_card(model, corpus, replace(evaluation, results=tuple(results)), SPEC)
    label = corpus.clips[clear[0]].label
    n_clear = sum(corpus.clips[k].label == label for k in clear)
    assert f"| {label} | {n_clear} | 3 | tap 3 |" in card
    worst = card.partition("The worst 10 of them:")[2]
    assert worst.index("| tap | 0.90 |") < worst.index("| tap | 0.70 |") < worst.index("| 0.50 |")


def test_the_card_holds_what_was_measured(model, corpus, evaluation):
    card = model_card(model, corpus, evaluation, SPEC)
    assert card.startswith("# toy@3.1\n")
    assert f"{evaluation.by_clip.mean_average_precision:.3f}" in card
    assert "| CC0 | 24 |" in card
    assert "| shelf 0 | 12 |" in card
    assert "| tap | trigger |" in card
    assert "scikit-learn" in card


def test_rows_come_from_the_cache_the_second_time(corpus, tmp_path, monkeypatch):
    spec = TakeSpec(copies=0, scenes=0, noises=0)
    planned = plan_takes(corpus, FOLDS, spec)
    first = compute_rows(corpus, planned, spec, cache=tmp_path, jobs=1)

    def never(*_args, **_kwargs):
        raise AssertionError("decoded again")

    monkeypatch.setattr(takes_module, "read_audio", never)
    second = compute_rows(corpus, planned, spec, cache=tmp_path, jobs=1)
    assert np.array_equal(first.rows.X, second.rows.X)
    assert np.array_equal(first.offsets, second.offsets)


def test_rows_whose_file_is_damaged_are_computed_anew(corpus, tmp_path):
    takes = plan_takes(corpus, FOLDS, spec := TakeSpec(copies=0, scenes=0))[:3]
    first = compute_rows(corpus, takes, spec, cache=tmp_path, jobs=1)
    kept = sorted(tmp_path.glob("*.npz"))
    kept[0].write_bytes(b"")
    kept[1].write_bytes(kept[1].read_bytes()[:-100])
    damaged = bytearray(kept[2].read_bytes())
    damaged[len(damaged) // 2] ^= 1
    kept[2].write_bytes(damaged)
    second = compute_rows(corpus, takes, spec, cache=tmp_path, jobs=1)
    np.testing.assert_array_equal(second.rows.X, first.rows.X)
    assert all(np.load(path)["X"].size for path in kept)  # whole again


def test_an_interrupted_run_leaves_whole_files_only(corpus, tmp_path, monkeypatch):
    spec, calls = TakeSpec(copies=0, scenes=0, noises=0), []
    real = takes_module.read_audio

    def breaks(path, **kwargs):
        calls.append(path)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return real(path, **kwargs)

    monkeypatch.setattr(takes_module, "read_audio", breaks)
    with pytest.raises(KeyboardInterrupt):
        compute_rows(corpus, plan_takes(corpus, FOLDS, spec), spec, cache=tmp_path, jobs=1)
    kept = list(tmp_path.iterdir())
    assert len(kept) == 5
    assert {path.suffix for path in kept} == {".npz"}


def test_other_settings_are_other_files(corpus, tmp_path):
    for spec in (
        TakeSpec(copies=1, scenes=0, noises=0),
        TakeSpec(copies=1, scenes=0, seed=1, noises=0),
    ):
        compute_rows(corpus, plan_takes(corpus, FOLDS, spec), spec, cache=tmp_path, jobs=1)
    # the clips themselves are shared, their changed copies are not
    steady = sum("white_noise" in clip.labels for clip in corpus.clips)
    assert len(list(tmp_path.iterdir())) == 3 * len(corpus.clips) + 2 * spec.steady_copies * steady


def test_only_steady_noise_is_made_steady(corpus):
    takes = plan_takes(corpus, FOLDS, TakeSpec(copies=1, steady_copies=2, scenes=0, noises=0))
    steady = [take for take in takes if take.kind is TakeKind.STEADY]
    assert {corpus.clips[take.clips[0]].labels for take in steady} == {("white_noise",)}
    assert len(steady) == 2 * 8
    assert len(takes) == 2 * 24 + len(steady)
    assert len({(take.clips, take.version) for take in takes}) == len(takes)


def test_scenes_are_made_of_one_fold_and_know_what_is_heard_when(corpus, tmp_path):
    spec = TakeSpec(copies=0, steady_copies=0, scenes=2, noises=0)
    takes = plan_takes(corpus, FOLDS, spec)[len(corpus.clips) :]
    assert [take.kind for take in takes] == [TakeKind.SCENE] * 2 * len(np.unique(FOLDS))
    assert all(len(set(FOLDS[list(take.clips)])) == 1 for take in takes)
    first = compute_rows(corpus, takes[:2], spec, cache=tmp_path, jobs=1)
    again = compute_rows(corpus, takes[:2], spec, cache=tmp_path, jobs=1)
    assert np.array_equal(first.rows.X, again.rows.X)
    assert np.array_equal(first.targets, again.targets)
    assert len(first.targets) == len(first.rows.X)
    assert set(np.unique(first.targets)) == {0.0, 1.0}
    assert not np.array_equal(first.of(0).X, first.of(1).X)


def test_noise_of_many_colours_is_made_for_each_fold(corpus, monkeypatch):
    monkeypatch.setattr(takes_module, "NOISE_SHARE", 0.5)
    spec = TakeSpec(copies=0, steady_copies=0, scenes=0, noises=100)
    takes = plan_takes(corpus, FOLDS, spec)[len(corpus.clips) :]
    assert len(takes) == 3 * len(np.unique(FOLDS))  # of six clips each
    assert all(len(set(FOLDS[list(take.clips)])) == 1 for take in takes)
    rows = compute_rows(corpus, takes, spec, jobs=1)
    assert (rows.targets == [label == "white_noise" for label in corpus.labels]).all()
    sounds = [take_sound(corpus, take, spec) for take in takes]
    assert len({len(y) for y in sounds}) > 2  # every other one is played faster or slower
    plain = [y for y, take in zip(sounds, takes, strict=True) if take.version % 2]
    spectra = [np.abs(np.fft.rfft(y)) for y in plain]
    tilts = [np.polyfit(np.log(np.arange(1, len(s))), np.log(s[1:]), 1)[0] for s in spectra]
    assert all(-1.05 < tilt < 0.05 for tilt in tilts)
    assert max(tilts) - min(tilts) > 0.3
    others = replace(corpus, labels=("tap", "other"))
    assert len(plan_takes(others, FOLDS, spec)) == len(corpus.clips)


def test_background_and_silence_are_not_fitted_on(prepared, monkeypatch):
    n_rows = sum(take.kind is not TakeKind.SCENE for take in prepared.rows.takes)  # one each
    levels = np.full(n_rows, -30.0, dtype=np.float32)
    levels[:4] = -30, -46, -90, -44  # of three takes, the first of two windows
    everything = prepared.rows.rows
    rows = replace(
        prepared.rows,
        takes=prepared.rows.takes[1:n_rows],
        offsets=np.array([0, 2, *range(3, n_rows + 1)]),
        targets=prepared.rows.targets[:n_rows],
        rows=replace(everything.where(slice(n_rows)), levels_db=levels),
    )
    fitted_on = []
    monkeypatch.setattr(fit_module, "fit_trees", lambda X, *_: fitted_on.append(len(X)))
    fit_ensemble(rows, prepared.corpus, np.ones(24, dtype=bool), SPEC)
    assert fitted_on == [len(levels) - 2]


def test_parts_of_the_ensemble_take_their_share_of_the_scenes_of_each_fold():
    takes = [Take(TakeKind.ORIGINAL, (k,)) for k in range(4)]
    takes += [Take(TakeKind.SCENE, (0, 1, 2), k) for k in range(8)]
    takes += [Take(TakeKind.SCENE, (3,), k) for k in range(4)]
    rows = SimpleNamespace(takes=takes, take_of_row=lambda: np.arange(16))
    few, many = _parts(rows, np.ones(16, dtype=bool), FitSpec(scene_shares=(0.25, 1.0)))
    assert [few[:4].sum(), few[4:12].sum(), few[12:].sum()] == [4, 2, 1]
    assert many.all()
    without = np.arange(16) < 4
    (only,) = _parts(rows, without, FitSpec())
    assert np.array_equal(only, without)


def test_no_more_scenes_are_made_than_clips_are_good_for(corpus):
    takes = plan_takes(corpus, FOLDS, TakeSpec(copies=0, steady_copies=0, scenes=1000, noises=0))
    assert len(takes) == 24 + MOST_SCENES * 24


def test_a_full_disk_is_told(corpus, tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    spec = TakeSpec(copies=0, scenes=0, noises=0)
    with pytest.raises(OutputError, match="cannot write the cache: No space left"):
        compute_rows(corpus, plan_takes(corpus, FOLDS, spec), spec, cache=tmp_path, jobs=1)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_nobody_named_is_not_needed(corpus, tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    spec = TakeSpec(copies=0, scenes=0, noises=0)
    takes = plan_takes(corpus, FOLDS, spec)
    expected = compute_rows(corpus, takes, spec, jobs=1)
    monkeypatch.setattr(np, "savez", full)
    rows = compute_rows(corpus, takes, spec, cache=tmp_path, cache_needed=False, jobs=1)
    assert np.array_equal(rows.rows.X, expected.rows.X)
    assert list(tmp_path.iterdir()) == []


def test_a_clip_that_cannot_be_decoded_is_named(corpus, tmp_path):
    (tmp_path / "bad.wav").write_text("no sound")
    clips = (
        replace(corpus.clips[0], path=str(tmp_path / "bad.wav"), sha256=None),
        *corpus.clips[1:],
    )
    broken = replace(corpus, clips=clips)
    spec = TakeSpec(copies=0, scenes=0, noises=0)
    with pytest.raises(CorpusError, match=r"bad\.wav: .*take the clip out of the manifest"):
        compute_rows(broken, plan_takes(broken, FOLDS, spec), spec, jobs=1)


def test_large_groups_weigh_less_per_clip(corpus):
    inside = np.array([k != 0 for k in range(24)])
    weights = group_weights(corpus, inside, 1.0)
    assert weights[0] == 0
    assert weights[1] == pytest.approx(1 / 5)
    assert weights[6] == pytest.approx(1 / 6)
    assert np.array_equal(group_weights(corpus, inside, 0.0), inside.astype(float))


def test_calibration_finds_the_line_that_was_used(rng):
    logits = rng.normal(0, 3, (4000, 1)).astype(np.float32)
    truth = (rng.random((4000, 1)) < 1 / (1 + np.exp(-(0.5 * logits - 1)))).astype(np.float32)
    slope, intercept = fit_calibration(logits, truth)[:, 0]
    assert slope == pytest.approx(0.5, abs=0.06)
    assert intercept == pytest.approx(-1, abs=0.15)


def test_calibration_has_one_slope_and_an_intercept_for_each_label(rng):
    held = rng.random((6000, 2)) < 0.5
    logits = rng.normal(np.where(held, 2, -2) + np.array([0, 1]), 2).astype(np.float32)
    (first, second), (low, high) = fit_calibration(logits, held.astype(np.float32))
    assert first == second == pytest.approx(1, abs=0.05)
    assert low == pytest.approx(0, abs=0.1)
    assert high == pytest.approx(-1, abs=0.1)  # of logits that are one too high


@pytest.mark.parametrize("n_samples", [12, 60, 4000])
def test_logits_that_are_all_too_high_move_the_intercept_only(rng, n_samples):
    held = np.arange(n_samples)[:, None] % 3 == 0
    logits = rng.normal(np.where(held, 1, -1), 2).astype(np.float32)
    truth = held.astype(np.float32)
    slope, intercept = fit_calibration(logits, truth)[:, 0]
    again, moved = fit_calibration(logits + 6, truth)[:, 0]
    assert again == pytest.approx(slope, rel=0.02)
    assert moved == pytest.approx(intercept - 6 * slope, abs=0.15)


def test_calibration_leaves_a_label_alone_that_nothing_holds():
    logits = np.ones((5, 1), dtype=np.float32)
    assert fit_calibration(logits, np.zeros((5, 1), dtype=np.float32)).ravel().tolist() == [1, 0]


def test_thresholds_separate_what_can_be_separated():
    scores = np.array([[0.1], [0.2], [0.3], [0.6], [0.8]], dtype=np.float32)
    truth = np.array([[0], [0], [0], [1], [1]], dtype=np.float32)
    assert 0.3 < choose_thresholds(scores, truth, ["tap"])["tap"] <= 0.6


def test_predictions_hold_the_contract(evaluation):
    record = json.loads(result_to_line(evaluation.results[0]))
    assert record["schema"] == 1
    assert Path(record["path"]).is_file()
