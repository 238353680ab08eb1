"""``asmr-classify tag``."""

from __future__ import annotations

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
from asmr_classify.counts import counted
from asmr_classify.errors import UsageError
from asmr_classify.visual.seen import MotionLevel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from asmr_classify.library.tagging import TagOptions, TagPlan


@reporting_errors
def tag(
    what: WhatArgument = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Take all that is ours out again.")
    ] = False,
    chapters: Annotated[
        bool,
        typer.Option("--chapters", help="Also write the timeline as chapters; not WAV, AIFF."),
    ] = False,
    skip: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL",
            help="lively: chapters tell where much moves in a video, too. Labels they tell anyway.",
        ),
    ] = None,
    genre: Annotated[
        bool, typer.Option("--genre", help="Also add the genre ASMR to those that are there.")
    ] = False,
    comment: Annotated[
        bool, typer.Option("--comment", help="Also add a comment that names the triggers.")
    ] = False,
    keep_mtime: Annotated[
        bool, typer.Option("--keep-mtime", help="Leave the files' time of change as it is.")
    ] = False,
    sidecar: Annotated[
        bool,
        typer.Option("--sidecar", help="Write a file beside each recording, and not into it."),
    ] = False,
    nfo: Annotated[
        bool,
        typer.Option(
            "--nfo",
            help="Add the tags to the .nfo file beside each video, for Kodi, Jellyfin and Emby, "
            "and not to the video; --genre adds the genre there too.",
        ),
    ] = False,
    model: SelectionModelOption = None,
    catalogue: CatalogueOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    yes: YesOption = False,
    quiet: QuietOption = False,
) -> ExitStatus:
    """Write what recordings hold into their tags.

    Triggers, kinds of sound, scores and whether somebody talks go into fields of our own, in MP3,
    FLAC, Ogg, Opus, M4A, MP4, MOV, WAV, AIFF, MKV and WebM; any other file gets one beside it.
    Nothing else in a recording changes. `undo` takes a run back, byte for byte.
    """
    from asmr_classify.library.journal import Store
    from asmr_classify.library.tagging import TagOptions
    from asmr_classify.library.tags.fields import Wishes

    manner = Manner(dry_run=dry_run, json=as_json, yes=yes, quiet=quiet)
    check_can_ask(manner)
    if remove and (chapters or skip or genre or comment or sidecar or nfo):
        raise UsageError("--remove takes out all that is ours: give it without what would be added")
    if remove and model is not None:
        raise UsageError("--remove takes out all that is ours, by whatever model: omit --model")
    if nfo and (chapters or skip or comment or sidecar or keep_mtime):
        raise UsageError("--nfo leaves the videos alone: give it with --genre, or by itself")
    check_skip_option(skip or (), chapters=chapters)
    store = Store()
    settle_first(store, manner)
    options = TagOptions(Wishes(genre, comment, chapters, bool(skip)), sidecar, nfo, keep_mtime)
    planned = make_plan(what or (), options, catalogue, manner, model=model, remove=remove)
    if not (planned.plan.steps or planned.plan.left or planned.unchanged or planned.notes):
        return nothing_to_do("nothing to tag was found")
    if not quiet:
        tell_notes(planned, remove=remove)
    return carry_out_asked(planned.plan, store, manner, catalogue=catalogue, labelled=not remove)


def check_skip_option(skip: Sequence[str], *, chapters: bool) -> None:
    """Refuse ``--skip`` of what chapters tell anyway, and without chapters."""
    for label in skip:
        if label != MotionLevel.LIVELY:
            raise UsageError(
                f"--skip {label!r}: chapters tell all labels anyway; {MotionLevel.LIVELY} stands "
                "for stretches of a video in which much moves"
            )
    if skip and not chapters:
        raise UsageError(f"--skip {skip[0]} is for chapters: give it with --chapters")


def make_plan(
    what: Sequence[str],
    options: TagOptions,
    catalogue: Path | None,
    manner: Manner,
    *,
    model: Path | None = None,
    remove: bool,
) -> TagPlan:
    """Plan for what is named; what is there to be taken out needs no labelling."""
    from asmr_classify.cli.arguments import refuse_urls
    from asmr_classify.cli.select import ONLY_HERE, is_path
    from asmr_classify.library.tagging import plan_removal, plan_tags
    from asmr_classify.media.discover import discover
    from asmr_classify.media.found import Found

    refuse_urls(what, ONLY_HERE)
    if remove and what and all(map(is_path, what)):
        paths = [found.path for found in discover(what) if isinstance(found, Found)]
        return plan_removal(paths, options, command_line())
    results = results_to_plan(what, manner, catalogue=catalogue, model=model, look=not remove)
    if remove:
        return plan_removal((result.path for result in results), options, command_line())
    return plan_tags(results, options, command_line())


def tell_notes(planned: TagPlan, *, remove: bool) -> None:
    """Tell what needs no change, and what was wished and cannot be."""
    from asmr_classify.batch import name_from_here

    for note in planned.notes:
        tell(f"{name_from_here(note.path)}: {note.reason}", lead="note: ", style="bold")
    if planned.unchanged:
        state = "without tags of ours" if remove else "tagged so already"
        tell(f"{counted(len(planned.unchanged), 'file')} {state}")
