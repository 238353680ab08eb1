"""Results to the data of a page: plain values, compact, in an order that needs no sorting.

Seconds are whole hundredths, scores whole per cents, labels, kinds and models places in their
lists, a timeline one flat list of ``label, start, length, score``, the kinds of a file one of
``kind, score``, and waveforms and filmstrips their bytes in base64. How a video looks is the matter
of :mod:`asmr_classify.report.looks`. What a file lacks has no key.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from asmr_classify.aggregate import Status
from asmr_classify.labels import (
    CONTEXTS,
    DEFINITIONS,
    SILENCE,
    TRIGGERS,
    Kind,
    kind_of,
    letters_of,
)
from asmr_classify.media.source import Url, as_source
from asmr_classify.report.links import link_to
from asmr_classify.report.looks import lanes_of, look_of, to_base64
from asmr_classify.visual.seen import shows

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from asmr_classify.aggregate import FileResult, Problem

VIDEO_EXTENSIONS = frozenset(
    "3g2 3gp asf avi f4v flv m2ts m4v mkv mov mp4 mpeg mpg mts mxf ogm ogv rm rmvb ts vob webm "
    "wmv".split()
)
"""Extensions of what is a video as long as nobody looked at it."""

OWN_COLOURS = 5
"""Colours that the style holds for labels of a user's own model; more labels take turns."""

DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class LabelLook:
    """How a page shows a label.

    Parameters
    ----------
    name : str
    letter : str
        By which it is told without colour; empty for silence.
    colour : str
        Name of its colour in the style.
    is_trigger : bool
    definition : str
        Empty for the labels of a user's own model.
    """

    name: str
    letter: str
    colour: str
    is_trigger: bool
    definition: str


@dataclass(frozen=True, slots=True)
class TriggerTotal:
    """How much of a trigger there is.

    Parameters
    ----------
    look : LabelLook
    n_files : int
        Files that are tagged with it.
    seconds : float
        For which the timelines show it.
    """

    look: LabelLook
    n_files: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ReportData:
    """What a page shows.

    Parameters
    ----------
    made : datetime
        With its time zone.
    labels : tuple of LabelLook
        Triggers first, silence last.
    totals : tuple of TriggerTotal
    kinds : tuple of str
        Kinds of sound that were told of any file, by name.
    models : tuple of (str, int)
        And the number of files that each labelled, most first.
    n_files : int
        Among them ``n_tagged`` with a trigger, ``n_untagged`` that were heard and hold none,
        ``n_no_talking`` and ``n_failed``.
    seconds : float
        In all files.
    files : list of dict
        By path, numbers in it by their value.
    """

    made: datetime
    labels: tuple[LabelLook, ...]
    totals: tuple[TriggerTotal, ...]
    kinds: tuple[str, ...]
    models: tuple[tuple[str, int], ...]
    n_files: int
    n_tagged: int
    n_untagged: int
    n_no_talking: int
    n_failed: int
    seconds: float
    files: list[dict[str, Any]]

    @property
    def has_looks(self) -> bool:
        """Whether any file was looked at and shows something."""
        return any("seen" in file for file in self.files)

    def to_record(self) -> dict[str, Any]:
        """Give what the page's script reads: labels, kinds, models and files."""
        return {
            "labels": [
                {"name": x.name, "letter": x.letter, "colour": x.colour, "trigger": x.is_trigger}
                for x in self.labels
            ],
            "kinds": list(self.kinds),
            "models": [name for name, _ in self.models],
            "files": self.files,
        }


def report_data(
    results: Sequence[FileResult],
    *,
    folder: str,
    made: datetime,
    waveforms: Mapping[str, bytes] | None = None,
    films: Mapping[str, bytes] | None = None,
) -> ReportData:
    """Gather what a page shows.

    Parameters
    ----------
    results : sequence of FileResult
    folder : str
        Where the page will lie: links to recordings start there.
    made : datetime
        When the report is made.
    waveforms : mapping of str to bytes, optional
        By path; see :func:`~asmr_classify.report.waveforms.compute_waveforms`.
    films : mapping of str to bytes, optional
        By path; see :func:`~asmr_classify.report.films.make_films`.

    Returns
    -------
    ReportData
    """
    results = sorted(results, key=lambda result: natural_key(result.path))
    looks = looks_of(results)
    kinds = tuple(sorted({kind for result in results for kind in result.kinds}))
    models = Counter(result.model for result in results).most_common()
    encoder = _Encoder(
        labels={look.name: k for k, look in enumerate(looks)},
        kinds={kind: k for k, kind in enumerate(kinds)},
        models={name: k for k, (name, _) in enumerate(models)},
        folder=folder,
        waveforms=waveforms or {},
        films=films or {},
    )
    return ReportData(
        made=made,
        labels=looks,
        totals=_totals(results, looks),
        kinds=kinds,
        models=tuple(models),
        n_files=len(results),
        n_tagged=sum(bool(result.tags) for result in results),
        n_untagged=sum(not result.tags and bool(result.scores) for result in results),
        n_no_talking=sum(result.no_talking is True for result in results),
        n_failed=sum(result.status is Status.FAILED for result in results),
        seconds=sum(result.duration or 0.0 for result in results),
        files=[encoder.encode(result) for result in results],
    )


def natural_key(path: str) -> list[tuple[int, str]]:
    """Make a key that sorts names as people do: ``take 9`` before ``take 10``, case aside.

    Examples
    --------
    >>> sorted(["take 10", "Take 9", "intro"], key=natural_key)
    ['intro', 'Take 9', 'take 10']
    """
    parts = DIGITS.split(unicodedata.normalize("NFKC", path).casefold())
    numbers = (part.lstrip("0") for part in parts[1::2])
    texts = [(0, part) for part in parts[::2]]
    return [
        x for pair in zip(texts, ((len(n), n) for n in numbers), strict=False) for x in pair
    ] + [texts[-1]]


def looks_of(results: Sequence[FileResult]) -> tuple[LabelLook, ...]:
    """Decide how to show each label that the results know of."""
    known = {label for result in results for label in (*result.scores, *result.shares)}
    known |= {label for result in results for label in result.tags}
    known |= {segment.label for result in results for segment in result.segments}
    return looks_of_labels(sorted(known))


def looks_of_labels(known: Collection[str]) -> tuple[LabelLook, ...]:
    """Decide how to show labels: triggers first, then a user's own as they come, silence last."""
    own = [label for label in known if label not in {*TRIGGERS, *CONTEXTS, SILENCE}]
    letters = letters_of(own)
    colours = {label: f"own-{k % OWN_COLOURS + 1}" for k, label in enumerate(own)}
    ordered = [label for label in (*TRIGGERS, *own, *CONTEXTS, SILENCE) if label in known]
    return tuple(
        LabelLook(
            name=label,
            letter=letters.get(label, ""),
            colour=colours.get(label, label.replace("_", "-")),
            is_trigger=kind_of(label) is Kind.TRIGGER,
            definition=DEFINITIONS.get(label, ""),
        )
        for label in ordered
    )


def _totals(results: Sequence[FileResult], looks: Sequence[LabelLook]) -> tuple[TriggerTotal, ...]:
    n_files: Counter[str] = Counter(tag for result in results for tag in result.tags)
    seconds: dict[str, float] = {}
    for result in results:
        for segment in result.segments:
            length = segment.end - segment.start
            seconds[segment.label] = seconds.get(segment.label, 0.0) + length
    return tuple(
        TriggerTotal(look, n_files[look.name], seconds.get(look.name, 0.0))
        for look in looks
        if look.is_trigger
    )


@dataclass(frozen=True, slots=True)
class _Encoder:
    """Turns results into the plain values of :data:`ReportData.files`."""

    labels: Mapping[str, int]
    kinds: Mapping[str, int]
    models: Mapping[str, int]
    folder: str
    waveforms: Mapping[str, bytes]
    films: Mapping[str, bytes]

    def encode(self, result: FileResult) -> dict[str, Any]:
        values = {
            "path": result.path,
            "url": link_to(result.path, self.folder),
            "status": result.status.value,
            "model": self.models[result.model],
            "duration": _hundredths(result.duration),
            "decoded": _hundredths(result.decoded),
            "tags": [self.labels[tag] for tag in result.tags] or None,
            "kinds": self._kinds(result) or None,
            "scores": self._scores(result),
            "segments": self._timeline(result) or None,
            "quiet": result.no_talking,
            "talk": _hundredths(result.longest_talk),
            "corrected": list(result.corrected) or None,
            "peaks": to_base64(self.waveforms.get(result.path)),
            "film": to_base64(self.films.get(result.path)),
            "video": is_video(result) or None,
            "seen": look_of(result.visual),
            "lanes": lanes_of(result.visual),
            "error": _reason(result, result.error),
            "unseen": _reason(result, result.visual_error),
        }
        return {key: value for key, value in values.items() if value is not None}

    def _kinds(self, result: FileResult) -> list[int]:
        pairs = ((self.kinds[kind], round(100 * score)) for kind, score in result.kinds.items())
        return [value for pair in pairs for value in pair]

    def _scores(self, result: FileResult) -> list[int] | None:
        """Scores of all labels in per cent, -1 where there is none."""
        if not result.scores:
            return None
        return [round(100 * result.scores.get(label, -0.01)) for label in self.labels]

    def _timeline(self, result: FileResult) -> list[int]:
        flat: list[int] = []
        for segment in result.segments:
            start, end = round(100 * segment.start), round(100 * segment.end)
            score = round(100 * segment.score)
            flat += (self.labels[segment.label], start, end - start, score)
        return flat


def _hundredths(seconds: float | None) -> int | None:
    return None if seconds is None else round(100 * seconds)


def is_video(result: FileResult) -> bool:
    """Tell whether there is something to see: as it was seen, or by its name if nobody looked."""
    if result.visual is not None:
        return shows(result.visual)
    source = as_source(result.path)
    name = source.bare if isinstance(source, Url) else source
    return PurePath(name).suffix.lstrip(".").lower() in VIDEO_EXTENSIONS


def _reason(result: FileResult, problem: Problem | None) -> list[str] | None:
    """Kind and message of what went wrong, without the path that the page shows anyway."""
    if problem is None:
        return None
    return [problem.kind, problem.message.removeprefix(f"{result.path}: ")]
