"""Tell which ASMR triggers a recording holds: whisper, tap, crinkle, white noise."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # that of typing, which takes longer to import than all of this
if TYPE_CHECKING:
    from typing import Any

    from asmr_classify import features
    from asmr_classify.aggregate import FileResult, Problem, Status
    from asmr_classify.batch import label_paths
    from asmr_classify.classify import label_file
    from asmr_classify.errors import AsmrClassifyError
    from asmr_classify.model import Model, load_model
    from asmr_classify.timeline import Segment

__all__ = [
    "AsmrClassifyError",
    "FileResult",
    "Model",
    "Problem",
    "Segment",
    "Status",
    "features",
    "label_file",
    "label_paths",
    "load_model",
]

_HOMES = {
    "AsmrClassifyError": "errors",
    "FileResult": "aggregate",
    "Model": "model",
    "Problem": "aggregate",
    "Segment": "timeline",
    "Status": "aggregate",
    "label_file": "classify",
    "label_paths": "batch",
    "load_model": "model",
}


def __getattr__(name: str) -> Any:
    """Load a public name on first use, so that importing the package stays cheap (PEP 562)."""
    if name == "__version__":
        return import_module(f"{__name__}.version").own_version()
    if name == "features":  # a package of its own, whose functions are called by its name
        return import_module(f"{__name__}.features")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
