"""``asmr-classify playlist``."""

from __future__ import annotations

import difflib
import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from asmr_classify.cli.arguments import QuietOption, SelectionModelOption, parse_time
from asmr_classify.cli.catalogue import CatalogueOption  # noqa: TC001 (Typer reads it)
from asmr_classify.cli.errors import ExitStatus, nothing_to_do, reporting_errors, tell, warn
from asmr_classify.cli.formats import STDOUT
from asmr_classify.counts import counted
from asmr_classify.errors import UsageError
from asmr_classify.library.playlist import MIN_SEGMENT, Player, Wish
from asmr_classify.library.variety import Order
from asmr_classify.visual.seen import LightLevel, MotionLevel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asmr_classify.library.playlist import Item

Level = TypeVar("Level", MotionLevel, LightLevel)

WHAT, HOW, WHERE = "What to play", "In which order", "The playlist"
"""Panels of the help."""

ALIKE = 0.7
"""How like a kind a name is that may be meant for it, by difflib's ratio."""


@reporting_errors
def playlist(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY|PATH",
            help="Recordings, folders of them, or a query as find takes it. Default: the whole "
            "catalogue.",
            show_default=False,
        ),
    ] = None,
    want: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABELS",
            help="Play what holds any of these labels or kinds: whisper,tap,typing. Repeatable. "
            "Default: any trigger; with --visual or --light, whatever looks so.",
            show_default=False,
            rich_help_panel=WHAT,
        ),
    ] = None,
    avoid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABELS",
            help="Leave out recordings that may hold any of these labels or kinds, or in which "
            "somebody heard them; with --segments, cut labels out. Repeatable.",
            show_default=False,
            rich_help_panel=WHAT,
        ),
    ] = None,
    no_talking: Annotated[
        bool,
        typer.Option(
            "--no-talking",
            help="Only recordings without speech and whisper; with --segments, cut both out.",
            rich_help_panel=WHAT,
        ),
    ] = False,
    visual: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LEVELS",
            help="Only videos in which as much moves: still, slow or lively; or several: "
            "still,slow. Repeatable.",
            show_default=False,
            rich_help_panel=WHAT,
        ),
    ] = None,
    light: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LEVELS",
            help="Only videos whose picture is as light: dark, dim or bright; or several. "
            "Repeatable.",
            show_default=False,
            rich_help_panel=WHAT,
        ),
    ] = None,
    segments: Annotated[
        bool,
        typer.Option(
            "--segments",
            help="Play only the stretches that hold what is wanted, not whole recordings.",
            rich_help_panel=WHAT,
        ),
    ] = False,
    min_score: Annotated[
        float,
        typer.Option(
            metavar="X",
            min=0,
            max=1,
            help="Least score of what is wanted, between 0 and 1. Default: what is tagged, or in "
            "the timeline, will do.",
            show_default=False,
            rich_help_panel=WHAT,
        ),
    ] = 0.0,
    min_segment: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="Least length of a stretch: 10s, 2m.",
            rich_help_panel=WHAT,
        ),
    ] = f"{MIN_SEGMENT:g}s",
    length: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="How long it is to play: 60m, 1h30m, 90s. The last recording may go on after "
            "that; the last stretch is cut. Default: everything that fits.",
            show_default=False,
            rich_help_panel=HOW,
        ),
    ] = None,
    order: Annotated[
        Order,
        typer.Option(
            metavar="ORDER",
            help="variety: spaces the same trigger, recording and creator apart; score: highest "
            "first; path: by name; shuffle: at random; want: what --want names first, then the "
            "next, each for an equal part of --length.",
            rich_help_panel=HOW,
        ),
    ] = Order.VARIETY,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            help="Seed of all that is random; the same seed gives the same playlist.",
            rich_help_panel=HOW,
        ),
    ] = 0,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.m3u8",
            help="Where it is written; - is standard output.",
            rich_help_panel=WHERE,
        ),
    ] = Path(STDOUT),
    absolute: Annotated[
        bool,
        typer.Option(
            "--absolute",
            help="Write absolute names. Else they are relative to the folder of --output.",
            rich_help_panel=WHERE,
        ),
    ] = False,
    player: Annotated[
        Player,
        typer.Option(
            metavar="vlc|mpv",
            help="Who is to play --segments: each player has its own way. Whole recordings play "
            "in any.",
            rich_help_panel=WHERE,
        ),
    ] = Player.VLC,
    model: SelectionModelOption = None,
    catalogue: CatalogueOption = None,
    quiet: QuietOption = False,
) -> ExitStatus:
    """Write a playlist of what someone wants to hear.

    For players that read M3U8, nearly all. Files that the catalogue knows are not labelled again.
    """
    from rich.console import Console

    from asmr_classify.cli.select import (
        EVERYTHING,
        answers_to,
        failed_of,
        known_kinds,
        selecting_results,
    )
    from asmr_classify.library.m3u8 import entry_of, write_m3u8
    from asmr_classify.library.playlist import (
        fill,
        fill_in_turn,
        find_items,
        is_scrap,
        known_labels,
        widen_avoided,
    )
    from asmr_classify.library.variety import iter_ordered

    wish = Wish(
        _labels(want),
        _labels(avoid),
        min_score,
        parse_time("--min-segment", min_segment),
        no_talking,
        segments,
        _levels(visual, MotionLevel, "--visual"),
        _levels(light, LightLevel, "--light"),
    )
    if order is Order.WANT and not wish.want:
        raise UsageError("--order want: plays in the order of --want, so give that: tap,whisper")
    seconds = _parse_length(length, quiet=quiet)
    _check_output(str(output), sources or ())
    console = Console(stderr=True)
    with selecting_results(
        sources or [EVERYTHING],
        console,
        quiet=quiet,
        catalogue=catalogue,
        model=model,
        look=bool(visual or light),
    ) as (results, known):
        # Other names than those of labels may be kinds.
        names_more = not {*wish.want, *wish.avoid}.issubset(known_labels(results))
        kinds = known_kinds(results, known, model) if names_more else ()
        named = () if known is None else known.named
        answers = answers_to(results, known) if wish.kept_out else {}
        wish, widened = widen_avoided(wish, results, kinds, named)
        fitting = find_items(results, wish, kinds, named, answers)
        scraps = {result.path for result in results if is_scrap(result)}
        found = [item for item in fitting if not (item.is_whole and item.path in scraps)]
        paths = dict.fromkeys(item.path for item in found)
        repeated = frozenset(() if known is None else known.repeated(paths))
    for label, broader in widened.items():
        alike = difflib.get_close_matches(label, kinds, n=1, cutoff=ALIKE)
        meant = f"; did you mean {alike[0]}, which it tells by itself?" if alike else ""
        warn(
            f"--avoid {label}: the model tells it as part of {broader}, so all of that is left "
            f"out{meant}"
        )
    failed = failed_of(results, sources or ())
    if failed:
        tell(f"left out: {counted(len(failed), 'recording')}, not labelled: 'label' tells why")
    n_torn = len(fitting) - len(found)
    if n_torn and not quiet:
        tell(
            f"left out: {counted(n_torn, 'recording')}, damaged so that less than half is left: "
            "'label' tells why"
        )
    if not found:
        total = counted(len(results), "recording")
        return nothing_to_do(f"nothing fits, of {total}{_limit(wish)}; no playlist is written")
    found = [item for item in found if item.path not in repeated]
    fill_up = fill_in_turn if order is Order.WANT else fill
    items = list(fill_up(iter_ordered(found, order, seed=seed, want=wish.want), seconds))
    folder = None if absolute or str(output) == STDOUT else str(output.parent)
    _write(
        write_m3u8(map(entry_of, items), title=_title(items), folder=folder, player=player),
        str(output),
    )
    if not quiet:
        _tell_of(items, seconds, wish, n_left=len(found) - len(items))
        if order is Order.WANT:
            _tell_of_lacking(items, wish)
        if repeated:
            tell(f"left out {counted(len(repeated), 'file')} of the very same content as another")
    return ExitStatus.SOME_FAILED if failed else ExitStatus.OK


def _limit(wish: Wish) -> str:
    """Tell what keeps short stretches out; nothing where whole recordings are played."""
    if not wish.segments:
        return ""
    return f" (stretches of {wish.min_segment:g} s or more: --min-segment)"


def _labels(texts: Sequence[str] | None) -> tuple[str, ...]:
    """Read lists of labels, as in ``whisper,tap``; each label once."""
    labels = (label.strip() for text in texts or () for label in text.split(","))
    return tuple(dict.fromkeys(filter(None, labels)))


def _levels(texts: Sequence[str] | None, kind: type[Level], option: str) -> tuple[Level, ...]:
    """Read lists of levels, as in ``still,slow``.

    Raises
    ------
    UsageError
        If there is no such level.
    """
    names = _labels(texts)
    for name in names:
        if name not in list(kind):
            raise UsageError(f"{option} {name!r}: the levels are {', '.join(kind)}")
    return tuple(map(kind, names))


def _parse_length(text: str | None, *, quiet: bool) -> float | None:
    """Read ``--length``, and tell that a plain number is one of seconds.

    Raises
    ------
    UsageError
        If it is no duration, or none to speak of.
    """
    from asmr_classify.library.playlist import SHORTEST_REST

    if text is None:
        return None
    seconds = parse_time("--length", text)
    if seconds < SHORTEST_REST:
        raise UsageError(f"--length {text!r}: is nothing to listen to; write 90s, 20m or 1h30m")
    if text.isdecimal() and not quiet:
        tell(f"--length {text}: taken as seconds, as no unit is given; minutes are {text}m")
    return seconds


def _check_output(output: str, sources: Sequence[str]) -> None:
    from asmr_classify.library.m3u8 import SUFFIXES, holds_playlist
    from asmr_classify.writers.output import check_output, check_replaceable

    if output == STDOUT:
        return
    is_special = os.path.exists(output) and not os.path.isfile(output)  # noqa: PTH110, PTH113 (any name)
    if not is_special and not output.lower().endswith(SUFFIXES):
        raise UsageError(f"--output {output}: players know a playlist by its ending: name a .m3u8")
    check_output(output, sources)
    check_replaceable(output, holds_playlist)


def _write(text: str, output: str) -> None:
    from asmr_classify.writers.output import Output, open_replacement

    if output == STDOUT:
        Output(sys.stdout.buffer, "standard output").write(text)
        return
    with open_replacement(output) as file:
        file.write(text)


def _title(items: Sequence[Item]) -> str:
    return ", ".join(label for label, _ in Counter(item.label for item in items).most_common())


def _tell_of(items: Sequence[Item], length: float | None, wish: Wish, *, n_left: int) -> None:
    """Tell how many there are, how long they last, and what of each trigger."""
    from asmr_classify.cli.progress import clock

    total = sum(item.duration for item in items)
    nouns = ("recording", "recordings") if items[0].is_whole else ("stretch", "stretches")
    counts = Counter(item.label for item in items)
    seconds = dict.fromkeys(counts, 0.0)
    for item in items:
        seconds[item.label] += item.duration
    parts = ", ".join(
        f"{label} {count} ({clock(seconds[label])})" for label, count in counts.most_common()
    )
    tell(f"{counted(len(items), *nouns)}, {clock(total)}: {parts}")
    if length is not None and total < length - 1:
        why = "a label has less than its equal part" if n_left else "that is all that fits"
        tell(f"not enough for {clock(length)}: {why}{_limit(wish)}")


def _tell_of_lacking(items: Sequence[Item], wish: Wish) -> None:
    """Tell which labels get no part of a playlist that plays one after the other."""
    lacking = [label for label in wish.want if all(item.label != label for item in items)]
    if lacking:
        tell(
            f"nothing for {', '.join(lacking)}: nothing that fits holds more of it than of the rest"
        )
