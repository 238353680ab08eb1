"""What a media file claims to be, read from its headers without decoding.

Files are opened as local files only. Formats that name other files or hosts (playlists,
manifests, concatenation scripts), devices, and texts or pictures that FFmpeg would play as video
are not accepted, so that a crafted file can make nothing else be read.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.error
from av.stream import Disposition

from asmr_classify.errors import NoAudioError, OpenError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream as AvAudioStream
    from av.container import InputContainer

REFUSED_FORMATS = frozenset(
    # These open other files, hosts or devices …
    "alsa concat dash fbdev hls imf kmsgrab lavfi mmsh oss rtp rtsp sap sdp v4l2 "
    "video4linux2,v4l2 vobsub webm_dash_manifest x11grab "
    # … and these are texts, pictures, subtitles or raw bytes.
    "adf alias_pix apng aqtitle ass bin bitpacked brender_pix cdg data ffmetadata fits gif ico idf "
    "image2 image2pipe jacosub jpegxl_anim lrc mcc microdvd mpjpeg mpl2 mpsub pjs rawvideo rcwt "
    "realtext sami scc srt stl subviewer subviewer1 sup tedcaptions tty txd vplayer webvtt xbin "
    "mods".split()
)
"""Demuxers that are not used; those that end in ``_pipe`` (single pictures) are not either."""

SR_RANGE_HZ = (1000, 1_000_000)
"""Sampling rates that sound is recorded at, with room to spare; others are damaged headers."""

PROBE_PACKETS = 1
"""Packets in which FFmpeg looks for another codec than the header states (DTS in a WAV file, say).
Its default of 2500 takes longer than labelling a clip of some seconds, and eight still a quarter
of it."""

MAX_CHANNELS = 64
MAX_DURATION = 1e7
"""Longest duration that is believed, in seconds: a third of a year."""


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What the headers of a file say.

    Parameters
    ----------
    path : str
    container : str
        Name of the format, as FFmpeg has it.
    codec : str
        Of the audio stream that is listened to.
    sr : int
        Sampling rate of that stream in Hz.
    n_channels : int
    duration : float or None
        Seconds that the audio claims to last; None if there is no claim that can be believed.
    has_video : bool
    """

    path: str
    container: str
    codec: str
    sr: int
    n_channels: int
    duration: float | None
    has_video: bool


def probe(path: str) -> MediaInfo:
    """Read what a file claims to be.

    Parameters
    ----------
    path : str

    Returns
    -------
    MediaInfo

    Raises
    ------
    OpenError
        If the file is missing, unreadable, empty, or no media file.
    NoAudioError
        If it has no audio stream.
    """
    with open_container(path) as container:
        return describe(container, path)


def describe(container: InputContainer, path: str) -> MediaInfo:
    """Describe an open container, see :func:`probe` for what it raises."""
    stream = audio_stream(container, path)
    context = stream.codec_context
    _check_claims(path, context.sample_rate, stream.channels)
    try:
        duration = claimed_duration(container, stream)
    except OSError as exc:  # gone since it was opened, say
        raise OpenError(path, f"cannot be read: {exc.strerror}", may_pass=True) from exc
    return MediaInfo(
        path=path,
        container=container.format.name,
        codec=context.name,
        sr=context.sample_rate,
        n_channels=stream.channels,
        duration=duration,
        has_video=bool(container.streams.video),
    )


def open_container(path: str) -> InputContainer:
    """Open a media file.

    Parameters
    ----------
    path : str

    Returns
    -------
    av.container.InputContainer
        To be closed by the caller.

    Raises
    ------
    OpenError
        If the file is missing, unreadable, empty, or no media file.
    """
    check_readable(path)
    try:
        return av.open(
            f"file:{path}",
            options={
                "protocol_whitelist": "file",
                "format_whitelist": _accepted_formats(),
                "max_probe_packets": str(PROBE_PACKETS),
            },
            metadata_errors="replace",
        )
    except MemoryError:  # that of FFmpeg is an FFmpegError too
        raise
    except (av.error.FFmpegError, OSError, ValueError) as exc:
        raise OpenError(path, _opening_failed(exc), may_pass=is_of_machine(exc)) from exc


def _opening_failed(exc: Exception) -> str:
    if isinstance(exc, av.error.InvalidDataError | av.error.ArgumentError):
        return (
            "not an audio or video file, or damaged at its beginning or end; "
            "play it to see, and fetch or export it again"
        )
    reason = getattr(exc, "strerror", None) or str(exc)
    return f"cannot be opened ({reason}); check that it plays, or fetch it again"


def is_of_machine(exc: Exception) -> bool:
    """Whether an error of reading comes from disk, system or permissions, not from the content.

    FFmpeg's errors are the system's where it has a number of the system's.
    """
    return isinstance(exc, OSError)


def check_readable(path: str) -> None:
    """Check that a path is a regular file with something in it that may be read.

    Raises
    ------
    OpenError
        With what is in the way and what to do.
    """
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            raise OpenError(path, "not a regular file; name a recording or a folder of them")
        with Path(path).open("rb") as file:
            if not file.read(1):
                raise OpenError(path, "the file is empty; fetch or record it again")
    except FileNotFoundError as exc:
        message = "no such file; it may have been moved or renamed"
        raise OpenError(path, message, may_pass=True) from exc
    except PermissionError as exc:
        message = "may not be read; change its permissions or owner"
        raise OpenError(path, message, may_pass=True) from exc
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        raise OpenError(path, f"cannot be read: {reason}", may_pass=is_of_machine(exc)) from exc


@cache
def _accepted_formats() -> str:
    accepted = {
        name
        for name in av.formats_available
        if name not in REFUSED_FORMATS and not name.endswith("_pipe")
    }
    return ",".join(sorted(accepted))


def audio_stream(container: InputContainer, path: str) -> AvAudioStream:
    """Choose the audio stream to listen to: the one marked default, else the first.

    Raises
    ------
    NoAudioError
        If there is none.
    """
    streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
    if not streams:
        kind = "a video" if container.streams.video else "a media file"
        raise NoAudioError(path, f"{kind} without a sound track; there is nothing to label")
    default = [stream for stream in streams if Disposition.default in stream.disposition]
    return (default or streams)[0]


def claimed_duration(container: InputContainer, stream: AvAudioStream) -> float | None:
    """Duration that the audio stream, or else the container, claims, in seconds.

    A duration that FFmpeg only estimates from the bit rate is no claim.
    """
    stated = _riff_duration(_path_of(container)) if container.format.name == "wav" else None
    if stated is not None:
        seconds = stated
    elif stream.duration is not None and stream.time_base is not None:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        seconds = container.duration / av.time_base
    else:
        return None
    if not 0 < seconds < MAX_DURATION or _is_estimate(container):
        return None
    return seconds


def _is_estimate(container: InputContainer) -> bool:
    """Whether the format holds no duration, so that FFmpeg divides size by bit rate.

    Of the formats that people use these are bare AAC and MP3 without a Xing, Info or VBRI header;
    that header makes FFmpeg shift the start by the encoder's delay or count frames.
    """
    if container.format.name == "mp3":
        return not _has_frame_count(_path_of(container))
    return container.format.name in {"aac", "ac3", "eac3", "dts", "loas", "amr", "mpeg", "mpegts"}


def _path_of(container: InputContainer) -> str:
    return container.name.removeprefix("file:")


def _riff_duration(path: str) -> float | None:
    """Duration by the header of a WAV file; FFmpeg gives what is left after a cut instead.

    None if the header leaves it open, as recorders do that write to a pipe.
    """
    bytes_per_second = 0
    with Path(path).open("rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            kind, size = head[:4], int.from_bytes(head[4:], "little")
            if kind == b"data":
                is_stated = bytes_per_second > 0 and 0 < size < 0xFFFFFF00
                return size / bytes_per_second if is_stated else None
            if kind == b"fmt " and size >= 16:
                bytes_per_second = int.from_bytes(file.read(size)[8:12], "little")
                file.seek(size % 2, 1)
            else:
                file.seek(size + size % 2, 1)
    return None


def _has_frame_count(path: str) -> bool:
    """Whether an MP3 begins with a frame that states how many follow."""
    with Path(path).open("rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3":
            size = 0
            for byte in head[6:10]:
                size = size << 7 | byte & 0x7F
            file.seek(10 + size)
        else:
            file.seek(0)
        first = file.read(2048)
    return any(mark in first for mark in (b"Xing", b"Info", b"VBRI"))


def _check_claims(path: str, sr: int, n_channels: int) -> None:
    low, high = SR_RANGE_HZ
    if not low <= sr <= high:
        raise OpenError(path, f"claims a sampling rate of {sr} Hz; the header is damaged")
    if not 0 < n_channels <= MAX_CHANNELS:
        raise OpenError(path, f"claims {n_channels} channels; the header is damaged")
