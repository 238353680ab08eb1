"""Options that explain an evaluation: one page, and pictures by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asmr_classify.errors import OutputError, UsageError

if TYPE_CHECKING:
    from asmr_classify.training.record import EvaluationRecord

HtmlOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write one HTML page with pictures, tables and the worst errors. Needs matplotlib.",
        show_default=False,
    ),
]
PlotsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Write the pictures into a folder, as SVG and PNG. Needs matplotlib.",
        show_default=False,
    ),
]


def check_explanations(html: Path | None, plots: Path | None) -> None:
    """Refuse a page or pictures that could not be made, before the work.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    OutputError
        If they cannot be written there.
    UsageError
        If the page would be written over anything but such a page, or the folder is none.
    """
    from asmr_classify.training.plots import check_matplotlib
    from asmr_classify.writers.output import check_output, check_replaceable, holds_page

    if html or plots:
        check_matplotlib()
    if html:
        check_output(str(html))
        check_replaceable(str(html), holds_page)
        if not html.parent.is_dir():
            raise OutputError(f"{html}: its folder does not exist: create it, or write elsewhere")
    if plots and plots.exists() and not plots.is_dir():
        raise UsageError(f"--plots {plots}: is a file; name a folder")


def explain(
    record: EvaluationRecord, html: Path | None, plots: Path | None, *, of_folds: bool = True
) -> None:
    """Write the page and the pictures that are asked for, see ``evaluation_page``.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    OutputError
        If they cannot be written.
    """
    from asmr_classify.training.page import evaluation_page
    from asmr_classify.training.plots import draw_pictures, save_pictures
    from asmr_classify.writers.output import write_whole

    if not (html or plots):
        return
    pictures = draw_pictures(record)
    if html:
        write_whole(html, evaluation_page(record, pictures, of_folds=of_folds).encode())
    if plots:
        save_pictures(pictures, plots)
