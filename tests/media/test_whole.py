"""What is whole is ``ok`` whatever its header claims, and what is cut says so."""

from __future__ import annotations

import re
from fractions import Fraction

import av
import av.error
import numpy as np
import pytest

from asmr_classify.errors import DecodeError, MediaError, OpenError
from asmr_classify.media.decode import AudioStream
from asmr_classify.media.whole import held_share, wav_data
from tests.media.make_media import (
    RECIPES,
    Recipe,
    tone,
    write_float_wav,
    write_media,
    write_wav_bytes,
)

SPECIAL = {
    "libopus": (48000, "stereo", None),
    "wmav1": (44100, "stereo", 128_000),
    "wmav2": (44100, "stereo", 128_000),
    "libopencore_amrnb": (8000, "mono", 12_200),
    "g723_1": (8000, "mono", 6_300),
    "g722": (16000, "mono", None),
    "g726": (8000, "mono", 32_000),
    "nellymoser": (8000, "mono", None),
    "adpcm_swf": (44100, "mono", None),
    "pcm_bluray": (48000, "stereo", None),
    "pcm_dvd": (48000, "stereo", None),
    "speex": (16000, "mono", None),
}
"""Rate in Hz, channels and bits a second of encoders that do not take what others do."""

CODECS = (
    "aac ac3 adpcm_adx adpcm_ima_qt adpcm_ima_wav adpcm_ms adpcm_swf adpcm_yamaha alac dfpwm eac3 "
    "flac g722 g723_1 g726 libmp3lame libopencore_amrnb libopus mp2 nellymoser pcm_alaw pcm_bluray "
    "pcm_dvd pcm_f32be pcm_f32le pcm_f64le pcm_mulaw pcm_s16be pcm_s16le pcm_s24le pcm_s32le "
    "pcm_s8 pcm_u8 sbc tta vorbis wavpack wmav1 wmav2"
).split()
"""Encoders that PyAV has and people use; a build of it may lack one."""

MUXERS = {
    "wav": 17, "w64": 16, "aiff": 7, "au": 6, "caf": 15, "matroska": 18, "webm": 2, "mp4": 7,
    "mov": 17, "ipod": 3, "3gp": 2, "avi": 18, "asf": 17, "flv": 6, "ogg": 3, "oga": 3, "flac": 1,
    "mp3": 1, "mp2": 1, "adts": 1, "ac3": 1, "eac3": 1, "mpegts": 4, "mpeg": 3, "nut": 17,
    "amr": 1, "wv": 1, "tta": 1, "adx": 1, "sox": 1, "voc": 3, "rm": 1,
}  # fmt: skip
"""Containers, and how many of the codecs each takes at least."""

UNREADABLE = {
    "raw packets, of which FFmpeg cannot tell where one ends": {
        ("wav", "aac"), ("wav", "vorbis"), ("w64", "aac"), ("w64", "vorbis"),
    },
    "without the number of channels, which no player can play": {
        ("nut", "adpcm_ima_wav"), ("nut", "g726"), ("nut", "wmav1"), ("nut", "wmav2"),
    },
    "as of 8000 Hz, whatever the rate": {("flv", "pcm_alaw"), ("flv", "pcm_mulaw")},
    "as data, of which no player makes sound": {("mpegts", codec) for codec in CODECS}
    - {("mpegts", codec) for codec in ("aac", "ac3", "eac3", "libmp3lame", "libopus", "mp2")},
}  # fmt: skip
"""What a muxer writes but nothing reads back, and how it lies there."""


def write_codec(path, muxer, codec, duration):
    """Write noise with a codec."""
    sr, layout, bit_rate = SPECIAL.get(codec, (44100, "stereo", None))
    with av.open(str(path), "w", format=muxer, options={"strict": "-2"}) as container:
        options = {"strict": "experimental"}
        stream = container.add_stream(codec, rate=sr, layout=layout, options=options)
        context = stream.codec_context
        if bit_rate:
            context.bit_rate = bit_rate
        context.open()
        n_channels = 2 if layout == "stereo" else 1
        rng = np.random.default_rng(3)
        y = (0.1 * rng.standard_normal((n_channels, round(duration * sr)))).astype(np.float32)
        size = context.frame_size or (0 if codec.startswith("pcm") else 1024)
        resampler = av.AudioResampler(
            format=context.format.name, layout=layout, rate=sr, frame_size=size
        )
        frame = av.AudioFrame.from_ndarray(y, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = sr, 0, Fraction(1, sr)
        for piece in [*resampler.resample(frame), *resampler.resample(None), None]:
            container.mux(stream.encode(piece))
    return path


def takes(path, muxer, codec, duration=4.0):
    """Write with a codec where muxer and encoder do; tell whether they did."""
    try:
        write_codec(path, muxer, codec, duration)
    except (av.error.FFmpegError, ValueError):  # ValueError also for an unknown encoder
        return False
    return path.exists() and path.stat().st_size > 0


def judge(path):
    """What is wrong with how a file of four seconds is heard, in words; nothing if all is right."""
    try:
        with AudioStream.open(str(path)) as stream:
            for _ in stream.iter_blocks():
                pass
    except MediaError as exc:
        return str(exc)
    duration = stream.decoded if stream.duration is None else stream.duration
    if stream.problem is not None:
        return stream.problem.message
    # Encoders and decoders add up to a packet, of 0.1 s at the most.
    is_right = abs(duration - 4.0) < 0.1 and abs(stream.decoded - 4.0) < 0.11
    return "" if is_right else f"lasts {duration:.3f} s, decoded {stream.decoded:.3f} s"


@pytest.mark.parametrize("muxer", MUXERS)
def test_every_codec_is_whole_in_every_container_that_takes_it(tmp_path, muxer):
    unreadable = set().union(*UNREADABLE.values())
    codecs = [codec for codec in CODECS if (muxer, codec) not in unreadable]
    paths = {codec: tmp_path / f"{codec}.bin" for codec in codecs}
    taken = [codec for codec in codecs if takes(paths[codec], muxer, codec)]
    wrong = {codec: problem for codec in taken if (problem := judge(paths[codec]))}
    assert not wrong
    assert len(taken) >= MUXERS[muxer]


STRUCTURED = {
    "wav": "pcm_s16le",
    "w64": "pcm_s16le",
    "rf64": "pcm_s16le",
    "aiff": "pcm_s16be",
    "au": "pcm_s16be",
    "caf": "pcm_s16be",
    "matroska": "flac",
    "webm": "libopus",
    "ipod": "aac",
    "mov": "pcm_s16le",
    "avi": "libmp3lame",
    "asf": "wmav2",
}
"""A codec for each container whose elements state their sizes."""


def write_structured(path, muxer):
    real, options = ("wav", {"rf64": "always"}) if muxer == "rf64" else (muxer, {})
    if muxer in {"ipod", "mov"}:
        options = {"movflags": "faststart"}
    recipe = Recipe(real, STRUCTURED[muxer], sr=48000)
    noise = (0.1 * np.random.default_rng(2).standard_normal((1, 8 * 48000))).astype(np.float32)
    return write_media(path, noise, recipe, options=options)


def decode_all(path):
    with AudioStream.open(str(path)) as stream:
        for _ in stream.iter_blocks():
            pass
        return stream, stream.duration


@pytest.mark.parametrize("muxer", STRUCTURED)
def test_sizes_tell_whether_a_file_is_cut(tmp_path, muxer):
    path = write_structured(tmp_path / "a", muxer)
    content = path.read_bytes()
    assert held_share(str(path)) == 1
    path.write_bytes(content + bytes(5))  # what some writers leave behind is no loss
    assert held_share(str(path)) == 1
    for share in (0.5, 0.9):
        path.write_bytes(content[: int(share * len(content))])
        assert held_share(str(path)) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("muxer", STRUCTURED)
def test_what_is_cut_says_so_in_every_container(tmp_path, muxer):
    path = write_structured(tmp_path / "a", muxer)
    stream, duration = decode_all(path)
    assert stream.problem is None
    assert duration == pytest.approx(8.0, abs=0.1)
    path.write_bytes(path.read_bytes()[: int(0.6 * path.stat().st_size)])
    stream, duration = decode_all(path)
    assert "cut short" in str(stream.problem)
    assert "fetch or copy it again" in str(stream.problem)
    assert duration == pytest.approx(8.0, abs=0.3)  # reckoned from bytes in some
    assert 4 < stream.decoded < 5.5


@pytest.mark.parametrize(
    "content",
    [b"", b"RIFF", b"no media at all", b"OggS" + bytes(40), b"\x1aE\xdf\xa3\xff", b"fLaC12345"],
    ids=["nothing", "a beginning", "text", "Ogg", "Matroska of unknown size", "FLAC"],
)  # fmt: skip
def test_where_no_size_is_stated_nothing_is_proved(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert held_share(str(tmp_path / "a")) is None


def test_an_avi_with_pictures_that_is_cut_says_so(tmp_path):
    """FFmpeg reckons what is left of it."""
    recipe = RECIPES["avi"]
    path = write_media(tmp_path / "a.avi", tone(8.0, recipe.sr), recipe, video_duration=8.0)
    assert decode_all(path)[0].problem is None
    path.write_bytes(path.read_bytes()[: int(0.6 * path.stat().st_size)])
    stream, duration = decode_all(path)
    assert re.search(r"cut short: 4\.\d s of 8\.\d s .*fetch or copy it again", str(stream.problem))
    assert duration == pytest.approx(8.0, abs=0.5)  # reckoned from bytes


@pytest.mark.parametrize("codec", ["libopus", "vorbis", "flac"])
def test_ogg_without_its_end_is_cut(tmp_path, codec):
    path = tmp_path / "a.ogg"
    write_codec(path, "ogg", codec, 8.6)
    content = path.read_bytes()
    assert held_share(str(path)) == 1
    assert decode_all(path)[0].problem is None
    path.write_bytes(content + b"OggS or the like, behind it")
    assert held_share(str(path)) is None
    starts = [each.start() for each in re.finditer(b"OggS\\0", content)]
    page = next(start for start in starts if start > len(content) / 2)
    for n_bytes in (10, 27, 28, 500):
        path.write_bytes(content[: page + n_bytes])
        assert held_share(str(path)) < 1
        stream, _ = decode_all(path)
        assert f"cut short after {stream.decoded:.1f} s; fetch or copy" in str(stream.problem)
    path.write_bytes(content[:page])  # as recorders leave it that do not come to an end
    assert held_share(str(path)) is None
    assert decode_all(path)[0].problem is None


@pytest.mark.parametrize("codec", ["libopus", "vorbis"])
def test_ogg_of_which_the_last_page_is_damaged_says_so(tmp_path, codec):
    path = tmp_path / "a.ogg"
    write_codec(path, "ogg", codec, 8.6)  # a page lasts a second
    content = path.read_bytes()
    path.write_bytes(content[:-50] + b"damaged" + content[-43:])
    stream, _ = decode_all(path)
    assert stream.decoded < 8.3
    assert f"cut short after {stream.decoded:.1f} s; fetch or copy" in str(stream.problem)


def test_sizes_left_open_prove_nothing(tmp_path):
    for muxer in ("wav", "matroska", "aiff", "avi", "au"):  # into a pipe they cannot be known
        path = write_structured(tmp_path / muxer, muxer)
        content = bytearray(path.read_bytes())
        if muxer == "matroska":
            at = content.index(b"\x18\x53\x80\x67") + 4
            content[at : at + 8] = b"\x01" + b"\xff" * 7
        elif muxer == "wav":
            at = content.index(b"data") + 4
            content[at : at + 4] = b"\xff" * 4
        else:
            at = 8 if muxer == "au" else 4
            content[at : at + 4] = b"\xff" * 4
        path.write_bytes(content)
        assert held_share(str(path)) is None


@pytest.mark.parametrize("codec", ["adpcm_ms", "adpcm_ima_wav", "libmp3lame", "pcm_alaw"])
@pytest.mark.parametrize("rate", [0.25, 1.0, 4.0])
def test_a_wrong_rate_of_bytes_is_no_sign_of_a_cut(tmp_path, codec, rate):
    path = write_codec(tmp_path / "a.wav", "wav", codec, 4.0)
    content = bytearray(path.read_bytes())
    stated = int.from_bytes(content[28:32], "little")
    content[28:32] = round(rate * stated).to_bytes(4, "little")
    for with_samples in (True, False):
        at = content.find(b"fact")
        if not with_samples and at > 0:
            content[at : at + 4] = b"junk"
        path.write_bytes(content)
        assert not judge(path)


@pytest.mark.parametrize("with_samples", [True, False])
def test_adpcm_that_is_cut_says_so(tmp_path, with_samples):
    path = write_codec(tmp_path / "a.wav", "wav", "adpcm_ms", 8.0)
    content = path.read_bytes()
    if not with_samples:
        content = content.replace(b"fact", b"junk", 1)
    path.write_bytes(content[: len(content) // 2])
    stream, duration = decode_all(path)
    assert "cut short" in str(stream.problem)
    assert duration == pytest.approx(8.0, abs=0.2)
    assert stream.decoded == pytest.approx(4.0, abs=0.1)


def test_the_sound_of_a_wav_file_is_found_among_its_chunks(tmp_path):
    path = write_wav_bytes(tmp_path / "a.wav", bytes(1000), 8000, claimed=4000)
    data = wav_data(str(path))
    assert (data.start, data.stated, data.held, data.n_samples) == (44, 4000, 1000, 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda path: path.write_bytes(b"just words\n" * 90), "play it", id="text"),
        pytest.param(lambda path: write_wav_bytes(path, b"", 44100), "is empty", id="no samples"),
        pytest.param(
            lambda path: write_codec(path, "wav", "aac", 4.0), "left out", id="raw packets"
        ),
        pytest.param(
            lambda path: write_float_wav(path, np.full((1, 9999), np.nan, np.float32), 8000),
            "export it again",
            id="NaN",
        ),
    ],
)
def test_what_is_whole_is_not_to_be_fetched_again(tmp_path, make, message):
    make(tmp_path / "a.wav")
    problem = judge(tmp_path / "a.wav")
    assert message in problem
    assert "fetch" not in problem


def test_packets_that_are_scrambled_are_not_to_be_fetched_again(tmp_path):
    """As are those of a protected file: the file is whole, and none can be decoded."""
    path = write_structured(tmp_path / "a.mka", "matroska")
    content = bytearray(path.read_bytes())
    first = content.index(b"\x1f\x43\xb6\x75")  # of the clusters
    place = first
    while (place := content.find(b"\xff\xf8", place)) > 0:  # of the frames of FLAC
        content[place : place + 6] = b"scramb"
    path.write_bytes(content)
    with pytest.raises(DecodeError, match="it may be protected; play it") as caught:
        decode_all(path)
    assert "fetch" not in str(caught.value)


@pytest.mark.parametrize("ending", ["mp4", "m4a", "mov"])
def test_what_cannot_be_opened_is_to_be_fetched_again_only_if_cut(tmp_path, ending):
    path = write_media(tmp_path / f"a.{ending}", tone(4.0, 44100), RECIPES[ending])
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(OpenError, match=r"cut short.*fetch or copy it again"):
        AudioStream.open(str(path))
    path.write_bytes(content.replace(b"moov", b"junk"))
    with pytest.raises(OpenError, match="play it to see") as caught:
        AudioStream.open(str(path))
    assert "fetch" not in str(caught.value)


@pytest.mark.parametrize("ending", ["wma", "mp4"])
def test_what_claims_to_be_larger_than_files_are_is_no_proof_of_a_cut(tmp_path, ending):
    recipe = RECIPES[ending]
    path = write_media(tmp_path / f"a.{ending}", tone(2.0, recipe.sr, n_channels=2), recipe)
    size = (1 << 61).to_bytes(8, "little" if ending == "wma" else "big")
    behind = bytes(range(1, 17)) + size if ending == "wma" else b"\0\0\0\1junk" + size
    path.write_bytes(path.read_bytes() + behind)
    assert held_share(str(path)) == 1
    with AudioStream.open(str(path)) as stream:
        for _ in stream.iter_blocks():
            pass
    assert stream.problem is None
    assert stream.duration == pytest.approx(2.0, abs=0.2)
