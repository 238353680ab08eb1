"""Tasks that stand in for labelling: quick, and with workers that die."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from asmr_classify.aggregate import FileResult, Status
from asmr_classify.visual.seen import Effort
from tests.conftest import sample_of

WAYS = sample_of(
    [{"video": Effort.NORMAL}],
    [{"video": None}, {"video": Effort.NORMAL, "include": ["rabbit320.*"]}],
)
"""Ways to label media of the wild: to look at all of it takes five times as long as to listen."""


@dataclass(frozen=True)
class Stub:
    """Does what the name of a file says, and leaves a mark in a folder each time that it does.

    ``kills-worker`` kills the process that takes batches, ``kills-worker-once`` the first time
    only, ``crashes`` the process that reads the file. Each takes ``seconds``.
    """

    marks: Path
    seconds: float = 0.0

    def load(self):
        """Load nothing."""

    def do(self, found, on_progress):
        name = Path(found.path).name
        tries = len(list(self.marks.glob(f"{name}.*")))
        (self.marks / f"{name}.{tries}").touch()
        time.sleep(self.seconds)
        if "kills-worker" in name and not (tries and "once" in name):
            time.sleep(0.5)  # Dask's nannies give up a worker that dies while it starts
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        if "crashes" in name:
            os._exit(7)
        on_progress(1.0)
        return FileResult(found.path, Status.OK, "stub@1", decoded=1.0)

    def fail(self, path, problem):
        return FileResult(path, Status.FAILED, "stub@1", error=problem)

    def lacks(self, result):
        """Tell whether a result was made by less than all."""
        return result.model == "half@1"

    def add(self, found, _result, on_progress):
        on_progress()
        return self.do(found, lambda _: None)

    def give_up(self, result, problem):
        return FileResult(result.path, Status.PARTIAL, "half@1", error=problem)

    def __setstate__(self, state):
        self.__dict__.update(state)
        (self.marks / f"arrived.{uuid4()}").touch()

    def tries(self, name):
        """Count how often a file was begun."""
        return len(list(self.marks.glob(f"{name}.*")))


class SlowHere(Stub):
    """Takes the seconds that stand in the environment, and leaves a mark that tells them."""

    def do(self, found, on_progress):
        seconds = os.environ["SECONDS"]
        time.sleep(float(seconds))
        (self.marks / f"by-{seconds}.{uuid4()}").touch()
        return super().do(found, on_progress)


class Environment(Stub):
    """Leaves a mark that tells whether a variable is set where the file is read."""

    def do(self, found, on_progress):
        is_set = Path(found.path).name in os.environ
        (self.marks / f"is-set-{is_set}.{uuid4()}").touch()
        return super().do(found, on_progress)
