"""What stands in an ``.nfo`` file of Kodi and Jellyfin, and what of it is ours; text in, text out.

Ours are the tags that begin with ``ASMR: ``, whoever wrote them, and a genre ``ASMR`` that the
comment :data:`MARK` follows. Media servers keep both as they are, but for comments when they write
the file anew: then the genre is the user's. Nothing else is ever taken for ours, or changed. The
file is not written from a tree but by its text: ours is cut out and put in, and every other byte
stays, be it comments, order, indentation, line ends, a byte order mark, elements that nobody knows
or the address that may follow the XML [1]_.

The XML is read by expat, which is asked for places only. A document type is refused: no media
server writes one, and it is the way to entities that unfold to gigabytes or name other files.

References
----------
.. [1] Kodi, NFO files; Movies. https://kodi.wiki/view/NFO_files/Movies
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.parsers.expat import XMLParserType

PREFIX = "ASMR: "
"""Before each of our tags, so that they are told from others and stand together in a list."""

GENRE = "ASMR"

MARK = "<!-- asmr-classify -->"
"""Behind a genre of ours, and in a file that was not there before."""

ROOTS = frozenset("episodedetails movie musicvideo tvshow video".split())
"""Elements that hold what media servers know of a video."""

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

WITHOUT_BOM = ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
"""How XML begins in encodings of two bytes a character [2]_, appendix F."""

DECLARED = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z][\w.-]*)["']""")

COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML cannot hold [2]_.

References
----------
.. [2] W3C, Extensible Markup Language 1.0, 2.2 Characters. https://www.w3.org/TR/xml/#charsets
"""


class NotMergeableError(ValueError):
    """The file is no XML of a media server, or none that is safe to change; says why."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be said of a video.

    Parameters
    ----------
    tags : tuple of str
        Without the prefix.
    genre : bool
        Whether it has our genre.
    """

    tags: tuple[str, ...] = ()
    genre: bool = False


@dataclass(slots=True)
class _Element:
    name: str
    start: int
    text: str = ""
    end: int = 0


class _Places:
    """Where things stand in XML: the end of the root, and the tags and genres in it."""

    def __init__(self, content: bytes) -> None:
        from xml.parsers import expat

        self._content = content
        self._depth = 0
        self._open: _Element | None = None
        self.root = ""
        self.root_end = self.after_root = 0
        self.elements: list[_Element] = []
        self._parser: XMLParserType = expat.ParserCreate("utf-8")
        self._parser.StartDoctypeDeclHandler = _refuse_doctype
        self._parser.StartElementHandler = self._on_start
        self._parser.EndElementHandler = self._on_end
        self._parser.CharacterDataHandler = self._on_text
        try:
            self._parser.Parse(content, True)  # noqa: FBT003 (takes no keyword)
        except expat.ExpatError as exc:
            if not self.after_root:  # else an address follows, which Kodi allows
                raise NotMergeableError(
                    f"is no well-formed XML ({exc}); put it right, or move it away"
                ) from exc

    @property
    def is_empty(self) -> bool:
        """Whether the root is one tag, as in ``<movie/>``."""
        return self.after_root == self.root_end

    def _on_start(self, name: str, _attributes: object) -> None:
        self._depth += 1
        if self._depth == 1:
            self.root = name
        elif self._depth == 2 and name in {"tag", "genre"}:
            self._open = _Element(name, self._parser.CurrentByteIndex)

    def _on_text(self, text: str) -> None:
        if self._open is not None:
            self._open.text += text

    def _on_end(self, _name: str) -> None:
        here = self._parser.CurrentByteIndex
        if self._depth == 1:
            self.root_end, self.after_root = here, self._end_of_tag(here)
        elif self._depth == 2 and self._open is not None:
            self._open.end = self._end_of_tag(here)
            self.elements.append(self._open)
            self._open = None
        self._depth -= 1

    def _end_of_tag(self, here: int) -> int:
        """Where an end tag ends; an empty element has none, and has ended then."""
        is_tag = self._content.startswith(b"</", here)
        return self._content.index(b">", here) + 1 if is_tag else here


def _refuse_doctype(*_: object) -> None:
    raise NotMergeableError("has a document type, which is not safe to read: take that out of it")


@dataclass(frozen=True, slots=True)
class Nfo:
    """A file that can be changed.

    Parameters
    ----------
    text : str
        Without a byte order mark.
    encoding : str
    bom : bytes
    """

    text: str
    encoding: str
    bom: bytes = b""

    @classmethod
    def read(cls, content: bytes) -> Nfo:
        """Read a file.

        Raises
        ------
        NotMergeableError
            If it is not one that can be changed.
        """
        bom, encoding = next((x for x in BOMS if content.startswith(x[0])), (b"", ""))
        encoding = encoding or next((x[1] for x in WITHOUT_BOM if content.startswith(x[0])), "")
        if not encoding:
            declared = DECLARED.search(content[:200])
            encoding = declared[1].decode() if declared else "utf-8"
        try:
            text = content[len(bom) :].decode(encoding)
            is_whole = bom + text.encode(encoding) == content
        except (UnicodeError, LookupError) as exc:
            raise NotMergeableError(
                f"is not written in {encoding}, as it claims; put it right, or move it away"
            ) from exc
        if not is_whole:
            raise NotMergeableError(f"would change in {encoding}; save it as UTF-8")
        nfo = cls(text, encoding, bom)
        nfo.check()
        return nfo

    def check(self) -> None:
        """Refuse what cannot be changed."""
        if "<" not in self.text:
            raise NotMergeableError(
                "holds no XML; put '<movie></movie>' at its beginning, or move it away"
            )
        content = self.text.encode("utf-8", "surrogatepass")
        places = _Places(content)
        if places.root not in ROOTS:
            raise NotMergeableError(
                f"is about <{places.root}>, and not one of {', '.join(sorted(ROOTS))}"
            )
        if "<" in COMMENT.sub("", content[places.after_root :].decode()):
            raise NotMergeableError("is about several videos; write a file for each")

    @property
    def has_our_genre(self) -> bool:
        """Whether a genre in it is ours."""
        content = self.text.encode()
        found = _Places(content).elements
        return any(x.name == "genre" and _is_ours(x, content) for x in found)

    def to_bytes(self) -> bytes:
        """Write the file."""
        return self.bom + self.text.encode(self.encoding, "xmlcharrefreplace")

    def merged(self, wanted: Wanted) -> Nfo:
        """Say what is wanted: what is ours and not wanted goes, what is missing comes."""
        content = self.text.encode()
        places = _Places(content)
        if wanted.tags and places.is_empty:
            content = _opened(content, places)
            places = _Places(content)
        tags = [PREFIX + _clean(tag) for tag in wanted.tags]
        have: set[tuple[str, str]] = set()
        cuts: list[tuple[int, int]] = []
        for element in places.elements:
            kept = (element.name, element.text.strip())
            is_wanted = kept[1] in tags if element.name == "tag" else wanted.genre
            if _is_ours(element, content) and (not is_wanted or kept in have):
                cuts.append(_line_or_element(content, element))
            else:
                have.add(kept)
        missing = [f"<tag>{escape(tag)}</tag>" for tag in tags if ("tag", tag) not in have]
        genres = {text.casefold() for name, text in have if name == "genre"}
        if wanted.genre and GENRE.casefold() not in genres:
            missing.append(f"<genre>{GENRE}</genre>{MARK}")
        place, addition = _at_the_end(content, places, missing)
        content = content[:place] + addition + content[place:]
        for start, end in reversed(cuts):
            content = content[:start] + content[end:]
        return Nfo(content.decode(), self.encoding, self.bom)


def new_nfo(title: str, wanted: Wanted) -> Nfo:
    """Begin a file for a video that has none; ``movie`` is what servers take any video for."""
    text = (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        f"<movie>{MARK}\n  <title>{escape(_clean(title))}</title>\n</movie>\n"
    )
    return Nfo(text, "utf-8").merged(wanted)


def is_bare(nfo: Nfo, title: str) -> bool:
    """Whether a file is what :func:`new_nfo` begins, to the letter: nobody wrote into it."""
    return nfo.text == new_nfo(title, Wanted()).text


def _opened(content: bytes, places: _Places) -> bytes:
    """Write an empty root as two tags, so that something can stand between."""
    tag = content[: places.after_root].removesuffix(b"/>").rstrip()
    return tag + f"></{places.root}>".encode() + content[places.after_root :]


def _clean(text: str) -> str:
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text).strip()


def _is_ours(element: _Element, content: bytes) -> bool:
    if element.name == "tag":
        return element.text.strip().startswith(PREFIX)
    is_marked = content.startswith(MARK.encode(), element.end)
    return is_marked and element.text.strip() == GENRE


def _line_or_element(content: bytes, element: _Element) -> tuple[int, int]:
    """Where an element stands, with its mark; with the whole line, if it has one for itself."""
    start, end = element.start, element.end
    if content.startswith(MARK.encode(), end) and element.name == "genre":
        end += len(MARK)
    line = max(content.rfind(b"\n", 0, start), content.rfind(b"\r", 0, start)) + 1
    eol = re.compile(rb"[ \t]*(\r\n|\n|\r)").match(content, end)
    if eol and line and not content[line:start].strip(b" \t"):
        return line, eol.end()
    return start, end


def _at_the_end(content: bytes, places: _Places, elements: Sequence[str]) -> tuple[int, bytes]:
    """Where elements go, and their text: lines before that of the root's end, if it has one."""
    end = places.root_end
    before = re.compile(rb"(\r\n|\n|\r)([ \t]*)\Z").search(content[:end])
    if before is None:
        return end, "".join(elements).encode()
    indent = _indent(content[:end].decode()) or before[2].decode() + "  "
    eol = before[1].decode()
    return before.start(2), "".join(f"{indent}{element}{eol}" for element in elements).encode()


def _indent(text: str) -> str | None:
    """How the last line before the end is indented that an element begins or ends."""
    found = re.findall(r"[\r\n]([ \t]*)</?[A-Za-z]", text)
    return found[-1] if found else None
