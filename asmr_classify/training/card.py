"""The model card: what a model is made of and how well it does, in Markdown.

Every figure in it is computed; see Mitchell et al. (2019), Model cards for model reporting.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING

from asmr_classify.labels import DEFINITIONS, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from asmr_classify.aggregate import FileResult
    from asmr_classify.model import Model
    from asmr_classify.training.corpus import Clip, Corpus
    from asmr_classify.training.evaluate import Evaluation
    from asmr_classify.training.fit import TrainingSpec
    from asmr_classify.training.metrics import Measures

LIBRARIES = ("asmr-classify", "numpy", "scipy", "scikit-learn", "librosa", "av")

ABOUT_FIGURES = """\
Cross-validation by group: networks and trees saw nothing of a clip's fold; its scores and tags
follow calibration and thresholds that were chosen on the other folds. AP is the average precision
of the score; F1 and recall are of the main tag; *false tags* is the share of clips without a
trigger that get one; *ECE* is the expected calibration error."""

N_WORST = 10

ABOUT_LIMITS = """\
The labels that it was fitted on may be wrong here and there. Recordings of other makers, languages
and rooms may do worse than the figures. Scores say what a recording holds, not what it does to a
listener."""


def model_card(model: Model, corpus: Corpus, evaluation: Evaluation, spec: TrainingSpec) -> str:
    """Write the card of a model.

    Parameters
    ----------
    model : Model
    corpus : Corpus
        That it was fitted on.
    evaluation : Evaluation
        Out-of-fold results on that corpus.
    spec : TrainingSpec

    Returns
    -------
    str
        Markdown.
    """
    n_groups = len({clip.group for clip in corpus.clips})
    sections = [
        f"# {model.id}",
        f"By `asmr-classify train`, from {len(corpus.clips)} clips of {n_groups} groups.",
        "## Labels",
        _label_table(model),
        "## Figures on sources never heard",
        ABOUT_FIGURES,
        _figure_table(evaluation),
        _trigger_table(evaluation),
        _context_table(corpus, evaluation, model),
        "Clips without a trigger that got a tag, by what they are:",
        _false_tag_table(corpus, evaluation),
        f"The worst {N_WORST} of them:",
        _worst_table(corpus, evaluation),
        "## Data",
        _clip_table(corpus),
        "By licence, as the sources state them:",
        _count_table("licence", corpus.clips, lambda clip: clip.licence),
        "By source:",
        _count_table("source", corpus.clips, lambda clip: clip.source),
        "## Settings",
        _setting_table(spec, model),
        "## Limits",
        ABOUT_LIMITS,
    ]
    return "\n\n".join(sections) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in rows:
        cells = (str(cell).replace("|", "\\|").replace("\n", " ") for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


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
        return (
            name,
            f"{measures.mean_average_precision:.3f}",
            f"{measures.macro_f1:.3f}",
            f"{measures.false_tags:.3f}",
            f"{measures.calibration_error:.3f}",
        )

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


def _trigger_table(evaluation: Evaluation) -> str:
    clip, group = evaluation.by_clip, evaluation.by_group
    return _table(
        ("trigger", "AP", "F1", "recall", "AP by group", "F1 by group"),
        (
            (
                trigger,
                f"{ap:.3f}",
                f"{clip.f1[trigger]:.3f}",
                f"{clip.recall[trigger]:.3f}",
                f"{group.average_precision[trigger]:.3f}",
                f"{group.f1[trigger]:.3f}",
            )
            for trigger, ap in clip.average_precision.items()
        ),
    )


def _context_table(corpus: Corpus, evaluation: Evaluation, model: Model) -> str:
    from sklearn.metrics import average_precision_score

    rows = []
    for label in model.labels:
        held = [label in clip.labels for clip in corpus.clips]
        if label in model.triggers or not any(held):
            continue
        scores = [result.scores.get(label, 0.0) for result in evaluation.results]
        ap = average_precision_score(held, scores)
        rows.append((label, f"{ap:.3f}", f"{sum(held) / len(held):.3f}"))
    return _table(("context", "AP", "share of clips"), rows)


def _false_tags(corpus: Corpus, evaluation: Evaluation) -> list[tuple[Clip, FileResult]]:
    """Clips without a trigger that got a tag, the surest first."""
    pairs = zip(corpus.clips, evaluation.results, strict=True)
    wrong = [(clip, result) for clip, result in pairs if result.tags and not clip.triggers]
    return sorted(wrong, key=lambda pair: -pair[1].scores[pair[1].tags[0]])


def _false_tag_table(corpus: Corpus, evaluation: Evaluation) -> str:
    clear = Counter(clip.label for clip in corpus.clips if not clip.triggers)
    taken: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for clip, result in _false_tags(corpus, evaluation):
        taken[clip.label].update(result.tags[:1])
    ordered = sorted(taken, key=lambda label: (-taken[label].total(), label))
    return _table(
        ("label", "clips", "with a tag", "taken for"),
        (
            (
                label,
                clear[label],
                taken[label].total(),
                ", ".join(f"{tag} {count}" for tag, count in taken[label].most_common()),
            )
            for label in ordered
        ),
    )


def _worst_table(corpus: Corpus, evaluation: Evaluation) -> str:
    return _table(
        ("recording", "source", "label", "tag", "score"),
        (
            (
                clip.recording,
                clip.source,
                clip.label,
                result.tags[0],
                f"{result.scores[result.tags[0]]:.2f}",
            )
            for clip, result in _false_tags(corpus, evaluation)[:N_WORST]
        ),
    )


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


def _setting_table(spec: TrainingSpec, model: Model) -> str:
    settings = {f"fit: {k}": v for k, v in asdict(spec.fit).items()}
    settings |= {f"takes: {k}": getattr(spec.takes, k) for k in ("copies", "steady_copies", "seed")}
    settings |= {f"augmentation: {k}": v for k, v in asdict(spec.takes.augmentation).items()}
    settings |= {f"decision: {k}": v for k, v in asdict(spec.decision).items()}
    settings["features"] = f"{model.fingerprint}, {model.mean.size} columns"
    settings |= {f"version of {name}": version(name) for name in LIBRARIES}
    return _table(("setting", "value"), settings.items())
