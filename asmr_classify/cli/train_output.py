"""What ``train`` and ``teach`` would write over, looked at before hours are spent."""

from __future__ import annotations

import re
import tempfile
from typing import TYPE_CHECKING

from asmr_classify.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LOOK_AT_BYTES = 2**16
"""So much of an earlier file is looked at."""

BEGINNINGS = {
    "model": re.compile(rb'.{8}\{"__metadata__":\{"asmr-classify"', re.DOTALL),
    "record": re.compile(rb'\{"format": \d+, "model": "'),
    "card": re.compile(rb"# [^\n]+\n\nBy `asmr-classify (train|teach)`"),
}
"""How the files begin that ``train`` and ``teach`` write."""


def check_trained(model: Path, pictures: Iterable[str]) -> None:
    """Refuse to train if the model or what lies beside it would replace what is not such.

    Parameters
    ----------
    model : path
        The model file to be written; it need not exist.
    pictures : iterable of str
        Names of pictures, which go into a folder beside it.

    Raises
    ------
    OutputError
        If nothing can be written there.
    UsageError
        If a file exists that an earlier training did not write.
    """
    from asmr_classify.training.record import record_path
    from asmr_classify.writers.output import check_not_read_only, check_replaceable

    places = {"model": model, "record": record_path(model), "card": model.with_suffix(".md")}
    for kind, path in places.items():
        check_replaceable(str(path), lambda found, kind=kind: _begins_as(kind, found))  # type: ignore[misc]
    folder = model.with_suffix(".figures")
    drawn = [folder / f"{name}{suffix}" for name in pictures for suffix in (".svg", ".png")]
    taken = next((path for path in drawn if path.exists()), None)
    # Pictures do not tell who drew them; what lies beside them does.
    if taken is not None and not any(path.exists() for path in places.values()):
        raise UsageError(
            f"{taken}: exists, and no model of this name to which it belongs, so it is left alone; "
            "remove it, or name another file"
        )
    for path in drawn:
        check_not_read_only(str(path))
    check_folder(model)


def check_taught(model: Path, base: Path) -> None:
    """Refuse to teach if the model or its card would replace what is not such.

    Parameters
    ----------
    model : path
        The model file to be written; it need not exist.
    base : path
        That of the model that is taught.

    Raises
    ------
    OutputError
        If nothing can be written there.
    UsageError
        If a file exists that an earlier lesson did not write.
    """
    from asmr_classify.training.record import record_path
    from asmr_classify.writers.output import check_replaceable

    if model.resolve() == base.resolve():
        raise UsageError(f"--output {model}: is the model that is taught; name another file")
    if record_path(model).exists():
        raise UsageError(
            f"--output {model}: {record_path(model)} tells of a model there that train made; name "
            "another file, so that it keeps its figures"
        )
    for kind, path in {"model": model, "card": model.with_suffix(".md")}.items():
        check_replaceable(str(path), lambda found, kind=kind: _begins_as(kind, found))  # type: ignore[misc]
    check_folder(model)


def _begins_as(kind: str, path: str) -> bool:
    with open(path, "rb") as file:  # noqa: PTH123 (any name)
        return BEGINNINGS[kind].match(file.read(LOOK_AT_BYTES)) is not None


def check_folder(output: Path) -> None:
    """Refuse an output that could not be written, before hours are spent.

    Raises
    ------
    OutputError
        If it is a folder, or its folder is missing or not writable.
    """
    from asmr_classify.writers.output import REMEDIES

    if output.is_dir():
        raise OutputError(f"{output}: cannot be written; it is a folder: name a file")
    try:
        with tempfile.TemporaryFile(dir=output.parent):  # of a name that nothing has
            pass
    except OSError as exc:
        reason = REMEDIES.get(exc.errno or 0, exc.strerror)
        raise OutputError(f"{output}: cannot be written there: {reason}") from exc
