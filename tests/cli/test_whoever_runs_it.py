"""The program runs for users without a home, whose packages may only be read.

So do services and containers run it. What it would like to keep is not kept then; what it must
keep has to be given a place, which it says.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from asmr_classify.model import load_model
from tests.conftest import DEMO, ROOT

pytestmark = pytest.mark.skipif(os.name != "posix", reason="homes and users of POSIX")

NOBODY = 65534
NEVER_HEARD_OF = 54321
"""Of whom the system knows no name and no home, as in a container with ``--user``."""

KEPT_FROM_US = ("HOME", "XDG_", "ASMR_CLASSIFY_", "MPLCONFIGDIR", "NUMBA_", "PYTHON")
QUICK = ["--members", "1", "--copies", "0", "--scenes", "0", "--rounds", "5", "--jobs", "2"]
CLIPS = ("tap-wood.flac", "whisper-slow.flac", "noise-fan.flac")

PROBE = "import asmr_classify.cli.app, asmr_classify.classify, joblib, sklearn, matplotlib"


@pytest.fixture(scope="module")
def common():
    """A folder that everybody may look into; pytest's own are for its user alone."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def python_of_all(common):
    """A Python with the program that everybody may run and that its owner alone may write to."""
    if os.geteuid() != 0:
        pytest.skip("only root can run a program as another user")
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    known = [os.path.realpath(sys.executable), shutil.which(name, path="/usr/local/bin:/usr/bin")]
    why = "there is none"
    for k, base in enumerate(filter(None, known)):
        python = install(common / f"installed-{k}", base)
        done = start([python, "-c", PROBE], NOBODY, common, {})
        if done is None or done.returncode:
            why = "permission denied" if done is None else done.stderr.splitlines()[-1]
        else:
            return python
    return pytest.skip(f"no {platform.python_version()} that another user may run: {why}")


def install(folder, base, program=ROOT):
    """Make a virtual environment that finds what is installed here; return its Python."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    here = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (packages / "here.pth").write_text("\n".join([str(program), *here]))
    (folder / "pyvenv.cfg").write_text(f"home = {Path(base).parent}\n")
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(base)
    return str(folder / "bin" / "python")


def start(arguments, user, directory, environment):
    """Run a program as a user; None where that may not."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(KEPT_FROM_US)}
    other = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    try:
        return subprocess.run(
            list(map(str, arguments)),
            cwd=directory,
            env={**kept, "COLUMNS": "100", **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            **other,
        )
    except PermissionError:
        return None


class Person:
    """Runs the program in a folder of its own, with the home that it has, if any."""

    def __init__(self, python, folder, user, environment):
        self.python = python
        self.folder = folder
        self.user = user
        self.environment = environment
        folder.mkdir()
        for name in (*CLIPS, "manifest.csv"):
            shutil.copy(DEMO / name, folder)
        self.given = set(folder.iterdir())
        if user is not None:
            os.chown(folder, user, user)

    def __call__(self, *arguments, **environment):
        return self.runs("-m", "asmr_classify", *arguments, **environment)

    def runs(self, *arguments, **environment):
        both = {**self.environment, **environment}
        return start([self.python, *arguments], self.user, self.folder, both)

    def wrote(self):
        return {path.name for path in set(self.folder.iterdir()) - self.given}


HOMES = ("none", "no home", "another's home", "a file", "nowhere")


def home_called(name, common):
    """Give the user and the environment of a home that is of no use."""
    file, others = common / "a-file", common / "others"
    file.touch()
    others.mkdir(mode=0o700, exist_ok=True)
    kinds = ("CACHE", "CONFIG", "DATA", "STATE")
    at_a_file = {f"XDG_{kind}_HOME": str(file) for kind in kinds}
    return {
        "none": (NEVER_HEARD_OF, {}),
        "no home": (NOBODY, {"HOME": "/nonexistent"}),
        "another's home": (NOBODY, {"HOME": str(others)}),
        "a file": (NOBODY, {"HOME": str(file), **at_a_file}),
        "nowhere": (NOBODY, {"HOME": "", **{f"XDG_{kind}_HOME": "/no/where" for kind in kinds}}),
    }[name]


@pytest.fixture
def person(request, python_of_all, common):
    """Another user, with the home that a test asks for."""
    folder = Path(tempfile.mkdtemp(dir=common)) / "work"
    folder.parent.chmod(0o755)
    return Person(python_of_all, folder, *home_called(request.param, common))


@pytest.fixture
def we(common, tmp_path):
    """Whoever runs the tests, with a home that is a file."""
    environment = {"PYTHONPATH": str(ROOT), **home_called("a file", common)[1]}
    return Person(sys.executable, tmp_path / "work", None, environment)


def said(done):
    """What was said, but for how far it is, of which a busy machine hears."""
    return [line for line in done.stderr.splitlines() if "x real time" not in line]


def check_all(run):
    """Use all that needs no place to keep something."""
    check_label(run)
    done = run("check", *CLIPS, "--json")
    figures = [json.loads(line)["figures"] for line in done.stdout.splitlines()]
    assert [x["channels"]["value"] for x in figures] == ["mono"] * 3
    done = run("report", *CLIPS, "--output", "page.html")
    assert (done.returncode, said(done)) == (0, ["page.html: 3 files, 0.1 MB"])
    assert run.wrote() == {"page.html"}


def check_label(run):
    done = run("label", *CLIPS, "--format", "jsonl", "--quiet", "--jobs", "2")
    assert (done.returncode, done.stderr) == (0, "")
    triggers = {r["path"]: r["trigger"] for r in map(json.loads, done.stdout.splitlines())}
    assert triggers == dict(zip(CLIPS, ("tap", "whisper", "white_noise"), strict=True))


def check_train(run):
    for name in DEMO.glob("*.flac"):
        shutil.copy(name, run.folder)
        run.given.add(run.folder / name.name)
    done = run("train", "manifest.csv", "--output", "mine.safetensors", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "features are not kept for the next run (" in done.stderr
    assert load_model(run.folder / "mine.safetensors").id == "mine@1.0.0"
    assert "![" in (run.folder / "mine.md").read_text()
    beside = {"mine.safetensors", "mine.md", "mine.evaluation.json", "mine.figures"}
    assert run.wrote() == beside


@pytest.mark.parametrize("person", HOMES, indirect=True)
def test_labels_checks_and_reports_need_no_home(person):
    check_all(person)


def test_labels_checks_and_reports_need_no_home_of_ours(we):
    check_all(we)


@pytest.mark.parametrize("person", ["none"], indirect=True)
def test_a_folder_that_may_not_be_read_is_told_and_others_are_watched(person):
    for name, mode in (("mine", 0o755), ("locked", 0o700)):
        folder = person.folder / name
        folder.mkdir()
        folder.chmod(mode)  # it belongs to whoever runs the tests
        shutil.copy(DEMO / CLIPS[0], folder)
    arguments = ["mine", "locked", "--once", "--settle", "1s", "--json", "--catalogue", "c.sqlite"]
    done = person("watch", *arguments)
    assert [json.loads(line)["trigger"] for line in done.stdout.splitlines()] == ["tap"]
    assert "locked: cannot be read" in done.stderr


@pytest.mark.parametrize("person", ["none"], indirect=True)
def test_training_needs_no_home(person):
    check_train(person)
    done = person("evaluate", "manifest.csv", "--output", "p.jsonl", "--quiet", *QUICK)
    assert done.returncode == 0, done.stderr
    of_home = [line for line in done.stderr.splitlines() if "small labels" not in line]
    assert of_home[0].startswith("by clip: mean AP"), done.stderr


def test_training_needs_no_home_of_ours(we):
    check_train(we)


@pytest.mark.parametrize("person", ["no home", "a file"], indirect=True)
def test_other_filterbanks_than_those_that_are_kept_can_be_made(person):
    settings = {"sr": 32000, "n_fft": 512, "n_mels": 20, "fmin": 100.0, "fmax": 15000.0}
    script = (
        "from asmr_classify.features.filterbanks import mel_filterbank\n"
        f"print(mel_filterbank(**{settings!r}).shape)"
    )
    done = person.runs("-c", script)
    assert (done.stdout, done.stderr) == ("(20, 257)\n", "")
    assert person.wrote() == set()


@pytest.mark.parametrize("person", ["no home"], indirect=True)
def test_a_catalogue_that_may_only_be_read_is_read(person):
    known = person.folder.parent / "known.sqlite"
    assert person("label", CLIPS[0], "--catalogue=known.sqlite").returncode == 0
    os.chown(shutil.move(person.folder / "known.sqlite", known), 0, 0)
    content = known.read_bytes()
    environment = {"ASMR_CLASSIFY_CATALOGUE": str(known)}
    for what, count in (([CLIPS[0], CLIPS[1]], "2 files"), (["tap"], "1 file")):
        done = person("report", *what, "--output", "page.html", **environment)
        assert (done.returncode, said(done)) == (0, [f"page.html: {count}, 0.1 MB"])
    assert person("check", "tap", **environment).returncode == 0
    assert known.read_bytes() == content
    done = person("label", CLIPS[1], "--catalogue", **environment)
    assert (done.returncode, "it may only be read" in done.stderr) == (1, True)


@pytest.mark.parametrize("person", ["none", "another's home", "a file"], indirect=True)
def test_what_must_be_kept_is_kept_where_the_environment_says(person):
    clip = CLIPS[0]
    for arguments in (["label", clip, "--catalogue"], ["find", "tap"]):
        done = person(*arguments)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert "catalogue" in done.stderr
        assert "fault of the program" not in done.stderr
    assert person("label", clip, "--catalogue").stderr.rstrip().endswith("ASMR_CLASSIFY_CATALOGUE")
    os.chown(person.folder / clip, person.user, person.user)
    done = person("tag", clip, "--yes")
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("ASMR_CLASSIFY_STATE")
    assert person.wrote() == set()
    places = {"ASMR_CLASSIFY_CATALOGUE": "known.sqlite", "ASMR_CLASSIFY_STATE": "state"}
    assert person("label", clip, "--catalogue", **places).returncode == 0
    assert clip in person("find", "tap", **places).stdout
    assert person("tag", clip, "--yes", **places).returncode == 0
    assert person("undo", "--yes", **places).returncode == 0
    assert person.wrote() == {"known.sqlite", "state"}


def test_what_the_image_holds_runs_as_its_user(common, python_of_all):
    """The steps of the Dockerfile, without Docker."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    extras = re.search(r'pip install .*"\.\[(.*)\]"', text)[1].split(",")
    assert {"cloud", "dask"} <= set(extras)  # what its cluster reads and runs on
    source, built = common / "source", common / "built"
    source.mkdir()
    for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
        *names, target = line.split()
        for name in names:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, source / target)
            else:
                shutil.copy(ROOT / name, source / target)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(built)]
    subprocess.run([*pip, str(source)], check=True, capture_output=True)
    shutil.rmtree(source)
    user, group = map(int, re.search(r"^USER (\d+):(\d+)$", text, re.MULTILINE).groups())
    assert user == group != 0
    base = os.path.realpath(python_of_all)
    python = install(common / "image", base, built)
    program = [python, "-m", json.loads(re.search(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)[1])[0]]
    program[-1] = program[-1].replace("-", "_")
    where = "import asmr_classify as a; print(a.__file__)"
    assert start([python, "-c", where], user, common, {}).stdout.startswith(str(built))
    done = start([*program, "label", DEMO / "tap-wood.flac", "--json"], user, "/", {})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trigger"] == "tap"
