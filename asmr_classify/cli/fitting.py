"""What commands have in common that fit models: what is learnt from and how, and what is told."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asmr_classify.cli.errors import ExitStatus, tell, warn, warn_each
from asmr_classify.counts import counted
from asmr_classify.errors import UsageError
from asmr_classify.labels import one_word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from asmr_classify.training.corpus import Corpus
    from asmr_classify.training.duplicates import Flaws
    from asmr_classify.training.evaluate import Evaluation
    from asmr_classify.training.spec import TrainingSpec
    from asmr_classify.training.takes import TakeSpec

SourcesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="SOURCE",
        help="Labelled recordings: a CSV manifest, a folder with a folder per label, ESC-50, "
        "FSD50K, or an AudioSet list of segments beside its audio. Several are joined.",
    ),
]
ModelFileOption = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="The model file to write.")
]
RenameOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="OLD=NEW",
        help="Call a label of the sources otherwise: by other names (a,b), none for a clear "
        "negative, or unsure to leave its clips out. Repeatable.",
        show_default=False,
    ),
]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Where features are kept from run to run, and of a training that is broken off what "
        "it has fitted, for 30 days. Default: the user's cache folder.",
        show_default=False,
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs", "-j", min=1, help="Processes. Default: one per core.", show_default=False
    ),
]
SeedOption = Annotated[
    int, typer.Option(min=0, help="Seed of all that is random; the same gives the same figures.")
]
MembersOption = Annotated[
    int | None,
    typer.Option(min=1, help="Networks in the ensemble: more are slower, and a little better."),
]
CorrectionsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="CSV file with sha256, path, trigger and reason of wrongly labelled clips: they are "
        "fitted on as corrected, and measured as labelled.",
    ),
]
CopiesOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Changed copies of each clip to learn from as well. With any, generated noise too, "
        "where white_noise is a label.",
    ),
]
ScenesOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Scenes a fold, of clips mixed, to learn from as well; at most two are made for each "
        "clip of the fold. 0 for none.",
    ),
]
RoundsOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Boosting rounds of the trees beside the networks; 0 for no trees. Default: 100, and "
        "0 with a teacher: trees bring nothing beside what it teaches.",
        show_default=False,
    ),
]
KindsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="CSV file with kind and labels, which merges finer labels to kinds: typing, rain, "
        "chewing … Those that are told well on groups never heard are in the model.",
        show_default=False,
    ),
]
TeacherOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A pretrained network (.tflite) from whose opinion of the clips small ones learn; "
        "the model does not need it. Takes the extra 'teacher'.",
        show_default=False,
    ),
]
SoundsOption = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="DIR",
        help="Further recordings, which nobody labelled, for them to learn from: what the "
        "teacher thinks of them is enough. Repeatable.",
        show_default=False,
    ),
]


def check_teaching(teacher: Path | None, sounds: Sequence[Path] | None) -> None:
    """Check that somebody teaches where there is sound to learn from, before any work is done.

    Raises
    ------
    MissingExtraError, UsageError
        If nobody does, or the teacher cannot.
    """
    from asmr_classify.training.teacher import open_teacher

    if sounds and teacher is None:
        raise UsageError(
            f"--sounds {sounds[0]}: nobody labelled it, so only a teacher can tell what it is; "
            "name one by --teacher"
        )
    if teacher is not None:
        open_teacher(teacher)


def read_readable(
    sources: Sequence[Path],
    renames: Iterable[str],
    *,
    least_groups: int = 2,
    spec: TakeSpec | None = None,
    cache: Path | None = None,
    jobs: int,
    quiet: bool,
) -> tuple[Corpus, int]:
    """Read clips of one or several sources, and warn of each that cannot be decoded.

    Those whose rows are kept in the cache are known to be decoded.

    Returns
    -------
    Corpus
        Without those.
    int
        How many they are.

    Raises
    ------
    CorpusError
        If the sources cannot be read, or too many of their clips.
    """
    from asmr_classify.training.layouts import read_sources
    from asmr_classify.training.readable import readable

    corpus, unreadable = readable(
        read_sources(sources, parse_renames(renames), least_groups=least_groups),
        ", ".join(map(str, sources)),
        least_groups=least_groups,
        spec=spec,
        cache=cache,
        jobs=jobs,
        on_progress=phase_reporter(quiet=quiet),
    )
    for reason in unreadable:
        warn(f"{reason}; the clip is left out")
    return corpus, len(unreadable)


def tell_unreadable(n_unreadable: int) -> ExitStatus:
    """Tell at the end how many clips were left out, and give the status that says so."""
    if not n_unreadable:
        return ExitStatus.OK
    were = counted(
        n_unreadable, "clip could not be read and was", "clips could not be read and were"
    )
    warn(f"{were} left out; each is named above")
    return ExitStatus.SOME_FAILED


def with_all(
    corpus: Corpus, corrections: Path | None, kinds: Path | None, sounds: Sequence[Path]
) -> Corpus:
    """Add to clips all that is to be known of them, and further sounds."""
    from asmr_classify.training.corrections import read_corrections, with_corrections
    from asmr_classify.training.kinds import LEAST_GROUPS, read_kinds, with_kinds
    from asmr_classify.training.layouts import with_sounds

    if corrections is not None:
        corpus = with_corrections(corpus, read_corrections(corrections))
    if kinds is not None:
        corpus = with_kinds(corpus, read_kinds(kinds))
        if not corpus.kinds:
            warn(f"{kinds}: no kind of it has clips of {LEAST_GROUPS} groups, so none is learnt")
    return with_sounds(corpus, sounds)


def training_spec(
    *,
    seed: int,
    members: int | None,
    copies: int | None,
    scenes: int | None,
    rounds: int | None,
    is_taught: bool,
) -> TrainingSpec:
    """Put the settings together; None keeps a default, which for trees depends on a teacher."""
    from asmr_classify.training.spec import FitSpec, TrainingSpec
    from asmr_classify.training.takes import TakeSpec

    fit, takes = FitSpec(seed=seed), TakeSpec(seed=seed)
    if members is not None:
        fit = replace(fit, members=members)
    if rounds is not None or is_taught:
        fit = replace(fit, tree_rounds=rounds or 0)
    if copies is not None:
        takes = replace(
            takes,
            copies=copies,
            steady_copies=min(copies, takes.steady_copies),
            noises=takes.noises if copies else 0,
        )
    if scenes is not None:
        takes = replace(takes, scenes=scenes)
    return TrainingSpec(takes=takes, fit=fit)


def warn_of_corpus(corpus: Corpus, flaws: Flaws) -> None:
    """Warn of what makes figures worth less: small labels, copies across folds, contradictions."""
    from asmr_classify.training.record import clip_names
    from asmr_classify.training.splits import LEAST_CLIPS, N_FOLDS, small_labels

    small = [
        f"{name} ({counted(clips, 'clip')} of {counted(groups, 'group')})"
        for name, clips, groups in small_labels(corpus)
    ]
    if small:
        warn(
            f"small labels: {', '.join(small)}; below {LEAST_CLIPS} clips or {N_FOLDS} "
            "groups, figures of a label are little more than chance"
        )
    names = clip_names(corpus)
    warn_each(
        [
            " and ".join(f"{names[k]} ({', '.join(corpus.clips[k].labels)})" for k in pair)
            + " are the same file with other labels, of which one is wrong: keep one of them"
            for pair in flaws.contradictions
        ],
        "pairs are the same file with other labels",
    )
    everything = (*corpus.clips, *corpus.sounds)
    if flaws.among_sounds:
        first = flaws.among_sounds[0]
        warn(
            "among the sounds without labels, "
            f"{counted(len(flaws.among_sounds), 'recording holds', 'recordings hold')} what a "
            "clip of a fold holds, which makes figures too good: take out, say, "
            f"{everything[max(first.first, first.second)].path}"
        )
    warn_each(
        [
            f"{names[pair.first]} and {names[pair.second]} hold the same sound and are in "
            "different folds, which makes figures too good: give them one group"
            for pair in flaws.copies
        ],
        "pairs hold the same sound in different folds",
    )


def parse_renames(renames: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Parse ``OLD=NEW[,NEW]``.

    Raises
    ------
    UsageError
        If there is no equals sign, or nothing on one side of it.
    """
    parsed = {}
    for rename in renames:
        old, _, new = rename.rpartition("=")
        names = tuple(one_word(name) for name in new.split(",") if name.strip())
        if not old or not names:
            raise UsageError(f"--rename {rename}: give OLD=NEW, as in --rename Whispering=whisper")
        parsed[old] = names
    return parsed


def default_cache(*, quiet: bool) -> Path | None:
    """Folder that keeps features between runs; None, which is told, where there can be none."""
    from asmr_classify.folders import user_cache, why_not_writable

    cache = user_cache()
    folder = None if cache is None else cache / "features"
    exc = None if folder is None else why_not_writable(folder)
    if folder is not None and exc is None:
        return folder
    if not quiet:
        why = "there is no home to keep them in" if exc is None else f"{folder}: {exc.strerror}"
        tell(f"features are not kept for the next run ({why}): name a folder by --cache")
    return None


def what_is_kept(cache: Path | None) -> str:
    """Say what an interrupt leaves of features and fits."""
    return "nothing is kept" if cache is None else "features and fits so far are kept"


def write_text(path: Path, text: str) -> None:
    """Write a text file whole, or leave what was there as it was.

    Raises
    ------
    OutputError
        If that fails.
    """
    from asmr_classify.writers.output import write_whole

    write_whole(path, text.encode("utf-8", "backslashreplace"))


def phase_reporter(*, quiet: bool) -> Callable[[str, int, int], None]:
    """Make a callback that tells of progress: at a phase's ends, and now and then between."""
    from asmr_classify.cli.progress import Pace, clock

    started: dict[str, float] = {}
    pace = Pace()

    def report(phase: str, done: int, total: int) -> None:
        now = time.monotonic()
        begin = started.setdefault(phase, now)
        if quiet or (1 < done < total and not pace.is_due()):
            return
        left = (now - begin) / done * (total - done)
        tell(
            f"{phase}: {done}/{total}" + (f", about {clock(left)} left" if 1 < done < total else "")
        )

    return report


def tell_figures(evaluation: Evaluation) -> None:
    """Tell the figures on sources never heard, and which triggers no clip tells of."""
    from asmr_classify.training.metrics import figure_text
    from asmr_classify.training.page import main_figures

    results, (model, *_) = evaluation.results, evaluation.models
    unheld = [x for x in model.triggers if x not in evaluation.by_clip.average_precision]
    for name, figures in (("by clip", evaluation.by_clip), ("by group", evaluation.by_group)):
        tell(f"{name}: {', '.join(f'{what} {text}' for what, text in main_figures(figures))}")
        for trigger, ap in figures.average_precision.items():
            tell(
                f"  {trigger}: AP {figure_text(ap)}, F1 {figure_text(figures.f1[trigger])}, "
                f"recall {figure_text(figures.recall[trigger])}"
            )
        for trigger in unheld:
            n_tagged = sum(trigger in result.tags for result in results)
            tell(
                f"  {trigger}: AP n/a, F1 n/a, recall n/a: no clip holds it, and {n_tagged} of "
                f"{len(results)} are tagged with it"
            )
