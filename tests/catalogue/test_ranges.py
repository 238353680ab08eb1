from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmr_classify.catalogue.ranges import (
    Range,
    parse_date,
    parse_duration,
    parse_share,
    read_range,
)
from asmr_classify.errors import UsageError

shares = st.integers(0, 100).map(lambda parts: parts / 100)


@given(shares, shares, shares)
def test_a_range_holds_what_lies_between_its_ends(low, high, value):
    if low > high:
        with pytest.raises(UsageError, match="wrong way round"):
            read_range(":", f"{low}..{high}", parse_share)
    else:
        assert read_range(":", f"{low}..{high}", parse_share).holds(value) == (low <= value <= high)
    assert read_range(":", f"{low}..", parse_share).holds(value) == (low <= value)
    assert read_range(":", f"..{high}", parse_share).holds(value) == (value <= high)


@given(shares, shares)
def test_a_comparison_holds_as_that_of_numbers(bound, value):
    for sign, holds in {
        ">": value > bound,
        ">=": value >= bound,
        "<": value < bound,
        "<=": value <= bound,
    }.items():
        assert read_range(sign, str(bound), parse_share).holds(value) == holds


def test_nothing_lies_in_no_range():
    assert not Range().holds(None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("20m", 1200), ("1h30m", 5400), ("1.5h", 5400), ("1h1m1.5s", 3661.5)],
)
def test_durations(text, seconds):
    assert parse_duration(text).low == parse_duration(text).high == seconds


@pytest.mark.parametrize("text", ["", "h", "m20", "-5", "5d", "1:30", "٣m", "1e3"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(UsageError, match="is no duration; write 90s"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("2026", (2026, 1, 1), (2027, 1, 1)),
        ("2026-12", (2026, 12, 1), (2027, 1, 1)),
        ("2024-2", (2024, 2, 1), (2024, 3, 1)),
        ("2024-02-29", (2024, 2, 29), (2024, 3, 1)),
    ],
)
def test_a_date_stands_for_all_of_its_span(text, first, after):
    start, end = datetime(*first).timestamp(), datetime(*after).timestamp()
    whole = read_range(":", text, parse_date)
    assert whole.holds(start)
    assert whole.holds(end - 1)
    assert not whole.holds(start - 1)
    assert not whole.holds(end)
    assert read_range("<=", text, parse_date).holds(end - 1)
    assert not read_range("<", text, parse_date).holds(start)
    assert read_range(">", text, parse_date).holds(end)
    assert not read_range(">", text, parse_date).holds(end - 1)
    assert read_range(":", f"{text}..{text}", parse_date) == whole


@pytest.mark.parametrize("text", ["", "26", "2026-0", "2026-02-30", "0000", "9999-12-31x", "today"])
def test_what_is_no_date_is_refused(text):
    with pytest.raises(UsageError, match="is no date; write 2026, 2026-01 or 2026-01-31"):
        parse_date(text)


def test_the_last_year_is_a_date_or_refused():
    with pytest.raises(UsageError, match="is no date"):
        parse_date("9999")
