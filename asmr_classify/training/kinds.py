"""Kinds: what people search for, below and beside the labels: typing, rain, chewing, scissors.

Several hands wrote the finer labels of a corpus, and no two of them the same words. A table of
one's own merges synonyms: a CSV file with the columns ``kind`` and ``labels``, the finer labels
that the kind holds, between spaces. A clip is of one kind or of none.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.errors import CorpusError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from asmr_classify.training.corpus import Corpus

COLUMNS = ("kind", "labels")

LEAST_GROUPS = 8
"""Kinds of fewer groups are not learnt: whether they are told on sources never heard is anybody's
guess."""


def read_kinds(path: Path) -> dict[str, str]:
    """Read a table of kinds.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict of str to str
        Finer label to kind.

    Raises
    ------
    CorpusError
        If it cannot be read, lacks a column or a value, or gives a label two kinds.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise CorpusError(f"{path}: cannot read the kinds: {exc}") from exc
    if missing:
        raise CorpusError(
            f"{path}: no column {', '.join(missing)}; kinds need {' and '.join(COLUMNS)}"
        )
    table: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        kind, labels = (row["kind"] or "").strip(), (row["labels"] or "").split()
        if not kind or not labels:
            raise CorpusError(f"{path}, line {number}: a kind and its labels are expected")
        doubled = [label for label in labels if table.get(label, kind) != kind]
        if doubled:
            raise CorpusError(
                f"{path}, line {number}: {doubled[0]} is of {table[doubled[0]]} already"
            )
        table.update(dict.fromkeys(labels, kind))
    return table


def with_kinds(corpus: Corpus, table: Mapping[str, str]) -> Corpus:
    """Give clips their kinds.

    Parameters
    ----------
    corpus : Corpus
    table : mapping of str to str
        Finer label to kind.

    Returns
    -------
    Corpus
        With the kinds that clips of at least ``LEAST_GROUPS`` groups are of.
    """
    clips = tuple(replace(clip, kind=table.get(clip.label, "")) for clip in corpus.clips)
    groups: dict[str, set[str]] = {}
    for clip in clips:
        groups.setdefault(clip.kind, set()).add(clip.group)
    kinds = sorted(kind for kind, found in groups.items() if kind and len(found) >= LEAST_GROUPS)
    return replace(corpus, clips=clips, kinds=tuple(kinds))


def kind_targets(corpus: Corpus) -> NDArray[np.float32]:
    """Tell which kind each clip is of.

    Returns
    -------
    ndarray of float32, shape (n_clips, n_kinds)
        1 or 0.
    """
    of = [[clip.kind == kind for kind in corpus.kinds] for clip in corpus.clips]
    return np.array(of, dtype=np.float32).reshape(len(corpus.clips), len(corpus.kinds))
