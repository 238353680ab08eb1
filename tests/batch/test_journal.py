"""A run that was broken off goes on where it was."""

from __future__ import annotations

import errno
import os

import av
import av.error
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from asmr_classify import aggregate
from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.batch import Journal, label_paths
from asmr_classify.batch.journal import HEADER
from asmr_classify.errors import DecodeError, OpenError, OutputError, WorkerError
from asmr_classify.media.discover import discover
from asmr_classify.media.found import Found
from asmr_classify.writers.jsonl import result_to_record
from tests.batch.conftest import Notes
from tests.writers.strategies import results as any_result


@pytest.fixture
def run(place, tiny_model):  # noqa: ARG001 (where it runs)
    """Labels the working directory with a journal; gives the records and what was told."""

    def label(model=tiny_model, **options):
        notes = Notes()
        with Journal.open("../out.journal", model, **options) as journal:
            results = label_paths(["."], model=model, jobs=1, journal=journal, observer=notes)
            records = {result.path: result_to_record(result, rounded=False) for result in results}
        return records, notes

    return label


def paths(told):
    return sorted(found.path for found, _ in told)


def test_what_is_finished_is_not_labelled_again(noises, run):
    noises("a.wav", "b.wav")
    first, told = run()
    assert paths(told.finished) == ["a.wav", "b.wav"]
    noises("c.wav")
    second, told = run()
    assert paths(told.finished) == ["c.wav"]
    assert paths(told.recalled) == ["a.wav", "b.wav"]
    assert first == {path: second[path] for path in first}


def test_what_changed_is_labelled_again(noises, run, place):
    noises("a.wav", "b.wav", "c.wav")
    run()
    noises("a.wav", duration=0.5)
    os.utime(place / "b.wav", ns=(0, 1))
    again, told = run()
    assert paths(told.finished) == ["a.wav", "b.wav"]
    assert again["a.wav"]["duration"] == 0.5
    assert not run()[1].finished


def test_other_settings_begin_anew(noises, run, tiny_model):
    noises("a.wav", "b.wav")
    run()
    assert not run()[1].finished
    other = tiny_model.with_thresholds({"tap": 0.9})
    assert len(run(other)[1].finished) == 2
    assert len(run(other, fresh=True)[1].finished) == 2


def test_results_of_an_earlier_way_to_make_them_are_not_mixed_in(noises, run, monkeypatch):
    noises("a.wav", "b.wav")
    run()
    monkeypatch.setattr(aggregate, "RESULTS_VERSION", aggregate.RESULTS_VERSION + 1)
    assert len(run()[1].finished) == 2


def test_failures_are_tried_again_only_if_they_may_pass(tmp_path, tiny_model):
    found = [Found(name, 10, 5, 5) for name in ("damaged", "crashed", "unread", "cut", "broke")]
    errors = [
        (Status.FAILED, DecodeError("damaged", "x")),
        (Status.FAILED, WorkerError("crashed", "x")),
        (Status.FAILED, OpenError("unread", "x", may_pass=True)),
        (Status.PARTIAL, DecodeError("cut", "x")),
        (Status.PARTIAL, DecodeError("broke", "x", may_pass=True)),
    ]
    with Journal.open(str(tmp_path / "j"), tiny_model) as journal:
        for file, (status, error) in zip(found, errors, strict=True):
            result = FileResult(file.path, status, "tiny@0.1", error=Problem.of(error))
            journal.record(file, result)
    with Journal.open(str(tmp_path / "j"), tiny_model) as journal:
        known = [journal.recall(file) is not None for file in found]
        assert known == [True, False, False, True, False]
        assert journal.recall(Found("damaged", 10, 5, 6)) is None  # its permissions, perhaps


def test_a_file_that_could_not_be_opened_is_tried_again(
    noises,
    run,
    monkeypatch,
    in_this_process,  # noqa: ARG001 (workers are not patched)
):
    noises("a.wav")

    def too_many_open(*_, **__):
        av.error.err_check(-errno.EMFILE)

    with monkeypatch.context() as patch:
        patch.setattr(av, "open", too_many_open)
        assert run()[0]["a.wav"]["error"]["message"].startswith("a.wav: cannot be opened (Too many")
    assert run()[0]["a.wav"]["status"] == "ok"
    assert paths(run()[1].recalled) == ["a.wav"]


def test_an_unexpected_error_is_tried_again(noises, run, monkeypatch, in_this_process):  # noqa: ARG001
    noises("a.wav")
    with monkeypatch.context() as patch:
        patch.setattr("asmr_classify.classify.summarise", None)
        assert run()[0]["a.wav"]["error"]["kind"] == "TypeError"
    assert run()[0]["a.wav"]["status"] == "ok"


@given(result=any_result())
def test_a_result_is_recalled_to_the_last_digit(tmp_path_factory, tiny_model, result):
    path = str(tmp_path_factory.mktemp("journal") / "j")
    found = Found(result.path, 10, 5, 5)
    assume(result.status is not Status.FAILED or result.error is not None)
    with Journal.open(path, tiny_model) as journal:
        journal.record(found, result)
    with Journal.open(path, tiny_model) as journal:
        recalled = journal.recall(found)
    assert result_to_record(recalled, rounded=False) == result_to_record(result, rounded=False)


@given(data=st.data())
def test_a_journal_that_was_cut_off_anywhere_is_sound(tmp_path_factory, tiny_model, data):
    path = tmp_path_factory.mktemp("journal") / "j"
    found = [Found(f"{number}.wav", 10, 5, 5) for number in range(4)]
    ends = []
    with Journal.open(str(path), tiny_model) as journal:
        for file in found:
            journal.record(file, FileResult(file.path, Status.OK, "tiny@0.1", decoded=1 / 3))
            ends.append(path.stat().st_size)
    cut = data.draw(st.integers(0, ends[-1]))
    os.truncate(path, cut)
    with Journal.open(str(path), tiny_model) as journal:
        known = [journal.recall(file) is not None for file in found]
        assert known == [end <= cut for end in ends]
        for file, is_known in zip(found, known, strict=True):
            if not is_known:
                journal.record(file, FileResult(file.path, Status.OK, "tiny@0.1"))
    with Journal.open(str(path), tiny_model) as journal:
        assert all(journal.recall(file) for file in found)


def test_a_damaged_line_costs_its_file_only(tmp_path, tiny_model):
    path = tmp_path / "j"
    found = [Found(f"{number}.wav", 10, 5, 5) for number in range(3)]
    with Journal.open(str(path), tiny_model) as journal:
        for file in found:
            journal.record(file, FileResult(file.path, Status.OK, "tiny@0.1"))
    lines = path.read_bytes().split(b"\n")
    lines[2] = b"\0" * len(lines[2])
    path.write_bytes(b"\n".join(lines))
    with Journal.open(str(path), tiny_model) as journal:
        assert [journal.recall(file) is not None for file in found] == [True, False, True]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda _key, record: b"7\t" + record, id="a number for a key"),
        pytest.param(lambda _key, record: b"[]\t" + record, id="no key"),
        pytest.param(lambda _key, record: b'[["1.wav"], 10, 5, 5]\t' + record, id="a list in it"),
        pytest.param(lambda key, _record: key, id="no record"),
        pytest.param(lambda key, record: key + b"\t" + record[:-3], id="half a record"),
        pytest.param(lambda key, _record: key + b"\t[1, 2]", id="a list for a record"),
        pytest.param(lambda key, _record: key + b"\t{}", id="an empty record"),
        pytest.param(lambda key, r: key + b"\t" + r.replace(b'"ok"', b'"okay"'), id="status"),
        pytest.param(
            lambda key, r: key + b"\t" + r.replace(b'ments": [', b'ments": [7'), id="segment"
        ),
        pytest.param(lambda key, r: key + b"\t" + r.replace(b"0.5", b'"x"'), id="score"),
        pytest.param(lambda key, r: key + b"\t" + r.replace(b'{"tap": 0.5}', b"[5]"), id="scores"),
        pytest.param(lambda key, r: key + b"\t\xff" + r, id="not UTF-8"),
    ],
)
def test_a_damaged_entry_costs_its_file_only(tmp_path, tiny_model, damage):
    path = tmp_path / "j"
    found = [Found(f"{number}.wav", 10, 5, 5) for number in range(3)]
    with Journal.open(str(path), tiny_model) as journal:
        for file in found:
            result = FileResult(file.path, Status.OK, "tiny@0.1", scores={"tap": 0.5})
            journal.record(file, result)
    lines = path.read_bytes().split(b"\n")
    key, record = lines[2].split(b"\t")
    lines[2] = damage(key, record)
    path.write_bytes(b"\n".join(lines))
    with Journal.open(str(path), tiny_model) as journal:
        assert [journal.recall(file) is not None for file in found] == [True, False, True]


def test_the_same_name_elsewhere_is_another_file(noises, place, tiny_model, monkeypatch):
    (place / "x").mkdir()
    (place / "y").mkdir()
    noises("x/a.wav")
    os.link(place / "x" / "a.wav", place / "y" / "a.wav")  # the same size and times
    for folder, n_recalled in (("x", 0), ("y", 0), ("x", 1)):
        monkeypatch.chdir(place / folder)
        [found] = discover(["a.wav"])
        with Journal.open(str(place / "j"), tiny_model) as journal:
            assert (journal.recall(found) is not None) == bool(n_recalled)
            journal.record(found, FileResult("a.wav", Status.OK, "tiny@0.1"))


def test_another_file_is_never_written_over(tmp_path, tiny_model):
    path = tmp_path / "j"
    for text in ("my diary\n", "{}", HEADER):
        path.write_text(text)
        for fresh in (False, True):
            with pytest.raises(OutputError, match="stands where the journal belongs"):
                Journal.open(str(path), tiny_model, fresh=fresh)
        assert path.read_text() == text


@pytest.mark.skipif(os.name != "posix", reason="locks as POSIX has them")
def test_two_runs_do_not_write_the_same_journal(tmp_path, tiny_model):
    path = str(tmp_path / "j")
    with (
        Journal.open(path, tiny_model),
        pytest.raises(OutputError, match="another run writes to this output"),
    ):
        Journal.open(path, tiny_model)
    with Journal.open(path, tiny_model):
        pass


def test_a_folder_that_may_not_be_written_is_told(tmp_path, tiny_model):
    with pytest.raises(OutputError, match="cannot be written; its folder does not exist"):
        Journal.open(str(tmp_path / "none" / "j"), tiny_model)
