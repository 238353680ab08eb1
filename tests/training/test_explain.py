"""Record, pictures and page of an evaluation: what they show is what was measured."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from sklearn.metrics import confusion_matrix as reference_confusion

from asmr_classify.errors import EvaluationError, MissingExtraError, OutputError
from asmr_classify.training.kinds import KindFigures
from asmr_classify.training.metrics import (
    calibration_error,
    confusion_matrix,
    main_classes,
    precision_recall,
    reliability,
)
from asmr_classify.training.page import evaluation_page, kind_rows, label_rows
from asmr_classify.training.plots import (
    PICTURES,
    draw_confusion,
    draw_pictures,
    draw_precision_recall,
    draw_reliability,
    save_pictures,
)
from asmr_classify.training.record import (
    EvaluationRecord,
    JudgedClip,
    load_record,
    record_path,
    save_record,
)
from asmr_classify.training.sources import (
    costliest_rows,
    costliest_sources,
    false_tags,
    familiar_rows,
    legible,
    source_figures,
    worst_mistakes,
)
from asmr_classify.training.summary import evaluation_summary

HOSTILE = '<script>alert(1)</script>"&]]>$\\frac{$\x1b\udce9囁き|[x](javascript:0)'
LABELS = ("tap", "whisper", "music")


@pytest.fixture(scope="module")
def record():
    """Clips of four groups with random scores; one group and its clips have hostile names."""
    rng = np.random.default_rng(3)
    clips = []
    for k in range(60):
        held = [("tap",), ("whisper",), ("tap", "whisper"), ("music",)][k % 4]
        scores = tuple(
            round(float(np.clip(rng.normal(0.75 if name in held else 0.25, 0.25), 0, 1)), 4)
            for name in LABELS
        )
        tags = sorted(
            (name for name, score in zip(LABELS[:2], scores, strict=False) if score >= 0.5),
            key=lambda name: -scores[LABELS.index(name)],
        )
        group = HOSTILE if k % 5 == 0 else f"maker {k % 3}"
        clips.append(
            JudgedClip(f"{k} {group}", group, held[0], 1.0 + k % 7, held, tuple(tags), scores)
        )
    return EvaluationRecord(
        model="mine@1.0",
        digest=None,
        labels=LABELS,
        triggers=LABELS[:2],
        thresholds={"tap": 0.5, "whisper": 0.5, "music": 0.3},
        clips=tuple(clips),
    )


@pytest.fixture(scope="module")
def pictures(record):
    return draw_pictures(record)


def test_the_confusion_matrix_is_that_of_scikit_learn(record):
    classes = ["tap", "whisper", "none"]
    expected, found = main_classes(record.truth(), record.main())
    ours = confusion_matrix(record.truth(), record.main(), classes)
    assert ours.tolist() == reference_confusion(expected, found, labels=classes).tolist()
    assert ours.sum() == len(record.clips)


def test_of_clips_of_one_label_figures_that_cannot_be_told_say_so(record):
    alone = tuple(clip for clip in record.clips if clip.labels == ("tap",))
    record = replace(record, clips=alone, triggers=("tap",))
    page = evaluation_page(record, draw_pictures(record))
    assert page.count("<dd>n/a</dd>") == 2  # mean AP and false tags
    assert "AP n/a" in page
    assert "nan" not in re.sub(r'="[^"]*"', "", page)
    assert "1.000" not in page
    by_clip = evaluation_summary(record)["by_clip"]
    assert (
        by_clip["mean_average_precision"] is by_clip["false_tags"] is by_clip["f1"]["none"] is None
    )


def test_the_figure_of_a_kind_that_cannot_be_told_is_kept(record, tmp_path):
    record = replace(record, kinds=(KindFigures("rain", 9, 8, np.nan, False, ()),))
    save_record(record, tmp_path / "m.evaluation.json")
    assert '["rain", 9, 8, null, false, []]' in (tmp_path / "m.evaluation.json").read_text()
    [kind] = load_record(tmp_path / "m.evaluation.json").kinds
    assert np.isnan(kind.average_precision)
    assert kind_rows(record)[0][:3] == ("rain", "no", "n/a")


def test_any_of_several_triggers_is_expected():
    expected, found = main_classes(
        [("tap", "whisper"), ("tap", "whisper"), ()], ["whisper", None, "tap"]
    )
    assert expected.tolist() == ["whisper", "tap", "none"]
    assert found.tolist() == ["whisper", "none", "tap"]


def test_the_area_below_a_curve_is_the_average_precision(record):
    held, scores = record.holds("tap"), record.scores_of("tap")
    curve = precision_recall(held, scores, 0.5, record.weights())
    area = -np.sum(np.diff(curve.recall) * curve.precision[:-1])
    assert area == pytest.approx(average_precision_score(held, scores))
    assert curve.average_precision == pytest.approx(area)
    assert curve.average_precision == record.measures().average_precision["tap"]
    assert curve.at_threshold == pytest.approx(
        (np.mean(scores[held] >= 0.5), np.mean(held[scores >= 0.5]))
    )


def test_bins_give_the_calibration_error(record):
    held, scores, weights = record.holds("tap"), record.scores_of("tap"), record.weights()
    bins = reliability(held, scores, weights)
    assert bins.weight.sum() == 60
    assert bins.hits.sum() == held.sum()
    assert bins.error == calibration_error(held, scores, weights)


def test_a_record_comes_back_as_it_was(record, tmp_path):
    path = record_path(tmp_path / "mine.safetensors")
    assert path.name == "mine.evaluation.json"
    save_record(record, path)
    assert load_record(path) == record
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_record_that_cannot_be_written_leaves_the_earlier_one(record, tmp_path, monkeypatch):
    path = tmp_path / "mine.evaluation.json"
    save_record(record, path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("asmr_classify.writers.output.Output._write_all", full)
    with pytest.raises(OutputError, match="the disk is full"):
        save_record(replace(record, model="other@1"), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def damaged(record, tmp_path, change):
    path = tmp_path / "mine.evaluation.json"
    save_record(record, path)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda c: c.update(format=1), id="another version"),
        pytest.param(lambda c: c.pop("labels"), id="a key is missing"),
        pytest.param(lambda c: c.update(labels="tap"), id="labels are no list"),
        pytest.param(lambda c: c.update(clips=[]), id="no clips"),
        pytest.param(lambda c: c.update(triggers=["hum"]), id="an unknown trigger"),
        pytest.param(lambda c: c["clips"][3].pop(), id="a cell is missing"),
        pytest.param(lambda c: c["clips"][3][5].append(0.5), id="a score too many"),
        pytest.param(lambda c: c["clips"][3][5].__setitem__(0, 1.5), id="a score over one"),
        pytest.param(lambda c: c["clips"][3].__setitem__(0, 7), id="a name is no text"),
        pytest.param(lambda c: c.update(columns=["name"]), id="other columns"),
    ],
)
def test_a_damaged_record_is_told(record, tmp_path, change):
    path = damaged(record, tmp_path, change)
    with pytest.raises(EvaluationError, match=r"mine\.evaluation\.json: not a record .*damaged"):
        load_record(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100000, b"7", b"NaN"])
def test_a_file_that_is_no_record_is_told(tmp_path, content):
    path = tmp_path / "mine.evaluation.json"
    path.write_bytes(content)
    with pytest.raises(EvaluationError, match="not a record"):
        load_record(path)


def test_a_record_of_another_model_is_told(record, tmp_path, tiny_model):
    path = tmp_path / "mine.evaluation.json"
    save_record(record, path)
    with pytest.raises(EvaluationError, match=r"is of mine@1\.0 as it was fitted another time"):
        load_record(path, tiny_model)
    save_record(replace(record, digest=tiny_model.digest()), path)
    assert load_record(path, tiny_model).digest == tiny_model.digest()


def test_pictures_are_whole_small_and_the_same_each_time(pictures, record):
    assert [picture.name for picture in pictures] == list(PICTURES)
    for picture in pictures:
        assert ET.fromstring(picture.svg).tag.endswith("svg")  # noqa: S314 (our own)
        assert picture.png.startswith(b"\x89PNG")
        assert len(picture.svg) < 150_000
        assert b"<image" not in picture.svg
    assert draw_pictures(record) == pictures


def test_the_picture_of_confusions_holds_the_counts(record):
    counts = confusion_matrix(record.truth(), record.main(), ["tap", "whisper", "none"])
    texts = [text.get_text().split("\n")[0] for text in draw_confusion(record).axes[0].texts]
    assert texts == [str(count) for count in counts.ravel() if count]


def test_the_area_below_a_drawn_curve_is_its_average_precision(record):
    panel = draw_precision_recall(record).axes[0]
    curve = panel.lines[0]
    recall, precision = curve.get_data()
    held_from = {"steps-post": precision[:-1], "steps-pre": precision[1:]}[curve.get_drawstyle()]
    area = -np.sum(np.diff(recall) * held_from)
    assert panel.get_title(loc="left") == f"tap   AP {area:.3f}"
    assert area == pytest.approx(record.measures().average_precision["tap"])


def test_pictures_are_written_whole(pictures, tmp_path):
    written = save_pictures(pictures, tmp_path / "new" / "folder")
    assert [path.read_bytes() for path in written] == [picture.svg for picture in pictures]
    assert len(list((tmp_path / "new" / "folder").iterdir())) == 2 * len(pictures)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        save_pictures(pictures, tmp_path / "file")


def test_without_matplotlib_the_extra_is_named(record, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'asmr-classify\[plots\]'"):
        draw_pictures(record)


def test_of_two_hundred_labels_those_with_most_clips_are_drawn():
    names = tuple(f"label {k}" for k in range(200))
    clips = tuple(
        JudgedClip(
            f"{k}", f"{k % 9}", "", 2.0, (name,), (name,), tuple(float(n == name) for n in names)
        )
        for k, name in enumerate(names)
    )
    many = EvaluationRecord("many@1", None, names, names, dict.fromkeys(names, 0.5), clips)
    assert draw_confusion(many).axes[0].get_xlim() == (0, 20)
    assert len(draw_precision_recall(many).axes) == len(draw_reliability(many).axes) == 12


class Page(HTMLParser):
    """Collect what a browser would make of a page."""

    VOID = ("meta",)

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def page(record, pictures):
    return evaluation_page(record, pictures)


def test_the_page_is_sound_and_loads_nothing(page):
    parsed = Page(page)
    assert parsed.open == []
    assert not {"script", "link", "img", "image", "iframe", "object", "a"} & set(parsed.tags)
    for name, value in parsed.attributes:
        assert not name.startswith("on")
        if name.endswith("href") or name == "src":
            assert value.startswith("#")
    assert not re.search(r"url\((?!#)|@import", page)
    ids = [value for name, value in parsed.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    used = re.findall(r'(?:href="|url\()#([^")]+)', page)
    assert used
    assert set(used) <= set(ids)


def test_hostile_names_are_only_text(page):
    text = "".join(Page(page).text)
    assert legible(HOSTILE) in text
    assert "<script" not in page
    assert "\x1b" not in page
    page.encode("utf-8")


def test_the_page_holds_the_figures(page, record):
    text = "".join(Page(page).text)
    measures = record.measures()
    assert f"{measures.mean_average_precision:.3f}" in text
    assert f"{measures.f1['whisper']:.3f}" in text
    worst = worst_mistakes(record)[0]
    assert legible(worst.clip.name) in text


def test_labels_without_clips_and_clips_without_triggers_are_no_fault():
    """All clips hold a trigger, and one label is held by none."""
    clip = JudgedClip("a", "g", "", 2.0, ("tap",), (), (0.0, 0.0))
    lonely = EvaluationRecord(
        "m@1", None, ("tap", "hum"), ("tap",), {"tap": 0.5, "hum": 0.5}, (clip, clip)
    )
    evaluation_page(lonely, draw_pictures(lonely)).encode()
    summary = evaluation_summary(lonely)
    assert summary["by_clip"]["false_tags"] is None
    assert summary["average_precision"]["hum"] is None
    json.dumps(summary, allow_nan=False)


def test_sources_add_up(record):
    sources = source_figures(record)
    assert sum(source.n_clips for source in sources) == len(record.clips)
    assert sum(source.n_errors for source in sources) == len(worst_mistakes(record))
    assert sources[0].n_errors == max(source.n_errors for source in sources)


def spoilt(clip, k):
    """All scores of one maker are turned round, and every other one of another."""
    wrong = clip.group == "maker 1" or (clip.group == "maker 2" and k % 2)
    scores = tuple(1 - score for score in clip.scores) if wrong else clip.scores
    return replace(clip, scores=scores, tags=() if wrong else clip.tags)


def test_the_costliest_sources_are_left_out_one_after_another(record):
    record = replace(record, clips=tuple(spoilt(c, k) for k, c in enumerate(record.clips)))
    left = list(record.clips)
    found = costliest_sources(record, 2)
    assert [source.group for source in found] == ["maker 1", "maker 2"]
    for source in found:
        assert source.n_clips == sum(clip.group == source.group for clip in left)
        left = [clip for clip in left if clip.group != source.group]
        rest = replace(record, clips=tuple(left)).measures()
        assert source.average_precision == pytest.approx(rest.average_precision)
        assert source.mean_average_precision == pytest.approx(rest.mean_average_precision)


def test_a_source_is_left_out_only_where_others_hold_its_triggers(record):
    only = [clip for clip in record.clips if clip.group == "maker 1" or "tap" not in clip.labels]
    alone = replace(record, clips=tuple(only))
    assert "maker 1" not in {source.group for source in costliest_sources(alone, 9)}
    one_group = replace(record, clips=tuple(c for c in only if c.group == "maker 1"))
    assert costliest_sources(one_group, 9) == []


def test_figures_are_told_by_how_many_clips_alike_others_hold(record):
    own = [replace(clip, finer=clip.group) for clip in record.clips[:20]]  # of no other group
    mixed = replace(record, clips=(*own, *record.clips[20:]))
    head, (everything, *rest) = familiar_rows(mixed)
    assert head[-1] == "recall of whisper"
    assert everything[:2] == ("0 or more", "60")
    assert float(everything[2]) == round(record.measures().mean_average_precision, 3)
    assert rest
    known = replace(record, clips=record.clips[20:]).measures()
    least, n_clips, mean_ap, macro_f1, false_tags, *_ = rest[0]
    assert (least, n_clips) == ("3 or more", "40")
    figures = (known.mean_average_precision, known.macro_f1, known.false_tags)
    assert (mean_ap, macro_f1, false_tags) == tuple(f"{figure:.3f}" for figure in figures)


def test_figures_that_cannot_be_told_are_left_out(record):
    alone = replace(record, clips=tuple(replace(c, finer=c.group) for c in record.clips))
    assert [row[0] for row in familiar_rows(alone)[1]] == ["0 or more"]


def test_what_the_figures_hang_on_stands_on_the_page(page, record):
    text = "".join(Page(page).text)
    head, rows = costliest_rows(record)
    assert head[-2:] == ("tap", "whisper")
    assert rows
    for row in rows:
        assert legible(row[0]) in text
        assert all(figure in text for figure in row[2:])


def test_false_tags_are_those_of_clips_without_a_trigger(record):
    ((finer, total, taken),) = false_tags(record)
    clear = [clip for clip in record.clips if clip.labels == ("music",)]
    assert (finer, total) == ("music", len(clear))
    assert sum(taken.values()) == sum(bool(clip.tags) for clip in clear)
    assert record.measures().false_tags == pytest.approx(sum(taken.values()) / total)


def test_the_surest_errors_come_first(record):
    mistakes = worst_mistakes(record)
    distances = [mistake.distance for mistake in mistakes]
    assert distances == sorted(distances, reverse=True)
    assert all(mistake.expected != mistake.found for mistake in mistakes)


def test_rows_of_labels_hold_the_measures(record):
    rows = {row[0]: row for row in label_rows(record)}
    measures = record.measures()
    assert rows["tap"][5] == f"{measures.average_precision['tap']:.3f}"
    assert rows["tap"][7] == f"{measures.recall['tap']:.3f}"
    assert rows["music"][6] == ""
