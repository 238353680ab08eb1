"""A plan of extraction: clips of what is wanted, and the tables and the card that tell of them.

What an earlier run has written already is left out, see :mod:`asmr_classify.library.dataset`.
Tables and card come last, and only when all their clips are there.
"""

from __future__ import annotations

import csv
import io
import os
import shlex
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from asmr_classify.counts import counted
from asmr_classify.errors import MediaError, StepError, UsageError
from asmr_classify.library.alike import choose
from asmr_classify.library.clips import assign_parts, find_stretches, fits, unplaced_labels
from asmr_classify.library.datacard import fade_note, write_card
from asmr_classify.library.dataset import (
    check_folder_of_data,
    check_no_others,
    own_files,
    wanting_steps,
)
from asmr_classify.library.folders import steps_to_folders
from asmr_classify.library.layouts import LAYOUTS, Entry, LayoutName, Table, name_files
from asmr_classify.library.makers import Maker, maker_of
from asmr_classify.library.plan import FileState, Left, Plan, without_manner
from asmr_classify.library.playlist import known_labels
from asmr_classify.library.template import Subject
from asmr_classify.library.written import CopyClip, WriteClip, WriteText
from asmr_classify.media.cut import (
    LACKING_SECONDS,
    MOST_CHANNELS,
    Form,
    Span,
    copied_as,
    is_exact,
    packet_borders,
    rate_of,
    sample_kind,
)
from asmr_classify.media.source import is_url
from asmr_classify.units import samples_to_seconds, seconds_to_samples
from asmr_classify.writers.csv import escape_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from asmr_classify.aggregate import FileResult
    from asmr_classify.library.alike import Choice, Copy, Recording
    from asmr_classify.library.clips import Selected, Stretch, Wish
    from asmr_classify.library.journal import Run
    from asmr_classify.library.template import Template
    from asmr_classify.timeline import Segment

    Clip = WriteClip | CopyClip

LEFT_OUT = "left-out.csv"
"""Lists what fits and is not in the data set."""


@dataclass(frozen=True, slots=True)
class Order:
    """How clips are to be written, and where.

    Parameters
    ----------
    folder : str
        Of the data set, absolute.
    layout : LayoutName
    form : Form or None
        By default, what goes with the layout.
    sr : int or None
        Sampling rate in Hz; by default that of each recording.
    mono : bool
        Mix down to one channel.
    copy : bool
        Copy packets as they are.
    group_by : Maker or Template
        Gives the group of a recording; a template does as folders.
    """

    folder: str
    layout: LayoutName = LayoutName.FOLDERS
    form: Form | None = None
    sr: int | None = None
    mono: bool = False
    copy: bool = False
    group_by: Maker | Template = Maker.FOLDER

    def __post_init__(self) -> None:
        if self.copy and (self.form or self.sr or self.mono):
            raise UsageError("--copy leaves sound as it is: leave out --format, --sr and --mono")
        if (
            self.form is Form.OPUS
            and self.sr is not None
            and rate_of(Form.OPUS, self.sr) != self.sr
        ):
            raise UsageError(f"--sr {self.sr}: Opus knows 8000, 12000, 16000, 24000 and 48000 Hz")


@dataclass(frozen=True, slots=True)
class Extraction:
    """A plan of extraction, and what it leaves out.

    Parameters
    ----------
    plan : Plan
    entries : tuple of Entry
        The clips of the data set, those that are there already included.
    choice : Choice
    unplaced : tuple of tuple of (str, str)
        Paths of recordings, each with a label that was set by hand and that no segment has.
    gaps : tuple of Gap
    denied : tuple of tuple of (str, Segment)
        Paths of recordings, each with what people answered as not heard in it.
    """

    plan: Plan
    entries: tuple[Entry, ...]
    choice: Choice
    unplaced: tuple[tuple[str, str], ...] = ()
    gaps: tuple[Gap, ...] = ()
    denied: tuple[tuple[str, Segment], ...] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """A label of which some parts of a data set have no clip.

    Parameters
    ----------
    label : str
    parts : tuple of str
        That lack it.
    n_makers : int
        Who have it; those who share a sound count as one.
    """

    label: str
    parts: tuple[str, ...]
    n_makers: int

    def __str__(self) -> str:
        makers = counted(self.n_makers, "maker has", "makers have")
        return f"{self.label}: no clip is in {' and '.join(self.parts)}, as {makers} it"


def find_gaps(entries: Iterable[Entry], choice: Choice, parts: Sequence[str]) -> list[Gap]:
    """Find the labels that a part lacks, by name; none where all clips are in one part."""
    makers: dict[str, dict[str, set[str]]] = {}
    for entry in entries:
        of_part = makers.setdefault(entry.stretch.label, {})
        of_part.setdefault(entry.part, set()).add(choice.of_part(entry.stretch.group))
    if len({part for of_part in makers.values() for part in of_part}) < 2:
        return []
    return [
        Gap(label, lacking, sum(map(len, of_part.values())))
        for label, of_part in sorted(makers.items())
        if (lacking := tuple(part for part in parts if part not in of_part))
    ]


def plan_extract(
    selected: Selected,
    wish: Wish,
    order: Order,
    runs: Iterable[Run],
    command: tuple[str, ...],
    *,
    on_heard: Callable[[int, int], None] = lambda _n, _of: None,
) -> Extraction:
    """Plan the clips of recordings, and what tells of them.

    Parameters
    ----------
    selected : Selected
        Those in the folder of the data set are left out. Those that are lost are left, and listed,
        if they held what is wanted; so are those that failed.
    wish : Wish
    order : Order
    runs : iterable of Run
        All earlier ones, the oldest first.
    command : tuple of str
    on_heard : callable
        Is told how many recordings were listened to, of how many, as far as that is known.

    Returns
    -------
    Extraction
        Its plan has no steps if nothing fits, or all is there.

    Raises
    ------
    UsageError
        If a label is wanted that is not known, or the folder holds anything else.
    """
    check_folder_of_data(order.folder)
    own = own_files(runs)
    # Before anything is listened to, which takes long.
    check_no_others(order.folder, own)
    inside = order.folder.rstrip(os.sep) + os.sep
    results, lost = (
        [
            replace(result, path=path)
            for result in some
            if not (path := os.path.abspath(result.path)).startswith(inside)
        ]
        for some in (selected.results, selected.lost)
    )
    there = {result.path for result in results}
    denied = tuple(
        (path, segment)
        for name, segment in selected.denied
        if (path := os.path.abspath(name)) in there
    )
    left = [_leave(result.path) for result in lost if fits(result, wish)]
    left += [
        Left(os.path.abspath(result.path), "could not be labelled: 'label' tells why")
        for result in selected.failed
    ]
    groups = _groups(results, order.group_by, left)
    choice = choose(
        find_stretches(results, wish, groups),
        wish,
        check=partial(_check_channels, order),
        on_heard=on_heard,
    )
    left += choice.left
    unplaced = tuple(
        (result.path, label) for result in results for label in unplaced_labels(result, wish)
    )
    planner = _Planner(order, choice, _top(results))
    made = planner.make(wish.seed, left)
    if not made:
        return Extraction(Plan(command, (), tuple(left)), (), choice, unplaced, denied=denied)
    entries = [entry for entry, _ in made]
    gaps = find_gaps(entries, choice, LAYOUTS[order.layout].parts)
    steps: list[Clip | WriteText] = [step for _, step in made]
    tables = [
        *LAYOUTS[order.layout].tables(entries),
        *_left_out(choice, left, denied, unplaced, planner.top),
        write_card(
            entries,
            order.layout,
            shlex.join(without_manner(command)),
            [*_notes(order, wish, choice, denied, unplaced), *(f"{gap}." for gap in gaps)],
            answered=wish.answered,
        ),
    ]
    steps += [_write_text(table, order.folder) for table in tables]
    wanting = wanting_steps(steps, order.folder, own)
    folders = {os.path.dirname(step.target) for step in steps} if wanting else set()
    plan = Plan(command, (*steps_to_folders(folders), *wanting), tuple(left))
    return Extraction(plan, tuple(entries), choice, unplaced, tuple(gaps), denied)


def _leave(path: str) -> Left:
    """Say why a recording is left whose labels do not hold any more."""
    if is_url(path):
        return Left(path, "lies in storage, and clips are cut out of files of this machine")
    path = os.path.abspath(path)
    if os.path.isfile(path):
        return Left(path, "has changed since it was labelled: label it again")
    return Left(path, "is not there any more")


def _groups(
    results: Sequence[FileResult], by: Maker | Template, left: list[Left]
) -> dict[str, str]:
    """Give the group of each recording, by its path; one that has none is left."""
    if isinstance(by, Maker):
        top = _top(results)
        return {result.path: _maker_from(top, result.path, by) for result in results}
    by.check_labels(known_labels(results), option="--group-by")
    groups = {}
    for result in results:
        folder, name = os.path.split(result.path)
        try:
            mtime = os.lstat(result.path).st_mtime
            subject = Subject(result, os.path.basename(folder), name, mtime)
            groups[result.path] = "/".join(by.fill(subject).folders)
        except OSError:
            left.append(Left(result.path, "is not there any more"))
        except ValueError as exc:
            left.append(Left(result.path, str(exc)))
    return groups


def _maker_from(top: str, path: str, by: Maker) -> str:
    """Name a maker; one that is a folder or a recording, from the folder that holds all."""
    maker = maker_of(path, by)
    if maker not in {path, os.path.dirname(path)}:
        return maker
    below = _name_from(top, maker)
    return os.path.basename(top) if below == os.curdir else below


def _top(results: Sequence[FileResult]) -> str:
    """Find the folder that holds all recordings."""
    folders = [os.path.dirname(result.path) for result in results]
    try:
        return os.path.commonpath(folders) if folders else os.curdir
    except ValueError:  # on several drives of Windows
        return os.path.dirname(folders[0])


def _name_from(top: str, path: str) -> str:
    """Name a path from the folder that holds all; what is on another drive or far, in full."""
    if is_url(path):
        return path
    try:
        name = os.path.relpath(path, top)
    except ValueError:
        name = path
    return name.replace(os.sep, "/")


class _Planner:
    """Makes entries of a data set, and the steps that write their clips."""

    def __init__(self, order: Order, choice: Choice, top: str) -> None:
        self._order, self._choice, self.top = order, choice, top
        self._layout = LAYOUTS[order.layout]
        self._form = order.form or self._layout.form

    def make(self, seed: int, left: list[Left]) -> list[tuple[Entry, Clip]]:
        """Make all, by recording and time; what cannot be cut is left."""
        labels_of: dict[str, set[str]] = {}
        for stretch in self._choice.stretches:
            labels_of.setdefault(self._choice.of_part(stretch.group), set()).add(stretch.label)
        parts = assign_parts(labels_of, seed, self._layout.parts)
        by_path: dict[str, list[Stretch]] = {}
        for stretch in sorted(self._choice.stretches, key=lambda s: (s.first, s.label)):
            by_path.setdefault(stretch.result.path, []).append(stretch)
        made: list[tuple[Entry, Clip]] = []
        for path, stretches in sorted(by_path.items()):
            try:
                made += self._of_recording(path, stretches, parts)
            except (StepError, MediaError) as exc:
                left.append(Left(exc.path, exc.message))
        files = name_files([entry for entry, _ in made], self._layout)
        return [
            (
                replace(entry, file=file),
                replace(step, target=os.path.join(self._order.folder, *file.split("/"))),
            )
            for (entry, step), file in zip(made, files, strict=True)
        ]

    def _of_recording(
        self, path: str, stretches: Sequence[Stretch], parts: Mapping[str, str]
    ) -> list[tuple[Entry, Clip]]:
        recording = self._choice.recordings[path]
        before = FileState.of(path)
        steps: list[Clip]
        if _copies_packets(self._order, recording):
            borders = packet_borders(path, [(s.first, s.last) for s in stretches])
            steps = [
                CopyClip(path, "", before, b.start, b.end, stretch.label, b.heard)
                for stretch, b in zip(stretches, borders, strict=True)
            ]
        else:
            steps = [self._write(path, before, stretch, recording) for stretch in stretches]
        return [
            (
                self._entry(stretch, step, parts[self._choice.of_part(stretch.group)], recording),
                step,
            )
            for stretch, step in zip(stretches, steps, strict=True)
        ]

    def _write(
        self, path: str, before: FileState, stretch: Stretch, recording: Recording
    ) -> WriteClip:
        """Plan to cut out samples; packets that cannot be moved are cut so too, without fades."""
        sr = self._order.sr or rate_of(self._form, recording.sr)
        form = Form.FLAC if self._order.copy else self._form
        end, last = recording.end, stretch.last
        ends_there = end is not None and last >= end - LACKING_SECONDS
        span = Span(
            start=seconds_to_samples(stretch.first, sr),
            stop=seconds_to_samples(end if end is not None and ends_there else last, sr),
            sr=sr,
            form=form,
            sample=sample_kind(form, recording.info),
            mono=self._order.mono,
            rises=not self._order.copy and stretch.first > 0,
            falls=not self._order.copy and not ends_there,
        )
        return WriteClip(path, "", before, span, stretch.label)

    def _entry(self, stretch: Stretch, step: Clip, part: str, recording: Recording) -> Entry:
        if isinstance(step, CopyClip):
            start, end, sr = step.heard, step.end, recording.sr
            ending = copied_as(recording.info.codec)[1]
        else:
            sr, ending = step.span.sr, step.span.form.value
            start, end = (samples_to_seconds(n, sr) for n in (step.span.start, step.span.stop))
        source = _name_from(self.top, stretch.result.path)
        n_channels = 1 if self._order.mono else recording.n_channels
        licence = recording.info.licence
        return Entry(stretch, start, end, part, source, sr, n_channels, licence, ending)


def _copies_packets(order: Order, recording: Recording) -> bool:
    return order.copy and not is_exact(recording.info)


def _check_channels(order: Order, path: str, recording: Recording) -> None:
    """Check that clips of a recording can hold its channels, before a copy gives way to them."""
    is_held = order.mono or _copies_packets(order, recording)
    if recording.n_channels > MOST_CHANNELS and not is_held:
        raise StepError(
            path, f"has {recording.n_channels} channels, more than clips hold: give --mono"
        )


def _write_text(table: Table, folder: str) -> WriteText:
    clips = tuple(os.path.join(folder, *entry.file.split("/")) for entry in table.entries)
    return WriteText(os.path.join(folder, *table.file.split("/")), table.text, clips)


def _left_out(
    choice: Choice,
    left: Sequence[Left],
    denied: Sequence[tuple[str, Segment]],
    unplaced: Sequence[tuple[str, str]],
    top: str,
) -> list[Table]:
    """List what fits and is not in the data set; nothing if there is nothing."""
    rows = [
        (
            _name_from(top, copy.stretch.result.path),
            f"{copy.stretch.first:.3f}",
            f"{copy.stretch.last:.3f}",
            copy.stretch.label,
            describe_copy(copy, _name_from(top, copy.of.result.path)),
        )
        for copy in choice.copies
    ]
    rows += [(_name_from(top, item.path), "", "", "", item.reason) for item in left]
    rows += [
        (
            _name_from(top, path),
            f"{segment.start:.3f}",
            f"{segment.end:.3f}",
            segment.label,
            describe_denied(segment.label),
        )
        for path, segment in denied
    ]
    rows += [
        (_name_from(top, path), "", "", label, describe_unplaced(label)) for path, label in unplaced
    ]
    if not rows:
        return []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("source", "start", "end", "label", "reason"))
    writer.writerows([escape_cell(cell) for cell in row] for row in rows)
    return [Table(LEFT_OUT, text.getvalue())]


def describe_copy(copy: Copy, name: str) -> str:
    """Say of which clip one is a copy; the name is that of its recording."""
    of = copy.of
    return f"the same sound as {name} {of.first:.3f}-{of.last:.3f} s ({of.label})"


def describe_denied(label: str) -> str:
    """Say why no clip is cut of a stretch in which people were asked for a label."""
    return f"{label} was answered as not heard there"


def describe_unplaced(label: str) -> str:
    """Say why no clip is cut of a label that was set by hand."""
    return f"set by hand; the timeline has no {label} to cut"


def _notes(
    order: Order,
    wish: Wish,
    choice: Choice,
    denied: Sequence[tuple[str, Segment]],
    unplaced: Sequence[tuple[str, str]],
) -> list[str]:
    """Say in sentences how clips were made."""
    if order.copy:
        how = (
            "Packets are copied as they are, so clips begin and end where packets do; `start` and "
            "`end` tell from when to when a player hears them. Lossy codecs lean on the packets "
            "before: the first 0.1 s may sound other than in the recording. Lossless codecs are "
            "cut by the sample, into FLAC."
        )
    else:
        changed = [f"brought to {order.sr} Hz"] if order.sr else []
        changed += ["mixed down to one channel"] if order.mono else []
        sound = f"Sound is {' and '.join(changed)}." if changed else "Sound is that of the source."
        how = f"{sound} {fade_note()}"
    n_copies = len(choice.copies)
    together = [
        f"Makers who have recordings of the same sound are in one part: {names}."
        for names in shared_sound(choice)
    ]
    by_hand = []
    if denied:
        by_hand.append(f"Left out as answered not to be heard: {len(denied)} (see {LEFT_OUT}).")
    if unplaced:
        where = f"{len(unplaced)} (see {LEFT_OUT})"
        by_hand.append(f"Left out as set by hand where the timeline has nothing to cut: {where}.")
    return [
        how,
        f"What lots decided follows from the seed {wish.seed}.",
        f"Left out as copies of other clips: {n_copies}{f' (see {LEFT_OUT})' * (n_copies > 0)}.",
        *by_hand,
        *together,
    ]


def shared_sound(choice: Choice) -> list[str]:
    """Name the groups that are in one part as they hold the same sound, each time in a list."""
    present = {stretch.group for stretch in choice.stretches}
    by_first: dict[str, list[str]] = {}
    for group, first in choice.together.items():
        if group in present:
            by_first.setdefault(first, []).append(group)
    return [", ".join(sorted(groups)) for groups in by_first.values() if len(groups) > 1]
