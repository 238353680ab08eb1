"""The ``asmr-classify`` program."""

from __future__ import annotations

from typing import Annotated

import typer

from asmr_classify.cli.evaluate import evaluate
from asmr_classify.cli.label import label
from asmr_classify.cli.model import model_app
from asmr_classify.cli.train import train

app = typer.Typer(
    name="asmr-classify",
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


@app.callback()
def program(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Tell which ASMR triggers recordings hold: whisper, tap, crinkle, white noise.

    Exit status: 0 all labelled, 1 could not run, 2 wrong usage, 3 finished but some files failed,
    4 nothing to label, 130 interrupted with all finished work saved.
    """


app.command()(label)
app.command()(train)
app.command()(evaluate)
app.add_typer(model_app)


def main() -> None:
    """Run the program."""
    app()
