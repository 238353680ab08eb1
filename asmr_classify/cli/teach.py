"""``asmr-classify teach``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asmr_classify.cli.arguments import MAKERS, QuietOption
from asmr_classify.cli.catalogue import CatalogueOption, has_default, open_catalogue
from asmr_classify.cli.errors import ExitStatus, printable, reporting_errors, tell, warn, warn_each
from asmr_classify.cli.fitting import (
    CacheOption,
    ModelFileOption,
    default_cache,
    phase_reporter,
    write_text,
)
from asmr_classify.cli.interrupts import interrupts_tell
from asmr_classify.cli.train_output import check_taught
from asmr_classify.errors import UsageError
from asmr_classify.labels import SILENCE, one_word
from asmr_classify.library.makers import Maker, maker_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asmr_classify.training.answers import Examples, Said
    from asmr_classify.training.gather import Gathered
    from asmr_classify.training.teach import Taught


MOST_FALSE = 0.1
"""Share of what does not hold a label that may be tagged with it; if it may be more, it is told: of
a rare label, few of the tags are right then."""


@reporting_errors
def teach(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER",
            help="Folders with a folder per label, 'none' for what holds none of them; or whatever "
            "else `train` reads. Default: what was answered and set in the catalogue.",
            show_default=False,
        ),
    ] = None,
    output: ModelFileOption = Path("mine.safetensors"),
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL", help="Teach this label and no other. Repeatable.", show_default=False
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Teach this model, not the shipped one."),
    ] = None,
    group_by: Annotated[
        Maker,
        typer.Option(
            metavar="MAKER",
            help=f"What makes recordings of the catalogue those of one maker, of whom some are "
            f"held out for figures: {MAKERS}. Below a FOLDER of a label, folders are makers.",
        ),
    ] = Maker.CREATOR,
    cache: CacheOption = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes that listen.")] = 1,
    quiet: QuietOption = False,
    catalogue: CatalogueOption = None,
) -> ExitStatus:
    """Teach a model what you answered: new labels from a few examples, and better ones.

    Nothing that was not spoken of changes. The model file works as any other, by `label --model`;
    a card beside it tells how well each label is told on makers that were held out, where there
    are enough answers to tell.
    """
    from asmr_classify.model import load_model, save_model, shipped_model_path
    from asmr_classify.training.answers import hear, said_of_clips
    from asmr_classify.training.card import taught_card
    from asmr_classify.training.layouts import read_clips
    from asmr_classify.training.teach import check_names, check_only, check_teachable
    from asmr_classify.training.teach import teach as teach_model

    if output.suffix != ".safetensors":
        raise UsageError(f"--output {output}: a model file ends in .safetensors")
    check_taught(output, model or shipped_model_path())
    base = load_model(model)
    check_teachable(base)
    in_folders = said_of_clips(read_clips(sources)) if sources else None
    said, set_without = _gather(in_folders, catalogue, group_by, base.triggers)
    asked = [*dict.fromkeys(label for each in said for label in each.asked)]
    only = [label if label in asked else one_word(label) for label in only or ()]
    if asked:
        check_only(only, asked)
    named = only or asked
    check_names(named, base)
    warn_each(
        [
            f"{path}: was set without {label}, which hides it there whatever is taught: take that "
            "back by 'set FILE reset'"
            for path, label in set_without
            if label in named
        ],
        "were set without what was answered there",
    )
    if all(label in base.labels for label in named):  # none is told from a library at large
        said = [each for each in said if each.asked]
    with interrupts_tell("no model was written; answers are kept"):
        report = phase_reporter(quiet=quiet)
        examples, errors = hear(
            said,
            base,
            cache=cache or default_cache(quiet=True),
            jobs=jobs,
            on_progress=lambda done, total: report("stretches", done, total),
        )
        warn_each(
            [f"{error}; what was said of it is left out" for error in errors],
            "recordings cannot be heard",
        )
        held = {label for each in in_folders or () for label in each.labels}
        taught_model, taught = teach_model(
            base, examples, name=output.stem, only=only, needed=held - {SILENCE}
        )
    save_model(taught_model, output)
    card = taught_card(taught_model, base, taught, examples, by=group_by.value)
    write_text(output.with_suffix(".md"), card)
    _tell_untaught(examples, taught, only)
    _show(taught)
    if not quiet:
        tell(f"{output}: {taught_model.id}; label by it with --model {output}")
    return ExitStatus.SOME_FAILED if errors else ExitStatus.OK


def _gather(
    in_folders: Sequence[Said] | None,
    catalogue: Path | None,
    group_by: Maker,
    triggers: Sequence[str],
) -> tuple[list[Said], list[tuple[str, str]]]:
    """Gather what was said: in folders, and in the catalogue if it is named or there is no folder.

    Beside that, which recordings were set without which labels that were answered there, and that
    had no name then.

    Raises
    ------
    CatalogueError
        If the catalogue cannot be read.
    """
    from asmr_classify.training.gather import gather

    said = [*(in_folders or ())]
    if catalogue is None and (in_folders is not None or not has_default()):
        return said, []
    with open_catalogue(catalogue) as known:
        gathered = gather(known, triggers, partial(maker_of, by=group_by), beside=said)
    _warn_of_left(gathered)
    return said + gathered.said, gathered.set_without


def _warn_of_left(gathered: Gathered) -> None:
    """Warn of what was said and is not learnt from."""
    warn_each(
        [
            f"{x}: has changed since; what was said of it is left out until it is labelled anew"
            for x in gathered.changed
        ],
        "recordings have changed since",
    )
    warn_each(
        [
            f"{path}: was set to hold {label}, which is heard nowhere in it, so that nothing tells "
            "where it is to be learnt from; answer a stretch that holds it in 'review'"
            for path, label in gathered.unplaced
        ],
        "were set to hold what is heard nowhere in them",
    )
    warn_each(
        [
            f"{each.path}: was set to hold {_denied(each)}; the answer counts: correct either by "
            "'set' or 'review'"
            for each in gathered.against
        ],
        "were set to hold other than what was answered",
    )


def _denied(said: Said) -> str:
    """Say what was set that answers speak against."""
    if said.labels:
        return f"{said.asked[0]}, which was not heard where it should be"
    return f"no {said.asked[0]}, which was heard in a stretch of it"


def _tell_untaught(examples: Examples, taught: Sequence[Taught], only: Sequence[str]) -> None:
    """Tell which labels nothing, or too little, could be learnt of."""
    learnt = {each.label for each in taught}
    left = [label for label in examples.labels if label not in learnt] if not only else []
    held = {label for each in examples.said for label in each.labels}
    unheard = ", ".join(printable(label) for label in left if label not in {*held, SILENCE})
    if SILENCE in left:
        _note(f"nothing is learnt of {SILENCE}: it is decided by level")
    if unheard:
        _note(f"nothing is learnt of {unheard}: no example holds it")
    for label in left:
        if label in held and label != SILENCE:
            warn(
                f"nothing is learnt of {printable(label)}, and the model is not taught it: all "
                "examples hold it; answer stretches that do not, too"
            )
    for each in taught:
        for doubt in _doubts(each):
            _note(f"{each.label}: {doubt}")


def _note(text: str) -> None:
    tell(text, lead="note: ", style="bold")


def _doubts(each: Taught) -> Iterator[str]:
    """Say why little is to be expected of what was learnt of a label, if it is."""
    from asmr_classify.training.teach import LEAST_TO_CHOOSE

    if each.lacks_threshold and each.n_groups < LEAST_TO_CHOOSE <= each.n_held:
        yield (
            f"all {each.n_held} examples that hold it are of one maker, so that none can be left "
            "out to choose a threshold by, and it will hardly ever be found; give some of other "
            "makers, or let each recording be one: --group-by recording"
        )
    elif each.lacks_threshold:
        yield (
            f"{each.n_held} examples hold it and {each.n_not_held} do not, too few to choose a "
            "threshold by makers left out, so it will hardly ever be found; give "
            f"{LEAST_TO_CHOOSE} or more of each, better twenty of ten makers"
        )
    if each.finds_none:
        yield (
            f"what was learnt finds it in none of the {each.n_held} examples that hold it, so it "
            "will hardly ever be found; give more examples, and one kind of sound to a label"
        )
    elif each.most_false > MOST_FALSE:
        yield (
            f"of the {each.n_held_out[1]} examples that do not hold it {each.n_false} were tagged "
            f"when their makers were left out, so up to {each.most_false:.0%} of a library may be, "
            "whatever AP says; give more that do not hold it, best such as are tagged"
        )


def _show(taught: Sequence[Taught]) -> None:
    from rich.console import Console
    from rich.table import Table

    from asmr_classify.training.card import TAUGHT_HEAD, taught_rows

    table = Table(box=None, pad_edge=False)
    for name in TAUGHT_HEAD:
        table.add_column(name, justify="right" if name in {"hold it", "do not"} else "left")
    for row in taught_rows(taught):
        table.add_row(*map(printable, row))
    Console().print(table)
