"""``asmr-classify extract``."""

from __future__ import annotations

import os
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from asmr_classify.cli.arguments import MAKERS, QuietOption, SelectionModelOption, parse_time
from asmr_classify.cli.catalogue import CatalogueOption, WhatArgument  # noqa: TC001 (Typer reads them)
from asmr_classify.cli.errors import ExitStatus, nothing_to_do, reporting_errors, tell, warn
from asmr_classify.cli.planned import (
    DryRunOption,
    JsonOption,
    Manner,
    YesOption,
    carry_out_asked,
    check_can_ask,
    command_line,
    settle_first,
    tell_left,
)
from asmr_classify.counts import counted
from asmr_classify.errors import UsageError
from asmr_classify.library.makers import Maker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asmr_classify.library.clips import Selected, Wish
    from asmr_classify.library.extract import Extraction
    from asmr_classify.library.template import Template
    from asmr_classify.timeline import Segment

WHAT, HOW, WHERE = "What to extract", "How clips are written", "The data set"
"""Panels of the help."""

LEAST_LEARNT = 0.5
"""Share of clips in the part that is learnt from; of fewer people are warned, as most is judged."""

N_PARTS = 3
"""Of a data set that can be learnt from and judged by."""


class FormName(StrEnum):
    """How a clip is written."""

    FLAC = "flac"
    WAV = "wav"
    OPUS = "opus"


class LayoutOption(StrEnum):
    """How clips lie in a data set."""

    FOLDERS = "folders"
    AUDIOFOLDER = "audiofolder"
    JAMS = "jams"
    ESC50 = "esc50"
    KALDI = "kaldi"


@reporting_errors
def extract(
    what: WhatArgument = None,
    to: Annotated[
        str,
        typer.Option(
            metavar="DIR",
            help="Folder of the data set: a new or empty one, or that of the same command before.",
            rich_help_panel=WHERE,
        ),
    ] = "",
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABELS",
            help="Segments of any of these labels: whisper,tap. Default: of any trigger.",
            show_default=False,
            rich_help_panel=WHAT,
        ),
    ] = None,
    answered: Annotated[
        bool,
        typer.Option(
            "--answered",
            help="Stretches in which people heard it, by answers to `review` or by `set --from`, "
            "in place of what the model hears.",
            rich_help_panel=WHAT,
        ),
    ] = False,
    min_: Annotated[
        str,
        typer.Option(
            "--min", metavar="TIME", help="Shortest segment to take.", rich_help_panel=WHAT
        ),
    ] = "1s",
    max_: Annotated[
        str | None,
        typer.Option(
            "--max",
            metavar="TIME",
            help="Cut longer segments into clips of this length. Default: whole segments.",
            show_default=False,
            rich_help_panel=WHAT,
        ),
    ] = None,
    pad: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="Sound before and after a segment.", rich_help_panel=WHAT
        ),
    ] = "0s",
    score: Annotated[
        str | None,
        typer.Option(
            metavar="RANGE",
            help="Take only segments with this score, as 0.8.. or 0.3..0.7. Default: any.",
            show_default=False,
            rich_help_panel=WHAT,
        ),
    ] = None,
    per_label: Annotated[
        int | None,
        typer.Option(
            min=1, help="Most clips of a label.", show_default=False, rich_help_panel=WHAT
        ),
    ] = None,
    per_recording: Annotated[
        int | None,
        typer.Option(
            min=1, help="Most clips of a recording.", show_default=False, rich_help_panel=WHAT
        ),
    ] = None,
    per_group: Annotated[
        int | None,
        typer.Option(
            min=1, help="Most clips of a maker.", show_default=False, rich_help_panel=WHAT
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            help="Seed of what chance chooses, clips and parts; the same seed gives the same.",
            rich_help_panel=WHAT,
        ),
    ] = 0,
    format_: Annotated[
        FormName | None,
        typer.Option(
            "--format",
            "-f",
            metavar="flac|wav|opus",
            help="Format of clips. Default: flac; in the layouts esc50 and kaldi, wav.",
            show_default=False,
            rich_help_panel=HOW,
        ),
    ] = None,
    sr: Annotated[
        int | None,
        typer.Option(
            min=8000,
            max=192000,
            metavar="HZ",
            help="Sampling rate. Default: that of the recording (Opus: the next that it has).",
            show_default=False,
            rich_help_panel=HOW,
        ),
    ] = None,
    mono: Annotated[
        bool, typer.Option("--mono", help="Mix down to one channel.", rich_help_panel=HOW)
    ] = False,
    copy: Annotated[
        bool,
        typer.Option(
            "--copy",
            help="Copy packets as they are: nothing is encoded anew, and clips begin and end where "
            "packets do, some ten milliseconds around what is asked for.",
            rich_help_panel=HOW,
        ),
    ] = False,
    layout: Annotated[
        LayoutOption,
        typer.Option(
            metavar="LAYOUT",
            help="folders: one per label; audiofolder: for Hugging Face; jams, esc50, kaldi: as "
            "these have them.",
            rich_help_panel=WHERE,
        ),
    ] = LayoutOption.FOLDERS,
    group_by: Annotated[
        str,
        typer.Option(
            metavar="MAKER|TEMPLATE",
            help="What makes recordings those of one maker, which are in one part of the data set: "
            f"{MAKERS}. Or a template of organise, such as {{parent}}. Default: folder.",
            show_default=False,
            rich_help_panel=WHERE,
        ),
    ] = Maker.FOLDER.value,
    model: SelectionModelOption = None,
    catalogue: CatalogueOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    yes: YesOption = False,
    quiet: QuietOption = False,
) -> ExitStatus:
    """Cut what recordings hold out of them, as a data set for others to learn from.

    Clips are sample-exact, at the rate and with the channels of the recording; their first and last
    5 ms are faded unless the recording begins or ends there. Copies of the same sound are left out.
    Tables tell where each clip comes from, and README.md counts them. Nothing is ever overwritten,
    the same command again finishes what was broken off, and `undo` takes a run back.
    """
    from rich.console import Console

    from asmr_classify.cli.plan_progress import ListeningProgress
    from asmr_classify.cli.select import EVERYTHING, select_as_labelled
    from asmr_classify.library.clips import heed
    from asmr_classify.library.dataset import check_folder_of_data
    from asmr_classify.library.extract import Order, plan_extract
    from asmr_classify.library.journal import Store
    from asmr_classify.library.layouts import LayoutName
    from asmr_classify.library.undo import read_runs
    from asmr_classify.media.cut import Form

    manner = Manner(dry_run=dry_run, json=as_json, yes=yes, quiet=quiet)
    check_can_ask(manner)
    if not to:
        raise UsageError("--to: name the folder of the data set")
    wish = read_wish(
        label,
        {"--min": min_, "--max": max_, "--pad": pad},
        score,
        {"per_label": per_label, "per_recording": per_recording, "per_group": per_group},
        seed,
        answered=answered,
    )
    order = Order(
        folder=os.path.abspath(to),  # noqa: PTH100 (links are kept as the user named them)
        layout=LayoutName(layout.value),
        form=None if format_ is None else Form(format_.value),
        sr=sr,
        mono=mono,
        copy=copy,
        group_by=read_maker(group_by),
    )
    check_folder_of_data(order.folder)
    store = Store()
    settle_first(store, manner)
    if not what and (label or answered):
        what = [EVERYTHING]  # what is wanted of it was said
    found = select_as_labelled(
        what or (),
        Console(stderr=True),
        quiet=quiet,
        catalogue=catalogue,
        model=model,
        dry_run=dry_run,
        timelines=not answered,
    )
    selected = heed(found, wish)
    n_found = len(selected.results) + len(selected.lost)
    if not n_found:
        return nothing_to_do("nothing to extract was found")
    runs = read_runs(store)[0]
    with ListeningProgress(Console(stderr=True), quiet=quiet) as progress:
        made = plan_extract(selected, wish, order, runs, command_line(), on_heard=progress.on_heard)
    if not made.entries:
        tell_left(made.plan.left)
        tell_denied(made)
        tell_unplaced(made)
        why = why_nothing_fits(selected, wish)
        return nothing_to_do(
            f"nothing fits, of {counted(n_found, 'recording')} ({why}); nothing is written"
        )
    if not quiet:
        tell_of(made)
    return carry_out_asked(made.plan, store, manner, catalogue=catalogue, labelled=True)


def read_maker(text: str) -> Maker | Template:
    """Read what makes recordings those of one maker.

    Raises
    ------
    UsageError, TemplateError
        If it tells none apart, or its template is none.
    """
    from asmr_classify.library.template import Template

    if text in list(Maker):
        return Maker(text)
    if "{" not in text:
        raise UsageError(
            f"--group-by {text}: give {', '.join(Maker)}, or a template with fields in braces, as "
            "{parent}"
        )
    return Template.parse_folders(text, option="--group-by")


def why_nothing_fits(selected: Selected, wish: Wish) -> str:
    """Say what keeps recordings from having clips: what people said, or else lengths."""
    from asmr_classify.library.clips import unplaced_labels, wanted_labels
    from asmr_classify.library.extract import describe_denied, describe_unplaced

    reasons: dict[str, None] = {}
    denied_in: dict[str, set[str]] = {}
    for path, segment in selected.denied:
        denied_in.setdefault(path, set()).add(segment.label)
    for result in (*selected.results, *selected.lost):
        wanted, unplaced = wanted_labels(result, wish), unplaced_labels(result, wish)
        denied = denied_in.get(result.path, set())
        reasons |= dict.fromkeys(map(describe_denied, sorted(denied)))
        reasons |= dict.fromkeys(map(describe_unplaced, unplaced))
        absent = {label for label in wanted if result.rules_out(label)}
        reasons |= dict.fromkeys(f"{label} was set as absent" for label in sorted(absent))
        if wish.answered and not wanted:
            reasons["nobody answered that it is heard: 'review'"] = None
        elif wanted - absent or not (absent or denied or unplaced):
            reasons[f"segments of {wish.min_seconds:g} s or more: --min"] = None
    return "; ".join(reasons)


def read_wish(
    labels: Sequence[str] | None,
    times: Mapping[str, str | None],
    score: str | None,
    limits: Mapping[str, int | None],
    seed: int,
    *,
    answered: bool = False,
) -> Wish:
    """Read what clips are wanted.

    Parameters
    ----------
    labels : sequence of str or None
        Lists, as in ``whisper,tap``.
    times : mapping of str to str or None
        Durations, by option.
    score : str or None
        A range.
    limits : mapping of str to int or None
    seed : int
    answered : bool

    Raises
    ------
    UsageError
        If a value cannot be read, or contradicts another.
    """
    from asmr_classify.catalogue.ranges import Range, parse_share, read_range
    from asmr_classify.library.clips import Wish

    seconds = {
        option: None if text is None else parse_time(option, text) for option, text in times.items()
    }
    try:
        held = Range() if score is None else read_range(":", score, parse_share)
    except UsageError as exc:
        raise UsageError(f"--score {exc}") from exc
    names = (name.strip() for text in labels or () for name in text.split(","))
    return Wish(
        labels=tuple(dict.fromkeys(filter(None, names))),
        min_seconds=seconds["--min"] or 0.0,
        max_seconds=seconds["--max"],
        pad=seconds["--pad"] or 0.0,
        score=held,
        seed=seed,
        answered=answered,
        **limits,
    )


def tell_denied(made: Extraction) -> None:
    """Tell, a line a recording and label, of what the model hears and people answered not to."""
    from asmr_classify.batch import name_from_here
    from asmr_classify.library.extract import describe_denied

    denied: dict[tuple[str, str], list[Segment]] = {}
    for path, segment in made.denied:
        denied.setdefault((path, segment.label), []).append(segment)
    for (path, label), (first, *more) in denied.items():
        place = f"{name_from_here(path)} {first.start:.3f}-{first.end:.3f} s"
        place += f" and {counted(len(more), 'stretch', 'stretches')} more" if more else ""
        tell(f"{place}: {describe_denied(label)}", lead="left out: ")


def tell_unplaced(made: Extraction) -> None:
    """Tell of what was set by hand, and that nothing tells where it is to be cut out."""
    from asmr_classify.batch import name_from_here
    from asmr_classify.library.extract import describe_unplaced

    for path, label in made.unplaced:
        tell(f"{name_from_here(path)}: {describe_unplaced(label)}", lead="left out: ")
    if made.unplaced:
        n_files = len({path for path, _ in made.unplaced})
        were = counted(n_files, "recording was", "recordings were")
        tell(
            f"{were} set to hold what the model hears nowhere there; to have it cut out, "
            "answer where it is in 'review', and give --answered; or 'teach' a model that, and "
            "give it as --model",
            lead="note: ",
        )


def tell_of(made: Extraction) -> None:
    """Tell what is left out, and how clips fall to the parts."""
    from asmr_classify.batch import name_from_here
    from asmr_classify.library.clips import LEARNT
    from asmr_classify.library.extract import describe_copy, shared_sound

    for copy in made.choice.copies:
        one = copy.stretch
        place = f"{name_from_here(one.result.path)} {one.first:.3f}-{one.last:.3f} s ({one.label})"
        told = describe_copy(copy, name_from_here(copy.of.result.path))
        tell(f"{place}: {told}", lead="left out: ")
    tell_denied(made)
    tell_unplaced(made)
    parts = Counter(entry.part for entry in made.entries)
    groups = {entry.stretch.group for entry in made.entries}
    counts = ", ".join(f"{part} {count}" for part, count in sorted(parts.items()))
    hours = sum(entry.duration for entry in made.entries) / 3600
    makers = counted(len(groups), "maker")
    tell(f"{counted(len(made.entries), 'clip')}, {hours:.2f} h, of {makers}: {counts}")
    for names in shared_sound(made.choice):
        tell(f"{names}: have recordings of the same sound, so they are in one part", lead="note: ")
    for gap in made.gaps:
        warn(str(gap))
    if len({made.choice.of_part(group) for group in groups}) < N_PARTS:
        tell(
            f"{makers}: too few for train, validation and test; --group-by tells makers apart by "
            "other than folders",
            lead="note: ",
        )
    elif parts[LEARNT] < LEAST_LEARNT * len(made.entries):
        warn(
            f"{parts[LEARNT]} of {len(made.entries)} clips are in {LEARNT}: makers are few, or "
            "differ much; --group-by tells them apart by other than folders"
        )
