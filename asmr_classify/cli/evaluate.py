"""``asmr-classify evaluate``."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asmr_classify.cli.arguments import QuietOption  # noqa: TC001 (Typer reads it)
from asmr_classify.cli.errors import MOST_NAMED, ExitStatus, reporting_errors, tell, warn
from asmr_classify.cli.explain import HtmlOption, PlotsOption, check_explanations, explain
from asmr_classify.cli.fitting import (
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
    read_readable,
    tell_figures,
    tell_unreadable,
    training_spec,
    warn_of_corpus,
    what_is_kept,
    with_all,
    write_text,
)
from asmr_classify.cli.formats import FormatName, check_earlier
from asmr_classify.cli.interrupts import interrupts_tell
from asmr_classify.cli.model import find_record
from asmr_classify.cli.train_output import check_folder
from asmr_classify.counts import counted
from asmr_classify.errors import EvaluationError, ModelNotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from asmr_classify.model import Model
    from asmr_classify.training.corpus import Corpus
    from asmr_classify.training.duplicates import Flaws
    from asmr_classify.training.evaluate import Evaluation
    from asmr_classify.training.record import EvaluationRecord

SHIPPED = "shipped"
"""Stands for the shipped model's file where there is no default."""

JudgedOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help=f"Judge this model as it is, or the {SHIPPED} one, instead of fitting one for each "
        "part of the clips.",
        show_default=False,
    ),
]


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
    model: JudgedOption = None,
    issues: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write labels that are likely wrong, copies of one sound in different folds and "
            "files with two labels as a table, .csv or .jsonl. Needs cleanlab.",
            show_default=False,
        ),
    ] = None,
    html: HtmlOption = None,
    plots: PlotsOption = None,
    quiet: QuietOption = False,
) -> ExitStatus:
    """Label every clip of a corpus with a model that never heard its group.

    The predictions are written as `label` writes them; the figures go to stderr. What is
    confused, how curves and sources look, and the worst errors go to a page or to pictures.

    With `--model` nothing is fitted: the figures are of that model, its thresholds and its
    calibration. Judge it by recordings of makers that it was not fitted on.
    """
    from asmr_classify.training.duplicates import find_flaws
    from asmr_classify.training.evaluate import evaluate as cross_validate
    from asmr_classify.training.prepare import prepare
    from asmr_classify.training.record import EvaluationRecord
    from asmr_classify.training.splits import assign_folds
    from asmr_classify.writers.jsonl import result_to_line
    from asmr_classify.writers.output import check_output

    inputs = [*sources, *filter(None, (corrections, kinds, teacher, model))]
    check_output(str(output), list(map(str, inputs)))
    check_earlier(str(output), FormatName.JSONL)
    check_folder(output)
    check_teaching(teacher, sounds)
    check_explanations(html, plots)
    check_issues(issues, fits=model is None)
    check_apart({"--output": output, "--issues": issues, "--html": html})
    n_jobs = jobs if jobs is not None else -1
    if model is not None:
        check_fits_nothing(
            corrections=corrections,
            kinds=kinds,
            teacher=teacher,
            sounds=sounds or None,
            cache=cache,
            seed=seed or None,
            members=members,
            copies=copies,
            scenes=scenes,
            rounds=rounds,
        )
        with interrupts_tell("no predictions were written"):
            corpus, evaluation, n_unreadable = judged(
                sources, rename or (), model, jobs=n_jobs, quiet=quiet
            )
    else:
        spec = training_spec(
            seed=seed,
            members=members,
            copies=copies,
            scenes=scenes,
            rounds=rounds,
            is_taught=teacher is not None,
        )
        report = phase_reporter(quiet=quiet)
        kept = cache or default_cache(quiet=quiet)
        corpus, n_unreadable = read_readable(
            sources, rename or (), spec=spec.takes, cache=kept, jobs=n_jobs, quiet=quiet
        )
        corpus = with_all(corpus, corrections, kinds, sounds or ())
        how: dict[str, Any] = {"cache": kept, "cache_needed": cache is not None}
        how |= {"jobs": n_jobs, "on_progress": report}
        with interrupts_tell(f"no predictions were written; {what_is_kept(kept)}"):
            flaws = find_flaws(corpus, assign_folds(corpus, seed=seed), **how)
            warn_of_corpus(corpus, flaws)
            prepared = prepare(corpus, spec, teacher=teacher, **how)
            evaluation = cross_validate(prepared, spec, jobs=n_jobs, on_progress=report)
    write_text(output, "".join(result_to_line(result) + "\n" for result in evaluation.results))
    if html or plots or issues:
        record = EvaluationRecord.of_evaluation(corpus, evaluation)
        explain(record, html, plots, of_folds=model is None)
    if model is None:
        if issues is not None:
            write_issues(corpus, record, flaws, issues, quiet=quiet)
        prepared.checkpoints.forget()
    tell_figures(evaluation)
    if model is not None and not quiet:
        tell(
            f"{evaluation.models[0].id} labelled the clips as it is: these are figures of sources "
            "never heard only if it was fitted on none of the clips, nor on others of their groups"
        )
    return tell_unreadable(n_unreadable)


def check_issues(output: Path | None, *, fits: bool) -> None:
    """Check that what is likely wrong, if asked for, can be found by models fitted, and written.

    Raises
    ------
    OutputError, UsageError, MissingExtraError
    """
    from asmr_classify.training.suspicious import COLUMNS, check_cleanlab
    from asmr_classify.writers.tables import check_table

    if output is None:
        return
    if not fits:
        raise UsageError(
            f"--issues {output}: models tell it that never heard the maker of a clip, and --model "
            "fits none: leave one out"
        )
    check_cleanlab("--issues")
    check_table(output, "--issues", COLUMNS)


def check_apart(outputs: Mapping[str, Path | None]) -> None:
    """Check that no two of what is written are the same file, of which the last would be left.

    Raises
    ------
    UsageError
    """
    options: dict[str, str] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        other = options.setdefault(os.path.realpath(path), option)
        if other != option:
            raise UsageError(f"{option} {path}: is the file of {other} too; name another one")


def write_issues(
    corpus: Corpus, record: EvaluationRecord, flaws: Flaws, output: Path, *, quiet: bool
) -> None:
    """Write what is likely wrong with a corpus, and tell how much that is."""
    from asmr_classify.training.suspicious import COLUMNS, corpus_issues
    from asmr_classify.writers.tables import is_table_json, table_text

    rows = corpus_issues(corpus, record, flaws.copies, flaws.contradictions)
    write_text(output, table_text(COLUMNS, rows, as_json=is_table_json(output, "--issues")))
    if not quiet:
        counts = Counter(row["issue"] for row in rows)
        listed = ", ".join(f"{issue} {count}" for issue, count in counts.items())
        tell(f"{output}: {listed or 'nothing is likely wrong'}")


def check_fits_nothing(**options: object) -> None:
    """Refuse what is for fitting beside a model that is there.

    Raises
    ------
    UsageError
    """
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise UsageError(f"--model fits nothing, and --{given[0]} is for fitting: leave one out")


def judged(
    sources: Sequence[Path], renames: Iterable[str], model: Path, *, jobs: int, quiet: bool
) -> tuple[Corpus, Evaluation, int]:
    """Read clips, and label them by a model as it is, with warnings of what to believe less.

    Returns
    -------
    Corpus
        What the model was judged by.
    Evaluation
    int
        Clips that cannot be read.

    Raises
    ------
    CorpusError, ModelError
        If the clips or the model cannot be read, or have no trigger in common.
    """
    from asmr_classify.training.judge import judge, known_to

    loaded = load_judged(model)
    read, n_unreadable = read_readable(sources, renames, least_groups=1, jobs=jobs, quiet=quiet)
    corpus, unknown = known_to(read, loaded)
    if unknown:
        listed = ", ".join(f"{label} ({counted(n, 'clip')})" for label, n in unknown.items())
        were = counted(
            len(read.clips) - len(corpus.clips),
            "clip that holds nothing else is",
            "clips that hold nothing else are",
        )
        warn(
            f"{loaded.id} does not know {listed}; {were} left out: "
            "rename what it knows by another name (OLD=NEW), or is to be no trigger (OLD=none)"
        )
    warn_of_fitted(corpus, loaded)
    report = phase_reporter(quiet=quiet)
    return corpus, judge(corpus, loaded, jobs=jobs, on_progress=report), n_unreadable


def load_judged(path: Path) -> Model:
    """Load a model by its file, or the shipped one.

    Raises
    ------
    ModelError
        If it cannot be loaded.
    """
    from asmr_classify.model import load_model

    if str(path) == SHIPPED:
        return load_model()
    if not path.is_file():
        raise ModelNotFoundError(
            f"{path}: no such model file; for the shipped one give --model {SHIPPED}"
        )
    return load_model(path)


def warn_of_fitted(corpus: Corpus, model: Model) -> None:
    """Warn of clips whose groups the record beside a model names as fitted on."""
    try:
        record = find_record(model)
    except EvaluationError as exc:
        warn(f"{exc}; so whether it has heard the clips cannot be told")
        return
    fitted = set() if record is None else {clip.group for clip in record.clips}
    heard = [clip.group for clip in corpus.clips if clip.group in fitted]
    if heard:
        warn(
            f"{len(heard)} of {len(corpus.clips)} clips are of groups by whose names {model.id} "
            f"was fitted on clips ({', '.join(sorted(set(heard))[:MOST_NAMED])}): it has heard "
            "them, or others like them, and its figures are too good"
        )
