from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from asmr_classify.check.binaural import Channels, _products, compare_channels
from asmr_classify.check.listener import Listener
from asmr_classify.media.decode import AudioStream, read_audio
from tests.check.signals import SR, measure, noise, silence, sine
from tests.conftest import DEMO
from tests.media.make_media import RECIPES, write_media


def ears(y, sr=SR):
    return measure(y, sr).ears


def delayed(y, seconds, sr=SR):
    """The sound on the left, and later on the right."""
    n = round(seconds * sr)
    late = np.concatenate([np.zeros(n, dtype=np.float32), y[: len(y) - n]])
    return np.stack([y, late])


@pytest.fixture
def source(rng):
    return noise(rng, -30, 5, n_channels=1)[0]


def test_one_channel_is_mono(source):
    found = ears(source[None])
    assert found.channels is Channels.MONO
    assert found.iacc is None


@pytest.mark.parametrize("right_gain", [1.0, 0.5, 2.0])
def test_the_same_on_both_channels_is_dual_mono_at_any_gain(source, right_gain):
    found = ears(np.stack([source, right_gain * source]))
    assert found.channels is Channels.DUAL_MONO
    assert found.iacc == pytest.approx(1, abs=1e-5)
    assert found.delay_ms == 0
    assert found.level_difference == pytest.approx(-20 * np.log10(right_gain), abs=0.01)
    assert found.level_movement == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("clip", "ending"),
    [
        *product(("tap-wood", "whisper-slow", "crinkle-paper"), ("mp3", "opus")),
        *product(("whisper-slow", "none-talk"), ("m4a",)),
    ],
)
def test_lossy_dual_mono_is_dual_mono(tmp_path, clip, ending):
    recipe = RECIPES[ending]
    y = read_audio(str(DEMO / f"{clip}.flac"), sr=recipe.sr)
    path = write_media(
        tmp_path / f"a.{ending}", np.tile(y, (2, 1)), recipe, codec_options={"b": "192000"}
    )
    listener = Listener()
    with AudioStream.open(str(path), listener=listener) as stream:
        list(stream.iter_blocks())
    assert listener.conclude().ears.channels is Channels.DUAL_MONO


@pytest.mark.parametrize("gain", [0.0, 0.005])
@pytest.mark.parametrize("dead", [0, 1])
def test_a_dead_channel(source, gain, dead):
    y = np.stack([source, source])
    y[dead] *= gain
    found = ears(y)
    assert found.channels is Channels.ONE_DEAD
    assert np.sign(found.level_difference) == (-1 if dead == 0 else 1)
    assert found.iacc is None


def test_a_swapped_plug_is_out_of_phase(source, rng):
    found = ears(np.stack([source, -source]) + noise(rng, -50, 5))
    assert found.channels is Channels.OUT_OF_PHASE
    assert found.iacc > 0.9


def test_independent_channels_are_stereo(rng):
    found = ears(noise(rng, -30, 5))
    assert found.channels is Channels.STEREO
    assert found.iacc < 0.1


def test_panning_by_level_is_stereo(source, rng):
    found = ears(np.stack([source, 0.3 * source]) + noise(rng, -50, 5))
    assert found.channels is Channels.STEREO
    assert found.delay_ms == 0


@pytest.mark.parametrize("delay", [0.0002, 0.0005, 0.0008])
@pytest.mark.parametrize("sr", [22050, 44100, 48000, 96000])
def test_a_source_to_the_side_of_a_head_is_binaural_like(rng, delay, sr):
    y = delayed(noise(rng, -30, 3, sr=sr, n_channels=1)[0], delay, sr)
    y[1] *= 0.5
    found = ears(y + noise(rng, -55, 3, sr=sr), sr)
    assert found.channels is Channels.BINAURAL
    assert found.delay_ms == pytest.approx(1000 * round(delay * sr) / sr, abs=1e-3)
    assert found.iacc > 0.9
    assert found.level_difference == pytest.approx(6, abs=0.1)


@pytest.mark.parametrize("delay", [-0.0006, 0.0, 0.0003])
def test_the_delay_tells_the_side(source, delay):
    left, right = delayed(source, abs(delay))
    pair = (left, right) if delay >= 0 else (right, left)
    like = compare_channels(*pair, SR)
    assert like.delay == pytest.approx(delay, abs=0.5 / SR)
    assert like.iacc == pytest.approx(1, abs=1e-4)


def test_delays_longer_than_a_head_are_not_looked_for(source):
    assert ears(delayed(source, 0.005)).iacc < 0.1


def test_movement_from_ear_to_ear_is_told(source):
    turn = np.repeat([0.9, 0.1, 0.9, 0.1, 0.9], SR).astype(np.float32)
    found = ears(np.stack([source * turn, source * (1 - turn)]))
    expected = 20 * np.log10(9) * np.std([1, -1, 1, -1, 1])
    assert found.level_movement == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize("gain_db", [-20, 20])
def test_gain_does_not_matter(source, gain_db):
    y = delayed(source, 0.0004)
    before, after = ears(y), ears(y * np.float32(10 ** (gain_db / 20)))
    assert after.channels is before.channels
    assert after.iacc == pytest.approx(before.iacc, abs=1e-5)


def test_silent_stretches_do_not_count(source):
    y = np.concatenate([delayed(source, 0.0005), silence(20)], axis=1)
    assert ears(y).channels is Channels.BINAURAL


@pytest.mark.parametrize("n_samples", [1, 2, 3, 50])
def test_the_shortest_clips(n_samples):
    y = sine(-6, n_samples / SR, phase_degrees=40)
    found = ears(y)
    assert found.channels is Channels.DUAL_MONO
    assert 0 <= found.iacc <= 1


def test_more_channels_are_surround(rng):
    assert ears(noise(rng, -30, 1, n_channels=6)).channels is Channels.SURROUND


@pytest.mark.parametrize("n_samples", [1, 5, 95, 96, 97, 193, 1000, 4801])
@pytest.mark.parametrize("n_places", [1, 2, 97])
def test_correlations_are_those_of_the_definition(rng, n_samples, n_places):
    part = rng.standard_normal(n_samples).astype(np.float32)
    y = rng.standard_normal(n_samples + n_places - 1).astype(np.float32)
    by_definition = np.correlate(y.astype(float), part.astype(float), "valid")
    np.testing.assert_allclose(_products(y, part), by_definition, atol=1e-4 * n_samples**0.5)
