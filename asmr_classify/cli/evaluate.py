"""``asmr-classify evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asmr_classify.cli.arguments import QuietOption  # noqa: TC001 (Typer reads it)
from asmr_classify.cli.errors import ExitStatus, reporting_errors
from asmr_classify.cli.explain import HtmlOption, PlotsOption, check_explanations, explain
from asmr_classify.cli.formats import FormatName, check_earlier
from asmr_classify.cli.interrupts import interrupts_tell
from asmr_classify.cli.train import (
    CacheOption,
    CopiesOption,
    CorrectionsOption,
    JobsOption,
    KindsOption,
    MembersOption,
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
    prepared_corpus,
    read_corrected,
    tell_figures,
    training_spec,
    what_is_kept,
    write_text,
)
from asmr_classify.cli.train_output import check_folder


@reporting_errors
def evaluate(
    sources: SourcesArgument,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="Where predictions go, as JSON Lines."),
    ] = Path("predictions.jsonl"),
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
    html: HtmlOption = None,
    plots: PlotsOption = None,
    quiet: QuietOption = False,
) -> ExitStatus:
    """Label every clip of a corpus with a model that never heard its group.

    The predictions are written as `label` writes them; the figures go to stderr. What is
    confused, how curves and sources look, and the worst errors go to a page or to pictures.
    """
    from asmr_classify.training.evaluate import evaluate as cross_validate
    from asmr_classify.training.record import EvaluationRecord
    from asmr_classify.writers.jsonl import result_to_line
    from asmr_classify.writers.output import check_output

    inputs = [*sources, *filter(None, (corrections, kinds, teacher))]
    check_output(str(output), list(map(str, inputs)))
    check_earlier(str(output), FormatName.JSONL)
    check_folder(output)
    check_teaching(teacher, sounds)
    check_explanations(html, plots)
    corpus = read_corrected(sources, rename or (), corrections, kinds, sounds or ())
    spec = training_spec(
        seed=seed,
        members=members,
        copies=copies,
        scenes=scenes,
        rounds=rounds,
        is_taught=teacher is not None,
    )
    n_jobs = jobs if jobs is not None else -1
    report = phase_reporter(quiet=quiet)
    kept = cache or default_cache(quiet=quiet)
    with interrupts_tell(f"no predictions were written; {what_is_kept(kept)}"):
        prepared = prepared_corpus(
            corpus,
            spec,
            teacher=teacher,
            cache=kept,
            cache_needed=cache is not None,
            jobs=n_jobs,
            quiet=quiet,
        )
        evaluation = cross_validate(prepared, spec, jobs=n_jobs, on_progress=report)
    write_text(output, "".join(result_to_line(result) + "\n" for result in evaluation.results))
    if html or plots:
        explain(EvaluationRecord.of_evaluation(corpus, evaluation), html, plots)
    prepared.checkpoints.forget()
    if not quiet:
        tell_figures(evaluation)
    return ExitStatus.OK
