r"""Queries: their words, and where in the text each stands.

::

    query       = terms, {",", terms}          any of these
    terms       = {term}                       all of these
    term        = ["-" | "^"], name, [operator, value]
    operator    = ":" | "=" | ">" | ">=" | "<" | "<="
    name, value = characters without spaces and commas (a name: without operators), or quoted

As in beets [1]_, the comma binds weaker than what stands side by side. ``^`` negates as ``-``
does, for places where a dash begins an option; ``=`` is another way to write ``:``. In quotes, a
backslash goes before a quote or a backslash. What a name means is the matter of
:mod:`asmr_classify.catalogue.fields`.

References
----------
.. [1] https://beets.readthedocs.io/en/stable/reference/query.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asmr_classify.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_TERMS = 500
"""SQLite takes expressions that are 1000 deep."""

BARE = ""
"""Operator of a name that stands alone."""

QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
TERM = re.compile(
    rf"(?P<sign>[-^]?)(?P<name>{QUOTED}|[^\s,:=<>\"'^-][^\s,:=<>]*)"
    rf"(?:(?P<operator>:|=|>=|<=|>|<)(?P<value>{QUOTED}|(?![\"'])[^\s,]*))?(?=[\s,]|$)",
    re.DOTALL,
)
PLAIN_NAME = re.compile(r"[^\s,:=<>\"'^-][^\s,:=<>]*")
PLAIN_VALUE = re.compile(r"(?![\"'=])[^\s,]*")
ESCAPED = re.compile(r"\\([\"'\\])")


@dataclass(frozen=True, slots=True)
class Term:
    """One condition.

    Parameters
    ----------
    name : str
        Of a field or label.
    operator : str
        ``:``, ``>``, ``>=``, ``<``, ``<=``, or :data:`BARE`.
    value : str
        What the name is compared with; empty where the operator is bare.
    negated : bool
    span : tuple of int
        Where it stands in the text.
    """

    name: str
    operator: str = BARE
    value: str = ""
    negated: bool = False
    span: tuple[int, int] = field(default=(0, 0), compare=False)

    def __str__(self) -> str:
        name = self.name if PLAIN_NAME.fullmatch(self.name) else _quote(self.name)
        value = self.value if PLAIN_VALUE.fullmatch(self.value) else _quote(self.value)
        return f"{'-' * self.negated}{name}{self.operator}{value}"


@dataclass(frozen=True, slots=True)
class Query:
    """Which files are meant.

    Parameters
    ----------
    alternatives : tuple of tuple of Term
        A file is meant if all terms of one of these hold for it; with none, every file is.
    text : str
        As it was written.
    """

    alternatives: tuple[tuple[Term, ...], ...] = ()
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        return ", ".join(" ".join(map(str, terms)) for terms in self.alternatives)


EVERYTHING = Query()


def parse_query(text: str) -> Query:
    """Read a query.

    Parameters
    ----------
    text : str

    Returns
    -------
    Query
        That of an empty text means every file.

    Raises
    ------
    QueryError
        If the text is no query.

    Examples
    --------
    >>> query = parse_query("whisper>0.8 -crinkle, path:'my talks'")
    >>> [[term.name for term in terms] for terms in query.alternatives]
    [['whisper', 'crinkle'], ['path']]
    >>> str(query)
    'whisper>0.8 -crinkle, path:"my talks"'
    """
    alternatives: list[list[Term]] = [[]]
    place = len(text)
    for token in _iter_tokens(text):
        if isinstance(token, Term):
            alternatives[-1].append(token)
            continue
        place = token
        if not alternatives[-1]:
            break
        alternatives.append([])
    if alternatives == [[]] and place == len(text):
        return Query(text=text)
    if not alternatives[-1]:
        raise QueryError(text, (place, place + 1), "a comma stands between two queries")
    if sum(map(len, alternatives)) > MOST_TERMS:
        raise QueryError(text[:60], (0, 1), f"more than {MOST_TERMS} terms; ask for less at a time")
    return Query(tuple(map(tuple, alternatives)), text)


def _iter_tokens(text: str) -> Iterator[Term | int]:
    """Yield the terms, and the places of commas."""
    place = 0
    while place < len(text):
        match = TERM.match(text, place)
        if match:
            yield _term_of(match)
            place = match.end()
        elif text[place] == "," or text[place].isspace():
            if text[place] == ",":
                yield place
            place += 1
        else:
            raise _explain(text, place)


def _term_of(match: re.Match[str]) -> Term:
    operator = match["operator"] or BARE
    return Term(
        _unquote(match["name"]),
        ":" if operator == "=" else operator,
        _unquote(match["value"] or ""),
        negated=bool(match["sign"]),
        span=match.span(),
    )


def _explain(text: str, place: int) -> QueryError:
    """Say what keeps a place from being a term."""
    rest = re.compile(r"[^\s,]*").match(text, place)
    end = rest.end() if rest else place + 1
    quote = re.compile(r"[\"']").search(text, place, end)
    if quote:
        return QueryError(
            text,
            (quote.start(), len(text)),
            "a quoted text must end in the same quote, followed by a space or a comma",
        )
    if text[place] in ":=<>":
        return QueryError(
            text,
            (place, end),
            "an operator stands between a name and a value, without spaces, as in whisper>0.8",
        )
    if text[place:end].strip("-^") == "":
        return QueryError(
            text, (place, end), "a dash stands right before what is not to hold, as in -whisper"
        )
    return QueryError(
        text,
        (place, end),
        "no name of a field or label stands here; write whisper, -whisper, whisper>0.8 or "
        "path:text",
    )


def _quote(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _unquote(text: str) -> str:
    if len(text) < 2 or text[0] not in "\"'":
        return text
    return ESCAPED.sub(r"\1", text[1:-1])
