from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asmr_classify.errors import CorpusError
from asmr_classify.media.decode import read_audio
from asmr_classify.training.corpus import read_corpus
from asmr_classify.training.readable import readable
from asmr_classify.training.takes import TakeSpec, compute_rows, plan_takes


@pytest.fixture
def broken(manifest_rows, write_rows, corpus_folder):
    """A corpus of which some clips are no audio."""

    def make(names):
        for name in names:
            (corpus_folder / f"broken-{name}").write_bytes(b"RIFF, or so it begins")
        changed = [
            {**row, "path": f"broken-{row['path']}", "sha256": ""} if row["path"] in names else row
            for row in manifest_rows
        ]
        return read_corpus(write_rows(changed))

    return make


def test_clips_that_cannot_be_read_are_left_out_and_told(broken):
    corpus = broken({"tap-0-0.wav", "music-1-1.wav"})
    told = []
    left, reasons = readable(corpus, "m.csv", jobs=1, on_progress=lambda *step: told.append(step))
    assert [clip for clip in corpus.clips if "broken-" not in clip.path] == list(left.clips)
    assert len(left.clips) == 22
    assert [reason.partition(": ")[0].rsplit("/")[-1] for reason in reasons] == [
        "broken-tap-0-0.wav",
        "broken-music-1-1.wav",
    ]
    assert told[-1] == ("clips read", 24, 24)


def test_labels_that_no_clip_is_left_of_go(broken, manifest_rows):
    taps = {row["path"] for row in manifest_rows if row["trigger"] == "tap"}
    left, reasons = readable(broken(taps), "m.csv", jobs=1)
    assert left.labels == ("white_noise", "music")
    assert len(reasons) == len(taps)


def test_where_all_is_well_the_corpus_stays(corpus_folder):
    corpus = read_corpus(corpus_folder / "manifest.csv")
    assert readable(corpus, "m.csv", jobs=1) == (corpus, [])


def test_clips_whose_rows_are_kept_are_not_decoded_again(broken, tmp_path, monkeypatch):
    corpus, spec = broken({"tap-0-0.wav"}), TakeSpec(copies=0, scenes=0, noises=0)
    left, _ = readable(corpus, "m.csv", spec=spec, cache=tmp_path / "none yet", jobs=1)
    takes = plan_takes(left, np.arange(len(left.clips)), spec)
    compute_rows(left, takes[:10], spec, cache=tmp_path, jobs=1)
    decoded = []
    monkeypatch.setattr(
        "asmr_classify.training.readable.read_audio",
        lambda path: decoded.append(Path(path).name) or read_audio(path),
    )
    again, reasons = readable(corpus, "m.csv", spec=spec, cache=tmp_path, jobs=1)
    assert (again, len(reasons)) == (left, 1)
    kept = [Path(left.clips[take.clips[0]].path).name for take in takes[:10]]
    assert sorted([*decoded, *set(kept)]) == sorted(Path(x.path).name for x in corpus.clips)


def test_a_clip_that_is_gone_is_told_with_a_cache_too(broken, tmp_path, corpus_folder):
    corpus = broken({"tap-0-0.wav"})
    (corpus_folder / "broken-tap-0-0.wav").unlink()
    assert len(readable(corpus, "m.csv", cache=tmp_path, jobs=1)[1]) == 1


def test_too_many_are_an_error(broken, manifest_rows):
    some = [row["path"] for row in manifest_rows]
    with pytest.raises(CorpusError, match=r"m\.csv: 13 of 24 clips cannot be read.*first: .*wav"):
        readable(broken(set(some[:13])), "m.csv", jobs=1)
    assert len(readable(broken(set(some[:12])), "m.csv", jobs=1)[1]) == 12
