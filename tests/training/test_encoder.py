"""What encoders learn from, and that they hear nothing of what they are judged by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.io import wavfile

from asmr_classify.classify import label_file
from asmr_classify.config import FeatureSpec, FrameSpec
from asmr_classify.errors import CorpusError
from asmr_classify.features.windows import window_rows
from asmr_classify.model import load_model, save_model
from asmr_classify.training.convolution import TrainedNetwork
from asmr_classify.training.corpus import read_corpus
from asmr_classify.training.encoder import Coder, fit_encoder
from asmr_classify.training.evaluate import evaluate, prepare, train
from asmr_classify.training.patches import Patches, draw_lesson, read_patches
from asmr_classify.training.spec import EncoderSpec, FitSpec, StudentSpec, TrainingSpec
from asmr_classify.training.takes import TakeSpec

ENCODER = EncoderSpec(width=2, texture_width=3, codes=8, hints=3, epochs=12, batch_size=8)
SPEC = TrainingSpec(
    name="toy",
    version="1.0",
    fit=FitSpec(members=1, hidden=(4,), epochs=3, tree_rounds=0),
    student=StudentSpec(hints=2, hidden=(2,), epochs=1),
    takes=TakeSpec(copies=0, scenes=0, noises=0),
    encoder=ENCODER,
)
FRAMES = FrameSpec()


@pytest.fixture(scope="module")
def corpus(corpus_folder):
    return read_corpus(corpus_folder / "manifest.csv")


@pytest.fixture
def patches(corpus, rng):
    """Three seconds of each clip, which are 1.6 s long: the last ones overlap."""
    opinions = [rng.normal(size=(3, 5)).astype(np.float32) for _ in corpus.clips]
    folds = np.array([int(clip.group[-1]) for clip in corpus.clips])
    weights = np.ones(len(folds))
    return read_patches(corpus, folds, opinions, weights, FRAMES, step=0.25, hints=4, jobs=1)


def test_patches_are_seconds_of_their_clips(patches, corpus):
    assert patches.frames == (62, 254)
    assert patches.sounds.tolist() == [k for k in range(len(corpus.clips)) for _ in range(3)]
    firsts = (patches.firsts - patches.offsets[patches.sounds]).reshape(-1, 3)
    assert (firsts == [0, 16, 32]).all()
    logmel, texture = patches.cut(np.array([0, 1]), np.array([16, 0]))
    assert logmel.shape == (2, 62, FRAMES.n_mels)
    assert texture.shape == (2, 254, 12)
    assert np.array_equal(logmel[0], logmel[1])
    assert np.array_equal(texture[0], texture[1])


def test_short_clips_are_learnt_as_they_are_labelled(corpus, tmp_path):
    sr = FRAMES.sr
    y = np.random.default_rng(1).normal(0, 0.1, round(0.3 * sr)).astype(np.float32)
    wavfile.write(tmp_path / "short.wav", sr, y)
    short = replace(corpus, clips=(replace(corpus.clips[0], path=str(tmp_path / "short.wav")),))
    opinions = [np.ones((1, 2), np.float32)]
    patches = read_patches(
        short, np.zeros(1, int), opinions, np.ones(1), FRAMES, step=0.25, hints=1, jobs=1
    )
    network = TrainedNetwork(FRAMES.n_mels, (1,), ENCODER, np.random.default_rng(0))
    encoder = network.encoder(FRAMES.n_mels)
    learnt = encoder.encode(*patches.cut(np.array([0]), np.array([0])))
    labelled = window_rows(y, FeatureSpec(), encoder).X[:, -encoder.width :]
    assert np.allclose(learnt, labelled, atol=0.02)


def test_shifts_never_reach_into_another_sound(patches):
    every = np.arange(len(patches.firsts))
    for shift in (-500, 500):
        logmel, _ = patches.cut(every, np.full(len(every), shift))
        for k in (0, 5, len(every) - 1):
            sound = patches.sounds[k]
            own = patches.logmel[patches.offsets[sound] : patches.offsets[sound + 1]]
            first = 0 if shift < 0 else len(own) - 64
            assert np.array_equal(logmel[k], own[first : first + 62].astype(np.float32))


def test_opinions_are_told_in_their_principal_components(corpus):
    said = np.zeros((len(corpus.clips), 3, 5), np.float32)
    said[:, :, 2] = np.linspace(-1, 1, said[:, :, 2].size).reshape(-1, 3)
    folds, weights = np.zeros(len(said), int), np.ones(len(said))
    patches = read_patches(corpus, folds, list(said), weights, FRAMES, step=0.25, hints=4, jobs=1)
    assert patches.opinions.shape == (said[:, :, 2].size, 1)
    assert np.square(patches.opinions).mean() == pytest.approx(1, abs=1e-3)
    assert abs(np.corrcoef(patches.opinions[:, 0], said[:, :, 2].ravel())[0, 1]) > 0.999


def test_lessons_of_what_was_laid_over_hold_both_and_no_opinion(patches, rng):
    chosen = np.arange(24)
    spec = replace(ENCODER, mixed_share=1.0, masked_share=0.0)
    _, _, mixed = draw_lesson(patches, chosen, spec, rng)
    assert not mixed.alone.any()
    labels = patches.labels[patches.sounds[chosen]]
    assert (mixed.labels >= labels - 0.02 - 1e-6).all()
    assert (mixed.labels.sum(axis=1) > labels.sum(axis=1) + 0.5).any()
    _, _, alone = draw_lesson(patches, chosen, replace(spec, mixed_share=0.0), rng)
    assert alone.alone.all()
    assert np.allclose(alone.labels, labels * 0.96 + 0.02)
    assert np.array_equal(alone.opinions, patches.opinions[chosen])


def test_what_nobody_labelled_has_no_weight_alone_or_mixed(patches, rng):
    unlabelled = replace(patches, weights=np.where(np.arange(24) < 12, patches.weights, 0))
    chosen = np.arange(72)
    _, _, lesson = draw_lesson(unlabelled, chosen, replace(ENCODER, mixed_share=0.0), rng)
    assert (lesson.weights[:36] > 0).all()
    assert not lesson.weights[36:].any()
    _, _, mixed = draw_lesson(unlabelled, chosen, replace(ENCODER, mixed_share=1.0), rng)
    assert not mixed.weights[36:].any()
    assert 0 < (mixed.weights[:36] > 0).sum() < 36


def test_an_encoder_tells_sounds_of_makers_it_never_heard(patches, corpus):
    coder = fit_encoder(patches, frozenset({3}), replace(ENCODER, epochs=60), seed=0)
    held_out = np.flatnonzero(patches.folds[patches.sounds] == 3)
    codes = coder.encoder.encode(*patches.cut(held_out, np.zeros(len(held_out), int)))
    said = coder.coded.predict_logits(codes)
    held = patches.labels[patches.sounds[held_out]]
    tap = corpus.labels.index("tap")
    assert said[held[:, tap] > 0, tap].min() > said[held[:, tap] == 0, tap].max()


def _same(one: Coder, other: Coder) -> bool:
    ours, theirs = one.arrays(), other.arrays()
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[k], theirs[k]) for k in ours)


def test_what_is_left_out_decides_nothing(patches):
    short = replace(ENCODER, epochs=2)
    left_out = frozenset({1})
    inside = patches.folds[patches.sounds] == 1
    of_fold = patches.folds == 1
    frames = np.repeat(of_fold, np.diff(patches.offsets))[:, None]
    changed: Patches = replace(
        patches,
        opinions=np.where(inside[:, None], 9, patches.opinions).astype(np.float32),
        logmel=np.where(frames, -70, patches.logmel).astype(np.float16),
        texture=np.where(np.repeat(frames, 4, axis=0), 0.5, patches.texture).astype(np.float16),
        labels=np.where(of_fold[:, None], 1 - patches.labels, patches.labels),
        kinds=np.where(of_fold[:, None], 1 - patches.kinds, patches.kinds),
        weights=np.where(of_fold, 3, patches.weights).astype(np.float32),
    )
    fitted = fit_encoder(patches, left_out, short, seed=0)
    assert _same(fitted, fit_encoder(changed, left_out, short, seed=0))
    assert not _same(fitted, fit_encoder(patches, left_out, short, seed=1))
    whole = fit_encoder(patches, frozenset(), short, seed=0)
    assert not _same(whole, fit_encoder(changed, frozenset(), short, seed=0))
    assert _same(Coder.of_arrays(fitted.arrays()), fitted)


def test_nothing_to_learn_from_is_an_error(patches):
    everything = frozenset(range(4))
    with pytest.raises(CorpusError, match="no sound is left for an encoder"):
        fit_encoder(patches, everything, ENCODER, seed=0)


def test_each_clip_is_judged_by_an_encoder_that_never_heard_its_fold(
    corpus, corpus_folder, teacher, tmp_path, monkeypatch
):
    heard = []

    def spy(patches, left_out, spec, *, seed):
        heard.append((left_out, fit_encoder(patches, left_out, spec, seed=seed)))
        return heard[-1][1]

    monkeypatch.setattr("asmr_classify.training.evaluate.fit_encoder", spy)
    prepared = prepare(corpus, SPEC, teacher=teacher, jobs=1)
    evaluation = evaluate(prepared, SPEC, jobs=1)
    model = train(prepared, evaluation, SPEC, jobs=1)
    assert [left_out for left_out, _ in heard] == [*(frozenset({k}) for k in range(4)), frozenset()]
    digests = [coder.encoder.digest() for _, coder in heard]
    assert [each.encoder.digest() for each in evaluation.models] == digests[:4]
    assert model.encoder.digest() == digests[4]
    save_model(model, tmp_path / "toy.safetensors")
    again = load_model(tmp_path / "toy.safetensors")
    assert again.digest() == model.digest()
    # What cross-validation says of a clip is what the model of its fold says of the file.
    for k in (0, 8, 23):
        result = label_file(corpus.clips[k].path, model=evaluation.models[prepared.folds[k]])
        assert result.scores == evaluation.results[k].scores
    assert label_file(corpus_folder / "tap-0-0.wav", model=again).scores
