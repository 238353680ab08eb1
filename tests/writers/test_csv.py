from __future__ import annotations

import csv
import io
from dataclasses import replace

from hypothesis import given

from asmr_classify.aggregate import FileResult, Status
from asmr_classify.writers.csv import CsvWriter, read_csv
from tests.writers.strategies import LABELS, results


def written(some):
    stream = io.StringIO(newline="")
    writer = CsvWriter(stream, LABELS)
    for result in some:
        writer.write(result)
    return stream.getvalue()


@given(results())
def test_write_and_read_give_what_the_format_holds(result):
    text = written([result])
    again = next(read_csv(io.StringIO(text, newline="")))
    assert again == replace(result, shares={}, segments=())
    text.encode("utf-8")


@given(results())
def test_no_cell_is_a_formula_and_each_result_is_one_line(result):
    text = written([result])
    assert text.count("\n") == 2
    for row in csv.reader(io.StringIO(text)):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


def test_a_spreadsheet_finds_the_columns():
    text = written([FileResult("a.wav", Status.OK, "m@1", decoded=2.0, scores={"tap": 0.5})])
    row = next(csv.DictReader(io.StringIO(text)))
    assert row["path"] == "a.wav"
    assert row["score_tap"] == "0.5000"
    assert row["score_speech"] == ""


def test_kinds_stand_in_one_cell_and_older_files_have_none():
    text = written([FileResult("a.wav", Status.OK, "m@1", kinds={"typing": 0.93, "a b": 0.5})])
    row = next(csv.DictReader(io.StringIO(text)))
    assert row["kinds"] == r"typing=0.9300 a\x20b=0.5000"
    older = text.replace(",kinds,", ",").replace(row["kinds"] + ",", "")
    assert next(read_csv(io.StringIO(older))).kinds == {}
