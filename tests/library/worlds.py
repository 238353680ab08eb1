"""Small libraries, what is in them, and runs that are killed."""

from __future__ import annotations

import gc
import os
import signal
import sys
import warnings

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.library.organise import Wish, plan_organise
from asmr_classify.library.runs import carry_out, settle_broken
from asmr_classify.library.template import Template
from asmr_classify.library.undo import choose_run, origins, plan_undo, read_runs

FILES = {"a.mp3": b"aaaa", "b.mp3": b"bbbb", "c.mp3": b"cccc"}


def reasons(report):
    """Why steps were not done."""
    return [outcome.reason for outcome in report.outcomes if outcome.reason]


def fill(folder, files):
    """Write files, each with a time of its own."""
    for number, (name, content) in enumerate(files.items()):
        path = os.path.join(os.fsencode(folder), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        os.utime(path, ns=(10**18, 10**18 + number * 10**9 + 123))
        os.chmod(path, 0o640)


def look(*folders):
    """What is in folders: of each file its content, time and permissions."""
    seen = {}
    for folder in folders:
        for here, below, names in os.walk(folder):
            for name in below:
                seen[os.path.join(here, name)] = "folder"
            for name in names:
                path = os.path.join(here, name)
                stat = os.lstat(path)
                if os.path.islink(path):
                    seen[path] = ("link", os.readlink(path))
                else:
                    with open(path, "rb") as file:
                        seen[path] = (file.read(), stat.st_mtime_ns, stat.st_mode)
    return seen


def contents(seen):
    """All contents, sorted; links and folders left out."""
    return sorted(value[0] for value in seen.values() if isinstance(value[0], bytes))


def heard(path, trigger="tap", **changes):
    """A result as of a file with one trigger."""
    fields = {
        "status": Status.OK,
        "model": "tiny@0.1",
        "duration": 63.2,
        "decoded": 63.2,
        "trigger": trigger,
        "tags": (trigger,) if trigger else (),
        "scores": {"tap": 0.9, "whisper": 0.25},
        "shares": {"tap": 0.5, "whisper": 0.0},
        "no_talking": True,
    }
    if trigger:
        fields["scores"] = {**fields["scores"], trigger: 0.9}
    return FileResult(path=str(path), **{**fields, **changes})


def failed(path):
    return FileResult(
        str(path), Status.FAILED, "tiny@0.1", error=Problem("OpenError", f"{path}: no media")
    )


def plan(results, root, template="{trigger}/{stem}.{ext}", store=None, **options):
    """Plan to organise."""
    known = origins(read_runs(store)[0]) if store else {}
    wish = Wish(Template.parse(template), str(root), origins=known, **options)
    return plan_organise(results, wish, ("organise",))


def organise(results, root, store, template="{trigger}/{stem}.{ext}", **options):
    """Organise, as the command does."""
    settle_broken(store)
    return carry_out(plan(results, root, template, store, **options), store)


def undo(store, number=None):
    """Undo, as the command does."""
    left = settle_broken(store)
    runs, _ = read_runs(store)
    planned = plan_undo(choose_run(store, runs, number), runs, ("undo",))
    return planned, carry_out(planned, store), left


def undo_what_was_begun(scene):
    """Undo a run that was killed, if it had begun; all of ``scene`` is then as before it."""
    assert settle_broken(scene.store) == []
    runs, damaged = read_runs(scene.store)
    assert damaged == []
    if runs and runs[0].done:
        planned, report, _ = undo(scene.store)
        assert planned.left == ()
        assert report.n_done == len(planned.steps)
    assert scene.see() == scene.before


def go_on_undoing(scene):
    """Undo a run once more whose undoing was killed; all of ``scene`` is then as before it."""
    settle_broken(scene.store)
    if scene.see() != scene.before:
        undo(scene.store, 1)
    assert scene.see() == scene.before


def run_in_child(work, *, kill_at=None):
    """Run a function in a process of its own, killed before its n-th call of a C function.

    Returns
    -------
    int or None
        How many such calls there were; None if it was killed.
    """
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of numpy, at rest
        child = os.fork()
    if child == 0:
        gc.freeze()  # or calls that clear away what other tests left shift all moments
        n_calls = 0

        def count(_frame, event, _argument):
            nonlocal n_calls
            if event == "c_call":
                n_calls += 1
                if n_calls == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(count)
        try:
            work()
            sys.setprofile(None)
            os.write(writer, b"%d" % n_calls)
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        told = file.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert signal.Signals(os.WTERMSIG(status)) is signal.SIGKILL
        return None
    assert told, "the child failed"
    return int(told)
