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
    may_pass : bool, optional
        Whether it comes from the machine (a disk that is not there, a limit, missing permission)
        and not from the content of the file, so that another attempt may go well.
    """

    may_pass = False

    def __init__(self, path: str, message: str, *, may_pass: bool | None = None) -> None:
        super().__init__(path, message)
        self.path = path
        self.message = message
        if may_pass is not None:
            self.may_pass = may_pass

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

    may_pass = True


class ModelError(AsmrClassifyError):
    """Something is wrong with a model file."""


class ModelNotFoundError(ModelError):
    """There is no model at that place."""


class ModelFormatError(ModelError):
    """The file is not a model of this program, is damaged, or is of another version."""


class CorpusError(AsmrClassifyError):
    """A corpus manifest, its audio or its splits cannot be used."""


class OutputError(AsmrClassifyError):
    """A result cannot be written."""
