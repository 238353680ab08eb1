"""Scenes hold what they say, when they say."""

from __future__ import annotations

import numpy as np
import pytest

from asmr_classify.training.scenes import (
    ROOM_TONE,
    Layer,
    Palette,
    Scene,
    SceneSpec,
    fade,
    find_sounding,
    held_in_windows,
    make_room_tone,
    make_scene,
    repeat_smoothly,
)

SR = 8000
LABELS = (("tap",), ("tap",), ("whisper",), ("speech",), ("other",))
GROUPS = ("a", "a", "b", "b", "c")


def sound_of(index):
    rng = np.random.default_rng(index)
    y = np.zeros(3 * SR, dtype=np.float32)
    y[SR : 2 * SR] = rng.standard_normal(SR)
    return y


PALETTE = Palette(LABELS, GROUPS, ("tap", "whisper"), sound_of)
EVERY = np.ones(len(LABELS), dtype=bool)


def scene_of(seed, **changes):
    return make_scene(PALETTE, EVERY, SR, np.random.default_rng(seed), SceneSpec(**changes))


@pytest.mark.parametrize("seed", range(8))
def test_a_scene_is_the_sum_of_its_layers(seed):
    scene = scene_of(seed)
    assert len(scene.y) == 30 * SR
    assert 1 <= len(scene.events) <= 4
    total = np.zeros(len(scene.y), dtype=np.float32)
    for layer in scene.layers:
        first = round(layer.start * SR)
        total[first : first + len(layer.y)] += layer.y
        assert len(layer.y) == round((layer.end - layer.start) * SR)
    assert np.allclose(total, scene.y, atol=1e-6)
    assert [event.start for event in scene.events] == sorted(e.start for e in scene.events)


@pytest.mark.parametrize("snr_db", [-5.0, 20.0])
def test_events_are_as_loud_as_asked_for(snr_db):
    scene = scene_of(1, snr_db=(snr_db, snr_db))
    background = np.mean(scene.background.y**2)
    for event in scene.events:
        assert 10 * np.log10(np.mean(event.y**2) / background) == pytest.approx(snr_db, abs=0.01)


def test_only_clips_inside_are_used():
    inside = np.array([True, False, False, False, False])
    for seed in range(5):
        scene = make_scene(PALETTE, inside, SR, np.random.default_rng(seed))
        assert set(scene.clips) <= {0}
        assert scene.background.clip is None  # no speech inside: room tone


def test_without_triggers_there_are_no_events():
    inside = np.array([False, False, False, True, False])
    scene = make_scene(
        PALETTE, inside, SR, np.random.default_rng(0), SceneSpec(context_probability=0)
    )
    assert scene.events == ()


def test_the_truth_joins_what_overlaps():
    y = np.ones(SR, dtype=np.float32)
    silence = np.zeros(30 * SR, dtype=np.float32)
    events = tuple(
        Layer(0, labels, start, start + 1, y)
        for labels, start in ((("tap",), 2.0), (("tap",), 2.5), (("whisper", "tap"), 9.0))
    )
    scene = Scene(silence, SR, Layer(None, (), 0, 30, silence), events)
    assert scene.truth("tap") == [(2.0, 3.5), (9.0, 10.0)]
    assert scene.truth("whisper") == [(9.0, 10.0)]
    assert scene.truth("crinkle") == []


def test_what_sounds_is_found_and_short_gaps_are_bridged():
    y = np.zeros(10 * SR, dtype=np.float32)
    for second in (2.0, 2.8, 3.5, 8.0):  # the last one is alone
        first = round(second * SR)
        y[first : first + SR // 10] = 0.5
    first, last = find_sounding(y, SR)
    assert first / SR == pytest.approx(2.0, abs=0.02)
    assert last / SR == pytest.approx(3.6, abs=0.02)


@pytest.mark.parametrize("n_samples", [0, 1, 100, SR], ids=str)
def test_nothing_sounds_in_silence(n_samples):
    assert find_sounding(np.zeros(n_samples, dtype=np.float32), SR) == (0, 0)


def test_fades_remove_the_click_and_nothing_else():
    y = fade(np.ones(SR, dtype=np.float32), SR)
    assert y[0] == y[-1] == 0
    assert np.all(y[100:-100] == 1)


def test_repeats_have_no_seams(rng):
    y = rng.standard_normal(SR).astype(np.float32)
    whole = repeat_smoothly(y, 10 * SR, SR)
    assert len(whole) == 10 * SR
    levels = np.sqrt(np.mean(whole.reshape(-1, SR // 10) ** 2, axis=1))
    assert levels[3:].min() > 0.75  # it begins with a fade
    assert levels.max() < 1.25
    assert np.array_equal(repeat_smoothly(y, 100, SR), y[:100])


def test_room_tone_is_low(rng):
    power = np.abs(np.fft.rfft(make_room_tone(10 * SR, SR, rng))) ** 2
    freqs = np.fft.rfftfreq(10 * SR, 1 / SR)
    assert power[freqs > 240].sum() < 0.02 * power.sum()


def test_windows_know_what_is_heard_in_them(rng):
    """A tap far over the speech, one far under it, one between."""
    speech = (0.1 * rng.standard_normal(30 * SR)).astype(np.float32)
    events = []
    for start, gain_db in ((4.0, 8.0), (14.0, -30.0), (24.0, -15.0)):
        tap = rng.standard_normal(4 * SR).astype(np.float32) * np.float32(
            0.1 * 10 ** (gain_db / 20)
        )
        events.append(Layer(0, ("tap",), start, start + 4, tap))
    mixture = speech.copy()
    for event in events:
        first = round(event.start * SR)
        mixture[first : first + len(event.y)] += event.y
    scene = Scene(mixture, SR, Layer(3, ("speech",), 0, 30, speech), tuple(events))
    intervals = np.array([[0.0, 2.0], [5.0, 7.0], [15.0, 17.0], [25.0, 27.0]])
    held = held_in_windows(scene, intervals, ("tap", "speech"))
    assert held[0].tolist() == [0, 1]
    assert held[1].tolist() == [1, 1]  # speech 8 dB under the tap is still heard
    assert held[2].tolist() == [0, 1]
    assert np.isnan(held[3, 0])
    assert held[3, 1] == 1


def test_a_layer_of_a_label_that_is_not_learnt_holds_nothing(rng):
    y = (0.1 * rng.standard_normal(4 * SR)).astype(np.float32)
    scene = Scene(y, SR, Layer(0, ("none",), 0, 4, y), ())
    assert held_in_windows(scene, np.array([[0.0, 2.0]]), ("tap", "speech")).tolist() == [[0, 0]]


def test_backgrounds_are_drawn_of_all_kinds():
    kinds = {scene_of(seed).background.clip for seed in range(30)}
    assert kinds == {3, None}
    assert SceneSpec().backgrounds[-1] == ROOM_TONE


def test_the_noise_of_a_room_lies_under_a_whole_scene():
    silence = np.zeros(SR, dtype=np.float32)
    palette = Palette([("tap",)], ["maker"], ("tap",), lambda _: silence)
    inside = np.array([True])
    plain, noisy = (
        make_scene(palette, inside, SR, np.random.default_rng(5), SceneSpec(floor_dbfs=floor))
        for floor in (None, (-40.0, -40.0))
    )
    floor = noisy.y - plain.y
    seconds = np.square(floor.reshape(-1, SR)).mean(axis=1)
    np.testing.assert_allclose(10 * np.log10(seconds), -40, atol=6)
    assert 10 * np.log10(np.square(floor).mean()) == pytest.approx(-40, abs=0.1)
    assert noisy.truth("white_noise") == []
