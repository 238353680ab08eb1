"""Names that try to act on terminals, spreadsheets or parsers, in every format."""

from __future__ import annotations

import csv
import io
import os

import pytest

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.writers import FORMATS

LABELS = ("tap", "soft tap", "=sum")
LINES = ("jsonl", "csv")
"""Formats of which each line is a result."""

HOSTILE = [
    "=cmd|' /C calc'!A0.mp3",
    "+1.mp3",
    "-1.mp3",
    "@SUM(A1).mp3",
    "'quoted'.mp3",
    "\t=1.mp3",
    "\r=1.mp3",
    "\uff1d1.mp3",
    'with "quotes", commas.mp3',
    "two\nlines.mp3",
    "back\\slash\\x41.mp3",
    "\x1b[2J\x9b31m.mp3",
    "囁き 🎧 ø\u2028\u0085.mp3",
    os.fsdecode(b"caf\xe9.mp3"),
]


def named(path):
    return FileResult(
        path,
        Status.PARTIAL,
        "m@1",
        error=Problem("DecodeError", f"{path}: broke off"),
        trigger="soft tap",
        tags=("soft tap", "=sum"),
        scores={"soft tap": 0.9, "=sum": 0.8},
    )


def write(form, *results):
    stream = io.StringIO()
    writer = FORMATS[form].open_writer(stream, LABELS)
    for result in results:
        writer.write(result)
    writer.close()
    return stream.getvalue()


@pytest.mark.parametrize("form", LINES)
@pytest.mark.parametrize("path", HOSTILE, ids=ascii)
def test_what_is_read_is_what_was_written(form, path):
    lines = io.StringIO(write(form, named(path)), newline="\n")
    assert list(FORMATS[form].read(lines)) == [named(path)]


@pytest.mark.parametrize("form", LINES)
@pytest.mark.parametrize("path", HOSTILE, ids=ascii)
def test_a_result_is_one_line_of_utf8_without_control_characters(form, path):
    text = write(form, named(path))
    assert text.encode("utf-8").decode("utf-8") == text
    lines = text.splitlines()
    assert len(lines) == (1 if form == "jsonl" else 2)
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in "".join(lines))


@pytest.mark.parametrize("path", HOSTILE, ids=ascii)
def test_no_csv_cell_starts_a_formula(path):
    for row in csv.reader(io.StringIO(write("csv", named(path)))):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d")) for cell in row)


@pytest.mark.parametrize("form", LINES)
def test_every_line_is_written_as_its_result_comes(form):
    stream = io.StringIO()
    writer = FORMATS[form].open_writer(stream, LABELS)
    before = stream.getvalue().count("\n")
    writer.write(named("a.mp3"))
    assert stream.getvalue().count("\n") == before + 1
