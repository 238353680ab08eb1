"""What is kept from run to run: files of arrays that appear whole or not at all.

Training keeps what it must not compute twice, by :func:`save_arrays`. Of recordings that are
labelled, :class:`KeptFeatures` keeps all rows, so that another model labels them without decoding,
to the bit as if they were decoded anew. Layout of its folder::

    1f0c…9a.recording.npz         the rows of one recording, as they came
    1f0c…9a.4711.recording.part   rows that process 4711 is computing, or died over

The name is made of the hash of the content and the fingerprint of the features, so that no entry is
ever out of date. It is given once the file is whole; the archive holds a checksum of each array, so
that what is damaged later is told from what is right, and is computed anew. Entries that were not
used for the longest go first where there are more bytes than allowed.
"""

from __future__ import annotations

import hashlib
import math
import os
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from asmr_classify.errors import OutputError
from asmr_classify.features.encoder import named_with
from asmr_classify.features.windows import WindowRows

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from numpy.typing import NDArray

    from asmr_classify.config import FeatureSpec
    from asmr_classify.features.encoder import Encoder

WHOLE, UNFINISHED = ".recording.npz", ".recording.part"

ROOM = 1 / 16
"""Share of what is allowed that a process writes before it looks whether there is too much."""

DAMAGED = Exception
"""What is raised where a file of arrays is damaged, or gone: a flipped bit in a header makes
parsers and decoders raise what they like, or ask for any amount of memory."""


class DamagedError(Exception):
    """An entry is damaged."""


def save_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    """Write arrays to an ``.npz`` file: beside its place, then renamed.

    Parameters
    ----------
    path : path
        Its folder is made if it is missing.
    **arrays : ndarray

    Raises
    ------
    OutputError
        If that fails.
    """
    scratch = path.with_name(f"{path.stem}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            np.savez(file, **cast("dict[str, Any]", arrays))
        scratch.replace(path)
    except OSError as exc:
        with suppress(OSError):
            scratch.unlink()
        raise OutputError(f"{path.parent}: cannot write the cache: {exc.strerror}") from exc


def kept_arrays(place: Path | None) -> dict[str, NDArray[Any]] | None:
    """Read what :func:`save_arrays` wrote; None if it is not there, or is damaged."""
    try:
        if place is not None:
            with place.open("rb") as file, np.load(file, allow_pickle=False) as saved:
                return dict(saved)
    except DAMAGED:
        pass  # a power cut may leave a part of a file, or none of it
    return None


def kept_array(
    place: Path | None, name: str, make: Callable[[], NDArray[Any]], *, needed: bool
) -> NDArray[Any]:
    """Read an array from a file of a cache, else make it and keep it there.

    Parameters
    ----------
    place : path or None
        None to keep nothing.
    name : str
        Of the array in the file.
    make : callable
    needed : bool
        Whether it is an error if it cannot be written.

    Raises
    ------
    OutputError
        If it is needed and cannot be written.
    """
    saved = kept_arrays(place)
    if saved is not None:
        return saved[name]
    made = make()
    if place is not None:
        try:
            save_arrays(place, **{name: made})
        except OutputError:
            if needed:
                raise
    return made


class KeptFeatures:
    """A folder of the rows of recordings, bounded in size. Processes may share it.

    Parameters
    ----------
    folder : path
        Made once something is kept.
    most_bytes : int
        That it may hold after a run; during one, each process may add a sixteenth.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder = folder
        self.most_bytes = most_bytes
        self._written = 0

    def of(self, digest: bytes, spec: FeatureSpec, encoder: Encoder | None = None) -> KeptRecording:
        """Give the entry of a recording, which need not be there.

        Parameters
        ----------
        digest : bytes
            Hash of its content.
        spec : FeatureSpec
        encoder : Encoder, optional
            Of the model that is to label it.
        """
        name = hashlib.sha256(digest + named_with(spec, encoder).encode()).hexdigest()[:32]
        return KeptRecording(self, self.folder / f"{name}{WHOLE}")

    def count(self) -> tuple[int, int]:
        """Count recordings, and the bytes of all that is kept of them."""
        entries = self._entries()
        n_whole = sum(path.name.endswith(WHOLE) for _, _, path in entries)
        return n_whole, sum(size for _, size, _ in entries)

    def prune(self) -> None:
        """Remove what was not used for the longest, until there is no more than allowed."""
        entries = self._entries()
        excess = sum(size for _, size, _ in entries) - self.most_bytes
        for _, size, path in sorted(entries):
            if excess <= 0:
                return
            with suppress(OSError):  # gone meanwhile, or open where that forbids to remove it
                path.unlink()
            excess -= size

    def add_written(self, n_bytes: int) -> None:
        """Note what this process wrote, and make room now and then."""
        self._written += n_bytes
        if self._written > ROOM * self.most_bytes:
            self._written = 0
            self.prune()

    def _entries(self) -> list[tuple[int, int, Path]]:
        """List what is kept: time of its last use, bytes, path."""
        entries = []
        with suppress(OSError), os.scandir(self.folder) as found:
            for entry in found:
                if entry.name.endswith((WHOLE, UNFINISHED)):
                    with suppress(OSError):
                        status = entry.stat(follow_symlinks=False)
                        entries.append((status.st_mtime_ns, status.st_size, Path(entry.path)))
        return entries


@dataclass(frozen=True, slots=True)
class KeptRecording:
    """The entry of one recording.

    Parameters
    ----------
    features : KeptFeatures
        Those that it is among.
    place : path
    """

    features: KeptFeatures
    place: Path

    @contextmanager
    def reading(self) -> Generator[KeptReader]:
        """Open the entry. One that turns out to be damaged is removed.

        Raises
        ------
        OSError
            If it is not there, or cannot be opened.
        DamagedError
            If it is damaged; by what is read of it later, too.
        """
        try:
            with self.place.open("rb") as file:
                yield KeptReader(file)
        except DamagedError:
            with suppress(OSError):
                self.place.unlink()
            raise
        with suppress(OSError):
            os.utime(self.place)

    @contextmanager
    def writing(self) -> Generator[KeptWriter]:
        """Begin the entry; without :meth:`KeptWriter.finish` nothing is left of it."""
        name = self.place.name.removesuffix(WHOLE)
        scratch = self.place.with_name(f"{name}.{os.getpid()}{UNFINISHED}")
        writer = KeptWriter(scratch, self.place)
        try:
            yield writer
        finally:
            writer.close()
            self.features.add_written(writer.n_bytes)


class KeptReader:
    """Reads the entry of one recording, see :meth:`KeptRecording.reading`.

    Attributes
    ----------
    duration : float or None
    decoded : float
        Of the recording, in seconds, as whoever decoded it told.
    """

    def __init__(self, file: BinaryIO) -> None:
        with _damage_told():
            self._archive = zipfile.ZipFile(file)
            duration, self.decoded, n_parts = map(float, self._read("ends"))
            self.duration = None if math.isnan(duration) else duration
            self._n_parts = int(n_parts)

    def rows(self) -> Iterator[WindowRows]:
        """Yield rows in the parts in which they were computed, on which the last bits depend."""
        for k in range(self._n_parts):
            yield self._part(k)

    def _part(self, k: int) -> WindowRows:
        with _damage_told():
            return WindowRows(*(self._read(f"{field.name}.{k}") for field in fields(WindowRows)))

    def _read(self, name: str) -> NDArray[Any]:
        with self._archive.open(f"{name}.npy") as file:  # whose checksum is looked at
            return np.lib.format.read_array(file, allow_pickle=False)


@contextmanager
def _damage_told() -> Generator[None]:
    try:
        yield
    except DAMAGED as exc:
        raise DamagedError(str(exc) or type(exc).__name__) from exc


class KeptWriter:
    """Writes the entry of one recording; what cannot be written is not kept.

    Parameters
    ----------
    scratch, place : path
        Where it is written, and where it lies when it is whole.

    Attributes
    ----------
    n_bytes : int
        Of the entry, once it is whole.
    """

    def __init__(self, scratch: Path, place: Path) -> None:
        self.n_bytes = 0
        self._scratch = scratch
        self._place = place
        self._n_parts = 0
        self._archive: zipfile.ZipFile | None = None
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            self._archive = zipfile.ZipFile(scratch, "w")

    def add(self, rows: WindowRows) -> None:
        """Add rows, as they were computed."""
        for field in fields(WindowRows):
            self._write(f"{field.name}.{self._n_parts}", getattr(rows, field.name))
        self._n_parts += 1

    def finish(self, duration: float | None, decoded: float) -> None:
        """Give the entry its name, now that it is whole."""
        ends = [math.nan if duration is None else duration, decoded, self._n_parts]
        self._write("ends", np.array(ends, dtype=np.float64))
        if self._archive is not None:
            with suppress(OSError):
                self._archive.close()
                self.n_bytes = self._scratch.stat().st_size
                self._scratch.replace(self._place)

    def close(self) -> None:
        """Remove what is left of an entry that was not finished."""
        if self._archive is not None:
            with suppress(OSError):
                self._archive.close()
        with suppress(OSError):
            self._scratch.unlink()

    def _write(self, name: str, values: NDArray[Any]) -> None:
        if self._archive is None:
            return
        try:
            with self._archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(values), allow_pickle=False)
        except OSError:  # a full disk: nothing is kept of this recording
            archive, self._archive = self._archive, None
            with suppress(OSError):
                archive.close()
