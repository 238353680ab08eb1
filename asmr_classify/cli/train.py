"""``asmr-classify train``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asmr_classify.cli.arguments import QuietOption  # noqa: TC001 (Typer reads it)
from asmr_classify.cli.errors import ExitStatus, reporting_errors, tell
from asmr_classify.cli.fitting import (
    CacheOption,
    CopiesOption,
    CorrectionsOption,
    JobsOption,
    KindsOption,
    MembersOption,
    ModelFileOption,
    RenameOption,
    RoundsOption,
    ScenesOption,
    SeedOption,
    SoundsOption,
    SourcesArgument,
    TeacherOption,
    check_teaching,
    default_cache,
    phase_reporter,
    read_readable,
    tell_figures,
    tell_unreadable,
    training_spec,
    warn_of_corpus,
    what_is_kept,
    with_all,
    write_text,
)
from asmr_classify.cli.interrupts import interrupts_tell
from asmr_classify.cli.train_output import check_trained
from asmr_classify.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asmr_classify.model import Model
    from asmr_classify.training.corpus import Corpus
    from asmr_classify.training.evaluate import Evaluation
    from asmr_classify.training.plots import Picture
    from asmr_classify.training.spec import TrainingSpec


@reporting_errors
def train(
    sources: SourcesArgument,
    output: ModelFileOption = Path("model.safetensors"),
    name: Annotated[
        str | None, typer.Option(help="Name of the model. Default: that of its file.")
    ] = None,
    version: Annotated[str, typer.Option(help="Version of the model.")] = "1.0.0",
    rename: RenameOption = None,
    corrections: CorrectionsOption = None,
    kinds: KindsOption = None,
    teacher: TeacherOption = None,
    sounds: SoundsOption = None,
    cache: CacheOption = None,
    jobs: JobsOption = None,
    seed: SeedOption = 0,
    members: MembersOption = None,
    copies: CopiesOption = None,
    scenes: ScenesOption = None,
    rounds: RoundsOption = None,
    quiet: QuietOption = False,
) -> ExitStatus:
    """Fit a model on labelled clips, and write it with a card that says how well it does.

    Clips are split by group, never at random. The card, a Markdown file beside the model, holds
    figures and pictures from cross-validation on groups that the networks never heard; a record
    of it, clip by clip, lies there too, from which `model show` makes more.
    """
    from asmr_classify.training.duplicates import find_flaws
    from asmr_classify.training.evaluate import evaluate
    from asmr_classify.training.evaluate import train as fit_model
    from asmr_classify.training.plots import PICTURES
    from asmr_classify.training.prepare import prepare
    from asmr_classify.training.splits import assign_folds

    if output.suffix != ".safetensors":
        raise UsageError(f"--output {output}: a model file ends in .safetensors")
    check_trained(output, PICTURES)
    check_teaching(teacher, sounds)
    n_jobs = jobs if jobs is not None else -1
    spec = replace(
        training_spec(
            seed=seed,
            members=members,
            copies=copies,
            scenes=scenes,
            rounds=rounds,
            is_taught=teacher is not None,
        ),
        name=name or output.stem,
        version=version,
    )
    report = phase_reporter(quiet=quiet)
    kept = cache or default_cache(quiet=quiet)
    corpus, n_unreadable = read_readable(
        sources, rename or (), spec=spec.takes, cache=kept, jobs=n_jobs, quiet=quiet
    )
    corpus = with_all(corpus, corrections, kinds, sounds or ())
    how: dict[str, Any] = {"cache": kept, "cache_needed": cache is not None}
    how |= {"jobs": n_jobs, "on_progress": report}
    with interrupts_tell(f"no model was written; {what_is_kept(kept)}"):
        folds = assign_folds(corpus, seed=seed)
        warn_of_corpus(corpus, find_flaws(corpus, folds, **how))
        prepared = prepare(corpus, spec, teacher=teacher, **how)
        evaluation = evaluate(prepared, spec, whole=True, jobs=n_jobs, on_progress=report)
        model = fit_model(prepared, evaluation, spec, jobs=n_jobs)
    pictures = save_with_card(output, model, corpus, evaluation, spec)
    prepared.checkpoints.forget()
    if not quiet:
        if not pictures:
            tell(f"{output.with_suffix('.md')}: without pictures; {NO_PICTURES}")
        tell(f"{output}: {model.id}, labels {', '.join(model.labels)}")
        tell_figures(evaluation)
    return tell_unreadable(n_unreadable)


NO_PICTURES = "they need matplotlib: pip install 'asmr-classify[plots]', then model show --plots"


def save_with_card(
    output: Path, model: Model, corpus: Corpus, evaluation: Evaluation, spec: TrainingSpec
) -> Sequence[Picture]:
    """Write a model, the record of its evaluation, pictures of that, and a card that shows them.

    Returns
    -------
    sequence of Picture
        Empty where matplotlib is not installed.
    """
    from asmr_classify.model import save_model
    from asmr_classify.training.card import model_card
    from asmr_classify.training.plots import draw_pictures, save_pictures
    from asmr_classify.training.record import EvaluationRecord, record_path, save_record

    folder = output.with_suffix(".figures")
    record = EvaluationRecord.of_evaluation(corpus, evaluation, model)
    try:
        pictures: Sequence[Picture] = draw_pictures(record)
    except MissingExtraError:
        pictures = ()
    save_model(model, output)
    save_record(record, record_path(output))
    if pictures:
        save_pictures(pictures, folder)
    card = model_card(model, corpus, evaluation, spec, pictures=pictures, folder=folder.name)
    write_text(output.with_suffix(".md"), card)
    return pictures
