"""Codes of seconds: laws of the rows that hold them, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asmr_classify.classify import label_file, label_kept
from asmr_classify.config import FeatureSpec, FrameSpec, WindowSpec
from asmr_classify.features.cache import KeptFeatures
from asmr_classify.features.encoder import (
    MOST_CHANNELS,
    Encoder,
    Layer,
    patch_frames,
    standard_patches,
)
from asmr_classify.features.windows import concatenate_rows, iter_window_rows, window_rows
from asmr_classify.training.convolution import TrainedNetwork
from asmr_classify.training.spec import EncoderSpec
from tests.conftest import DEMO, with_large_codes

SPEC = FeatureSpec()
SR = SPEC.frames.sr
SMALL = EncoderSpec(width=2, texture_width=3, codes=5)


def make_encoder(seed=0):
    rng = np.random.default_rng(seed)
    network = TrainedNetwork(SPEC.frames.n_mels, (1,), SMALL, rng)
    return with_large_codes(network.encoder(SPEC.frames.n_mels))


@pytest.fixture(scope="module")
def encoder():
    return make_encoder()


def codes(y, encoder):
    return window_rows(y.astype(np.float32), SPEC, encoder).X[:, -encoder.width :]


def test_codes_are_columns_behind_all_others(encoder, rng):
    y = rng.normal(0, 0.1, 5 * SR).astype(np.float32)
    with_codes, without = window_rows(y, SPEC, encoder), window_rows(y, SPEC)
    n_columns = without.X.shape[1]
    assert with_codes.X.shape == (4, n_columns + 5)
    assert np.array_equal(with_codes.X[:, :n_columns], without.X)
    assert np.array_equal(with_codes.intervals, without.intervals)
    assert with_codes.X[:, n_columns:].any()


@pytest.mark.parametrize("seconds", [0.01, 0.4, 0.97, 1.0, 1.3, 2.0, 2.5, 40.2])
def test_sizes_of_blocks_change_no_code(encoder, rng, seconds):
    y = rng.normal(0, 0.1, round(seconds * SR)).astype(np.float32)
    places = np.sort(rng.integers(0, len(y), 4))
    pieces = concatenate_rows(list(iter_window_rows(np.split(y, places), SPEC, encoder)))
    assert np.array_equal(pieces.X, window_rows(y, SPEC, encoder).X)


def test_gain_changes_no_code(encoder, rng):
    y = rng.normal(0, 0.1, 3 * SR) * np.linspace(0.2, 1, 3 * SR)
    assert np.allclose(codes(y, encoder), codes(y / 500, encoder), atol=1e-3)


def test_codes_of_a_window_are_of_its_own_samples(encoder, rng):
    y = rng.normal(0, 0.1, 6 * SR)
    changed = y.copy()
    changed[3 * SR :] = np.sin(np.arange(3 * SR))
    before, after = codes(y, encoder), codes(changed, encoder)
    assert np.allclose(before[:2], after[:2], atol=1e-6)
    assert (np.abs(before[2:] - after[2:]).max(axis=1) > 1e-3).all()


def test_a_window_is_the_mean_of_its_seconds_but_for_what_nobody_hears(encoder, rng):
    one, other = rng.normal(0, 0.1, SR), 0.1 * np.sin(np.arange(SR))
    each = [codes(np.tile(y, 2), encoder)[0] for y in (one, other)]
    together = codes(np.concatenate([one, other]), encoder)[0]
    assert np.allclose(together, np.mean(each, axis=0), atol=1e-4)
    assert np.allclose(codes(np.concatenate([one, other / 1000]), encoder)[0], each[0], atol=1e-4)


def test_a_sound_of_no_whole_seconds_is_seen_to_its_end(encoder, rng):
    y = np.concatenate([rng.normal(0, 0.1, SR // 4), 0.1 * np.sin(np.arange(SR))])
    turned = y.copy()
    turned[-2000:] = rng.normal(0, 0.1, 2000)
    assert np.abs(codes(y, encoder) - codes(turned, encoder)).max() > 1e-3


def test_patches_do_not_know_their_level_and_are_filled_up():
    frames = patch_frames(SPEC.frames)
    assert frames == (62, 254)
    logmel, texture = np.full((1, 62, 48), -50.0, np.float32), np.ones((1, 254, 12), np.float32)
    logmel[0, 3, 4], texture[0, 5, 6] = -20.0, 2.0
    spectral, envelopes = standard_patches(logmel, texture)
    assert spectral.shape == (1, 64, 48)
    assert envelopes.shape == (1, 256, 12)
    quieter, of_quieter = standard_patches(logmel - 35, texture / 7)
    assert np.allclose(spectral, quieter, atol=1e-5)
    assert np.allclose(envelopes, of_quieter, atol=1e-5)
    assert spectral.max() == spectral[0, 3, 4] == 2
    assert (spectral[0, 62:] == -2).all()
    silent, nothing = standard_patches(np.full((1, 5, 48), -200.0, np.float32), 0 * texture)
    assert np.isfinite(silent).all()
    assert np.isfinite(nothing).all()


def test_arrays_name_all_that_decides_the_codes(encoder):
    again = Encoder.of_arrays(encoder.arrays())
    assert again.digest() == encoder.digest()
    assert Encoder.of_arrays({}) is None
    assert make_encoder(1).digest() != encoder.digest()
    arrays = encoder.arrays()
    del arrays["encoder.bias.3"]
    with pytest.raises(KeyError):
        Encoder.of_arrays(arrays)


def _with_layer(encoder, k, weight, bias):
    layers = list(encoder.layers)
    layers[k] = Layer(np.zeros(weight, np.float32), np.zeros(bias, np.float32))
    return replace(encoder, layers=tuple(layers))


def test_layers_that_do_not_follow_from_one_another_do_not_fit(encoder):
    assert encoder.fits(SPEC)
    for k, layer in enumerate(encoder.layers):
        (n_seen, n_out) = layer.weight.shape
        assert not _with_layer(encoder, k, (n_seen + 1, n_out), (n_out,)).fits(SPEC)
        assert not _with_layer(encoder, k, (n_seen, n_out), (n_out + 1,)).fits(SPEC)
        assert not _with_layer(encoder, k, (n_seen * n_out,), (n_out,)).fits(SPEC)
    assert not _with_layer(encoder, 9, (encoder.layers[9].weight.shape[0], 1), (1,)).fits(SPEC)
    assert not replace(encoder, layers=encoder.layers[1:]).fits(SPEC)
    for width in (0, MOST_CHANNELS + 1):
        assert not _with_layer(encoder, 10, (len(encoder.layers[10].weight), width), (width,)).fits(
            SPEC
        )


@pytest.mark.parametrize(
    "spec",
    [
        FeatureSpec(frames=FrameSpec(n_mels=64)),
        FeatureSpec(frames=FrameSpec(hop_length=250)),
        FeatureSpec(frames=FrameSpec(sr=8000, n_fft=8192, fmax_hz=4000)),
        FeatureSpec(windows=WindowSpec(duration=0.5, hop=0.25)),
        FeatureSpec(windows=WindowSpec(duration=2.0, hop=0.75)),
    ],
    ids=["bands", "ratio", "no frame in a second", "short windows", "windows of broken seconds"],
)
def test_features_without_whole_seconds_to_encode_do_not_fit(encoder, spec):
    assert not encoder.fits(spec)


def test_what_is_kept_is_of_one_encoder(tiny_model, coded_model, tmp_path):
    kept = KeptFeatures(tmp_path, 10**8)
    entry = kept.of(b"clip", coded_model.features, coded_model.encoder)
    result = label_file(DEMO / "tap-keys.flac", model=coded_model, keep=entry)
    assert label_kept(DEMO / "tap-keys.flac", entry, model=coded_model) == result
    assert kept.of(b"clip", tiny_model.features).place != entry.place
    assert kept.of(b"clip", coded_model.features, make_encoder(1)).place != entry.place


def test_rows_of_another_encoder_are_refused(tiny_model, coded_model):
    X = np.zeros((1, len(tiny_model.ensemble.mean)), np.float32)
    with pytest.raises(ValueError, match="columns; expected are"):
        coded_model.ensemble.predict_logits(X)
    with pytest.raises(ValueError, match="and 0 of its encoder"):
        tiny_model.ensemble.predict_logits(np.pad(X, ((0, 0), (0, 5))))


def test_what_codes_tell_weighs_as_much_as_all_the_rest(tiny_model, coded_model):
    y = np.random.default_rng(3).normal(0, 0.1, 3 * SR).astype(np.float32)
    X = window_rows(y, SPEC, coded_model.encoder).X
    coded = coded_model.ensemble.coded.predict_logits(X[:, -5:])
    rest = tiny_model.ensemble.predict_logits(X[:, :-5])
    assert np.abs(coded - rest).max() > 0.1
    assert np.allclose(coded_model.ensemble.predict_logits(X), (coded + rest) / 2, atol=1e-5)
