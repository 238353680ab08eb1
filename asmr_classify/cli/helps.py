"""What is shown of options and arguments, by ``--help`` too: in words for people, not Python's."""

from __future__ import annotations

import os
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from asmr_classify.cli.errors import report_error
from asmr_classify.errors import UsageError


class _InPlainWords:
    def get_params(self, ctx: Any) -> list[Any]:
        """Give the parameters, each with the word that stands for its value."""
        params = super().get_params(ctx)  # type: ignore[misc]  # of the class that comes next
        return list(map(_in_plain_words, params))


class Command(_InPlainWords, TyperCommand):
    """A command whose help is in plain words, and that knows a file from options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Tell how to name a file that was taken for options, where they are none."""
        given = [*args]
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException:
            for arg in given:
                if arg.startswith("-") and os.path.lexists(arg):
                    raise typer.Exit(report_error(UsageError(like_an_option(arg)))) from None
            raise


class Group(_InPlainWords, TyperGroup):
    """Commands under one name, with a help in plain words."""


def like_an_option(name: str) -> str:
    """Say how a file is to be named that is called as options are."""
    return f"{name}: begins as an option does; name the file ./{name}"


def _in_plain_words(parameter: Any) -> Any:
    """Leave out what Typer shows else: ``<bool>`` of a flag, ``<list[str]>`` of an argument."""
    if isinstance(parameter, TyperArgument):
        setattr(parameter, "display_type_rich", lambda ctx: "")  # noqa: ARG005, B010
    elif parameter.metavar is None:
        parameter.metavar = "" if parameter.is_flag else parameter.name.strip("_").upper()
    return parameter
