"""Clips to feature rows: each clip as it is, and in changed copies.

A *take* is one version of one clip. Its rows are cached, keyed by all that changes them: the
content of its files, the settings of features and augmentation, and the seed. The cache is a
folder of ``.npz`` files; each appears whole (written beside its place, then renamed), so an
interrupted run leaves only finished takes behind, and the next one goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.config import FeatureSpec
from asmr_classify.errors import CorpusError, MediaError, OutputError
from asmr_classify.features.schema import fingerprint
from asmr_classify.features.windows import WindowRows, concatenate_rows, window_rows
from asmr_classify.labels import WHITE_NOISE
from asmr_classify.media.decode import read_audio
from asmr_classify.threads import one_thread
from asmr_classify.training.augment import AugmentSpec, augment, make_steady
from asmr_classify.training.corpus import file_sha256
from asmr_classify.training.parallel import iter_results

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from asmr_classify.training.corpus import Clip, Corpus


@dataclass(frozen=True, slots=True)
class TakeSpec:
    """Which takes are made of each clip.

    Parameters
    ----------
    copies : int
        Changed copies of each clip.
    steady_copies : int
        Changed copies of each clip of ``white_noise`` whose sound was made steady as well: few
        recordings are pure noise, and the rest have birds, drops and gusts in them.
    seed : int
    augmentation : AugmentSpec
    features : FeatureSpec
    """

    copies: int = 3
    steady_copies: int = 2
    seed: int = 0
    augmentation: AugmentSpec = field(default_factory=AugmentSpec)
    features: FeatureSpec = field(default_factory=FeatureSpec)


@dataclass(frozen=True, slots=True)
class Take:
    """One version of one clip: 0 is the clip itself, others are changed copies of it.

    Parameters
    ----------
    clip : int
        Index in the corpus.
    version : int
    steady : bool
        Made steady before it was changed.
    """

    clip: int
    version: int
    steady: bool = False


@dataclass(frozen=True, slots=True)
class TakeRows:
    """Rows of all takes of a corpus, end to end in a few large arrays that processes can share.

    Parameters
    ----------
    takes : tuple of Take
    offsets : ndarray of int64, shape (n_takes + 1,)
        Rows ``offsets[i]`` up to ``offsets[i + 1]`` belong to take ``i``.
    rows : WindowRows
    targets : ndarray of float32, shape (n_takes, n_labels)
        1 where a take holds a label.
    """

    takes: tuple[Take, ...]
    offsets: NDArray[np.int64]
    rows: WindowRows
    targets: NDArray[np.float32]

    def take_of_row(self) -> NDArray[np.int64]:
        """Index of the take that each row belongs to, shape (n_rows,)."""
        return np.repeat(np.arange(len(self.takes)), np.diff(self.offsets))

    def of(self, index: int) -> WindowRows:
        """Rows of one take."""
        inside = slice(self.offsets[index], self.offsets[index + 1])
        return WindowRows(
            self.rows.X[inside], self.rows.intervals[inside], self.rows.levels_db[inside]
        )


def plan_takes(corpus: Corpus, spec: TakeSpec) -> list[Take]:
    """List the takes of a corpus, clip by clip."""
    takes = []
    for index, clip in enumerate(corpus.clips):
        takes += [Take(index, version) for version in range(spec.copies + 1)]
        if WHITE_NOISE in clip.labels:
            first = spec.copies + 1
            takes += [Take(index, first + k, steady=True) for k in range(spec.steady_copies)]
    return takes


def compute_rows(
    corpus: Corpus,
    takes: list[Take],
    spec: TakeSpec,
    *,
    cache: Path | None = None,
    jobs: int = -1,
    on_progress: Callable[[int, int], None] | None = None,
) -> TakeRows:
    """Compute the rows of all takes, or read them from the cache.

    Parameters
    ----------
    corpus : Corpus
    takes : list of Take
    spec : TakeSpec
    cache : path, optional
        Folder that keeps rows from run to run.
    jobs : int
        Processes; -1 for one per core.
    on_progress : callable, optional
        Called with the takes done and their total.

    Returns
    -------
    TakeRows

    Raises
    ------
    CorpusError
        If a clip cannot be decoded.
    OutputError
        If the cache cannot be written.
    """
    from joblib import delayed

    keys = _take_keys(corpus, takes, spec)
    tasks = (
        delayed(_take_rows)(
            corpus.clips[take.clip],
            take,
            spec,
            None if cache is None else cache / f"{key}.npz",
        )
        for take, key in zip(takes, keys, strict=True)
    )
    parts = []
    for done, part in enumerate(iter_results(tasks, jobs=jobs, batch_size=16), start=1):
        parts.append(part)
        if on_progress is not None:
            on_progress(done, len(takes))
    return TakeRows(
        tuple(takes),
        np.cumsum([0, *(len(part.X) for part in parts)]),
        concatenate_rows(parts),
        _targets(corpus, takes),
    )


def _targets(corpus: Corpus, takes: list[Take]) -> NDArray[np.float32]:
    targets = np.zeros((len(takes), len(corpus.labels)), dtype=np.float32)
    for row, take in enumerate(takes):
        held = corpus.clips[take.clip].labels
        targets[row] = [label in held for label in corpus.labels]
    return targets


def _take_keys(corpus: Corpus, takes: list[Take], spec: TakeSpec) -> list[str]:
    settings = json.dumps([fingerprint(spec.features), asdict(spec.augmentation)])
    content = [clip.sha256 or file_sha256(clip.path) for clip in corpus.clips]
    keys = []
    for take in takes:
        parts = [settings, content[take.clip], str(take.version)]
        if corpus.clips[take.clip].span:
            parts.append(str(corpus.clips[take.clip].span))
        if take.version:
            parts += [str(spec.seed), str(take.clip)]
        if take.steady:
            parts.append("steady")
        keys.append(hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32])
    return keys


def _take_rows(clip: Clip, take: Take, spec: TakeSpec, path: Path | None) -> WindowRows:
    if path is not None and path.is_file():
        with np.load(path, allow_pickle=False) as saved:
            return WindowRows(saved["X"], saved["intervals"], saved["levels_db"])
    y = _sound(clip, spec)
    if take.version:
        rng = np.random.default_rng([spec.seed, take.clip, take.version])
        if take.steady:
            y = make_steady(y, rng)
        y = augment(y, spec.features.frames.sr, rng, spec.augmentation)
    with one_thread():
        rows = window_rows(y, spec.features)
    if path is not None:
        _save_rows(rows, path)
    return rows


def _sound(clip: Clip, spec: TakeSpec) -> NDArray[np.float32]:
    sr = spec.features.frames.sr
    try:
        y = read_audio(clip.path, sr=sr)
    except MediaError as exc:
        raise CorpusError(f"{exc}; take the clip out of the manifest") from exc
    first, last = (round(seconds * sr) for seconds in clip.span or (0, 0))
    # A file that ends before its span does was cut to the span already.
    return y[first:last] if first < last <= len(y) else y


def _save_rows(rows: WindowRows, path: Path) -> None:
    scratch = path.with_name(f"{path.stem}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            np.savez(file, X=rows.X, intervals=rows.intervals, levels_db=rows.levels_db)
        scratch.replace(path)
    except OSError as exc:
        scratch.unlink(missing_ok=True)
        raise OutputError(f"{path.parent}: cannot write the cache: {exc.strerror}") from exc
