"""Splits by group: no maker, session or repository is on both sides of a split."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.errors import CorpusError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from asmr_classify.training.corpus import Corpus

N_FOLDS = 5


def assign_folds(corpus: Corpus, *, seed: int = 0) -> NDArray[np.int64]:
    """Give each clip a fold: the manifest's where all clips have one, else one by group.

    Parameters
    ----------
    corpus : Corpus
    seed : int
        For the shuffling of groups.

    Returns
    -------
    ndarray of int64, shape (n_clips,)
        Numbered from 0 without gaps; ``N_FOLDS``, or as many as there are groups or clips of the
        most frequent label.

    Raises
    ------
    CorpusError
        If the manifest's folds put one group on both sides of a split, or there is one fold only;
        or no two clips have the same label.
    """
    groups = np.array([clip.group for clip in corpus.clips])
    stated = [clip.fold for clip in corpus.clips]
    if all(fold is not None for fold in stated):
        folds = np.unique(np.array(stated, dtype=np.int64), return_inverse=True)[1]
    else:
        folds = _folds_by_group(corpus, groups, seed)
    check_no_leak(groups, folds)
    if folds.max() == 0:
        raise CorpusError("all clips are in one fold; at least two are needed")
    return np.asarray(folds, dtype=np.int64)


def folds_of_sounds(corpus: Corpus, folds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tell which fold each sound without a label is in: that of its group.

    Parameters
    ----------
    corpus : Corpus
    folds : ndarray of int64, shape (n_clips,)

    Returns
    -------
    ndarray of int64, shape (n_sounds,)
        -1 where no clip is of the group.
    """
    of_group = {clip.group: fold for clip, fold in zip(corpus.clips, folds, strict=True)}
    return np.array([of_group.get(sound.group, -1) for sound in corpus.sounds], dtype=np.int64)


LEAST_CLIPS = 20
"""Fewer clips than this say little: of 20 with a recall of 0.8, its 95 % interval is 0.58 to 0.92
(Wilson 1927)."""


def small_labels(corpus: Corpus) -> list[tuple[str, int, int]]:
    """Find labels with too few clips or groups to be learnt and judged well.

    Parameters
    ----------
    corpus : Corpus

    Returns
    -------
    list of (label, number of its clips, number of its groups)
        With fewer than ``LEAST_CLIPS`` clips, or than ``N_FOLDS`` groups: some fold then has
        nothing to judge it by.
    """
    small = []
    for label in corpus.labels:
        groups = [clip.group for clip in corpus.clips if label in clip.labels]
        if len(groups) < LEAST_CLIPS or len(set(groups)) < N_FOLDS:
            small.append((label, len(groups), len(set(groups))))
    return small


def check_no_leak(groups: NDArray[np.str_], folds: NDArray[np.int64]) -> None:
    """Refuse folds that share a group.

    Raises
    ------
    CorpusError
        With the first group that is in more than one fold.
    """
    for group in np.unique(groups):
        inside = np.unique(folds[groups == group])
        if len(inside) > 1:
            listed = ", ".join(str(fold) for fold in inside)
            raise CorpusError(
                f"group {str(group)!r} is in folds {listed}: recordings of one source on both "
                "sides of a split make figures a lie; give the group one fold"
            )


def _folds_by_group(corpus: Corpus, groups: NDArray[np.str_], seed: int) -> NDArray[np.int64]:
    from sklearn.model_selection import StratifiedGroupKFold

    main = np.array([clip.labels[0] for clip in corpus.clips])
    most = int(np.unique(main, return_counts=True)[1].max())
    n_folds = min(N_FOLDS, len(np.unique(groups)), most)
    if n_folds < 2:
        raise CorpusError(
            "no two clips have the same label, so there is nothing to judge by; add clips of each "
            "label, of several groups"
        )
    splitter = StratifiedGroupKFold(n_splits=n_folds, shuffle=True, random_state=seed)
    folds = np.zeros(len(main), dtype=np.int64)
    with warnings.catch_warnings():  # small labels are warned of by name, see small_labels
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for fold, (_, held_out) in enumerate(splitter.split(main, main, groups)):
            folds[held_out] = fold
    return folds


def check_folds(folds: NDArray[np.int64]) -> None:
    """Check that there are enough folds for figures.

    Raises
    ------
    CorpusError
        If there are fewer than three.
    """
    n_folds = int(folds.max()) + 1
    if n_folds < 3:
        raise CorpusError(
            f"{n_folds} folds: figures need at least three, so that calibration and thresholds "
            "come from clips that neither fit nor figure uses; add recordings of more groups, "
            "three of a label or more"
        )
