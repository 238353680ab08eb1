from __future__ import annotations

import wave
from datetime import UTC, datetime

import numpy as np
import pytest

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.report import render_page, report_data, write_page
from asmr_classify.timeline import Segment

MADE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

HOSTILE = (
    "<img src=x onerror=alert(1)>.wav",
    "</script><script>alert(1)</script>.wav",
    "--><svg onload=alert(1)>.wav",
    "\"'><b>quoted</b>&amp;.wav",
    "line\u2028and\u2029paragraph.wav",
    "\u202egnp.vaw",
    "caf\udce9.wav",
    "{{ 7 * 7 }}{% raw %}.wav",
    "javascript:alert(1).wav",
    "tab\tnew\nline\r\x1b[2J\x7f.wav",
)
"""File names that would act, were they written as they are."""


def heard(path, **changes):
    """A result as of a file that holds tapping, and speech in its second half."""
    fields = {
        "status": Status.OK,
        "model": "tiny@0.1",
        "duration": 20.0,
        "decoded": 20.0,
        "trigger": "tap",
        "tags": ("tap",),
        "scores": {"tap": 0.9, "whisper": 0.1, "speech": 0.7},
        "shares": {"tap": 0.75, "whisper": 0.0, "speech": 0.5, "silence": 0.0},
        "segments": (Segment(0, 15, "tap", 0.9), Segment(10, 20, "speech", 0.7)),
        "no_talking": False,
        "longest_talk": 10.0,
    }
    return FileResult(path=path, **{**fields, **changes})


def lost(path, message="not a media file; fetch it again"):
    problem = Problem("OpenError", f"{path}: {message}")
    return FileResult(path, Status.FAILED, "tiny@0.1", error=problem)


def draw_here(task, finds):
    """Draws here and now."""
    return (task.do(found, lambda _: None) for found in finds)


def write_wav(path, duration=20.0, level=3000):
    """A recording of noise."""
    rng = np.random.default_rng(5)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", "NONE"))
        samples = rng.normal(0, level, round(8000 * duration)).clip(-32768, 32767)
        file.writeframes(samples.astype("<i2").tobytes())


@pytest.fixture
def make_page(tmp_path, monkeypatch):
    """Writes a report into an empty folder, which is then the working directory."""
    monkeypatch.chdir(tmp_path)

    def make(results, waveforms=None, films=None):
        data = report_data(results, folder=".", made=MADE, waveforms=waveforms, films=films)
        write_page(render_page(data), "report.html")
        return tmp_path / "report.html"

    return make
