"""A folder that files are written to whole, on the disk or in storage.

On the disk a file is written beside its place and moved there. Storage that knows objects only
(S3, Google's, Azure) shows one once all of it has arrived; elsewhere a file is sent under another
name first. So whoever reads the folder finds whole files, and who writes one may be killed.

Both kinds can be pickled, and cross into workers, which write with credentials of their own.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from asmr_classify.errors import OpenError, OutputError, StorageError, UsageError
from asmr_classify.media.source import WEB, Url, as_source
from asmr_classify.writers.output import explain, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = frozenset({"file", "local"})
"""Schemes of files of this machine."""

UNFINISHED = "."
"""Put before the name of a file that is being sent; readers of tables pass such names over."""


class Folder(Protocol):
    """Where files are written.

    All but :meth:`check` raise :class:`~asmr_classify.errors.OutputError` if they cannot be done.
    """

    @property
    def name(self) -> str:
        """The folder as messages call it, with a slash behind."""

    def check(self) -> None:
        """Check that this machine has the libraries that it takes.

        Raises
        ------
        MissingExtraError
            If it has not.
        """

    def make(self) -> None:
        """Make it if it is missing."""

    def list(self) -> dict[str, int]:
        """Tell the files in it, by name, with their bytes; none if it is not there."""

    def open(self, name: str, size: int) -> BinaryIO:
        """Open a file of so many bytes to be read."""

    def put(self, name: str, content: bytes) -> None:
        """Write a file whole; an earlier one of that name is replaced."""

    def remove(self, name: str) -> None:
        """Remove a file; it may be gone."""


def open_folder(output: str) -> Folder:
    """Give the folder of a path or an address. Nothing is asked for yet.

    Raises
    ------
    UsageError
        If files cannot be written there at all.
    MissingExtraError
        If a library is missing that writes there.
    """
    source = as_source(output)
    if not isinstance(source, Url):
        return DiskFolder(os.path.abspath(output), output)  # noqa: PTH100 (a link is a name too)
    from asmr_classify.media.remote import connect

    path = connect(source)[1]
    if source.scheme in HERE:
        return DiskFolder(path, output)
    if source.scheme in WEB:
        raise UsageError(f"{source}: nothing can be written to the web; name a folder or a bucket")
    return StoredFolder(source)


@dataclass(frozen=True, slots=True)
class DiskFolder:
    """A folder of this machine, see :class:`Folder`.

    Parameters
    ----------
    path : str
        Absolute: workers may work elsewhere.
    shown : str
        As the user named it.
    """

    path: str
    shown: str

    @property
    def name(self) -> str:
        """The folder as messages call it."""
        return self.shown.rstrip("/" + os.sep) + "/"

    def check(self) -> None:
        """Do nothing: a disk takes none."""

    def make(self) -> None:
        """Make it if it is missing; the one that it lies in has to be there."""
        with self._told():
            Path(self.path).mkdir(exist_ok=True)

    def list(self) -> dict[str, int]:
        """Tell the files in it."""
        with self._told():
            if not Path(self.path).exists():
                return {}
            found: dict[str, int] = {}
            with os.scandir(self.path) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):  # it was moved meanwhile, as scratch is
                        if entry.is_file():
                            found[entry.name] = entry.stat().st_size
            return found

    def open(self, name: str, size: int) -> BinaryIO:  # noqa: ARG002 (which storage wants to know)
        """Open a file to be read."""
        with self._told(name):
            return Path(self.path, name).open("rb")

    def put(self, name: str, content: bytes) -> None:
        """Write a file beside its place, and move it there."""
        write_whole(Path(self.path, name), content)

    def remove(self, name: str) -> None:
        """Remove a file."""
        with self._told(name):
            Path(self.path, name).unlink(missing_ok=True)

    @contextmanager
    def _told(self, name: str = "") -> Iterator[None]:
        """Tell what goes wrong with the name of the file."""
        try:
            yield
        except OSError as exc:
            raise OutputError(explain(self.name + name, exc)) from exc


@dataclass(frozen=True, slots=True)
class StoredFolder:
    """A folder in storage, see :class:`Folder`.

    Parameters
    ----------
    url : Url
    """

    url: Url

    @property
    def name(self) -> str:
        """The folder as messages call it."""
        return self.url.rstrip("/") + "/"

    def check(self) -> None:
        """Check that the library of the storage is there."""
        from asmr_classify.media.remote import connect

        connect(self.url)

    def make(self) -> None:
        """Make it where storage has folders; elsewhere it is what names begin with."""
        from asmr_classify.media.remote import STORES

        if self.url.scheme not in STORES:
            self._ask("", lambda system, path: system.makedirs(path, exist_ok=True))

    def list(self) -> dict[str, int]:
        """Tell the files in it."""
        from asmr_classify.media.remote import iter_folder, look_at

        with _told():
            if look_at(self.url) is None:
                return {}
            entries = iter_folder(self._at(""))
            return {x.path.rpartition("/")[2]: x.size for x in entries if not x.is_folder}

    def open(self, name: str, size: int) -> BinaryIO:
        """Open a file to be read."""
        from asmr_classify.media.blocks import RemoteFile

        with _told():
            return cast("BinaryIO", RemoteFile.open(self._at(name, size)))

    def put(self, name: str, content: bytes) -> None:
        """Send a file."""
        from asmr_classify.media.remote import STORES

        if self.url.scheme in STORES:
            self._ask(name, lambda system, path: system.pipe_file(path, content))
            return
        scratch = UNFINISHED + name
        self._ask(scratch, lambda system, path: system.pipe_file(path, content))
        to = self._path_of(name)
        self._ask(scratch, lambda system, path: system.mv(path, to))

    def remove(self, name: str) -> None:
        """Remove a file."""
        self._ask(name, _remove)

    def _ask(self, name: str, do: Callable[[Any, str], object]) -> None:
        """Do something with a file, more than once where that may help."""
        from asmr_classify.media.remote import ask, connect

        url = self._at(name)
        with _told():
            system, path = connect(url)
            ask(url, lambda: do(system, path), done="written")

    def _path_of(self, name: str) -> str:
        from asmr_classify.media.remote import connect

        return connect(self._at(name))[1]

    def _at(self, name: str, size: int = 0) -> Url:
        return Url(self.url.whole.rstrip("/") + "/" + name, size)


def _remove(system: Any, path: str) -> None:
    with suppress(FileNotFoundError):
        system.rm_file(path)


@contextmanager
def _told() -> Iterator[None]:
    """Tell what storage refuses as what it means for results."""
    try:
        yield
    except (OpenError, StorageError) as exc:
        raise OutputError(str(exc)) from exc
