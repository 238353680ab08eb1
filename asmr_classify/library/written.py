"""Steps that write new files: clips cut out of recordings, and texts that tell of them.

Each is written to a temporary file, has to be on the disk, and gets its name by a rename that does
not replace. Undoing takes a file away again only while it holds what was written.
"""

from __future__ import annotations

import os
import re
from abc import abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from asmr_classify.checksums import file_sha256
from asmr_classify.errors import MediaError, StepError
from asmr_classify.library.copies import settle_renamed
from asmr_classify.library.places import check_folder, digest_of, rename_exclusive
from asmr_classify.library.plan import Description, FileState, Step, check_unchanged
from asmr_classify.media.cut import Form, Span, SpanReader, copy_packets, write_span

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

    from asmr_classify.library.plan import Work

CHECKSUM = re.compile(r"<sha256 of (\d+)>")
"""Stands in a text for the checksum of a clip that is not written yet."""


def checksum_of(number: int) -> str:
    """Give what stands in a text for the SHA-256 of its n-th clip until that is written."""
    return f"<sha256 of {number}>"


class _Written(Step):
    """What all that is written has in common; derived classes have a field ``target``."""

    __slots__ = ()

    target: str

    @abstractmethod
    def _write(self, file: IO[bytes]) -> None:
        """Write the content."""

    def _check_target(self) -> None:
        """Refuse if the name is taken, or its folder may not be written."""
        if os.path.lexists(self.target):
            raise StepError(self.target, "is there already, and nothing is overwritten")
        check_folder(os.path.dirname(self.target))

    def do(self, work: Work) -> dict[str, Any]:
        """Write to a temporary name, and rename without replacing."""
        part = work.part_beside(self.target)
        with Path(part).open("x+b") as file:
            self._write(file)
            file.flush()
            os.fsync(file.fileno())
        after = FileState.of(part)
        facts = {"after": asdict(after), "digest": digest_of(part)}
        work.note(**facts)
        work.on_bytes(after.size)
        rename_exclusive(part, self.target, note=work.note)
        return facts

    def settle(self, work: Work, notes: Mapping[str, Any]) -> dict[str, Any] | None:
        """Look whether the file got its name."""
        return settle_renamed(self.target, work, notes)

    def written(self) -> str:
        """Name the file."""
        return self.target

    def inverse(self, facts: Mapping[str, Any]) -> Step | None:
        """Remove the file."""
        if not os.path.lexists(self.target):
            return None
        now = FileState.of(self.target)
        if not now.same_content(FileState(**facts["after"])):
            raise StepError(self.target, "has changed since it was written; it is left there")
        return RemoveWritten(self.target, now, facts["digest"])


@dataclass(frozen=True, slots=True)
class WriteClip(_Written):
    """Cut a stretch out of a recording, sample by sample.

    Parameters
    ----------
    source, target : str
    before : FileState
        Of the source.
    span : Span
    label : str
        That the clip is for.
    """

    kind: ClassVar[str] = "write_clip"

    source: str
    target: str
    before: FileState
    span: Span
    label: str

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Turn plain values back into a step."""
        span = Span(**{**record["span"], "form": Form(record["span"]["form"])})
        return cls(**{**record, "before": FileState(**record["before"]), "span": span})

    def describe(self) -> Description:
        """Tell what is cut out of what."""
        sr = self.span.sr
        detail = _detail(self.span.start / sr, self.span.stop / sr, self.label)
        return Description("extract", self.source, self.target, detail)

    def check(self) -> None:
        """Refuse if the recording was changed, or the clip cannot be written."""
        check_unchanged(self.source, self.before, since="it was labelled")
        self._check_target()

    def _write(self, file: IO[bytes]) -> None:
        try:
            write_span(_reader_of(self), self.span, file)
        except MediaError as exc:
            close_reader()
            raise StepError(exc.path, exc.message) from exc
        except OSError:
            close_reader()
            raise
        check_unchanged(self.source, self.before, since="it was labelled")


@dataclass(frozen=True, slots=True)
class CopyClip(_Written):
    """Cut a stretch out of a recording, packet by packet.

    Parameters
    ----------
    source, target : str
    before : FileState
        Of the source.
    start, end : float
        Seconds, where packets begin and end.
    label : str
        That the clip is for.
    heard : float
        Seconds from which on the clip sounds.
    """

    kind: ClassVar[str] = "copy_clip"

    source: str
    target: str
    before: FileState
    start: float
    end: float
    label: str
    heard: float = 0.0

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Turn plain values back into a step."""
        return cls(**{**record, "before": FileState(**record["before"])})

    def describe(self) -> Description:
        """Tell what is cut out of what."""
        detail = f"{_detail(self.heard, self.end, self.label)}, packets as they are"
        return Description("extract", self.source, self.target, detail)

    def check(self) -> None:
        """Refuse if the recording was changed, or the clip cannot be written."""
        check_unchanged(self.source, self.before, since="it was labelled")
        self._check_target()

    def _write(self, file: IO[bytes]) -> None:
        try:
            copy_packets(self.source, self.start, self.end, file)
        except MediaError as exc:
            raise StepError(exc.path, exc.message) from exc
        check_unchanged(self.source, self.before, since="it was labelled")


@dataclass(frozen=True, slots=True)
class WriteText(_Written):
    """Write a text that tells of clips, once they are there.

    Parameters
    ----------
    target : str
    text : str
        With :func:`checksum_of` a clip where its SHA-256 is to stand.
    clips : tuple of str
        Absolute paths of the clips that it tells of.
    """

    kind: ClassVar[str] = "write_text"

    target: str
    text: str
    clips: tuple[str, ...] = ()

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Turn plain values back into a step."""
        return cls(record["target"], record["text"], tuple(record["clips"]))

    def describe(self) -> Description:
        """Tell what is written."""
        of = f"tells of {len(self.clips)} clips" if len(self.clips) > 1 else ""
        return Description("write", self.target, detail=of)

    def check(self) -> None:
        """Refuse if a clip is missing, or the text cannot be written."""
        self._check_target()
        n_missing = sum(not os.path.isfile(path) for path in self.clips)
        if n_missing:
            raise StepError(
                self.target,
                f"is not written, as {n_missing} of {len(self.clips)} clips that it tells of are "
                "not there: see to what kept them, and give the command again",
            )

    def _write(self, file: IO[bytes]) -> None:
        close_reader()
        text = CHECKSUM.sub(lambda match: file_sha256(self.clips[int(match[1])]), self.text)
        file.write(text.encode("utf-8", "backslashreplace"))


@dataclass(frozen=True, slots=True)
class RemoveWritten(Step):
    """Remove a file that was written.

    Parameters
    ----------
    path : str
    before : FileState
    digest : str
        Of what was written.
    """

    kind: ClassVar[str] = "remove_written"

    path: str
    before: FileState
    digest: str

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Turn plain values back into a step."""
        return cls(record["path"], FileState(**record["before"]), record["digest"])

    def describe(self) -> Description:
        """Tell what is removed."""
        return Description("remove", self.path)

    def check(self) -> None:
        """Refuse if it does not hold what was written."""
        check_unchanged(self.path, self.before)
        check_folder(os.path.dirname(self.path))
        if digest_of(self.path) != self.digest:
            raise StepError(self.path, "has changed since it was written; it is left there")

    def do(self, work: Work) -> dict[str, Any]:  # noqa: ARG002
        """Remove it."""
        os.unlink(self.path)
        return {}

    def settle(self, work: Work, notes: Mapping[str, Any]) -> dict[str, Any] | None:  # noqa: ARG002
        """Look whether it is gone."""
        return None if os.path.lexists(self.path) else {}

    def inverse(self, facts: Mapping[str, Any]) -> Step | None:  # noqa: ARG002
        """Give nothing: only undoing removes what was written."""
        return None


_readers: dict[tuple[str, FileState, int, bool], SpanReader] = {}
"""The recording that is being read, as the next clip mostly is of the same one, further on."""


def _reader_of(step: WriteClip) -> SpanReader:
    key = (step.source, step.before, step.span.sr, step.span.mono)
    if key not in _readers:
        close_reader()
        _readers[key] = SpanReader(step.source, sr=step.span.sr, mono=step.span.mono)
    return _readers[key]


def close_reader() -> None:
    """Close the recording that is being read, if any."""
    while _readers:
        _readers.popitem()[1].close()


def _detail(start: float, end: float, label: str) -> str:
    return f"{label} {start:.3f}-{end:.3f} s"
