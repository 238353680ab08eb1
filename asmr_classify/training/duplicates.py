"""Near-duplicates: one recording under two names, on both sides of a split, or with other labels.

A clip that somebody copied is in another folder, of another group. A model that heard one copy
knows the other, and figures say too much. Copies are found by their fingerprints, see
:mod:`asmr_classify.features.fingerprints`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.checksums import file_sha256
from asmr_classify.features.cache import kept_array
from asmr_classify.features.fingerprints import SR, bit_error, candidate_pairs, fingerprint
from asmr_classify.training.parallel import iter_results
from asmr_classify.training.splits import folds_of_sounds
from asmr_classify.training.takes import clip_sound

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from asmr_classify.features.fingerprints import Bits
    from asmr_classify.training.corpus import Clip, Corpus


PRINT_VERSION = 1
"""Raised when fingerprints of the same clip come out otherwise, as those that are kept no longer
hold then."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two clips of different groups that hold the same sound.

    Parameters
    ----------
    first, second : int
        Index in the corpus.
    error : float
        Share of the bits of their fingerprints that differ, in [0, LARGEST_ERROR].
    """

    first: int
    second: int
    error: float


def find_duplicates(
    corpus: Corpus,
    folds: NDArray[np.int64],
    *,
    cache: Path | None = None,
    cache_needed: bool = True,
    jobs: int = -1,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> list[Duplicate]:
    """Find near-duplicates that a split tears apart.

    Parameters
    ----------
    corpus : Corpus
    folds : ndarray of int64, shape (n_clips,)
    cache : path, optional
        Folder that keeps fingerprints from run to run.
    cache_needed : bool
        Whether it is an error if that cannot be written; else nothing is kept.
    jobs : int
        Processes; -1 for one per core.
    on_progress : callable, optional
        Called with a phase, the clips done and their total.

    Returns
    -------
    list of Duplicate
        Of clips in different folds, the most alike first.

    Raises
    ------
    CorpusError
        If a clip cannot be decoded.
    OutputError
        If the cache is needed and cannot be written.
    """
    from joblib import delayed

    calls = (
        delayed(_clip_fingerprint)(clip, cache, cache_needed=cache_needed) for clip in corpus.clips
    )
    prints, found = [], []
    for bits in iter_results(calls, jobs=jobs, batch_size=16):
        prints.append(bits)
        if on_progress is not None:
            on_progress("search for copies", len(prints), len(corpus.clips))
    for first, second in candidate_pairs(prints, folds):
        error = bit_error(prints[first], prints[second])
        if error is not None:
            found.append(Duplicate(first, second, error))
    return sorted(found, key=lambda duplicate: duplicate.error)


def find_contradictions(corpus: Corpus) -> list[tuple[int, int]]:
    """Find clips that are the same file, byte for byte, and have other labels.

    Parameters
    ----------
    corpus : Corpus

    Returns
    -------
    list of (first, second)
        Indices in the corpus, in its order: of each file the first clip, and the first with each
        other set of labels.
    """
    alike: dict[tuple[object, ...], list[int]] = {}
    for index, clip in enumerate(corpus.clips):
        alike.setdefault((Path(clip.path).stat().st_size, clip.span), []).append(index)
    seen: dict[tuple[object, ...], dict[frozenset[str], int]] = {}
    found = []
    for size_and_span, indices in alike.items():
        for index in indices if len(indices) > 1 else ():
            clip = corpus.clips[index]
            content = (*size_and_span, clip.sha256 or file_sha256(clip.path))
            others, labels = seen.setdefault(content, {}), frozenset(clip.labels)
            if others and labels not in others:
                found.append((next(iter(others.values())), index))
            others.setdefault(labels, index)
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Flaws:
    """What is amiss with the clips of a corpus.

    Parameters
    ----------
    contradictions : list of (first, second)
        Of :func:`find_contradictions`.
    copies : list of Duplicate
        Of :func:`find_duplicates`, among clips.
    among_sounds : list of Duplicate
        Of clips and sounds without labels, whose indices follow those of clips.
    """

    contradictions: list[tuple[int, int]]
    copies: list[Duplicate]
    among_sounds: list[Duplicate]


def find_flaws(
    corpus: Corpus,
    folds: NDArray[np.int64],
    *,
    cache: Path | None = None,
    cache_needed: bool = True,
    jobs: int = -1,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Flaws:
    """Find all of these; parameters and what is raised are as of :func:`find_duplicates`."""
    everything = replace(corpus, clips=(*corpus.clips, *corpus.sounds))
    all_folds = np.concatenate([folds, folds_of_sounds(corpus, folds)])
    found = find_duplicates(
        everything,
        all_folds,
        cache=cache,
        cache_needed=cache_needed,
        jobs=jobs,
        on_progress=on_progress,
    )
    n_clips = len(corpus.clips)
    return Flaws(
        find_contradictions(corpus),
        [pair for pair in found if max(pair.first, pair.second) < n_clips],
        [pair for pair in found if max(pair.first, pair.second) >= n_clips],
    )


def _clip_fingerprint(clip: Clip, cache: Path | None, *, cache_needed: bool) -> Bits:
    place = None
    if cache is not None:
        parts = (PRINT_VERSION, clip.sha256 or file_sha256(clip.path), clip.span)
        name = hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]
        place = cache / f"{name}.print.npz"
    packed = kept_array(
        place,
        "bits",
        lambda: np.packbits(fingerprint(clip_sound(clip, SR)), axis=1),
        needed=cache_needed,
    )
    return np.unpackbits(packed, axis=1).astype(bool)
