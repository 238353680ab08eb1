"""Damaged videos: no crash, no hang, and never the sound's result lost to the picture's fault."""

from __future__ import annotations

import pytest

from asmr_classify.batch.isolate import do_safely
from asmr_classify.batch.labelling import LabelTask
from asmr_classify.media.found import Found
from asmr_classify.visual.seen import Effort
from tests.visual.hostile import make_hostile_video

EXPECTED = {"OpenError", "DecodeError", "NoAudioError", "WorkerError"}
SEEDS = [*range(0, 120, 3), 140, 278, 329, 401, 746, 916]
"""The last ones changed their dimensions midway, claimed a frame of gigabytes, or are flat."""


@pytest.mark.parametrize("seed", SEEDS)
def test_damaged_videos_have_a_result(seed, tmp_path, monkeypatch, tiny_model):
    monkeypatch.chdir(tmp_path)
    name, content = make_hostile_video(seed)
    (tmp_path / name).write_bytes(content)
    found = Found(name, len(content))
    heard = do_safely(found, LabelTask(tiny_model), lambda _: None).result
    outcome = do_safely(found, LabelTask(tiny_model, Effort.NORMAL), lambda _: None, known=heard)
    assert outcome.trace is None
    seen = outcome.result
    assert seen.status == heard.status
    assert seen.scores == heard.scores
    if heard.status != "failed":
        assert (seen.visual is None) != (seen.visual_error is None)
    for problem in (seen.error, seen.visual_error):
        assert problem is None or problem.kind in EXPECTED
