"""A pretrained network that teaches: what it thinks of each clip.

Networks that heard millions of clips know sounds of which a corpus has a few. They are too large,
or too slow, to label with; but what one thinks of a clip needs no label, and a
:mod:`student <asmr_classify.training.student>` learns to say it from the package's own columns.
The teacher is asked while training and never again; nothing of it is in the model file.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.checksums import file_sha256
from asmr_classify.errors import MissingExtraError, UsageError
from asmr_classify.features.cache import kept_array
from asmr_classify.threads import one_thread
from asmr_classify.training.parallel import iter_results
from asmr_classify.training.takes import clip_sound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from asmr_classify.config import WindowSpec
    from asmr_classify.training.corpus import Clip

    Array = NDArray[np.float32]

TEACHER_SR = 16000
"""Rate in Hz of what networks for AudioSet hear."""

TEACHER_RMS = 0.08
"""To which the sound of a clip is brought as a whole: our columns do not know its level either."""

LEAST_SCORE = 1e-5
"""Scores are kept that far from 0 and 1: what a network is surer of tells nothing more."""

OPINION_VERSION = 1
"""Raised when the same teacher is asked in another way."""


class Teacher:
    """A network in the TFLite format that maps mono sound at 16 kHz to scores of classes.

    Parameters
    ----------
    path : path
        Such as that of YAMNet [1]_: its input is a vector of samples, 0.975 s of them, and its
        first output one score in [0, 1] for each of 521 classes.

    Raises
    ------
    MissingExtraError
        If the library that runs it is not installed.
    UsageError
        If the file holds no such network.

    References
    ----------
    .. [1] Gemmeke et al. (2017), Audio Set: an ontology and human-labeled dataset for audio
       events. ICASSP; the network is published at https://tfhub.dev/google/yamnet.
    """

    def __init__(self, path: str) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as exc:
            raise MissingExtraError(
                "a teacher needs LiteRT, which there is for Linux and macOS: "
                "pip install 'asmr-classify[teacher]'"
            ) from exc
        try:
            self._network = Interpreter(path, num_threads=1)
            self._network.allocate_tensors()
            (given,) = self._network.get_input_details()
            told, *_ = self._network.get_output_details()
        except (ValueError, RuntimeError, OSError) as exc:
            raise UsageError(
                f"--teacher {path}: not a network in the TFLite format ({exc})"
            ) from exc
        shape = tuple(int(size) for size in given["shape"])
        if not shape or int(np.prod(shape)) != shape[-1] or given["dtype"] != np.float32:
            raise UsageError(
                f"--teacher {path}: takes an input of shape {shape}; expected is a "
                f"network of one vector of samples at {TEACHER_SR} Hz, such as YAMNet"
            )
        self._given, self._told = given["index"], told["index"]
        self._shape, self.n_samples = shape, shape[-1]

    def scores(self, y: Array) -> Array:
        """Score a stretch.

        Parameters
        ----------
        y : ndarray of float32, shape (n_samples,)

        Returns
        -------
        ndarray of float32, shape (n_classes,), in [0, 1]
        """
        self._network.set_tensor(self._given, y.reshape(self._shape))
        self._network.invoke()
        return np.asarray(self._network.get_tensor(self._told), dtype=np.float32).ravel()

    def opinion(self, y: Array, windows: WindowSpec) -> Array:
        """Say of each window of a recording what sounds in it.

        Parameters
        ----------
        y : ndarray of float32, shape (n_samples,), mono at ``TEACHER_SR``
        windows : WindowSpec

        Returns
        -------
        ndarray of float32, shape (n_windows, n_classes)
            Logits, of the mean score of stretches that begin at the window's start and each half
            second on, as long as a second of it follows.
        """
        y = y * np.float32(TEACHER_RMS / (float(np.sqrt(np.mean(np.square(y)))) + 1e-9))
        y = np.clip(y, -1, 1).astype(np.float32)
        seconds = len(y) / TEACHER_SR
        last = max(seconds - windows.duration, 0.0)
        starts = [*np.arange(0, last + 1e-6, windows.hop)]
        if last - starts[-1] > 1e-3:
            starts.append(last)
        padded = np.pad(y, (0, self.n_samples))
        logits = []
        for start in starts:
            end = min(start + windows.duration, seconds)
            offsets = np.arange(0, max(end - start - 1, 0) + 1e-6, 0.5)
            firsts = np.round((start + offsets) * TEACHER_SR).astype(int)
            stretches = (padded[first : first + self.n_samples] for first in firsts)
            told = np.mean([self.scores(stretch) for stretch in stretches], axis=0)
            told = np.clip(told, LEAST_SCORE, 1 - LEAST_SCORE)
            logits.append(np.log(told / (1 - told)))
        return np.array(logits, dtype=np.float32)


def ask_teacher(  # noqa: PLR0913 (options by name)
    clips: Sequence[Clip],
    teacher: Path,
    windows: WindowSpec,
    *,
    cache: Path | None = None,
    cache_needed: bool = True,
    jobs: int = -1,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Array]:
    """Ask a teacher about clips, or read from the cache what it said.

    Parameters
    ----------
    clips : sequence of Clip
    teacher : path
    windows : WindowSpec
    cache : path, optional
        Folder that keeps opinions from run to run.
    cache_needed : bool
        Whether it is an error if that cannot be written; else opinions are not kept.
    jobs : int
        Processes; -1 for one per core.
    on_progress : callable, optional
        Called with the clips done and their total.

    Returns
    -------
    list of ndarray of float32, each of shape (n_windows, n_classes)
        Logits; a list of none where there is no clip.

    Raises
    ------
    UsageError
        If there is no such file, or it holds no network that can teach.
    CorpusError
        If a clip cannot be decoded.
    OutputError
        If the cache is needed and cannot be written.
    """
    from joblib import delayed

    open_teacher(teacher)
    digest = file_sha256(teacher)
    tasks = (
        delayed(_opinion)(clip, str(teacher), digest, windows, cache, cache_needed)
        for clip in clips
    )
    opinions = []
    for done, opinion in enumerate(iter_results(tasks, jobs=jobs, batch_size=16), start=1):
        opinions.append(opinion)
        if on_progress is not None:
            on_progress(done, len(clips))
    return opinions


def open_teacher(path: Path) -> Teacher:
    """Open a teacher, if there is one that can teach.

    Raises
    ------
    MissingExtraError, UsageError
        If there is none.
    """
    if not path.is_file():
        raise UsageError(f"--teacher {path}: no such file")
    return Teacher(str(path))


def _opinion(
    clip: Clip,
    teacher: str,
    digest: str,
    windows: WindowSpec,
    cache: Path | None,
    cache_needed: bool,  # noqa: FBT001 (private)
) -> Array:
    """Ask about one clip, or read from the cache what was said."""
    parts = (digest, OPINION_VERSION, clip.sha256 or file_sha256(clip.path), clip.span, windows)
    name = hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]
    place = None if cache is None else cache / f"{name}.opinion.npz"

    def listen() -> NDArray[np.float16]:
        y = clip_sound(clip, TEACHER_SR)
        with one_thread():
            return _teacher(teacher).opinion(y, windows).astype(np.float16)

    return kept_array(place, "opinion", listen, needed=cache_needed).astype(np.float32)


@lru_cache(maxsize=1)
def _teacher(path: str) -> Teacher:
    return Teacher(path)
