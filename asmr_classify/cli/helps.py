"""What ``--help`` shows beside options and arguments: words for people, no types of Python."""

from __future__ import annotations

from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup


class _InPlainWords:
    def get_params(self, ctx: Any) -> list[Any]:
        """Give the parameters, each with the word that stands for its value."""
        params = super().get_params(ctx)  # type: ignore[misc]  # of the class that comes next
        return list(map(_in_plain_words, params))


class Command(_InPlainWords, TyperCommand):
    """A command whose help is in plain words."""


class Group(_InPlainWords, TyperGroup):
    """Commands under one name, with a help in plain words."""


def _in_plain_words(parameter: Any) -> Any:
    """Leave out what Typer shows else: ``<bool>`` of a flag, ``<list[str]>`` of an argument."""
    if isinstance(parameter, TyperArgument):
        setattr(parameter, "display_type_rich", lambda ctx: "")  # noqa: ARG005, B010
    elif parameter.metavar is None:
        parameter.metavar = "" if parameter.is_flag else parameter.name.strip("_").upper()
    return parameter
