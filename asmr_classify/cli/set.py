"""``asmr-classify set``."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path  # noqa: TC003 (Typer reads it)
from typing import TYPE_CHECKING, Annotated

import typer

from asmr_classify.cli.catalogue import CatalogueOption, open_catalogue, write_results
from asmr_classify.cli.errors import ExitStatus, printable, reporting_errors, tell, warn_each
from asmr_classify.cli.formats import STDOUT, FormatName
from asmr_classify.counts import counted
from asmr_classify.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asmr_classify.catalogue import Answer, Catalogue
    from asmr_classify.catalogue.corrections import Correction
    from asmr_classify.catalogue.edits import Edit

RESET = "reset"

LIKE_SETTING = re.compile(r"\w+=[^./]*")
"""Names something to be set, misspelt perhaps, rather than a recording, which has an ending."""

UNCHANGED = "nothing was changed (dry run)"

NOT_THERE = (
    "there is no such file, nor is one known: check the name; 'asmr-classify find' shows those "
    "that are known"
)

N_NAMED = 5
"""Files of which something is to be told are named up to here; the rest are counted."""


@reporting_errors
def set_(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE|SETTING",
            help="Files of the catalogue, and what is true of them: trigger=whisper,tap (the main "
            "one first), trigger=none, kinds=typing,rain (and no others), kinds=none, "
            "no_talking=true or false; or reset. With --from, files and folders to which that is "
            "limited, and no setting but reset.",
            show_default=False,
        ),
    ] = None,
    from_: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            metavar="FILE|DIR",
            help="Labels that were edited: a CSV file with a row a recording or stretch, Audacity "
            "label tracks or Raven selection tables as `export` writes them, or a folder of these. "
            "Only what differs from the catalogue is kept. Repeatable.",
            show_default=False,
        ),
    ] = None,
    new_label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL",
            help="A label that --from may name for the first time; any other is refused as "
            "misspelt. Repeatable.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Show what would be kept and change nothing.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Do not show the files as they are now.")
    ] = False,
    catalogue: CatalogueOption = None,
) -> ExitStatus:
    """Correct by hand what the model said of files.

    As in `set rain.mp3 trigger=whisper,white_noise`.

    Corrections outlive labelling anew, and go with a file that is moved or renamed; other files of
    the very same content are set too. `reset` takes them back. Scores, shares and the timeline stay
    the model's; lists for players and editors leave out labels that are set as absent. Files that
    could not be labelled are refused.

    `--from` takes many corrections at once, or none of them if a line is wrong: what files tell of
    whole recordings is set, what they tell of stretches is kept as answers to `review` are.
    `reset --from` takes back the answers that say what the files say of stretches.
    """
    if from_:
        return set_from(
            from_, words or (), new_label or (), catalogue, dry_run=dry_run, quiet=quiet
        )
    if new_label:
        raise UsageError("--new-label: is for labels that --from reads")
    files, settings = split_settings(words or ())
    with open_catalogue(catalogue, as_copy=dry_run) as known:
        correction = read_settings(settings, known)
        check_files(files, settings, known)
        results = known.correct(files, correction)
        if not quiet:
            write_results(results, known.labels, STDOUT, FormatName.TABLE)
        tell_copies(known.copies_of(files), is_reset=correction is None)
        tell_heard(known, files)
    if dry_run:
        tell(UNCHANGED)
    return ExitStatus.OK


def set_from(
    sources: Sequence[Path],
    words: Sequence[str],
    new: Sequence[str],
    catalogue: Path | None,
    *,
    dry_run: bool,
    quiet: bool,
) -> ExitStatus:
    """Take labels from files that were edited."""
    from asmr_classify.catalogue.edited import read_edits

    settings = [word for word in words if is_setting(word)]
    if settings not in ([], [RESET]):
        raise UsageError(f"{settings[0]}: files tell what is set; leave it out, or --from")
    words = [word for word in words if word not in settings]
    with open_catalogue(catalogue, as_copy=dry_run) as known:
        check_named(words, known)
        emptied: dict[str, str] = {}
        edits = read_edits(
            [str(x) for x in sources],
            known,
            only=words,
            new=new,
            on_empty=emptied.setdefault,
        )
        if settings:
            return take_back(known.withdraw(edits), dry_run=dry_run, quiet=quiet)
        changed = known.take(edits)
        named = [edit.path for edit in changed if edit.correction is not None]
        answered = [edit.answer for edit in changed if edit.answer is not None]
        if named and not quiet:
            results = (known.result_of(path) for path in named)
            write_results(results, known.labels, STDOUT, FormatName.TABLE)
        if not quiet:
            for answer in answered:
                typer.echo(printable(describe(answer)))
        told = {edit.place for edit in changed}
        tell_emptied({file: path for file, path in emptied.items() if file in told})
        tell_copies(known.copies_of(named), is_reset=False)
        tell_heard(known, [edit.path for edit in changed])
    if not changed:
        tell("nothing differs from what is known")
    elif not quiet:
        stretches = counted(len(answered), "stretch", "stretches")
        recordings = counted(len(named), "recording")
        tell(f"set: {recordings}; answered: {stretches}" + f"; {UNCHANGED}" * dry_run)
    return ExitStatus.OK


def tell_emptied(emptied: Mapping[str, str]) -> None:
    """Warn of label tracks without labels, which may never have been filled."""
    from asmr_classify.batch import name_from_here

    warn_each(
        [
            f"{file}: holds no label, so all that the model hears in {name_from_here(path)} counts "
            f"as not heard; to take that back: set reset --from {shlex.quote(file)}"
            for file, path in emptied.items()
        ],
        "label tracks hold no label",
    )


def check_named(words: Sequence[str], known: Catalogue) -> None:
    """Check that what is named is there, or known.

    Raises
    ------
    UsageError
    """
    for word in words:
        if not (os.path.lexists(word) or known.knows(word)):
            raise UsageError(f"{word}: {NOT_THERE}")


def take_back(withdrawn: Sequence[Edit], *, dry_run: bool, quiet: bool) -> ExitStatus:
    """Tell what was taken back of answers."""
    answers = [edit.answer for edit in withdrawn if edit.answer is not None]
    for answer in answers if not quiet else ():
        typer.echo(printable(describe(answer)))
    if not answers:
        tell("no answer says what the files say of stretches; whole recordings: set FILE reset")
    elif not quiet:
        stretches = counted(len(answers), "stretch", "stretches")
        tell(f"taken back, of answers: {stretches}" + f"; {UNCHANGED}" * dry_run)
    return ExitStatus.OK


def describe(answer: Answer) -> str:
    """Tell in a line what an answer says."""
    from asmr_classify.batch import name_from_here

    absent = [label for label in answer.asked if label not in answer.labels]
    said = [f"{', '.join(answer.labels)} heard"] * bool(answer.labels)
    said += [f"{', '.join(absent)} not heard"] * bool(absent)
    place = f"{name_from_here(answer.path)} {answer.start:.3f}-{answer.end:.3f} s"
    return f"{place}: {'; '.join(said)}"


def tell_copies(copies: Sequence[str], *, is_reset: bool) -> None:
    """Tell, also where little is to be told, of files that changed without being named."""
    from asmr_classify.batch import name_from_here

    if not copies:
        return
    shown = ", ".join(map(name_from_here, copies[:N_NAMED]))
    rest = len(copies) - N_NAMED
    tell(
        f"{counted(len(copies), 'other file')} of the very same content "
        f"{'was' if len(copies) == 1 else 'were'} {'reset' if is_reset else 'set'} too: {shown}"
        + (f" and {rest} more" if rest > 0 else ""),
        lead="note: ",
        style="bold",
    )


def tell_heard(known: Catalogue, files: Sequence[str]) -> None:
    """Tell of files that are set to lack what somebody heard in a stretch of them."""
    from asmr_classify.batch import name_from_here
    from asmr_classify.labels import TRIGGERS

    # Where something else is set, nothing is said of what no model tells and nobody ever set.
    settled = {*TRIGGERS, *known.labels}
    said: dict[str, set[str]] = {}
    for answer in known.answers(files):
        said.setdefault(answer.path, set()).update(settled.intersection(answer.labels))
    n_lacking = 0
    for path, heard in said.items():
        result = known.result_of(path)
        lacking = sorted(label for label in heard if result.rules_out(label))
        n_lacking += bool(lacking)
        if lacking and n_lacking <= N_NAMED:
            tell(
                f"{name_from_here(result.path)}: {', '.join(lacking)} was heard in a stretch of "
                "it, by an answer to 'review'; both are kept: correct the one that is wrong",
                lead="note: ",
                style="bold",
            )
    if n_lacking > N_NAMED:
        tell(
            counted(
                n_lacking - N_NAMED,
                "more file is set to lack what was heard in a stretch of it",
                "more files are set to lack what was heard in a stretch of them",
            ),
            lead="note: ",
            style="bold",
        )


def split_settings(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Tell files from settings.

    Raises
    ------
    UsageError
        If either is missing.

    Examples
    --------
    >>> split_settings(["a.mp3", "trigger=tap"])
    (['a.mp3'], ['trigger=tap'])
    """
    from asmr_classify.catalogue.corrections import SETTINGS

    settings = [word for word in words if is_setting(word)]
    files = [word for word in words if word not in settings]
    if not files:
        raise UsageError("no file is named: write set FILE trigger=tap")
    if not settings:
        raise UsageError(f"nothing is set: add {SETTINGS}, or {RESET}")
    return files, settings


def check_files(files: Sequence[str], settings: Sequence[str], known: Catalogue) -> None:
    """Check that files are named, and neither folders nor queries.

    Raises
    ------
    UsageError
        If one is none, with the command that sets all files that a query finds.
    """
    from asmr_classify.catalogue.fields import Vocabulary, is_query
    from asmr_classify.cli.select import LIKE_A_TERM

    vocabulary = Vocabulary(dict.fromkeys(known.labels, 0))
    for file in files:
        query = f'path:"{file}"'
        if os.path.isdir(file):  # noqa: PTH112 (any name)
            problem = "is a folder, and files are set"
        elif os.path.lexists(file) or known.knows(file):
            continue
        elif LIKE_A_TERM.search(file) or is_query(file, vocabulary):
            problem, query = "is a query, and files are set", file
        else:
            raise UsageError(f"{file}: {NOT_THERE}")
        raise UsageError(
            f"{file}: {problem}; to set all that are found: asmr-classify find "
            f"{shlex.quote(query)} -0 | xargs -0 asmr-classify set {shlex.join(settings)}"
        )


def is_setting(word: str) -> bool:
    """Tell a setting, right or wrong, from a file."""
    from asmr_classify.catalogue.corrections import KINDS, NO_TALKING, TRIGGER

    is_like_one = LIKE_SETTING.fullmatch(word) is not None and not os.path.lexists(word)
    return (
        word == RESET
        or word.startswith((f"{TRIGGER}=", f"{NO_TALKING}=", f"{KINDS}="))
        or is_like_one
    )


def read_settings(settings: Sequence[str], known: Catalogue) -> Correction | None:
    """Read what to set; None to take back what was set.

    Raises
    ------
    UsageError
        If it makes no sense.
    """
    from asmr_classify.catalogue.corrections import KINDS, parse_correction
    from asmr_classify.catalogue.fields import all_kinds
    from asmr_classify.labels import TRIGGERS

    if RESET not in settings:
        labels = dict.fromkeys([*TRIGGERS, *known.named])
        asks_kinds = any(setting.startswith(f"{KINDS}=") for setting in settings)
        kinds = all_kinds(known.kinds) if asks_kinds else []
        return parse_correction(settings, labels, kinds)
    if len(settings) > 1:
        raise UsageError("reset takes back all that was set: give it alone, then set anew")
    return None
