from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asmr_classify import label_file, load_model
from asmr_classify.media import downmix
from asmr_classify.media.decode import AudioStream, read_audio
from asmr_classify.media.downmix import mix_down
from tests.conftest import DEMO
from tests.media.make_media import Recipe, tone, write_float_wav, write_media

if TYPE_CHECKING:
    from pathlib import Path

SR = 32000
LOSS_DB = 9
"""No third octave of any second of the mix is lower than the louder ear's by more: 6 dB that the
module allows, and 3 dB since its bands and times are not those that are measured here."""


def mixed(y, n_samples=SR):
    pieces = (y[:, k : k + n_samples] for k in range(0, y.shape[1], n_samples))
    return np.concatenate([*mix_down(pieces)], axis=1)[0]


def mid(y):
    half = np.float32(np.sqrt(0.5))
    return y[0] * half + y[1] * half


def noise(rng, duration=5.0, level=0.02):
    return (level * rng.standard_normal(round(duration * SR))).astype(np.float32)


def taps(rng, duration=5.0):
    """Short bursts, 3.5 a second."""
    y = np.zeros(round(duration * SR), dtype=np.float32)
    burst = 0.2 * np.exp(-np.arange(800) / 120)
    for start in range(3000, len(y) - 800, 9000):
        y[start : start + 800] = burst * rng.standard_normal(800)
    return y


def whisper(_=None, duration=5.0):
    return np.resize(read_audio(str(DEMO / "whisper-slow.flac")), round(duration * SR))


SOUNDS = {"noise": noise, "taps": taps, "whisper": whisper}


def filtered(y, response):
    """Filter by a response over the frequencies in Hz; without wrapping round."""
    frequencies = np.fft.rfftfreq(2 * len(y), 1 / SR)
    spectrum = np.fft.rfft(y, 2 * len(y)) * response(frequencies)
    return np.fft.irfft(spectrum)[: len(y)].astype(np.float32)


def turned(y, low_hz, high_hz):
    return filtered(y, lambda f: np.where((f >= low_hz) & (f < high_hz), -1, 1))


def delayed(y, delay):
    return filtered(y, lambda f: np.exp(-2j * np.pi * f * delay))


def rotating(y, turns_a_second=0.3):
    spectrum = np.fft.fft(y)
    spectrum[len(y) // 2 :] = 0
    phase = 2 * np.pi * turns_a_second * np.arange(len(y)) / SR
    return np.real(2 * np.fft.ifft(spectrum) * np.exp(1j * phase)).astype(np.float32)


def switching(y):
    return y * np.where(np.arange(len(y)) // (SR + 777) % 2, -1, 1).astype(np.float32)


RIGHT = {
    "alike": lambda y: y,
    "inverted": lambda y: -y,
    "inverted and softer": lambda y: np.float32(-0.4) * y,
    "above 1 kHz": lambda y: turned(y, 1000, SR),
    "below 1 kHz": lambda y: turned(y, 0, 1000),
    "1 to 2 kHz": lambda y: turned(y, 1000, 2000),
    "6 to 8 kHz": lambda y: turned(y, 6000, 8000),
    "0.1 ms": lambda y: delayed(y, 1e-4),
    "0.3 ms": lambda y: delayed(y, 3e-4),
    "0.7 ms": lambda y: delayed(y, 7e-4),
    "1 ms": lambda y: delayed(y, 1e-3),
    "0.3 ms and softer": lambda y: np.float32(0.5) * delayed(y, 3e-4),
    "rotating": rotating,
    "switching": switching,
    "silent": np.zeros_like,
}
"""What the right channel holds of a sound that the left one holds."""


def third_octaves(y):
    """Mean squares of each third octave from 200 Hz, in each second."""
    whole = y[: len(y) // SR * SR].reshape(-1, SR)
    power = np.abs(np.fft.rfft(whole * np.hanning(SR), axis=1)) ** 2 * (16 / 3 / SR**2)
    edges = np.round(200 * 2 ** (np.arange(19) / 3)).astype(int)
    return np.add.reduceat(power, edges, axis=1)[:, :-1]


def loss_db(y):
    """How far the mix lies below the louder ear, at worst."""
    ear = np.maximum(third_octaves(y[0]), third_octaves(y[1]))
    heard = ear > 1e-9
    assert heard.any()
    return np.max(10 * np.log10(ear / (third_octaves(mixed(y)) + 1e-20)), where=heard, initial=-99)


@pytest.mark.parametrize("sound", SOUNDS)
@pytest.mark.parametrize("right", RIGHT)
@pytest.mark.parametrize("mirrored", [False, True], ids=["", "mirrored"])
def test_nothing_that_an_ear_hears_is_lost(rng, sound, right, mirrored):
    y = SOUNDS[sound](rng)
    stereo = np.stack([y, RIGHT[right](y)])
    assert loss_db(stereo[::-1] if mirrored else stereo) < LOSS_DB


@pytest.mark.parametrize("right", ["inverted", "above 1 kHz", "below 1 kHz", "1 to 2 kHz"])
def test_what_is_out_of_phase_is_as_loud_as_if_it_were_in_phase(rng, right):
    y = noise(rng)
    ratio = third_octaves(mixed(np.stack([y, RIGHT[right](y)]))) / third_octaves(y)
    middle_db = np.median(10 * np.log10(ratio), axis=0)
    assert middle_db == pytest.approx(3.0, abs=2.1)  # the bands at the edges mix both


def test_different_sounds_in_the_ears_are_both_kept(rng):
    left, right = whisper(), taps(rng)
    y = np.stack([left, right])
    assert loss_db(y) < 3.5
    np.testing.assert_allclose(mixed(y), mid(y), atol=1e-6)


def test_short_taps_out_of_phase_in_a_steady_sound_in_phase_are_kept(rng):
    steady, y = noise(rng, level=0.015), taps(rng)
    assert np.mean(y**2) < 2 * np.mean(steady**2)  # over a second, they do not stand out
    mix = mixed(np.stack([steady + y, steady - y]))
    loud = np.abs(y) > 0.02
    kept = np.abs(np.corrcoef(mix[loud], y[loud])[0, 1])
    assert kept > 0.8


def test_a_wide_room_loses_nothing(rng):
    tail = np.exp(-np.arange(SR // 4) / 2000)
    rooms = rng.standard_normal((2, SR // 4)) * tail
    dry = whisper()
    y = np.stack([filtered(np.append(dry, np.zeros(SR)), lambda _f, room=room: np.fft.rfft(
        room / np.sqrt(np.sum(room**2)), 2 * (len(dry) + SR))) for room in rooms])  # fmt: skip
    assert loss_db(y) < LOSS_DB


def test_ordinary_stereo_is_mixed_as_before(rng):
    for gain in (1.0, 0.5, 0.25, 0.0):
        y = np.stack([whisper(), np.float32(gain) * whisper()])
        assert np.array_equal(mixed(y), mid(y))
    y = np.stack([noise(rng), noise(rng)])
    assert np.array_equal(mixed(y), mid(y))


@pytest.mark.parametrize("n_samples", [0, 1, 511, 1024, downmix.CELL, downmix.BATCH + 1])
def test_the_mix_is_as_long_as_the_sound_and_whole_to_its_ends(rng, n_samples):
    y = (0.1 * rng.standard_normal(n_samples)).astype(np.float32)
    assert sum(part.size for part in mix_down([np.stack([y, y])])) == n_samples
    if n_samples > 1:
        np.testing.assert_allclose(mixed(np.stack([y, -y])), np.sqrt(2) * y, atol=1e-6)


@settings(max_examples=15)
@given(st.lists(st.integers(0, 90_000), max_size=12))
def test_pieces_of_any_lengths_give_the_same(cuts):
    rng = np.random.default_rng(2)
    y = np.stack([noise(rng), switching(whisper())])
    pieces = np.split(y, np.unique(np.clip(cuts, 0, y.shape[1])), axis=1)
    assert np.array_equal(np.concatenate([*mix_down(pieces)], axis=1)[0], mixed(y))


@settings(max_examples=10)
@given(st.floats(1e-3, 7.0))
def test_blocks_end_to_end_are_the_whole_decode(tmp_path_factory, block_duration):
    path = tmp_path_factory.mktemp("stereo") / "a.wav"
    y = whisper()
    write_float_wav(path, np.stack([y, switching(y)]), SR)
    with AudioStream.open(str(path), block_duration=block_duration) as stream:
        blocks = [block.y for block in stream.iter_blocks()]
    assert np.array_equal(np.concatenate(blocks), read_audio(str(path)))


def test_there_are_no_clicks_where_the_phase_turns():
    t = np.arange(8 * SR) / SR
    left = 0.25 * np.sin(2 * np.pi * 1000 * t)
    for phase in (0.6 * np.pi * t, np.pi * (t > 4.1), np.pi * (t // 0.37 % 2)):
        right = 0.25 * np.sin(2 * np.pi * 1000 * t + phase)
        y = np.stack([left, right]).astype(np.float32)
        if np.ptp(phase) < 4:  # the switch of the recording itself is a click; fade over it
            y[1] = rotating_fade(left, phase)
        step = np.abs(np.diff(mixed(y))).max()
        assert step < 1.1 * np.sqrt(2) * 0.25 * 2 * np.pi * 1000 / SR


def rotating_fade(left, phase):
    """Go from a sound to its inverse within 10 ms."""
    sign = np.convolve(np.cos(phase), np.full(320, 1 / 320), mode="same")
    return (left * sign).astype(np.float32)


def test_what_is_held_back_does_not_grow(rng):
    y = np.stack([noise(rng), -noise(rng)])
    given_so_far = 0
    for part in mix_down(y for _ in range(20)):
        given_so_far += part.size
        assert part.size <= downmix.BATCH
    assert given_so_far == 20 * y.shape[1]


def test_sound_that_changes_its_channels_is_mixed_as_it_comes(rng):
    y = noise(rng)
    pieces = [y[None], np.stack([y, -y]), y[None], np.stack([y, y])]
    parts = np.concatenate([*mix_down(pieces)], axis=1)[0].reshape(4, -1)
    for part, gain in zip(parts, [1, np.sqrt(2), 1, np.sqrt(2)], strict=True):
        np.testing.assert_allclose(part, gain * y, atol=1e-6)


def plain(path, sr=SR):
    """The mix that FFmpeg makes by itself."""
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=sr)
    with av.open(str(path)) as container:
        frames = [*container.decode(audio=0)]
    pieces = [piece for frame in [*frames, None] for piece in resampler.resample(frame)]
    return np.concatenate([piece.to_ndarray()[0] for piece in pieces])


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_s24le", "pcm_f32le", "pcm_u8"])
@pytest.mark.parametrize("sr", [16000, 44100, 48000])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_one_channel_and_two_that_are_alike_are_as_ffmpeg_mixes_them(
    tmp_path, rng, codec, sr, n_channels
):
    y = np.tile(noise(rng, 3.0), (n_channels, 1))
    path = write_media(tmp_path / "a.wav", y, Recipe("wav", codec, sr=sr))
    np.testing.assert_array_equal(read_audio(str(path)), plain(path))


TAKEN_FOR = {3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""FFmpeg's layouts of so many channels where the file states none."""


@pytest.mark.parametrize(("n_channels", "channel"), [(n, k) for n in TAKEN_FOR for k in range(n)])
def test_sound_in_one_of_many_channels_is_heard(tmp_path, rng, n_channels, channel):
    name = av.AudioLayout(TAKEN_FOR[n_channels]).channels[channel].name
    y = np.zeros((n_channels, SR), dtype=np.float32)
    y[channel] = noise(rng, 1.0)
    path = write_float_wav(tmp_path / "a.wav", y, SR)
    mix, before = np.mean(read_audio(str(path)) ** 2), np.mean(plain(path) ** 2)
    assert (before == 0) == (name == "LFE")  # FFmpeg leaves that one out
    # what stands behind goes to both ears, and is the sum of two halves then
    assert mix == pytest.approx(2 * before if name == "BC" else before)
    assert mix == 0 or mix > 0.2 * np.mean(y[channel] ** 2)


def test_surround_out_of_phase_is_heard(tmp_path, rng):
    y = np.zeros((6, 2 * SR), dtype=np.float32)
    y[4] = noise(rng, 2.0)
    y[5] = -y[4]
    path = write_media(tmp_path / "a.mka", y, Recipe("matroska", "pcm_f32le", sr=SR))
    assert np.mean(plain(path) ** 2) < 1e-10
    assert np.mean(read_audio(str(path)) ** 2) > 0.5 * np.mean(y[4] ** 2)


@pytest.mark.parametrize("right", ["inverted", "above 1 kHz", "below 1 kHz", "rotating"])
@pytest.mark.parametrize(
    ("clip", "trigger"),
    [("whisper-slow", "whisper"), ("tap-wood", "tap"), ("crinkle-paper", "crinkle")],
)
def test_a_recording_out_of_phase_gets_its_tag(tmp_path, clip, trigger, right):
    y = read_audio(str(DEMO / f"{clip}.flac"))
    path = write_float_wav(tmp_path / "a.wav", np.stack([y, RIGHT[right](y)]), SR)
    result = label_file(path, model=load_model())
    assert (result.status, result.trigger) == ("ok", trigger)


def test_real_whispers_out_of_phase_are_heard(shared: Path, tmp_path):
    clip = sorted((shared / "corpus" / "whisper").glob("*.*"))[0]
    y = read_audio(str(clip))
    ears = {"one": y[None], "both": np.stack([y, -y])}
    tags = {
        name: label_file(write_float_wav(tmp_path / f"{name}.wav", ear, SR)).tags
        for name, ear in ears.items()
    }
    assert tags["one"] == tags["both"] == ("whisper",)


def test_tone_levels_stay(tmp_path):
    y = tone(2.0, SR, n_channels=2) * np.array([[1], [-1]], dtype=np.float32)
    path = write_float_wav(tmp_path / "a.wav", y, SR)
    assert np.abs(read_audio(str(path))).max() == pytest.approx(0.25 * np.sqrt(2), rel=1e-3)
