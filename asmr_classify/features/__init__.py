"""Sound to feature rows: blocks -> frames -> windows.

For models of one's own: :func:`names` names the columns, and :func:`read` computes them for one
recording. ``asmr-classify features`` writes the same of many recordings, to the last bit. Every
column is described in ``docs/features.md``.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # that of typing, which takes longer to import than all of this
if TYPE_CHECKING:
    from typing import Any

    from asmr_classify.features.recording import names, read

__all__ = ["names", "read"]


def __getattr__(name: str) -> Any:
    """Load a public name on first use: the modules beside this one load what they need only."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.recording"), name)
