"""How a video looks, as figures and verdicts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.check import CheckResult, Judged, check_file
from asmr_classify.check.figures import SEEN, FigureName, take_figures
from asmr_classify.check.limits import Verdict, judge, load_limits, parse_limits
from asmr_classify.check.listener import Measured
from asmr_classify.check.record import check_to_record
from asmr_classify.classify import label_file
from asmr_classify.cli.check_view import check_view
from asmr_classify.errors import DecodeError
from asmr_classify.visual.look import look
from asmr_classify.visual.seen import Light, LightLevel, Picture, Visual
from tests.catalogue.results import seen
from tests.media.make_media import RECIPES, tone, write_media

BRIGHT = Light(LightLevel.BRIGHT, 0.8, 0.9, 0.3)


def checked(limits=None, **changes):
    """The check of a video without sound."""
    result = FileResult("a.mp4", Status.NO_AUDIO, "tiny@0.1", **changes)
    limits = load_limits() if limits is None else limits
    figures = take_figures(Measured.nothing(), result).figures
    return CheckResult(result, tuple(Judged(figure, judge(figure, limits)) for figure in figures))


def verdicts(result):
    return {judged.figure.name.value: judged.verdict for judged in result.figures[1:]}


@pytest.mark.parametrize(
    ("visual", "light", "flashes"),
    [
        pytest.param(seen(), Verdict.OK, Verdict.OK, id="calm and dark"),
        pytest.param(seen(light=BRIGHT), Verdict.WARN, Verdict.OK, id="bright"),
        pytest.param(seen(flashes=3), Verdict.OK, Verdict.OK, id="at the limit"),
        pytest.param(seen(flashes=4), Verdict.OK, Verdict.FAIL, id="flashes"),
        pytest.param(seen(light=None, flashes=None), None, None, id="not measured"),
    ],
)
def test_light_warns_and_flashes_fail(visual, light, flashes):
    result = checked(visual=visual)
    assert verdicts(result) == {"picture": None, "light": light, "flashes": flashes}
    assert result.value(FigureName.PICTURE) == "video"


def test_a_still_picture_is_told_and_judged_only_on_request():
    still = Visual(Picture.STILL, light=BRIGHT, flashes=0)
    assert verdicts(checked(visual=still))["picture"] is None
    mine = parse_limits('[picture]\nwarn = ["still"]', "mine")
    assert verdicts(checked(mine, visual=still))["picture"] is Verdict.WARN
    assert verdicts(checked(mine, visual=seen()))["picture"] is Verdict.OK


@pytest.mark.parametrize("visual", [None, Visual(Picture.NONE), Visual(Picture.COVER)])
def test_what_is_only_heard_has_no_figures_of_the_picture(visual):
    assert verdicts(checked(visual=visual)) == {}


def shown(result):
    console = Console(width=100)
    with console.capture() as capture:
        console.print(check_view(result, load_limits(), width=console.width))
    return " ".join(capture.get().split())


def test_the_table_tells_of_the_picture():
    text = shown(checked(visual=seen(flashes=12, light=BRIGHT)))
    assert "light 0.800 of white warn over 0.1125 WARN" in text
    assert "most flashes 12 in a second fail over 3 FAIL" in text


def test_a_picture_that_cannot_be_seen_is_told_and_not_measured():
    result = checked(visual_error=Problem("DecodeError", "a.mp4: the picture is damaged"))
    assert verdicts(result) == dict.fromkeys(SEEN)
    assert "the picture is damaged" in shown(result)
    assert "not measured: picture, light, most flashes" in shown(result)


@pytest.fixture
def video(tmp_path):
    recipe = RECIPES["mp4"]
    y = tone(1.0, recipe.sr, n_channels=2)
    return str(write_media(tmp_path / "a.mp4", y, recipe, video_duration=2.0))


def test_a_video_is_looked_at_after_it_was_listened_to(video, tiny_model):
    result = check_file(video, model=tiny_model)
    assert result.labels == replace(label_file(video, model=tiny_model), visual=look(video))
    assert result.value(FigureName.LIGHT) == result.labels.visual.light.median > 0
    assert result.value(FigureName.TRUE_PEAK) is not None
    record = check_to_record(result)
    assert list(record["figures"]) == [name.value for name in FigureName]


def test_who_only_listens_looks_at_nothing(video, tiny_model, monkeypatch):
    monkeypatch.setattr("asmr_classify.visual.look.look", None)
    result = check_file(video, model=tiny_model, video=None)
    assert result.labels == label_file(video, model=tiny_model)
    assert not {judged.figure.name for judged in result.figures} & set(SEEN)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        pytest.param(DecodeError("a.mp4", "damaged"), "DecodeError", "a.mp4: damaged", id="media"),
        pytest.param(ZeroDivisionError("x"), "ZeroDivisionError", "unexpected error", id="other"),
    ],
)
def test_the_picture_never_costs_the_sound(video, tiny_model, monkeypatch, error, kind, message):
    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr("asmr_classify.visual.look.look", fail)
    result = check_file(video, model=tiny_model)
    assert result.labels.visual_error.kind == kind
    assert message in result.labels.visual_error.message
    assert result.value(FigureName.TRUE_PEAK) is not None
    assert result.value(FigureName.FLASHES) is None
