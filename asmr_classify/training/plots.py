"""Pictures of an evaluation, as SVG and PNG: what is confused, how scores and sources do.

Each picture is drawn from the record alone, by the figures of
:mod:`asmr_classify.training.metrics`. Colours are those of Okabe and Ito (2008), which people
with any colour vision tell apart; line styles and words say the same again. Words in an SVG stay
words, shown in the fonts of its viewer. matplotlib is of the extra ``plots``.
"""

from __future__ import annotations

import io
import math
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from asmr_classify.errors import MissingExtraError, OutputError
from asmr_classify.training.metrics import (
    N_BINS,
    NONE,
    confusion_matrix,
    figure_text,
    precision_recall,
    reliability,
)
from asmr_classify.training.sources import legible, source_figures
from asmr_classify.writers.output import explain, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from asmr_classify.training.record import EvaluationRecord

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#6B6B6B")
GREY, FAINT = "#595959", "#D9D9D9"

MOST_CLASSES = 20
"""Labels in a confusion matrix at most: those with most clips. More cannot be read."""

MOST_PANELS = 12
"""Labels with a curve at most: those with most clips."""

MOST_SOURCES = 24
"""Sources in the picture at most: those with most clips."""

STYLE = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "figure.facecolor": "white",
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "text.parse_math": False,
}

PNG_DPI = 110

BAR_HEIGHT = 0.22
"""Of the bars that count clips below a reliability curve, in a panel of height 1."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture.

    Parameters
    ----------
    name : str
        Of its files, without the ending.
    title : str
    about : str
        What it shows, for those who read it first and those who do not see it.
    svg, png : bytes
    """

    name: str
    title: str
    about: str
    svg: bytes
    png: bytes


def draw_pictures(record: EvaluationRecord) -> tuple[Picture, ...]:
    """Draw all pictures of an evaluation.

    Parameters
    ----------
    record : EvaluationRecord

    Returns
    -------
    tuple of Picture
        The same record gives the same bytes, by the same version of matplotlib.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    check_matplotlib()
    return tuple(
        _render(name, title, about, record) for name, (title, about, _) in PICTURES.items()
    )


def check_matplotlib() -> None:
    """Check that pictures can be drawn.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401 (whether it can be loaded is the question)
    except OSError as exc:
        raise MissingExtraError(
            f"pictures need matplotlib, which may write nowhere ({exc}): name a folder that is "
            "yours alone in the environment variable MPLCONFIGDIR"
        ) from exc
    except ImportError as exc:
        raise MissingExtraError(
            "pictures need matplotlib, which is not installed: pip install 'asmr-classify[plots]'"
        ) from exc


def save_pictures(pictures: Sequence[Picture], folder: Path) -> list[Path]:
    """Write pictures into a folder, each as SVG and as PNG, each whole or not at all.

    Parameters
    ----------
    pictures : sequence of Picture
    folder : path
        Made if it is missing.

    Returns
    -------
    list of path
        Of the SVG files, in the order of the pictures.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputError(explain(str(folder), exc)) from exc
    for picture in pictures:
        write_whole(folder / f"{picture.name}.svg", picture.svg)
        write_whole(folder / f"{picture.name}.png", picture.png)
    return [folder / f"{picture.name}.svg" for picture in pictures]


def _render(name: str, title: str, about: str, record: EvaluationRecord) -> Picture:
    import matplotlib as mpl

    # A salt of its own for each: on one page, identifiers of two pictures must not clash.
    style: Any = {**STYLE, "svg.hashsalt": name}
    with warnings.catch_warnings(), mpl.rc_context(style):
        # In an SVG the viewer's fonts are used, which know more scripts.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = PICTURES[name][2](record)
        svg, png = io.BytesIO(), io.BytesIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(svg, format="svg", metadata=nothing)
        figure.savefig(png, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return Picture(name, title, about, svg.getvalue(), png.getvalue())


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _most_clips(record: EvaluationRecord, labels: Sequence[str], most: int) -> list[str]:
    """Take the labels that most clips hold, in their order."""
    counts = Counter(label for clip in record.clips for label in clip.labels)
    kept = sorted(labels, key=lambda label: -counts[label])[:most]
    return [label for label in labels if label in kept and counts[label]]


def draw_confusion(record: EvaluationRecord) -> Figure:
    """Draw the confusion matrix of the main tag: shares of a row as shade, clips as numbers."""
    classes = [*_most_clips(record, record.triggers, MOST_CLASSES - 1), NONE]
    counts = confusion_matrix(record.truth(), record.main(), classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 1.6 + 0.72 * len(classes)
    figure = _figure(side + 0.6, side)
    axes = figure.add_subplot()
    # Cells as shapes: as an image, viewers of the SVG would blur their edges.
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolor="white", linewidth=1)
    axes.set(aspect="equal", ylim=(len(classes), 0))
    for (row, column), share in np.ndenumerate(shares):
        if counts[row, column]:
            text = f"{counts[row, column]}\n{share:.0%}".replace("\n0%", "\n<1%")
            shade = "white" if share > 0.5 else "black"
            weight = "bold" if row == column else "normal"
            axes.text(
                column + 0.5, row + 0.5, text, ha="center", va="center", color=shade, weight=weight
            )
    names = [legible(name) for name in classes]
    rows = [f"{name}  ({total})" for name, total in zip(names, counts.sum(axis=1), strict=True)]
    middles = np.arange(len(names)) + 0.5
    axes.set_xticks(middles, names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(middles, rows)
    axes.set(xlabel="main tag that clips got", ylabel="what they hold (clips)")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def draw_precision_recall(record: EvaluationRecord) -> Figure:
    """Draw precision over recall for each label, its threshold marked."""
    labels = _most_clips(record, record.labels, MOST_PANELS)
    figure, panels = _panels(len(labels), height=2.35)
    weights = record.weights()
    for label, axes, colour in zip(labels, panels, _colours(labels), strict=True):
        held = record.holds(label)
        curve = precision_recall(held, record.scores_of(label), record.thresholds[label], weights)
        # By rising threshold recall falls: the area below these steps is the average precision.
        axes.step(curve.recall, curve.precision, where="post", color=colour, lw=1.6)
        axes.axhline(held.mean(), color=GREY, lw=0.8, ls=":")
        recall, precision = curve.at_threshold
        if not math.isnan(precision):
            _mark(axes, recall, precision, f"at {record.thresholds[label]:.2f}")
        axes.set_title(f"{legible(label)}   AP {figure_text(curve.average_precision)}", loc="left")
        _unit_square(axes)
    figure.supxlabel("recall", fontsize=9)
    figure.supylabel("precision", fontsize=9)
    return figure


def _mark(axes: Axes, x: float, y: float, text: str) -> None:
    """Ring a point, with a text on that side of it where there is room."""
    axes.plot(x, y, "o", ms=7, mfc="white", mec="black", mew=1.5, clip_on=False, zorder=3)
    # Curves fall to the right: a text there stands above them.
    right = x < 0.4
    above = right or y < 0.2
    axes.annotate(
        text,
        (x, y),
        xytext=(6 if right else -6, 6 if above else -6),
        textcoords="offset points",
        ha="left" if right else "right",
        va="bottom" if above else "top",
    )


def draw_reliability(record: EvaluationRecord) -> Figure:
    """Draw how often scores were right, over ten bins of the score, and clips in each bin."""
    triggers = _most_clips(record, record.triggers, MOST_PANELS)
    figure, panels = _panels(len(triggers), height=2.75)
    centres = (np.arange(N_BINS) + 0.5) / N_BINS
    for trigger, axes, colour in zip(triggers, panels, _colours(triggers), strict=True):
        bins = reliability(record.holds(trigger), record.scores_of(trigger), record.weights())
        filled = bins.weight > 0
        heights = np.log10(bins.weight + 1) / math.log10(bins.weight.max() + 1)
        axes.bar(centres, BAR_HEIGHT * heights, width=0.09, color=FAINT)
        for k in np.flatnonzero(filled):
            top = BAR_HEIGHT * heights[k] + 0.02
            axes.text(
                centres[k], top, f"{bins.weight[k]:.0f}", ha="center", rotation=90, fontsize=6.5
            )
        axes.plot([0, 1], [0, 1], color=GREY, lw=0.8, ls=":")
        scores, hits = (part[filled] / bins.weight[filled] for part in (bins.scores, bins.hits))
        axes.plot(scores, hits, "o-", color=colour, ms=4.5, lw=1.4)
        axes.set_title(f"{legible(trigger)}   ECE {bins.error:.3f}", loc="left")
        _unit_square(axes)
    figure.supxlabel("score (bars: clips in each tenth, on a logarithmic scale)", fontsize=9)
    figure.supylabel("share that holds the label", fontsize=9)
    return figure


def draw_sources(record: EvaluationRecord) -> Figure:
    """Draw recall and false tags of the largest sources, as bars with counts."""
    every = source_figures(record)
    shown = sorted(every, key=lambda source: -source.n_clips)[:MOST_SOURCES][::-1]
    figure = _figure(8.6, 1.0 + 0.24 * len(shown))
    right, false = figure.subplots(1, 2, sharey=True)
    for place, source in enumerate(shown):
        _bar(right, place, source.n_right, source.n_held, COLOURS[0])
        _bar(false, place, source.n_false, source.n_clear, COLOURS[1])
    right.set_yticks(range(len(shown)), [_short(legible(source.group)) for source in shown])
    right.set_title("clips with a trigger: main tag right", loc="left")
    false.set_title("clips without one: false tag", loc="left")
    for axes in (right, false):
        axes.set(xlim=(0, 1.22), ylim=(-0.6, len(shown) - 0.4), xticks=[0, 0.5, 1])
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    if len(shown) < len(every):
        figure.supxlabel(f"the {len(shown)} largest of {len(every)} sources", fontsize=9)
    return figure


def _bar(axes: Axes, place: int, count: int, total: int, colour: str) -> None:
    if total:
        axes.barh(place, 1, height=0.7, color="#F0F0F0")
        axes.barh(place, count / total, height=0.7, color=colour)
        axes.text(1.02, place, f"{count}/{total}", va="center", fontsize=7.5)


def _short(name: str, most: int = 36) -> str:
    return name if len(name) <= most else f"{name[: most // 3]}…{name[1 - most + most // 3 :]}"


def _panels(count: int, *, height: float) -> tuple[Figure, list[Axes]]:
    """Make a figure of panels side by side, four in a row."""
    columns = min(count, 4)
    rows = math.ceil(count / columns)
    figure = _figure(0.7 + 2.15 * columns, height * rows)
    grid: Any = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    panels = list(grid.flat)
    for unused in panels[count:]:
        unused.set_visible(False)
    # The panels above the unused ones are the last of their columns.
    for panel in panels[count - columns : count]:
        panel.tick_params(labelbottom=True)
    return figure, panels[:count]


def _unit_square(axes: Axes) -> None:
    axes.set(xlim=(0, 1.02), ylim=(0, 1.04), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.set_aspect("equal")


def _colours(labels: Sequence[str]) -> list[str]:
    return [COLOURS[k % len(COLOURS)] for k in range(len(labels))]


PICTURES: Mapping[str, tuple[str, str, Callable[[EvaluationRecord], Figure]]] = {
    "confusion": (
        "What is taken for what",
        (
            "Confusion matrix of the main tag. Rows are what clips hold, columns what they got: "
            "the number of clips and their share of the row."
        ),
        draw_confusion,
    ),
    "precision-recall": (
        "Precision and recall",
        (
            "For each label, precision over recall as its threshold falls; the ring is the "
            "default threshold, the dotted line what guessing would give."
        ),
        draw_precision_recall,
    ),
    "reliability": (
        "Whether scores are probabilities",
        (
            "For each trigger, the share of clips that hold it, by score; on the dotted line "
            "scores are exactly right. Bars and numbers tell how many clips a point is made of."
        ),
        draw_reliability,
    ),
    "sources": (
        "Source by source",
        (
            "For the largest groups: how many of the clips with a trigger got the right main tag, "
            "and how many of those without one got a tag."
        ),
        draw_sources,
    ),
}
"""Title, description and drawing of each picture, by name."""
