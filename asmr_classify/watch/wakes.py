"""When to look at folders again: at events of the system, or now and then where there are none.

An event only wakes; what happened is seen by looking. Nothing is queued, so that a hundred thousand
events at once are one. Folders of other machines send no events of what those do to them, and some
systems have none, or no more to give: there, and where a folder was mounted or made anew since,
time wakes.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asmr_classify.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

logger = logging.getLogger(__name__)

POLL = 30.0
"""Seconds between two looks where no events come and nothing else was asked for."""

RESCAN = 600.0
"""Seconds between two looks where events come: they may miss what lies behind links."""

GLANCE = 1.0
"""Seconds between two glances at whether folders are still the ones that send events, and whether
the wait is over: whoever ends it by a signal cannot wake, see :mod:`asmr_classify.cli.watch`."""

LEAST_PAUSE, PAUSE_SHARE = 1.0, 9.0
"""Seconds between two looks at least, and how many times as long as the last look took: looking
takes a tenth of the time at most, however quickly events follow each other."""

NETWORK = re.compile(
    r"nfs4?|cifs|smb3?|smbfs|9p|afs|ceph|davfs|glusterfs|ncpfs|virtiofs|lustre|vboxsf|"
    r"fuse\.(sshfs|rclone|glusterfs|ceph|s3fs|davfs2?|gvfsd-fuse|curlftpfs|smbnetfs|vmhgfs-fuse|jmtpfs)"
)
"""File systems whose files another machine may change, of which Linux is not told."""

MOUNTS = Path("/proc/self/mountinfo")
"""Where Linux tells what is mounted, see proc(5)."""


class Wakes:
    """Waits until it is time to look again. Use it in a ``with`` statement.

    Parameters
    ----------
    folders : sequence of str
    poll : float, optional
        Seconds between two looks; by default events wake, where there are any.
    notice : callable
        Told in a sentence where events cannot be had.
    """

    def __init__(
        self, folders: Sequence[str], poll: float | None, notice: Callable[[str], None]
    ) -> None:
        self._folders = tuple(folders)
        self._poll = poll
        self._notice = notice
        self._woken = threading.Event()
        self._observer: Any = None
        self._watched: list[tuple[int, int] | None] = []

    def __enter__(self) -> Wakes:
        if self._poll is None:
            self._poll = self._must_poll()
        self._watch()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._end()

    @property
    def manner(self) -> str:
        """How it is told that it is time, in words."""
        return "by events" if self._poll is None else f"every {self._poll:g} s"

    def wake(self) -> None:
        """End the wait, or the next one; not to be called while a signal is handled."""
        self._woken.set()

    def wait(self, due_in: float | None, looked_for: float, is_over: Callable[[], bool]) -> None:
        """Wait for an event, or until it is time.

        Parameters
        ----------
        due_in : float or None
            Seconds after which there is something to be done anyway.
        looked_for : float
            Seconds that the last look took.
        is_over : callable
            Tells whether there is nothing to wait for any more.
        """
        start = time.monotonic()
        least = max(LEAST_PAUSE, PAUSE_SHARE * looked_for)
        most = RESCAN if self._poll is None else self._poll
        most = max(least, min(most, most if due_in is None else due_in))
        while not is_over() and (left := start + most - time.monotonic()) > 0:
            if self._woken.wait(min(left, GLANCE)) or self._is_other():
                break
        while not is_over() and (left := start + least - time.monotonic()) > 0:
            time.sleep(min(left, LEAST_PAUSE / 10))
        self._woken.clear()
        if self._is_other():
            self._end()
            self._watch()

    def _must_poll(self) -> float | None:
        """Seconds between two looks, if a folder is of a kind that sends no events."""
        remote = [folder for folder in self._folders if is_remote(folder)]
        for folder in remote:
            self._notice(f"{folder}: is on a network share, which tells of no changes")
        return POLL if remote else None

    def _watch(self) -> None:
        """Have the system tell of changes; poll if it cannot."""
        self._watched = [_identity(folder) for folder in self._folders]
        if self._poll is not None:
            return
        self._observer = _make_observer()
        try:
            for folder, identity in zip(self._folders, self._watched, strict=True):
                if identity is not None:
                    _schedule(self._observer, folder, self.wake)
            self._observer.start()
        except (OSError, RuntimeError) as exc:  # no more watches, threads or files to be had
            logger.debug("no events", exc_info=exc)
            self._observer = None
            self._poll = POLL
            self._notice(
                f"the system tells of no changes ({exc}); folders are looked at {self.manner} "
                "instead, as --poll does"
            )

    def _is_other(self) -> bool:
        """Whether a folder was removed, made anew or mounted over since events were asked for."""
        return self._watched != [_identity(folder) for folder in self._folders]

    def _end(self) -> None:
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            observer.join()


def check_installed() -> None:
    """Check that what tells of changes is installed.

    Raises
    ------
    MissingExtraError
        If it is not.
    """
    try:
        import watchdog.observers  # noqa: F401 (only whether it is there)
    except ImportError as exc:
        raise MissingExtraError(
            "watching needs watchdog, which is not installed: pip install "
            "'asmr-classify[watch]', or give --poll 30s, which does without"
        ) from exc


def is_remote(folder: str, mounts: Path = MOUNTS) -> bool:
    """Tell whether a folder lies on another machine, as far as Linux knows it.

    Parameters
    ----------
    folder : str
    mounts : Path
        The system's table of mounts.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return False
    real = os.path.join(os.path.realpath(folder), "")  # noqa: PTH118 (with a slash at its end)
    best, kind = "", ""
    for line in lines:
        before, _, after = line.partition(" - ")
        point = os.path.join(_unescaped(before.split(" ")[4]), "")  # noqa: PTH118
        if real.startswith(point) and len(point) >= len(best):  # the last one covers the others
            best, kind = point, after.split(" ")[0]
    return NETWORK.fullmatch(kind) is not None


def _unescaped(text: str) -> str:
    r"""Read a name in which blanks and the like are written as ``\040``."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _identity(folder: str) -> tuple[int, int] | None:
    try:
        status = os.stat(folder)  # noqa: PTH116 (any name)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _make_observer() -> Any:
    from watchdog.observers import Observer

    return Observer()


def _schedule(observer: Any, folder: str, wake: Callable[[], None]) -> None:
    """Ask for events of a folder: of changes only, not of reading, which labelling does itself."""
    from watchdog import events

    class Handler(events.FileSystemEventHandler):
        def on_any_event(self, _event: events.FileSystemEvent) -> None:
            wake()

    kinds = [
        kind
        for name in ("Created", "Modified", "Moved", "Deleted")
        for kind in (getattr(events, f"File{name}Event"), getattr(events, f"Dir{name}Event"))
    ]
    observer.schedule(Handler(), folder, recursive=True, event_filter=kinds)
