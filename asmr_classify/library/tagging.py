"""Plans that write tags into recordings, or take them out again.

A recording that cannot carry tags without something else in it changing gets a sidecar, and the
plan says why. So does one with several names (hard links), which writing it anew would part, and
one of another user, whose it would not be any more. What has equal tags already is no step at all.
"""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from asmr_classify.aggregate import Status
from asmr_classify.errors import MediaError, NotCarriedError, StepError
from asmr_classify.library.plan import FileState, Left, Plan
from asmr_classify.library.tags.carriers import find_carrier
from asmr_classify.library.tags.fields import (
    CHAPTERS,
    Wishes,
    tagged,
    tells_lively,
    untagged,
    without_chapters,
)
from asmr_classify.library.tags.nfo import (
    is_video,
    nfo_path,
    plan_nfo,
    plan_nfo_removal,
    wanted_of,
)
from asmr_classify.library.tags.sidecar import (
    WriteSidecar,
    check_sidecar_name,
    read_sidecar,
    sidecar_text,
)
from asmr_classify.library.tags.steps import WriteTags, why_not_anew
from asmr_classify.visual.seen import shows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from asmr_classify.aggregate import FileResult
    from asmr_classify.library.plan import Step
    from asmr_classify.library.tags.state import Carrier, TagState


NO_VIDEO = "is no video, and media servers read .nfo files beside videos only"

NOTHING_TO_SAY = (
    "there is nothing to tell media servers: neither a trigger nor a kind of sound is heard in it"
)

UNSEEN = "its chapters do not tell where much moves: it was not looked at, or cannot be seen"


@dataclass(frozen=True, slots=True)
class TagOptions:
    """How tags are written.

    Parameters
    ----------
    wishes : Wishes
        What is written beside our own fields.
    sidecar : bool
        Write sidecars only, and leave the recordings alone.
    nfo : bool
        Write what media servers read beside videos only, and leave the recordings alone.
    keep_mtime : bool
        Leave the time of a recording's last change as it is.
    """

    wishes: Wishes = field(default_factory=Wishes)
    sidecar: bool = False
    nfo: bool = False
    keep_mtime: bool = False


@dataclass(frozen=True, slots=True)
class TagPlan:
    """A plan, and what it need not touch.

    Parameters
    ----------
    plan : Plan
    unchanged : tuple of str
        Recordings whose tags are as they should be.
    notes : tuple of Left
        What was wished beside the tags and is not done, and why.
    """

    plan: Plan
    unchanged: tuple[str, ...] = ()
    notes: tuple[Left, ...] = ()


def plan_tags(
    results: Iterable[FileResult], options: TagOptions, command: tuple[str, ...]
) -> TagPlan:
    """Plan to write what is known of recordings into them.

    Parameters
    ----------
    results : iterable of FileResult
        A file that is named twice, by links say, is taken once.
    options : TagOptions
    command : tuple of str
        The command line, for the journal.

    Returns
    -------
    TagPlan
    """
    planner = _Planner(options)
    for result in results:
        planner.take(result)
    return planner.finish(command)


def plan_removal(paths: Iterable[str], options: TagOptions, command: tuple[str, ...]) -> TagPlan:
    """Plan to take out of recordings all that is ours, their sidecars included.

    Parameters
    ----------
    paths : iterable of str
    options : TagOptions
    command : tuple of str

    Returns
    -------
    TagPlan
    """
    planner = _Planner(options)
    for path in paths:
        planner.take_out(path)
    return planner.finish(command)


class _Planner:
    """Gathers the steps of a plan, file by file."""

    def __init__(self, options: TagOptions) -> None:
        self._options = options
        self._steps: list[Step] = []
        self._left: list[Left] = []
        self._notes: list[Left] = []
        self._unchanged: list[str] = []
        self._seen: set[str] = set()
        self._nfos: set[str] = set()
        self._by_nfo: dict[str, defaultdict[str, list[str]]] = {}

    def finish(self, command: tuple[str, ...]) -> TagPlan:
        plan = Plan(command, tuple(self._steps), tuple(self._left))
        return TagPlan(plan, tuple(self._unchanged), tuple(self._notes))

    def take(self, result: FileResult) -> None:
        """Plan to tag one file."""
        reason = _why_not(result)
        if reason is not None:
            # A video without sound is as it should be; what could not be read is not.
            is_mute = result.status is Status.NO_AUDIO
            (self._notes if is_mute else self._left).append(Left(result.path, reason))
            return
        path = os.path.realpath(result.path)
        if self._options.nfo and not is_video(path):
            self._notes.append(Left(result.path, NO_VIDEO))
            return
        is_unsaid = self._options.nfo and not wanted_of(result, genre=False).tags
        steps = self._tag_steps(path, result)
        self._plan_file(path, result.path, steps, NOTHING_TO_SAY if is_unsaid else None)

    def take_out(self, name: str) -> None:
        """Plan to take our tags out of one file."""
        path = os.path.realpath(name)
        self._plan_file(path, name, self._removal_steps(path))

    def _plan_file(
        self, path: str, name: str, steps: Iterator[Step], unsaid: str | None = None
    ) -> None:
        """Take the steps of a file; ``unsaid`` tells why none are due, where it is not as asked."""
        if path in self._seen:
            return
        self._seen.add(path)
        try:
            _check_regular(path)
            planned = list(steps)
        except (MediaError, StepError) as exc:
            # It may be about a file beside this one.
            self._left.append(Left(name if exc.path == path else exc.path, exc.message))
        except OSError as exc:
            self._left.append(Left(name, f"cannot be read: {exc.strerror}"))
        else:
            self._steps += planned
            if not planned and unsaid:
                self._notes.append(Left(name, unsaid))
            elif not planned:
                self._unchanged.append(name)

    def _tag_steps(self, path: str, result: FileResult) -> Iterator[Step]:
        yield from self._nfo_steps(path, result)
        if self._options.nfo:
            return
        reason = "as asked" if self._options.sidecar else ""
        if not reason:
            try:
                embedding = list(self._embedding_steps(path, result))
            except NotCarriedError as exc:
                reason = exc.message
            else:
                reason = why_not_anew(path) if embedding else ""
                yield from () if reason else embedding
        old = read_sidecar(path)
        # A sidecar of an earlier run is kept up to date, lest it tell something else.
        if reason or old is not None:
            new = sidecar_text(replace(result, path=path))
            if new != old:
                check_sidecar_name(path)
                yield WriteSidecar(path, old, new, reason)

    def _nfo_steps(self, path: str, result: FileResult) -> Iterator[Step]:
        place = nfo_path(path)
        if not is_video(path):
            return
        twins = [twin for twin in self._videos_beside(path)[place] if twin != path]
        if twins:
            if self._options.nfo:
                name = os.path.basename(twins[0])
                raise StepError(path, f"shares {place} with {name}: rename one")
            return
        try:
            step = plan_nfo(path, result, asked=self._options.nfo, genre=self._wishes.genre)
        except StepError as exc:
            if self._options.nfo:
                raise
            self._notes.append(Left(exc.path, exc.message))
        else:
            yield from filter(None, [step])

    def _videos_beside(self, path: str) -> Mapping[str, list[str]]:
        """Give the videos of a folder by the .nfo file that media servers read for them."""
        folder = os.path.dirname(path)
        if folder not in self._by_nfo:
            by_nfo = self._by_nfo[folder] = defaultdict(list)
            for name in sorted(filter(is_video, os.listdir(folder))):
                video = os.path.join(folder, name)
                by_nfo[nfo_path(video)].append(video)
        return self._by_nfo[folder]

    def _embedding_steps(self, path: str, result: FileResult) -> Iterator[Step]:
        carrier = find_carrier(path)
        before, old = FileState.of(path), carrier.read(path)
        new = self._with_chapters_allowed(path, carrier, old, tagged(old, result, self._wishes))
        if tells_lively(new) and result.visual is None:
            self._notes.append(Left(path, UNSEEN))
        carrier.check(path, old, new)
        if not old.says_the_same(new):
            yield WriteTags(path, before, old, new, self._options.keep_mtime)

    @property
    def _wishes(self) -> Wishes:
        return self._options.wishes

    def _with_chapters_allowed(
        self, path: str, carrier: Carrier, old: TagState, new: TagState
    ) -> TagState:
        """Leave out chapters that the file cannot hold, and say so."""
        n_chapters = len(new.chapters) if CHAPTERS in new.fields else 0
        if n_chapters > carrier.max_chapters:
            limit = f"at most {carrier.max_chapters}" if carrier.max_chapters else "none"
            self._notes.append(Left(path, f"no chapters: a {carrier.name} file holds {limit}"))
            return without_chapters(new, untagged(old))
        if self._wishes.chapters and new.chapters and not n_chapters:
            self._notes.append(Left(path, "no chapters: those that it has are kept"))
        return new

    def _removal_steps(self, path: str) -> Iterator[Step]:
        try:
            carrier = find_carrier(path)
            before, old = FileState.of(path), carrier.read(path)
        except NotCarriedError:
            pass  # then it carries nothing of ours
        else:
            new, reason = untagged(old), why_not_anew(path)
            if not old.says_the_same(new) and reason:
                self._left.append(Left(path, f"keeps its tags: {reason}"))
            elif not old.says_the_same(new):
                carrier.check(path, old, new)
                yield WriteTags(path, before, old, new, self._options.keep_mtime)
        sidecar = read_sidecar(path)
        if sidecar is not None:
            yield WriteSidecar(path, sidecar, None)
        if is_video(path) and nfo_path(path) not in self._nfos:
            self._nfos.add(nfo_path(path))
            try:
                yield from filter(None, [plan_nfo_removal(path)])
            except StepError as exc:
                self._notes.append(Left(exc.path, exc.message))


def _why_not(result: FileResult) -> str | None:
    """Why a file gets no tags; None if it does, as what is only seen does too."""
    is_mute = result.status is Status.NO_AUDIO and not shows(result.visual)
    if result.status is Status.FAILED or is_mute:
        message = "nothing is known of it" if result.error is None else result.error.message
        return message.removeprefix(f"{result.path}: ")
    return None


def _check_regular(path: str) -> None:
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise StepError(path, "is no file; only files have tags")
