#!/usr/bin/env python3
"""Write ``docs/commands.md``, the reference of commands, from the program itself.

usage: make_commands.py [--output FILE]
"""

from __future__ import annotations

import argparse
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from asmr_classify.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator


def iter_lines() -> Iterator[str]:
    """Yield the reference line by line."""
    program: Any = typer.main.get_command(app)
    yield "# Commands"
    yield ""
    yield "Written by `docs/make_commands.py` from the program."
    yield ""
    yield inspect.cleandoc(program.help)
    yield ""
    yield inspect.cleandoc(program.epilog)
    for name, command in iter_commands(program):
        yield ""
        yield f"## asmr-classify {name}"
        yield ""
        yield inspect.cleandoc(command.help)
        yield ""
        yield "| option | meaning |"
        yield "| --- | --- |"
        for parameter in command.params:
            if parameter.name != "help" and not getattr(parameter, "hidden", False):
                yield f"| {_names(parameter)} | {_meaning(parameter)} |"


def iter_commands(group: Any, lead: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the commands with their names, those of a group one by one."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from iter_commands(command, f"{lead}{name} ")
        else:
            yield f"{lead}{name}", command


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{_in_cell((parameter.metavar or parameter.name).upper())}`"
    value = parameter.metavar or parameter.name.strip("_").upper()
    value = "" if parameter.is_flag else f" {value}"
    return ", ".join(
        f"`{option}{_in_cell(value)}`" for option in (*parameter.opts, *parameter.secondary_opts)
    )


def _meaning(parameter: Any) -> str:
    return _in_cell(" ".join(parameter.help.split()))


def _in_cell(text: str) -> str:
    """Keep a bar from ending the cell of a table, which it does in code too."""
    return text.replace("|", "\\|")


def main() -> None:
    """Write the reference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "commands.md")
    parser.parse_args().output.write_text("\n".join(iter_lines()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
