"""What ``docs/review.md`` says is true: its keys and orders, and its pictures are there."""

from __future__ import annotations

import os
import re
import shlex
import shutil

import pytest
from typer.testing import CliRunner

from asmr_classify.catalogue import Catalogue, default_path, parse_query
from asmr_classify.cli.app import app
from asmr_classify.review import Order
from tests.conftest import DEMO, ROOT

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


@pytest.fixture
def listener(monkeypatch):
    """Answers all that is asked, by the names of the demo clips."""

    def serve(session, _place, *, on_address, work):  # noqa: ARG001 (as it is called)
        session.add_label("keys")
        for number in range(len(session)):
            name = os.path.basename(session.stretch(number).path)  # noqa: PTH119
            labels = [x for x in ("tap", "whisper", "crinkle", "keys") if x in name]
            session.answer(number, labels, "tab")

    monkeypatch.setattr("asmr_classify.review.serve", serve)


@pytest.mark.usefixtures("listener")
def test_the_whole_way_leads_to_a_model_that_knows_a_new_label(tmp_path, monkeypatch):
    for name in ("HOME", "USERPROFILE", "XDG_DATA_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "asmr").mkdir()
    for name in ("tap-keys", "tap-wood", "whisper-slow", "crinkle-paper", "noise-fan"):
        shutil.copy(DEMO / f"{name}.flac", tmp_path / "asmr")
    way = re.search(r"## The whole way.*?```sh\n(.*?)```", GUIDE, re.DOTALL)[1]
    told = []
    for line in way.splitlines():
        _, *arguments = shlex.split(line)
        done = CliRunner().invoke(app, [*map(os.path.expanduser, arguments)])
        assert done.exit_code == 0, (line, done.output)
        told.append(done)
    assert len(told) == 4
    assert "5 answers kept" in told[1].stderr
    assert "asmr-classify teach --output mine.safetensors" in told[1].stderr
    assert "keys" not in told[0].stdout.replace("tap-keys", "")
    assert re.search(r"^keys .* new", told[2].stdout, re.MULTILINE)
    with Catalogue.open(default_path()) as known:
        results = known.find(parse_query(""))
        assert {(x.model, "keys" in x.scores) for x in results} == {("mine@1.0.0", True)}
