"""Clips to feature rows: each clip as it is, in changed copies, and in scenes with others.

A *take* is one version of one clip, a scene of clips of one fold, or noise that is made here and
belongs to a fold as well. Its rows are cached, keyed by all that changes them: the content of its
files, the settings of features and augmentation, and the seed. The cache is a folder of ``.npz``
files; each appears whole (written beside its place, then renamed), so an interrupted run leaves
only finished takes behind, and the next one goes on from there.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.checksums import file_sha256
from asmr_classify.config import FeatureSpec
from asmr_classify.errors import CorpusError, MediaError, OutputError
from asmr_classify.features.cache import kept_arrays, save_arrays
from asmr_classify.features.edges import CONTEXT_SECONDS, POINTS_PER_SECOND
from asmr_classify.features.schema import fingerprint
from asmr_classify.features.windows import WindowRows, concatenate_rows, window_rows
from asmr_classify.labels import WHITE_NOISE
from asmr_classify.media.decode import read_audio
from asmr_classify.threads import one_thread
from asmr_classify.training.augment import AugmentSpec, augment, coloured_noise, make_steady
from asmr_classify.training.parallel import iter_results
from asmr_classify.training.scenes import (
    AUDIBLE_DB,
    FADED_DB,
    MASKED_DB,
    Palette,
    SceneSpec,
    held_in_windows,
    make_scene,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from asmr_classify.training.corpus import Clip, Corpus


MOST_SCENES = 2
"""Scenes for each clip: more of the same clips tell little that is new."""

NOISE_SHARE = 0.2
"""Noise takes for each clip, at most: a small corpus is not to be one of noise."""

NOISE_SECONDS = 5.0
"""As long as most clips of public data sets; longer noise is more of the same."""

NOISE_RMS = 0.05
"""Features do not depend on it; far over the level that counts as silence."""

SAVED = tuple(f.name for f in fields(WindowRows))
"""What the cache keeps of rows."""


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
    scenes : int
        Scenes a fold, see :mod:`asmr_classify.training.scenes`: whispering over rain is in no
        corpus of single clips. At most two for each clip of the fold.
    noises : int
        Takes of white to brown noise a fold, every other one changed as copies are: what people
        play to sleep is often generated, and what is recorded is never as flat. From 24 to 100
        did alike. At most one for five clips of the fold, and none where ``white_noise`` is no
        label.
    seed : int
    augmentation : AugmentSpec
    scene : SceneSpec
    features : FeatureSpec
    """

    copies: int = 2
    steady_copies: int = 2
    scenes: int = 400
    noises: int = 48
    seed: int = 0
    augmentation: AugmentSpec = field(default_factory=AugmentSpec)
    scene: SceneSpec = field(default_factory=SceneSpec)
    features: FeatureSpec = field(default_factory=FeatureSpec)


class TakeKind(StrEnum):
    """How a take is made."""

    ORIGINAL = "original"
    COPY = "copy"
    STEADY = "steady"
    SCENE = "scene"
    NOISE = "noise"


OF_CLIPS = (TakeKind.ORIGINAL, TakeKind.COPY)
"""Kinds whose windows hold what their clip holds, in all that can be heard of it."""

OF_FOLDS = (TakeKind.SCENE, TakeKind.NOISE)
"""Kinds that belong to a fold rather than to a clip."""


@dataclass(frozen=True, slots=True)
class Take:
    """One version of a clip, a scene, or noise.

    Parameters
    ----------
    kind : TakeKind
    clips : tuple of int
        Indices in the corpus: the clip, or all clips of the fold that a take belongs to.
    version : int
        Tells takes of one kind and the same clips apart.
    """

    kind: TakeKind
    clips: tuple[int, ...]
    version: int = 0


@dataclass(frozen=True, slots=True)
class TakeRows:
    """Rows of all takes of a corpus, end to end in a few large arrays that processes can share.

    Parameters
    ----------
    takes : tuple of Take
    offsets : ndarray of int64, shape (n_takes + 1,)
        Rows ``offsets[i]`` up to ``offsets[i + 1]`` belong to take ``i``.
    rows : WindowRows
    targets : ndarray of float32, shape (n_rows, n_labels)
        1 where a window holds a label: of a clip all that the clip holds, of a scene what is heard
        in the window, of noise ``white_noise``.
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
        return self.rows.where(inside)


def plan_takes(corpus: Corpus, folds: NDArray[np.int64], spec: TakeSpec) -> list[Take]:
    """List the takes of a corpus, clip by clip, then those of each fold.

    Parameters
    ----------
    corpus : Corpus
    folds : ndarray of int64, shape (n_clips,)
        A scene draws from one fold, and noise belongs to one, to be left out with it.
    spec : TakeSpec
    """
    takes = []
    for index, clip in enumerate(corpus.clips):
        takes.append(Take(TakeKind.ORIGINAL, (index,)))
        takes += [Take(TakeKind.COPY, (index,), 1 + k) for k in range(spec.copies)]
        if WHITE_NOISE in clip.to_fit:
            first = spec.copies + 1
            takes += [Take(TakeKind.STEADY, (index,), first + k) for k in range(spec.steady_copies)]
    for fold in np.unique(folds):
        clips = tuple(int(k) for k in np.flatnonzero(folds == fold))
        n_scenes = min(spec.scenes, MOST_SCENES * len(clips))
        takes += [Take(TakeKind.SCENE, clips, k) for k in range(n_scenes)]
        if WHITE_NOISE in corpus.labels:
            n_noises = min(spec.noises, int(NOISE_SHARE * len(clips)))
            takes += [Take(TakeKind.NOISE, clips, k) for k in range(n_noises)]
    return takes


def compute_rows(  # noqa: PLR0913 (options by name)
    corpus: Corpus,
    takes: list[Take],
    spec: TakeSpec,
    *,
    cache: Path | None = None,
    cache_needed: bool = True,
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
    cache_needed : bool
        Whether it is an error if that cannot be written; else rows are not kept.
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
        If the cache is needed and cannot be written.
    """
    from joblib import delayed

    keys = _take_keys(corpus, takes, spec)
    places = (None if cache is None else cache / f"{key}.npz" for key in keys)
    tasks = (
        delayed(_take_rows)(corpus, take, spec, place, place_needed=cache_needed)
        for take, place in zip(takes, places, strict=True)
    )
    parts, targets = [], []
    for done, (part, held) in enumerate(iter_results(tasks, jobs=jobs, batch_size=16), start=1):
        parts.append(part)
        targets.append(held)
        if on_progress is not None:
            on_progress(done, len(takes))
    return TakeRows(
        tuple(takes),
        np.cumsum([0, *(len(part.X) for part in parts)]),
        concatenate_rows(parts),
        np.concatenate(targets),
    )


def kept_clips(corpus: Corpus, spec: TakeSpec, cache: Path | None) -> list[bool]:
    """Tell of which clips, as they are, a cache keeps rows: these have been decoded before."""
    if cache is None or not cache.is_dir():
        return [False] * len(corpus.clips)

    def is_kept(clip: Clip) -> bool:
        try:
            key = _key([TakeKind.ORIGINAL, "0", _content(clip), _of_features(spec)])
        except OSError:  # whoever decodes it tells
            return False
        return (cache / f"{key}.npz").is_file()

    return [is_kept(clip) for clip in corpus.clips]


def clip_targets(corpus: Corpus, *, to_fit: bool = False) -> NDArray[np.float32]:
    """Tell which labels each clip holds.

    Parameters
    ----------
    corpus : Corpus
    to_fit : bool
        Whether as corrected.

    Returns
    -------
    ndarray of float32, shape (n_clips, n_labels)
        1 or 0.
    """
    of_clips = [clip.to_fit if to_fit else clip.labels for clip in corpus.clips]
    held = [[label in labels for label in corpus.labels] for labels in of_clips]
    return np.array(held, dtype=np.float32)


def _take_keys(corpus: Corpus, takes: list[Take], spec: TakeSpec) -> list[str]:
    """Name each take by all that changes its rows."""
    of_features = _of_features(spec)
    of_copies = json.dumps([of_features, asdict(spec.augmentation), spec.seed])
    heard = (AUDIBLE_DB, MASKED_DB, FADED_DB)
    of_scenes = json.dumps([of_features, asdict(spec.scene), spec.seed, corpus.labels, heard])
    contents = [_content(clip) for clip in corpus.clips]
    labelled = [
        f"{content} {clip.to_fit} {clip.group}"
        for content, clip in zip(contents, corpus.clips, strict=True)
    ]
    keys = []
    for take in takes:
        parts = [take.kind, str(take.version)]
        if take.kind is TakeKind.SCENE:
            parts += [of_scenes, *(labelled[k] for k in take.clips)]
        elif take.kind is TakeKind.NOISE:
            parts += [of_copies, str(take.clips[0]), str((NOISE_SECONDS, NOISE_RMS))]
        else:
            (clip,) = take.clips
            original = take.kind is TakeKind.ORIGINAL
            parts += [contents[clip], *([of_features] if original else [of_copies, str(clip)])]
        keys.append(_key(parts))
    return keys


def _key(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _content(clip: Clip) -> str:
    return f"{clip.sha256 or file_sha256(clip.path)} {clip.span}"


def _of_features(spec: TakeSpec) -> str:
    rest = (*SAVED, POINTS_PER_SECOND, CONTEXT_SECONDS)
    return " ".join(map(str, (fingerprint(spec.features), *rest)))


def _take_rows(
    corpus: Corpus, take: Take, spec: TakeSpec, path: Path | None, *, place_needed: bool
) -> tuple[WindowRows, NDArray[np.float32]]:
    """Compute the rows of a take and what each holds, or read them from the cache."""
    saved = kept_arrays(path)
    if saved is not None:
        rows = WindowRows(**{name: saved[name] for name in SAVED})
        held = saved["held"]
    elif take.kind is TakeKind.SCENE:
        rows, held = _scene_rows(corpus, take, spec)
    else:
        with one_thread():
            rows = window_rows(take_sound(corpus, take, spec), spec.features)
        held = np.zeros(0, dtype=np.float32)
    if path is not None and saved is None:
        try:
            save_arrays(path, held=held, **{name: getattr(rows, name) for name in SAVED})
        except OutputError:
            if place_needed:
                raise
    if take.kind is not TakeKind.SCENE:  # what a clip holds is no part of its sound
        of_clip = corpus.clips[take.clips[0]].to_fit
        to_fit = (WHITE_NOISE,) if take.kind is TakeKind.NOISE else of_clip
        held = np.array([label in to_fit for label in corpus.labels], dtype=np.float32)
        held = np.tile(held, (len(rows.X), 1))
    return rows, held


def take_sound(corpus: Corpus, take: Take, spec: TakeSpec) -> NDArray[np.float32]:
    """Load a clip, changed as its take wants it, or make noise.

    Parameters
    ----------
    corpus : Corpus
    take : Take
        No scene.
    spec : TakeSpec

    Returns
    -------
    ndarray of float32, shape (n_samples,), mono at the analysis rate
    """
    sr = spec.features.frames.sr
    index = take.clips[0]
    rng = np.random.default_rng([spec.seed, index, take.version])
    if take.kind is TakeKind.NOISE:
        y = coloured_noise(round(NOISE_SECONDS * sr), rng)
        y *= np.float32(NOISE_RMS / y.std())
    else:
        y = clip_sound(corpus.clips[index], sr)
    if take.kind is TakeKind.STEADY:
        y = make_steady(y, rng)
    if take.kind is TakeKind.ORIGINAL or (take.kind is TakeKind.NOISE and take.version % 2):
        return y
    return augment(y, sr, rng, spec.augmentation)


def palette_of(corpus: Corpus, spec: TakeSpec) -> Palette:
    """Make the clips of a corpus ready to be drawn for scenes."""
    triggers = {label for clip in corpus.clips for label in clip.triggers}
    return Palette(
        [clip.to_fit for clip in corpus.clips],
        [clip.group for clip in corpus.clips],
        tuple(label for label in corpus.labels if label in triggers),
        lambda index: clip_sound(corpus.clips[index], spec.features.frames.sr),
    )


def _scene_rows(
    corpus: Corpus, take: Take, spec: TakeSpec
) -> tuple[WindowRows, NDArray[np.float32]]:
    inside = np.isin(np.arange(len(corpus.clips)), take.clips)
    rng = np.random.default_rng([spec.seed, take.clips[0], take.version])
    scene = make_scene(palette_of(corpus, spec), inside, spec.features.frames.sr, rng, spec.scene)
    with one_thread():
        rows = window_rows(scene.y, spec.features)
    held = held_in_windows(scene, rows.intervals, corpus.labels)
    clear = np.asarray(~np.isnan(held).any(axis=1))
    return rows.where(clear), held[clear]


def clip_sound(clip: Clip, sr: int) -> NDArray[np.float32]:
    """Load what a clip's labels are of.

    Parameters
    ----------
    clip : Clip
    sr : int
        Rate in Hz.

    Returns
    -------
    ndarray of float32, shape (n_samples,), mono
        A second of silence for a clip that cannot be decoded, if it has no label.

    Raises
    ------
    CorpusError
        If it cannot be decoded, but has a label.
    """
    try:
        y = read_audio(clip.path, sr=sr)
    except MediaError as exc:
        if not clip.labels:
            return np.zeros(sr, dtype=np.float32)
        raise CorpusError(f"{exc}; take the clip out of the manifest") from exc
    first, last = (round(seconds * sr) for seconds in clip.span or (0, 0))
    # A file that ends before its span does was cut to the span already.
    return y[first:last] if first < last <= len(y) else y
