"""File results to formats that other programs read.

Each format is one module with a writer (:class:`Writer`) and a reader, and an entry in
:data:`FORMATS`; ``read`` of what ``write`` wrote gives the same results again, as far as the
format holds them and to the digits that it is written with. A reader raises an error where a file
is something else. Where the text goes, and what happens when that fails, is the matter of
:mod:`asmr_classify.writers.output`; one file for each recording is that of
:mod:`asmr_classify.writers.per_file`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from asmr_classify.errors import UsageError
from asmr_classify.writers import audacity, csv, edl, jsonl, parquet, raven, stash, webvtt, youtube
from asmr_classify.writers.documents import DocumentWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import IO, TextIO, TypeAlias

    from asmr_classify.aggregate import FileResult
    from asmr_classify.writers.output import Output

    Stream: TypeAlias = TextIO | IO[bytes] | Output


class Writer(Protocol):
    """Something that takes results one by one."""

    def write(self, result: FileResult) -> None:
        """Write one result and flush it, so that a killed run loses nothing that was finished.

        A format that cannot be read before its end (Parquet) may keep results back.
        """

    def close(self) -> None:
        """Write what is left; the stream stays open, it belongs to whoever opened it."""


@dataclass(frozen=True, slots=True)
class Options:
    """What some formats want to know.

    Parameters
    ----------
    skip : tuple of str
        Labels that edit decision lists leave out, and ``lively`` for where much moves, which
        chapters then name.
    folder : str
        Where the output lies: the mpv list names recordings from there.
    """

    skip: tuple[str, ...] = ()
    folder: str = "."


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write results.

    Parameters
    ----------
    help : str
        What it is for, in a line.
    suffixes : tuple of str
        Endings of file names that stand for the format, the usual one first.
    make_writer : callable
        Takes a stream, the model's labels and options, gives a :class:`Writer`.
    read : callable
        Takes a file that was opened for reading, gives the results in it.
    in_bytes : bool
        Whether the streams are binary; those of the others are text.
    is_text : bool
        Whether it can be shown on a terminal.
    is_document : bool
        Whether a file belongs to one recording, see :mod:`asmr_classify.writers.documents`.
    is_whole : bool
        Whether a file is of no use before it is complete, and so is written beside its place.
    holds_failures : bool
        Whether it tells of recordings that could not be heard.
    skips : bool
        Whether it needs :attr:`Options.skip`.
    takes_skip : bool
        Whether it may be told so, and does without.
    takes_stem : bool
        Whether programs look for it under the name of the recording without its extension.
    library : str, optional
        What it needs that is not installed with the program...
    extra : str, optional
        ...but by this extra.
    """

    help: str
    suffixes: tuple[str, ...]
    make_writer: Callable[[Any, Sequence[str], Options], Writer]
    read: Callable[[Any], Iterator[FileResult]]
    in_bytes: bool = False
    is_text: bool = True
    is_document: bool = False
    is_whole: bool = False
    holds_failures: bool = False
    skips: bool = False
    takes_skip: bool = False
    takes_stem: bool = False
    library: str | None = None
    extra: str | None = None

    def open_writer(
        self, stream: Stream, labels: Sequence[str], options: Options | None = None
    ) -> Writer:
        """Begin to write.

        Parameters
        ----------
        stream : text or binary stream
            Binary for formats that are ``in_bytes``. It stays open.
        labels : sequence of str
            The model's.
        options : Options, optional

        Raises
        ------
        UsageError
            If the format cannot be used, see :meth:`check`.
        """
        options = options or Options()
        self.check(labels, options)
        return self.make_writer(stream, labels, options)

    def check(self, labels: Sequence[str], options: Options) -> None:
        """Check that the format can be used.

        Raises
        ------
        UsageError
            If its library is not installed, or labels to skip are missing or unknown.
        """
        self.check_installed()
        if self.skips or (self.takes_skip and options.skip):
            edl.check_skip(options.skip, labels)

    def check_installed(self) -> None:
        """Check that the format's library is installed.

        Raises
        ------
        UsageError
            If it is not.
        """
        if self.library is not None and find_spec(self.library) is None:
            raise UsageError(
                f"{self.suffixes[0][1:]} files need {self.library}, which is not installed: "
                f"pip install 'asmr-classify[{self.extra}]'"
            )


def _document(
    render: Callable[[FileResult, Options], str | bytes],
) -> Callable[[Stream, Sequence[str], Options], Writer]:
    return lambda stream, _labels, options: DocumentWriter(
        stream, lambda result: render(result, options), options.skip
    )


FORMATS: Mapping[str, Format] = {
    "jsonl": Format(
        "JSON Lines: everything, a line a recording; the contract for other programs",
        (".jsonl", ".ndjson"),
        lambda stream, _labels, _options: jsonl.JsonlWriter(stream),
        jsonl.read_jsonl,
        holds_failures=True,
    ),
    "csv": Format(
        "a row a recording, for spreadsheets; without the timeline",
        (".csv",),
        lambda stream, labels, _options: csv.CsvWriter(stream, labels),
        csv.read_csv,
        holds_failures=True,
    ),
    "parquet": Format(
        "everything, a row a recording, for pandas, Polars and DuckDB",
        (".parquet",),
        lambda stream, labels, _options: parquet.ParquetWriter(stream, labels),
        parquet.read_parquet,
        in_bytes=True,
        is_text=False,
        is_whole=True,
        holds_failures=True,
        library="pyarrow",
        extra="parquet",
    ),
    "raven": Format(
        "a selection table for Raven and other bioacoustics tools, of one recording or many",
        (".selections.txt",),
        lambda stream, _labels, _options: raven.RavenWriter(stream),
        raven.read_raven,
    ),
    "audacity": Format(
        "a label track for Audacity; one recording a file",
        (".labels.txt",),
        _document(lambda result, _options: audacity.labels_of(result)),
        audacity.read_audacity,
        is_document=True,
        is_whole=True,
    ),
    "webvtt": Format(
        "cues that players and web pages show along with the sound; one recording a file",
        (".vtt",),
        _document(lambda result, _options: webvtt.cues_of(result)),
        webvtt.read_webvtt,
        is_document=True,
        is_whole=True,
    ),
    "youtube": Format(
        "chapters for the description of a YouTube video; one recording a file",
        (".chapters.txt",),
        _document(lambda result, options: youtube.chapters_of(result, options.skip)),
        youtube.read_youtube,
        is_document=True,
        is_whole=True,
        takes_skip=True,
    ),
    "stash": Format(
        "markers in the manner of Stash, for it and for scripts; one recording a file",
        (".markers.json",),
        _document(lambda result, _options: stash.markers_of(result)),
        stash.read_stash,
        is_document=True,
        is_whole=True,
    ),
    "edl": Format(
        "what Kodi and MPlayer are to leave out (--skip); one recording a file",
        (".edl",),
        _document(edl.cuts_of),
        edl.read_edl,
        is_document=True,
        is_whole=True,
        skips=True,
        takes_stem=True,
    ),
    "mpv-edl": Format(
        "what mpv is to play when it leaves some labels out (--skip); one recording a file",
        (".mpv.edl",),
        _document(edl.parts_of),
        edl.read_mpv_edl,
        in_bytes=True,
        is_document=True,
        is_whole=True,
        skips=True,
    ),
}
"""The formats by name."""


def format_by_name(path: str) -> str | None:
    """Find the format that a file's name stands for, by the longest ending that fits.

    Examples
    --------
    >>> format_by_name("a.mpv.edl"), format_by_name("a.EDL"), format_by_name("a.txt")
    ('mpv-edl', 'edl', None)
    """
    fitting = [
        (len(suffix), name)
        for name, form in FORMATS.items()
        for suffix in form.suffixes
        if path.lower().endswith(suffix)
    ]
    return max(fitting)[1] if fitting else None
