"""Splits by group: no maker, session or repository is on both sides of a split."""

from __future__ import annotations

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
        Numbered from 0 without gaps.

    Raises
    ------
    CorpusError
        If the manifest's folds put one group on both sides of a split, or there is one fold only.
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
    n_folds = min(N_FOLDS, len(np.unique(groups)))
    splitter = StratifiedGroupKFold(n_splits=n_folds, shuffle=True, random_state=seed)
    folds = np.zeros(len(main), dtype=np.int64)
    for fold, (_, held_out) in enumerate(splitter.split(main, main, groups)):
        folds[held_out] = fold
    return folds
