"""The border to mutagen: its errors become ours."""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

from asmr_classify.errors import AsmrClassifyError, TagError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def translating(path: str) -> Iterator[None]:
    """Turn what mutagen raises on damaged files into :class:`~asmr_classify.errors.TagError`.

    Its parsers let errors of plain Python through: of :mod:`struct`, of indexing, of decoding.
    An ``OSError``, which it wraps, comes out as it was: a full disk is no fault of the file.

    Parameters
    ----------
    path : str
        The file, as messages call it.
    """
    from mutagen import MutagenError
    from mutagen.mp4 import AtomError  # no MutagenError

    try:
        yield
    except (AsmrClassifyError, OSError):
        raise
    except MutagenError as exc:
        wrapped = next((part for part in exc.args if isinstance(part, OSError)), None)
        if wrapped is not None:
            raise wrapped from exc
        raise TagError(path, _damaged(exc)) from exc
    except (
        AtomError, ArithmeticError, AssertionError, AttributeError, EOFError, LookupError,
        MemoryError, RecursionError, TypeError, ValueError, struct.error,
    ) as exc:  # fmt: skip
        raise TagError(path, _damaged(exc)) from exc


def _damaged(exc: Exception) -> str:
    reason = str(exc).strip() or type(exc).__name__
    return f"its tags cannot be read ({reason}); the file may be damaged or of another kind"
