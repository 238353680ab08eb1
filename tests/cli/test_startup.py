"""Interrupts while the program is imported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from asmr_classify.cli.startup import end_at_interrupts, raise_interrupts

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

ROOT = Path(__file__).resolve().parents[2]

INTERRUPT_AT = """
import os, signal, sys

class Interrupter:
    def find_spec(self, name, *_):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupter())
sys.argv = ["asmr-classify", *{arguments!r}]
"""
"""Sends an interrupt when a module is about to be imported."""

MODULE = "import runpy; runpy.run_module('asmr_classify', run_name='__main__', alter_sys=True)"


def console_script():
    """What an installed ``asmr-classify`` does."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, name = project["scripts"]["asmr-classify"].partition(":")
    return f"from {module} import {name} as run; sys.exit(run())"


def interrupted_at(name, start, *arguments, before=""):
    script = before + INTERRUPT_AT.format(name=name, arguments=arguments) + start
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("start", [MODULE, console_script()], ids=["module", "console script"])
@pytest.mark.parametrize("name", ["asmr_classify.cli.app", "typer", "asmr_classify.cli.undo"])
def test_an_interrupt_while_the_program_is_imported_ends_it_quietly(name, start):
    done = interrupted_at(name, start, "undo", "--list")
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "interrupted: nothing was begun\n"


def test_an_interrupt_while_a_command_imports_is_raised():
    done = interrupted_at("asmr_classify.library.journal", MODULE, "undo", "--list")
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.startswith("interrupted: ")
    assert done.stderr.count("\n") == 1


INTERRUPT_THE_END = """
import atexit, os, signal, sys
from asmr_classify.cli import errors

def interrupting(call):
    def run(*arguments, **options):
        os.kill(os.getpid(), signal.SIGINT)
        if {at_exit!r}:
            atexit.register(os.kill, os.getpid(), signal.SIGINT)
        return call(*arguments, **options)
    return run

for name in {names!r}:
    setattr(errors, name, interrupting(getattr(errors, name)))
signal.signal(signal.SIGINT, signal.default_int_handler)
"""
"""Sends interrupts at the beginning of what happens at the end of a command, and after all."""


@pytest.mark.parametrize("at_exit", [False, True])
def test_more_interrupts_do_not_change_how_an_interrupted_command_ends(at_exit):
    name = "asmr_classify.library.journal"
    more = INTERRUPT_THE_END.format(names=["tell", "close_logging"], at_exit=at_exit)
    done = interrupted_at(name, MODULE, "undo", "--list", before=more)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "interrupted: stopped before the end; nothing is left half written\n"


def test_an_interrupt_after_the_end_leaves_no_traceback(place, monkeypatch):
    monkeypatch.setenv("ASMR_CLASSIFY_STATE", str(place))
    more = INTERRUPT_THE_END.format(names=["close_logging"], at_exit=True)
    done = interrupted_at("nothing", MODULE, "undo", "--list", before=more)
    assert (done.returncode, done.stderr) == (130, "no runs are kept\n")


INTERRUPT_AFTER_ALL = """
import os, signal, sys

class Last:
    def __del__(self, kill=os.kill, process=os.getpid(), interrupt=signal.SIGINT):
        kill(process, interrupt)

sys.last_of_all = Last()
"""
"""Sends an interrupt when Python has called all that waits for the end, and takes itself apart."""


def test_an_interrupt_while_python_ends_leaves_the_exit_status(place, monkeypatch):
    monkeypatch.setenv("ASMR_CLASSIFY_STATE", str(place))
    done = interrupted_at("nothing", MODULE, "undo", "--list", before=INTERRUPT_AFTER_ALL)
    assert (done.returncode, done.stderr) == (0, "no runs are kept\n")
    name = "asmr_classify.library.journal"
    done = interrupted_at(name, MODULE, "undo", "--list", before=INTERRUPT_AFTER_ALL)
    assert done.returncode == 130


def test_interrupts_that_a_shell_ignores_stay_ignored(place, monkeypatch):
    monkeypatch.setenv("ASMR_CLASSIFY_STATE", str(place))
    ignoring = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
    done = interrupted_at("typer", MODULE, "undo", "--list", before=ignoring)
    assert (done.returncode, done.stderr) == (0, "no runs are kept\n")


def test_what_others_do_at_interrupts_is_left_to_them():
    before = signal.getsignal(signal.SIGINT)
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        end_at_interrupts()
        raise_interrupts()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
