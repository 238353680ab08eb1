"""What an evaluation found, in a small file beside the model.

The record holds what each clip was said to hold and what it got from models that never heard its
group: every figure, curve and table can be made of it, without the audio. It is one JSON object,
a line a clip, named as the model with ``.evaluation.json``::

    {"format": 1, "model": "name@version", "digest": SHA-256 of the model or null,
     "labels": […], "triggers": […], "thresholds": {…},
     "kinds": [["rain", clips, groups, average precision (null if the clips do not tell it),
                whether it is told, [taken for]], …],
     "columns": ["name", "group", "finer", "seconds", "labels", "tags", "scores"],
     "clips": [["tap/a.opus", "maker", "typing", 2.5, ["tap"], ["tap"], [0.01, 0.98, …]], …]}

Clips are named from the folder that holds them all: no more of the user's disk is told.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter, defaultdict
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from asmr_classify.config import SCORE_DIGITS
from asmr_classify.errors import EvaluationError
from asmr_classify.labels import Kind, kind_of
from asmr_classify.training.kinds import KindFigures
from asmr_classify.training.metrics import Measures, group_balance, measure
from asmr_classify.writers.output import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from asmr_classify.aggregate import FileResult
    from asmr_classify.model import Model
    from asmr_classify.training.corpus import Clip, Corpus
    from asmr_classify.training.evaluate import Evaluation

FORMAT_VERSION = 2
ENDING = ".evaluation.json"
COLUMNS = ["name", "group", "finer", "seconds", "labels", "tags", "scores"]

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Larger files are refused unread: the record of 1400 clips has 0.2 MB."""


@dataclass(frozen=True, slots=True)
class JudgedClip:
    """One clip: what it was said to hold, and what it got.

    Parameters
    ----------
    name, group : str
    finer : str
        Finer label.
    seconds : float
        That were heard.
    labels : tuple of str
        That it holds, triggers and contexts.
    tags : tuple of str
        Triggers that it got, the main one first.
    scores : tuple of float
        In [0, 1], by the labels of the record; 0 where nothing was heard.
    """

    name: str
    group: str
    finer: str
    seconds: float
    labels: tuple[str, ...]
    tags: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class EvaluationRecord:
    """What an evaluation found, clip by clip.

    Parameters
    ----------
    model : str
        ``name@version``.
    digest : str or None
        Of the model that was fitted on the clips afterwards; None if none was.
    labels : tuple of str
        That scores are of.
    triggers : tuple of str
        Those of them that some clip holds as a trigger.
    thresholds : mapping of str to float
        Of the model, by label; where there is none, the mean of the models of the folds.
    clips : tuple of JudgedClip
    kinds : tuple of KindFigures
    """

    model: str
    digest: str | None
    labels: tuple[str, ...]
    triggers: tuple[str, ...]
    thresholds: Mapping[str, float]
    clips: tuple[JudgedClip, ...]
    kinds: tuple[KindFigures, ...] = ()

    @classmethod
    def of_evaluation(
        cls, corpus: Corpus, evaluation: Evaluation, model: Model | None = None
    ) -> Self:
        """Record an evaluation.

        Parameters
        ----------
        corpus : Corpus
        evaluation : Evaluation
            Of that corpus.
        model : Model, optional
            That was fitted on the corpus afterwards.
        """
        return cls(
            model=evaluation.results[0].model if model is None else model.id,
            digest=None if model is None else model.digest(),
            labels=corpus.labels,
            triggers=corpus.triggers,
            thresholds=dict(evaluation.thresholds if model is None else model.thresholds),
            clips=tuple(
                _judged(name, clip, result, corpus.labels)
                for name, clip, result in zip(
                    clip_names(corpus), corpus.clips, evaluation.results, strict=True
                )
            ),
            kinds=evaluation.kinds,
        )

    def held(self, clip: JudgedClip) -> tuple[str, ...]:
        """List the triggers that a clip holds."""
        return tuple(label for label in clip.labels if label in self.triggers)

    def truth(self) -> list[tuple[str, ...]]:
        """List the triggers that each clip holds."""
        return [self.held(clip) for clip in self.clips]

    def main(self) -> list[str | None]:
        """List the main tag that each clip got."""
        return [clip.tags[0] if clip.tags else None for clip in self.clips]

    def holds(self, label: str) -> NDArray[np.bool_]:
        """Whether each clip holds a label, shape (n_clips,)."""
        return np.array([label in clip.labels for clip in self.clips])

    def scores_of(self, label: str) -> NDArray[np.float64]:
        """Score of a label in each clip, shape (n_clips,)."""
        k = self.labels.index(label)
        return np.array([clip.scores[k] for clip in self.clips])

    def weights(self, *, by_group: bool = False) -> NDArray[np.float64]:
        """Weigh all clips, or all groups, the same; shape (n_clips,)."""
        if by_group:
            return group_balance([clip.group for clip in self.clips])
        return np.ones(len(self.clips))

    @property
    def unheld(self) -> dict[str, int]:
        """Triggers of the model that no clip holds, and how many clips are tagged with each."""
        held = {trigger for clip in self.clips for trigger in self.held(clip)}
        triggers = [x for x in self.thresholds if x not in held and kind_of(x) is Kind.TRIGGER]
        return {x: sum(x in clip.tags for clip in self.clips) for x in triggers}

    def measures(self, *, by_group: bool = False) -> Measures:
        """Compute the figures that the card states."""
        return measure(
            self.truth(),
            self.main(),
            np.stack([self.scores_of(trigger) for trigger in self.triggers], axis=1),
            self.triggers,
            self.weights(by_group=by_group),
        )


def label_counts(record: EvaluationRecord) -> tuple[Counter[str], Counter[str]]:
    """Count the clips and the groups that hold each label."""
    clips: Counter[str] = Counter()
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for clip in record.clips:
        for label in clip.labels:
            clips[label] += 1
            groups[label].add(clip.group)
    return clips, Counter({label: len(found) for label, found in groups.items()})


def clip_names(corpus: Corpus) -> list[str]:
    """Name clips from the folder that holds them all; spans of one file are told apart.

    Parameters
    ----------
    corpus : Corpus

    Returns
    -------
    list of str
    """
    paths = [os.path.abspath(clip.path) for clip in corpus.clips]  # noqa: PTH100 (a link keeps its name)
    try:
        folder = os.path.commonpath([os.path.dirname(path) for path in paths])  # noqa: PTH120
    except ValueError:  # on several drives
        names = [Path(path).name for path in paths]
    else:
        names = [Path(path).relative_to(folder).as_posix() for path in paths]
    return [
        f"{name} ({clip.span[0]:g}-{clip.span[1]:g} s)" if clip.span else name
        for name, clip in zip(names, corpus.clips, strict=True)
    ]


def _judged(name: str, clip: Clip, result: FileResult, labels: Sequence[str]) -> JudgedClip:
    return JudgedClip(
        name=name,
        group=clip.group,
        finer=clip.label,
        seconds=round(float(result.decoded), 2),
        labels=clip.labels,
        tags=result.tags,
        scores=tuple(round(float(result.scores.get(x, 0.0)), SCORE_DIGITS) for x in labels),
    )


def record_path(model: Path) -> Path:
    """Where the record of a model lies."""
    return model.with_suffix(ENDING)


def record_to_text(record: EvaluationRecord) -> str:
    """Turn a record into the text of its file, plain ASCII; the same record gives the same text."""
    head = {
        "format": FORMAT_VERSION,
        "model": record.model,
        "digest": record.digest,
        "labels": record.labels,
        "triggers": record.triggers,
        "thresholds": {label: round(value, 4) for label, value in record.thresholds.items()},
        "kinds": [
            [*each[:3], None if math.isnan(each[3]) else round(each[3], 4), *each[4:]]
            for each in map(astuple, record.kinds)
        ],
        "columns": COLUMNS,
    }
    lines = [
        json.dumps([getattr(clip, name) for name in COLUMNS], separators=(",", ":"))
        for clip in record.clips
    ]
    return json.dumps(head)[:-1] + ', "clips": [\n' + ",\n".join(lines) + "\n]}\n"


def save_record(record: EvaluationRecord, path: Path) -> None:
    """Write a record whole, or not at all.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    write_whole(path, record_to_text(record).encode("ascii"))


def load_record(path: Path, model: Model | None = None) -> EvaluationRecord:
    """Read a record and check that it is one.

    Parameters
    ----------
    path : path
    model : Model, optional
        That it is to be of.

    Returns
    -------
    EvaluationRecord

    Raises
    ------
    EvaluationError
        If there is none, or it is damaged, of another version or of another model.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise EvaluationError(f"{path}: larger than any record of an evaluation")
        content = json.loads(path.read_bytes())
        record = _record_from(content)
    except OSError as exc:
        raise EvaluationError(f"{path}: cannot be read: {exc.strerror}") from exc
    except (KeyError, TypeError, ValueError, RecursionError) as exc:
        raise EvaluationError(
            f"{path}: not a record of an evaluation, or damaged ({exc}); train the model again"
        ) from exc
    if model is not None and record.digest != model.digest():
        raise EvaluationError(
            f"{path}: is of {record.model} as it was fitted another time, and not of the model "
            "beside it; train that again, or take the record away"
        )
    return record


def _record_from(content: Any) -> EvaluationRecord:
    """Put a record together; whatever is wrong raises ValueError, KeyError or TypeError."""
    if not isinstance(content, dict) or content.get("format") != FORMAT_VERSION:
        raise ValueError(f"no format {FORMAT_VERSION}")
    if content["columns"] != COLUMNS:
        raise ValueError("other columns")
    labels = _words(content["labels"])
    record = EvaluationRecord(
        model=_word(content["model"]),
        digest=None if content["digest"] is None else _word(content["digest"]),
        labels=labels,
        triggers=_words(content["triggers"]),
        thresholds={label: _share(content["thresholds"][label]) for label in labels},
        clips=tuple(_clip_from(row, len(labels)) for row in content["clips"]),
        kinds=tuple(_kind_from(row) for row in content["kinds"]),
    )
    if not record.clips or not record.triggers or not set(record.triggers) <= set(labels):
        raise ValueError("without clips or triggers, or with unknown ones")
    return record


def _clip_from(row: list[Any], n_labels: int) -> JudgedClip:
    name, group, finer, seconds, labels, tags, scores = row
    if len(scores) != n_labels:
        raise ValueError(f"{name!r} has {len(scores)} scores, not {n_labels}")
    return JudgedClip(
        _word(name),
        _word(group),
        _word(finer),
        _number(seconds),
        _words(labels),
        _words(tags),
        tuple(map(_share, scores)),
    )


def _kind_from(row: list[Any]) -> KindFigures:
    kind, clips, groups, precision, told, taken_for = row
    if not isinstance(told, bool):
        raise TypeError(f"{told!r} is neither true nor false")
    return KindFigures(
        _word(kind),
        int(_number(clips)),
        int(_number(groups)),
        math.nan if precision is None else _share(precision),
        told,
        _words(taken_for),
    )


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise ValueError(f"{value!r} is no number of clips or seconds")
    return float(value)


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _words(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError(f"{values!r} is no list")
    return tuple(map(_word, values))


def _share(value: Any) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{value!r} is no number from 0 to 1")
    return float(value)
