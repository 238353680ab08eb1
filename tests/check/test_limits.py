from __future__ import annotations

import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmr_classify.check.binaural import Channels
from asmr_classify.check.figures import MEANINGS, Figure, FigureName
from asmr_classify.check.limits import (
    Range,
    Verdict,
    Words,
    default_limits_text,
    judge,
    load_limits,
    parse_limits,
    worst,
)
from asmr_classify.errors import LimitsError
from asmr_classify.visual.levels import BRIGHT


def test_the_defaults_are_what_the_guide_says():
    limits = load_limits()
    assert limits[FigureName.TRUE_PEAK] == Range(fail_above=-1)
    assert limits[FigureName.STARTLE] == Range(warn_above=10, fail_above=15)
    assert limits[FigureName.CHANNELS].judge("out_of_phase") is Verdict.FAIL
    assert limits[FigureName.CHANNELS].judge("binaural_like") is Verdict.OK
    assert [limits[FigureName.FLASHES].judge(n) for n in (3, 4)] == [Verdict.OK, Verdict.FAIL]
    assert limits[FigureName.LIGHT] == Range(warn_above=BRIGHT)
    assert FigureName.PICTURE not in limits


def test_every_default_has_a_reason_and_every_figure_is_named():
    text = default_limits_text()
    for name in tomllib.loads(text):
        assert re.search(rf"^\[{name}\]\n# ", text, re.MULTILINE), name
    for name in FigureName:
        assert name.value in text
    for kind in Channels:
        assert kind.value in text


def test_every_figure_has_a_meaning():
    assert list(MEANINGS) == list(FigureName)


def test_what_is_shown_can_be_given_back(tmp_path):
    path = tmp_path / "limits.toml"
    path.write_text(default_limits_text(), encoding="utf-8")
    assert load_limits(str(path)) == load_limits()


def test_a_file_stands_for_itself():
    assert parse_limits("[talk_share]\nwarn_above = 0", "mine") == {
        FigureName.TALK_SHARE: Range(warn_above=0.0)
    }
    assert parse_limits("", "mine") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[true_peek]\nfail_above = -1", "no figure is called 'true_peek'; did you mean true_peak"),
        ("[nonsense]\n", "no figure is called 'nonsense'; there are channels, integrated"),
        ("[startle]\nwarn_over = 3", r"\[startle\]: no limit is called 'warn_over'"),
        ("[startle]\nwarn_above = '3'", r"\[startle\] warn_above = '3': expected a number"),
        ("[startle]\nwarn_above = true", "expected a number"),
        ("[startle]\nwarn_above = nan", "expected a number"),
        ("[startle]\nwarn_above = -inf", "expected a number"),
        (f"[startle]\nwarn_above = 1{400 * '0'}", "expected a number"),
        (f"[startle]\nwarn_above = 1{5000 * '0'}", "is not valid TOML"),
        ("startle = 3", r"startle = 3: expected a table, as in\n\[startle\]\nwarn_above"),
        ("channels = ['mono']", r"expected a table, as in\n\[channels\]\nfail"),
        ("[channels]\nfail = 'mono'", "fail = 'mono': expected a list of words"),
        ("[channels]\nfail = [1]", "expected a list of words"),
        ("[channels]\nfail = ['monno']", "no kind of channels is called 'monno'; did you mean mon"),
        ("[picture]\nwarn = 'still'", r'expected a list of words, as in \["still"\]'),
        (
            "[picture]\nwarn = ['cover']",
            "no kind of picture is called 'cover'; there are video, st",
        ),
        ("picture = 1", r"expected a table, as in\n\[picture\]\nfail = \[\"still\"\]"),
        ("[flashes]\nfail = ['some']", "no limit is called 'fail'"),
        ("[channels]\nfail_above = 1", "no limit is called 'fail_above'"),
        (
            "[startle]\nwarn_above = 9\nfail_above = 5",
            "expected warn_above to be no more than fail",
        ),
        ("[startle]\nwarn_below = 9\nwarn_above = 5", "expected warn_below to be no more than war"),
        ("[startle", "is not valid TOML"),
    ],
)
def test_what_is_no_limit_is_refused_by_name(text, message):
    with pytest.raises(LimitsError, match=message) as caught:
        parse_limits(text, "mine.toml")
    assert str(caught.value).startswith("mine.toml: ")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(LimitsError, match="cannot be read: No such file"):
        load_limits(str(tmp_path / "none.toml"))


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LimitsError, match="is not UTF-8 text"):
        load_limits(str(tmp_path / "a.toml"))


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_number_fails_only_where_it_would_also_be_a_warning(value, one, other):
    limits = Range(warn_above=min(one, other), fail_above=max(one, other))
    expected = Verdict.OK
    if value > limits.warn_above:
        expected = Verdict.WARN
    if value > limits.fail_above:
        expected = Verdict.FAIL
    assert limits.judge(value) is expected


def test_words_are_judged():
    words = Words(warn=("mono",), fail=("none",))
    assert [words.judge(w).value for w in ("mono", "none", "stereo")] == ["warn", "fail", "ok"]


def test_what_has_no_value_or_no_limit_is_not_judged():
    limits = {FigureName.IACC: Range(warn_above=0.5)}
    assert judge(Figure(FigureName.IACC, None), limits) is None
    assert judge(Figure(FigureName.STARTLE, 90.0), limits) is None
    assert judge(Figure(FigureName.IACC, 0.6), limits) is Verdict.WARN


def test_the_worst_decides():
    assert worst([]) is Verdict.OK
    assert worst([None, Verdict.WARN, Verdict.OK]) is Verdict.WARN
