"""What the names in a query mean, and the SQL that says it.

Every term becomes an expression that is true or false, never unknown: where a file has no such
value, the term does not hold, and its negation does. Values are parameters, never part of the
SQL. Expressions speak of ``f`` (the place of a file) and ``c`` (its content), see
:mod:`asmr_classify.catalogue.schema`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from asmr_classify.aggregate import Status
from asmr_classify.catalogue.query import BARE
from asmr_classify.catalogue.ranges import (
    Range,
    parse_date,
    parse_duration,
    parse_number,
    parse_share,
    read_range,
)
from asmr_classify.errors import QueryError, UsageError
from asmr_classify.labels import CONTEXTS, SILENCE, TRIGGERS, Kind, did_you_mean, kind_of
from asmr_classify.visual.seen import LightLevel, MotionLevel, Picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from enum import StrEnum

    from asmr_classify.catalogue.query import Query, Term

Value = str | int | float | bytes | None

SHARE = "share."
"""Before a label: the share of the file that it covers."""

NONE = "none"

LOGIC = {"AND", "OR", "NOT"}
"""Words by which other languages join terms."""

KIND, KIND_SCORE = "kind", "kind."
"""Before a colon and a kind: it was told. Before a kind alone: its score."""

NUMERIC = re.compile(r"[\d.]")
"""How a range begins, and no word."""

HEARD = "FROM heard WHERE content_id = c.id AND label_id = ?"
TOLD = "FROM told WHERE content_id = c.id"
MISSING = "is_missing"
"""SQL function that tells whether there is no file of a path."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that a catalogue has come across.

    Parameters
    ----------
    labels : mapping of str to int
        And what they are numbered there.
    kinds : mapping of str to int
        Likewise the kinds of sound that were told.
    """

    labels: Mapping[str, int] = field(default_factory=dict)
    kinds: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sql:
    """An expression and its parameters."""

    text: str
    parameters: tuple[Value, ...] = ()

    def holds(self, *, negated: bool) -> Sql:
        """Make it true or false where it may be unknown."""
        return Sql(f"{'NOT ' * negated}coalesce({self.text}, 0)", self.parameters)


@dataclass(frozen=True, slots=True)
class Field:
    """Something that files can be found and sorted by.

    Parameters
    ----------
    example : str
        How it is asked for; a name alone where it is simply true or false.
    sql : Sql
        Its value.
    parse : callable, optional
        Turns text into the range that it stands for; fields without are texts or flags.
    condition : callable, optional
        Turns the text after the colon into a condition, for texts, and for words that stand for
        a range.
    """

    example: str
    sql: Sql
    parse: Callable[[str], Range] | None = None
    condition: Callable[[str], Sql] | None = None


def searchable(text: str) -> str:
    r"""Fold a text, so that neither case nor the composition of accents matters to a search.

    Examples
    --------
    >>> searchable("cafe\u0301") == searchable("CAF\u00c9")
    True
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return folded.encode("utf-8", "replace").decode()


def _contains(column: str) -> Callable[[str], Sql]:
    return lambda value: Sql(f"instr({column}, ?) > 0", (searchable(value),))


def _is_one_of(words: type[StrEnum], name: str, column: str) -> Callable[[str], Sql]:
    def condition(value: str) -> Sql:
        if value not in list(words):
            raise UsageError(f"no {name} {value!r}; there are {', '.join(words)}")
        return Sql(f"{column} = ?", (value,))

    return condition


KIND_BY_SCORE = f"SELECT kind_id {TOLD} ORDER BY score DESC, kind_id LIMIT 1"
SUREST_KIND = f"(SELECT kind FROM kinds WHERE id = ({KIND_BY_SCORE}))"  # noqa: S608 (constants)
LABEL_OF_TRIGGER = "(SELECT label FROM vocabulary WHERE id = c.trigger_id)"

MOTION = Field(
    "visual:slow",
    Sql("c.motion_median"),
    parse_number,
    _is_one_of(MotionLevel, "level of motion", "c.motion"),
)
"""Asked for by its level, as viewers speak, or by its number; the same goes for light."""

FIELDS: Mapping[str, Field] = {
    "path": Field("path:sleep", Sql("f.path"), condition=_contains("f.folded")),
    "length": Field("length:20m..1h", Sql("c.length"), parse_duration),
    "longest_talk": Field("longest_talk:..10s", Sql("c.longest_talk"), parse_duration),
    "added": Field("added:2026-01..", Sql("c.added"), parse_date),
    "status": Field(
        "status:failed", Sql("c.status"), condition=_is_one_of(Status, "status", "c.status")
    ),
    "model": Field("model:asmr-4", Sql("c.model"), condition=_contains("c.model_folded")),
    "trigger": Field("trigger:whisper", Sql(LABEL_OF_TRIGGER)),
    KIND: Field("kind:typing", Sql(SUREST_KIND)),
    "no_talking": Field("no_talking", Sql("c.no_talking")),
    "no_sound": Field("no_sound", Sql("c.status IN ('no_audio', 'silent')")),
    "picture": Field(
        "picture:still", Sql("c.picture"), condition=_is_one_of(Picture, "picture", "c.picture")
    ),
    "visual": MOTION,
    "motion": replace(MOTION, example="motion:..0.05"),
    "light": Field(
        "light:dark",
        Sql("c.light_median"),
        parse_number,
        _is_one_of(LightLevel, "level of light", "c.light"),
    ),
    "cuts": Field("cuts:..2", Sql("c.cuts_per_minute"), parse_number),
    "flashes": Field("flashes:1..", Sql("c.flashes"), parse_number),
    "corrected": Field("corrected", Sql("c.correction IS NOT NULL")),
    "missing": Field("missing", Sql(f"{MISSING}(f.path)")),
}
"""All but those of labels and kinds."""


def compile_query(query: Query, vocabulary: Vocabulary) -> Sql:
    """Turn a query into one condition.

    Parameters
    ----------
    query : Query
    vocabulary : Vocabulary
        Of the catalogue.

    Returns
    -------
    Sql

    Raises
    ------
    QueryError
        If a name is neither a field nor a label nor a kind, or a value does not suit it.
    """
    alternatives: list[str] = []
    parameters: list[Value] = []
    for terms in query.alternatives:
        conditions = [_compile_term(term, query, vocabulary) for term in terms]
        alternatives.append(" AND ".join(condition.text for condition in conditions))
        for condition in conditions:
            parameters += condition.parameters
    return Sql(" OR ".join(f"({text})" for text in alternatives) or "1", tuple(parameters))


def compile_order(name: str, vocabulary: Vocabulary) -> Sql:
    """Turn ``FIELD`` or ``FIELD-`` into a term of an order; what has no value comes last.

    Raises
    ------
    UsageError
        If there is no such field.
    """
    field = find_field(name.removesuffix("-"), vocabulary)
    if field is None:
        names = ", ".join((*FIELDS, *_all_labels(vocabulary), f"{SHARE}LABEL", f"{KIND_SCORE}KIND"))
        raise UsageError(f"--sort {name}: no such field; there are {names}")
    direction = "DESC" if name.endswith("-") else "ASC"
    return Sql(f"{field.sql.text} {direction} NULLS LAST", field.sql.parameters)


def kinds_asked(query: Query) -> tuple[str, ...]:
    """List the kinds that a query asks for, by name or by score; not those that it leaves out.

    Examples
    --------
    >>> from asmr_classify.catalogue import parse_query
    >>> kinds_asked(parse_query("tap kind:typing -kind:rain, kind.soap>0.8"))
    ('typing', 'soap')
    """
    asked = [term for terms in query.alternatives for term in terms if not term.negated]
    names = [x.value if x.name == KIND else x.name for x in asked if x.name.startswith(KIND)]
    return tuple(dict.fromkeys(name.removeprefix(KIND_SCORE) for name in names))


def known_names(vocabulary: Vocabulary) -> str:
    """List what can be asked for."""
    examples = ", ".join(field.example for field in FIELDS.values())
    return (
        f"fields: {examples}, share.LABEL:0.5.., kind.KIND:0.8..\n"
        f"labels: {', '.join(_all_labels(vocabulary))}\n"
        f"kinds: {', '.join(all_kinds(vocabulary.kinds))}"
    )


def find_field(name: str, vocabulary: Vocabulary) -> Field | None:
    """Find a field by name; that of a label is its score, also that of a kind."""
    if name in FIELDS:
        return FIELDS[name]
    if name.startswith(KIND_SCORE):
        kind = name.removeprefix(KIND_SCORE)
        if not _is_kind(kind, vocabulary):
            return None
        sql = Sql(f"(SELECT score {TOLD} AND kind_id = ?)", (vocabulary.kinds.get(kind),))
        return Field(f"{name}:0.8..", sql, parse_share)
    label = name.removeprefix(SHARE)
    if label not in _all_labels(vocabulary):
        return None
    column = "share" if name.startswith(SHARE) else "score"
    sql = Sql(f"(SELECT {column} {HEARD})", (vocabulary.labels.get(label),))
    return Field(f"{name}:0.5..", sql, parse_share)


def is_query(word: str, vocabulary: Vocabulary) -> bool:
    """Tell whether a word alone makes a query, as labels do, and fields that are true or false."""
    if word in FIELDS:
        return FIELDS[word].example == word
    return word in _all_labels(vocabulary)


def _all_labels(vocabulary: Vocabulary) -> list[str]:
    """Those of the catalogue, and the shipped model's, which may not be in it yet."""
    return list(dict.fromkeys([*TRIGGERS, *CONTEXTS, SILENCE, *vocabulary.labels]))


def all_kinds(of_catalogue: Iterable[str]) -> list[str]:
    """List the kinds of a catalogue, and likewise the shipped model's."""
    return list(dict.fromkeys([*of_catalogue, *_shipped_kinds()]))


def _is_kind(name: str, vocabulary: Vocabulary) -> bool:
    """Tell whether a name is that of a kind; the model is loaded for those that are new only."""
    return name in vocabulary.kinds or name in _shipped_kinds()


@cache
def _shipped_kinds() -> tuple[str, ...]:
    from asmr_classify.model import load_model

    return tuple(load_model().kinds)


def _compile_term(term: Term, query: Query, vocabulary: Vocabulary) -> Sql:
    field = find_field(term.name, vocabulary)
    if field is None:
        raise _unknown(term, query, vocabulary)
    try:
        condition = _condition(term, field, vocabulary)
    except UsageError as exc:
        raise QueryError(query.text, term.span, str(exc)) from exc
    return condition.holds(negated=term.negated)


def _condition(term: Term, field: Field, vocabulary: Vocabulary) -> Sql:
    """Say what a term says, without its sign."""
    if term.operator == BARE:
        return _bare(term.name, field, vocabulary)
    if field.example == term.name:
        raise UsageError(f"{term.name} is true or false: write {term.name} or -{term.name} alone")
    if not term.value:
        raise UsageError(
            f"nothing stands right behind {term.name}{term.operator}; {term.name} is asked for as "
            f"in {field.example}"
        )
    if term.name == "trigger" and term.operator == ":":
        return _has_trigger(term.value, vocabulary)
    if term.name == KIND and term.operator == ":":
        return _is_told(term.value, vocabulary)
    is_word = term.operator == ":" and not (field.parse and NUMERIC.match(term.value))
    if field.condition is not None and is_word:
        return field.condition(term.value)
    if field.parse is not None:
        return _in_range(field.sql, read_range(term.operator, term.value, field.parse))
    raise UsageError(f"{term.name} is asked for as in {field.example}")


def _bare(name: str, field: Field, vocabulary: Vocabulary) -> Sql:
    if field.example == name:
        return field.sql
    if name in FIELDS or name.startswith((SHARE, KIND_SCORE)):
        raise UsageError(f"{name} is asked for as in {field.example}")
    column = "tagged" if kind_of(name) is Kind.TRIGGER else "share > 0"
    return Sql(f"(SELECT {column} {HEARD})", (vocabulary.labels.get(name),))


def _has_trigger(value: str, vocabulary: Vocabulary) -> Sql:
    if value == NONE:
        return Sql("c.trigger_id IS NULL")
    known = _all_labels(vocabulary)
    if value not in known:
        raise UsageError(f"no trigger {value!r}; there are {', '.join(known)}, {NONE}")
    return Sql("c.trigger_id = ?", (vocabulary.labels.get(value),))


def _is_told(value: str, vocabulary: Vocabulary) -> Sql:
    if value == NONE:
        return Sql(f"NOT EXISTS (SELECT 1 {TOLD})")
    if not _is_kind(value, vocabulary):
        raise UsageError(f"no kind {value!r}{_there_are(value, vocabulary)}")
    return Sql(f"EXISTS (SELECT 1 {TOLD} AND kind_id = ?)", (vocabulary.kinds.get(value),))


def _there_are(value: str, vocabulary: Vocabulary) -> str:
    """Say which kinds there are, or how a score is asked for."""
    kind = re.split(r"[<>=]", value, maxsplit=1)[0]
    if _is_kind(kind, vocabulary):
        return f"; a score is asked for as in {KIND_SCORE}{kind}{value.removeprefix(kind)}"
    return f"; there are {', '.join(all_kinds(vocabulary.kinds))}, {NONE}"


def _in_range(sql: Sql, asked: Range) -> Sql:
    bounds = [(">=", asked.low), (">", asked.above), ("<=", asked.high), ("<", asked.below)]
    given = [(sign, bound) for sign, bound in bounds if bound is not None]
    text = " AND ".join(f"{sql.text} {sign} ?" for sign, _ in given)
    return Sql(text, tuple(x for _, bound in given for x in (*sql.parameters, bound)))


def _unknown(term: Term, query: Query, vocabulary: Vocabulary) -> QueryError:
    return QueryError(
        query.text,
        term.span,
        f"no field or label is called {term.name!r}{_meant(term.name, vocabulary)}",
        known_names(vocabulary) + '\ntext with spaces is quoted, as in path:"my talks"',
    )


def _meant(name: str, vocabulary: Vocabulary) -> str:
    """Guess what an unknown name was meant to be; empty if it is like none."""
    if name.upper() in LOGIC:
        return "; terms side by side must all hold, a comma stands for or, a dash for not"
    if name.startswith("!"):
        return f"; a dash stands for not: -{name[1:]}"
    folded = name.casefold()
    names = [*FIELDS, *_all_labels(vocabulary)]
    if _is_kind(folded, vocabulary):
        return f"; it is a kind: did you mean {KIND}:{folded}?"
    if folded.startswith(SHARE.rstrip(".")):
        names = [f"{SHARE}{label}" for label in _all_labels(vocabulary)]
    elif folded.startswith(KIND_SCORE):
        names = [f"{KIND_SCORE}{kind}" for kind in all_kinds(vocabulary.kinds)]
    return did_you_mean(name, names)
