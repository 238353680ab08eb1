"""What the names in a query mean, and the SQL that says it.

Every term becomes an expression that is true or false, never unknown: where a file has no such
value, the term does not hold, and its negation does. Values are parameters, never part of the
SQL. Expressions speak of ``f`` (the place of a file) and ``c`` (its content), see
:mod:`asmr_classify.catalogue.schema`.
"""

from __future__ import annotations

import difflib
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asmr_classify.aggregate import Status
from asmr_classify.catalogue.query import BARE
from asmr_classify.catalogue.ranges import (
    Range,
    parse_date,
    parse_duration,
    parse_share,
    read_range,
)
from asmr_classify.errors import QueryError, UsageError
from asmr_classify.labels import CONTEXTS, SILENCE, TRIGGERS, Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asmr_classify.catalogue.query import Query, Term

Value = str | int | float | bytes | None

SHARE = "share."
"""Before a label: the share of the file that it covers."""

NONE = "none"

LOGIC = {"AND", "OR", "NOT"}
"""Words by which other languages join terms."""

HEARD = "FROM heard WHERE content_id = c.id AND label_id = ?"
MISSING = "is_missing"
"""SQL function that tells whether there is no file of a path."""


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
        Turns the text after the colon into a condition, for texts.
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


def _has_status(value: str) -> Sql:
    if value not in list(Status):
        raise UsageError(f"no status {value!r}; there are {', '.join(Status)}")
    return Sql("c.status = ?", (value,))


LABEL_OF_TRIGGER = "(SELECT label FROM vocabulary WHERE id = c.trigger_id)"

FIELDS: Mapping[str, Field] = {
    "path": Field("path:sleep", Sql("f.path"), condition=_contains("f.folded")),
    "length": Field("length:20m..1h", Sql("c.length"), parse_duration),
    "longest_talk": Field("longest_talk:..10s", Sql("c.longest_talk"), parse_duration),
    "added": Field("added:2026-01..", Sql("c.added"), parse_date),
    "status": Field("status:failed", Sql("c.status"), condition=_has_status),
    "model": Field("model:asmr-4", Sql("c.model"), condition=_contains("c.model_folded")),
    "trigger": Field("trigger:whisper", Sql(LABEL_OF_TRIGGER)),
    "no_talking": Field("no_talking", Sql("c.no_talking")),
    "corrected": Field("corrected", Sql("c.correction IS NOT NULL")),
    "missing": Field("missing", Sql(f"{MISSING}(f.path)")),
}
"""All but those of labels."""


def compile_query(query: Query, labels: Mapping[str, int]) -> Sql:
    """Turn a query into one condition.

    Parameters
    ----------
    query : Query
    labels : mapping of str to int
        The labels in the catalogue and what they are numbered there.

    Returns
    -------
    Sql

    Raises
    ------
    QueryError
        If a name is neither a field nor a label, or a value does not suit it.
    """
    alternatives: list[str] = []
    parameters: list[Value] = []
    for terms in query.alternatives:
        conditions = [_compile_term(term, query, labels) for term in terms]
        alternatives.append(" AND ".join(condition.text for condition in conditions))
        for condition in conditions:
            parameters += condition.parameters
    return Sql(" OR ".join(f"({text})" for text in alternatives) or "1", tuple(parameters))


def compile_order(name: str, labels: Mapping[str, int]) -> Sql:
    """Turn ``FIELD`` or ``FIELD-`` into a term of an order; what has no value comes last.

    Raises
    ------
    UsageError
        If there is no such field.
    """
    field = find_field(name.removesuffix("-"), labels)
    if field is None:
        names = ", ".join((*FIELDS, *_all_labels(labels), f"{SHARE}LABEL"))
        raise UsageError(f"--sort {name}: no such field; there are {names}")
    direction = "DESC" if name.endswith("-") else "ASC"
    return Sql(f"{field.sql.text} {direction} NULLS LAST", field.sql.parameters)


def known_names(labels: Mapping[str, int]) -> str:
    """List what can be asked for."""
    examples = ", ".join(field.example for field in FIELDS.values())
    return f"fields: {examples}, share.LABEL:0.5..\nlabels: {', '.join(_all_labels(labels))}"


def find_field(name: str, labels: Mapping[str, int]) -> Field | None:
    """Find a field by name; that of a label is its score."""
    if name in FIELDS:
        return FIELDS[name]
    label = name.removeprefix(SHARE)
    if label not in _all_labels(labels):
        return None
    column = "share" if name.startswith(SHARE) else "score"
    sql = Sql(f"(SELECT {column} {HEARD})", (labels.get(label),))
    return Field(f"{name}:0.5..", sql, parse_share)


def is_query(word: str, labels: Mapping[str, int]) -> bool:
    """Tell whether a word alone makes a query, as labels do, and fields that are true or false."""
    if word in FIELDS:
        return FIELDS[word].example == word
    return word in _all_labels(labels)


def _all_labels(labels: Mapping[str, int]) -> list[str]:
    """Those of the catalogue, and the shipped model's, which may not be in it yet."""
    return list(dict.fromkeys([*TRIGGERS, *CONTEXTS, SILENCE, *labels]))


def _compile_term(term: Term, query: Query, labels: Mapping[str, int]) -> Sql:
    field = find_field(term.name, labels)
    if field is None:
        raise _unknown(term, query, labels)
    try:
        condition = _condition(term, field, labels)
    except UsageError as exc:
        raise QueryError(query.text, term.span, str(exc)) from exc
    return condition.holds(negated=term.negated)


def _condition(term: Term, field: Field, labels: Mapping[str, int]) -> Sql:
    """Say what a term says, without its sign."""
    if term.operator == BARE:
        return _bare(term.name, field, labels)
    if field.example == term.name:
        raise UsageError(f"{term.name} is true or false: write {term.name} or -{term.name} alone")
    if not term.value:
        raise UsageError(
            f"nothing stands right behind {term.name}{term.operator}; {term.name} is asked for as "
            f"in {field.example}"
        )
    if term.name == "trigger" and term.operator == ":":
        return _has_trigger(term.value, labels)
    if field.parse is not None:
        return _in_range(field.sql, read_range(term.operator, term.value, field.parse))
    if field.condition is not None and term.operator == ":":
        return field.condition(term.value)
    raise UsageError(f"{term.name} is asked for as in {field.example}")


def _bare(name: str, field: Field, labels: Mapping[str, int]) -> Sql:
    if field.example == name:
        return field.sql
    if name in FIELDS or name.startswith(SHARE):
        raise UsageError(f"{name} is asked for as in {field.example}")
    column = "tagged" if kind_of(name) is Kind.TRIGGER else "share > 0"
    return Sql(f"(SELECT {column} {HEARD})", (labels.get(name),))


def _has_trigger(value: str, labels: Mapping[str, int]) -> Sql:
    if value == NONE:
        return Sql("c.trigger_id IS NULL")
    if value not in _all_labels(labels):
        raise UsageError(f"no trigger {value!r}; there are {', '.join(_all_labels(labels))}, none")
    return Sql("c.trigger_id = ?", (labels.get(value),))


def _in_range(sql: Sql, asked: Range) -> Sql:
    bounds = [(">=", asked.low), (">", asked.above), ("<=", asked.high), ("<", asked.below)]
    given = [(sign, bound) for sign, bound in bounds if bound is not None]
    text = " AND ".join(f"{sql.text} {sign} ?" for sign, _ in given)
    return Sql(text, tuple(x for _, bound in given for x in (*sql.parameters, bound)))


def _unknown(term: Term, query: Query, labels: Mapping[str, int]) -> QueryError:
    return QueryError(
        query.text,
        term.span,
        f"no field or label is called {term.name!r}{_meant(term.name, labels)}",
        known_names(labels) + '\ntext with spaces is quoted, as in path:"my talks"',
    )


def _meant(name: str, labels: Mapping[str, int]) -> str:
    """Guess what an unknown name was meant to be; empty if it is like none."""
    if name.upper() in LOGIC:
        return "; terms side by side must all hold, a comma stands for or, a dash for not"
    folded = name.casefold()
    names = [*FIELDS, *_all_labels(labels)]
    if folded.startswith(SHARE.rstrip(".")):
        names = [f"{SHARE}{label}" for label in _all_labels(labels)]
    begun = [known for known in names if known.startswith((f"{folded}_", f"{folded}."))]
    close = begun or difflib.get_close_matches(folded, names, n=1)
    return f"; did you mean {close[0]}?" if close else ""
