"""Independent calls side by side, in several processes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def iter_results(calls: Iterable[Any], *, jobs: int, batch_size: int = 1) -> Iterator[Any]:
    """Run calls and yield what they return, in their order, as it comes.

    Parameters
    ----------
    calls : iterable of joblib.delayed calls
    jobs : int
        Processes; -1 for one per core.
    batch_size : int
        Calls that a process takes at a time.

    Yields
    ------
    object
    """
    from joblib import Parallel

    pool = Parallel(n_jobs=jobs, batch_size=batch_size, return_as="generator")
    with warnings.catch_warnings():
        # joblib replaces processes that have grown; no result is lost by it.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
        yield from pool(calls)
