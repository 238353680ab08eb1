"""What encoders learn from, and that they hear nothing of what they are judged by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.io import wavfile
from scipy.signal import resample

from asmr_classify.classify import label_file
from asmr_classify.config import FeatureSpec, FrameSpec
from asmr_classify.errors import CorpusError
from asmr_classify.features.encoder import NO_ENVELOPE, NO_SPECTRUM, standard_patches
from asmr_classify.features.windows import window_rows
from asmr_classify.model import load_model, save_model
from asmr_classify.training.convolution import TrainedNetwork
from asmr_classify.training.corpus import read_corpus
from asmr_classify.training.encoder import Coder, _epochs, fit_encoder
from asmr_classify.training.evaluate import evaluate, train
from asmr_classify.training.patches import Patches, _in_a_room, draw_lesson, read_patches
from asmr_classify.training.prepare import prepare
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


def _patches_of(y, tmp_path, corpus):
    """Patches of a sound, every quarter of a second."""
    wavfile.write(tmp_path / "sound.wav", FRAMES.sr, y.astype(np.float32))
    one = replace(corpus, clips=(replace(corpus.clips[0], path=str(tmp_path / "sound.wav")),))
    opinions = [np.ones((int(4 * (len(y) / FRAMES.sr - 1)) + 1, 2), np.float32)]
    return read_patches(
        one, np.zeros(1, int), opinions, np.ones(1), FRAMES, step=0.25, hints=1, jobs=1
    )


@pytest.mark.parametrize("speed", [2**-0.25, 2**0.2])
def test_faster_patches_are_what_a_faster_recording_would_give(corpus, tmp_path, rng, speed):
    t = np.arange(3 * FRAMES.sr) / FRAMES.sr
    trill = np.sin(2 * np.pi * (1500 * t + 60 * np.sin(2 * np.pi * 3 * t)))
    y = 0.2 * trill * (1 + 0.9 * np.sin(2 * np.pi * 4 * t)) + rng.normal(0, 0.01, len(t))
    slow = _patches_of(y, tmp_path, corpus)
    fast = _patches_of(resample(y, round(len(y) / speed)), tmp_path, corpus)
    nothing = np.array([0])
    expected = fast.cut(nothing, nothing)
    found = slow.cut(nothing, nothing, np.array([speed]))
    unchanged = slow.cut(nothing, nothing)
    for want, got, before in zip(expected, found, unchanged, strict=True):
        assert got.shape == want.shape
        bands = slice(2, -3)  # what lies beyond the outermost bands is not known
        error, change = (np.abs(each - want)[..., bands].mean() for each in (got, before))
        assert error < change / 2


def test_rooms_let_sound_die_away_in_its_power(corpus, tmp_path, rng):
    y = np.zeros(FRAMES.sr * 2)
    y[8000:8100] = rng.normal(0, 0.3, 100)
    patches = _patches_of(y, tmp_path, corpus)
    dry = patches.cut(np.array([0]), np.array([0]))
    spec = replace(ENCODER, reverb_seconds=(1.0, 1.0), reverb_ratio_db=(-10.0, -10.0))
    wet = _in_a_room(dry, patches.rates, spec, rng)
    struck = int(np.argmax(dry[0][0].max(axis=1) > -100))  # the first frame that holds some of it
    assert np.allclose(wet[0][0, : struck - 1], dry[0][0, : struck - 1], atol=0.5)
    falls = np.diff(wet[0][0, struck + 6 : struck + 40], axis=0)
    assert np.allclose(falls, -60 / patches.rates[0], atol=0.1)
    power = np.square(np.square(wet[1][0, 4 * (struck + 6) : 4 * (struck + 40)]))
    assert np.allclose(10 * np.log10(power[1:] / power[:-1]), -60 / patches.rates[1], atol=0.1)
    sums = [10 ** (each[0] / 10) for each in (dry[0], wet[0])]
    added = (sums[1] - sums[0]).sum() / sums[0].sum()
    assert 10 * np.log10(added) == pytest.approx(-10, abs=1)  # what lies in the patch of its tail


def test_hiss_is_heard_in_both_views_as_real_noise_is(corpus, tmp_path, rng):
    t = np.arange(2 * FRAMES.sr) / FRAMES.sr
    tone = 0.3 * np.sin(2 * np.pi * 2000 * t)
    noise = rng.normal(0, 0.01, len(t))
    of_noise, clean = (_patches_of(y, tmp_path, corpus) for y in (noise, tone))
    first, unmoved = np.array([0]), np.array([0])
    hiss, sound = of_noise.cut(first, unmoved), clean.cut(first, unmoved)
    below = float(sound[0].max() - hiss[0].max())
    plain = replace(
        ENCODER, shift=0, speed_share=0.0, reverb_share=0.0, gain_db=0.0, dull_share=0.0
    )
    plain = replace(plain, masked_share=0.0, mixed_share=0.0, gap_share=0.0)
    hissed = replace(plain, hiss_share=1.0, hiss_db=(below, below))
    real = standard_patches(*_patches_of(tone + noise, tmp_path, corpus).cut(first, unmoved))
    laid, bare = (
        draw_lesson(replace(clean, hiss=hiss), first, spec, rng)
        for spec in (hissed, replace(plain, hiss_share=0.0))
    )
    for expected, found, before in zip(real, laid[:2], bare[:2], strict=True):
        # Band by band, over time: noise itself differs each time.
        error, change = (
            np.abs(each.mean(axis=1) - expected.mean(axis=1)).mean() for each in (found, before)
        )
        assert error < change / 10


def test_hisses_are_of_many_colours(patches):
    logmel, texture = patches.hiss
    assert logmel.shape[1:] == (patches.frames[0], patches.logmel.shape[1])
    assert texture.shape[1:] == (patches.frames[1], patches.texture.shape[1])
    falls = logmel[:, :, :8].mean(axis=(1, 2)) - logmel[:, :, -8:].mean(axis=(1, 2))
    assert falls.max() - falls.min() > 15


def test_of_some_patches_a_moment_is_left_out(patches, rng):
    chosen = np.arange(24)
    plain = replace(
        ENCODER, speed_share=0.0, reverb_share=0.0, gain_db=0.0, dull_share=0.0, hiss_share=0.0
    )
    plain = replace(plain, masked_share=0.0, mixed_share=0.0, gap_share=1.0, gap_frames=7)
    steady = replace(
        patches,
        logmel=np.full_like(patches.logmel, -50),
        texture=np.full_like(patches.texture, 0.2),
    )
    spectral, envelopes, _ = draw_lesson(steady, chosen, plain, rng)
    empty = (spectral == NO_SPECTRUM).all(axis=2)[:, : patches.frames[0]]
    assert ((empty.sum(axis=1) >= 2) & (empty.sum(axis=1) <= 7)).all()
    assert (envelopes[:, ::4] == np.float32(NO_ENVELOPE)).all(axis=2)[:, :62][empty].all()
    spectral, _, _ = draw_lesson(steady, chosen, replace(plain, gap_share=0.0), rng)
    assert not (spectral == NO_SPECTRUM).all(axis=2)[:, : patches.frames[0]].any()


def test_of_a_sound_four_times_as_long_seconds_come_up_twice_as_often(rng):
    sounds = np.repeat([0, 1], [4, 64])
    spec = replace(ENCODER, epochs=200, batch_size=16)
    drawn = np.concatenate(list(_epochs(np.arange(68), sounds, spec, rng)))
    assert len(drawn) == 200 * 68
    share = (drawn < 4).mean()
    assert share == pytest.approx(1 / 5, abs=0.02)  # roots of 4 and of 64 are 2 and 8


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
    evaluation = evaluate(prepared, SPEC, whole=True, jobs=1)
    assert [left_out for left_out, _ in heard] == [*(frozenset({k}) for k in range(4)), frozenset()]
    model = train(prepared, evaluation, SPEC, jobs=1)
    assert len(heard) == 5
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
