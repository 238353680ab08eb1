"""Recordings get names and places by what they hold: a plan of moves, copies or links.

What a file is called and where it lies can itself be part of its new name. So for a file that an
earlier run moved, ``stem``, ``name`` and ``parent`` are those that it had before any run, as the
journals know; else ``{stem} [{tags}]`` would grow with each run. Law: to organise what is organised
gives no steps. That is also why a file whose name has a number stays when the name without one
gets free.
"""

from __future__ import annotations

import itertools
import os
import re
import stat
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from asmr_classify.aggregate import Status
from asmr_classify.errors import StepError
from asmr_classify.library.copies import Copy, Hardlink, Symlink
from asmr_classify.library.folders import steps_to_folders
from asmr_classify.library.moves import Move, needs_copying
from asmr_classify.library.names import name_key, numbered, path_limit, safe_text, split_name
from asmr_classify.library.places import digest_of, is_below, is_same_entry
from asmr_classify.library.plan import FileState, Left, Plan
from asmr_classify.library.playlist import known_labels
from asmr_classify.library.sidecars import Folders
from asmr_classify.library.template import Subject
from asmr_classify.writers import format_by_name
from asmr_classify.writers.edl import read_mpv_edl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from asmr_classify.aggregate import FileResult
    from asmr_classify.library.plan import Step
    from asmr_classify.library.template import Template

Action = Literal["move", "copy", "hardlink", "symlink"]

STEPS: Mapping[Action, type[Move | Copy | Hardlink | Symlink]] = {
    "move": Move,
    "copy": Copy,
    "hardlink": Hardlink,
    "symlink": Symlink,
}

NUMBER = re.compile(r" \((\d{1,6})\)$")
"""Of a name that was taken without it."""

SAME_TIME_NS = 2 * 10**9
"""FAT keeps times to two seconds."""


class _LeaveError(Exception):
    """A file is to be left where it is; says why."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How recordings are to be organised.

    Parameters
    ----------
    template : Template
    root : str
        Absolute path; names of the template begin there.
    action : {"move", "copy", "hardlink", "symlink"}
    include_failed : bool
        Also what could not be labelled.
    origins : mapping of str to str
        For files that were moved by earlier runs, the paths that they had before, as
        :func:`~asmr_classify.library.undo.origins` gives them.
    searched : tuple of str
        Absolute paths of the folders in which the recordings were looked for. What only a link in
        one of them leads to, out of all of them, is not moved.
    """

    template: Template
    root: str
    action: Action = "move"
    include_failed: bool = False
    origins: Mapping[str, str] = field(default_factory=dict)
    searched: tuple[str, ...] = ()


def plan_organise(results: Iterable[FileResult], wish: Wish, command: tuple[str, ...]) -> Plan:
    """Plan where recordings go, and what goes along with them.

    Parameters
    ----------
    results : iterable of FileResult
        Planned by path, whatever their order.
    wish : Wish
    command : tuple of str

    Returns
    -------
    Plan
        Without steps for files that are in their places.

    Raises
    ------
    TemplateError
        If the template names a label that no result tells of.
    """
    left = []
    results = sorted(results, key=lambda result: result.path)
    planner = _Planner(wish, Folders(os.path.abspath(result.path) for result in results))
    wish.template.check_labels(known_labels(results), option="--to")
    for result in results:
        try:
            planner.add(result)
        except (_LeaveError, OSError) as exc:
            left.append(Left(result.path, str(exc)))
        except StepError as exc:
            left.append(Left(exc.path, exc.message))
    folders = {os.path.dirname(step.target) for step in planner.steps}
    steps: tuple[Step, ...] = (*steps_to_folders(folders), *planner.steps)
    return Plan(command=command, steps=steps, left=tuple(left))


def links_to_moved(plan: Plan, folders: Iterable[str]) -> list[tuple[str, str]]:
    """Find the links in folders that will lead nowhere, since what they lead to is moved.

    Parameters
    ----------
    plan : Plan
    folders : iterable of str

    Returns
    -------
    list of (str, str)
        Path of the link, and of what it leads to now.
    """
    moved = {os.path.realpath(step.source) for step in plan.steps if isinstance(step, Move)}
    found = {
        os.path.join(here, name)
        for folder in folders
        for here, _, names in os.walk(folder)
        for name in names
        if os.path.islink(os.path.join(here, name))
    }
    leading = [(link, os.path.realpath(link)) for link in sorted(found)]
    return [(link, target) for link, target in leading if target in moved]


def lists_led_astray(plan: Plan) -> list[str]:
    """Find the lists for mpv that go along, and will name their recording as it was called before.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    list of str
        The new paths of the lists.
    """
    steps = [step for step in plan.steps if isinstance(step, Move | Copy | Hardlink | Symlink)]
    goes_to = {step.source: step.target for step in steps}
    astray = []
    for step in steps:
        if format_by_name(step.source) != "mpv-edl":
            continue
        try:
            with open(step.source, "rb") as file:
                (played,) = read_mpv_edl(file)
        except (OSError, ValueError):
            continue
        before, after = (
            os.path.normpath(os.path.join(os.path.dirname(place), played.path))
            for place in (step.source, step.target)
        )
        if goes_to.get(before, before) != after:
            astray.append(step.target)
    return astray


class _Planner:
    """Finds a free name for one file after the other."""

    def __init__(self, wish: Wish, folders: Folders) -> None:
        self._wish = wish
        self._folders = folders
        self._searched = {folder: os.path.realpath(folder) for folder in wish.searched}
        self._claimed: set[tuple[str, str]] = set()
        self._new_folders: dict[str, str] = {}
        self._planned: set[str] = set()  # real paths: a link may lead to one by another name
        self._n_used: Counter[tuple[str, ...]] = Counter()
        self.steps: list[Move | Copy | Hardlink | Symlink] = []

    def add(self, result: FileResult) -> None:
        """Plan for one recording."""
        if result.status is Status.FAILED and not self._wish.include_failed:
            raise _LeaveError("could not be labelled; --failed takes it all the same")
        source = self._source(result.path)
        if os.path.realpath(source) in self._planned:
            return
        origin = self._wish.origins.get(source, source)
        extension = safe_text(split_name(os.path.basename(origin))[1])
        group = list(_distinct([(source, extension), *self._along(source)]))
        names, stem = self._place(result, source, origin, _longest_tail(group))
        folder = self._spelt(names)
        self._planned.update(os.path.realpath(path) for path, _ in group)
        if not self._is_in_place(group, folder, stem):
            self._find_names(group, folder, stem)

    def _source(self, path: str) -> str:
        """Give the file itself; what cannot be organised is left."""
        source = os.path.abspath(path)
        try:
            if os.path.islink(source):
                source = os.path.realpath(source)
                if self._wish.action == "move" and not self._is_searched(source):
                    raise _LeaveError("is a symbolic link; organise what it leads to")
            mode = os.lstat(source).st_mode
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else exc
            raise _LeaveError(f"cannot be looked at: {reason}") from exc
        if not stat.S_ISREG(mode):
            raise _LeaveError("is no regular file")
        if self._wish.action == "move":
            self._check_not_elsewhere(os.path.dirname(source))
        return source

    def _is_searched(self, real: str) -> bool:
        """Whether a place lies in the folders that were searched, whatever leads to it."""
        return any(is_below(real, top) for top in self._searched.values())

    def _check_not_elsewhere(self, folder: str) -> None:
        """Leave what lies elsewhere than in the folders that were searched."""
        real = os.path.realpath(folder)
        was_searched = any(is_below(folder, top) for top in self._searched)
        if was_searched and not self._is_searched(real):
            raise _LeaveError(f"lies in {real}, where a link leads; organise that folder")

    def _place(
        self, result: FileResult, source: str, origin: str, tail: str
    ) -> tuple[tuple[str, ...], str]:
        folder, name = os.path.split(origin)
        subject = Subject(result, os.path.basename(folder), name, os.lstat(source).st_mtime)
        try:
            place = self._wish.template.fill(subject, tail)
        except ValueError as exc:
            raise _LeaveError(str(exc)) from exc
        return place.folders, place.stem

    def _spelt(self, names: tuple[str, ...]) -> str:
        """Give the folder, spelt as it is there already: of several spellings, as the first."""
        folder = self._wish.root
        for name in names:
            present = self._folders.spellings(folder, name)
            spelt = present[0] if present else name
            path = os.path.join(folder, spelt)
            folder = self._new_folders.setdefault(_path_key(folder, spelt), path)
        deepest = folder
        while not os.path.lexists(deepest):
            deepest = os.path.dirname(deepest)
        if not os.path.isdir(deepest):
            raise _LeaveError(f"{deepest}: is no folder, and stands where one would be")
        return folder

    def _along(self, source: str) -> list[tuple[str, str]]:
        """Find what goes along with a recording, unless it goes along with another one."""
        return [
            (path, safe_text(tail))
            for path, tail in self._folders.sidecars(source)
            if os.path.realpath(path) not in self._planned and stat.S_ISREG(os.lstat(path).st_mode)
        ]

    def _is_in_place(self, group: list[tuple[str, str]], folder: str, stem: str) -> bool:
        """Whether a file has the name that it would get, or that with some number."""
        source, extension = group[0]
        if not _is_same_folder(os.path.dirname(source), folder):
            return False
        name = os.path.basename(source)
        number = NUMBER.search(name.removesuffix(extension))
        numbers = {1, int(number[1])} if number else {1}
        if not any(_fitted(stem, n, group) + extension == name for n in numbers):
            return False
        self._claim([source])
        return True

    def _find_names(self, group: list[tuple[str, str]], folder: str, stem: str) -> None:
        """Plan steps to the first number with which all names of a group are free."""
        moves = self._wish.action == "move"
        tails = () if moves else (tail for _, tail in group)
        key = (_path_key(folder), name_key(stem), *tails)
        for number in itertools.count(self._n_used[key] + 1):
            fitted = _fitted(stem, number, group)
            targets = [os.path.join(folder, f"{fitted}{tail}") for _, tail in group]
            if number == self._n_used[key] + 1 and self._is_claimed(targets[0]):
                self._n_used[key] = number
                continue
            pairs = [(source, to) for (source, _), to in zip(group, targets, strict=True)]
            wanting = [pair for pair in pairs if not self._is_done(*pair)]
            if all(self._is_free(*pair) for pair in wanting):
                break
        self._check_reachable(group[0][0], folder, targets)
        self._claim(targets)
        if moves:  # a copy may be there already, at a later number than one that is free
            self._n_used[key] = number
        make = STEPS[self._wish.action]
        # The recording goes last: were it in its place, a run that was killed before would not be
        # finished by the next one.
        self.steps += [make(*pair, FileState.of(pair[0])) for pair in reversed(wanting)]

    def _claim(self, targets: list[str]) -> None:
        for target in targets:
            folder, name = os.path.split(target)
            self._claimed.add((_path_key(folder), name_key(name)))

    def _is_claimed(self, target: str) -> bool:
        folder, name = os.path.split(target)
        return (_path_key(folder), name_key(name)) in self._claimed

    def _is_free(self, source: str, target: str) -> bool:
        """Whether no other file has a name or will get it, in whatever case."""
        folder, name = os.path.split(target)
        present = self._folders.spellings(folder, name)
        others = [
            spelling
            for spelling in present
            if not is_same_entry(source, os.path.join(folder, spelling))
        ]
        if os.path.lexists(target) and not present:
            others.append(name)  # in a folder that may not be listed
        return not others and not self._is_claimed(target)

    def _is_done(self, source: str, target: str) -> bool:
        """Whether a file has its copy or link there already, which no other file claims."""
        if self._wish.action == "move" or self._is_claimed(target):
            return False
        try:
            return _IS_DONE[self._wish.action](source, target)
        except OSError:
            return False

    def _check_reachable(self, source: str, folder: str, targets: list[str]) -> None:
        longest = max(targets, key=lambda target: len(os.fsencode(target)))
        if len(os.fsencode(longest)) > path_limit():
            raise _LeaveError(f"its new path is longer than the {path_limit()} that fit here")
        if self._wish.action == "hardlink" and needs_copying(source, folder):
            raise _LeaveError("cannot be linked to another disk: use --action copy")


def _distinct(group: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Give those tails of a group a number that some system takes for the same as one before."""
    taken: set[str] = set()
    for path, tail in group:
        begin, _, extension = tail.rpartition(".")
        # Without a beginning, a blank would make it the tail of a recording that has this number.
        before = f"{begin} " if begin else "."
        others = (f"{before}({number}).{extension}" for number in itertools.count(2))
        free = next(to for to in itertools.chain([tail], others) if name_key(to) not in taken)
        taken.add(name_key(free))
        yield path, free


def _fitted(stem: str, number: int, group: list[tuple[str, str]]) -> str:
    """Give a stem that fits with all tails of a group."""
    try:
        return numbered(stem, number, _longest_tail(group))
    except ValueError as exc:
        raise _LeaveError(str(exc)) from exc


def _longest_tail(group: list[tuple[str, str]]) -> str:
    return max((tail for _, tail in group), key=lambda tail: len(tail.encode()))


def _path_key(*parts: str) -> str:
    return "/".join(name_key(piece) for part in parts for piece in part.split(os.sep))


def _is_same_folder(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _is_copy(source: str, target: str) -> bool:
    one, other = os.lstat(source), os.lstat(target)
    alike = (
        stat.S_ISREG(other.st_mode)
        and one.st_size == other.st_size
        and abs(one.st_mtime_ns - other.st_mtime_ns) <= SAME_TIME_NS
    )
    return alike and (is_same_entry(source, target) or digest_of(source) == digest_of(target))


def _is_hardlink(source: str, target: str) -> bool:
    return os.path.samestat(os.lstat(source), os.lstat(target))


def _is_symlink(source: str, target: str) -> bool:
    return os.path.islink(target) and os.readlink(target) == source


_IS_DONE = {"copy": _is_copy, "hardlink": _is_hardlink, "symlink": _is_symlink}
