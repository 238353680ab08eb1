from __future__ import annotations

import pytest

from asmr_classify.errors import UsageError
from asmr_classify.report import is_results_file, read_results
from asmr_classify.writers import FORMATS
from asmr_classify.writers.jsonl import result_to_line
from tests.report.conftest import HOSTILE, heard, lost


def write(path, results):
    form = FORMATS[path.suffix[1:]]
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
        writer = form.open_writer(stream, ("tap", "whisper", "speech"))
        for result in results:
            writer.write(result)
        writer.close()


def test_results_come_back_from_a_file(tmp_path):
    results = [*map(heard, HOSTILE), lost("x.mp3")]
    write(tmp_path / "r.jsonl", results)
    assert read_results(str(tmp_path / "r.jsonl")) == results


def test_csv_gives_all_but_the_timeline(tmp_path):
    write(tmp_path / "r.csv", [heard("a.mp3"), lost("b.mp3")])
    one, other = read_results(str(tmp_path / "r.csv"))
    assert (one.path, one.tags, one.duration, one.segments) == ("a.mp3", ("tap",), 20.0, ())
    assert other.error == lost("b.mp3").error


def test_a_csv_file_that_excel_saved_is_read(tmp_path):
    write(tmp_path / "r.csv", [heard("a.mp3")])
    text = (tmp_path / "r.csv").read_text(encoding="utf-8")
    (tmp_path / "r.csv").write_text(text, encoding="utf-8-sig")
    assert [result.path for result in read_results(str(tmp_path / "r.csv"))] == ["a.mp3"]
    (tmp_path / "r.csv").write_text(text, encoding="utf-16")
    with pytest.raises(UsageError, match=r"after the first 0 \(not UTF-8 text\)"):
        read_results(str(tmp_path / "r.csv"))


def test_of_several_results_for_a_path_the_last_counts(tmp_path):
    write(tmp_path / "r.jsonl", [lost("a.mp3"), heard("b.mp3"), heard("a.mp3")])
    assert read_results(str(tmp_path / "r.jsonl")) == [heard("a.mp3"), heard("b.mp3")]


RECORD = result_to_line(heard("a.mp3", tags=(), duration=1.5))


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "[1]",
        "nonsense",
        '{"path": 3}',
        "[" * 100000,
        "\xff",
        RECORD.replace("1.5", "NaN"),
        RECORD.replace('"a.mp3"', "7"),
        RECORD.replace('"tags": []', '"tags": [7]'),
    ],
)
def test_what_is_no_result_is_refused_with_its_place(tmp_path, content):
    write(tmp_path / "r.jsonl", [heard("a.mp3")])
    with (tmp_path / "r.jsonl").open("ab") as file:
        file.write(content.encode("latin-1"))
    with pytest.raises(UsageError, match=r"r\.jsonl: holds no result of label after the first"):
        read_results(str(tmp_path / "r.jsonl"))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"status": "ok"', '"status": "fine"', "status 'fine' is none of ok, silent, no_audio"),
        ('"status": "ok"', '"status": ["ok"]', "status ['ok'] is none of ok, silent"),
        ('"status": "ok", ', "", "without 'status'"),
        ("{", "", "Extra data"),
    ],
)
def test_what_is_wrong_with_a_result_is_told_in_words(tmp_path, old, new, why):
    assert old in RECORD
    (tmp_path / "r.jsonl").write_text(RECORD.replace(old, new, 1) + "\n")
    with pytest.raises(UsageError) as told:
        read_results(str(tmp_path / "r.jsonl"))
    assert f"after the first 0 ({why}" in str(told.value)
    assert "Error(" not in str(told.value)


def test_a_wrong_word_in_a_table_is_told_as_well(tmp_path):
    write(tmp_path / "r.csv", [heard("a.mp3")])
    text = (tmp_path / "r.csv").read_text().replace(",ok,", ",fine,")
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(UsageError, match="status 'fine' is none of ok, silent, no_audio, partial"):
        read_results(str(tmp_path / "r.csv"))


def test_recordings_and_what_is_not_there_are_no_files_of_results(tmp_path):
    (tmp_path / "a.mp3").touch()
    (tmp_path / "r.jsonl").touch()
    (tmp_path / "folder.csv").mkdir()
    names = ("a.mp3", "r.jsonl", "none.jsonl", "folder.csv", "whisper>0.8")
    found = [is_results_file(str(tmp_path / name)) for name in names]
    assert found == [False, True, False, False, False]


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"none\.jsonl: cannot be read: No such file"):
        read_results(str(tmp_path / "none.jsonl"))
    with pytest.raises(UsageError, match=r"a\.mp3: not a file of results"):
        read_results(str(tmp_path / "a.mp3"))
