from __future__ import annotations

import pytest

from asmr_classify.errors import CorpusError
from asmr_classify.training.corpus import read_corpus


def test_a_manifest_is_read(corpus_folder):
    corpus = read_corpus(corpus_folder / "manifest.csv")
    assert corpus.labels == ("tap", "white_noise", "music")
    assert len(corpus.clips) == 24
    assert {clip.labels for clip in corpus.clips} == {("tap",), ("white_noise",), ("music",)}
    assert {clip.triggers for clip in corpus.clips} == {("tap",), ("white_noise",), ()}


def resaved(path, encoding):
    path.write_text(path.read_text(encoding="utf-8"), encoding=encoding)
    return path


def test_a_manifest_that_excel_saved_is_read(manifest_rows, write_rows):
    manifest = write_rows(manifest_rows)
    assert read_corpus(resaved(manifest, "utf-8-sig")) == read_corpus(write_rows(manifest_rows))


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_manifest_of_another_encoding_is_refused(manifest_rows, write_rows, encoding):
    manifest = write_rows([{**row, "source": "caf\u00e9"} for row in manifest_rows])
    with pytest.raises(CorpusError, match=r"changed\.csv: the manifest is not UTF-8 text; save it"):
        read_corpus(resaved(manifest, encoding))


def test_several_triggers_and_labels_of_ones_own(manifest_rows, write_rows):
    manifest_rows[0]["trigger"] = "tap, brush"
    manifest_rows[4]["label"] = "dog"
    corpus = read_corpus(write_rows(manifest_rows))
    assert corpus.clips[0].labels == ("tap", "brush")
    assert corpus.clips[4].labels == ("other",)
    assert corpus.labels == ("tap", "white_noise", "music", "other", "brush")


def test_unsure_clips_are_left_out(manifest_rows, write_rows):
    manifest_rows[0]["trigger"] = "unsure"
    assert len(read_corpus(write_rows(manifest_rows)).clips) == 23


def test_unsure_clips_need_no_fold(manifest_rows, write_rows):
    manifest_rows[0].update(trigger="unsure", fold="")
    corpus = read_corpus(write_rows(manifest_rows))
    assert all(clip.fold is not None for clip in corpus.clips)


def test_no_manifest(tmp_path):
    with pytest.raises(CorpusError, match="cannot read the manifest"):
        read_corpus(tmp_path / "none.csv")


def test_a_missing_column(tmp_path):
    (tmp_path / "m.csv").write_text("path,label\na.wav,tap\n")
    with pytest.raises(CorpusError, match="no column trigger, group"):
        read_corpus(tmp_path / "m.csv")


def test_an_empty_manifest(tmp_path):
    (tmp_path / "m.csv").write_text("path,trigger,group\n")
    with pytest.raises(CorpusError, match="lists no clip"):
        read_corpus(tmp_path / "m.csv")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"path": "gone.wav"}, r"csv, line 2: .*gone.wav: no such file$", id="missing"),
        pytest.param({"sha256": "0" * 64}, "its checksum is not the manifest's", id="changed"),
        pytest.param({"group": " "}, "line 2: nothing in column group", id="no group"),
        pytest.param({"path": "tap-0-1.wav"}, "tap-0-1.wav is listed twice$", id="doubled"),
        pytest.param(
            {"path": "./tap-0-1.wav"}, "tap-0-1.wav is listed twice, as ./tap-0-1", id="otherwise"
        ),
        pytest.param({"fold": "first"}, "fold 'first' is not a whole number", id="fold"),
        pytest.param({"fold": "-1"}, "'-1' is not a whole number of 0 or more", id="negative"),
        pytest.param({"fold": "²"}, "'²' is not a whole number", id="no decimal"),
        pytest.param({"trigger": "none,tap"}, "'none,tap': none means .* alone", id="none, tap"),
        pytest.param({"trigger": "tap,Whisper"}, "tap-0-0.wav: .* mean 'whisper'", id="capital"),
        pytest.param({"trigger": "White_Noise"}, "mean 'white_noise'", id="capitals"),
        pytest.param({"trigger": "None"}, r"mean 'none'\? Write it so, or give it", id="None"),
        pytest.param({"trigger": "UNSURE"}, "mean 'unsure'", id="Unsure"),
        pytest.param({"fold": ""}, "tap-0-0.wav: no fold, as 1 of 24 labelled", id="no fold"),
    ],
)
def test_a_wrong_row(manifest_rows, write_rows, changes, message):
    manifest_rows[0].update(changes)
    with pytest.raises(CorpusError, match=message):
        read_corpus(write_rows(manifest_rows))


def test_all_wrong_rows_are_told_at_once(manifest_rows, write_rows):
    for row, changes in zip(
        manifest_rows,
        ({"path": "gone.wav"}, {"group": ""}, {"trigger": "Tap"}, {}, {"sha256": "0" * 64}),
        strict=False,
    ):
        row.update(changes)
    manifest = write_rows(manifest_rows)
    with pytest.raises(CorpusError) as told:
        read_corpus(manifest)
    head, *lines = str(told.value).splitlines()
    assert head == f"{manifest}: 4 rows are wrong:"
    assert [line.partition(": ")[0] for line in lines] == [f"  line {k}" for k in (2, 3, 4, 6)]
    for line, what in zip(lines, ("gone.wav: no such", "group", "'tap'", "checksum"), strict=True):
        assert what in line


def test_of_many_wrong_rows_ten_are_named(manifest_rows, write_rows):
    with pytest.raises(CorpusError) as told:
        read_corpus(write_rows([{**row, "fold": "first"} for row in manifest_rows]))
    head, *lines = str(told.value).splitlines()
    assert head.endswith("24 rows are wrong:")
    assert len(lines) == 11
    assert lines[-1] == "  and 14 more"


def test_one_group_only(manifest_rows, write_rows):
    with pytest.raises(CorpusError, match="all clips are of one group"):
        read_corpus(write_rows([{**row, "group": "me"} for row in manifest_rows]))


def test_no_trigger_at_all(manifest_rows, write_rows):
    with pytest.raises(CorpusError, match="no clip has a trigger"):
        read_corpus(write_rows([{**row, "trigger": "none"} for row in manifest_rows]))
