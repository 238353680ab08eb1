"""The model card: what a model is made of and how well it does, in Markdown.

Every figure in it is computed; see Mitchell et al. (2019), Model cards for model reporting.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import asdict, replace
from html import escape
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from asmr_classify.aggregate import PLAIN_SECONDS, PLAIN_SHARE, contradictions
from asmr_classify.counts import counted
from asmr_classify.labels import DEFINITIONS, kind_of
from asmr_classify.training.metrics import (
    N_RESAMPLED,
    NONE,
    average_precision,
    figure_text,
    group_interval,
    main_classes,
    share,
)
from asmr_classify.training.page import KIND_HEAD, kind_rows, main_figures
from asmr_classify.training.record import EvaluationRecord
from asmr_classify.training.sources import false_tags, legible, source_tables, worst_mistakes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from asmr_classify.model import Model
    from asmr_classify.training.answers import Examples
    from asmr_classify.training.corpus import Clip, Corpus
    from asmr_classify.training.evaluate import Evaluation
    from asmr_classify.training.metrics import Measures
    from asmr_classify.training.plots import Picture
    from asmr_classify.training.spec import TrainingSpec
    from asmr_classify.training.teach import Taught

LIBRARIES = ("asmr-classify", "numpy", "scipy", "scikit-learn", "librosa", "av")

ABOUT_FIGURES = """\
Cross-validation by group: all that was fitted saw nothing of a clip's fold; its scores and tags
follow calibration and thresholds that were chosen on the other folds. AP is the average precision
of the score; F1 and recall are of the main tag; *false tags* is the share of clips without a
trigger that get one; *ECE* is the expected calibration error."""

N_WORST = 10

FEW_CLIPS = 2
FEW_ALIKE = 3
"""What counts as unlike the rest of a corpus, see the card."""

ABOUT_LIMITS = """\
The labels that it was fitted on may be wrong here and there. Recordings of other makers, languages
and rooms may do worse than the figures. Scores say what a recording holds, not what it does to a
listener."""


def model_card(
    model: Model,
    corpus: Corpus,
    evaluation: Evaluation,
    spec: TrainingSpec,
    *,
    pictures: Sequence[Picture] = (),
    folder: str = "",
) -> str:
    """Write the card of a model.

    Parameters
    ----------
    model : Model
    corpus : Corpus
        That it was fitted on.
    evaluation : Evaluation
        Out-of-fold results on that corpus.
    spec : TrainingSpec
    pictures : sequence of Picture, optional
        Of that evaluation.
    folder : str
        Where they lie, from the card.

    Returns
    -------
    str
        Markdown.
    """
    record = EvaluationRecord.of_evaluation(corpus, evaluation, model)
    n_groups = len({clip.group for clip in corpus.clips})
    sections = [
        f"# {model.id}",
        f"By `asmr-classify train`, from {len(corpus.clips)} clips of {n_groups} groups.",
        "## Labels",
        _label_table(model),
        "## Figures on sources never heard",
        ABOUT_FIGURES,
        _figure_table(evaluation),
        _intervals(record),
        _unlike(record),
        _trigger_table(evaluation),
        _context_table(record),
        "Clips without a trigger that got a tag, by what they are:",
        _false_tag_table(record),
        f"The worst {N_WORST} of them:",
        _worst_table(record),
        _further_tags(record),
        _agreement(evaluation, record),
        *_source_tables(record),
        *_kinds(record),
        *_picture_links(pictures, folder),
        "## Data",
        _clip_table(corpus),
        "By licence, as the sources state them:",
        _count_table("licence", corpus.clips, lambda clip: clip.licence),
        "By source:",
        _count_table("source", corpus.clips, lambda clip: clip.source),
        *_sounds(corpus, model),
        "## Settings",
        _setting_table(spec, model),
        "## Limits",
        ABOUT_LIMITS,
    ]
    return "\n\n".join(sections) + "\n"


ABOUT_TAUGHT = """\
AP is the average precision on examples of makers that were held out, a fold of them at a time, with
its 95 % interval over makers; *before* is that of what the model said of a label that it knew. The
examples are those that somebody answered, often the hard ones, and not a fair sample of a library:
figures compare lessons rather than tell what share of tags will be right. AP tells of their order
alone: 1.00 of few examples is no promise that few others are tagged. *False tags* counts the
examples held out that do not hold a new label and are tagged with it; *at most* so many of all that
do not hold it may be, which is much where examples are few (the 95 % limit). Calibration and
thresholds of new labels come from the same examples. All other labels are as they were."""


def taught_card(
    model: Model, base: Model, taught: Sequence[Taught], examples: Examples, *, by: str
) -> str:
    """Write the card of a model that was taught.

    Parameters
    ----------
    model : Model
    base : Model
        That it was before.
    taught : sequence of Taught
    examples : Examples
        By which it was taught.
    by : str
        What makes examples those of one maker.

    Returns
    -------
    str
        Markdown.
    """
    said = [each for each in examples.said if each.asked]
    n_files, n_groups = len({each.path for each in said}), len({each.group for each in said})
    made = (
        f"By `asmr-classify teach`, on top of {base.id}, from "
        f"{counted(len(said), 'stretch', 'stretches')} of {counted(n_files, 'recording')} of "
        f"{counted(n_groups, 'maker')}; a maker is a {by}."
    )
    if n_others := len(examples.said) - len(said):
        made += (
            f" {n_others} more stretches of the library, of which nothing was said, count a little "
            "as if they held no new label: most of a library does not."
        )
    sections = [
        f"# {model.id}",
        made,
        "## Labels",
        _label_table(model),
        "## What was taught",
        ABOUT_TAUGHT,
        _table(TAUGHT_HEAD, taught_rows(taught)),
        "## Limits",
        ABOUT_LIMITS,
    ]
    return "\n\n".join(sections) + "\n"


TAUGHT_HEAD = ("label", "hold it", "do not", "makers", "AP", "before", "false tags", "")


def taught_rows(taught: Sequence[Taught]) -> list[tuple[str, ...]]:
    """Tell of each label by how much it was taught, and how well it is told."""
    return [
        (
            each.label,
            str(each.n_held),
            str(each.n_not_held),
            str(each.n_groups),
            _precision(each),
            f"{each.before:.2f}" if not np.isnan(each.before) else "",
            ""
            if np.isnan(each.most_false)
            else f"{each.n_false} of {each.n_held_out[1]}, at most {each.most_false:.0%}",
            _becomes(each),
        )
        for each in taught
    ]


def _precision(each: Taught) -> str:
    """Write out the average precision; drawing makers anew tells nothing where order is perfect."""
    if each.lacks_threshold:
        return "too few answers for a threshold"
    if not each.can_tell:
        return "too few answers to tell"
    low, high = each.interval
    if np.isclose(low, 1):
        n_held, n_others = each.n_held_out
        return f"1.00 ({n_held} before {n_others} others)"
    return f"{each.average_precision:.2f} ({low:.2f} to {high:.2f})"


def _becomes(each: Taught) -> str:
    """Say what became of a label."""
    if each.is_new:
        return "new, but found in none of its own" if each.finds_none else "new"
    return "better" if each.is_used else "left as it was"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    def line(cells: Iterable[object]) -> str:
        return "| " + " | ".join(_cell(str(value)) for value in cells) + " |"

    return "\n".join([line(head), "|" + " --- |" * len(head), *map(line, rows)])


def _cell(text: str) -> str:
    """Write a text so that it is neither a column, nor a link, nor HTML."""
    plain = escape(legible(" ".join(text.split())), quote=False)
    return re.sub(r"([|\[\]`])", r"\\\1", plain)


def _label_table(model: Model) -> str:
    return _table(
        ("label", "kind", "threshold", "holds"),
        (
            (label, kind_of(label), f"{model.thresholds[label]:.2f}", DEFINITIONS.get(label, ""))
            for label in model.labels
        ),
    )


def _figure_table(evaluation: Evaluation) -> str:
    def row(name: str, measures: Measures) -> tuple[str, ...]:
        return (name, *(text for _, text in main_figures(measures)))

    return _table(
        ("weighing", "mean AP", "macro-F1", "false tags", "ECE"),
        (
            row("every clip alike", evaluation.by_clip),
            row("every group alike", evaluation.by_group),
            *(
                [row("every clip alike, labels as corrected", evaluation.corrected)]
                if evaluation.corrected
                else []
            ),
        ),
    )


def _intervals(record: EvaluationRecord) -> str:
    """State how far figures, every clip alike, may be off by the choice of groups."""
    groups = [clip.group for clip in record.clips]
    truth, main, triggers = record.truth(), record.main(), record.triggers
    scores = np.stack([record.scores_of(trigger) for trigger in triggers], axis=1)
    held = np.array([[trigger in clip for trigger in triggers] for clip in truth])
    expected, found = main_classes(truth, main)

    def mean_precision(weights: NDArray[np.float64]) -> float:
        kept = weights > 0
        return float(
            np.mean(
                [
                    average_precision(held[kept, k], scores[kept, k], weights[kept])
                    for k in range(len(triggers))
                ]
            )
        )

    def false(weights: NDArray[np.float64]) -> float:
        return share(found != NONE, weights, expected == NONE)

    pairs = (
        (name, group_interval(groups, figure))
        for name, figure in (("mean AP", mean_precision), ("false tags", false))
    )
    told = ", ".join(
        f"{name} {low:.3f} to {high:.3f}" for name, (low, high) in pairs if not np.isnan(low)
    )
    if not told:
        return "How far other groups of the same kind would change figures, its clips do not tell."
    return (
        "Had the corpus other groups of the same kind in it, figures would differ: 95 % intervals, "
        f"by drawing its groups anew {N_RESAMPLED} times, every clip alike: {told}."
    )


def _unlike(record: EvaluationRecord) -> str:
    """Say how it does on what is unlike the rest of the corpus."""
    counts = Counter(clip.group for clip in record.clips)
    kinds = Counter(clip.finer for clip in record.clips)
    own = Counter((clip.finer, clip.group) for clip in record.clips)
    clips = tuple(
        clip
        for clip in record.clips
        if counts[clip.group] <= FEW_CLIPS
        or kinds[clip.finer] - own[clip.finer, clip.group] < FEW_ALIKE
    )
    unlike = replace(record, clips=clips)
    held = set().union(*unlike.truth()) if clips else set()
    if held != set(record.triggers) or all(unlike.truth()):
        return "Of what is unlike the rest of the corpus, it has too little to tell how that does."
    figures = unlike.measures()
    return (
        "Recordings that are unlike this corpus do worse. Nearest to them are its clips of makers "
        f"of whom it has {FEW_CLIPS} clips or fewer, or of a sound of which others gave fewer than "
        f"{FEW_ALIKE}: for these {len(clips)} clips, mean AP is "
        f"{figures.mean_average_precision:.3f}, macro-F1 {figures.macro_f1:.3f}, and "
        f"{figures.false_tags:.0%} of those without a trigger get a tag. Expect no better of a "
        "library of your own."
    )


def _kinds(record: EvaluationRecord) -> list[str]:
    if not record.kinds:
        return []
    about = (
        "**Kinds.** What is told beside the labels, and what is not told yet; average precision by "
        "clip. *Taken for it* are the finer labels that rank highest among clips of others."
    )
    return [
        about,
        _table(KIND_HEAD, kind_rows(record)),
    ]


def _trigger_table(evaluation: Evaluation) -> str:
    clip, group = evaluation.by_clip, evaluation.by_group
    return _table(
        ("trigger", "AP", "F1", "recall", "AP by group", "F1 by group"),
        (
            (
                trigger,
                figure_text(ap),
                figure_text(clip.f1[trigger]),
                figure_text(clip.recall[trigger]),
                figure_text(group.average_precision[trigger]),
                figure_text(group.f1[trigger]),
            )
            for trigger, ap in clip.average_precision.items()
        ),
    )


def _context_table(record: EvaluationRecord) -> str:
    rows = []
    for label in record.labels:
        held = record.holds(label)
        if label not in record.triggers and held.any():
            ap = average_precision(held, record.scores_of(label), record.weights())
            rows.append((label, figure_text(ap), f"{held.mean():.3f}"))
    return _table(("context", "AP", "share of clips"), rows)


def _false_tag_table(record: EvaluationRecord) -> str:
    return _table(
        ("label", "clips", "with a tag", "taken for"),
        (
            (finer, n_clips, sum(taken.values()), ", ".join(f"{k} {n}" for k, n in taken.items()))
            for finer, n_clips, taken in false_tags(record)
        ),
    )


def _worst_table(record: EvaluationRecord) -> str:
    wrong = [mistake for mistake in worst_mistakes(record) if mistake.expected == NONE]
    return _table(
        ("clip", "group", "label", "tag", "score"),
        (
            (m.clip.name, m.clip.group, m.clip.finer, m.found, f"{m.distance:.2f}")
            for m in wrong[:N_WORST]
        ),
    )


def _further_tags(record: EvaluationRecord) -> str:
    further = [(tag, record.held(clip)) for clip in record.clips for tag in clip.tags[1:]]
    named = sum(tag in held for tag, held in further)
    return (
        f"Beside main tags, clips got {len(further)} further ones, of which their labels name "
        f"{named}; of sounds that lie over one another, labels of clips often name one."
    )


def _agreement(evaluation: Evaluation, record: EvaluationRecord) -> str:
    against = sum(bool(contradictions(each, record.triggers)) for each in evaluation.results)
    return (
        f"Tags and timeline say the same of {len(evaluation.results) - against} of "
        f"{len(evaluation.results)} clips: a trigger that covers {PLAIN_SECONDS:g} seconds, or "
        f"{PLAIN_SHARE:.0%} of what is heard, is a tag, and a tag has a segment."
    )


def _source_tables(record: EvaluationRecord) -> list[str]:
    return [
        text
        for table in source_tables(record)
        for text in (f"**{table.title}.** {table.about}", _table(table.head, table.rows))
    ]


def _picture_links(pictures: Sequence[Picture], folder: str) -> list[str]:
    """Show pictures that lie in a folder beside the card."""
    return [
        f"**{picture.title}.** {picture.about}\n\n"
        f"![{picture.title}]({quote(folder)}/{picture.name}.svg)"
        for picture in pictures
    ]


def _clip_table(corpus: Corpus) -> str:
    clips: Counter[str] = Counter()
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for clip in corpus.clips:
        for label in clip.labels:
            clips[label] += 1
            groups[label].add(clip.group)
    return _table(
        ("label", "clips", "groups"),
        ((label, clips[label], len(groups[label])) for label in corpus.labels),
    )


def _count_table(name: str, clips: Sequence[Clip], key: Callable[[Clip], str]) -> str:
    counts = Counter(key(clip) for clip in clips)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return _table((name, "clips"), ordered)


def _sounds(corpus: Corpus, model: Model) -> list[str]:
    """Tell which sound without labels was learned from."""
    if model.ensemble.student is None and model.encoder is None:
        return []
    known = {clip.group for clip in corpus.clips}
    others = sorted({sound.group for sound in corpus.sounds} - known)
    text = (
        "A student and an encoder learned, from these clips, what a pretrained network thinks of "
        "them; that network is not in the model, nor needed to label."
    )
    if not corpus.sounds:
        return [text]
    text += f" They did from {len(corpus.sounds)} further recordings as well, which have no label"
    if not others:
        return [f"{text}."]
    return [f"{text}: of groups of the corpus, and of others:", _cell(", ".join(others))]


def _setting_table(spec: TrainingSpec, model: Model) -> str:
    settings = {f"fit: {k}": v for k, v in asdict(spec.fit).items()}
    of_takes = ("copies", "steady_copies", "scenes", "noises", "seed")
    if model.ensemble.student is not None:
        settings |= {f"student: {k}": v for k, v in asdict(spec.student).items()}
    if model.encoder is not None:
        settings |= {f"encoder: {k}": v for k, v in asdict(spec.encoder).items()}
    if model.ensemble.kinds is not None:
        settings |= {f"kinds: {k}": v for k, v in asdict(spec.kinds).items()}
    settings |= {f"takes: {k}": getattr(spec.takes, k) for k in of_takes}
    settings |= {f"augmentation: {k}": v for k, v in asdict(spec.takes.augmentation).items()}
    settings |= {f"decision: {k}": v for k, v in asdict(spec.decision).items()}
    settings["features"] = f"{model.fingerprint}, {model.ensemble.mean.size} columns"
    settings |= {f"version of {name}": version(name) for name in LIBRARIES}
    return _table(("setting", "value"), settings.items())
