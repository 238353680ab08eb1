"""Templates of names: ``{trigger|none}/{stem} [{tags}].{ext}``.

A template is a path below a root, parts separated by ``/``. In braces stands a field, then perhaps
``:`` and a format (of numbers and dates), then perhaps ``|`` and what stands for a missing value;
``{{`` and ``}}`` are braces. It ends in ``.{ext}`` or ``{name}``, so that no file loses its ending.

Laws: a value is one piece of one name, so that no value adds a folder or climbs out of one; a
part that comes out empty, or as dots only, is refused.
"""

from __future__ import annotations

import difflib
import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asmr_classify.errors import TemplateError
from asmr_classify.library.names import (
    LIMIT_BYTES,
    UNSAFE,
    cut_to,
    safe_name,
    safe_text,
    split_name,
)
from asmr_classify.visual.seen import levels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from asmr_classify.aggregate import FileResult

Value = str | float | time.struct_time | None


@dataclass(frozen=True, slots=True)
class Subject:
    """What a template is filled from.

    Parameters
    ----------
    result : FileResult
    folder : str
        Name of the folder that the file is in.
    name : str
        Of the file.
    mtime : float
        When it was changed last, in seconds since 1970.
    """

    result: FileResult
    folder: str
    name: str
    mtime: float


def _score(subject: Subject) -> float | None:
    trigger = subject.result.trigger
    return None if trigger is None else subject.result.scores[trigger]


def _talk(subject: Subject) -> str | None:
    names = {True: "no talking", False: "talking", None: None}
    return names[subject.result.no_talking]


def _picture(subject: Subject) -> str | None:
    visual = subject.result.visual
    return None if visual is None else visual.picture.value


def _length(subject: Subject) -> str | None:
    duration = subject.result.duration
    return None if duration is None else length_text(duration)


FIELDS: Mapping[str, tuple[str, Callable[[Subject], Value]]] = {
    "trigger": ("the trigger of which most is heard", lambda s: s.result.trigger),
    "tags": ("all triggers, the most heard first", lambda s: ", ".join(s.result.tags) or None),
    "kind": ("the surest kind of sound", lambda s: next(iter(s.result.kinds), None)),
    "kinds": ("all kinds, the surest first", lambda s: ", ".join(s.result.kinds) or None),
    "score": ("of the trigger", _score),
    "talk": ("'talking' or 'no talking'", _talk),
    "visual": ("how much moves: 'still', 'slow' or 'lively'", lambda s: levels(s.result.visual)[0]),
    "light": ("of the picture: 'dark', 'dim' or 'bright'", lambda s: levels(s.result.visual)[1]),
    "picture": ("'video', 'still', 'cover' or 'none'", _picture),
    "length": ("as 1h02m, 12m05s or 42s", _length),
    "duration": ("in seconds", lambda s: s.result.duration),
    "status": ("of the labelling, as 'ok'", lambda s: s.result.status.value),
    "model": ("that labelled it", lambda s: s.result.model),
    "stem": ("name without its ending", lambda s: split_name(s.name)[0]),
    "ext": ("ending of the name", lambda s: split_name(s.name)[1][1:]),
    "name": ("of the file, with its ending", lambda s: s.name),
    "parent": ("name of its folder", lambda s: s.folder or None),
    "date": ("of the last change, as 2024-02-29", lambda s: time.localtime(s.mtime)),
    "year": ("of the last change", lambda s: time.strftime("%Y", time.localtime(s.mtime))),
}
"""Fields, what they hold, and how it is found. Besides these, ``scores.LABEL`` and
``shares.LABEL``."""

LOOKS = frozenset({"visual", "light", "picture"})
"""Fields of what is seen."""

MAPPINGS = ("scores", "shares")

DATE_FORMAT, NUMBER_FORMAT = "%Y-%m-%d", ".2f"
"""Where a template gives none."""

TOKENS = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]|/|[^{}/]+")

FIELD = re.compile(
    r"(?P<name>[^:|.]*)(?:\.(?P<label>[^:|]*))?(?::(?P<format>[^|]*))?(?:\|(?P<default>.*))?"
)

FORMAT = re.compile(r"0?\d{0,2}(\.\d{1,2})?[fdeg%]?")
"""Formats of numbers that give names of reasonable length."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field in a template."""

    name: str
    label: str | None = None
    format: str = ""
    default: str | None = None


Part = tuple[str | Field, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a template puts a file, below the root.

    Parameters
    ----------
    folders : tuple of str
        Safe names.
    stem : str
        Not yet safe: the ending is needed for that.
    """

    folders: tuple[str, ...]
    stem: str


@dataclass(frozen=True, slots=True)
class Template:
    """A template that was read.

    Parameters
    ----------
    folders : tuple of Part
    stem : Part
        Of the last name, without its ending.
    """

    folders: tuple[Part, ...]
    stem: Part

    @classmethod
    def parse(cls, text: str) -> Template:
        """Read a template.

        Raises
        ------
        TemplateError
            If it cannot be read, knows a field that there is not, or leads out of the root. The
            message shows the place.
        """
        try:
            if re.match(r"[/\\~]|[A-Za-z]:", text):
                raise _error(text, 0, 1, "names must lie below the root: give --root for the rest")
            *folders, last = _parse_parts(text)
            return cls(tuple(folders), _without_ending(text, last))
        except TemplateError as exc:
            raise TemplateError(f"--to: {exc}") from None

    @classmethod
    def parse_folders(cls, text: str, *, option: str) -> Template:
        """Read a template of folders, as ``{parent}/{year}``; files in them keep their names.

        Raises
        ------
        TemplateError
            As :meth:`parse`.
        """
        try:
            return cls(tuple(_parse_parts(text)), (Field("stem"),))
        except TemplateError as exc:
            raise TemplateError(f"{option}: {exc}") from None

    @property
    def names_looks(self) -> bool:
        """Whether it names what is seen."""
        return any(field.name in LOOKS for field in self._fields())

    def _fields(self) -> Iterator[Field]:
        for part in (*self.folders, self.stem):
            yield from (piece for piece in part if isinstance(piece, Field))

    def check_labels(self, known: Sequence[str], *, option: str) -> None:
        """Check that it names no label that nobody has told of: misspelt, it would be missing.

        Parameters
        ----------
        known : sequence of str
            Labels; where there are none, nothing is checked.
        option : str
            That gave the template.

        Raises
        ------
        TemplateError
            If it does.
        """
        for field in self._fields():
            if known and field.label is not None and field.label not in known:
                raise TemplateError(
                    f"{option}: {{{field.name}.{field.label}}}: no label {field.label!r}; "
                    f"{_guess(field.label, known)}Labels: {', '.join(known)}"
                )

    def fill(self, subject: Subject, tail: str = ".x") -> Place:
        """Fill a template.

        Parameters
        ----------
        subject : Subject
        tail : str
            What will follow the stem. Where there is no room for it, the name that the file has
            is cut, rather than what the template puts behind it.

        Raises
        ------
        ValueError
            If a value is missing and has no default, or a part comes out empty.
        """
        folders = tuple(safe_name(_fill(part, subject)) for part in self.folders)
        stem = _fill(self.stem, subject)
        over = len((safe_text(stem).lstrip() + tail).encode()) - LIMIT_BYTES
        if over > 0:
            stem = _fill(self.stem, _with_shorter_name(subject, over))
        safe_name(stem, ".x")
        return Place(folders, stem)


def _parse_parts(text: str) -> list[Part]:
    parts: list[list[str | Field]] = [[]]
    for match in TOKENS.finditer(text):
        token, start = match[0], match.start()
        if token == "/":  # noqa: S105 (no password)
            _check_part(text, parts[-1], start)
            parts.append([])
        elif token in {"{{", "}}"}:
            parts[-1].append(token[0])
        elif token in {"{", "}"}:
            raise _error(text, start, 1, f"a lone {token}; double it to mean the character")
        elif token.startswith("{"):
            parts[-1].append(_parse_field(text, token[1:-1], start + 1))
        else:
            _check_literal(text, token, start)
            parts[-1].append(token)
    _check_part(text, parts[-1], len(text))
    return [tuple(part) for part in parts]


def _check_part(text: str, part: list[str | Field], end: int) -> None:
    literal = all(isinstance(piece, str) for piece in part)
    if literal and not "".join(map(str, part)).strip(". "):
        raise _error(text, max(0, end - 1), 1, "a part of the path is empty, or only dots")


def _check_literal(text: str, literal: str, start: int) -> None:
    unsafe = UNSAFE.search(literal)
    if unsafe is not None:
        hint = "write / between folders" if unsafe[0] == "\\" else "not every system allows it"
        raise _error(text, start + unsafe.start(), 1, f"{unsafe[0]!r} cannot be in a name: {hint}")


def _parse_field(text: str, inner: str, start: int) -> Field:
    match = FIELD.fullmatch(inner)
    if match is None:
        raise _error(text, start, max(1, len(inner)), "not a field")
    field = Field(match["name"], match["label"], match["format"] or "", match["default"])
    known = bool(field.label) if field.name in MAPPINGS else field.name in FIELDS
    if not known or (field.label is not None and field.name not in MAPPINGS):
        raise _error(text, start, max(1, len(match["name"])), _unknown(field))
    if field.default is not None and UNSAFE.search(field.default):
        raise _error(text, match.start("default") + start, 1, "a default must be safe in a name")
    if field.format and not _takes_format(field):
        raise _error(
            text,
            match.start("format") + start,
            len(field.format),
            "not a format of this field: numbers take one as .2f or .0%, dates one as %Y-%m",
        )
    return field


def _unknown(field: Field) -> str:
    if field.name in MAPPINGS:
        return f"{field.name} wants a label, as in {{{field.name}.whisper}}"
    if field.name in FIELDS:
        return f"{field.name} takes no label: write {{{field.name}}}; labels have " + " and ".join(
            f"{{{name}.LABEL}}" for name in MAPPINGS
        )
    names = [*FIELDS, *(f"{name}.LABEL" for name in MAPPINGS)]
    return f"no field {field.name!r}; {_guess(field.name, FIELDS)}Fields: {', '.join(names)}"


def _guess(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}? " if close else ""


def _takes_format(field: Field) -> bool:
    if field.name == "date":
        return bool(re.fullmatch(r"(%[YmdHMSjyBbUV]|[-_. ])+", field.format))
    number = field.label is not None or field.name in {"score", "duration"}
    if not number or not FORMAT.fullmatch(field.format):
        return False
    try:
        format_number(0.5, field)
    except ValueError:
        return False
    return True


def _without_ending(text: str, last: Part) -> Part:
    """Take ``.{ext}`` from the end of the last part, or make ``{stem}`` of ``{name}``."""
    final = last[-1]
    before = last[-2] if len(last) > 1 else None
    if final == Field("name"):
        return (*last[:-1], Field("stem"))
    if final == Field("ext") and isinstance(before, str) and before.endswith("."):
        if len(last) == 2 and before == ".":
            raise _error(text, len(text) - 6, 1, "nothing stands before the ending")
        return (*last[:-2], before[:-1]) if before != "." else last[:-2]
    raise _error(
        text, max(0, len(text) - 1), 1, "end in .{ext} or {name}: a file would lose its ending"
    )


def _error(text: str, start: int, length: int, message: str) -> TemplateError:
    """Show the place: a text that is cut at neither end, and carets below it."""
    shown = "".join(char if char.isprintable() else "?" for char in text)
    return TemplateError(f"{message}\n  {shown}\n  {' ' * start}{'^' * length}")


def _with_shorter_name(subject: Subject, over: int) -> Subject:
    """Cut so many bytes off the name of a file, if something is left of it."""
    stem, extension = split_name(subject.name)
    stem = safe_text(stem)
    shorter = cut_to(stem, len(stem.encode()) - over).rstrip(". ")
    return replace(subject, name=shorter + extension) if shorter else subject


def _fill(part: Part, subject: Subject) -> str:
    return "".join(piece if isinstance(piece, str) else _value(piece, subject) for piece in part)


def _value(field: Field, subject: Subject) -> str:
    if field.label is not None:
        values: Mapping[str, float] = getattr(subject.result, field.name)
        value: Value = values.get(field.label)
    else:
        value = FIELDS[field.name][1](subject)
    if value is None:
        if field.default is None:
            name = field.name if field.label is None else f"{field.name}.{field.label}"
            raise ValueError(f"has no {name}: give a default in the template, as {{{name}|none}}")
        return field.default
    if isinstance(value, time.struct_time):
        return time.strftime(field.format or DATE_FORMAT, value)
    return value if isinstance(value, str) else format_number(value, field)


def format_number(value: float, field: Field) -> str:
    """Write a number as a template asks for it.

    Examples
    --------
    >>> format_number(0.876, Field("score")), format_number(3723.2, Field("duration", format="05d"))
    ('0.88', '03723')
    """
    if field.format.endswith("d"):
        return format(round(value), field.format)
    return format(float(value), field.format or NUMBER_FORMAT)


def length_text(seconds: float) -> str:
    """Write a duration as it may stand in a name.

    Examples
    --------
    >>> length_text(3723), length_text(725.4), length_text(42)
    ('1h02m', '12m05s', '42s')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
