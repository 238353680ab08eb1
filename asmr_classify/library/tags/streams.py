"""What must not change in a file when its tags do: its streams, packet by packet."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asmr_classify.errors import TagError

if TYPE_CHECKING:
    from av.packet import Packet
    from av.stream import Stream


TELL_TAGS = frozenset({"strings_metadata", "metadata_update"})
"""Side data in which FFmpeg hands on the tags themselves."""


@dataclass(frozen=True, slots=True)
class StreamDigest:
    """What a stream is, and a checksum of all its packets.

    Parameters
    ----------
    kind, codec : str
    settings : bytes
        What the decoder is set up with.
    details : tuple of str
        Time base, disposition, language, sampling rate, size of the picture and the like.
    n_packets : int
    sha256 : str
        Of each packet's times, flags, side data and payload.
    """

    kind: str
    codec: str
    settings: bytes
    details: tuple[str, ...]
    n_packets: int
    sha256: str


def digest_streams(path: str) -> tuple[StreamDigest, ...]:
    """Read all streams of a file without decoding: sound, pictures, subtitles, attachments.

    Parameters
    ----------
    path : str

    Returns
    -------
    tuple of StreamDigest

    Raises
    ------
    OpenError
        If it is no media file.
    TagError
        If the file cannot be read to its end.
    """
    import av

    from asmr_classify.media.probe import open_container

    try:
        with open_container(path) as container:
            hashes = [hashlib.sha256() for _ in container.streams]
            counts = [0] * len(hashes)
            for packet in container.demux():
                if packet.size or packet.dts is not None:
                    hashes[packet.stream_index].update(_packet_bytes(packet))
                    counts[packet.stream_index] += 1
            return tuple(
                _digest(stream, count, checksum.hexdigest())
                for stream, count, checksum in zip(container.streams, counts, hashes, strict=True)
            )
    except av.FFmpegError as exc:
        raise TagError(path, f"its streams cannot be read: {exc.strerror}") from exc


def _packet_bytes(packet: Packet[Stream]) -> bytes:
    head = (packet.pts, packet.dts, packet.duration, packet.is_keyframe, packet.size)
    side = [
        (item.data_type, bytes(item))
        for item in packet.iter_sidedata()
        if item.data_type not in TELL_TAGS
    ]
    return repr((head, side)).encode() + bytes(packet)


def _digest(stream: Stream, n_packets: int, sha256: str) -> StreamDigest:
    context = stream.codec_context
    codec = "" if context is None else context.name
    settings = b"" if context is None else context.extradata or b""
    if context is None and stream.type == "attachment":
        settings = stream.data
    if codec == "vorbis":
        settings = _without_comments(settings)
    shape = ("sample_rate", "layout", "width", "height", "pix_fmt", "codec_tag")
    details = (
        str(stream.time_base),
        str(int(stream.disposition)),
        str(stream.language),
        *(str(getattr(context, name, None)) for name in shape),
    )
    return StreamDigest(stream.type, codec, settings, details, n_packets, sha256)


def _without_comments(settings: bytes) -> bytes:
    """Leave out the second of three headers of Vorbis, which FFmpeg joins as Xiph lacing."""
    if settings[:1] != b"\x02":
        return settings
    at, sizes = 1, []
    for _ in range(2):
        size = 0
        while at < len(settings) and settings[at] == 255:
            size, at = size + 255, at + 1
        sizes.append(size + (settings[at] if at < len(settings) else 0))
        at += 1
    return settings[at : at + sizes[0]] + settings[at + sum(sizes) :]
