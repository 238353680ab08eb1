from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from asmr_classify.batch import Parts, extract_paths
from asmr_classify.config import FeatureSpec
from asmr_classify.errors import OutputError, UsageError
from asmr_classify.features.table import By
from asmr_classify.media.found import Found

SPEC = FeatureSpec()


def found_at(path):
    status = Path(path).stat()
    return Found(str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@pytest.fixture
def extracted(noises, in_this_process):  # noqa: ARG001 (so that workers do not need it)
    """What came of one recording, whose rows are kept beside ``out.csv``."""
    noises("a.wav", duration=3.0)
    with Parts.open("out.csv", SPEC, By.WINDOW) as parts:
        (result,) = extract_paths(["a.wav"], parts)
        rows = list(parts.iter_rows(result))
    return result, rows


def recalled(by=By.WINDOW, spec=SPEC, **options):
    with Parts.open("out.csv", spec, by, **options) as parts:
        return parts.recall(found_at("a.wav"))


def test_what_is_kept_is_recalled_to_the_last_bit(extracted):
    result, rows = extracted
    assert [len(x) for x in rows] == [2]
    assert recalled() == result
    with Parts.open("out.csv", SPEC, By.WINDOW) as parts:
        assert np.array_equal(*(np.concatenate(list(x)) for x in (parts.iter_rows(result), rows)))


@pytest.mark.usefixtures("extracted")
def test_what_changed_is_not_recalled(noises):
    assert recalled(by=By.FILE) is None
    assert recalled(spec=replace(SPEC, windows=replace(SPEC.windows, hop=0.5))) is None
    noises("a.wav", duration=2.5)
    assert recalled() is None


@pytest.mark.usefixtures("extracted")
def test_fresh_forgets(place):
    assert recalled(fresh=True) is None
    assert not (place / "out.csv.parts").exists()


@pytest.mark.parametrize("cut", [0, 5, -9, -1])
@pytest.mark.usefixtures("extracted")
def test_a_damaged_part_is_not_recalled(place, cut):
    (part,) = (place / "out.csv.parts").glob("*.raw")
    part.write_bytes(part.read_bytes()[:cut])
    assert recalled() is None


def test_what_a_killed_run_left_unfinished_goes(extracted, place):
    left = place / "out.csv.parts" / "0.1.part"
    left.write_bytes(b"half a row")
    assert recalled() == extracted[0]
    assert not left.exists()


@pytest.mark.skipif(os.name != "posix", reason="locks as POSIX has them")
@pytest.mark.usefixtures("place")
def test_two_runs_do_not_write_the_same_parts():
    with (
        Parts.open("out.csv", SPEC, By.WINDOW),
        pytest.raises(OutputError, match=r"out\.csv"),
        Parts.open("out.csv", SPEC, By.WINDOW),
    ):
        pass


def test_rows_that_are_gone_are_told(extracted, place):
    result, _ = extracted
    with Parts.open("out.csv", SPEC, By.WINDOW) as parts:
        (place / "out.csv.parts" / Path(result.part).name).unlink()
        with pytest.raises(OutputError, match=r"the rows of a\.wav were changed or removed"):
            list(parts.iter_rows(result))


@pytest.mark.usefixtures("in_this_process")
def test_a_disk_that_is_full_ends_the_run(noises, monkeypatch):
    noises("a.wav", "b.wav")

    full = Mock(side_effect=OutputError("out.csv.parts: no space left on the disk"))
    monkeypatch.setattr("asmr_classify.batch.parts.PartWriter.write", full)
    with (
        Parts.open("out.csv", SPEC, By.WINDOW) as parts,
        pytest.raises(OutputError, match="no space left"),
    ):
        list(extract_paths(["a.wav", "b.wav"], parts))


@pytest.mark.usefixtures("place")
def test_no_workers_are_refused():
    with (
        Parts.open(None, SPEC, By.WINDOW) as parts,
        pytest.raises(UsageError, match="0 jobs: give 1 or more"),
    ):
        extract_paths(["a.wav"], parts, jobs=0)


@pytest.mark.usefixtures("place")
def test_one_name_is_no_list_whose_letters_are_searched():
    with (
        Parts.open(None, SPEC, By.WINDOW) as parts,
        pytest.raises(UsageError, match=r"paths='/a\.wav': give a list, if only of one"),
    ):
        extract_paths("/a.wav", parts)
