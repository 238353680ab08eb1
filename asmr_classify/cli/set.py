"""``asmr-classify set``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from asmr_classify.cli.catalogue import CatalogueOption, open_catalogue, write_results
from asmr_classify.cli.errors import ExitStatus, reporting_errors
from asmr_classify.cli.results import STDOUT, FormatName
from asmr_classify.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asmr_classify.catalogue.corrections import Correction

RESET = "reset"


@reporting_errors
def set_(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE… SETTING…",
            help="Files of the catalogue, and what is true of them: trigger=whisper,tap (the main "
            "one first), trigger=none, no_talking=true or false; or reset.",
        ),
    ],
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Do not show the files as they are now.")
    ] = False,
    catalogue: CatalogueOption = None,
) -> ExitStatus:
    """Correct by hand what the model said of files.

    Corrections outlive labelling anew, and go with a file that is moved or renamed. `reset` takes
    them back. Scores, shares and the timeline stay the model's.
    """
    files, settings = split_settings(words)
    with open_catalogue(catalogue) as known:
        correction = read_settings(settings, known.labels)
        results = known.correct(files, correction)
        if not quiet:
            write_results(results, known.labels, STDOUT, FormatName.TABLE)
    return ExitStatus.OK


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
    from asmr_classify.catalogue.corrections import NO_TALKING, TRIGGER

    names = (f"{TRIGGER}=", f"{NO_TALKING}=")
    settings = [word for word in words if word == RESET or word.startswith(names)]
    files = [word for word in words if word not in settings]
    if not files:
        raise UsageError("no file is named: write set FILE trigger=tap")
    if not settings:
        raise UsageError(
            "nothing is set: add trigger=LABEL,…, trigger=none, no_talking=true, "
            "no_talking=false, or reset"
        )
    return files, settings


def read_settings(settings: Sequence[str], labels: Sequence[str]) -> Correction | None:
    """Read what to set; None to take back what was set.

    Raises
    ------
    UsageError
        If it makes no sense.
    """
    from asmr_classify.catalogue.corrections import parse_correction
    from asmr_classify.labels import TRIGGERS

    if RESET not in settings:
        return parse_correction(settings, dict.fromkeys([*TRIGGERS, *labels]))
    if len(settings) > 1:
        raise UsageError("reset takes back all that was set: give it alone, then set anew")
    return None
