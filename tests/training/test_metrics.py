from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from asmr_classify.training.metrics import (
    average_precision,
    calibration_error,
    group_balance,
    measure,
)

TRIGGERS = ("tap", "whisper")


def measured(main, scores, weights=None):
    truth = [("tap",), ("tap",), ("whisper",), (), ()]
    return measure(
        truth, main, np.array(scores), TRIGGERS, np.ones(5) if weights is None else weights
    )


PERFECT = [[0.9, 0], [0.8, 0], [0, 0.9], [0.1, 0], [0, 0.1]]


def test_perfect_predictions():
    m = measured(["tap", "tap", "whisper", None, None], PERFECT)
    assert m.mean_average_precision == 1
    assert m.macro_f1 == 1
    assert m.false_tags == 0
    assert m.recall == {"tap": 1, "whisper": 1}


def test_one_miss_and_one_false_tag():
    m = measured(["tap", None, "whisper", "whisper", None], PERFECT)
    assert m.recall["tap"] == pytest.approx(0.5)
    assert m.false_tags == pytest.approx(0.5)
    assert m.f1["whisper"] == pytest.approx(2 / 3)


def test_any_of_several_triggers_is_right():
    m = measure(
        [("tap", "whisper"), ()], ["whisper", None], np.array([[0.6, 0.9], [0, 0]]), TRIGGERS,
        np.ones(2),
    )  # fmt: skip
    assert m.f1["whisper"] == 1


def test_weights_count():
    main = ["tap", None, "whisper", None, None]
    m = measured(main, PERFECT, np.array([1, 3, 1, 1, 1]))
    assert m.recall["tap"] == pytest.approx(0.25)


def test_average_precision_is_that_of_scikit_learn(rng):
    for n_clips in range(1, 60):
        held = rng.random(n_clips) < 0.4
        held[rng.integers(n_clips)] = True
        if held.all():
            continue
        weights = rng.integers(0, 3, n_clips) + 0.5 * held  # some weigh nothing
        scores = rng.integers(0, 8, n_clips) / 7  # many are equal
        expected = average_precision_score(held, scores, sample_weight=weights)
        assert average_precision(held, scores, weights) == pytest.approx(expected, rel=1e-12)


def test_what_no_clip_or_every_one_holds_has_no_average_precision():
    for held, weights in (
        *(([False, False], [1.0, 2.0]), ([True, False], [0.0, 2.0]), ([], [])),
        *(([True, True], [1 / 3, 0.1]), ([True, False], [2.0, 0.0])),
    ):
        args = np.array(held, dtype=bool), np.arange(len(held)) / 2, np.array(weights)
        assert np.isnan(average_precision(*args))


def test_what_the_clips_cannot_tell_has_no_figure():
    scores = np.array([[0.9], [0.8], [0.2]])
    m = measure([("tap",)] * 3, ["tap", "tap", None], scores, ("tap",), np.ones(3))
    unknown = (m.average_precision["tap"], m.mean_average_precision, m.f1["none"], m.false_tags)
    assert np.isnan(unknown).all()
    assert m.recall["tap"] == pytest.approx(2 / 3)
    assert m.macro_f1 == m.f1["tap"] == pytest.approx(0.8)


def test_the_mean_is_of_what_can_be_told():
    truth = [("tap",), ("tap", "whisper")]
    m = measure(truth, ["tap", "whisper"], np.array([[0.9, 0.1], [0.8, 0.7]]), TRIGGERS, np.ones(2))
    assert np.isnan(m.average_precision["tap"])
    assert m.mean_average_precision == m.average_precision["whisper"] == 1


def test_calibration_error_of_the_sure_and_wrong_and_of_the_honest():
    held = np.array([True, False, False, False])
    assert calibration_error(held, np.full(4, 0.25), np.ones(4)) == pytest.approx(0)
    assert calibration_error(held, np.full(4, 1.0), np.ones(4)) == pytest.approx(0.75)


def test_groups_weigh_the_same():
    assert group_balance(["a", "b", "a", "a"]).tolist() == [1 / 3, 1, 1 / 3, 1 / 3]


def test_figures_are_those_of_the_corpus_own_script(shared, tmp_path, rng):
    """Random predictions for part of the corpus, scored by both."""
    import csv

    with (shared / "corpus" / "manifest.csv").open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["trigger"] != "unsure"][::3]
    triggers = ("whisper", "tap", "crinkle", "white_noise")
    scores = rng.random((len(rows), 4))
    main = [
        triggers[k] if s[k] > 0.7 else None for s, k in zip(scores, scores.argmax(1), strict=True)
    ]
    lines = [
        json.dumps(
            {
                "path": str(shared / "corpus" / row["path"]),
                "trigger": tag,
                "scores": dict(zip(triggers, s.tolist(), strict=True)),
            }
        )
        for row, tag, s in zip(rows, main, scores, strict=True)
    ]
    (tmp_path / "p.jsonl").write_text("\n".join(lines))
    script = [
        sys.executable,
        str(shared / "corpus" / "score.py"),
        str(tmp_path / "p.jsonl"),
        "--json",
    ]
    theirs = json.loads(subprocess.run(script, check=True, capture_output=True).stdout)
    truth = [() if row["trigger"] == "none" else (row["trigger"],) for row in rows]
    for name, weights in (
        ("by clip", np.ones(len(rows))),
        ("by group", group_balance([row["group"] for row in rows])),
    ):
        ours = measure(truth, main, scores, triggers, weights)
        assert ours.average_precision == pytest.approx(theirs[name]["AP"])
        assert ours.f1 == pytest.approx(theirs[name]["F1"])
        assert ours.false_tags == pytest.approx(theirs[name]["false_tags"])
        assert ours.calibration_error == pytest.approx(theirs[name]["ECE"])
        assert ours.recall == pytest.approx(theirs[name]["recall"])
