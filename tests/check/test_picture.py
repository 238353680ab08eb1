"""How a video looks, as figures and verdicts."""

from __future__ import annotations

import pytest
from rich.console import Console

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.check import CheckResult, Judged
from asmr_classify.check.figures import SEEN, FigureName, take_figures
from asmr_classify.check.limits import Verdict, judge, load_limits, parse_limits
from asmr_classify.check.listener import Measured
from asmr_classify.cli.check_view import check_view
from asmr_classify.visual.seen import Light, LightLevel, Picture, Visual
from tests.catalogue.results import seen

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
        console.print(check_view(result, load_limits()))
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
