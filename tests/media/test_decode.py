from __future__ import annotations

import errno
import re
import struct
from pathlib import Path

import av
import av.error
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asmr_classify.errors import DecodeError, NoAudioError, OpenError
from asmr_classify.media.decode import AudioStream, _Resampler, read_audio
from asmr_classify.media.probe import probe
from tests.media.clicks import write_clicks
from tests.media.make_media import (
    LOSSLESS,
    RECIPES,
    Recipe,
    tone,
    write_float_wav,
    write_media,
    write_wav_bytes,
)

SR = 32000


def decoded(path, **kwargs):
    with AudioStream.open(str(path), **kwargs) as stream:
        blocks = list(stream.iter_blocks())
    return stream, blocks


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """Two seconds of a tone in every container, under pictures where it holds them."""
    folder = tmp_path_factory.mktemp("media")
    for ending, recipe in RECIPES.items():
        y = tone(2.0, recipe.sr, n_channels=2)
        duration = 2.0 if recipe.video else None
        write_media(folder / f"tone.{ending}", y, recipe, video_duration=duration)
    return folder


@pytest.mark.parametrize("ending", RECIPES)
def test_every_container_gives_its_sound(media, ending):
    stream, blocks = decoded(media / f"tone.{ending}")
    y = np.concatenate([block.y for block in blocks])
    assert stream.problem is None
    assert len(y) / SR == pytest.approx(2.0, abs=0.12)  # codecs pad and trim
    middle = y[SR // 2 : SR // 2 + SR]
    peak_hz = np.argmax(np.abs(np.fft.rfft(middle * np.hanning(SR))))
    assert peak_hz == pytest.approx(1000, abs=2)
    # two equal channels of a sine at 0.25, each mixed in at -3 dB
    level_db = 20 * np.log10(np.sqrt(np.mean(middle**2)) / 0.25)
    assert level_db == pytest.approx(0, abs=0.1 if ending in LOSSLESS else 1.0)


@pytest.mark.parametrize("ending", RECIPES)
def test_probing_tells_duration_and_streams_without_decoding(media, ending):
    info = probe(str(media / f"tone.{ending}"))
    assert info.n_channels == 2
    assert info.has_video == (RECIPES[ending].video is not None)
    if ending != "aac":  # bare AAC does not say how long it is
        assert info.duration == pytest.approx(2.0, abs=0.15)


@settings(max_examples=15)
@given(st.floats(1e-4, 5.0))
def test_blocks_end_to_end_are_the_whole_decode(media, block_duration):
    path = media / "tone.opus"
    stream, blocks = decoded(path, block_duration=block_duration)
    assert [block.start for block in blocks] == list(
        np.cumsum([0, *(len(block.y) for block in blocks[:-1])])
    )
    assert len({len(block.y) for block in blocks[:-1]}) <= 1
    assert np.array_equal(np.concatenate([block.y for block in blocks]), read_audio(str(path)))
    assert stream.decoded == pytest.approx(sum(len(block.y) for block in blocks) / SR)


@pytest.mark.parametrize("n_channels", [1, 2, 3, 4, 5, 6, 7, 8])
def test_channels_are_mixed_down(tmp_path, n_channels):
    path = write_float_wav(tmp_path / "a.wav", tone(0.5, SR, n_channels=n_channels), SR)
    y = read_audio(str(path))
    assert y.ndim == 1
    assert len(y) == SR // 2
    assert 0.05 < np.abs(y).max() < 1.2  # the mix of float samples is not scaled down


def test_stereo_is_kept_on_request(tmp_path):
    left_only = tone(0.5, SR, n_channels=2) * np.array([[1], [0]], dtype=np.float32)
    path = write_float_wav(tmp_path / "a.wav", left_only, SR)
    y = read_audio(str(path), layout="stereo")
    assert y.shape == (2, SR // 2)
    np.testing.assert_allclose(y, left_only, atol=1e-6)


@pytest.mark.parametrize("sr", [8000, 11025, 44100, 96000, 192000])
def test_rates_are_converted(tmp_path, sr):
    path = write_float_wav(tmp_path / "a.wav", tone(1.0, sr), sr)
    y = read_audio(str(path))
    assert len(y) == pytest.approx(SR, abs=2)
    assert np.sqrt(np.mean(y[1000:-1000] ** 2)) == pytest.approx(0.25 / np.sqrt(2), rel=0.01)


def test_a_video_without_sound(tmp_path):
    write_media(tmp_path / "mute.mp4", None, RECIPES["mp4"], video_duration=1.0)
    with pytest.raises(NoAudioError, match="a video without a sound track"):
        AudioStream.open(str(tmp_path / "mute.mp4"))


def test_a_video_that_goes_on_after_its_sound_is_not_cut(tmp_path):
    for ending in ("mp4", "mkv", "webm"):
        recipe = RECIPES[ending]
        path = write_media(
            tmp_path / f"a.{ending}", tone(1.0, recipe.sr), recipe, video_duration=4.0
        )
        stream, _ = decoded(path)
        assert stream.problem is None
        assert stream.decoded == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("ending", ["mp3", "wav", "flac", "mkv", "webm", "aiff", "m4a"])
def test_a_file_cut_short_says_so(tmp_path, ending, rng):
    recipe = RECIPES[ending]
    y = (0.1 * rng.standard_normal((1, 8 * recipe.sr))).astype(np.float32)
    options = {"movflags": "faststart"} if ending == "m4a" else None
    path = write_media(tmp_path / f"a.{ending}", y, recipe, options=options)
    content = path.read_bytes()
    path.write_bytes(content[: int(0.6 * len(content))])
    stream, _ = decoded(path)
    assert 3 < stream.decoded < 6.5
    assert "cut short" in str(stream.problem)
    assert str(path) in str(stream.problem)


WRECKED = {
    "opus.mkv": Recipe("matroska", "libopus", sr=48000),
    "aac.mkv": Recipe("matroska", "aac"),
    "flac.mkv": Recipe("matroska", "flac"),
    "opus.webm": Recipe("webm", "libopus", sr=48000),
    "aac.flv": Recipe("flv", "aac"),
    "opus.ogg": Recipe("ogg", "libopus", sr=48000),
    "mp3.avi": Recipe("avi", "libmp3lame"),
    "video.mkv": RECIPES["mkv"],
}


@pytest.mark.parametrize("name", WRECKED)
@pytest.mark.parametrize("filled", ["zeros", "noise"])
def test_a_file_wrecked_within_says_so(tmp_path, name, filled, rng):
    """As downloads are that wait for a part: their size is right, and what is missing is none."""
    recipe = WRECKED[name]
    y = (0.1 * rng.standard_normal((1, 8 * recipe.sr))).astype(np.float32)
    path = write_media(tmp_path / name, y, recipe, video_duration=8.0)
    whole, _ = decoded(path)
    assert whole.problem is None
    content = bytearray(path.read_bytes())
    first, end = int(0.4 * len(content)), int(0.7 * len(content))
    gone = np.zeros(end - first, np.uint8)
    if filled == "noise":
        gone = rng.integers(0, 256, end - first, dtype=np.uint8)
    content[first:end] = gone.tobytes()
    path.write_bytes(content)
    stream, blocks = decoded(path)
    problem = str(stream.problem)
    y = np.concatenate([block.y for block in blocks])
    silent = (np.abs(y[: len(y) // 1000 * 1000].reshape(-1, 1000)).max(axis=1) == 0).sum() / 32
    told = re.search(r"([\d.]+) s within it are missing, and silence stands there", problem)
    if told is not None:
        assert float(told[1]) == pytest.approx(silent, abs=0.3)
        assert silent > 1.5
        assert stream.decoded == pytest.approx(8.0, abs=0.2)
    else:  # nothing told where it goes on, or what was found again bears no time
        assert f"cut short: {stream.decoded:.1f} s of 8.0 s could be decoded" in problem
        assert stream.decoded < 6.5
    assert problem.endswith("fetch or copy it again")


@pytest.mark.parametrize(
    ("name", "seconds", "wrecked"),
    [
        pytest.param("mp3.avi", 8, 0.35, id="avi"),
        pytest.param("video.avi", 8, 0.35, id="avi with pictures"),
        pytest.param("mp3.avi", 120, 0.7, id="a long avi"),
        pytest.param("aac.flv", 8, 0.35, id="flv"),
    ],
)
def test_less_than_half_a_second_that_is_wrecked_is_told(tmp_path, name, seconds, wrecked, rng):
    recipe = {**WRECKED, "video.avi": RECIPES["avi"]}[name]
    y = (0.1 * rng.standard_normal((1, seconds * recipe.sr))).astype(np.float32)
    path = write_media(tmp_path / name, y, recipe, video_duration=float(seconds))
    content = bytearray(path.read_bytes())
    first, n_bytes = int(0.4 * len(content)), int(wrecked / seconds * len(content))
    content[first : first + n_bytes] = bytes(n_bytes)
    path.write_bytes(content)
    problem = str(decoded(path)[0].problem)
    assert "cut short" in problem or "0.4 s within it are missing" in problem


def test_a_stray_stamp_hides_nothing(tmp_path):
    """A packet that a header puts minutes behind the end, as damaged headers do."""
    path = write_clicks(tmp_path / "a.flv", "flv", retime=lambda at: at if at < 1.5 else None)
    with av.open(str(path)) as source, av.open(str(tmp_path / "b.flv"), "w") as target:
        copies = {each.index: target.add_stream_from_template(each) for each in source.streams}
        for packet in source.demux():
            is_late = packet.dts is not None and packet.dts * packet.time_base > 2
            if packet.dts is None or (is_late and packet.stream.type == "audio"):
                continue
            if is_late:
                packet.dts = packet.pts = packet.pts + 300_000
            packet.stream = copies[packet.stream.index]
            target.mux(packet)
            if is_late:
                break
    content = (tmp_path / "b.flv").read_bytes()
    at = content.index(b"duration") + 9
    path.write_bytes(content[:at] + struct.pack(">d", 4.0) + content[at + 8 :])
    stream, _ = decoded(path)
    assert f"cut short: {stream.decoded:.1f} s of 4.0 s" in str(stream.problem)


def test_the_index_of_an_avi_is_no_wreckage(tmp_path):
    """A header that claims too much is wrong where nothing is missing."""
    path = write_media(tmp_path / "a.avi", tone(8.0, 44100), WRECKED["mp3.avi"])
    content = bytearray(path.read_bytes())
    at = content.index(b"strh") + 40
    length = int.from_bytes(content[at : at + 4], "little")
    content[at : at + 4] = int(1.09 * length).to_bytes(4, "little")
    path.write_bytes(content)
    stream, _ = decoded(path)
    assert stream.info.duration > 8.7
    assert stream.problem is None
    assert stream.duration == pytest.approx(8.05, abs=0.05)


@pytest.mark.parametrize("name", ["opus.mkv", "opus.webm", "aac.flv", "video.mkv"])
def test_sound_that_was_left_out_is_not_called_wrecked(tmp_path, name, rng):
    """As recorders leave out what is silent: nothing lies where it would be."""
    recipe = WRECKED[name]
    y = (0.1 * rng.standard_normal((1, 8 * recipe.sr))).astype(np.float32)
    path = write_media(tmp_path / name, y, recipe, video_duration=8.0)
    sparse = tmp_path / f"sparse-{name}"
    with av.open(str(path)) as source, av.open(str(sparse), "w", format=recipe.muxer) as out:
        copies = {each.index: out.add_stream_from_template(each) for each in source.streams}
        for packet in source.demux():
            is_sound = packet.stream.type == "audio"
            if packet.dts is None or (is_sound and 3 < packet.pts * packet.time_base < 5):
                continue
            packet.stream = copies[packet.stream.index]
            out.mux(packet)
    stream, _ = decoded(sparse)
    assert stream.decoded == pytest.approx(8.0, abs=0.12)
    assert stream.problem is None


def test_an_mp4_cut_before_its_index_cannot_be_opened(tmp_path):
    path = write_media(tmp_path / "a.mp4", tone(2.0, 44100), RECIPES["mp4"], video_duration=2.0)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(OpenError, match="damaged at its beginning or end"):
        AudioStream.open(str(path))


def test_an_mp3_that_does_not_say_how_long_it_is_is_not_called_short(tmp_path, rng):
    y = (0.1 * rng.standard_normal((1, 4 * 44100))).astype(np.float32)
    y[:, : 3 * 44100] = 0  # at a variable rate, size says little about duration
    path = write_media(
        tmp_path / "a.mp3",
        y,
        RECIPES["mp3"],
        options={"write_xing": "0"},
        codec_options={"qscale": "2"},
    )
    stream, _ = decoded(path)
    assert stream.problem is None
    assert stream.duration is None


def test_damaged_packets_are_left_out_and_told(tmp_path, rng):
    recipe = RECIPES["mp3"]
    y = (0.1 * rng.standard_normal((1, 10 * recipe.sr))).astype(np.float32)
    path = write_media(tmp_path / "a.mp3", y, recipe)
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    content[third : third + 3000] = rng.integers(0, 256, 3000, dtype=np.uint8).tobytes()
    path.write_bytes(content)
    stream, blocks = decoded(path)
    assert stream.decoded > 8.5
    assert all(np.isfinite(block.y).all() for block in blocks)
    assert stream.problem is None or "left out" in str(stream.problem)


def test_a_lossless_file_tells_of_the_least_loss(tmp_path, rng):
    recipe = RECIPES["flac"]
    y = (0.1 * rng.standard_normal((1, 6 * recipe.sr))).astype(np.float32)
    path = write_media(tmp_path / "a.flac", y, recipe)
    assert decoded(path)[0].problem is None
    content = bytearray(path.read_bytes())
    half = len(content) // 2
    content[half : half + 500] = rng.integers(0, 256, 500, dtype=np.uint8).tobytes()
    path.write_bytes(content)
    stream, _ = decoded(path)
    assert "s within it are missing, and silence stands there; fetch or copy" in str(stream.problem)
    assert stream.decoded == 6


def test_flac_whose_first_bytes_are_damaged_is_heard(tmp_path):
    """FFmpeg finds the frames, but no metadata."""
    path = write_media(tmp_path / "a.flac", tone(6.0, 44100), RECIPES["flac"])
    path.write_bytes(b"fLaX" + path.read_bytes()[4:])
    stream, _ = decoded(path)
    assert stream.decoded == pytest.approx(6.0, abs=0.2)
    assert "left out" in str(stream.problem)


@pytest.mark.parametrize(("at", "n_bytes"), [(0.5, 300), (0.5, 90_000)])
def test_frames_of_flac_that_are_lost_leave_silence_in_their_place(tmp_path, rng, at, n_bytes):
    recipe = RECIPES["flac"]
    y = (0.1 * rng.standard_normal((1, 6 * recipe.sr))).astype(np.float32)
    path = write_media(tmp_path / "a.flac", y, recipe)
    content = bytearray(path.read_bytes())
    whole = decoded(path, sr=recipe.sr)[1]
    first = 8192 + int(at * (len(content) - 8192))  # behind the header and its padding
    content[first : first + n_bytes] = bytes(n_bytes)
    path.write_bytes(content)
    stream, blocks = decoded(path, sr=recipe.sr)
    expected, given = (np.concatenate([b.y for b in bs]) for bs in (whole, blocks))
    wrong = np.flatnonzero(given != expected)
    assert 0 < len(wrong) < len(expected) / 4
    assert not given[wrong].any()
    assert stream.is_damaged(wrong[0] / recipe.sr, wrong[-1] / recipe.sr)
    assert not stream.is_damaged(wrong[-1] / recipe.sr + 0.5, 6.0)
    assert stream.problem is not None


def lossless_sound(path):
    stream, blocks = decoded(path, sr=RECIPES["flac"].sr)
    return stream, np.concatenate([block.y for block in blocks])


def flac_starts(path):
    """Tell where the frames of a file begin, in bytes."""
    with av.open(str(path)) as container:
        return [packet.pos for packet in container.demux() if packet.size]


def cut_packets(path, target, first):
    """Copy the packets from a sample on."""
    with av.open(str(path)) as source, av.open(str(target), "w") as cut:
        stream = source.streams.audio[0]
        copy = cut.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.pts is not None and packet.pts >= first:
                packet.stream = copy
                cut.mux(packet)
    return target


def test_flac_that_was_cut_without_encoding_begins_where_players_begin_it(tmp_path, rng):
    """Its frames keep their numbers; players count from the first that is there."""
    recipe = RECIPES["flac"]
    y = (0.1 * rng.standard_normal((1, 6 * recipe.sr))).astype(np.float32)
    path = write_media(tmp_path / "a.flac", y, recipe)
    whole = lossless_sound(path)[1]
    _, given = lossless_sound(cut_packets(path, tmp_path / "cut.flac", 3 * recipe.sr))
    assert 2.8 * recipe.sr < given.size <= 3 * recipe.sr
    assert np.array_equal(given, whole[-given.size :])


@pytest.mark.parametrize("at", [9000, 100_000])
def test_a_frame_of_flac_that_its_checksum_belies_is_left_out(tmp_path, rng, at):
    recipe = RECIPES["flac"]
    y = (0.1 * rng.standard_normal((1, 6 * recipe.sr))).astype(np.float32)
    path = write_media(tmp_path / "a.flac", y, recipe)
    whole = np.concatenate([block.y for block in decoded(path, sr=recipe.sr)[1]])
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    stream, blocks = decoded(path, sr=recipe.sr)
    given = np.concatenate([block.y for block in blocks])
    wrong = np.flatnonzero(given != whole)
    assert 0 < len(wrong) <= 4608
    assert not given[wrong].any()
    assert stream.is_damaged(wrong[0] / recipe.sr, wrong[-1] / recipe.sr)
    assert "0.1 s within it are missing, and silence stands there" in str(stream.problem)


@pytest.mark.parametrize("first", [0, 3 * 44100], ids=["whole", "cut without encoding"])
def test_what_is_left_of_a_damaged_flac_stands_in_its_place(tmp_path, rng, first):
    """FFmpeg takes several frames for one near what is damaged, and stamps them otherwise."""
    recipe = RECIPES["flac"]
    y = (0.1 * rng.standard_normal((1, 6 * recipe.sr))).astype(np.float32)
    path = write_media(tmp_path / "whole.flac", y, recipe)
    if first:
        path = cut_packets(path, tmp_path / "cut.flac", first)
    content, whole = path.read_bytes(), lossless_sound(path)[1]
    starts = flac_starts(path)
    damaged = tmp_path / "a.flac"
    for frame in [0, 1, 2, 3, 4, 12, *range(-4, 0)]:
        for place in (0, 2, 4, 100):
            changed = bytearray(content)
            changed[starts[frame] + place] ^= 0x10
            damaged.write_bytes(changed)
            stream, given = lossless_sound(damaged)
            assert stream.problem is not None
            wrong = np.flatnonzero(given != whole[: given.size])
            assert not given[wrong].any()
            n_lost = wrong.size + whole.size - given.size
            assert 0 < n_lost <= 3 * 4608
            assert stream.duration == pytest.approx(stream.info.duration)


@pytest.mark.parametrize("codec", ["wavpack", "tta"])
@pytest.mark.parametrize("damaged", [(0,), (3,), (1, 4), (3, 4)], ids=str)
def test_packets_of_other_lossless_files_are_checked_and_placed_too(tmp_path, rng, codec, damaged):
    recipe = Recipe({"wavpack": "wv"}.get(codec, codec), codec)
    y = (0.1 * rng.standard_normal((1, 6 * recipe.sr))).astype(np.float32)
    path = write_media(tmp_path / "a", y, recipe)
    content, (_, whole) = bytearray(path.read_bytes()), lossless_sound(path)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux() if packet.size]
    for k in damaged:
        content[packets[k].pos + packets[k].size // 2] ^= 1
    path.write_bytes(content)
    stream, given = lossless_sound(path)
    wrong = np.flatnonzero(given != whole)
    assert not given[wrong].any()
    assert {*wrong // packets[0].duration} == {*damaged}
    assert "damaged packet" in str(stream.problem)
    assert stream.is_damaged(wrong[0] / recipe.sr, wrong[-1] / recipe.sr)


@pytest.mark.parametrize(("frame", "told"), [(-2, "5.9 s of 6.0 s"), (-1, "5.956 s of 6.000 s")])
def test_flac_of_which_the_last_frames_are_lost_ends_early_as_other_formats_do(
    tmp_path, rng, frame, told
):
    recipe = RECIPES["flac"]
    y = (0.1 * rng.standard_normal((1, 6 * recipe.sr))).astype(np.float32)
    path = write_media(tmp_path / "a.flac", y, recipe)
    content, start = path.read_bytes(), flac_starts(path)[frame]
    for rest in (b"", bytes(len(content) - start)):
        path.write_bytes(content[:start] + rest)
        stream, _ = decoded(path)
        assert f"cut short: {told} could be decoded; fetch or copy it again" in str(stream.problem)
        assert stream.decoded < stream.duration == 6.0


def test_values_that_are_no_sound_are_replaced_and_counted(tmp_path):
    y = tone(1.0, 44100)
    y[0, 1000:1003] = [np.nan, np.inf, -np.inf]
    y[0, 2000] = 1e30
    stream, blocks = decoded(write_float_wav(tmp_path / "a.wav", y, 44100))
    assert "4 samples are NaN, infinite or absurdly large" in str(stream.problem)
    assert max(np.abs(block.y).max() for block in blocks) < 0.5


def test_a_file_of_nothing_but_nan_fails(tmp_path):
    path = write_float_wav(tmp_path / "a.wav", np.full((1, SR), np.nan, dtype=np.float32), SR)
    with pytest.raises(DecodeError, match="all samples are NaN"):
        decoded(path)


def test_a_header_without_samples_fails(tmp_path):
    path = write_wav_bytes(tmp_path / "a.wav", b"", 44100)
    with pytest.raises(
        DecodeError, match=r"no sound could be decoded \(its sound track is empty\)"
    ):
        decoded(path)


@pytest.mark.parametrize(
    ("n_samples", "sr", "told"), [(1, 44100, "1 sample"), (20, 192_000, "20 samples")]
)
def test_too_few_samples_to_be_heard_are_told(tmp_path, n_samples, sr, told):
    path = write_wav_bytes(tmp_path / "a.wav", bytes([1, 9] * n_samples), sr)
    with pytest.raises(
        DecodeError, match=f"it holds {told}, too few to be heard; record or export"
    ):
        decoded(path)


@pytest.mark.parametrize("sr", [1, 999, 5_000_000, 0xFFFFFFFF])
def test_absurd_rates_are_refused(tmp_path, sr):
    path = write_wav_bytes(tmp_path / "a.wav", bytes(2000), sr)
    with pytest.raises((OpenError, DecodeError), match=r"sampling rate|not an audio|no sound"):
        decoded(path)


def test_a_duration_left_open_is_no_claim(tmp_path):
    path = write_wav_bytes(tmp_path / "a.wav", bytes(2 * SR), SR, claimed=0xFFFFFFFF)
    stream, _ = decoded(path)
    assert stream.problem is None
    assert stream.decoded == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("a.mp3", b"", "the file is empty", id="empty"),
        pytest.param("a.mp3", b"just words\n" * 90, "not an audio or video file", id="text as mp3"),
        pytest.param("a.txt", b"just words\n" * 90, "not an audio or video file", id="text"),
        pytest.param("a.srt", b"1\n00:00:01,000 --> 00:00:02,000\nhi\n", "not an audio", id="srt"),
        pytest.param("a.m3u8", b"#EXTM3U\n#EXTINF:1,\nb.wav\n", "not an audio", id="playlist"),
        pytest.param("a.ff", b"ffconcat version 1.0\nfile b.wav\n", "not an audio", id="concat"),
        pytest.param("a.sdp", b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\n", "not an audio", id="sdp"),
    ],
)  # fmt: skip
def test_what_is_no_recording_is_refused(tmp_path, name, content, message):
    write_float_wav(tmp_path / "b.wav", tone(1.0, SR), SR)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(OpenError, match=message):
        AudioStream.open(str(tmp_path / name))


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(OpenError, match="no such file"):
        AudioStream.open(str(tmp_path / "none.wav"))
    (tmp_path / "link.wav").symlink_to("none.wav")
    with pytest.raises(OpenError, match=r"a link to none\.wav, where no file is; remove or renew"):
        AudioStream.open(str(tmp_path / "link.wav"))
    with pytest.raises(OpenError, match="not a regular file"):
        AudioStream.open(str(tmp_path))
    with pytest.raises(OpenError, match="cannot be read"):
        AudioStream.open("nul\0byte.wav")


class Failing:
    """A container that gives so many packets, and then an error of FFmpeg."""

    def __init__(self, container, n_packets, code):
        self._container, self._n_packets, self._code = container, n_packets, code

    def __getattr__(self, name):
        return getattr(self._container, name)

    def demux(self):
        for _, packet in zip(range(self._n_packets), self._container.demux(), strict=False):
            yield packet
        av.error.err_check(self._code)


def decoded_until(path, n_packets, code):
    """Decode a file until so many packets were read and FFmpeg gives an error."""
    with AudioStream.open(path) as stream:
        stream._container = Failing(stream._container, n_packets, code)
        return stream, list(stream.iter_blocks())


@pytest.mark.parametrize(
    ("code", "may_pass"),
    [
        pytest.param(-errno.EIO, True, id="disk"),
        pytest.param(-errno.ESTALE, True, id="disk over a network"),
        pytest.param(-errno.EINVAL, False, id="content"),
        pytest.param(-0x41444E49, False, id="invalid data"),  # AVERROR_INVALIDDATA
    ],
)
def test_reading_that_broke_off_by_the_machine_may_pass(tmp_path, code, may_pass):
    path = str(write_float_wav(tmp_path / "a.wav", tone(1.0, SR), SR))
    stream, blocks = decoded_until(path, 3, code)
    assert blocks
    assert "reading broke off after" in str(stream.problem)
    assert stream.problem.may_pass is may_pass
    with pytest.raises(DecodeError, match="no sound could be decoded") as caught:
        decoded_until(path, 0, code)
    assert caught.value.may_pass is may_pass


def raising(code):
    def fail(*_, **__):
        av.error.err_check(-code)

    return fail


@pytest.mark.parametrize(
    ("code", "may_pass"),
    [(errno.EMFILE, True), (errno.ENFILE, True), (errno.EIO, True), (errno.EINVAL, False)],
)
def test_opening_that_failed_by_the_machine_may_pass(tmp_path, monkeypatch, code, may_pass):
    path = write_float_wav(tmp_path / "a.wav", tone(1.0, SR), SR)
    monkeypatch.setattr(av, "open", raising(code))
    with pytest.raises(OpenError) as caught:
        probe(str(path))
    assert caught.value.may_pass is may_pass


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(FileNotFoundError(errno.ENOENT, "none"), "no such file", id="gone"),
        pytest.param(PermissionError(errno.EACCES, "denied"), "may not be read", id="forbidden"),
        pytest.param(OSError(errno.ESTALE, "stale handle"), "stale handle", id="stale"),
    ],
)
def test_a_file_that_cannot_be_reached_may_pass(tmp_path, monkeypatch, error, message):
    path = str(write_float_wav(tmp_path / "a.wav", tone(1.0, SR), SR))

    def fail(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", fail)
        with pytest.raises(OpenError, match=message) as caught:
            probe(path)
    assert caught.value.may_pass
    monkeypatch.setattr("asmr_classify.media.probe.held_share", fail)
    with pytest.raises(OpenError, match="cannot be read") as caught:
        probe(path)
    assert caught.value.may_pass


@pytest.mark.parametrize("content", [b"", b"just words"])
def test_content_that_is_no_sound_will_not_pass(tmp_path, content):
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(OpenError) as caught:
        probe(str(tmp_path / "a.wav"))
    assert not caught.value.may_pass


def test_a_lack_of_memory_is_no_fault_of_the_file(tmp_path, monkeypatch):
    path = str(write_float_wav(tmp_path / "a.wav", tone(1.0, SR), SR))
    with pytest.raises(MemoryError):
        decoded_until(path, 3, -errno.ENOMEM)
    for place in ("resample", "flush"):
        with monkeypatch.context() as patch:
            patch.setattr(_Resampler, place, raising(errno.ENOMEM))
            with pytest.raises(MemoryError):
                decoded(path)
    monkeypatch.setattr(av, "open", raising(errno.ENOMEM))
    with pytest.raises(MemoryError):
        probe(path)


@pytest.mark.parametrize("name", ["concat:a.mp3|b.mp3", "pipe:0", "data:audio/wav;base64,", "a:b"])
def test_what_ffmpeg_takes_for_a_protocol_is_the_name_of_a_file(name):
    with pytest.raises(OpenError, match="no such file"):
        AudioStream.open(name)


def test_reading_whole_refuses_what_is_cut(tmp_path):
    path = write_wav_bytes(tmp_path / "a.wav", bytes(2 * SR), SR, claimed=8 * SR)
    with pytest.raises(DecodeError, match="cut short"):
        read_audio(str(path))


def heard_natively(path, **kwargs):
    native = []
    stream, blocks = decoded(path, listener=native.append, **kwargs)
    return stream, blocks, native


def end_to_end(native):
    return np.concatenate([block.y for block in native], axis=1)


@pytest.mark.parametrize("sr", [1000, 8000, 11025, 44100, 48000, 192000])
@pytest.mark.parametrize("n_channels", [1, 2, 6, 8])
def test_a_listener_is_given_the_samples_as_they_are(tmp_path, rng, sr, n_channels):
    y = rng.uniform(-1.5, 1.5, (n_channels, sr + 7)).astype(np.float32)
    _, _, native = heard_natively(write_float_wav(tmp_path / "a.wav", y, sr))
    assert {block.sr for block in native} == {sr}
    assert {len(block.channels) for block in native} == {n_channels}
    np.testing.assert_array_equal(end_to_end(native), y)


@pytest.mark.parametrize("ending", RECIPES)
def test_a_listener_changes_nothing_in_the_blocks(media, ending):
    path = media / f"tone.{ending}"
    stream, blocks, native = heard_natively(path, block_duration=0.3)
    y = np.concatenate([block.y for block in blocks])
    assert np.array_equal(y, read_audio(str(path)))
    assert end_to_end(native).shape[1] / native[0].sr == pytest.approx(stream.decoded, abs=1e-3)


def test_a_listener_is_told_where_channels_stand(tmp_path):
    path = write_media(tmp_path / "a.flac", tone(0.5, 44100, n_channels=6), RECIPES["flac"])
    _, _, native = heard_natively(path)
    assert native[0].channels[:4] == ("FL", "FR", "FC", "LFE")
    assert native[0].channels[4][1:] + native[0].channels[5][1:] == "LR"


def test_a_listener_hears_no_nan(tmp_path):
    y = tone(1.0, 44100)
    y[0, 1000:1003] = [np.nan, np.inf, -np.inf]
    _, _, native = heard_natively(write_float_wav(tmp_path / "a.wav", y, 44100))
    assert np.isfinite(end_to_end(native)).all()


def test_rate_and_channels_of_a_listener_stay_those_of_the_first_frame(tmp_path):
    """Two MP3 files put end to end, as recorders and joiners make them."""
    parts = []
    for k, (sr, n_channels) in enumerate([(44100, 2), (22050, 1)]):
        recipe = Recipe("mp3", "libmp3lame", sr=sr)
        path = write_media(
            tmp_path / f"{k}.mp3",
            tone(2.0, sr, n_channels=n_channels),
            recipe,
            options={"write_xing": "0", "id3v2_version": "0"},
        )
        parts.append(path.read_bytes())
    (tmp_path / "both.mp3").write_bytes(b"".join(parts))
    stream, _, native = heard_natively(tmp_path / "both.mp3")
    assert {(block.sr, block.channels) for block in native} == {(44100, ("FL", "FR"))}
    assert end_to_end(native).shape[1] / 44100 == pytest.approx(stream.decoded, abs=0.05)


def test_what_a_listener_raises_is_not_taken_for_damage(media):
    def fail(_block):
        raise ValueError("no")

    with pytest.raises(ValueError, match=r"^no$"):
        decoded(media / "tone.flac", listener=fail)
