"""One file for each recording, in a folder that mirrors the tree of recordings.

A recording ``sleep/rain.mp3`` below the base gets ``sleep/rain.mp3.vtt`` below the folder. Names
keep the extension of the recording, so that ``rain.mp3`` and ``rain.wav`` get one each; only where
a player looks for the stem (Kodi's ``rain.edl``) it is left out, unless another recording has that
name already. A name that is taken, on a disk that does not tell cases apart say, or is longer than
255 bytes, gets a part that follows from the path of the recording: ``rain.mp3~1f0c6a52.vtt``.

Each file is written beside its place and moved there. One that holds the same already is not
touched. One that is of the format is replaced only if it is as this program wrote it: what was
written is kept as digests in a file of the folder, ``asmr-classify.written``. One that was changed
since, by hand perhaps, is left alone and told of; one that is something else is left alone, with an
error. A recording that a format cannot hold gets no file, and an earlier one stays. So does one
whose recording is gone, has another name now, or gets its file elsewhere, as another folder is
mirrored; that is told.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from asmr_classify.errors import ChangedFileError, NotRepresentableError, OutputError, UsageError
from asmr_classify.media.source import is_url
from asmr_classify.writers import FORMATS, format_by_name
from asmr_classify.writers.documents import has_document
from asmr_classify.writers.output import Replacement, explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from asmr_classify.aggregate import FileResult
    from asmr_classify.writers import Format, Options

WRITTEN = "asmr-classify.written"
"""Name of the file that tells what was written: a digest and a name a line, and where the recording
is, between tabs, both as seen from the folder. It is added before the file is written. A line that
is cut off stands for nothing."""

LONGEST_NAME = 255
"""Bytes, on nearly all file systems."""

MARK_LENGTH = 8
"""Of :func:`path_mark`."""

NO_SUCH_FORMAT = (ValueError, KeyError, TypeError, AttributeError, IndexError)
"""What readers raise where a file is something else."""


def common_folder(paths: Iterable[str], into: str) -> str | None:
    """Find the deepest folder that holds everything that is named, to be mirrored.

    Where that lies in the folder that is written into, this is the one: each file then stands
    beside its recording.

    Parameters
    ----------
    paths : iterable of str
        Files, and folders, which may be the one.
    into : str
        The folder that is written into.

    Returns
    -------
    str or None
        Absolute; None if there is none, as on two drives of Windows.
    """
    # Names are strings here, which may hold any byte.
    absolute = [os.path.abspath(path) for path in paths]  # noqa: PTH100
    folders = [x if os.path.isdir(x) else os.path.dirname(x) for x in absolute]  # noqa: PTH112, PTH120
    into = os.path.abspath(into)  # noqa: PTH100
    try:
        deepest = os.path.commonpath(folders)
    except ValueError:
        return None
    # Not by commonpath, which refuses two drives of Windows.
    inside, top = (os.path.join(os.path.normcase(x), "") for x in (deepest, into))  # noqa: PTH118
    return into if inside.startswith(top) else deepest


class PerFileWriter:
    """Writes each result to a file of its own.

    Parameters
    ----------
    folder : str
        Made if it does not exist.
    form : Format
    labels : sequence of str
        The model's.
    options : Options
    base : str, optional
        The folder that is mirrored, see :func:`common_folder`. Recordings outside of it get their
        whole path.
    on_left_out : callable, optional
        Told why a recording that was heard gets no file.
    on_changed : callable, optional
        Told of a file that was changed since, and is left alone; without it that is an error.
    on_stale : callable, optional
        Told in the end of files that are there of recordings that are not.

    Raises
    ------
    OutputError
        If the folder cannot be made.
    """

    def __init__(  # noqa: PLR0913 (what it tells whom)
        self,
        folder: str,
        form: Format,
        labels: Sequence[str],
        options: Options,
        *,
        base: str | None = None,
        on_left_out: Callable[[str], None] | None = None,
        on_changed: Callable[[str], None] | None = None,
        on_stale: Callable[[str], None] | None = None,
    ) -> None:
        self._folder = folder
        self._form = form
        self._labels = labels
        self._options = options
        self._base = base
        self._on_left_out = on_left_out
        self._on_changed = on_changed
        self._on_stale = on_stale
        self._owners: dict[str, str] = {}
        self._is_new = not Path(folder).is_dir()
        make_folder(folder, parents=False)
        self._real = os.path.realpath(folder)
        self._written, self._recordings = _read_written(folder)
        self._placed: set[bytes] = set()
        self._mirrored: set[bytes] = set()
        self._stems: set[bytes] = set()
        self._homes: dict[bytes, str] = {}

    def write(self, result: FileResult) -> None:
        """Write the file of one result.

        Raises
        ------
        OutputError
            If it cannot be written, or something else stands there.
        """
        if os.path.lexists(result.path):
            absolute = os.path.abspath(result.path)  # noqa: PTH100
            beside = self._spell(os.path.join(self._folder, self._below(absolute)))  # noqa: PTH118
            self._mirrored |= {beside, b"~" + path_mark(absolute).encode()}
            self._stems.add(os.path.splitext(beside)[0])  # noqa: PTH122
        if not self._form.holds_failures and not has_document(result, self._options.skip):
            return
        target = self._place(result.path)
        self._placed.add(self._spell(target))
        try:
            data = self._render(result, os.path.dirname(target))  # noqa: PTH120
        except NotRepresentableError as exc:
            if self._on_left_out is not None:
                self._on_left_out(str(exc))
            return
        try:
            is_free = self._is_free(target, data)
        except ChangedFileError as exc:
            if self._on_changed is None:
                raise
            self._on_changed(str(exc))
            return
        self._remember(target, data, result.path)
        if is_free:
            make_folder(os.path.dirname(target))  # noqa: PTH120
            with Replacement(target) as output:
                output.write(data)

    def close(self) -> None:
        """Take the folder back if nothing lies in it, no journal either; files are complete."""
        if self._on_stale is not None:
            self._tell_stale(self._on_stale)
        if self._is_new:
            with contextlib.suppress(OSError):  # there is something in it
                Path(self._folder).rmdir()

    def _tell_stale(self, tell: Callable[[str], None]) -> None:
        """Tell of files of earlier runs whose recordings are gone, or have theirs elsewhere now."""
        form = format_by_name(self._form.suffixes[0])
        for name in sorted(self._recordings.keys() - self._placed):
            path = os.path.join(self._folder, _unspelt(name))  # noqa: PTH118
            home = self._homes.get(self._recordings[name])
            if home is not None and format_by_name(path) == form and os.path.lexists(path):
                tell(f"{path}: its recording has {home} now; remove it if you do not need it")
                continue
            recording = os.path.join(self._real, _unspelt(self._recordings[name]))  # noqa: PTH118
            is_gone = not (os.path.lexists(recording) or self._is_mirrored(name))
            if is_gone and os.path.lexists(path):
                tell(
                    f"{path}: is of a recording that is gone or has another name now; remove it if "
                    "you do not need it"
                )

    def _is_mirrored(self, name: bytes) -> bool:
        """Tell whether a file is, in any format, where that of a recording of this run belongs.

        Where the folder was moved, what is noted of recordings leads nowhere.
        """
        for form in FORMATS.values():
            if name.endswith(suffix := form.suffixes[0].encode()):
                stem = name.removesuffix(suffix)
                is_shortened = stem[-MARK_LENGTH - 1 :] in self._mirrored
                is_of_stem = form.takes_stem and stem in self._stems
                if stem in self._mirrored or is_shortened or is_of_stem:
                    return True
        return False

    def _render(self, result: FileResult, folder: str) -> bytes:
        stream = io.BytesIO() if self._form.in_bytes else io.StringIO()
        options = replace(self._options, folder=folder)
        writer = self._form.open_writer(stream, self._labels, options)
        writer.write(result)
        writer.close()
        content = stream.getvalue()
        return content if isinstance(content, bytes) else content.encode()

    def _place(self, path: str) -> str:
        """Find the place of a recording's file; the same in each run, unless names collide."""
        absolute = os.path.abspath(path)  # noqa: PTH100
        folder, name = os.path.split(self._below(absolute))
        folder = os.path.join(self._folder, folder)  # noqa: PTH118
        for candidate in self._names(name, absolute):
            target = os.path.join(folder, candidate)  # noqa: PTH118
            key = unicodedata.normalize("NFC", target).casefold()
            if self._owners.setdefault(key, absolute) == absolute:
                return target
        raise OutputError(f"{path}: no free name for its file in {folder}: write elsewhere")

    def _below(self, absolute: str) -> str:
        if self._base is not None:
            inside = os.path.relpath(absolute, self._base)
            if not inside.startswith(os.pardir + os.sep):
                return inside
        drive, rest = os.path.splitdrive(absolute)
        return os.path.join(drive.strip("\\/:"), rest.lstrip("\\/"))  # noqa: PTH118

    def _names(self, name: str, absolute: str) -> Iterator[str]:
        suffix = self._form.suffixes[0]
        stems = (os.path.splitext(name)[0],) if self._form.takes_stem else ()  # noqa: PTH122
        for stem in (*stems, name):
            if len(os.fsencode(stem + suffix)) <= LONGEST_NAME:
                yield stem + suffix
        yield _shortened(name, f"~{path_mark(absolute)}{suffix}")

    def _is_free(self, target: str, data: bytes) -> bool:
        """Tell whether a file is to be written: there is none, or an earlier one as it was written.

        Raises
        ------
        ChangedFileError
            If it was changed since.
        UsageError
            If something else stands there.
        OutputError
            If it cannot be read.
        """
        try:
            content = Path(target).read_bytes()
        except FileNotFoundError:
            return True
        except OSError as exc:
            raise OutputError(explain(target, exc)) from exc
        if content == data:
            return False
        if not content or self._line(target, content) in self._written:
            return True
        self._check_format(target, content)
        raise ChangedFileError(
            f"{target}: was changed since this program wrote it, or written elsewhere, so it is "
            "left alone; move it away"
        )

    def _check_format(self, target: str, content: bytes) -> None:
        try:
            stream = io.BytesIO(content) if self._form.in_bytes else io.StringIO(content.decode())
            for _ in self._form.read(stream):
                pass
        except NO_SUCH_FORMAT as exc:
            raise UsageError(
                f"{target}: exists and was not written by this program, so it is left alone; "
                "move it away, or name another folder"
            ) from exc

    def _remember(self, target: str, data: bytes, recording: str) -> None:
        """Note what a file will hold; first, so that no file that was written goes unknown."""
        line, name = self._line(target, data), self._spell(target)
        place = b"" if is_url(recording) else _spelt(without_links(recording), self._real)
        if place:
            self._homes[place] = target
        if line in self._written and self._recordings.get(name, b"") == place:
            return
        path = os.path.join(self._folder, WRITTEN)  # noqa: PTH118
        try:
            with open(path, "ab") as file:  # noqa: PTH123
                file.write(b"\n" + line + (b"\t%s\t" % place if place else b"") + b"\n")
        except OSError as exc:
            raise OutputError(explain(path, exc)) from exc
        self._written.add(line)

    def _line(self, target: str, content: bytes) -> bytes:
        return _line_of(target, self._folder, content)

    def _spell(self, target: str) -> bytes:
        return _spelt(target, self._folder)


def written_below(file: str) -> str | None:
    """Find the folder below which one of these files was written, if its journal is there."""
    folder = os.path.dirname(os.path.abspath(file))  # noqa: PTH100, PTH120
    while not os.path.isfile(os.path.join(folder, WRITTEN)):  # noqa: PTH113, PTH118
        folder, below = os.path.dirname(folder), folder  # noqa: PTH120
        if folder == below:
            return None
    return folder


class Journals:
    """Tells of files below folders that have a journal, each of which is read once."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[set[bytes], dict[bytes, bytes]]] = {}

    def is_as_written(self, file: str, content: bytes) -> bool:
        """Tell whether a file holds what this program once wrote there."""
        folder = written_below(file)
        if folder is None:
            return False
        return _line_of(os.path.abspath(file), folder, content) in self._of(folder)[0]  # noqa: PTH100

    def recording_of(self, file: str) -> str | None:
        """Find where the recording of a file was, without links to folders, if that is noted."""
        folder = written_below(file)
        if folder is None:
            return None
        place = self._of(folder)[1].get(_spelt(os.path.abspath(file), folder))  # noqa: PTH100
        if place is None:
            return None
        return os.path.normpath(os.path.join(os.path.realpath(folder), _unspelt(place)))  # noqa: PTH118

    def _of(self, folder: str) -> tuple[set[bytes], dict[bytes, bytes]]:
        if folder not in self._read:
            self._read[folder] = _read_written(folder)
        return self._read[folder]


def path_mark(absolute: str) -> str:
    """Make what stands for the path of a recording where its name does not do."""
    return hashlib.sha256(os.fsencode(absolute)).hexdigest()[:MARK_LENGTH]


def _line_of(target: str, folder: str, content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode() + b" " + _spelt(target, folder)


def _spelt(path: str, folder: str) -> bytes:
    """Spell a path as seen from a folder, without a tab or the end of a line."""
    try:
        name = os.path.relpath(path, folder)
    except ValueError:  # on another drive
        name = path
    return name.replace(os.sep, "/").encode("unicode_escape", "backslashreplace")


def _unspelt(name: bytes) -> str:
    return name.decode("unicode_escape")


def without_links(path: str) -> str:
    """Give a path without links to folders, so that it leads there from wherever it is seen."""
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)  # noqa: PTH118


def _read_written(folder: str) -> tuple[set[bytes], dict[bytes, bytes]]:
    """Read what was written, and of which recording each file was last, as far as that is known."""
    path = os.path.join(folder, WRITTEN)  # noqa: PTH118
    try:
        lines = Path(path).read_bytes().splitlines()
    except FileNotFoundError:
        lines = []
    except OSError as exc:
        raise OutputError(explain(path, exc)) from exc
    written, recordings = set[bytes](), dict[bytes, bytes]()
    for line in lines:
        known, *rest = line.split(b"\t")
        written.add(known)
        if len(rest) == 2:
            recordings[known.partition(b" ")[2]] = rest[0]
    return written, recordings


def _shortened(name: str, ending: str) -> str:
    """Shorten a name to what a file system takes, at the end of a character."""
    room = LONGEST_NAME - len(os.fsencode(ending))
    while len(os.fsencode(name)) > room:
        name = name[:-1]
    return name + ending


def make_folder(path: str, *, parents: bool = True) -> None:
    """Make a folder if there is none.

    Parameters
    ----------
    path : str
    parents : bool
        Make those above it too.

    Raises
    ------
    OutputError
        If it cannot be made.
    """
    try:
        Path(path).mkdir(parents=parents, exist_ok=True)
    except FileExistsError as exc:
        raise OutputError(f"{path}: is a file, and a folder is needed: name another") from exc
    except OSError as exc:
        raise OutputError(explain(path, exc)) from exc
