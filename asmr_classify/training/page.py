"""An evaluation as one HTML page: pictures, tables and the worst errors.

The page loads nothing and runs no script; whatever comes from names is escaped. It follows the
reader's choice of light or dark, but for the pictures, which stay dark on light.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from asmr_classify.counts import counted
from asmr_classify.labels import DEFINITIONS, kind_of
from asmr_classify.training.metrics import average_precision, figure_text
from asmr_classify.training.record import label_counts
from asmr_classify.training.sources import (
    false_tags,
    legible,
    source_figures,
    source_tables,
    worst_mistakes,
)
from asmr_classify.version import own_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asmr_classify.training.metrics import Measures
    from asmr_classify.training.plots import Picture
    from asmr_classify.training.record import EvaluationRecord

N_WORST = 30

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"

OF_FOLDS = """\
Every clip was labelled by a model that had never heard its group: {clips} clips of {groups}
groups."""
OF_MODEL = """\
Every clip was labelled by this model as it is: {clips} clips of {groups} groups. It has heard some
of them before if it was fitted on them, or on others of their groups; then the figures are too
good."""
ABOUT = """\
AP is the average precision of a score, F1 and recall are of the main tag, false tags the
share of clips without a trigger that get one, and ECE the expected calibration error."""


@dataclass(frozen=True, slots=True)
class Part:
    """A section of the page.

    Parameters
    ----------
    title, about : str
    head : sequence of str
        Of its table.
    rows : sequence of sequence of str
    svg : Markup or None
    folded : str
        What to click on to see the table; empty if it is always seen.
    """

    title: str
    about: str
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    svg: Any = None
    folded: str = ""


def evaluation_page(
    record: EvaluationRecord, pictures: Iterable[Picture], *, of_folds: bool = True
) -> str:
    """Make the page of an evaluation.

    Parameters
    ----------
    record : EvaluationRecord
    pictures : iterable of Picture
        Of that record, see :func:`asmr_classify.training.plots.draw_pictures`.
    of_folds : bool
        Whether each clip was labelled by a model that was fitted without its group; else all were
        by one model that may have heard it.

    Returns
    -------
    str
        HTML, whole and self-contained.
    """
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["legible"] = lambda value: legible(str(value))
    shown = {picture.name: _picture_part(picture) for picture in pictures}
    groups = {clip.group for clip in record.clips}
    about = f"{OF_FOLDS if of_folds else OF_MODEL} {ABOUT}"
    on = "sources never heard" if of_folds else f"{len(record.clips)} clips"
    return environment.get_template("page.html").render(
        version=own_version(),
        title=f"{record.model}: how it does on {on}",
        about=" ".join(about.format(clips=len(record.clips), groups=len(groups)).split()),
        main_figures=main_figures(record.measures()),
        parts=[
            _label_part(record),
            *_kind_parts(record),
            *shown.values(),
            _source_part(record),
            *(Part(x.title, x.about, x.head, x.rows) for x in source_tables(record)),
            _false_tag_part(record),
            _worst_part(record),
        ],
    )


def main_figures(measures: Measures) -> list[tuple[str, str]]:
    """Name and write out the figures that sum an evaluation up."""
    return [
        ("mean AP", figure_text(measures.mean_average_precision)),
        ("macro-F1", figure_text(measures.macro_f1)),
        ("false tags", figure_text(measures.false_tags)),
        ("ECE", figure_text(measures.calibration_error)),
    ]


LABEL_HEAD = (
    *("label", "kind", "clips", "groups", "threshold"),
    *("AP", "F1", "recall", "AP by group", "F1 by group"),
)


def label_rows(record: EvaluationRecord) -> list[tuple[str, ...]]:
    """Write out the figures of each label, as :data:`LABEL_HEAD` names them.

    Parameters
    ----------
    record : EvaluationRecord

    Returns
    -------
    list of tuple of str
        F1 and recall are empty for contexts: they are of the main tag, which is a trigger. Labels
        that no clip holds come last.
    """
    clips, groups = label_counts(record)
    by_clip, by_group = record.measures(), record.measures(by_group=True)
    rows: list[tuple[str, ...]] = []
    for label in record.labels:
        held, scores = record.holds(label), record.scores_of(label)
        each, sources = (
            average_precision(held, scores, record.weights(by_group=flag)) for flag in (False, True)
        )
        figures = [by_clip.f1.get(label), by_clip.recall.get(label), by_group.f1.get(label)]
        f1, recall, f1_by_group = ("" if x is None else figure_text(x) for x in figures)
        rows.append(
            (
                *(label, kind_of(label).value, str(clips[label]), str(groups[label])),
                *(f"{record.thresholds[label]:.2f}", figure_text(each), f1, recall),
                *(figure_text(sources), f1_by_group),
            )
        )
    nan = figure_text(float("nan"))
    for label in record.unheld:
        if label not in record.labels:
            threshold = f"{record.thresholds[label]:.2f}"
            rows.append((label, kind_of(label).value, "0", "0", threshold, *[nan] * 5))
    return rows


KIND_HEAD = ("kind", "told", "AP", "clips", "groups", "taken for it")


def kind_rows(record: EvaluationRecord) -> list[tuple[str, ...]]:
    """Write out the figures of each kind, as :data:`KIND_HEAD` names them; the best first."""
    return [
        (
            *(each.kind, "yes" if each.told else "no", figure_text(each.average_precision)),
            *(str(each.clips), str(each.groups), ", ".join(each.taken_for)),
        )
        for each in record.kinds
    ]


def _kind_parts(record: EvaluationRecord) -> list[Part]:
    if not record.kinds:
        return []
    told = sum(each.told for each in record.kinds)
    about = f"{told} of {len(record.kinds)} kinds are told; the others not well enough yet."
    return [Part("Kinds", about, KIND_HEAD, kind_rows(record))]


def _label_part(record: EvaluationRecord) -> Part:
    known = [label for label in record.labels if label in DEFINITIONS]
    about = ["; ".join(f"{label}: {DEFINITIONS[label]}" for label in known)]
    about += [
        f"{label}: no clip holds it, and {n_tagged} of {len(record.clips)} are tagged with it"
        for label, n_tagged in record.unheld.items()
    ]
    return Part("Label by label", ". ".join(filter(None, about)), LABEL_HEAD, label_rows(record))


def _picture_part(picture: Picture) -> Part:
    return Part(picture.title, picture.about, svg=_inline(picture))


def _source_part(record: EvaluationRecord) -> Part:
    sources = source_figures(record)
    wrong = sum(source.n_errors > 0 for source in sources)
    return Part(
        "All sources",
        f"{wrong} of {len(sources)} groups have clips with a wrong main tag; those come first.",
        ("group", "with a trigger", "of them right", "without one", "of them with a tag"),
        [(s.group, *map(str, (s.n_held, s.n_right, s.n_clear, s.n_false))) for s in sources],
        folded=f"Table of {counted(len(sources), 'group')}",
    )


def _false_tag_part(record: EvaluationRecord) -> Part:
    return Part(
        "False tags",
        "Clips without a trigger that got a tag, by what they are.",
        ("finer label", "clips", "with a tag", "taken for"),
        [
            (
                *(finer, str(total), str(sum(taken.values()))),
                ", ".join(f"{tag} {count}" for tag, count in taken.items()),
            )
            for finer, total, taken in false_tags(record)
        ],
    )


def _worst_part(record: EvaluationRecord) -> Part:
    mistakes = worst_mistakes(record)
    return Part(
        "Worst errors",
        f"{counted(len(mistakes), 'clip')} got a wrong main tag. Listen first to what is furthest "
        f"off, of which at most {N_WORST} stand here: the label may be what is wrong.",
        ("clip", "group", "finer label", "holds", "got", "scores"),
        [
            (
                *(m.clip.name, m.clip.group, m.clip.finer),
                *(", ".join(m.clip.labels), ", ".join(m.clip.tags) or "none"),
                main_scores(record, m.expected, m.found, m.clip.scores),
            )
            for m in mistakes[:N_WORST]
        ],
    )


def main_scores(
    record: EvaluationRecord, expected: str, found: str, scores: Sequence[float]
) -> str:
    """Write out the scores of what a clip holds and of what it got, where they are triggers."""
    pairs = dict(zip(record.labels, scores, strict=True))
    return ", ".join(f"{name} {pairs[name]:.2f}" for name in (expected, found) if name in pairs)


def _inline(picture: Picture) -> Any:
    """Make an SVG part of the page: identifiers that no other picture has, sized by the page."""
    from markupsafe import Markup

    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", XLINK)
    root = ET.fromstring(picture.svg)  # noqa: S314 (written by this program)
    for element in root.iter():
        for key, value in element.attrib.items():
            if key == "id":
                element.set(key, f"{picture.name}-{value}")
            elif key == f"{{{XLINK}}}href":
                element.set(key, f"#{picture.name}-{value.removeprefix('#')}")
            elif value.startswith("url(#"):
                element.set(key, value.replace("url(#", f"url(#{picture.name}-"))
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-label", f"{picture.title}. {picture.about}")
    width = float(root.attrib["viewBox"].split()[2])
    root.set("style", f"width: {width * 4 / 3:.0f}px")
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 (ElementTree escaped it)
