"""The command that is run on what was labelled: ``watch --then``."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

from asmr_classify.cli.errors import ExitStatus
from asmr_classify.counts import counted
from asmr_classify.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from threading import Event

    from asmr_classify.aggregate import FileResult
    from asmr_classify.catalogue import Catalogue
    from asmr_classify.watch import Owed

COMMANDS = ("check", "label", "organise", "playlist", "report", "tag")
"""Those that work on files that are named."""

ASKING, ANSWERS = ("organise", "tag"), frozenset(("--yes", "-y", "--dry-run", "-n"))
"""Commands that ask before they change anything, and options with which they do not."""

LONGEST = 24_000
"""Characters of paths that one run is given: Windows takes command lines of 32,767 [1]_.

References
----------
.. [1] Microsoft, CreateProcessW, https://learn.microsoft.com/windows/win32/api/processthreadsapi.
"""

AT_ONCE = 100
"""Files after which the command is run, though there be more to label."""

START = """
import json, sys
sys.path[:] = json.loads(sys.argv.pop(1))
sys.argv[0] = "asmr-classify"
from asmr_classify.__main__ import main
main()
"""
"""What the Python of the command runs: the program as it is found here, see
:data:`asmr_classify.batch.worker.START`."""

FINE = frozenset((ExitStatus.OK, ExitStatus.NOTHING_TO_DO))


def parse_then(text: str) -> tuple[str, ...]:
    """Read a command of this program.

    Raises
    ------
    UsageError
        If it is none that can be run on files without being asked.

    Examples
    --------
    >>> parse_then("organise --to '{trigger}/{stem}.{ext}' --yes")
    ('organise', '--to', '{trigger}/{stem}.{ext}', '--yes')
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as exc:
        raise UsageError(f"--then {text!r}: {str(exc).lower()}; close what is quoted") from exc
    if not words or words[0] not in COMMANDS:
        raise UsageError(
            f"--then {text!r}: write one of {', '.join(COMMANDS)}, with its options and without "
            "files, as in 'tag --yes'"
        )
    if words[0] in ASKING and not ANSWERS.intersection(words):
        raise UsageError(f"--then {text!r}: nobody is there to be asked: add --yes")
    return words


class Then:
    """Runs a command of this program on what was labelled, in a process of its own.

    Parameters
    ----------
    words : tuple of str
        The command and its options.
    owed : Owed
        Remembers which files it is to be run on.
    catalogue : Catalogue
        Is the default one of the command.
    folders : sequence of str
        Those in which the files are found.
    stop : threading.Event
        Once set, a command that fails was stopped too: it is run again at the next start.
    notice : callable
        Told if the command fails.
    """

    def __init__(
        self,
        words: tuple[str, ...],
        owed: Owed,
        catalogue: Catalogue,
        folders: Sequence[str],
        stop: Event,
        notice: Callable[[str], None],
    ) -> None:
        self._words = words
        self._owed = owed
        self._catalogue = catalogue
        self._found_in = [f"--found-in={folder}" for folder in folders if words[0] == "organise"]
        self._stop = stop
        self._notice = notice
        self._ready: list[str] = []
        self._away: list[str] = []

    def resume(self) -> None:
        """Go on where an earlier run was broken off; files whose disk is away stay owed."""
        owed = self._owed.read()
        self._ready = [path for path in owed if self._catalogue.is_current(path)]
        self._away = [path for path in owed if not os.path.lexists(path)]
        self.run_on_all()

    def expect(self, path: str) -> None:
        """Learn of a file before it is labelled."""
        self._owed.add(path)

    def take(self, result: FileResult) -> None:
        """Learn the result of a file; one that could not be heard is none for the command."""
        from asmr_classify.aggregate import Status

        if result.status not in {Status.FAILED, Status.NO_AUDIO}:
            self._ready.append(os.path.abspath(result.path))  # noqa: PTH100 (a link is a name)
        if len(self._ready) >= AT_ONCE:
            self.run()

    def run(self) -> None:
        """Run the command on what is labelled and there."""
        back = [path for path in self._away if os.path.lexists(path)]
        paths = [*dict.fromkeys([*back, *self._ready])]
        for part in in_parts(paths):
            if self._stop.is_set():
                return
            status = self._run_on(part)
            if status in FINE:
                continue
            if self._stop.is_set():  # which stopped the command too
                return
            self._away += [path for path in part if not os.path.lexists(path)]
            self._tell(status, len(part))
        if paths:
            self._away = [path for path in self._away if not os.path.lexists(path)]
            self._ready.clear()
            done = set(paths) - set(self._away)
            self._owed.keep([path for path in self._owed.read() if path not in done])

    def run_on_all(self) -> None:
        """Run the command when no file is at hand: what is owed then has failed or changed."""
        self.run()
        if not self._stop.is_set():
            self._owed.keep(self._away)

    def _run_on(self, paths: Sequence[str]) -> int:
        python = [sys.executable, "-P", "-c", START, json.dumps(sys.path)]
        done = subprocess.run(  # noqa: S603 (this program)
            # Files first: an option of the user's at the end may take a value or not.
            [*python, self._words[0], *paths, *self._found_in, *self._words[1:]],
            stdin=subprocess.DEVNULL,
            stdout=sys.__stderr__,  # standard output is for results
            env={**os.environ, "ASMR_CLASSIFY_CATALOGUE": os.path.abspath(self._catalogue.path)},  # noqa: PTH100
            check=False,
        )
        return done.returncode

    def _tell(self, status: int, n_files: int) -> None:
        how = f"ended with status {status}" if status >= 0 else f"was killed (signal {-status})"
        self._notice(
            f"--then {shlex.join(self._words)!r} {how} on {counted(n_files, 'file')}; "
            "watching goes on, without running it on them again"
        )


def in_parts(paths: Sequence[str]) -> Iterator[list[str]]:
    """Cut a list of paths so that each part fits a command line.

    Examples
    --------
    >>> list(map(len, in_parts(["/" + "a" * 9999] * 5)))
    [2, 2, 1]
    """
    part: list[str] = []
    n_characters = 0
    for path in paths:
        if part and n_characters + len(path) > LONGEST:
            yield part
            part, n_characters = [], 0
        part.append(path)
        n_characters += len(path) + 1
    if part:
        yield part
