"""How clips lie in a data set, and the tables that tell of them.

============ ================================================================================
folders      ``tap/maker/clip.flac``: a folder per label, and ``clips.csv``; `train` reads it
audiofolder  ``train/clip.flac`` and ``train/metadata.csv``, the same for ``validation`` and
             ``test``: ``datasets.load_dataset("audiofolder", data_dir=…)`` reads it [1]_
jams         ``audio/clip.flac``, ``jams/clip.jams`` with all labels that the clip holds as
             ``tag_open`` [2]_, and ``clips.csv``
esc50        ``audio/1-7-A-2.wav`` and ``meta/esc50.csv`` as ESC-50 has them [3]_, with five
             folds; clips are as long as they are; `train` reads it
kaldi        ``audio/clip.wav``, and in ``train``, ``validation`` and ``test`` the tables
             ``wav.scp``, ``segments``, ``utt2spk``, ``spk2utt`` and ``text`` [4]_, in which the
             label is the text and the maker the speaker; and ``clips.csv``
============ ================================================================================

Who reads ``metadata.csv`` guesses the type of each column, part by part, and refuses parts in which
they differ: so there all have the same columns, and no text is empty or looks like a number.

``clips.csv``, ``metadata.csv`` and ``esc50.csv`` hold a row a clip with all of :data:`COLUMNS`;
what spreadsheets would run is escaped as in the CSV of results. Names of clips hold letters,
digits, dots, dashes and ``_`` only.

References
----------
.. [1] https://huggingface.co/docs/datasets/audio_dataset#audiofolder
.. [2] Humphrey et al. (2014). JAMS: a JSON annotated music specification for reproducible MIR
   research. ISMIR.
.. [3] Piczak (2015). ESC: Dataset for environmental sound classification. ACM Multimedia.
.. [4] https://kaldi-asr.org/doc/data_prep.html
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from asmr_classify.library.clips import PARTS
from asmr_classify.library.names import name_key, numbered
from asmr_classify.library.written import checksum_of
from asmr_classify.media.cut import Form
from asmr_classify.writers.csv import escape_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from asmr_classify.library.clips import Stretch

FOLDS = ("1", "2", "3", "4", "5")
"""Of ESC-50."""

COLUMNS = {
    "file_name": "the clip, from the folder of the table",
    "label": "what it was cut out for",
    "labels": "all labels that cover half of it or more, that one first",
    "split": "part of the data set; a group is in one only",
    "group": "maker or session",
    "source": "the recording, from the folder that holds all recordings",
    "start, end": "seconds in the recording, from and to which the clip goes",
    "segment_start, segment_end": "seconds in the recording, from and to which the label goes",
    "score": "of the label, over the segment",
    "score_LABEL": "of each label, over the whole recording",
    "sr, n_channels": "sampling rate in Hz and channels of the clip",
    "model": "that labelled it",
    "corrected": "what was set by hand of the recording; empty, or `nothing`, where nothing was",
    "licence": "as the tags of the recording state it; empty, or `not stated`, where they do not",
    "sha256": "checksum of the clip",
}
"""Of the tables, and what they hold."""

TEXTS = {"label", "labels", "group", "source", "model", "corrected", "licence"}
"""Columns that hold texts which may be of any kind."""

WHERE_EMPTY = {"corrected": "nothing", "licence": "not stated"}
"""What ``metadata.csv`` says there."""

NO_TEXT = frozenset(
    "#n/a n/a,#n/a,n/a,#na,-1.#ind,1.#ind,-1.#qnan,1.#qnan,<na>,na,none,null,true,false".split(",")
)
"""What pandas reads as something else than text, besides numbers; in small letters."""

NOT_PLAIN = re.compile(r"[^\w.-]+")
"""What names of clips do not hold."""

JAMS_VERSION = "0.3.4"


class LayoutName(StrEnum):
    """How clips lie in a data set."""

    FOLDERS = "folders"
    AUDIOFOLDER = "audiofolder"
    JAMS = "jams"
    ESC50 = "esc50"
    KALDI = "kaldi"


@dataclass(frozen=True, slots=True)
class Entry:
    """A clip of a data set.

    Parameters
    ----------
    stretch : Stretch
    start, end : float
        Seconds of the recording that the clip holds in fact.
    part : str
        Of the data set.
    source : str
        The recording, relative to the folder that holds all.
    sr, n_channels : int
    licence : str
    ending : str
        Of its name.
    file : str
        Its name from the folder of the data set, folders parted by ``/``.
    """

    stretch: Stretch
    start: float
    end: float
    part: str
    source: str
    sr: int
    n_channels: int
    licence: str
    ending: str
    file: str = ""

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Table:
    """A text of a data set.

    Parameters
    ----------
    file : str
        Its name from the folder of the data set.
    text : str
        With marks for the checksums of clips, by their place in ``entries``.
    entries : tuple of Entry
        That it tells of.
    """

    file: str
    text: str
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """How clips lie in a data set.

    Parameters
    ----------
    parts : tuple of str
        That groups are put into.
    form : Form
        Of clips, where nothing is said.
    place : callable
        Gives folder and stem of each of the clips, which are given in their order.
    tables : callable
        Gives the tables of clips.
    """

    parts: tuple[str, ...]
    form: Form
    place: Callable[[Sequence[Entry]], list[tuple[str, str]]]
    tables: Callable[[Sequence[Entry]], list[Table]]


def name_files(entries: Sequence[Entry], layout: Layout) -> list[str]:
    """Name the clips; where two would differ in their ending alone, a number is added.

    What tells of one clip is named after it, without its ending.

    Parameters
    ----------
    entries : sequence of Entry
    layout : Layout

    Returns
    -------
    list of str
        From the folder of the data set, parted by ``/``.
    """
    taken: set[str] = set()
    files = []
    for entry, (folder, stem) in zip(entries, layout.place(entries), strict=True):
        number = 0
        while True:
            number += 1
            tail = f"{f'_{number}' if number > 1 else ''}.{entry.ending}"
            file = f"{folder}/{numbered(stem, 1, tail)}{tail}"
            key = name_key(file.removesuffix(f".{entry.ending}"))
            if key not in taken:
                break
        taken.add(key)
        files.append(file)
    return files


def plain(text: str) -> str:
    """Make a name of letters, digits, dots, dashes and ``_``, whatever the text.

    Examples
    --------
    >>> plain("Rain & wind (2)"), plain("-..")
    ('Rain_wind_2', '_')
    """
    return NOT_PLAIN.sub("_", text).strip("-._") or "_"


def plain_names(texts: Iterable[str], *, dash: str = "-") -> dict[str, str]:
    """Make plain names that differ where texts do, even where case does not count."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for text in sorted(set(texts)):
        name = wish = plain(text).replace("-", dash)
        number = 1
        while name_key(name) in taken:
            number += 1
            name = f"{wish}_{number}"
        taken.add(name_key(name))
        names[text] = name
    return names


def _stem(entry: Entry) -> str:
    """Name a clip by its recording and place, in milliseconds."""
    name = entry.source.rpartition("/")[2].rpartition(".")[0] or entry.source
    return f"{plain(name)}_{round(1000 * entry.start):07d}-{round(1000 * entry.end):07d}"


def _by_label(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    makers = plain_names(entry.stretch.group for entry in entries)
    return [(f"{plain(e.stretch.label)}/{makers[e.stretch.group]}", _stem(e)) for e in entries]


def _by_part(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    return [(entry.part, _stem(entry)) for entry in entries]


def _in_one(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    return [("audio", _stem(entry)) for entry in entries]


def _by_speaker(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    makers = _speakers(entries)
    return [("audio", f"{makers[e.stretch.group]}-{_stem(e)}") for e in entries]


def _speakers(entries: Sequence[Entry]) -> dict[str, str]:
    """Name the makers so that clips, whose names begin so, sort as they do, which Kaldi wants."""
    return plain_names((entry.stretch.group for entry in entries), dash="_")


def _as_esc50(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """Name clips ``{fold}-{source}-{take}-{target}``."""
    numbers, targets = _numbers(entries)
    takes: dict[str, int] = {}
    named = []
    for entry in entries:
        take = takes[entry.source] = takes.get(entry.source, 0) + 1
        stem = (entry.part, numbers[entry.source], _letters(take), targets[entry.stretch.label])
        named.append(("audio", "-".join(map(str, stem))))
    return named


def _numbers(entries: Sequence[Entry]) -> tuple[dict[str, int], dict[str, int]]:
    """Give each source a number from 1 on, and each label one from 0 on."""
    sources = sorted({entry.source for entry in entries})
    labels = sorted({entry.stretch.label for entry in entries})
    return (
        {source: number for number, source in enumerate(sources, start=1)},
        {label: number for number, label in enumerate(labels)},
    )


def _letters(number: int) -> str:
    """Count A, B … Z, AA, AB and so on."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _row(entry: Entry, index: int, file: str) -> dict[str, str]:
    """Give what tables tell of a clip; the index is that of its checksum."""
    stretch = entry.stretch
    result = stretch.result
    return {
        "file_name": file,
        "label": escape_cell(stretch.label),
        "labels": escape_cell(",".join(stretch.labels)),
        "split": entry.part,
        "group": escape_cell(stretch.group),
        "source": escape_cell(entry.source),
        "start": f"{entry.start:.6f}",
        "end": f"{entry.end:.6f}",
        "segment_start": f"{stretch.start:.3f}",
        "segment_end": f"{stretch.end:.3f}",
        "score": f"{stretch.score:.4f}",
        **{f"score_{plain(label)}": f"{score:.4f}" for label, score in result.scores.items()},
        "sr": str(entry.sr),
        "n_channels": str(entry.n_channels),
        "model": escape_cell(result.model),
        "corrected": " ".join(result.corrected),
        "licence": escape_cell(entry.licence),
        "sha256": checksum_of(index),
    }


def _columns(rows: Iterable[Mapping[str, str]]) -> list[str]:
    """Give the columns of all rows: models differ in their labels."""
    by_length = sorted(rows, key=len, reverse=True)
    return [*dict.fromkeys(name for row in by_length for name in row)]


def _csv(rows: Sequence[Mapping[str, str]], columns: Sequence[str] | None = None) -> str:
    """Write a table, by default with the columns of all rows."""
    columns = columns or _columns(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _clips_csv(entries: Sequence[Entry]) -> Table:
    rows = [_row(entry, k, entry.file) for k, entry in enumerate(entries)]
    return Table("clips.csv", _csv(rows), tuple(entries))


def _just_clips(entries: Sequence[Entry]) -> list[Table]:
    return [_clips_csv(entries)]


def _of_part(entries: Sequence[Entry]) -> list[tuple[str, list[Entry]]]:
    found = [(part, [entry for entry in entries if entry.part == part]) for part in PARTS]
    return [(part, inside) for part, inside in found if inside]


def _metadata(entries: Sequence[Entry]) -> list[Table]:
    columns = _columns(_row(e, 0, "") for e in entries)
    tables = []
    for part, inside in _of_part(entries):
        rows = [
            {
                name: _as_text(value, WHERE_EMPTY.get(name, "")) if name in TEXTS else value
                for name, value in _row(e, k, e.file.rpartition("/")[2]).items()
            }
            for k, e in enumerate(inside)
        ]
        tables.append(Table(f"{part}/metadata.csv", _csv(rows, columns), tuple(inside)))
    return tables


def _as_text(text: str, where_empty: str) -> str:
    """Write a text so that it is read as one, whatever it says."""
    try:
        float(text)
    except ValueError:
        is_text = text.lower() not in NO_TEXT
    else:
        is_text = False
    return (text if is_text else f"'{text}") if text else where_empty


def _esc50_csv(entries: Sequence[Entry]) -> list[Table]:
    numbers, targets = _numbers(entries)
    rows = []
    for k, entry in enumerate(entries):
        name = entry.file.rpartition("/")[2]
        label = entry.stretch.label
        row = {
            "filename": name,
            "fold": entry.part,
            "target": str(targets[label]),
            "category": escape_cell(label),
            "esc10": "False",
            "src_file": str(numbers[entry.source]),
            "take": name.split("-")[2],
        }
        rows.append({**row, **_row(entry, k, f"../{entry.file}")})
    return [Table("meta/esc50.csv", _csv(rows), tuple(entries))]


def _with_jams(entries: Sequence[Entry]) -> list[Table]:
    return [*map(_jams, entries), _clips_csv(entries)]


def _jams(entry: Entry) -> Table:
    """Write the annotation of one clip; times count from its start."""
    stretch = entry.stretch
    result = stretch.result
    observations = []
    for segment in result.segments:
        first, last = max(segment.start, entry.start), min(segment.end, entry.end)
        if last > first:
            observations.append(
                {
                    "time": round(first - entry.start, 6),
                    "duration": round(last - first, 6),
                    "value": segment.label,
                    "confidence": segment.score,
                }
            )
    row = _row(entry, 0, f"../{entry.file}")
    record = {
        "annotations": [
            {
                "namespace": "tag_open",
                "time": 0.0,
                "duration": round(entry.duration, 6),
                "data": observations,
                "sandbox": {},
                "annotation_metadata": {
                    "curator": {"name": "", "email": ""},
                    "annotator": {"model": result.model},
                    "version": result.model,
                    "corpus": "",
                    "annotation_tools": "asmr-classify",
                    "annotation_rules": "",
                    "validation": " ".join(result.corrected),
                    "data_source": "program",
                },
            }
        ],
        "file_metadata": {
            "title": stretch.label,
            "artist": stretch.group,
            "release": "",
            "duration": round(entry.duration, 6),
            "identifiers": {},
            "jams_version": JAMS_VERSION,
        },
        "sandbox": {name: row[name] for name in row if name != "file_name"}
        | {"file": row["file_name"]},
    }
    stem = entry.file.rpartition("/")[2].rpartition(".")[0]
    text = json.dumps(record, indent=1, ensure_ascii=True)
    return Table(f"jams/{stem}.jams", text + "\n", (entry,))


def _kaldi(entries: Sequence[Entry]) -> list[Table]:
    makers = _speakers(entries)
    tables = []
    for part, inside in _of_part(entries):
        lines: dict[str, list[str]] = {name: [] for name in KALDI_TABLES}
        of_speaker: dict[str, list[str]] = {}
        for entry in inside:
            clip = entry.file.rpartition("/")[2].rpartition(".")[0]
            speaker, stretch = makers[entry.stretch.group], entry.stretch
            begin = max(0.0, stretch.start - entry.start)
            finish = min(entry.duration, stretch.end - entry.start)
            lines["wav.scp"].append(f"{clip} {entry.file}")
            lines["segments"].append(f"{clip} {clip} {begin:.3f} {finish:.3f}")
            lines["utt2spk"].append(f"{clip} {speaker}")
            lines["text"].append(f"{clip} {plain(stretch.label)}")
            of_speaker.setdefault(speaker, []).append(clip)
        lines["spk2utt"] = [f"{who} {' '.join(sorted(of))}" for who, of in of_speaker.items()]
        for name, rows in lines.items():
            # As bytes sort, which is LC_ALL=C: Kaldi refuses any other order.
            text = "".join(f"{row}\n" for row in sorted(rows, key=str.encode))
            tables.append(Table(f"{part}/{name}", text, tuple(inside)))
    return [*tables, _clips_csv(entries)]


KALDI_TABLES = ("wav.scp", "segments", "utt2spk", "spk2utt", "text")

LAYOUTS: Mapping[LayoutName, Layout] = {
    LayoutName.FOLDERS: Layout(PARTS, Form.FLAC, _by_label, _just_clips),
    LayoutName.AUDIOFOLDER: Layout(PARTS, Form.FLAC, _by_part, _metadata),
    LayoutName.JAMS: Layout(PARTS, Form.FLAC, _in_one, _with_jams),
    LayoutName.ESC50: Layout(FOLDS, Form.WAV, _as_esc50, _esc50_csv),
    LayoutName.KALDI: Layout(PARTS, Form.WAV, _by_speaker, _kaldi),
}
