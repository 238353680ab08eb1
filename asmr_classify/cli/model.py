"""``asmr-classify model``: look at models."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asmr_classify.cli.errors import ExitStatus, printable, reporting_errors, tell
from asmr_classify.cli.explain import HtmlOption, PlotsOption, check_explanations, explain
from asmr_classify.cli.helps import Command, Group
from asmr_classify.counts import counted
from asmr_classify.errors import EvaluationError

if TYPE_CHECKING:
    from rich.table import Table

    from asmr_classify.model import Model
    from asmr_classify.training.record import EvaluationRecord

model_app = typer.Typer(
    name="model",
    cls=Group,
    help="Look at a model.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@model_app.command(cls=Command)
@reporting_errors
def show(
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="MODEL", help="A model file. Default: the shipped model.", show_default=False
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    html: HtmlOption = None,
    plots: PlotsOption = None,
) -> ExitStatus:
    """Tell what a model is, what it was fitted on, and how it does on sources never heard.

    All comes from the model file and the record of its evaluation, which `train` writes beside
    it; the recordings are not needed.
    """
    from asmr_classify.model import load_model
    from asmr_classify.training.summary import model_summary

    check_explanations(html, plots)
    loaded = load_model(model)
    record = find_record(loaded)
    if html or plots:
        if record is None:
            raise EvaluationError(without_record(loaded))
        explain(record, html, plots)
    if json:
        typer.echo(json_format.dumps(model_summary(loaded, record), indent=2))
        return ExitStatus.OK
    print_model(loaded, record)
    if record is None:
        tell(without_record(loaded))
    return ExitStatus.OK


def find_record(model: Model) -> EvaluationRecord | None:
    """Load the record beside a model's file; None if there is none.

    Raises
    ------
    EvaluationError
        If it is damaged, or of another model.
    """
    from asmr_classify.training.record import load_record, record_path

    path = record_path(Path(model.source or ""))
    return load_record(path, model) if path.is_file() else None


def without_record(model: Model) -> str:
    """Say what is missing, and how to get it; of a taught model, where its figures are."""
    from asmr_classify.training.record import record_path

    if model.ensemble.taught is not None:
        card = Path(model.source or "").with_suffix(".md")
        if not card.is_file():
            return f"{card}: missing; teach writes there how well each label is told"
        return f"was taught: {card} tells by how many answers, and how well each label is told"
    path = record_path(Path(model.source or ""))
    return f"{path}: missing, so there are no figures to show; train writes it beside the model"


def print_model(model: Model, record: EvaluationRecord | None) -> None:
    """Print what is known of a model, for people."""
    from rich.console import Console
    from rich.text import Text

    console = Console()
    console.print(Text(printable(model.id), style="bold"))
    for name, value in _facts(model, record):
        console.print(Text(f"{name:<10}", style="dim") + Text(printable(value)), soft_wrap=True)
    console.print()
    console.print(_label_table(model, record))
    if model.kinds:
        console.print()
        console.print(_kind_table(model, record))


def _facts(model: Model, record: EvaluationRecord | None) -> list[tuple[str, str]]:
    from asmr_classify.training.page import main_figures
    from asmr_classify.training.summary import model_summary

    summary = model_summary(model, record)
    networks = ", ".join("x".join(map(str, hidden)) for hidden in summary["networks"])
    hidden = summary["student"]
    student = f", and a student ({'x'.join(map(str, hidden))})" if hidden else ""
    encoder = summary["encoder"]
    facts = [
        ("file", f"{summary['file']}, {summary['bytes'] / 1e6:.1f} MB"),
        ("features", f"{model.fingerprint}, {model.ensemble.mean.size} columns"),
        ("networks", f"{len(summary['networks'])} (hidden layers {networks}){student}"),
        ("trees", f"{summary['trees']}"),
    ]
    if encoder:
        facts.append(("encoder", f"{len(encoder)} convolutions, {encoder[-1]} codes of a second"))
    if record is not None:
        found = summary["evaluation"]
        facts.append(
            ("data", f"{counted(found['clips'], 'clip')} of {counted(found['groups'], 'group')}")
        )
        for name, by_group in (("by clip", False), ("by group", True)):
            pairs = main_figures(record.measures(by_group=by_group))
            facts.append((name, ", ".join(f"{key} {value}" for key, value in pairs)))
    return facts


def _kind_table(model: Model, record: EvaluationRecord | None) -> Table:
    """List the kinds that are told, the best first where that is known."""
    from rich.table import Table

    from asmr_classify.training.page import KIND_HEAD, kind_rows

    head = KIND_HEAD if record is not None else ("kind",)
    rows = kind_rows(record) if record is not None else [(kind,) for kind in model.kinds]
    shown = [k for k, name in enumerate(head) if name not in {"kind", "told"}]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in ("kind", "threshold", *(head[k] for k in shown)):
        words = name in {"kind", "taken for it"}
        table.add_column(name, justify="left" if words else "right", overflow="fold")
    for row in rows:
        if row[0] in model.kinds:
            cells = (row[0], f"{model.kinds[row[0]]:.2f}", *(row[k] for k in shown))
            table.add_row(*map(printable, cells))
    return table


def _label_table(model: Model, record: EvaluationRecord | None) -> Table:
    from rich.table import Table

    from asmr_classify.labels import kind_of
    from asmr_classify.training.page import LABEL_HEAD, label_rows

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    head: tuple[str, ...] = ("label", "kind", "threshold") if record is None else LABEL_HEAD
    longest = min(24, max(len(label) for label in model.labels))
    for name in head:
        words = name in {"label", "kind"}
        table.add_column(
            name.replace(" by ", " by\n"),
            justify="left" if words else "right",
            min_width=longest if name == "label" else max(map(len, name.split())),
            overflow="fold",
        )
    rows = (
        [(label, kind_of(label).value, f"{model.thresholds[label]:.2f}") for label in model.labels]
        if record is None
        else label_rows(record)
    )
    for row in rows:
        table.add_row(*map(printable, row))
    return table
