"""Recordings of clicks at known times, under pictures, with the stamps that are asked for."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np

SR = 48000
SOUND_DURATION = 4.0
CLICKS = (0.6, 1.6, 2.6, 3.6)
"""Seconds from the first sample; the rest is nearly silent."""

CODECS = {
    "matroska": ("mpeg4", "aac"),
    "webm": ("libvpx", "libopus"),
    "mp4": ("mpeg4", "aac"),
    "mov": ("mpeg4", "pcm_s16le"),
    "mpegts": ("mpeg2video", "mp2"),
    "mpeg": ("mpeg2video", "mp2"),
    "flv": ("flv1", "aac"),
    "nut": ("mpeg4", "libopus"),
    "asf": ("mpeg4", "wmav2"),
}
"""Of pictures and sound, by muxer, for containers whose packets state their times."""

ONLY_SOUND = CODECS | {
    "ogg": (None, "libopus"),
    "adts": (None, "aac"),
    "mp3": (None, "libmp3lame"),
}


def click_train():
    """A quiet tone with a loud burst of 10 ms at each click."""
    t = np.arange(round(SOUND_DURATION * SR)) / SR
    y = 0.001 * np.sin(2 * np.pi * 300 * t)
    for at in CLICKS:
        burst = (t >= at) & (t < at + 0.01)
        y[burst] = 0.8 * np.sin(2 * np.pi * 3000 * t[burst])
    return y[None].astype(np.float32)


def write_clicks(path, muxer, *, sound_at=0.0, pictures=(0.0, 4.0), start=0.0, retime=None):
    """Write sound, and pictures if any, each beginning at its time.

    ``retime`` maps the stamp of a packet of sound, in seconds, to another, or to None to leave the
    packet out.
    """
    video_codec, codec = ONLY_SOUND[muxer]
    with av.open(str(path), "w", format=muxer, options={"strict": "-2"}) as container:
        packets = []
        if pictures is not None:
            packets += _pictures(container, video_codec, *pictures)
        for packet in _sound(container, codec):
            at = float(packet.pts * packet.time_base) + sound_at
            at = at if retime is None else retime(at)
            if at is not None:
                _stamp(packet, at - float(packet.pts * packet.time_base))
                packets.append(packet)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            _stamp(packet, start)
            container.mux(packet)
    return path


def _stamp(packet, later):
    ticks = round(later / packet.time_base)
    packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks


def _sound(container, codec):
    stream = container.add_stream(codec, rate=SR, layout="mono")
    context = stream.codec_context
    context.bit_rate = 128_000
    context.open()
    resampler = av.AudioResampler(
        format=context.format.name, layout="mono", rate=SR, frame_size=context.frame_size or 1024
    )
    frame = av.AudioFrame.from_ndarray(click_train(), format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = SR, 0, Fraction(1, SR)
    pieces = [*resampler.resample(frame), *resampler.resample(None), None]
    return [packet for piece in pieces for packet in stream.encode(piece)]


def _pictures(container, codec, first, last):
    stream = container.add_stream(codec, rate=25)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    stream.codec_context.max_b_frames = 0
    packets = []
    for k in range(round(25 * first), round(25 * last)):
        image = np.full((48, 64, 3), (8 * k) % 256, dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = k, Fraction(1, 25)
        packets += stream.encode(frame)
    return [*packets, *stream.encode(None)]
