from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmr_classify.errors import TemplateError
from asmr_classify.library.template import FIELDS, Subject, Template
from tests.catalogue.results import seen
from tests.library.worlds import heard

RESULT = heard(
    "in/rain.mp3",
    "tap",
    tags=("tap", "whisper"),
    kinds={"rain": 0.9, "page_turn": 0.8},
    visual=seen(),
)


def fill(template, result=RESULT, name="rain.mp3", folder="in"):
    place = Template.parse(template).fill(Subject(result, folder, name, 10**9))
    return "/".join([*place.folders, place.stem])


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{trigger}/{stem} [{tags}].{ext}", "tap/rain [tap, whisper]"),
        ("{kind}/{stem} ({kinds}).{ext}", "rain/rain (rain, page_turn)"),
        ("{visual}/{light}/{stem} [{picture}].{ext}", "slow/dark/rain [video]"),
        ("{name}", "rain"),
        ("x {name}", "x rain"),
        ("{score:.2f} {scores.whisper} {shares.tap:.0%}.{ext}", "0.90 0.25 50%"),
        ("{length} {duration:05d}/{talk}, {status}.{ext}", "1m03s 00063/no talking, ok"),
        ("{{{parent}}} {year}/{date:%Y-%m}.{ext}", "{in} 2001/2001-09"),
        ("{scores.music|none}/{model}.{ext}", "none/tiny@0.1"),
        ("{stem}.{ext}.{ext}", "rain.mp3"),
    ],
)
def test_templates_are_filled(template, path):
    assert fill(template) == path


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_has_a_description_and_fills(field):
    assert len(FIELDS[field][0]) > 5
    assert fill(f"{{{field}}}/{{name}}")


def test_a_missing_value_takes_its_default_or_is_told():
    silent = heard("a.wav", None, no_talking=None)
    assert fill("{trigger|none}/{talk|?}.{ext}".replace("?", "-"), silent) == "none/-"
    with pytest.raises(ValueError, match=r"has no trigger: give a default .* \{trigger\|none\}"):
        fill("{trigger}/{name}", silent)
    assert fill("{kind|none}/{kinds|-}.{ext}", silent) == "none/-"
    with pytest.raises(ValueError, match=r"has no kinds: give a default .* \{kinds\|none\}"):
        fill("{kinds}/{name}", silent)
    assert fill("{visual|-} {light|-} {picture|-}.{ext}", silent) == "- - -"
    with pytest.raises(ValueError, match=r"has no visual: give a default .* \{visual\|none\}"):
        fill("{visual}/{name}", silent)
    with pytest.raises(ValueError, match=r"has no scores.music"):
        fill("{scores.music}.{ext}", silent)


@pytest.mark.parametrize(
    ("template", "column", "message"),
    [
        ("{tag}/{name}", 1, "no field 'tag'; did you mean 'tags'\\? Fields: trigger, tags"),
        ("{x.y}/{name}", 1, "no field 'x'"),
        ("{scores}/{name}", 1, "scores wants a label, as in {scores.whisper}"),
        ("{scores.}/{name}", 1, "scores wants a label, as in {scores.whisper}"),
        (
            "{kinds.typing}/{name}",
            1,
            "kinds takes no label: write {kinds}; labels have {scores.LABEL} and {shares.LABEL}",
        ),
        ("{trigger.}/{name}", 1, "trigger takes no label: write {trigger};"),
        ("{}/{name}", 1, "no field ''"),
        ("a}b/{name}", 1, "a lone }; double it"),
        ("a{b/{name}", 1, "a lone {; double it"),
        ("/abs/{name}", 0, "names must lie below the root"),
        ("~/x/{name}", 0, "names must lie below the root"),
        ("C:/x/{name}", 0, "names must lie below the root"),
        ("\\\\host/{name}", 0, "names must lie below the root"),
        ("a/../{name}", 3, "a part of the path is empty, or only dots"),
        ("./{name}", 0, "a part of the path is empty, or only dots"),
        ("a//{name}", 1, "a part of the path is empty, or only dots"),
        ("a/", 1, "a part of the path is empty, or only dots"),
        ("", 0, "a part of the path is empty, or only dots"),
        ("a\\b/{name}", 1, "cannot be in a name: write / between folders"),
        ("ab:c/{name}", 2, "':' cannot be in a name"),
        ("{trigger}/{stem}", 15, "end in .{ext} or {name}"),
        ("{trigger}.{ext}/x", 16, "end in .{ext} or {name}"),
        ("x/.{ext}", 2, "nothing stands before the ending"),
        ("{stem:.2f}.{ext}", 6, "not a format of this field"),
        ("{score:99999999f}.{ext}", 7, "not a format of this field"),
        ("{date:%s}.{ext}", 6, "not a format of this field"),
        ("{trigger|a:b}.{ext}", 9, "a default must be safe in a name"),
    ],
)  # fmt: skip
def test_a_wrong_template_shows_where(template, column, message):
    message = message if "\\" in message else message.translate({ord(c): f"\\{c}" for c in "{}.[]"})
    with pytest.raises(TemplateError, match=message) as caught:
        Template.parse(template)
    assert str(caught.value).splitlines()[-1].index("^") == column + 2


def test_a_label_that_nobody_tells_of_is_told():
    template = Template.parse("{scores.whispr|none}/{shares.tap}.{ext}")
    message = (
        "--to: {scores.whispr}: no label 'whispr'; did you mean 'whisper'? Labels: tap, whisper"
    )
    with pytest.raises(TemplateError, match=re.escape(message)):
        template.check_labels(["tap", "whisper"], option="--to")
    template.check_labels(["tap", "whispr"], option="--to")
    template.check_labels([], option="--to")  # where all have failed


@pytest.mark.parametrize("stem", ["..", ".", " ", "...", "a/b", "../../etc/passwd", "a\\b", "/x"])
@pytest.mark.parametrize("template", ["{stem}/{name}", "{trigger}/{stem}.{ext}", "{parent}/{name}"])
def test_values_never_climb(stem, template):
    try:
        place = Template.parse(template).fill(Subject(heard("x", stem), stem, f"{stem}.mp3", 0))
    except ValueError:
        return
    for folder in place.folders:
        assert "/" not in folder
        assert folder.strip(". ")


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        Template.parse(text)
    except TemplateError as exc:
        assert "^" in str(exc)  # noqa: PT017 (the rest is free)
