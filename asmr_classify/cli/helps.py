"""What ``--help`` shows beside options and arguments: words for people, no types of Python."""

from __future__ import annotations

from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup


class Command(TyperCommand):
    """A command whose help is in plain words."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Give the parameters, each with the word that stands for its value."""
        return list(map(_in_plain_words, super().get_params(ctx)))


class Group(TyperGroup):
    """Commands under one name, with a help in plain words."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Give the parameters, each with the word that stands for its value."""
        return list(map(_in_plain_words, super().get_params(ctx)))


def _in_plain_words(parameter: Any) -> Any:
    """Leave out what Typer shows else: ``<bool>`` of a flag, ``<list[str]>`` of an argument."""
    if isinstance(parameter, TyperArgument):
        setattr(parameter, "display_type_rich", lambda ctx: "")  # noqa: ARG005, B010
    elif parameter.metavar is None:
        parameter.metavar = "" if parameter.is_flag else parameter.name.strip("_").upper()
    return parameter
