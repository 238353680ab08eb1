"""``asmr-classify organise``."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asmr_classify.cli.arguments import QuietOption, SelectionModelOption  # noqa: TC001 (Typer reads them)
from asmr_classify.cli.catalogue import CatalogueOption, WhatArgument  # noqa: TC001 (Typer reads them)
from asmr_classify.cli.errors import ExitStatus, nothing_to_do, reporting_errors, tell
from asmr_classify.cli.planned import (
    DryRunOption,
    JsonOption,
    Manner,
    YesOption,
    carry_out_asked,
    check_can_ask,
    command_line,
    results_to_plan,
    settle_first,
)
from asmr_classify.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLE = "{trigger|none}/{stem} [{tags|none}].{ext}"


class ActionName(StrEnum):
    """What is done to files."""

    MOVE = "move"
    COPY = "copy"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"


@reporting_errors
def organise(
    what: WhatArgument = None,
    to: Annotated[
        str,
        typer.Option(
            metavar="TEMPLATE",
            help="Folders and name that a file gets, fields in braces, as in "
            f"'{EXAMPLE}'. A field that is not known lists those that are.",
        ),
    ] = "",
    root: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where the names begin. Default: the folder, if one is named and nothing else.",
        ),
    ] = None,
    action: Annotated[
        ActionName,
        typer.Option(
            metavar="ACTION", help="What is done to the files: move, copy, hardlink or symlink."
        ),
    ] = ActionName.MOVE,
    failed: Annotated[
        bool, typer.Option("--failed", help="Also files that could not be labelled.")
    ] = False,
    found_in: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            hidden=True,  # is for `watch --then`
            help="Where files that are named were found: what lies elsewhere, by a link, stays.",
        ),
    ] = None,
    model: SelectionModelOption = None,
    catalogue: CatalogueOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    yes: YesOption = False,
    quiet: QuietOption = False,
) -> ExitStatus:
    """Give recordings names and places by what they hold.

    Subtitles, covers and notes of the same stem go along. Names are made safe for Windows, macOS
    and Linux, and get a number where they are taken: nothing is ever overwritten. `undo` takes a
    run back.
    """
    from asmr_classify.batch import name_from_here
    from asmr_classify.library.journal import Store
    from asmr_classify.library.organise import (
        Wish,
        links_to_moved,
        lists_led_astray,
        plan_organise,
    )
    from asmr_classify.library.template import Template
    from asmr_classify.library.undo import origins, read_runs

    manner = Manner(dry_run=dry_run, json=as_json, yes=yes, quiet=quiet)
    check_can_ask(manner)
    if not to:
        raise UsageError(f"--to: give a template, as in '{EXAMPLE}'")
    template = Template.parse(to)
    top = choose_root(root, what or ())
    store = Store()
    settle_first(store, manner)
    results = results_to_plan(
        what, manner, catalogue=catalogue, model=model, look=template.names_looks
    )
    if not results:
        return nothing_to_do("nothing to organise was found")
    folders = [name for name in (*(what or ()), *(found_in or ())) if os.path.isdir(name)]  # noqa: PTH112 (any name)
    searched = tuple(map(os.path.abspath, folders))
    wish = Wish(template, top, action.value, failed, origins(read_runs(store)[0]), searched)
    plan = plan_organise(results, wish, command_line())
    for link, target in () if quiet else links_to_moved(plan, searched):
        told = f"leads to {name_from_here(target)}, and nowhere once that is moved"
        tell(f"{name_from_here(link)}: {told}", lead="note: ")
    for path in () if quiet else lists_led_astray(plan):
        told = "names its recording as it was: write it anew by 'export --format mpv-edl'"
        tell(f"{name_from_here(path)}: {told}", lead="note: ")
    return carry_out_asked(
        plan,
        store,
        manner,
        catalogue=catalogue,
        labelled=True,
        links={os.path.realpath(x.path): x.path for x in results if Path(x.path).is_symlink()},
    )


def choose_root(root: Path | None, named: Sequence[str]) -> str:
    """Choose the folder in which the names of a template begin.

    Parameters
    ----------
    root : Path or None
        As the user gave it.
    named : sequence of str
        What is to be organised.

    Returns
    -------
    str
        An absolute path.

    Raises
    ------
    UsageError
        If none is given, and not just one folder is named; or if it is no folder.
    """
    if root is None and len(named) == 1 and Path(named[0]).is_dir():
        root = Path(named[0])
    if root is None:
        raise UsageError("--root: say in which folder the names of the template begin")
    if root.exists() and not root.is_dir():
        raise UsageError(f"--root {root}: is no folder")
    return os.path.abspath(root)  # noqa: PTH100 (links are kept as the user named them)
