from __future__ import annotations

import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmr_classify.library.names import (
    LIMIT_BYTES,
    RESERVED,
    UNSAFE,
    name_key,
    numbered,
    safe_name,
    split_name,
)

nasty = st.sampled_from(
    ["..", ".", "a/b", "../../etc", "CON", "nul.txt", "com¹", "aux ", " x", "x.", "x .", "\udce9",
     "a\0b", "new\nline", "囁き" * 60, "e\u0301" * 120, "👩🏽‍🔬" * 30,
     'q"?*<>|:\\', "é" * 127 + "x"]
)  # fmt: skip
texts = st.text(max_size=300) | nasty | st.lists(nasty | st.text(max_size=5)).map("".join)
tails = st.sampled_from(["", ".mp3", ".en.vtt", " (2).info.json", " (12345).flac"])


def safe(text, tail=""):
    try:
        return safe_name(text, tail)
    except ValueError:
        return None


@given(texts, tails)
def test_names_are_safe_everywhere(text, tail):
    name = safe(text, tail)
    if name is None:
        return
    assert 0 < len(name.encode()) <= LIMIT_BYTES
    assert not UNSAFE.search(name)
    assert not RESERVED.fullmatch(name)
    assert name.endswith(tail)
    assert name[-1] not in ". "
    assert not name.startswith(" ")
    assert unicodedata.is_normalized("NFC", name)
    assert name not in {"", ".", ".."}
    assert os.path.basename(name) == name


@given(texts)
def test_a_safe_name_stays_as_it_is(text):
    name = safe(text)
    if name is not None:
        assert safe_name(name) == name


@given(texts)
def test_stem_and_extension_make_the_name(name):
    stem, extension = split_name(name)
    assert stem + extension == name


@given(texts, st.integers(1, 10**6))
def test_numbers_leave_room_for_the_tail(text, number):
    if safe(text) is None:
        return
    stem = numbered(text, number, ".info.json")
    assert len((stem + ".info.json").encode()) <= LIMIT_BYTES
    assert number == 1 or stem.endswith(f" ({number})")


@pytest.mark.parametrize(
    ("text", "tail", "name"),
    [
        pytest.param("e\u0301" * 200, "", "é" * 127, id="composed, then cut"),
        pytest.param("x\u0323\u0332" * 60, "", "x̣̲"[0:3] * 51, id="marks stay with their letter"),
        pytest.param("👩🏽‍🔬" * 20, ".mp3", "👩🏽‍🔬" * 16 + ".mp3", id="signs of four characters"),
        pytest.param("a" * 254 + "猫", "", "a" * 254, id="no torn character"),
        pytest.param("wait...", ".mp3", "wait....mp3", id="dots inside stay"),
        pytest.param("LPT1.backup", ".mp3", "_LPT1.backup.mp3", id="reserved before the first dot"),
        pytest.param("con" + " " * 300 + "x", "", "_con", id="reserved once it is cut"),
        pytest.param("a\udce9b", "", "a_b", id="no UTF-8"),
    ],
)
def test_names(text, tail, name):
    assert safe_name(text, tail) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize("text", ["", ".", "..", " . ", "..."])
def test_names_of_dots_and_blanks_are_refused(text):
    with pytest.raises(ValueError, match="nothing is left of the name"):
        safe_name(text, ".mp3")


def test_names_that_some_system_takes_for_the_same_have_one_key():
    assert name_key("Café") == name_key("CAFE\u0301") != name_key("cafe")
