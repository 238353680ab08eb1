"""Labelled recordings as people and data sets lay them out on disk.

============== ==============================================================================
manifest       a CSV file with ``path``, ``trigger`` and ``group``,
               see :mod:`asmr_classify.training.corpus`
folder         a folder per label, ``tap/…`` or ``tap,whisper/…`` for several; a folder below
               that names the maker and is the group, else each file is a group of its own
ESC-50         ``meta/esc50.csv`` and ``audio/``; groups are its Freesound recordings [1]_
FSD50K         ``FSD50K.ground_truth/dev.csv`` and ``eval.csv``, ``FSD50K.dev_audio/`` and
               ``FSD50K.eval_audio/``; groups are uploaders where the metadata is there [2]_
AudioSet       a CSV file of segments (``# YTID, start_seconds, end_seconds, positive_labels``)
               beside audio whose names begin with the YouTube identifier [3]_
============== ==============================================================================

References
----------
.. [1] Piczak (2015). ESC: Dataset for environmental sound classification. ACM Multimedia.
.. [2] Fonseca et al. (2022). FSD50K: an open dataset of human-labeled sound events. IEEE TASLP 30.
.. [3] Gemmeke et al. (2017). Audio Set: an ontology and human-labeled dataset. ICASSP.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from asmr_classify.counts import counted
from asmr_classify.errors import CorpusError, MediaError
from asmr_classify.labels import one_word
from asmr_classify.media.decode import duration_of
from asmr_classify.media.discover import discover
from asmr_classify.media.found import Found
from asmr_classify.training.corpus import (
    UNSURE,
    Clip,
    check_audio,
    check_case,
    make_corpus,
    parse_fold,
    parse_labels,
    read_each,
    read_manifest,
    read_table,
    read_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from asmr_classify.training.corpus import Corpus

Names = tuple[str, ...]
Row = dict[str, str]
Facts = dict[str, dict[str, str]]
T = TypeVar("T")


def read_sources(
    sources: Sequence[Path],
    renamed: Mapping[str, Names] | None = None,
    *,
    least_groups: int = 2,
) -> Corpus:
    """Read labelled recordings, whatever their layout, into one corpus.

    Parameters
    ----------
    sources : sequence of path
        Manifests, folders and data sets, see above.
    renamed : mapping of str to tuple of str, optional
        What a label of the source is to be called: other names, ``none`` for a clear negative, or
        ``unsure`` to leave its clips out. Labels that are not in it keep their names.
    least_groups : int
        Of fewer groups, figures on sources never heard cannot be made; 1 to fit nothing.

    Returns
    -------
    Corpus

    Raises
    ------
    CorpusError
        If a source is of no known layout, lacks audio or labels, or all of them together hold too
        little to learn from; or a label that is renamed does not occur, or one of a manifest or a
        folder is one of the program's own but for capitals.
    """
    names = {name: new for old, new in (renamed or {}).items() for name in (old, one_word(old))}
    clips = read_clips(sources, names)
    known = {label for clip in clips for label in (*clip.labels, clip.label)}
    strange = sorted(old for old in renamed or () if not known.intersection((old, one_word(old))))
    if strange:
        raise CorpusError(
            f"no clip is labelled {strange[0]!r}, which was to be renamed; there are "
            f"{', '.join(sorted(known - {''})[:20])}"
        )
    named = ", ".join(map(str, sources))
    return make_corpus(_renamed(clips, names), named, least_groups=least_groups)


def read_clips(sources: Iterable[Path], renamed: Collection[str] = ()) -> list[Clip]:
    """Read labelled recordings, whatever their layout; see :func:`read_sources`."""
    return [clip for source in sources for clip in _read_source(source, renamed)]


SOUND_SECONDS = 12.0
"""Of each sound without a label, so much is heard, from its middle: more of a track of music tells
little that is new."""


def with_sounds(corpus: Corpus, folders: Sequence[Path]) -> Corpus:
    """Add sound without labels to a corpus.

    Parameters
    ----------
    corpus : Corpus
    folders : sequence of path
        All recordings below them are added, and what is in one folder below is one group. What
        cannot be decoded, and what is silent, is left out.

    Returns
    -------
    Corpus

    Raises
    ------
    CorpusError
        If a folder holds no recording.
    """
    sounds = list(corpus.sounds)
    for folder in folders:
        found = [Path(each.path) for each in discover([str(folder)]) if isinstance(each, Found)]
        if not found:
            raise CorpusError(f"{folder}: no recording in it, of which a student could learn")
        for path in found:
            try:
                duration = duration_of(str(path))
            except MediaError:
                continue
            first = max(0.0, (duration - SOUND_SECONDS) / 2)
            span = (first, first + SOUND_SECONDS) if first else None
            group = "/".join((folder.name, *path.relative_to(folder).parts[:-1]))
            clip = _clip(path, (), group=group, source=folder.name)
            sounds.append(replace(clip, labels=(), label="", span=span))
    return replace(corpus, sounds=tuple(sounds))


def _read_source(source: Path, renamed: Collection[str]) -> list[Clip]:
    if not os.path.exists(source):  # noqa: PTH110 (no error, whatever the name)
        raise CorpusError(f"{source}: there is no such folder or manifest; check the name")
    if source.is_dir():
        if (source / "meta" / "esc50.csv").is_file():
            return _read_esc50(source)
        if (source / "FSD50K.ground_truth").is_dir():
            return _read_fsd50k(source)
        return _read_folders(source, renamed)
    if _is_segment_list(source):
        return _read_segments(source)
    return list(read_manifest(source, renamed))


def _renamed(clips: Iterable[Clip], renamed: Mapping[str, Names]) -> list[Clip]:
    kept = []
    for clip in clips:
        # The finer label of a clip without triggers may be renamed as well: it says more.
        old = (clip.label,) if not clip.triggers and clip.label in renamed else clip.labels
        names = [name for label in old for name in renamed.get(label, (label,))]
        if UNSURE in names:
            kept.append(replace(clip, labels=(), triggers=()))
        else:
            kept.append(clip if tuple(names) == clip.labels else clip.labelled(names))
    return kept


def _clip(path: Path, names: Iterable[str], *, group: str, source: str, **other: Any) -> Clip:
    blank = Clip(
        path=str(path),
        labels=(),
        triggers=(),
        label="",
        group=group,
        recording=str(path),
        source=source,
        licence="unknown",
        fold=None,
        sha256=None,
    )
    return blank.labelled(names, **other)


def _read_folders(source: Path, renamed: Collection[str]) -> list[Clip]:
    clips = []
    for found in discover([str(source)]):
        if isinstance(found, Found):
            path = Path(found.path)
            label, *between = path.relative_to(source).parts[:-1] or ("",)
            names = parse_labels(label, str(path))
            check_case(names, str(path), renamed)
            if not names:
                raise CorpusError(
                    f"{path}: lies in no folder that names its label; sort recordings into folders "
                    f"below {source}, one a label, or write a manifest"
                )
            group = "/".join(between) if between else str(path.relative_to(source))
            clips.append(_clip(path, names, group=group, source=source.name))
    if not clips:
        raise CorpusError(f"{source}: no recording in it; a folder per label is expected")
    return clips


def _read_esc50(source: Path) -> list[Clip]:
    table = source / "meta" / "esc50.csv"

    def read(row: Row) -> Clip:
        return _clip(
            source / "audio" / row["filename"],
            [row["category"]],
            group=f"freesound:{row['src_file']}",
            source="ESC-50",
            fold=parse_fold(row["fold"], row["filename"]),
            licence="CC BY-NC 3.0",
        )

    clips = _read_rows(table, "filename fold category src_file".split(), read)
    check_audio(clips, table)
    return clips


def _read_fsd50k(source: Path) -> list[Clip]:
    return [clip for part in ("dev", "eval") for clip in _read_fsd50k_part(source, part)]


def _read_fsd50k_part(source: Path, part: str) -> list[Clip]:
    table = source / "FSD50K.ground_truth" / f"{part}.csv"
    about = source / "FSD50K.metadata" / f"{part}_clips_info_FSD50K.json"
    if not table.is_file():
        return []
    facts = _read_facts(about) if about.is_file() else {}

    def read(row: Row) -> Clip:
        fact = facts.get(row["fname"], {})
        return _clip(
            source / f"FSD50K.{part}_audio" / f"{row['fname']}.wav",
            row["labels"].split(","),
            group=f"freesound:{fact.get('uploader', row['fname'])}",
            source="FSD50K",
            licence=fact.get("license", "unknown"),
        )

    clips = _read_rows(table, ["fname", "labels"], read)
    check_audio(clips, table)
    return clips


def _read_facts(about: Path) -> Facts:
    """Read what is known of clips by their names."""
    try:
        facts = json.loads(read_text(about, "metadata"))
    except ValueError as exc:
        raise CorpusError(f"{about}: is no JSON; unpack the metadata again: {exc}") from exc
    if not isinstance(facts, dict) or not all(isinstance(x, dict) for x in facts.values()):
        raise CorpusError(f"{about}: tells no facts by clip; unpack the metadata again")
    return facts


SEGMENT_COLUMNS = ("YTID", "start_seconds", "end_seconds", "positive_labels")


def _is_segment_list(source: Path) -> bool:
    try:
        with source.open(encoding="utf-8-sig") as file:
            head = [file.readline() for _ in range(3)]
    except (OSError, UnicodeDecodeError):
        return False
    return any(line.startswith("#") and "YTID" in line for line in head)


def _read_segments(source: Path) -> list[Clip]:
    names = _display_names(source.parent)
    audio: dict[str, list[Path]] = {}
    cuts: dict[str, list[Path]] = {}
    for found in discover([str(source.parent)]):
        if isinstance(found, Found):
            path = Path(found.path)
            audio.setdefault(path.stem, []).append(path)
            for mark in re.finditer("_", path.stem):  # identifiers may hold it as well
                cuts.setdefault(path.stem[: mark.start()], []).append(path)

    def read(row: Row) -> Clip | None:
        begin, end = _span_of(row)
        path = _audio_of(row["YTID"], begin, audio, cuts)
        if path is None:  # copies of AudioSet are never whole: videos were taken down
            return None
        labels = [names.get(x, x) for x in row["positive_labels"].split(",")]
        group = f"youtube:{row['YTID']}"
        return _clip(path, labels, group=group, source="AudioSet", span=(begin, end))

    rows = read_each(source, _segment_rows(source), SEGMENT_COLUMNS, read)
    clips = [clip for clip in rows if clip is not None]
    if not clips:
        raise CorpusError(
            f"{source}: no audio of its segments lies beside it; names must begin with the YTID"
        )
    return clips


def _segment_rows(source: Path) -> dict[int, Row]:
    """Read the rows of a list of segments, which has no head, by their lines."""
    rows = {}
    for line, text in enumerate(read_text(source, "list of segments").split("\n"), start=1):
        if text.strip() and not text.startswith("#"):
            try:
                (cells,) = csv.reader([text], skipinitialspace=True)
            except csv.Error as exc:
                raise CorpusError(f"{source}, line {line}: cannot be read: {exc}") from exc
            if len(cells) != len(SEGMENT_COLUMNS):
                raise CorpusError(
                    f"{source}, line {line}: has {counted(len(cells), 'cell')}, not "
                    f"{', '.join(SEGMENT_COLUMNS)}; several labels stand in quotes"
                )
            rows[line] = dict(zip(SEGMENT_COLUMNS, cells, strict=True))
    return rows


def _span_of(row: Row) -> tuple[float, float]:
    """Read from which second to which a segment lasts."""
    begin, end = row["start_seconds"], row["end_seconds"]
    try:
        span = float(begin), float(end)
    except ValueError:
        span = 0.0, 0.0
    if not 0 <= span[0] < span[1] < math.inf:
        raise CorpusError(
            f"{row['YTID']}: {begin} to {end} are no seconds of a segment, as 30 to 40"
        )
    return span


def _audio_of(
    ytid: str, begin: float, audio: Mapping[str, list[Path]], cuts: Mapping[str, list[Path]]
) -> Path | None:
    """Find the audio of a segment: the whole video's, or a cut's that names its start."""
    for stem in (ytid, f"{ytid}_{begin:g}", f"{ytid}_{begin:.3f}", f"{ytid}_{round(1000 * begin)}"):
        if stem in audio:
            return audio[stem][0]
    only, *more = cuts.get(ytid, (None,))
    return None if more else only


def _display_names(folder: Path) -> dict[str, str]:
    """Names of AudioSet's classes by identifier, where its list lies beside the segments."""
    table = folder / "class_labels_indices.csv"
    if not table.is_file():
        return {}
    columns = ["mid", "display_name"]
    return dict(_read_rows(table, columns, lambda row: (row["mid"], row["display_name"])))


def _read_rows(table: Path, columns: Sequence[str], read: Callable[[Row], T]) -> list[T]:
    rows = read_table(table, columns, "table", f"it needs {', '.join(columns)}")
    return read_each(table, dict(enumerate(rows, start=2)), columns, read)
