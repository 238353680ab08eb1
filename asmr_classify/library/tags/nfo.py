"""``.nfo`` files beside videos, from which Kodi, Jellyfin and Emby take tags and genres.

``rain.mp4`` has ``rain.nfo``. What is in it stays, see :mod:`asmr_classify.library.tags.nfo_text`.
So has ``rain.mkv``, and one file cannot tell of two: while both are there, neither is told of.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from asmr_classify.aggregate import Status
from asmr_classify.errors import StepError
from asmr_classify.library.places import check_folder, remove_if_there, sync_folder
from asmr_classify.library.plan import Description, Step
from asmr_classify.library.tags.nfo_text import (
    MARK,
    PREFIX,
    Nfo,
    NotMergeableError,
    Wanted,
    is_bare,
    new_nfo,
)
from asmr_classify.library.tags.spelling import readable
from asmr_classify.library.tags.steps import check_anew, keep_owner
from asmr_classify.visual.seen import MotionLevel, Picture, levels, shows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from asmr_classify.aggregate import FileResult
    from asmr_classify.library.plan import Work
    from asmr_classify.visual.seen import Visual

SUFFIX = ".nfo"

MAX_BYTES = 1 << 20
"""A file larger than this is none of a media server: theirs have some kilobytes."""

VIDEOS = frozenset(
    "3g2 3gp asf avi divx evo f4v flv m2t m2ts m4v mkv mod mov mp4 mpe mpeg mpg mts mxf ogm ogv rm "
    "rmvb tod trp ts vob webm wmv wtv".split()
)
"""Extensions of what media servers read such a file beside; they do not beside sound."""

NO_TALKING = "no talking"

STILL, MOVEMENTS, PICTURE = "still picture", "movements", "picture"
"""What is seen, as in *slow movements* and *dark picture*."""


def is_video(path: str) -> bool:
    """Tell by its name whether media servers take a file for a video."""
    return os.path.splitext(path)[1][1:].lower() in VIDEOS


def nfo_path(path: str) -> str:
    """Name the file of a video."""
    return os.path.splitext(path)[0] + SUFFIX


def wanted_of(result: FileResult, *, genre: bool) -> Wanted:
    """Tell what is to be said of a video; nothing where it sounds like no trigger and no kind.

    Kinds without a trigger are told, but are no genre.
    """
    seen = tuple(_looks(result.visual))
    if result.status in {Status.NO_AUDIO, Status.SILENT}:
        return Wanted(seen, genre and bool(seen))
    heard = [readable(name) for name in (*result.tags, *result.kinds)]
    if not heard:
        return Wanted()
    silent = (NO_TALKING,) if result.no_talking else ()
    # A kind may be called as a trigger is.
    return Wanted(tuple(dict.fromkeys((*heard, *silent, *seen))), genre and bool(result.tags))


def _looks(visual: Visual | None) -> Iterator[str]:
    """Say how a video looks, in words that are a tag each."""
    if not shows(visual):
        return
    motion, light = levels(visual)
    if visual.picture is Picture.STILL:
        yield STILL
    elif motion not in {None, MotionLevel.STILL}:  # as in slide shows
        yield f"{motion} {MOVEMENTS}"
    if light is not None:
        yield f"{light} {PICTURE}"


def plan_nfo(path: str, result: FileResult, *, asked: bool, genre: bool) -> WriteNfo | None:
    """Plan to say in the file of a video what is heard in it.

    Parameters
    ----------
    path : str
        Of the video.
    result : FileResult
    asked : bool
        Whether the file was asked for; else only what is ours in it already is kept up to date.
    genre : bool
        Add our genre too.

    Returns
    -------
    WriteNfo or None
        None if the file is as it should be.

    Raises
    ------
    StepError
        If the file cannot be changed.
    """
    old = read_nfo(path)
    if old is None:
        return _plan_new(path, wanted_of(result, genre=genre)) if asked else None
    if not asked and not _may_hold_ours(old):
        return None
    nfo = _parse(path, old)
    wanted = wanted_of(result, genre=genre or nfo.has_our_genre)
    return _step(path, old, nfo.merged(wanted))


def plan_nfo_removal(path: str) -> WriteNfo | None:
    """Plan to take what is ours out of the file of a video; None if there is nothing."""
    old = read_nfo(path)
    if old is None or not _may_hold_ours(old):
        return None
    nfo = _parse(path, old).merged(Wanted())
    bare = is_bare(nfo, _title_of(path))
    return WriteNfo(path, _to_text(old), None) if bare else _step(path, old, nfo)


def _plan_new(path: str, wanted: Wanted) -> WriteNfo | None:
    if not wanted.tags:
        return None
    return WriteNfo(path, None, _to_text(new_nfo(_title_of(path), wanted).to_bytes()))


def _title_of(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]


def _step(path: str, old: bytes, nfo: Nfo) -> WriteNfo | None:
    new = nfo.to_bytes()
    if new == old:
        return None
    check_anew(nfo_path(path))
    return WriteNfo(path, _to_text(old), _to_text(new))


def _may_hold_ours(content: bytes) -> bool:
    packed = content.replace(b"\0", b"")  # UTF-16
    return PREFIX.encode() in packed or MARK.encode() in packed


def _parse(path: str, content: bytes) -> Nfo:
    try:
        return Nfo.read(content)
    except NotMergeableError as exc:
        raise StepError(nfo_path(path), str(exc)) from exc


def read_nfo(path: str) -> bytes | None:
    """Read the file of a video.

    Returns
    -------
    bytes or None
        None if there is none.

    Raises
    ------
    StepError
        If it cannot be read, or is too large to be one.
    """
    place = nfo_path(path)
    try:
        with Path(place).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise StepError(place, f"cannot be read: {exc.strerror}") from exc
    if len(content) > MAX_BYTES:
        raise StepError(place, "is larger than any file of a media server: move it away")
    return content


def _to_text(content: bytes) -> str:
    """Write bytes as a text of as many characters, for journals."""
    return content.decode("latin-1")


@dataclass(frozen=True, slots=True)
class WriteNfo(Step):
    """Write, change or remove the file of a video.

    Parameters
    ----------
    path : str
        Of the video.
    old, new : str or None
        The bytes that the file holds, and will hold, as characters; None for no file.
    """

    kind: ClassVar[str] = "write_nfo"

    path: str
    old: str | None
    new: str | None

    def describe(self) -> Description:
        """Tell what becomes of the file."""
        verb = "change nfo" if self.old is not None else "write nfo"
        if self.new is None:
            return Description("remove nfo", self.path, nfo_path(self.path))
        return Description(verb, self.path, nfo_path(self.path), detail=self._detail())

    def written(self) -> str:
        """Name the file."""
        return nfo_path(self.path)

    def _detail(self) -> str:
        before, after = (set((text or "").splitlines()) for text in (self.old, self.new))
        lines = [
            f"+ {line.strip()}" for line in (self.new or "").splitlines() if line not in before
        ]
        lines += [
            f"- {line.strip()}" for line in (self.old or "").splitlines() if line not in after
        ]
        text = "; ".join(line for line in lines if PREFIX in line or "<genre>" in line)
        return text.encode("latin-1").decode("utf-8", "replace")

    def check(self) -> None:
        """Refuse if the file is not as it was, or may not be written."""
        place = nfo_path(self.path)
        if self._now() != self.old:
            raise StepError(place, "has changed since it was planned")
        if self.new is not None and not Path(self.path).exists():
            raise StepError(self.path, "is not there any more")
        check_folder(os.path.dirname(os.path.realpath(place)))
        if self.old is not None and not os.access(place, os.W_OK):
            raise StepError(place, "may not be written: change its permissions")
        if self.old is not None and self.new is not None:
            check_anew(place)

    def do(self, work: Work) -> dict[str, Any]:
        """Write it beside, and rename it; or remove it."""
        place = os.path.realpath(nfo_path(self.path))  # a link stays one
        if self.new is None:
            os.unlink(place)
        else:
            part = work.part_beside(place)
            with Path(part).open("wb") as file:
                file.write(self.new.encode("latin-1"))
                file.flush()
                os.fsync(file.fileno())
            if self.old is not None:
                keep_owner(place, part)
            os.replace(part, place)
        sync_folder(os.path.dirname(place))
        return {}

    def settle(self, work: Work, notes: Mapping[str, Any]) -> dict[str, Any] | None:  # noqa: ARG002
        """Look what the file holds."""
        remove_if_there(work.part_beside(os.path.realpath(nfo_path(self.path))))
        return {} if self._now() == self.new else None

    def inverse(self, facts: Mapping[str, Any]) -> Step | None:  # noqa: ARG002
        """Give the file its former content, or remove it."""
        if self._now() != self.new:
            raise StepError(nfo_path(self.path), "has changed since it was written")
        if self.old is not None and self.new is not None:
            check_anew(nfo_path(self.path))
        return WriteNfo(self.path, self.new, self.old)

    def _now(self) -> str | None:
        content = read_nfo(self.path)
        return None if content is None else _to_text(content)
