"""The ``asmr-classify`` program."""

from __future__ import annotations

from typing import Annotated

import typer

from asmr_classify.cli.catalogue import CatalogueCommand, QueryCommand
from asmr_classify.cli.check import check
from asmr_classify.cli.errors import broken_pipes_told, report_error
from asmr_classify.cli.evaluate import evaluate
from asmr_classify.cli.export import export
from asmr_classify.cli.extract import extract
from asmr_classify.cli.features import features
from asmr_classify.cli.find import find
from asmr_classify.cli.forget import forget
from asmr_classify.cli.helps import Command, Group
from asmr_classify.cli.label import label
from asmr_classify.cli.model import model_app
from asmr_classify.cli.organise import organise
from asmr_classify.cli.playlist import playlist
from asmr_classify.cli.report import report
from asmr_classify.cli.review import review
from asmr_classify.cli.set import set_
from asmr_classify.cli.stdout import failures_named
from asmr_classify.cli.tag import tag
from asmr_classify.cli.teach import teach
from asmr_classify.cli.train import train
from asmr_classify.cli.undo import undo
from asmr_classify.cli.watch import watch
from asmr_classify.errors import OutputError

app = typer.Typer(
    name="asmr-classify",
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode="markdown",  # joins the lines of a paragraph
    # Errors are reported in one place (cli/errors.py); a traceback goes to the log.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(value: bool) -> None:
    if value:
        from asmr_classify import __version__

        typer.echo(f"asmr-classify {__version__}")
        raise typer.Exit


EXIT_STATUS = """Exit status: 0 done, 1 could not run, 2 wrong usage, 3 finished but some files
failed, 4 nothing to do, 5 a check failed, 130 interrupted (what was finished is saved, or you are
told that it is not), 141 the reader of the output stopped early, 143 ended by SIGTERM."""


@app.callback(epilog=EXIT_STATUS)
def program(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Tell which ASMR triggers recordings hold: whisper, tap, crinkle, white noise.

    To begin: `asmr-classify label FOLDER`. `asmr-classify COMMAND --help` explains a command.
    """


RECORDINGS, CATALOGUE, FILES, MODELS = "Recordings", "Catalogue", "Your files", "Models"
"""Panels of the help."""

app.command(cls=CatalogueCommand, rich_help_panel=RECORDINGS)(label)
app.command(cls=CatalogueCommand, rich_help_panel=RECORDINGS)(watch)
app.command(cls=QueryCommand, rich_help_panel=RECORDINGS)(check)
app.command(cls=QueryCommand, rich_help_panel=RECORDINGS)(report)
app.command(cls=QueryCommand, rich_help_panel=RECORDINGS)(playlist)
app.command(cls=QueryCommand, rich_help_panel=CATALOGUE)(find)
app.command(cls=QueryCommand, rich_help_panel=CATALOGUE)(review)
app.command("set", cls=CatalogueCommand, rich_help_panel=CATALOGUE)(set_)
app.command(cls=QueryCommand, rich_help_panel=CATALOGUE)(export)
app.command(cls=QueryCommand, rich_help_panel=CATALOGUE)(forget)
app.command(cls=QueryCommand, rich_help_panel=FILES)(tag)
app.command(cls=QueryCommand, rich_help_panel=FILES)(organise)
app.command(cls=QueryCommand, rich_help_panel=FILES)(extract)
app.command(cls=CatalogueCommand, rich_help_panel=FILES)(undo)
app.command(cls=CatalogueCommand, rich_help_panel=MODELS)(teach)
app.command(cls=Command, rich_help_panel=MODELS)(features)
app.command(cls=Command, rich_help_panel=MODELS)(train)
app.command(cls=Command, rich_help_panel=MODELS)(evaluate)
app.add_typer(model_app, rich_help_panel=MODELS)


def main() -> None:
    """Run the program."""
    with failures_named(), broken_pipes_told():
        try:
            app()
        except OutputError as exc:  # of a help, which no command reports
            raise SystemExit(report_error(exc)) from None
