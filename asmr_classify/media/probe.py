"""What a media file claims to be, read from its headers without decoding.

Files are opened as local files only, and objects in storage through fsspec: FFmpeg is given bytes,
and may open nothing by itself. Formats that name other files or hosts (playlists,
manifests, concatenation scripts), devices, and texts or pictures that FFmpeg would play as video
are not accepted, so that a crafted file can make nothing else be read.
"""

from __future__ import annotations

import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import av
import av.error
from av.stream import Disposition

from asmr_classify.errors import NoAudioError, OpenError
from asmr_classify.media.opening import open_bytes, path_of
from asmr_classify.media.source import Url, as_source
from asmr_classify.media.whole import ID3_HEADER_BYTES, held_share, id3_size, wav_data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.stream import AudioStream as AvAudioStream
    from av.container import InputContainer
    from av.stream import Stream

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

ESTIMATED = frozenset("aac ac3 amr aptx aptx_hd dts dtshd eac3 gsm loas mlp sbc truehd".split())
"""Formats without a duration, of which FFmpeg divides size by bit rate."""

BY_STAMPS = frozenset({"mpeg", "mpegts", "nut"})
"""Formats whose duration FFmpeg takes from the first and last stamps that there are, or from the
last alone."""

SIZED = frozenset({"aiff", "asf", "au", "avi", "caf", "matroska,webm", "w64", "wav"})
"""Formats whose elements state their sizes, and whose duration may be wrong or that of another
stream, while the tables of MP4 list all there is."""

EXACT_CODECS = frozenset({"flac", "alac", "wavpack", "tta", "ape"})
"""Lossless files state the number of their samples."""

UNLISTED = frozenset({"flv", "mpeg", "mpegts"})
"""Formats in which a stream may turn up with its first packet."""

PATIENT_BYTES, PATIENT_MICROSECONDS = 50_000_000, 600_000_000
"""Where FFmpeg's 5 MB tell nothing of the sound: so much of a video in which it begins late."""

LICENCE_TAGS = ("license", "licence", "copyright")
"""What FFmpeg calls tags that tell of the terms of use, the plainest first."""

EMPTY = "the file is empty; fetch or record it again"

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
        Seconds that the file claims to last, as a player shows it; None if there is no claim that
        can be believed.
    has_video : bool
        Whether there are moving pictures; a cover is none.
    sound_end : float or None
        Seconds from the start to where the sound track ends if nothing is missing; None where that
        cannot be known.
    held : float or None
        Share of the file that is there, by the sizes that it states; None where it states none.
    sample_format : str
        Of that stream, as FFmpeg decodes it: ``s16``, ``s32``, ``fltp`` …
    licence : str
        What its tags say of the terms of use, or of the copyright; empty if nothing.
    """

    path: str
    container: str
    codec: str
    sr: int
    n_channels: int
    duration: float | None
    has_video: bool
    sound_end: float | None = None
    held: float | None = None
    sample_format: str = ""
    licence: str = ""

    @property
    def is_cut(self) -> bool:
        """Whether the file is known to end before its own structure does."""
        return self.held is not None and self.held < 1


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
    source = as_source(path)
    with opened(source) as container:
        return describe(container, str(source))


@contextmanager
def opened(path: str) -> Iterator[InputContainer]:
    """Open a media file, see :func:`open_container`, and close it."""
    container = open_container(path)
    try:
        yield container
    finally:
        close_container(container)


def describe(container: InputContainer, path: str) -> MediaInfo:
    """Describe an open container, see :func:`probe` for what it raises."""
    stream = audio_stream(container, path)
    context = stream.codec_context
    _check_claims(path, context.sample_rate, stream.channels)
    try:
        held = held_share(path)
        duration = claimed_duration(container, held)
    except OSError as exc:  # gone since it was opened, say
        raise OpenError(path, f"cannot be read: {exc.strerror}", may_pass=True) from exc
    return MediaInfo(
        path=path,
        container=container.format.name,
        codec=context.name,
        sr=context.sample_rate,
        n_channels=stream.channels,
        duration=duration,
        has_video=any(not is_cover(video) for video in container.streams.video),
        sound_end=_sound_end(container, stream, duration, held),
        held=held,
        sample_format=context.format.name if context.format is not None else "",
        licence=_stated_licence(container, stream),
    )


def _stated_licence(container: InputContainer, stream: Stream) -> str:
    tags = {
        name.casefold(): text.strip()
        for metadata in (stream.metadata, container.metadata)
        for name, text in metadata.items()
    }
    return next((tags[name] for name in LICENCE_TAGS if tags.get(name)), "")


def is_cover(stream: Stream) -> bool:
    """Whether a stream is a picture that belongs to a recording, like the cover of an album."""
    return Disposition.attached_pic in stream.disposition


def open_container(path: str) -> InputContainer:
    """Open a media file.

    Parameters
    ----------
    path : str

    Returns
    -------
    av.container.InputContainer
        To be closed by the caller, with :func:`close_container`.

    Raises
    ------
    OpenError
        If the file is missing, unreadable, empty, or no media file.
    """
    path = as_source(path)
    if isinstance(path, Url):
        file: str | BinaryIO = _open_object(path)
    else:
        check_readable(path)
        file = f"file:{path}"
    container = _open(file, path, max_probe_packets=PROBE_PACKETS)
    if _has_known_sound(container):
        return container
    container.close()
    if not isinstance(file, str):  # FFmpeg goes on where it was
        file.seek(0)
    return _open(file, path, probesize=PATIENT_BYTES, analyzeduration=PATIENT_MICROSECONDS)


def close_container(container: InputContainer) -> None:
    """Close a container, and let go of what was fetched for it from storage."""
    file = container.file
    container.close()
    if file is not None:
        file.file.let_go()


def _open(file: str | BinaryIO, path: str, **options: int) -> InputContainer:
    try:
        return av.open(
            file,
            "r",
            options={
                "protocol_whitelist": "file" if isinstance(file, str) else "none",
                "format_whitelist": _accepted_formats(),
                **{name: str(value) for name, value in options.items()},
            },
            metadata_errors="replace",
        )
    except MemoryError:  # that of FFmpeg is an FFmpegError too
        raise
    except (av.error.FFmpegError, OSError, ValueError) as exc:
        raise OpenError(path, _opening_failed(exc, path), may_pass=is_of_machine(exc)) from exc


def _open_object(url: Url) -> BinaryIO:
    """Open an object in storage for FFmpeg.

    Raises
    ------
    OpenError
        If it is missing, unreadable or empty.
    """
    from asmr_classify.media.blocks import RemoteFile

    file = RemoteFile.open(url)
    if not file.size:
        raise OpenError(str(url), EMPTY)
    return cast("BinaryIO", file)


def _has_known_sound(container: InputContainer) -> bool:
    """Whether what was read tells of the sound; where streams may turn up later, also if none."""
    streams = _decodable(container)
    if not streams:
        return container.format.name not in UNLISTED
    return any(stream.sample_rate for stream in streams)


def _opening_failed(exc: Exception, path: str) -> str:
    if isinstance(exc, av.error.InvalidDataError | av.error.ArgumentError):
        if _is_surely_cut(path):
            return (
                "cut short, and its end is needed to play it (damaged at its beginning or end); "
                "fetch or copy it again"
            )
        return "not an audio or video file, or damaged at its beginning or end; play it to see"
    reason = getattr(exc, "strerror", None) or str(exc)
    return f"cannot be opened ({reason}); check that it plays"


def _is_surely_cut(path: str) -> bool:
    with suppress(OSError):
        return (held_share(path) or 1) < 1
    return False


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
                raise OpenError(path, EMPTY)
    except FileNotFoundError as exc:
        message = "no such file; it may have been moved or renamed"
        if Path(path).is_symlink():
            message = f"a link to {Path(path).readlink()}, where no file is; remove or renew it"
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

    One of which there is no packet, as of a track that was muted, is left if there are others.

    Raises
    ------
    NoAudioError
        If there is none.
    OpenError
        If none can be decoded.
    """
    streams = _decodable(container)
    if not streams and container.streams.audio:
        raise OpenError(path, "its sound track is of a codec that is not known; convert it")
    if not streams:
        kind = "a video" if container.streams.video else "a media file"
        message = f"{kind} without a sound track; there is nothing to label"
        raise NoAudioError(path, message, claimed_duration(container, None))
    streams = [stream for stream in streams if stream.sample_rate] or streams
    default = [stream for stream in streams if Disposition.default in stream.disposition]
    return (default or streams)[0]


def _decodable(container: InputContainer) -> list[AvAudioStream]:
    return [stream for stream in container.streams.audio if stream.codec_context is not None]


def claimed_duration(container: InputContainer, held: float | None) -> float | None:
    """Duration that a container claims, in seconds: what a player shows.

    A duration that FFmpeg only estimates from the bit rate is no claim.
    """
    seconds = None if container.duration is None else container.duration / av.time_base
    if container.format.name == "wav" and held is not None and held < 1:
        seconds = _wav_duration(container, seconds)
    if seconds is None or not 0 < seconds < MAX_DURATION or _is_estimate(container):
        return None
    return seconds


def _wav_duration(container: InputContainer, left: float | None) -> float | None:
    """Duration of a WAV file before it was cut, as its header has it; FFmpeg gives what is left."""
    stream, data = container.streams.audio[0], wav_data(path_of(container))
    if data is None or left is None:
        return left
    if stream.codec_context.name.startswith("pcm_") and data.byte_rate:
        return data.stated / data.byte_rate
    if data.n_samples:
        return data.n_samples / stream.codec_context.sample_rate
    return left * data.stated / data.held if data.held else None


def _sound_end(
    container: InputContainer, stream: AvAudioStream, duration: float | None, held: float | None
) -> float | None:
    """Tell where the sound track ends if all of it is there, in seconds from the start.

    None where nothing proves it: where FFmpeg takes the duration from the last stamp that there
    is, and where the sizes that a file states prove that it is whole. There a duration that the
    sound does not reach is wrong itself, like that of ADPCM in AVI.
    """
    name = container.format.name
    is_exact = stream.codec_context.name in EXACT_CODECS and name != "avi"
    is_whole = held == 1 and name in SIZED and not is_exact
    if duration is None or name in BY_STAMPS or is_whole:
        return None
    if name == "wav" or stream.duration is None or stream.time_base is None:
        return duration
    start = (container.start_time or 0) / av.time_base
    return float(((stream.start_time or 0) + stream.duration) * stream.time_base) - start


def _is_estimate(container: InputContainer) -> bool:
    """Whether the format holds no duration, so that FFmpeg divides size by bit rate.

    Of the formats that people use these are bare AAC and MP3 without a Xing, Info or VBRI header;
    that header makes FFmpeg shift the start by the encoder's delay or count frames.
    """
    if container.format.name == "mp3":
        return not _has_frame_count(path_of(container))
    return container.format.name in ESTIMATED


def _has_frame_count(path: str) -> bool:
    """Whether an MP3 begins with a frame that states how many follow."""
    with open_bytes(path) as file:
        file.seek(id3_size(file.read(ID3_HEADER_BYTES)))
        first = file.read(2048)
    return any(mark in first for mark in (b"Xing", b"Info", b"VBRI"))


def _check_claims(path: str, sr: int, n_channels: int) -> None:
    low, high = SR_RANGE_HZ
    if not low <= sr <= high:
        raise OpenError(path, f"claims a sampling rate of {sr} Hz; the header is damaged")
    if not 0 < n_channels <= MAX_CHANNELS:
        raise OpenError(path, f"claims {n_channels} channels; the header is damaged")
