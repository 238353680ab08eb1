"""Tags of MP4, M4A and MOV files, as iTunes writes them: atoms in ``moov.udta.meta.ilst``.

mutagen, as it is commonly used, writes all of these atoms anew. Here each is kept as the bytes it
is, and mutagen only puts the list back in its place and corrects the tables that tell where the
sound lies. Our fields are freeform atoms of :data:`MEAN`.

Chapters are a ``chpl`` atom (Nero), which FFmpeg, mpv and VLC read; the players of Apple read
only those of a text track, which would mean to write the file anew.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mutagen.mp4 import Atom, Atoms, MP4FreeForm, MP4Tags

from asmr_classify.errors import NotCarriedError
from asmr_classify.library.tags.chapters import read_chapters
from asmr_classify.library.tags.fields import FIELD_NAMES
from asmr_classify.library.tags.foreign import translating
from asmr_classify.library.tags.state import TagState, replace_range

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from asmr_classify.library.tags.state import Chapter

MEAN = "io.github.asmr-classify"
"""Namespace of our freeform atoms: a reversed name, as Apple asks for."""

FREEFORM, GENRE, COMMENT = "----", "\xa9gen", "\xa9cmt"

ILST = (b"moov", b"udta", b"meta", b"ilst")

NULL_WORD = bytes(4)
"""May end a list of user data (``udta``): "for historical reasons", says Apple's specification of
QuickTime files. It is no atom."""

UTF_8 = struct.pack(">II", 1, 0)
"""Before a value that is text: its type and its country."""

TICKS_PER_MS = 10_000
"""A chapter list counts in 100 ns."""


class _RawTags(MP4Tags):  # type: ignore[misc]  # mutagen has no types
    """Tags of which nothing is understood, so that all is written back as it was."""

    def load(self, atoms: Any, fileobj: Any) -> None:
        """Keep each atom as mutagen keeps those that it cannot read."""
        for atom in atoms.path(*ILST)[-1].children:
            whole, data = atom.read(fileobj)
            if not whole:
                raise ValueError("an atom is cut short")
            self._failed_atoms.setdefault(atom.name.decode("latin-1"), []).append(data)

    def raw(self, name: str) -> list[bytes]:
        """Give the contents of the atoms of a name."""
        return list(self._failed_atoms.get(name, ()))

    def keep(self, name: str, contents: Sequence[bytes]) -> None:
        """Replace the contents of the atoms of a name."""
        self._failed_atoms[name] = list(contents)


class _PastNullWords:
    """A file to mutagen, which takes a null word for a damaged atom, so is never told of one.

    Parameters
    ----------
    file : binary file
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._ends: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        """Read, and remember where user data ends if they begin here."""
        at = self._file.tell()
        data = self._file.read(size)
        if data[4:] == ILST[1]:
            self._ends.add(at + int.from_bytes(data[:4], "big"))
        return data

    def tell(self) -> int:
        """Tell where the next atom may begin."""
        at = self._file.tell()
        if at + len(NULL_WORD) in self._ends and self._file.read(len(NULL_WORD)) != NULL_WORD:
            self._file.seek(at)
        return self._file.tell()


class Mp4:
    """Tags of MP4, M4A and MOV files."""

    name = "MP4"
    max_chapters = 255

    def read(self, path: str) -> TagState:
        """Read the tags of a file; see :class:`~asmr_classify.library.tags.state.Carrier`."""
        with translating(path):
            atoms, tags = _open(path)
            _check_layout(path, atoms)
            fields = dict(filter(None, map(_our_field, tags.raw(FREEFORM))))
            return TagState(
                fields,
                genre=_texts(tags, GENRE),
                comment=_texts(tags, COMMENT),
                chapters=read_chapters(path),
            )

    def check(self, path: str, before: TagState, after: TagState) -> None:
        """Do nothing: a file that could be read can be written."""

    def write(self, path: str, before: TagState, after: TagState) -> None:
        """Change the tags of a copy of a file."""
        with translating(path):
            _, tags = _open(path)
            tags.keep(FREEFORM, [raw for raw in tags.raw(FREEFORM) if _our_field(raw) is None])
            for name, value in after.fields.items():
                tags[f"{FREEFORM}:{MEAN}:{name}"] = [MP4FreeForm(value.encode())]
            for name, old, new in (
                (GENRE, before.genre, after.genre),
                (COMMENT, before.comment, after.comment),
            ):
                if old != new:
                    content = _with_changes(tags.raw(name), old, new)
                    tags.keep(name, [content] if content else [])
            with Path(path).open("r+b") as file:
                tags.save(_PastNullWords(file))
            if before.chapters != after.chapters:
                _replace_chapter_list(path, after.chapters)


def _open(path: str) -> tuple[Any, _RawTags]:
    with Path(path).open("rb") as file:
        atoms = Atoms(_PastNullWords(file))
        return atoms, _RawTags(atoms, file) if _has(atoms, *ILST) else _RawTags()


def _has(atoms: Any, *names: bytes) -> bool:
    return b".".join(names) in atoms


def _check_layout(path: str, atoms: Any) -> None:
    if not _has(atoms, b"moov"):
        raise ValueError("it has no moov atom")
    if _has(atoms, *ILST[:3]) and not _has(atoms, *ILST):
        raise NotCarriedError(path, "its tags are of a kind that we do not change")
    if _has(atoms, b"moof"):
        raise NotCarriedError(path, "it is in fragments, as streaming sites send them")


def _our_field(content: bytes) -> tuple[str, str] | None:
    """Read a freeform atom, if it is ours."""
    parts = dict(_iter_atoms(content))
    mean, name = parts.get(b"mean", b"")[4:], parts.get(b"name", b"")[4:].decode("latin-1")
    if mean != MEAN.encode() or name not in FIELD_NAMES:
        return None
    return name, parts.get(b"data", b"")[8:].decode("utf-8", "replace")


def _texts(tags: _RawTags, name: str) -> tuple[str, ...]:
    return tuple(
        _text(data)
        for content in tags.raw(name)
        for kind, data in _iter_atoms(content)
        if kind == b"data"
    )


def _text(data: bytes) -> str:
    return data[8:].decode("utf-8", "replace")


def _with_changes(contents: Sequence[bytes], old: Sequence[str], new: Sequence[str]) -> bytes:
    """Join the contents of the atoms of a name, without values that go and with those that come."""
    atoms = [atom for content in contents for atom in _iter_atoms(content)]
    kept = [data for kind, data in atoms if kind == b"data" and _text(data) in new]
    added = [UTF_8 + value.encode() for value in new if value not in old]
    return b"".join(Atom.render(b"data", data) for data in (*kept, *added))


def _iter_atoms(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(content):
        size, name = struct.unpack(">I4s", content[at : at + 8])
        if size < 8:
            raise ValueError("an atom has no size")
        yield name, content[at + 8 : at + size]
        at += size


def _replace_chapter_list(path: str, chapters: Sequence[Chapter]) -> None:
    """Put a chapter list at the beginning of ``udta``, or take it out."""
    with Path(path).open("rb") as file:
        atoms = Atoms(_PastNullWords(file))
    udta = atoms.path(*ILST[:2])[-1]
    old = [atom for atom in udta.children if atom.name == b"chpl"]
    start = old[0].offset if old else udta.offset + 8
    end = start + old[0].length if old else start
    new = _chapter_list(chapters)
    _shift_offsets(path, atoms, end, len(new) - (end - start))
    for parent in atoms.path(*ILST[:2]):
        _resize(path, parent, len(new) - (end - start))
    replace_range(path, start, end, new)


def _chapter_list(chapters: Sequence[Chapter]) -> bytes:
    if not chapters:
        return b""
    entries = []
    for chapter in chapters:
        title = chapter.title.encode()
        entries.append(struct.pack(">QB", chapter.start_ms * TICKS_PER_MS, len(title)) + title)
    content = struct.pack(">IIB", 1 << 24, 0, len(chapters)) + b"".join(entries)
    return struct.pack(">I4s", 8 + len(content), b"chpl") + content


def _resize(path: str, atom: Any, growth: int) -> None:
    with Path(path).open("r+b") as file:
        file.seek(atom.offset)
        if int.from_bytes(file.read(4), "big") == 1:
            raise NotCarriedError(path, "its moov atom is larger than 4 GB")
        file.seek(atom.offset)
        file.write(struct.pack(">I", atom.length + growth))


def _shift_offsets(path: str, atoms: Any, start: int, growth: int) -> None:
    """Correct the tables that tell where the chunks of each track lie."""
    moov = atoms[b"moov"]
    with Path(path).open("r+b") as file:
        for name, kind in ((b"stco", "I"), (b"co64", "Q")):
            for atom in moov.findall(name, recursive=True):
                file.seek(atom.offset + 12)
                count = int.from_bytes(file.read(4), "big")
                layout = f">{count}{kind}"
                places = struct.unpack(layout, file.read(struct.calcsize(layout)))
                moved = [place + growth if place >= start else place for place in places]
                file.seek(atom.offset + 16)
                file.write(struct.pack(layout, *moved))
