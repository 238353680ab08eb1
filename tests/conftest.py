"""What tests of several packages share."""

from __future__ import annotations

import itertools
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

# Tests run side by side, a process a core: threads within them would wait for each other, and more
# than one worker process would only take longer to start, so tests that want several say so.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("LOKY_MAX_CPU_COUNT", "1")

# Where a machine tells Python to keep nothing that it compiled, each of the many processes that
# tests start would compile the whole package anew, a quarter of a second.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import settings

from asmr_classify.batch.isolate import Outcome, do_safely
from asmr_classify.config import DecisionSpec, FeatureSpec
from asmr_classify.estimators import Ensemble, Network
from asmr_classify.features.schema import column_names, fingerprint
from asmr_classify.model import Model
from tests.report.browser import find_chromium, launch

if TYPE_CHECKING:
    from asmr_classify.features.encoder import Encoder

# How long an example takes hangs on what else the machine is doing.
settings.register_profile("whatever it takes", deadline=None)
settings.load_profile("whatever it takes")

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "data" / "demo"

Cases = TypeVar("Cases")


def sample_of(whole: Cases, usual: Cases) -> Cases:
    """Give the cases to go through: the whole of them only where ``ASMR_SWEEP`` is set."""
    return whole if os.environ.get("ASMR_SWEEP") else usual


@pytest.fixture(autouse=True)
def interrupts_heard():
    """Let interrupts reach each test and what it starts, though the tests be run ignoring them.

    A shell starts so what a script puts into the background, and programs inherit it.
    """
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def homes(tmp_path_factory):
    """Folders, one after the other; pytest looks through all earlier ones to make one."""
    parent = tmp_path_factory.mktemp("homes")
    return (parent / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def home_of_its_own(homes, monkeypatch):
    """No test reads or writes the catalogue and the journals of whoever runs it."""
    folder = next(homes)
    folder.mkdir()
    monkeypatch.setenv("ASMR_CLASSIFY_CATALOGUE", str(folder / "catalogue.sqlite"))
    monkeypatch.setenv("ASMR_CLASSIFY_STATE", str(folder / "state"))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240229)


def shared_folder() -> Path:
    """Where a corpus and media files lie that are not part of the project, if anywhere."""
    return Path(os.environ.get("ASMR_SHARED", ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with a corpus and media files that are not part of the project."""
    folder = shared_folder()
    if not (folder / "corpus" / "manifest.csv").is_file():
        pytest.skip("no shared corpus beside the project")
    return folder


@pytest.fixture(scope="session")
def tiny_model() -> Model:
    """A valid model with random weights, three labels, and nothing learnt."""
    rng = np.random.default_rng(1)
    spec = FeatureSpec()
    n_features, labels = len(column_names(spec)), ("tap", "whisper", "speech")
    network = Network(
        weights=(
            rng.standard_normal((n_features, 4)).astype(np.float32) * np.float32(0.1),
            rng.standard_normal((4, len(labels))).astype(np.float32),
        ),
        biases=(np.zeros(4, dtype=np.float32), np.zeros(len(labels), dtype=np.float32)),
    )
    straight = np.tile(np.array([[1.0], [0.0]], dtype=np.float32), (1, len(labels)))
    return Model(
        name="tiny",
        version="0.1",
        labels=labels,
        thresholds=dict.fromkeys(labels, 0.5),
        features=spec,
        fingerprint=fingerprint(spec),
        decision=DecisionSpec(),
        ensemble=Ensemble(
            mean=np.zeros(n_features, dtype=np.float32),
            scale=np.full(n_features, 20, dtype=np.float32),
            networks=(network,),
        ),
        calibration=straight,
    )


@pytest.fixture(scope="session")
def coded_model(tiny_model) -> Model:
    """The same with an encoder of random weights, and what its codes tell."""
    from asmr_classify.training.convolution import TrainedNetwork
    from asmr_classify.training.spec import EncoderSpec

    rng, n_mels = np.random.default_rng(2), tiny_model.features.frames.n_mels
    small = EncoderSpec(width=2, texture_width=3, codes=5)
    network = TrainedNetwork(n_mels, (len(tiny_model.labels),), small, rng)
    coded = network.heads[0].network().scaled(2.0)
    encoder = with_large_codes(network.encoder(n_mels))
    ensemble = replace(tiny_model.ensemble, encoder=encoder, coded=coded)
    return replace(tiny_model, ensemble=ensemble)


def with_large_codes(encoder: Encoder) -> Encoder:
    """Let an encoder that was not trained say as much as one that was."""
    gain = np.float32(np.sqrt(6))
    layers = tuple(replace(layer, weight=layer.weight * gain) for layer in encoder.layers)
    return replace(encoder, layers=layers)


@pytest.fixture
def in_this_process(monkeypatch):
    """Let runs do without workers, so that what they call can be replaced."""

    def iter_here(finds, task, _n_jobs, *, recall, stop, on_decoded, **_):
        for found in finds:
            if stop.is_set():
                return
            known = recall(found)
            if isinstance(known, Outcome) and not task.lacks(known.result):
                yield known
                continue
            known = known.result if isinstance(known, Outcome) else known
            yield do_safely(found, task, on_decoded, known=known)

    monkeypatch.setattr("asmr_classify.batch.iter_parallel", iter_here)


@pytest.fixture(scope="session")
def storage_server():
    """An S3 server in a process of its own, see :mod:`tests.storage`."""
    from tests.storage import running

    with running() as server:
        yield server


@pytest.fixture
def storage(storage_server, monkeypatch):
    """The S3 server, which this process and those that it starts are told to use; no faults."""
    import s3fs

    for name, value in storage_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 3)  # with a tenth of a second between
    storage_server.recover()
    return storage_server


@pytest.fixture(scope="module")
def browser():
    """A real Chromium; where there is none, what needs it is skipped."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium: install Debian's chromium, or Google Chrome")
    with sync_api.sync_playwright() as playwright:
        running = launch(playwright, program)
        yield running
        running.close()
