"""What we look at in the tags of a file, and the interface of what reads and writes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Chapter:
    """A named span of a recording.

    Parameters
    ----------
    start_ms, end_ms : int
        Milliseconds from the beginning. Formats that keep starts only give the next start as end.
    title : str
    """

    start_ms: int
    end_ms: int
    title: str


@dataclass(frozen=True, slots=True)
class TagState:
    """The part of a file's tags that we read, and may change.

    Parameters
    ----------
    fields : mapping of str to str
        Our own fields, by name.
    genre, comment : tuple of str
        What players show, whoever wrote it.
    chapters : tuple of Chapter
        Whoever wrote them.
    genre_beneath, comment_beneath : tuple of str
        What players show where the tag that we write tells none, from a place that we do not touch.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    genre: tuple[str, ...] = ()
    comment: tuple[str, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    genre_beneath: tuple[str, ...] = ()
    comment_beneath: tuple[str, ...] = ()

    def says_the_same(self, other: TagState) -> bool:
        """Whether two states agree, but for ends of chapters, which not all formats keep."""
        return self._said() == other._said()

    def _said(self) -> tuple[object, ...]:
        return dict(self.fields), sorted(self.genre), sorted(self.comment), self.starts

    @property
    def starts(self) -> list[tuple[int, str]]:
        """When chapters begin, in milliseconds, and their titles."""
        return [(chapter.start_ms, chapter.title) for chapter in self.chapters]

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Turn plain values back."""
        return cls(
            fields=dict(record["fields"]),
            genre=tuple(record["genre"]),
            comment=tuple(record["comment"]),
            chapters=tuple(Chapter(**chapter) for chapter in record["chapters"]),
            genre_beneath=tuple(record.get("genre_beneath", ())),
            comment_beneath=tuple(record.get("comment_beneath", ())),
        )


class Carrier(Protocol):
    """Reads and writes the tags of one kind of file."""

    name: str
    """As people call the kind."""

    max_chapters: int
    """How many chapters can be written; 0 if none can."""

    def read(self, path: str) -> TagState:
        """Read the tags of a file.

        Raises
        ------
        NotCarriedError
            If the tags could not be changed without changing something else.
        TagError
            If the file is damaged.
        """

    def check(self, path: str, before: TagState, after: TagState) -> None:
        """Check that :meth:`write` would be able to carry these tags; change nothing.

        Raises
        ------
        NotCarriedError
        """

    def write(self, path: str, before: TagState, after: TagState) -> None:
        """Change the tags of a file in place; only ever called on a copy.

        Parameters
        ----------
        path : str
        before : TagState
            As :meth:`read` gave it.
        after : TagState
            What differs from ``before`` is written, the rest is left as it is.
        """


def replace_range(path: str, start: int, end: int, data: bytes) -> None:
    """Put other bytes in the place of some of a file's, and move what follows."""
    if len(data) != end - start:
        _move_tail(path, end, start + len(data))
    with Path(path).open("r+b") as file:
        file.seek(start)
        file.write(data)


CHUNK_BYTES = 1 << 20
"""Read and written at once."""


def _move_tail(path: str, source: int, target: int) -> None:
    """Move all bytes from ``source`` on to ``target``."""
    size = Path(path).stat().st_size
    with Path(path).open("r+b") as file:
        for at in _move_order(size - source, backwards=target > source):
            file.seek(source + at)
            data = file.read(CHUNK_BYTES)
            file.seek(target + at)
            file.write(data)
        file.truncate(size + target - source)


def _move_order(n_bytes: int, *, backwards: bool) -> Iterable[int]:
    order = range(0, n_bytes, CHUNK_BYTES)
    return reversed(order) if backwards else order
