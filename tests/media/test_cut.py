"""Clips hold the samples of the recording, and have clean edges."""

from __future__ import annotations

import errno
import io

import av
import numpy as np
import pytest
import soundfile
from scipy.signal import correlate

from asmr_classify.errors import DecodeError
from asmr_classify.media.cut import (
    Form,
    Span,
    SpanReader,
    copied_as,
    copy_packets,
    fade_edges,
    packet_borders,
    rate_of,
    sample_kind,
    write_span,
)
from asmr_classify.media.decode import AudioStream
from asmr_classify.media.probe import probe
from tests.media.make_media import RECIPES, Recipe, write_damaged, write_media

SR = 44100
N_FADE = round(0.005 * SR)


@pytest.fixture(scope="module")
def stereo():
    rng = np.random.default_rng(3)
    return rng.normal(0, 0.1, (2, 2 * SR)).astype(np.float32)


def cut(path, target, start, stop, *, form=Form.FLAC, **options):
    info = probe(str(path))
    sr = options.pop("sr", info.sr)
    span = Span(start, stop, sr, form, sample_kind(form, info), **options)
    with SpanReader(str(path), sr=sr, mono=span.mono) as reader, target.open("w+b") as file:
        write_span(reader, span, file)
    return soundfile.read(target, always_2d=True)


@pytest.mark.parametrize("ext", ["wav", "flac", "aiff"])
@pytest.mark.parametrize("form", [Form.FLAC, Form.WAV])
def test_every_sample_between_the_fades_is_that_of_the_recording(ext, form, stereo, tmp_path):
    source = write_media(tmp_path / f"a.{ext}", stereo, RECIPES[ext])
    whole, _ = soundfile.read(source)
    y, sr = cut(source, tmp_path / f"b.{form}", 10_001, 70_007, form=form)
    assert sr == SR
    assert y.shape == (60_006, 2)
    assert soundfile.info(tmp_path / f"b.{form}").subtype == "PCM_16"
    assert np.array_equal(y[N_FADE:-N_FADE], whole[10_001 + N_FADE : 70_007 - N_FADE])
    assert abs(y[0]).max() < 1e-4 > abs(y[-1]).max()


@pytest.mark.parametrize("ext", ["mp3", "m4a", "opus", "webm"])
def test_every_sample_of_a_lossy_recording_is_that_of_a_whole_decode(ext, tmp_path):
    recipe = RECIPES[ext]
    sr = recipe.sr
    noise = np.random.default_rng(4).normal(0, 0.1, (2, 15 * sr)).astype(np.float32)
    source = write_media(
        tmp_path / f"a.{ext}", noise, recipe, video_duration=15 if recipe.video else None
    )
    with AudioStream.open(str(source), sr=sr, layout="kept") as stream:
        whole = np.concatenate([block.y for block in stream.iter_blocks()], axis=-1)
    for start, stop in ((0, sr), (3 * sr + 1234, 4 * sr + 17), (11 * sr + 5, 13 * sr + 33_333)):
        options = {"form": Form.WAV, "rises": False, "falls": False}
        y, rate = cut(source, tmp_path / "b.wav", start, stop, **options)
        assert rate == sr
        assert np.array_equal(y.T.astype(np.float32), whole[:, start:stop])


def test_24_bits_and_floating_point_are_kept(stereo, tmp_path):
    recipe = Recipe("wav", "pcm_s24le")
    source = write_media(tmp_path / "a.wav", stereo, recipe)
    whole, _ = soundfile.read(source)
    y, _ = cut(source, tmp_path / "b.flac", 0, 50_000, rises=False, falls=False)
    assert soundfile.info(tmp_path / "b.flac").subtype == "PCM_24"
    assert np.array_equal(y, whole[:50_000])
    loud = write_media(tmp_path / "loud.wav", 20 * stereo, Recipe("wav", "pcm_f32le"))
    y, _ = cut(loud, tmp_path / "loud-cut.wav", 0, 9_000, form=Form.WAV, rises=False, falls=False)
    assert np.array_equal(y.T.astype(np.float32), 20 * stereo[:, :9_000])
    y, _ = cut(loud, tmp_path / "loud.flac", 0, 9_000, rises=False, falls=False)
    assert np.allclose(y.T, np.clip(20 * stereo[:, :9_000], -1, 1), atol=2**-23)


def test_a_late_sound_is_cut_where_a_player_has_it(stereo, tmp_path):
    """Silence stands before sound that begins after the container does."""
    source = tmp_path / "late.mkv"
    with av.open(str(source), "w") as output:
        video = output.add_stream("mpeg4", rate=10)
        video.width = video.height = 64
        audio = output.add_stream("flac", rate=SR, layout="stereo")
        for k in range(20):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            frame.pts = k
            output.mux(video.encode(frame))
        whole = np.round(stereo[:, :SR] * 2**15).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(whole.T).reshape(1, -1), format="s16", layout="stereo"
        )
        frame.sample_rate, frame.pts = SR, SR  # a second late
        output.mux([*audio.encode(frame), *audio.encode(None), *video.encode(None)])
    y, _ = cut(source, tmp_path / "b.flac", SR // 2, 3 * SR // 2, rises=False, falls=False)
    assert not y[: SR // 2 - 100].any()
    # Matroska rounds stamps to the millisecond, which is 44 samples.
    moved = min(range(-60, 61), key=lambda k: abs(y[SR // 2 + 100 + k][0] - whole[0, 100] / 2**15))
    first = SR // 2 + moved
    assert np.array_equal(y[first:].T, (whole / 2**15)[:, : SR - first])


def test_sound_can_be_brought_to_another_rate_and_one_channel(tmp_path):
    t = np.arange(2 * SR) / SR
    tone = (0.9 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
    source = write_media(tmp_path / "a.flac", np.stack([tone, tone]), RECIPES["flac"])
    y, sr = cut(source, tmp_path / "b.wav", 16_000, 24_000, form=Form.WAV, sr=16_000, mono=True)
    assert (sr, y.shape) == (16_000, (8_000, 1))
    want = 0.9 * np.sin(2 * np.pi * 440 * (1 + np.arange(8_000) / 16_000))
    assert np.abs(y[100:-100, 0] - want[100:-100]).max() < 0.01  # neither clipped nor moved


def test_opus_has_as_many_samples_as_asked_for(stereo, tmp_path):
    source = write_media(tmp_path / "a.wav", stereo, RECIPES["wav"])
    y, sr = cut(source, tmp_path / "b.opus", 4_800, 52_801, form=Form.OPUS, sr=48_000)
    assert (sr, y.shape) == (48_000, (48_001, 2))
    assert [rate_of(Form.OPUS, sr) for sr in (8000, 22050, 44100, 96000)] == [
        8000, 24000, 48000, 48000,
    ]  # fmt: skip


@pytest.mark.parametrize("n_samples", [1, 5, 100, 1000])
def test_fades_rise_and_fall_as_half_a_cosine_however_pieces_are_cut(n_samples):
    ones = np.ones((1, n_samples), dtype=np.float32)
    whole = [*fade_edges([ones], n_samples, 50, rises=True, falls=True)]
    cut_up = [ones[:, k : k + 7] for k in range(0, n_samples, 7)]
    pieces = [*fade_edges(cut_up, n_samples, 50, rises=True, falls=True)]
    gain = np.concatenate(pieces, axis=1)[0]
    assert np.array_equal(gain, np.concatenate(whole, axis=1)[0])
    assert np.allclose(gain, gain[::-1])
    if n_samples == 1000:
        rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(50) + 0.5) / 50)
        assert np.allclose(gain[:50], rise)
        assert (gain[50:-50] == 1).all()
    (left,) = fade_edges([ones], n_samples, 50, rises=False, falls=False)
    assert np.array_equal(left, ones)


def test_stretches_are_read_in_any_order(stereo, tmp_path):
    source = write_media(tmp_path / "a.wav", stereo, RECIPES["wav"])
    whole, _ = soundfile.read(source, dtype="float32")
    with SpanReader(str(source), sr=SR, mono=False) as reader:
        for start, stop in ((100, 50_000), (49_000, 60_000), (0, 10), (80_000, 88_200), (5, 9)):
            y = np.concatenate([*reader.iter_span(start, stop)], axis=1)
            assert np.array_equal(y.T, whole[start:stop])


def test_a_recording_that_ends_early_is_said(stereo, tmp_path):
    source = write_media(tmp_path / "a.wav", stereo, RECIPES["wav"])
    with pytest.raises(DecodeError, match=r"a\.wav: ends 1\.000 s before the stretch does"):
        cut(source, tmp_path / "b.flac", SR, 3 * SR)


@pytest.mark.parametrize("ext", ["mp3", "m4a"])
def test_damage_is_of_the_stretches_that_hold_it_whatever_was_read_before(ext, tmp_path):
    source = write_damaged(tmp_path / f"a.{ext}", seconds=24)
    is_whole = {(1, 2): True, (11.5, 13): False, (12, 13.5): False, (15, 16): True, (19, 20): True}
    spans = [*is_whole, (11.5, 13), (1, 2), (19, 20)]
    with SpanReader(str(source), sr=SR, mono=False) as reader:
        for span in spans:
            pieces = reader.iter_span(*(round(seconds * SR) for seconds in span))
            if is_whole[span]:
                assert sum(y.shape[1] for y in pieces) == round((span[1] - span[0]) * SR)
            else:
                with pytest.raises(DecodeError, match="is damaged there: fetch or copy"):
                    list(pieces)


@pytest.mark.parametrize("ext", ["ogg", "opus", "mkv", "webm", "flac"])
def test_silence_in_the_place_of_wrecked_bytes_is_damage(ext, tmp_path):
    source = write_damaged(tmp_path / f"a.{ext}", seconds=24)
    sr = RECIPES[ext].sr
    with SpanReader(str(source), sr=sr, mono=False) as reader:
        for first, last in ((12.0, 12.1), (11.0, 16.0)):
            with pytest.raises(DecodeError, match="is damaged there: fetch or copy"):
                list(reader.iter_span(round(first * sr), round(last * sr)))
        assert sum(y.shape[1] for y in reader.iter_span(8 * sr, 10 * sr)) == 2 * sr
        assert sum(y.shape[1] for y in reader.iter_span(16 * sr, 18 * sr)) == 2 * sr


COPIED = {
    "mp3": "mp3", "m4a": "m4a", "mp4": "m4a", "ogg": "ogg", "webm": "opus", "wav": "wav",
    "wma": "wma", "aiff": "mka",
}  # fmt: skip


@pytest.mark.parametrize("ext", COPIED)
def test_packets_are_copied_bit_by_bit(ext, stereo, tmp_path):
    recipe = RECIPES[ext]
    source = write_media(
        tmp_path / f"a.{ext}", stereo, recipe, video_duration=2 if recipe.video else None
    )
    (border,) = packet_borders(str(source), [(0.5, 1.0)])
    assert border.start <= border.heard <= 0.501
    assert border.end >= 1.0
    assert border.end - border.start < 0.8  # packets of PCM in WAV are the longest
    ending = copied_as(probe(str(source)).codec)[1]
    assert ending == COPIED[ext]
    target = tmp_path / f"b.{ending}"
    with target.open("w+b") as file:
        copy_packets(str(source), border.start, border.end, file)
    ours, theirs = packets_of(target), packets_of(source)
    assert any(theirs[k : k + len(ours)] == ours for k in range(len(theirs)))
    assert probe(str(target)).duration == pytest.approx(border.end - border.start, abs=0.03)


HALF_RATE = Recipe("mp3", "libmp3lame", sr=SR // 2)

HEARD = {ext: RECIPES[ext] for ext in (*COPIED, "opus", "mkv", "avi", "aac")} | {
    "half.mp3": HALF_RATE
}

STAMPED_IN_MS = {"mkv", "webm", "wma"}


@pytest.mark.parametrize("span", [(0.0, 0.7), (0.513, 1.204)], ids=["start", "middle"])
@pytest.mark.parametrize("ext", HEARD)
def test_it_is_known_from_when_to_when_copied_packets_are_heard(ext, span, stereo, tmp_path):
    recipe = HEARD[ext]
    source = write_media(
        tmp_path / f"a.{ext}", stereo, recipe, video_duration=2 if recipe.video else None
    )
    (border,) = packet_borders(str(source), [span])
    target = tmp_path / f"b.{copied_as(probe(str(source)).codec)[1]}"
    with target.open("w+b") as file:
        copy_packets(str(source), border.start, border.end, file)
    whole, sr = decoded(source), recipe.sr
    rounding = 0.001 * sr if ext in STAMPED_IN_MS else 1
    clips = [decoded(target)]
    if target.suffix in {".mp3", ".ogg", ".opus", ".wav"}:  # as others read them
        clips.append(soundfile.read(target, always_2d=True)[0][:, 0])
    for clip in clips:
        first = place_in(whole, clip)
        assert first == pytest.approx(border.heard * sr, abs=rounding)
        last = min(len(whole), round(border.end * sr))
        if ext != "wma":  # its decoder adds what fades out behind the last packet
            assert first + len(clip) == pytest.approx(last, abs=2 * rounding)


def decoded(path):
    with AudioStream.open(str(path), sr=probe(str(path)).sr, layout="stereo") as stream:
        return np.concatenate([block.y for block in stream.iter_blocks()], axis=-1)[0]


def place_in(whole, clip):
    """Find where a sound is heard in another, by the second half: codecs settle in the first."""
    half = len(clip) // 2
    return int(np.argmax(correlate(whole, clip[half:], "valid"))) - half


def packets_of(path):
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(container.streams.audio[0]) if p.size]


class FullDisk(io.FileIO):
    """Takes so many bytes and no more."""

    def write(self, data):
        if self.tell() + len(data) > 5000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("form", Form)
def test_a_full_disk_is_an_error_of_the_system(form, stereo, tmp_path):
    source = write_media(tmp_path / "a.wav", stereo, RECIPES["wav"])
    sr = rate_of(form, SR)
    span = Span(0, SR, sr, form, sample_kind(form, probe(str(source))))
    with (
        SpanReader(str(source), sr=sr, mono=False) as reader,
        FullDisk(tmp_path / "b", "w+") as file,
        pytest.raises(OSError, match="No space left") as caught,
    ):
        write_span(reader, span, file)
    assert caught.value.errno == errno.ENOSPC


def test_licences_are_read_from_tags(stereo, tmp_path):
    source = write_media(tmp_path / "a.flac", stereo, RECIPES["flac"])
    assert probe(str(source)).licence == ""
    from mutagen.flac import FLAC

    tags = FLAC(source)
    tags["COPYRIGHT"], tags["LICENSE"] = "2024 Mia", "CC BY 4.0"
    tags.save()
    assert probe(str(source)).licence == "CC BY 4.0"


def test_tags_that_are_no_utf_8_are_read_as_far_as_they_are(stereo, tmp_path):
    source = write_media(tmp_path / "a.flac", stereo, RECIPES["flac"])
    from mutagen.flac import FLAC

    tags = FLAC(source)
    tags["LICENSE"] = "by M~lanie"
    tags.save()
    source.write_bytes(source.read_bytes().replace(b"M~lanie", b"M\xe9lanie"))  # Latin-1
    assert probe(str(source)).licence == "by M\N{REPLACEMENT CHARACTER}lanie"
