"""Clips that cannot be decoded, found before hours of work end at one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asmr_classify.errors import CorpusError, MediaError
from asmr_classify.media.decode import read_audio
from asmr_classify.training.corpus import make_corpus
from asmr_classify.training.parallel import iter_results
from asmr_classify.training.takes import TakeSpec, kept_clips

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from asmr_classify.training.corpus import Clip, Corpus

MOST_UNREADABLE = 0.5
"""Where a larger share cannot be decoded, it is not the clips that something is wrong with: a disk
or a right is missing, or the files are of a format that was mistaken for another."""


def readable(  # noqa: PLR0913 (options by name)
    corpus: Corpus,
    source: str,
    *,
    least_groups: int = 2,
    spec: TakeSpec | None = None,
    cache: Path | None = None,
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
    spec, cache
        As :func:`asmr_classify.training.takes.compute_rows` takes them: clips whose rows are kept
        are not decoded again.
    jobs, on_progress
        As :func:`asmr_classify.training.prepare.prepare` takes them.

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

    are_kept = kept_clips(corpus, spec or TakeSpec(), cache)
    unknown = [k for k, is_kept in enumerate(are_kept) if not is_kept]
    calls = (delayed(_why_unreadable)(corpus.clips[k]) for k in unknown)
    reasons: list[str | None] = [None] * len(corpus.clips)
    for done, reason in enumerate(iter_results(calls, jobs=jobs, batch_size=16), start=1):
        reasons[unknown[done - 1]] = reason
        if on_progress is not None:
            on_progress("clips read", done, len(unknown))
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
