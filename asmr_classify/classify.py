"""One file to its result: decode, features, model, timeline, in one pass and flat in memory."""

from __future__ import annotations

import logging
import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

from asmr_classify.aggregate import FileResult, Problem, Status, summarise
from asmr_classify.errors import MediaError, NoAudioError, WorkerError
from asmr_classify.evidence import Heard
from asmr_classify.features.cache import DamagedError
from asmr_classify.features.table import iter_samples
from asmr_classify.features.windows import iter_window_rows
from asmr_classify.media.decode import AudioStream
from asmr_classify.media.source import as_source
from asmr_classify.model import as_model
from asmr_classify.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from asmr_classify.features.cache import KeptRecording, KeptWriter
    from asmr_classify.features.windows import WindowRows
    from asmr_classify.media.decode import Listener
    from asmr_classify.model import Model

logger = logging.getLogger(__name__)


def label_file(
    path: str | os.PathLike[str],
    *,
    model: Model | str | os.PathLike[str] | None = None,
    on_progress: Callable[[float], None] | None = None,
    listener: Listener | None = None,
    keep: KeptRecording | None = None,
) -> FileResult:
    """Label one audio or video file.

    Parameters
    ----------
    path : path
        The address of an object in storage too, such as ``s3://bucket/a.mp3``.
    model : Model or path, optional
        The shipped model by default. The file of another one is read anew for each call:
        :func:`~asmr_classify.model.load_model` loads it once.
    on_progress : callable, optional
        Called now and then with the seconds decoded so far.
    listener : callable, optional
        Called with each :class:`~asmr_classify.media.decode.NativeBlock` of the same decode, for
        what is measured at the recording's own rate and channels.
    keep : KeptRecording, optional
        Where its features are kept if it decodes without trouble, for :func:`label_kept`.

    Returns
    -------
    FileResult
        Also for a file that cannot be read: its status and error say why.

    Raises
    ------
    UsageError
        If the address of an object cannot be read at all.
    MissingExtraError
        If a library is missing that reads it.
    ModelError
        If a model that is named by its file, or the shipped one by default, cannot be loaded.

    Examples
    --------
    >>> label_file("no-such-file.mp3").error.kind
    'OpenError'
    """
    model = as_model(model)
    source = as_source(os.fsdecode(path))
    name = str(source)
    try:
        with (
            AudioStream.open(source, sr=model.features.frames.sr, listener=listener) as stream,
            nullcontext() if keep is None else keep.writing() as writer,
        ):
            with one_thread():
                samples = iter_samples(stream, on_progress)
                rows = iter_window_rows(samples, model.features, model.encoder)
                heard = _hear(rows, model, writer)
            if writer is not None and stream.problem is None:
                writer.finish(stream.duration, stream.decoded)
            return summarise(
                name,
                heard,
                model,
                duration=stream.duration,
                decoded=stream.decoded,
                error=Problem.of(stream.problem) if stream.problem else None,
            )
    except NoAudioError as exc:
        return FileResult(name, Status.NO_AUDIO, model.id, Problem.of(exc), exc.duration)
    except MediaError as exc:
        logger.info("%s", exc)
        return FileResult(name, Status.FAILED, model.id, error=Problem.of(exc))
    except MemoryError:  # of a lack of it, or of what a damaged header claims: FFmpeg says no more
        return FileResult(name, Status.FAILED, model.id, error=Problem.of(lack_of_memory(name)))


def label_kept(
    path: str | os.PathLike[str], kept: KeptRecording, *, model: Model
) -> FileResult | None:
    """Label a file by features that were kept when it was labelled before.

    Parameters
    ----------
    path : path
        Only named.
    kept : KeptRecording
        Of its content, and the features of the model.
    model : Model

    Returns
    -------
    FileResult or None
        To the bit what :func:`label_file` gives; None if nothing is kept, or it is damaged.
    """
    name = os.fsdecode(path)
    try:
        with kept.reading() as reader, one_thread():
            heard = _hear(reader.rows(), model)
    except FileNotFoundError:
        return None
    except (OSError, DamagedError) as exc:
        logger.info("%s: features that were kept are not used: %s", name, exc)
        return None
    return summarise(name, heard, model, duration=reader.duration, decoded=reader.decoded)


def lack_of_memory(path: str) -> WorkerError:
    """Say that a file cannot be read in the memory that there is."""
    return WorkerError(
        path,
        "it needs more memory than is allowed or there is; the file may be damaged: "
        "check that it plays, or allow more with --max-memory",
    )


def _hear(parts: Iterable[WindowRows], model: Model, writer: KeptWriter | None = None) -> Heard:
    """Run the networks over the features of a recording, keeping a few numbers a window."""
    heard = []
    for rows in parts:
        if writer is not None:
            writer.add(rows)
        heard.append(Heard.of(rows, model.ensemble.predict_logits(rows.X)))
    return Heard.join(heard, model.n_columns)
