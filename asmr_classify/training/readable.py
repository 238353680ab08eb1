"""Clips that cannot be decoded, found before hours of work end at one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asmr_classify.errors import CorpusError, MediaError
from asmr_classify.media.decode import read_audio
from asmr_classify.training.corpus import make_corpus
from asmr_classify.training.parallel import iter_results

if TYPE_CHECKING:
    from collections.abc import Callable

    from asmr_classify.training.corpus import Clip, Corpus

MOST_UNREADABLE = 0.5
"""Where a larger share cannot be decoded, it is not the clips that something is wrong with: a disk
or a right is missing, or the files are of a format that was mistaken for another."""


def readable(
    corpus: Corpus,
    source: str,
    *,
    least_groups: int = 2,
    jobs: int = -1,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Corpus, list[str]]:
    """Leave out the labelled clips that cannot be decoded, or not to their end.

    Parameters
    ----------
    corpus : Corpus
        Without kinds.
    source, least_groups
        As :func:`asmr_classify.training.corpus.make_corpus` takes them.
    jobs, on_progress
        As :func:`asmr_classify.training.evaluate.prepare` takes them.

    Returns
    -------
    Corpus
    list of str
        What is wrong with each clip that was left out.

    Raises
    ------
    CorpusError
        If that is more than half of them, or what is left is too little to learn from.
    """
    from joblib import delayed

    calls = (delayed(_why_unreadable)(clip) for clip in corpus.clips)
    reasons = []
    for reason in iter_results(calls, jobs=jobs, batch_size=16):
        reasons.append(reason)
        if on_progress is not None:
            on_progress("clips read", len(reasons), len(corpus.clips))
    unreadable = [reason for reason in reasons if reason is not None]
    if not unreadable:
        return corpus, []
    if len(unreadable) > MOST_UNREADABLE * len(reasons):
        raise CorpusError(
            f"{source}: {len(unreadable)} of {len(reasons)} clips cannot be read, too many to go "
            f"on without them; the first: {unreadable[0]}"
        )
    kept = [clip for clip, reason in zip(corpus.clips, reasons, strict=True) if reason is None]
    return make_corpus((*kept, *corpus.sounds), source, least_groups=least_groups), unreadable


def _why_unreadable(clip: Clip) -> str | None:
    try:
        read_audio(clip.path)
    except MediaError as exc:
        return str(exc)
    return None
