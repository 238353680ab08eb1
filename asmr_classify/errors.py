"""The exceptions of this package, as one small tree.

::

    AsmrClassifyError
    ├── UsageError                 an option or argument that cannot be used
    │   ├── QueryError             a query that cannot be understood; tells where it is wrong
    │   └── TemplateError          a template of names that cannot be read, or leads astray
    ├── MediaError                 one media file; carries its path
    │   ├── OpenError              missing, unreadable, or not a media file
    │   ├── StorageError           an object in storage cannot be read
    │   ├── NoAudioError           a media file without an audio stream
    │   ├── DecodeError            decoding broke off or gave nothing
    │   ├── WorkerError            its process crashed, was killed, hung or needed too much memory
    │   └── TagError               its tags cannot be read
    │       └── NotCarriedError    its tags cannot be changed without changing something else
    ├── ModelError                 a model file
    │   ├── ModelNotFoundError     no such model
    │   └── ModelFormatError       not a model of this program, damaged, or of another version
    ├── LimitsError                a file of limits for check
    ├── CorpusError                a corpus manifest, its audio or its splits
    ├── CatalogueError             a catalogue is missing, damaged, foreign or cannot be written
    ├── LibraryError               a user's files, or the journals of what was done to them
    │   ├── StepError              one step of a plan cannot be done; carries the path
    │   │   └── GoneError          its file is not there any more
    │   ├── JournalError           the journal of a run is damaged
    │   ├── NothingToUndoError     no run is kept that has not been undone
    │   └── BusyError              another run is under way
    ├── EvaluationError            a record of an evaluation is damaged, or of another model
    ├── MissingExtraError          a library that only some need is not installed
    └── OutputError                a result cannot be written
        ├── NotRepresentableError  a format cannot hold it
        └── ChangedFileError       what was written earlier was changed since, by hand perhaps

Every message says what is wrong, the value at hand, what was expected, and what to do.
Foreign errors are translated where they enter (``raise … from exc``).
"""

from __future__ import annotations

import unicodedata


class AsmrClassifyError(Exception):
    """Base of every error that this package raises on purpose."""


class UsageError(AsmrClassifyError):
    """An option or argument has a value that cannot be used."""


class QueryError(UsageError):
    """A query cannot be understood.

    Parameters
    ----------
    text : str
        The query.
    span : tuple of int
        Where it is wrong, as half-open range of characters.
    problem : str
        What is wrong, and what to do about it.
    known : str
        What might have been meant; empty if that does not help.
    """

    def __init__(self, text: str, span: tuple[int, int], problem: str, known: str = "") -> None:
        super().__init__(text, span, problem, known)
        self.text, self.span, self.problem, self.known = text, span, problem, known

    def __str__(self) -> str:
        shown = "".join(char if char.isprintable() else "?" for char in self.text)
        start, end = self.span
        carets = " " * _cells(shown[:start]) + "^" * max(1, _cells(shown[start:end]))
        lines = [f"query: {self.problem}", f"  {shown}", f"  {carets}", self.known]
        return "\n".join(filter(None, lines))


def _cells(text: str) -> int:
    """Count the cells of a terminal that a text takes."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))


class TemplateError(UsageError):
    """A template of names cannot be read, or leads out of its folder."""


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


class StorageError(MediaError):
    """An object in storage cannot be read, or not to its end."""

    may_pass = True


class NoAudioError(MediaError):
    """The file is a media file without an audio stream.

    Parameters
    ----------
    path, message
        As for :class:`MediaError`.
    duration : float or None
        Seconds that the file claims to last.
    """

    def __init__(self, path: str, message: str, duration: float | None = None) -> None:
        super().__init__(path, message)
        self.duration = duration


class DecodeError(MediaError):
    """Decoding broke off, or gave no sound at all."""


class WorkerError(MediaError):
    """The process that read the file crashed, was killed, hung, or needed too much memory."""

    may_pass = True


class TagError(MediaError):
    """The tags of the file cannot be read."""


class NotCarriedError(TagError):
    """The file cannot carry our tags without something else in it changing."""


class ModelError(AsmrClassifyError):
    """Something is wrong with a model file."""


class ModelNotFoundError(ModelError):
    """There is no model at that place."""


class ModelFormatError(ModelError):
    """The file is not a model of this program, is damaged, or is of another version."""


class LimitsError(AsmrClassifyError):
    """A file of limits cannot be read, or holds what is no limit."""


class CorpusError(AsmrClassifyError):
    """A corpus manifest, its audio or its splits cannot be used."""


class CatalogueError(AsmrClassifyError):
    """A catalogue is missing, damaged, no catalogue at all, or cannot be written."""


class LibraryError(AsmrClassifyError):
    """A user's files, or the journals of what was done to them, are not as they should be."""


class StepError(LibraryError):
    """One step of a plan cannot be done, or not be taken back; nothing of it was.

    Parameters
    ----------
    path : str
        The file or folder.
    message : str
        Why, without the path.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(path, message)
        self.path = path
        self.message = message

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class GoneError(StepError):
    """The file that a step is about is not there any more."""


class JournalError(LibraryError):
    """The journal of a run is damaged, or cannot be read."""


class NothingToUndoError(LibraryError):
    """No run is kept that has not been undone."""


class BusyError(LibraryError):
    """Another run is under way."""


class EvaluationError(AsmrClassifyError):
    """The record of an evaluation is missing, damaged, of another version or of another model."""


class MissingExtraError(AsmrClassifyError):
    """A library of an extra, which only some users need, is not installed."""


class OutputError(AsmrClassifyError):
    """A result cannot be written."""


class NotRepresentableError(OutputError):
    """A format cannot hold what a recording gives."""


class ChangedFileError(OutputError):
    """A file that was written earlier was changed since, and is left alone."""
