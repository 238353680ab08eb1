"""A stretch as it is heard and drawn.

Browsers do not play everything. What they play, and can find the place of a stretch in, is given
as it is; of all else the stretch is decoded, and given as WAV, which every browser plays.
"""

from __future__ import annotations

import base64
import io
import os
import tempfile
import threading
import wave
from contextlib import suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from asmr_classify.media.probe import probe
from asmr_classify.media.stretch import read_stretch
from asmr_classify.review.stretches import LONGEST

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray

    from asmr_classify.review.stretches import Key, Stretch

TYPES = {
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "mp4": "audio/mp4",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "wav": "audio/wav",
    "weba": "audio/webm",
    "webm": "audio/webm",
}
"""Media types, by extension, that browsers may play and find a time in exactly."""

SHORT_TYPES = {**TYPES, "mp3": "audio/mpeg"}
"""Of recordings that are one stretch: in longer MP3 files browsers guess where a time is."""

HIGHEST_SR = 48000
"""In Hz: what loudspeakers play."""

KEPT = 64
"""Stretches that are kept as WAV, of 2 MB each at most."""

COLUMNS = 400
"""Columns of a spectrogram at most: two pixels each on a wide screen."""

RANGE_DB = 70.0
"""From the darkest to the brightest of a spectrogram, below its highest."""


def media_type(stretch: Stretch) -> str | None:
    """Tell as what a browser may play the recording itself; None where it should not try."""
    types = SHORT_TYPES if stretch.duration <= LONGEST else TYPES
    return types.get(PurePath(stretch.path).suffix.lstrip(".").lower())


def make_wav(stretch: Stretch) -> bytes:
    """Decode a stretch to a WAV file of 16 bits; one channel stays one, as loud as it is.

    Raises
    ------
    MediaError
        If it cannot be decoded.
    """
    info = probe(stretch.path)
    sr = min(info.sr, HIGHEST_SR)
    layout: Literal["mono", "stereo"] = "mono" if info.n_channels == 1 else "stereo"
    y = np.atleast_2d(read_stretch(stretch.path, stretch.start, stretch.end, sr=sr, layout=layout))
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((len(y), 2, sr, 0, "NONE", "NONE"))
        file.writeframes(np.round(32767 * y.T.clip(-1, 1)).astype("<i2").tobytes())
    return content.getvalue()


def draw(stretch: Stretch) -> dict[str, Any]:
    """Compute the waveform and the mel spectrogram of a stretch.

    Returns
    -------
    dict
        ``peaks`` as :func:`~asmr_classify.report.waveforms.draw_peaks` gives them, and ``mel``, a
        byte a band and column with the lowest band first, both in base64; ``bands``.

    Raises
    ------
    MediaError
        If it cannot be decoded.
    """
    from asmr_classify.config import ANALYSIS_SR, FrameSpec
    from asmr_classify.features.frames import analyse
    from asmr_classify.report.waveforms import PIECE, draw_peaks
    from asmr_classify.units import seconds_to_samples

    spec = FrameSpec()
    y = read_stretch(stretch.path, stretch.start, stretch.end)
    step = seconds_to_samples(PIECE, ANALYSIS_SR)
    peaks = draw_peaks(np.maximum.reduceat(np.abs(y), np.arange(0, y.size, step)))
    logmel = analyse(np.pad(y, (0, max(0, spec.n_fft - y.size))), spec).logmel
    mel = _brightness(logmel)
    return {"peaks": _base64(peaks), "mel": _base64(mel.tobytes()), "bands": spec.n_mels}


def _brightness(logmel: NDArray[np.float32]) -> NDArray[np.uint8]:
    columns = min(len(logmel), COLUMNS)
    drawn = np.maximum.reduceat(logmel, np.arange(columns) * len(logmel) // columns)
    level = 1 + (drawn - drawn.max()) / RANGE_DB
    return np.asarray(np.round(255 * level.clip(0, 1)), dtype=np.uint8)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


class Sounds:
    """Stretches as WAV files in a folder that is gone in the end; the last few are kept."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(
            prefix="asmr-classify-", ignore_cleanup_errors=True
        )
        self._kept: dict[Key, Path] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    def wav(self, number: int, stretch: Stretch) -> Path:
        """Give the file of a stretch, and make it if need be.

        Raises
        ------
        MediaError
            If it cannot be decoded.
        """
        with self._lock:
            kept = self._kept.get(stretch.key)
        if kept is not None:
            return kept
        content = make_wav(stretch)
        handle, name = tempfile.mkstemp(f".{number}.wav", dir=self._folder.name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        with self._lock:
            self._kept[stretch.key] = Path(name)
            if len(self._kept) > KEPT:
                oldest = self._kept.pop(next(iter(self._kept)))
                with suppress(OSError):  # being sent, where that forbids to remove it
                    oldest.unlink()
        return Path(name)
