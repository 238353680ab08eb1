"""One file to its result: decode, features, model, timeline, in one pass and flat in memory."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from asmr_classify.aggregate import FileResult, Problem, Status, summarise
from asmr_classify.errors import MediaError, NoAudioError, WorkerError
from asmr_classify.evidence import Heard
from asmr_classify.features.table import iter_samples
from asmr_classify.features.windows import iter_window_rows
from asmr_classify.media.decode import AudioStream
from asmr_classify.media.source import as_source
from asmr_classify.model import load_model
from asmr_classify.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from asmr_classify.media.decode import Listener
    from asmr_classify.model import Model

logger = logging.getLogger(__name__)


def label_file(
    path: str | os.PathLike[str],
    *,
    model: Model | None = None,
    on_progress: Callable[[float], None] | None = None,
    listener: Listener | None = None,
) -> FileResult:
    """Label one audio or video file.

    Parameters
    ----------
    path : path
        The address of an object in storage too, such as ``s3://bucket/a.mp3``.
    model : Model, optional
        The shipped model by default.
    on_progress : callable, optional
        Called now and then with the seconds decoded so far.
    listener : callable, optional
        Called with each :class:`~asmr_classify.media.decode.NativeBlock` of the same decode, for
        what is measured at the recording's own rate and channels.

    Returns
    -------
    FileResult
        Also for a file that cannot be read: its status and error say why.

    Raises
    ------
    ModelError
        If no model is given and the shipped one cannot be loaded.

    Examples
    --------
    >>> label_file("no-such-file.mp3").error.kind
    'OpenError'
    """
    model = model if model is not None else load_model()
    source = as_source(os.fsdecode(path))
    name = str(source)
    try:
        with AudioStream.open(source, sr=model.features.frames.sr, listener=listener) as stream:
            with one_thread():
                heard = _hear(iter_samples(stream, on_progress), model)
            return summarise(
                name,
                heard,
                model,
                duration=stream.duration,
                decoded=stream.decoded,
                error=Problem.of(stream.problem) if stream.problem else None,
            )
    except NoAudioError as exc:
        return FileResult(name, Status.NO_AUDIO, model.id, error=Problem.of(exc))
    except MediaError as exc:
        logger.info("%s", exc)
        return FileResult(name, Status.FAILED, model.id, error=Problem.of(exc))
    except MemoryError:  # of a lack of it, or of what a damaged header claims: FFmpeg says no more
        return FileResult(name, Status.FAILED, model.id, error=Problem.of(lack_of_memory(name)))


def lack_of_memory(path: str) -> WorkerError:
    """Say that a file cannot be read in the memory that there is."""
    return WorkerError(
        path,
        "it needs more memory than is allowed or there is; the file may be damaged: "
        "check that it plays, or allow more with --max-memory",
    )


def _hear(samples: Iterator[NDArray[np.float32]], model: Model) -> Heard:
    """Run features and networks over a recording, keeping a few numbers a window."""
    heard = [
        Heard.of(rows, model.ensemble.predict_logits(rows.X))
        for rows in iter_window_rows(samples, model.features)
    ]
    return Heard.join(heard, len(model.labels) + len(model.kinds))
