"""The exceptions of this package, as one small tree.

::

    AsmrClassifyError
    ├── UsageError                 an option or argument that cannot be used
    ├── MediaError                 one media file; carries its path
    │   ├── OpenError              missing, unreadable, or not a media file
    │   ├── NoAudioError           a media file without an audio stream
    │   ├── DecodeError            decoding broke off or gave nothing
    │   └── WorkerError            its process crashed, was killed, hung or needed too much memory
    ├── ModelError                 a model file
    │   ├── ModelNotFoundError     no such model
    │   └── ModelFormatError       not a model of this program, damaged, or of another version
    ├── CorpusError                a corpus manifest, its audio or its splits
    ├── EvaluationError            a record of an evaluation is damaged, or of another model
    ├── MissingExtraError          a library that only some need is not installed
    └── OutputError                a result cannot be written

Every message says what is wrong, the value at hand, what was expected, and what to do.
Foreign errors are translated where they enter (``raise … from exc``).
"""

from __future__ import annotations


class AsmrClassifyError(Exception):
    """Base of every error that this package raises on purpose."""


class UsageError(AsmrClassifyError):
    """An option or argument has a value that cannot be used."""


class MediaError(AsmrClassifyError):
    """Something is wrong with one media file.

    Parameters
    ----------
    path : str
        The file, as the user named it.
    message : str
        What is wrong and what to do about it, without the path.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(path, message)
        self.path = path
        self.message = message

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class OpenError(MediaError):
    """The file is missing, unreadable, or not a media file."""


class NoAudioError(MediaError):
    """The file is a media file without an audio stream."""


class DecodeError(MediaError):
    """Decoding broke off, or gave no sound at all."""


class WorkerError(MediaError):
    """The process that labelled the file crashed, was killed, hung, or needed too much memory."""


class ModelError(AsmrClassifyError):
    """Something is wrong with a model file."""


class ModelNotFoundError(ModelError):
    """There is no model at that place."""


class ModelFormatError(ModelError):
    """The file is not a model of this program, is damaged, or is of another version."""


class CorpusError(AsmrClassifyError):
    """A corpus manifest, its audio or its splits cannot be used."""


class EvaluationError(AsmrClassifyError):
    """The record of an evaluation is missing, damaged, of another version or of another model."""


class MissingExtraError(AsmrClassifyError):
    """A library of an extra, which only some users need, is not installed."""


class OutputError(AsmrClassifyError):
    """A result cannot be written."""
