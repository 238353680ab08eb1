from __future__ import annotations

import io
import json
import os

import pytest
from hypothesis import given

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.writers.jsonl import JsonlWriter, read_jsonl, result_to_line
from tests.writers.strategies import LABELS, results

KEYS = [
    "schema", "path", "status", "error", "duration", "decoded", "trigger", "tags", "scores",
    "shares", "segments", "no_talking", "longest_talk", "model", "corrected", "kinds",
    "visual", "visual_error",
]  # fmt: skip


def written(some):
    stream = io.StringIO()
    writer = JsonlWriter(stream)
    for result in some:
        writer.write(result)
    return stream.getvalue()


@given(results())
def test_write_and_read_give_the_same_result(result):
    text = written([result])
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert next(read_jsonl([text])) == result


@given(results())
def test_lines_are_utf8_and_names_come_back_as_the_same_bytes(result):
    line = result_to_line(result).encode("utf-8")
    assert os.fsencode(json.loads(line)["path"]) == os.fsencode(result.path)


def test_the_keys_of_the_contract_in_their_order():
    record = json.loads(result_to_line(FileResult("a.wav", Status.SILENT, "m@1", duration=2.0)))
    assert list(record) == KEYS
    assert record["schema"] == 1
    assert record["status"] == "silent"
    assert record["error"] is None
    assert record["tags"] == []


def test_an_error_has_kind_and_message():
    result = FileResult("a", Status.FAILED, "m@1", error=Problem("OpenError", "a: is empty"))
    record = json.loads(result_to_line(result))
    assert record["error"] == {"kind": "OpenError", "message": "a: is empty"}


def test_numbers_are_rounded_and_other_scripts_readable():
    line = result_to_line(
        FileResult("囁き.wav", Status.OK, "m@1", duration=1 / 3, scores={LABELS[0]: 2 / 3})
    )
    assert "囁き" in line
    assert '"duration": 0.333' in line
    assert '"tap": 0.6667' in line


def test_what_is_no_number_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        result_to_line(FileResult("a", Status.OK, "m@1", scores={"tap": float("nan")}))
