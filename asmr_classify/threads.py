"""Linear algebra on one thread.

A matrix product sums in another order on another number of threads, and the last digits differ.
With one thread, results are the same on any number of cores and in any worker; the work is spread
over files instead, which loses nothing.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    """Find the libraries once: looking for them takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_thread() -> AbstractContextManager[object]:
    """Keep BLAS to one thread while the context lasts.

    Returns
    -------
    context manager

    Notes
    -----
    NumPy and SciPy must have been imported before the first use.
    """
    limits: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return limits
