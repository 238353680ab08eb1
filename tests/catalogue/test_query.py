from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmr_classify.catalogue.fields import Vocabulary, compile_query
from asmr_classify.catalogue.query import EVERYTHING, MOST_TERMS, Query, Term, parse_query
from asmr_classify.errors import QueryError, UsageError

KNOWN = Vocabulary({"tap": 1, "whisper": 2, "nail tapping": 3}, {"typing": 1, "rain": 2})

words = st.text(min_size=1, max_size=8) | st.sampled_from(
    [
        "whisper",
        "share.tap",
        "a b",
        'say "so"',
        "don't",
        "-x",
        "^",
        "C:\\My Music\\",
        ">=",
        ",",
        "猫",
    ]
)
bare = st.builds(Term, words, negated=st.booleans())
compared = st.builds(
    Term,
    words,
    st.sampled_from([":", ">", ">=", "<", "<="]),
    words | st.just(""),
    negated=st.booleans(),
)
queries = st.lists(st.lists(bare | compared, min_size=1, max_size=4).map(tuple), max_size=3).map(
    lambda alternatives: Query(tuple(alternatives))
)


@given(queries)
def test_a_query_that_is_written_reads_as_the_same(query):
    assert parse_query(str(query)) == query


@given(st.text())
def test_any_text_is_a_query_or_tells_where_it_is_wrong(text):
    try:
        query = parse_query(text)
    except QueryError as exc:
        wrong = exc
    else:
        assert parse_query(str(query)) == query
        return
    start, end = wrong.span
    assert 0 <= start < end <= len(text)
    assert "^" in str(wrong).split("\n")[2]


def test_terms_stand_in_alternatives():
    query = parse_query("whisper>0.8 -crinkle ,tap, path:\"my, talks\" ^'a b'")
    assert query.alternatives == (
        (Term("whisper", ">", "0.8"), Term("crinkle", negated=True)),
        (Term("tap"),),
        (Term("path", ":", "my, talks"), Term("a b", negated=True)),
    )


@pytest.mark.parametrize("text", ["", "  ", "\t\n"])
def test_nothing_means_everything(text):
    assert parse_query(text) == EVERYTHING
    assert compile_query(EVERYTHING, KNOWN).text == "1"


@pytest.mark.parametrize(
    ("text", "problem", "carets"),
    [
        pytest.param("tap >0.5", "without spaces, as in whisper>0.8", "    ^^^^", id="no name"),
        pytest.param('path:"a b', "must end in the same quote", "     ^^^^", id="open quote"),
        pytest.param("猫 'a'b", "followed by a space or a comma", "   ^^^^", id="after quote"),
        pytest.param("tap,, path:a", "a comma stands between", "    ^", id="two commas"),
        pytest.param(", tap", "a comma stands between", "^", id="comma first"),
        pytest.param("tap ,", "a comma stands between", "    ^", id="comma last"),
        pytest.param("tap whimper", "'whimper'; did you mean whisper?", "    ^^^^^^^", id="name"),
        pytest.param("!whisper", "a dash stands for not: -whisper", "^" * 8, id="exclaimed"),
        pytest.param("xyz:1", "no field or label is called 'xyz'", "^^^^^", id="no such"),
        pytest.param("share.tep>0", "or label is called 'share.tep'", "^" * 11, id="share"),
        pytest.param("a\nb tap", "no field or label is called 'a'", "^", id="control character"),
        pytest.param("tap>1.5", "'1.5' is no number between 0 and 1", "^^^^^^^", id="score"),
        pytest.param("tap:0.5", "is one value; write a range, 0.5..", "^^^^^^^", id="one"),
        pytest.param("tap:0.9..0.1", "its ends are the wrong way round", "^" * 12, id="turned"),
        pytest.param("tap:..", "'..' has no bound", "^" * 6, id="no bound"),
        pytest.param("tap:x..", "'x' is no number", "^" * 7, id="no number"),
        pytest.param("length>5x", "'5x' is no duration; write 90s, 20m", "^" * 9, id="length"),
        pytest.param("length:..", "'..' has no bound", "^" * 9, id="open range"),
        pytest.param("length", "is asked for as in length:20m..1h", "^" * 6, id="bare"),
        pytest.param("share.tap", "asked for as in share.tap:0.5..", "^" * 9, id="bare share"),
        pytest.param("no_talking:yes", "write no_talking or -no_talking", "^" * 14, id="flag"),
        pytest.param("path>a", "path is asked for as in path:sleep", "^" * 6, id="text"),
        pytest.param("path:", "path is asked for as in path:sleep", "^" * 5, id="no text"),
        pytest.param("length>", "nothing stands right behind length>; length", "^" * 7, id="none"),
        pytest.param("tap:", "asked for as in tap:0.5..", "^" * 4, id="no score"),
        pytest.param("tap -", "right before what is not to hold", "    ^", id="dash alone"),
        pytest.param("length:1m...2m", "'1m...2m' is no range; write A..,", "^" * 14, id="dots"),
        pytest.param("tap:0..1..2", "'0..1..2' is no range", "^" * 11, id="two ranges"),
        pytest.param("tap OR path:a", "a comma stands for or, a dash", "    ^^", id="or"),
        pytest.param("white noise", "did you mean white_noise?", "^" * 5, id="underscore"),
        pytest.param("TAP", "did you mean tap?", "^" * 3, id="case"),
        pytest.param("share.whimper>0", "did you mean share.whisper?", "^" * 15, id="like share"),
        pytest.param("added:2026-13..", "'2026-13' is no date; write 2026", "^" * 15, id="month"),
        pytest.param("added:soon..", "'soon' is no date", "^" * 12, id="date"),
        pytest.param("status:bad", "no status 'bad'; there are ok, silent", "^" * 10, id="status"),
        pytest.param(
            "light:drak", "no level of light 'drak'; there are dark, dim", "^" * 10, id="light"
        ),
        pytest.param(
            "visual:fast", "no level of motion 'fast'; there are still, slow", "^" * 11, id="motion"
        ),
        pytest.param(
            "picture:photo", "no picture 'photo'; there are video, still", "^" * 13, id="picture"
        ),
        pytest.param("light>dark", "'dark' is no number", "^" * 10, id="level as a number"),
        pytest.param("cuts:2", "'2' is one value; write a range", "^" * 6, id="one number"),
        pytest.param("no_sound:yes", "no_sound is true or false", "^" * 12, id="flag"),
        pytest.param("trigger:whimper", "no trigger 'whimper'; there are", "^" * 15, id="trigger"),
        pytest.param("kind:purr", "no kind 'purr'; there are typing, rain, ", "^" * 9, id="kind"),
        pytest.param("kind:rain>0.8", "a score is asked for as in kind.rain>0.8", "^" * 13,
                     id="kind with score"),
        pytest.param("kind", "kind is asked for as in kind:typing", "^" * 4, id="bare field kind"),
        pytest.param("kind.rain", "asked for as in kind.rain:0.8..", "^" * 9, id="bare kind"),
        pytest.param("kind.rain>2", "'2' is no number between 0 and 1", "^" * 11, id="its score"),
        pytest.param("kind.typo>0", "did you mean kind.typing?", "^" * 11, id="like a kind"),
        pytest.param("rain", "it is a kind: did you mean kind:rain?", "^" * 4, id="kind alone"),
    ],
)  # fmt: skip
def test_a_wrong_query_shows_where_it_is_wrong(text, problem, carets):
    with pytest.raises(QueryError) as caught:
        compile_query(parse_query(text), KNOWN)
    first, shown, below, *_ = str(caught.value).split("\n")
    assert problem in first
    assert shown == "  " + "".join(char if char.isprintable() else "?" for char in text)
    assert below == "  " + carets


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(
        QueryError, match=r"(?s)fields: path:sleep, length:20m\.\.1h.*labels: .*kinds: typing, rain"
    ):
        compile_query(parse_query("sleep"), KNOWN)
    with pytest.raises(UsageError, match='as in path:"my talks"'):
        compile_query(parse_query("path:my talks"), KNOWN)


@pytest.mark.parametrize("text", ["kind:thunder", "kind.thunder>0.5"])
def test_kinds_that_the_model_knows_may_be_asked_for_before_any_was_told(text):
    sql = compile_query(parse_query(text), Vocabulary())
    assert None in sql.parameters  # which no kind is numbered
    with pytest.raises(QueryError, match=r"kinds: .*thunder"):
        compile_query(parse_query("thunderstorm"), Vocabulary())
    assert compile_query(parse_query("kind:none"), Vocabulary()).parameters == ()


def test_values_are_parameters_and_never_part_of_the_sql():
    evil = "'; DROP TABLE files; --"
    sql = compile_query(Query(((Term("path", ":", evil),),)), KNOWN)
    assert "DROP" not in sql.text
    assert sql.parameters == (evil.casefold(),)


def test_too_long_a_query_is_refused():
    with pytest.raises(QueryError, match=f"more than {MOST_TERMS} terms"):
        parse_query("tap " * (MOST_TERMS + 1))
