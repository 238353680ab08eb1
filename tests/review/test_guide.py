"""What ``docs/review.md`` says is true: its keys and orders, and its pictures are there."""

from __future__ import annotations

import re

from asmr_classify.review import Order
from tests.conftest import ROOT

GUIDE = (ROOT / "docs" / "review.md").read_text(encoding="utf-8")


def test_its_pictures_are_kept_and_small():
    names = ["".join(groups) for groups in re.findall(r'\]\((\S+\.png)\)|src="(\S+\.png)"', GUIDE)]
    assert len(names) == 3
    for name in names:
        assert 10_000 < (ROOT / "docs" / name).stat().st_size < 300_000, name


def test_its_keys_are_those_of_the_page():
    page = (ROOT / "asmr_classify/review/assets/review.html.j2").read_text("utf-8")
    helped = page[page.index('<dialog id="help"') :]
    keys = set(re.findall(r"<kbd>(.*?)</kbd>", helped))
    table = GUIDE[GUIDE.index("| key |") : GUIDE.index("An answer tells")]
    assert keys == set(re.findall(r"`(.+?)`", table))


def test_its_orders_are_those_of_the_program():
    table = GUIDE[GUIDE.index("| `--order` |") : GUIDE.index("`--similar")]
    named = re.findall(r"^\| `([a-z]+)(?:=tap)?` \|", table, re.MULTILINE)
    assert named == [order.value for order in Order]
