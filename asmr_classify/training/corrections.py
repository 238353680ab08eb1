"""Corrections to the labels of a corpus that others made.

Labels are wrong here and there, and who finds out often may not edit the corpus. Corrections are a
CSV file of one's own with a line a clip, found by its checksum: ``sha256``, ``path`` (for people),
``trigger`` (what is right: one label, several as ``a,b``, ``none`` or ``unsure``) and ``reason``.
They change what is fitted on, never what figures are measured against: nobody can improve a figure
by relabelling. What the figures would be with the corrected labels is told beside them.

Scenes are made of what is fitted on (:mod:`asmr_classify.training.takes`): what they say is heard,
and so the timeline's thresholds, which are chosen on them, follow the corrected labels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asmr_classify.checksums import file_sha256
from asmr_classify.errors import CorpusError
from asmr_classify.labels import OTHER
from asmr_classify.training.corpus import (
    NONE,
    UNSURE,
    Clip,
    Corpus,
    parse_labels,
    read_each,
    read_table,
)

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("sha256", "path", "trigger", "reason")


@dataclass(frozen=True, slots=True)
class Correction:
    """What is right for one clip.

    Parameters
    ----------
    sha256 : str
    path : str
        As the corpus names the clip.
    labels : tuple of str
        Triggers; empty for ``none``; None if nobody can tell.
    reason : str
        How the error was seen.
    """

    sha256: str
    path: str
    labels: tuple[str, ...] | None
    reason: str


def read_corrections(path: Path) -> tuple[Correction, ...]:
    """Read a file of corrections.

    Raises
    ------
    CorpusError
        If it cannot be read, lacks a column, gives no reason, names a clip twice, or names
        ``none`` beside a label.
    """
    rows = read_table(path, COLUMNS, "corrections", f"corrections need {', '.join(COLUMNS)}")
    seen: set[str] = set()

    def read(row: dict[str, str]) -> Correction:
        sha256 = row["sha256"].strip().lower()
        if sha256 in seen:
            raise CorpusError(f"{row['path']} is corrected twice")
        seen.add(sha256)
        return Correction(sha256, row["path"], _labels(row["trigger"], row["path"]), row["reason"])

    return tuple(read_each(path, dict(enumerate(rows, start=2)), COLUMNS, read))


def _labels(text: str, place: str) -> tuple[str, ...] | None:
    names = parse_labels(text, place)
    if UNSURE in names:
        return None
    return tuple(name for name in names if name != NONE)


def with_corrections(corpus: Corpus, corrections: tuple[Correction, ...]) -> Corpus:
    """Let a corpus be fitted with corrected labels.

    Parameters
    ----------
    corpus : Corpus
    corrections : tuple of Correction
        Those of clips that the corpus does not hold change nothing.

    Returns
    -------
    Corpus
        The same clips with ``fit_labels`` where there is a correction.

    Raises
    ------
    CorpusError
        If a correction names a label that the corpus does not know.
    """
    by_content = {correction.sha256: correction for correction in corrections}
    for correction in corrections:
        unknown = sorted(set(correction.labels or ()).difference(corpus.labels))
        if unknown:
            raise CorpusError(
                f"{correction.path}: corrected to {', '.join(unknown)}, which no clip holds; "
                f"the labels of the corpus are {', '.join(corpus.labels)}"
            )
    nothing = OTHER if OTHER in corpus.labels else NONE
    return replace(
        corpus, clips=tuple(_corrected(clip, by_content, nothing) for clip in corpus.clips)
    )


def _corrected(clip: Clip, by_content: dict[str, Correction], nothing: str) -> Clip:
    """Correct a clip; ``nothing`` stands for no label, as an empty tuple is for *unsure*."""
    correction = by_content.get(clip.sha256 or file_sha256(clip.path))
    if correction is None:
        return clip
    if correction.labels is None:
        return replace(clip, fit_labels=())
    return replace(clip, fit_labels=correction.labels or (nothing,))


def relabelled(corpus: Corpus) -> tuple[list[int], list[tuple[str, ...]]]:
    """Give the clips that remain once corrections count, and the triggers they then hold.

    Returns
    -------
    list of int
        Indices of clips, without those of which nobody can tell.
    list of tuple of str
        Their triggers.
    """
    kept = [k for k, clip in enumerate(corpus.clips) if clip.fit_labels != ()]
    every = {trigger for clip in corpus.clips for trigger in clip.triggers}
    return kept, [tuple(label for label in corpus.clips[k].to_fit if label in every) for k in kept]
