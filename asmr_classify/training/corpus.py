"""Labelled recordings as a manifest lists them.

A manifest is a CSV file beside its audio, one row a clip. Columns:

========== ======== ==========================================================================
path       required below the manifest's folder
trigger    required a trigger, several as ``a,b``, ``none``, or ``unsure`` (left out)
group      required recordings that share a maker; a group never straddles a split
label      optional finer label; tells ``speech`` and ``music`` from ``other`` for ``none``
fold       optional number of the fold, for figures that others can compare; of all clips or none
recording  optional one take; default: the path
source     optional where it comes from
licence    optional its terms, as the source states them
sha256     optional checksum of the file; a changed file is refused
========== ======== ==========================================================================
"""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from asmr_classify.checksums import file_sha256
from asmr_classify.errors import CorpusError
from asmr_classify.labels import (
    CONTEXTS,
    SILENCE,
    TRIGGERS,
    Kind,
    kind_of,
    one_word,
    same_but_for_case,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

T = TypeVar("T")

NONE = "none"
UNSURE = "unsure"
REQUIRED = ("path", "trigger", "group")

CONTEXT_OF = {
    "speech": "speech",
    "soft_speech": "speech",
    "music": "music",
    "sing": "music",
    SILENCE: SILENCE,
}
"""Context of a clip without triggers, by finer label; ``other`` for all else."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One labelled clip.

    Parameters
    ----------
    path : str
        Where the audio lies, the manifest's folder included.
    labels : tuple of str
        What it holds, triggers and contexts; empty if nobody could tell.
    triggers : tuple of str
        The triggers among them; empty for a clear negative.
    label : str
        Finer label.
    group, recording, source, licence : str
    fold : int or None
    sha256 : str or None
    span : tuple of float or None
        Seconds from which to which the labels hold, if the file goes on beyond them.
    fit_labels : tuple of str or None
        Labels to fit on where a correction knows better, ``none`` for no label; empty if nobody
        can tell, and the clip is not fitted on. Figures are of ``labels`` whatever this says.
    kind : str
        Of which the finer label is, see :mod:`asmr_classify.training.kinds`; empty for none.
    """

    path: str
    labels: tuple[str, ...]
    triggers: tuple[str, ...]
    label: str
    group: str
    recording: str
    source: str
    licence: str
    fold: int | None
    sha256: str | None
    span: tuple[float, float] | None = None
    fit_labels: tuple[str, ...] | None = None
    kind: str = ""

    @property
    def to_fit(self) -> tuple[str, ...]:
        """What to fit on."""
        return self.labels if self.fit_labels is None else self.fit_labels

    def labelled(self, names: Iterable[str], **changes: Any) -> Clip:
        """Copy the clip with other labels: triggers and contexts by name; ``none`` is neither.

        Parameters
        ----------
        names : iterable of str
        **changes
            Further fields to change.

        Returns
        -------
        Clip
        """
        stated = [name.strip() for name in names if name.strip()]
        named = tuple(name for name in stated if name != NONE)
        return replace(
            self,
            labels=named or ("other",),
            triggers=tuple(name for name in named if kind_of(name) is Kind.TRIGGER),
            label=self.label or (stated[0] if stated else ""),
            **changes,
        )


@dataclass(frozen=True, slots=True)
class Corpus:
    """Clips that are fit for training, and the labels that they hold.

    Parameters
    ----------
    clips : tuple of Clip
        With labels.
    labels : tuple of str
        All labels to be learnt: those of the shipped model in its order, then others by name.
    kinds : tuple of str
        All kinds to be learnt, by name.
    sounds : tuple of Clip
        Without labels: what nobody could label, and other sound. Good to learn from a teacher.
    """

    clips: tuple[Clip, ...]
    labels: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    sounds: tuple[Clip, ...] = ()

    @property
    def triggers(self) -> tuple[str, ...]:
        """The labels that are a trigger of some clip."""
        held = {trigger for clip in self.clips for trigger in clip.triggers}
        return tuple(label for label in self.labels if label in held)


def read_corpus(manifest: str | Path) -> Corpus:
    """Read a manifest and check that all audio is there and unchanged.

    Parameters
    ----------
    manifest : path
        CSV file, see above.

    Returns
    -------
    Corpus

    Raises
    ------
    CorpusError
        If the manifest cannot be read, lacks a column, names audio that is missing or was
        changed, or holds too little to learn from.
    """
    return make_corpus(read_manifest(Path(manifest)), str(manifest))


def read_manifest(manifest: Path, renamed: Collection[str] = ()) -> tuple[Clip, ...]:
    """Read the clips of a manifest; ``unsure`` ones have no labels. See :func:`read_corpus`.

    Labels that are ``renamed`` afterwards may be spelt in any way.
    """
    needs = f"a manifest needs at least {', '.join(REQUIRED)}"
    rows = read_table(manifest, REQUIRED, "manifest", needs)
    if not rows:
        raise CorpusError(f"{manifest}: the manifest lists no clip")
    clips: dict[int, Clip] = {}
    problems: dict[int, str] = {}
    listed: dict[str, str] = {}
    for line, row in enumerate(rows, start=2):
        try:
            _check_row(row, manifest.parent, listed)
            clips[line] = _clip(row, manifest.parent, renamed)
        except CorpusError as exc:
            problems[line] = str(exc)
    refuse_rows(manifest, problems | _audio_problems(clips))
    _check_folds_stated(clips.values())
    return tuple(clips.values())


MOST_NAMED = 10
"""Of wrong rows, so many are named."""


def refuse_rows(table: Path, problems: Mapping[int, str]) -> None:
    """Tell what is wrong with rows, by line of their table: of all at once, to be mended at once.

    Raises
    ------
    CorpusError
        If anything is.
    """
    told = [f"line {line}: {problem}" for line, problem in sorted(problems.items())]
    if len(told) == 1:
        raise CorpusError(f"{table}, {told[0]}")
    if told:
        more = [f"and {len(told) - MOST_NAMED} more"] if len(told) > MOST_NAMED else []
        lines = (f"{table}: {len(told)} rows are wrong:", *told[:MOST_NAMED], *more)
        raise CorpusError("\n  ".join(lines))


def _check_folds_stated(clips: Iterable[Clip]) -> None:
    labelled = [clip for clip in clips if clip.labels]
    without = [clip for clip in labelled if clip.fold is None]
    if 0 < len(without) < len(labelled):
        raise CorpusError(
            f"{without[0].path}: no fold, as {len(without)} of {len(labelled)} labelled clips of "
            "its manifest; give each one, or leave the column 'fold' empty for folds by group"
        )


def make_corpus(clips: Sequence[Clip], source: str, *, least_groups: int = 2) -> Corpus:
    """Put clips together and check that there is enough to learn from.

    Raises
    ------
    CorpusError
        If there is no trigger, or there are fewer groups.
    """
    sounds = tuple(clip for clip in clips if not clip.labels)
    clips = tuple(clip for clip in clips if clip.labels)
    found = {label for clip in clips for label in clip.labels} - {SILENCE}
    known = [label for label in (*TRIGGERS, *CONTEXTS) if label in found]
    labels = (*known, *sorted(found.difference(known)))
    if not any(clip.triggers for clip in clips):
        raise CorpusError(f"{source}: no clip has a trigger; the column must name some")
    if len({clip.group for clip in clips}) < least_groups:
        raise CorpusError(
            f"{source}: all clips are of one group; figures on sources never heard need at least "
            "two, so give each maker or source a name of its own in the column 'group'"
        )
    return Corpus(clips, labels, sounds=sounds)


def _check_row(row: dict[str, str], folder: Path, listed: dict[str, str]) -> None:
    """Check that a row is whole, and of a clip that is not ``listed`` yet, and list it."""
    check_cells(row, REQUIRED)
    place = os.path.normpath(folder / row["path"])
    if place in listed:
        also = "" if listed[place] == row["path"] else f", as {listed[place]} too"
        raise CorpusError(f"{row['path']} is listed twice{also}")
    listed[place] = row["path"]


def check_cells(row: Mapping[str, str | None], columns: Iterable[str]) -> None:
    """Check that no cell of some columns is empty or missing.

    Raises
    ------
    CorpusError
        If one is.
    """
    empty = [name for name in columns if not (row[name] or "").strip()]
    if empty:
        raise CorpusError(f"nothing in column {', '.join(empty)}")


def read_table(path: Path, columns: Sequence[str], what: str, needs: str) -> list[dict[str, str]]:
    """Read a CSV file of one's own beside a corpus.

    Parameters
    ----------
    path : path
    columns : sequence of str
        That it must have.
    what, needs : str
        What it holds, and what that needs, for messages.

    Raises
    ------
    CorpusError
        If it cannot be read, or lacks a column.
    """
    try:
        reader = csv.DictReader(io.StringIO(read_text(path, what), newline=""))
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        rows = list(reader)
    except csv.Error as exc:
        raise CorpusError(f"{path}: cannot read the {what}: {exc}") from exc
    if missing:
        raise CorpusError(f"{path}: no column {', '.join(missing)}; {needs}")
    return rows


def read_each(
    table: Path,
    rows: Mapping[int, dict[str, str]],
    columns: Sequence[str],
    read: Callable[[dict[str, str]], T],
) -> list[T]:
    """Read rows by their lines, or tell what is wrong with all that cannot be.

    Raises
    ------
    CorpusError
        If a cell of these columns is empty, or ``read`` raises that.
    """
    done: list[T] = []
    problems: dict[int, str] = {}
    for line, row in rows.items():
        try:
            check_cells(row, columns)
            done.append(read(row))
        except CorpusError as exc:
            problems[line] = str(exc)
    refuse_rows(table, problems)
    return done


def read_text(path: Path, what: str) -> str:
    """Read a text file in UTF-8, without the mark that Excel sets at its beginning.

    Raises
    ------
    CorpusError
        If it cannot be read, or is of another encoding.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as exc:
        raise CorpusError(
            f"{path}: the {what} is not UTF-8 text; save it as UTF-8 (in Excel: CSV UTF-8)"
        ) from exc
    except OSError as exc:
        raise CorpusError(f"{path}: cannot read the {what}: {exc}") from exc


OWN_WORDS = (*TRIGGERS, *CONTEXTS, SILENCE, NONE, UNSURE)


def parse_labels(text: str, place: str) -> tuple[str, ...]:
    """Parse labels, several as ``a,b``; spaces within are underscores.

    Raises
    ------
    CorpusError
        If ``none`` stands beside another; ``place`` begins the message.
    """
    names = tuple(one_word(name) for name in text.split(",") if name.strip())
    if NONE in names and len(names) > 1:
        raise CorpusError(
            f"{place}: {text!r}: {NONE} means that there is no trigger, so it stands alone; give "
            "one or the other"
        )
    return names


def check_case(labels: Iterable[str], place: str, renamed: Collection[str] = ()) -> None:
    """Refuse a label that is one of the program's own but for capitals, as it would be a new one.

    Raises
    ------
    CorpusError
        If it is not to be ``renamed``; ``place`` begins the message.
    """
    for label in labels:
        meant = same_but_for_case(label, OWN_WORDS)
        if meant is not None and label not in renamed:
            raise CorpusError(
                f"{place}: no label is called {label!r}; did you mean {meant!r}? Write it "
                f"so, or give it another name (in train and evaluate: --rename {label}={meant})"
            )


def parse_fold(text: str, place: str) -> int:
    """Parse the number of a fold.

    Raises
    ------
    CorpusError
        If it is none; ``place`` begins the message.
    """
    if not text.isdecimal():
        raise CorpusError(f"{place}: fold {text!r} is not a whole number of 0 or more")
    return int(text)


def _clip(row: dict[str, str], folder: Path, renamed: Collection[str]) -> Clip:
    named = parse_labels(row["trigger"], row["path"])
    check_case(named, row["path"], renamed)
    triggers = tuple(part for part in named if part not in {NONE, UNSURE})
    finer = row.get("label") or ""
    fold = row.get("fold") or ""
    return Clip(
        path=str(folder / row["path"]),
        labels=() if UNSURE in named else triggers or (CONTEXT_OF.get(finer, "other"),),
        triggers=() if UNSURE in named else triggers,
        label=finer,
        group=row["group"],
        recording=row.get("recording") or row["path"],
        source=row.get("source") or "unknown",
        licence=row.get("licence") or "unknown",
        fold=parse_fold(fold, row["path"]) if fold else None,
        sha256=(row.get("sha256") or "").strip().lower() or None,
    )


def check_audio(clips: Iterable[Clip], table: Path) -> None:
    """Check that all audio is there and unchanged.

    Parameters
    ----------
    clips : iterable of Clip
        Of the rows of a table, in their order.
    table : path

    Raises
    ------
    CorpusError
        With the clips that are missing or whose checksum differs.
    """
    refuse_rows(table, _audio_problems(dict(enumerate(clips, start=2))))


def _audio_problems(clips: Mapping[int, Clip]) -> dict[int, str]:
    """Tell what is wrong with the audio of clips, by line of their table."""
    found = {line: _audio_problem(clip) for line, clip in clips.items()}
    return {line: problem for line, problem in found.items() if problem is not None}


def _audio_problem(clip: Clip) -> str | None:
    if not Path(clip.path).is_file():
        return f"{clip.path}: no such file"
    if clip.sha256 and file_sha256(clip.path) != clip.sha256:
        return (
            f"{clip.path}: its checksum is not the manifest's; the audio was changed, so fetch it "
            "again or update the column 'sha256'"
        )
    return None
