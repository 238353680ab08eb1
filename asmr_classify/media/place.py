"""Where in a recording its sound stands: decoded frames, put at the times that a player shows.

A player counts from the start of the container, and plays each frame when its stamp says. So
before sound that begins late there is silence, as there is where packets were lost or a recorder
paused; what a stamp puts before the start is not played. Frames of silence are put between those
of sound, in the same format, so that all that counts samples behind this tells a player's times.

The frames of a lossless file may be numbered by samples, without a gap: there any jump is a loss.

Stamps are not always to be believed. Those of containers that hold none are counted by FFmpeg
(in AVI wrongly so where packets differ in length): sound begins with the file there, and only what
is known to be lost leaves a gap. A jump is a gap if the next frame
agrees, if it lies within what the container claims to last, and if the file has bytes enough for
so long a recording. After other jumps, and where stamps begin anew, sound goes on where it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import av
import av.format

from asmr_classify.media.flac import first_header, first_sample
from asmr_classify.media.opening import path_of

if TYPE_CHECKING:
    from collections.abc import Iterator

STAMPED = frozenset(
    "asf flv gxf matroska,webm mov,mp4,m4a,3gp,3g2,mj2 mpeg mpegts mxf nut ogg rm wtv".split()
)
"""Formats, by FFmpeg's names, whose packets state when they are to be heard."""

MISSTAMPED = frozenset({("asf", "flac")})
"""FFmpeg cuts these packets anew, and stamps the frames with the times of later ones."""

NUMBERED = frozenset({"flac", "tta", "wv"})
"""Formats of one lossless recording, whose stamps number its samples."""

TOLERANCE = 0.045
"""Seconds by which sound may begin late or early without being moved: from there on people see
that it leads the picture (ITU-R BT.1359). Codecs and containers are off by some milliseconds."""

DRIFT = 0.1
"""Seconds by which sound and stamps may differ further on: containers round, clocks of cameras
and sound cards differ, and each correction is a hole in what may be steady sound."""

EXACT_DRIFT = 0.001
"""The same where frames are numbered by samples, none of which a whole file lacks."""

LONGEST_JUMP = 10.0
"""Seconds; a longer jump, in formats in which stamps may begin anew, is no gap. FFmpeg's own
players think so (``-dts_delta_threshold``)."""

LONGEST_OVERLAP = 1.0
"""Seconds of sound at most that are left out, so that what follows is in time; stamps that step
further back begin anew."""

CUT_SHARE = 0.01
"""Share of a recording that is left out at most for overlaps; stamps that want more are wrong."""

LEAST_BYTES_PER_SECOND = 10
"""No recording is smaller; a header that claims more time than that is damaged. The headers of
frames alone take more, be it one a second."""

FREE_SECONDS = 60.0
"""So many seconds a recording may last whatever its size."""

MOST_PLANES = 8
"""PyAV gives no more channels than these where each lies by itself."""

LONGEST_LOST = 1.0
"""Seconds that a packet which cannot be decoded may have held; longer ones are damaged headers."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The time axis of a container, and how far its stamps can be believed.

    Parameters
    ----------
    tick : float
        Seconds of which stamps count.
    origin : float
        Stamp of the container's start, in seconds.
    end : float
        Seconds behind which there can be no sound.
    is_stamped : bool
        Whether its packets state when they are to be heard.
    may_restart : bool
        Whether stamps may begin anew within a file.
    is_exact : bool
        Whether stamps number the samples, all of which a whole file holds.
    """

    tick: float
    origin: float
    end: float
    is_stamped: bool
    may_restart: bool
    is_exact: bool = False

    @classmethod
    def of(cls, container: Any, stream: Any, duration: float | None) -> Axis:
        """Describe that of a stream; the container claims to last so long, or makes no claim."""
        name = container.format.name
        is_exact = name in NUMBERED and duration is not None
        end = FREE_SECONDS + container.size / LEAST_BYTES_PER_SECOND
        return cls(
            tick=float(stream.time_base or 0),
            origin=_origin_of(container, stream),
            end=end if duration is None else min(end, duration),
            is_stamped=is_exact
            or (name in STAMPED and (name, stream.codec_context.name) not in MISSTAMPED),
            may_restart=bool(av.format.Flags.ts_discont & av.format.Flags(container.format.flags)),
            is_exact=is_exact,
        )


def _origin_of(container: Any, stream: Any) -> float:
    """Give the stamp of the container's start, in seconds."""
    if container.format.name == "flac":
        streaminfo = stream.codec_context.extradata or b""
        number = first_sample(first_header(path_of(container)), streaminfo)
        if number is not None:
            return float(number * stream.time_base)
    return float(container.start_time or 0) / av.time_base


class Placer:
    """Puts the frames of one sound track in their places.

    Attributes
    ----------
    end : float
        Seconds from the start of the container to the end of what was placed.
    missing : float
        Seconds of silence that were put between sound, for what is not there; also before it
        where all that is there is numbered.
    n_samples : int
        Samples of sound that were placed, without that silence.
    is_restarted : bool
        Whether stamps could not be followed, so that the container's times mean little.
    """

    def __init__(self, axis: Axis) -> None:
        self.end = 0.0
        self.missing = 0.0
        self.n_samples = 0
        self.is_restarted = False
        self._axis = axis
        self._tick = axis.tick if axis.is_stamped else None
        self._drift = EXACT_DRIFT if axis.is_exact else DRIFT
        self._shift = -axis.origin
        self._lost = 0.0
        self._cut = 0.0
        self._stamp = -math.inf
        self._suspect: av.AudioFrame | None = None

    def place(self, frame: av.AudioFrame) -> Iterator[av.AudioFrame]:
        """Take the next frame, and give what comes next in time.

        Parameters
        ----------
        frame : av.AudioFrame

        Yields
        ------
        av.AudioFrame
            It, or an earlier one that was held back, or silence.
        """
        at = self._believe(frame)
        if self._suspect is not None:
            yield from self._settle(self._suspect, at)
        if not self.n_samples:
            yield from self._begin(frame, self._lost if at is None else at)
        elif at is None:
            yield from self._append(frame, self._lost)
        elif at - self.end > self._drift:
            self._suspect = frame
        elif at - self.end < -self._drift:
            yield from self._overlap(frame, self.end - at)
        else:
            yield from self._append(frame, min(self._lost, max(0.0, at - self.end)))

    def follows(self, frame: av.AudioFrame) -> bool:
        """Tell whether a frame comes right after the one before, and count it if so.

        Nearly all do, and to ask here is faster.
        """
        if self._lost or self._suspect is not None or not self.n_samples:
            return False
        if self._tick is not None:
            pts = frame.pts
            if pts is None:
                return False
            stamp = pts * self._tick
            late = stamp + self._shift - self.end
            if not -self._drift <= late <= self._drift or stamp <= self._stamp:
                return False
            self._stamp = stamp
        n_samples = frame.samples
        self.n_samples += n_samples
        self.end += n_samples / frame.sample_rate
        return True

    def lose(self, seconds: float) -> None:
        """Note that a packet of so many seconds cannot be decoded."""
        self._lost += min(max(0.0, seconds), LONGEST_LOST)

    def finish(self) -> Iterator[av.AudioFrame]:
        """Give what is still held back."""
        if self._suspect is not None:
            yield from self._settle(self._suspect, None)

    def _believe(self, frame: av.AudioFrame) -> float | None:
        """Tell when a frame is to be heard; None if its stamp cannot be right.

        One that does not go on from the one before says nothing: in some files all are the same.
        """
        at = self._time_of(frame) if self._axis.is_stamped else None
        if at is None:
            return None
        before, self._stamp = self._stamp, at - self._shift
        return at if self._stamp > before else None

    def _time_of(self, frame: av.AudioFrame) -> float | None:
        pts = frame.pts
        return None if pts is None else pts * self._axis.tick + self._shift

    def _begin(self, frame: av.AudioFrame, at: float) -> Iterator[av.AudioFrame]:
        """Place the first frame."""
        if at < -TOLERANCE and at > -LONGEST_OVERLAP - frame.samples / frame.sample_rate:
            yield from self._append(_without_first(frame, -at), 0.0)
        elif TOLERANCE < at <= self._axis.end:
            yield from self._append(frame, at)
        else:
            self._restart(at, TOLERANCE)
            yield from self._append(frame, 0.0)

    def _settle(self, suspect: av.AudioFrame, following: float | None) -> Iterator[av.AudioFrame]:
        """Place a frame that came late, now that it is known what the next one says."""
        self._suspect = None
        gap = (self._time_of(suspect) or 0.0) - self.end
        after = self.end + gap + suspect.samples / suspect.sample_rate
        agrees = self._goes_on(after, following)
        is_jump = self._axis.may_restart and gap > LONGEST_JUMP
        if agrees and not is_jump and self.end + gap <= self._axis.end:
            yield from self._append(suspect, gap)
            return
        if agrees:
            self._restart(self.end + gap, self._drift)
        yield from self._append(suspect, min(self._lost, gap))

    def _goes_on(self, after: float, following: float | None) -> bool:
        """Tell whether what comes next stands behind a frame as if that were in its place.

        Where samples are numbered, more may be lost behind it.
        """
        if self._axis.is_exact:
            return following is None or following >= after - self._drift
        return following is not None and abs(following - after) <= self._drift

    def _overlap(self, frame: av.AudioFrame, overlap: float) -> Iterator[av.AudioFrame]:
        """Place a frame whose stamp says that it begins before the one before it ends."""
        n_left_out = min(frame.samples, round(overlap * frame.sample_rate))
        self._cut += n_left_out / frame.sample_rate
        if overlap <= LONGEST_OVERLAP and self._cut <= LONGEST_OVERLAP + CUT_SHARE * self.end:
            yield from self._append(_without_first(frame, overlap), 0.0)
        else:
            self._restart(self.end - overlap, self._drift)
            yield from self._append(frame, 0.0)

    def _restart(self, at: float, tolerance: float) -> None:
        """Let stamps mean from here on that sound goes on where it was."""
        self._shift += self.end - at
        self.is_restarted = self.is_restarted or abs(self.end - at) > tolerance

    def _append(self, frame: av.AudioFrame | None, gap: float) -> Iterator[av.AudioFrame]:
        """Give a frame, after so many seconds of silence."""
        self._lost = 0.0
        if frame is None:
            return
        sr = frame.sample_rate
        n_silent = round(gap * sr)
        self.missing += n_silent / sr if self.n_samples or self._axis.is_exact else 0.0
        for first in range(0, n_silent, sr):
            yield _silence(frame, min(sr, n_silent - first))
        self.n_samples += frame.samples
        self.end += (n_silent + frame.samples) / sr
        yield frame


def _silence(like: av.AudioFrame, n_samples: int) -> av.AudioFrame:
    """Make a frame of digital silence in the format of another."""
    kind = like.format
    if kind.is_planar and like.layout.nb_channels > MOST_PLANES:
        kind = kind.packed
    silence = _new_frame(like, kind.name, n_samples)
    zero = b"\x80" if kind.name.startswith("u8") else b"\0"
    for plane in _planes(silence):
        plane.update(zero * plane.buffer_size)
    return silence


def _without_first(frame: av.AudioFrame, seconds: float) -> av.AudioFrame | None:
    """Leave out the beginning of a frame; None if nothing is left."""
    first, n_channels = round(seconds * frame.sample_rate), frame.layout.nb_channels
    if first >= frame.samples:
        return None
    if frame.format.is_planar and n_channels > MOST_PLANES:
        return frame
    rest = _new_frame(frame, frame.format.name, frame.samples - first)
    width = frame.format.bytes * (1 if frame.format.is_planar else n_channels)
    for plane, whole in zip(_planes(rest), _planes(frame), strict=True):
        plane.update(bytes(whole)[first * width : frame.samples * width])
    return rest


def _new_frame(like: av.AudioFrame, kind: str, n_samples: int) -> av.AudioFrame:
    frame = av.AudioFrame(format=kind, layout=like.layout.name, samples=n_samples)
    frame.sample_rate = like.sample_rate
    return frame


def _planes(frame: av.AudioFrame) -> tuple[Any, ...]:
    return frame.planes[: frame.layout.nb_channels if frame.format.is_planar else 1]
