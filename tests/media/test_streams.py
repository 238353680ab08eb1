"""Sound is found and decoded whatever else lies beside it, in any order."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import av
import av.container
import numpy as np
import pytest
from av.stream import Disposition

from asmr_classify.errors import NoAudioError, OpenError
from asmr_classify.media.decode import AudioStream
from asmr_classify.media.probe import probe

SR = 48000
MS = Fraction(1, 1000)
TEXTS = {
    "subrip": b"hello",
    "ass": b"0,0,Default,,0,0,0,,hello",
    "webvtt": b"hello",
    "mov_text": b"\x00\x05hello",
    "timed_id3": b"ID3\x04\x00\x00\x00\x00\x00\x00",
    "klv": b"\x06\x0e\x2b\x34",
    "bin_data": b"\x00\x05chapt",
    "none": b"onMetaData",
}
"""What a packet of each kind of text or data holds."""

AUDIO = {"webm": "libopus", "ogg": "libopus", "avi": "libmp3lame", "mp3": "libmp3lame"}
HELD = {
    "matroska": ("mpeg4", "subrip", "ass"),
    "webm": ("libvpx", "webvtt", "libvpx"),
    "mp4": ("mpeg4", "mov_text", "bin_data"),
    "ipod": ("mov_text", "mov_text"),
    "mov": ("mpeg4", "mov_text", "mpeg4"),
    "mpegts": ("mpeg2video", "timed_id3", "klv"),
    "avi": ("mpeg4", "mpeg4"),
    "flv": ("flv1", "none"),
    "nut": ("mpeg4", "mpeg4"),
    "asf": ("mpeg4", "mpeg4"),
}
"""What may lie beside the sound, by muxer."""


def write_beside(path, muxer, kinds, *, chapters=(), attachment=None):
    """Write three seconds of noise as the stream ``sound`` among others, in the order of kinds."""
    with av.open(str(path), "w", format=muxer, options={"strict": "-2"}) as container:
        streams = [_add(container, AUDIO.get(muxer, "aac"), kind) for kind in kinds]
        if attachment:
            container.add_attachment("cover.txt", "text/plain", attachment)
        if chapters:
            container.set_chapters(list(chapters))
        packets = [
            p for stream, kind in zip(streams, kinds, strict=True) for p in _fill(stream, kind)
        ]
        for packet in sorted(packets, key=lambda p: float((p.dts or 0) * p.time_base)):
            container.mux(packet)
    return path


def _add(container, codec, kind):
    if kind == "sound":
        stream = container.add_stream(codec, rate=SR, layout="mono")
        stream.codec_context.open()
        return stream
    if kind in TEXTS:
        is_data = kind in {"timed_id3", "klv", "bin_data", "none"}
        if is_data:
            return container.add_data_stream(None if kind == "none" else kind)
        return container.add_mux_stream(kind)
    stream = container.add_stream(kind, rate=10)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    stream.codec_context.open()
    return stream


def _fill(stream, kind):
    if kind == "sound":
        return _sound(stream)
    if kind in TEXTS:
        return [_text(stream, TEXTS[kind], k) for k in range(3)]
    return _pictures(stream)


def _sound(stream):
    context = stream.codec_context
    resampler = av.AudioResampler(
        format=context.format.name, layout="mono", rate=SR, frame_size=context.frame_size
    )
    y = (0.1 * np.random.default_rng(5).standard_normal((1, 3 * SR))).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(y, format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = SR, 0, Fraction(1, SR)
    pieces = [*resampler.resample(frame), *resampler.resample(None), None]
    return [packet for piece in pieces for packet in stream.encode(piece)]


def _text(stream, content, k):
    packet = av.Packet(content)
    packet.stream, packet.time_base = stream, MS
    packet.pts = packet.dts = 1000 * k
    packet.duration = 900
    return packet


def _pictures(stream):
    packets = []
    for k in range(30):
        image = np.full((48, 64, 3), 8 * k, dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = k, Fraction(1, 10)
        packets += stream.encode(frame)
    return [*packets, *stream.encode(None)]


def check_sound(path):
    with AudioStream.open(str(path)) as stream:
        y = np.concatenate([block.y for block in stream.iter_blocks()])
    assert stream.problem is None
    assert stream.decoded == pytest.approx(3.0, abs=0.1)
    assert stream.duration is None or stream.duration == pytest.approx(3.0, abs=0.15)
    assert 0.05 < np.sqrt(np.mean(y[len(y) // 4 : -len(y) // 4] ** 2)) < 0.2


ORDERS = [
    pytest.param(muxer, order, id=f"{muxer}: {' '.join(order)}")
    for muxer, others in HELD.items()
    for order in sorted(set(permutations(["sound", *others])))
]


@pytest.mark.parametrize(("muxer", "kinds"), ORDERS)
def test_other_streams_are_stepped_over(tmp_path, muxer, kinds):
    path = write_beside(tmp_path / "a.bin", muxer, kinds)
    with av.open(str(path)) as container:
        assert len(container.streams) >= len(kinds) - 1  # the script data of FLV need no stream
    check_sound(path)


@pytest.mark.parametrize("muxer", ["ipod", "mp4", "mov", "matroska", "webm", "ogg"])
@pytest.mark.parametrize(
    "kinds", [("sound",), ("mpeg4", "sound"), ("sound", "mpeg4")], ids=" ".join
)
def test_chapters_are_stepped_over(tmp_path, muxer, kinds):
    if len(kinds) > 1 and muxer in {"ipod", "webm", "ogg"}:
        pytest.skip("this container takes no MPEG-4 video")
    chapters = [
        {"id": k, "start": 1500 * k, "end": 1500 * (k + 1), "time_base": MS,
         "metadata": {"title": f"Part {k}"}}
        for k in range(2)
    ]  # fmt: skip
    path = write_beside(tmp_path / "a.bin", muxer, kinds, chapters=chapters)
    with av.open(str(path)) as container:
        if muxer in {"ipod", "mp4", "mov"}:  # these keep them as a stream of text
            assert "data" in {stream.type for stream in container.streams}
    check_sound(path)


def test_attachments_are_stepped_over(tmp_path):
    check_sound(write_beside(tmp_path / "a.mkv", "matroska", ("sound",), attachment=b"a font"))


@pytest.mark.parametrize(
    ("muxer", "codec"), [("mp3", "libmp3lame"), ("mp4", "aac"), ("flac", "flac")]
)
def test_a_cover_makes_no_video(tmp_path, muxer, codec):
    path = tmp_path / "a.bin"
    with av.open(str(path), "w", format=muxer) as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        sound = _add(container, codec, "sound")
        for packet in [*cover.encode(_black()), *cover.encode(None), *_sound(sound)]:
            container.mux(packet)
    with av.open(str(path)) as container:
        assert container.streams.video
    assert not probe(str(path)).has_video
    check_sound(path)


def _black():
    picture = np.zeros((48, 64, 3), np.uint8)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuvj420p")
    frame.pts, frame.time_base = 0, Fraction(1, 1)
    return frame


def test_a_track_without_a_packet_is_left_for_one_that_sounds(tmp_path):
    with av.open(str(tmp_path / "a.ts"), "w", format="mpegts") as container:
        container.add_stream("aac", rate=SR, layout="mono").codec_context.open()
        sound = _add(container, "aac", "sound")
        for packet in _sound(sound):
            container.mux(packet)
    check_sound(tmp_path / "a.ts")


def test_a_track_of_an_unknown_codec_is_no_video_without_sound(tmp_path):
    path = write_beside(tmp_path / "a.mkv", "matroska", ("sound",))
    path.write_bytes(path.read_bytes().replace(b"A_AAC", b"A_XYZ"))
    with pytest.raises(OpenError, match="codec that is not known") as caught:
        AudioStream.open(str(path))
    assert not isinstance(caught.value, NoAudioError)
    assert "fetch" not in str(caught.value)
