#!/usr/bin/env python3
"""Write ``docs/formats.md``, the guide to formats, with examples that the program writes.

usage: make_formats.py [--output FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import soundfile

from asmr_classify.cli.app import app
from asmr_classify.writers import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "data" / "demo"

RECORDING = "evening.flac"
CLIPS = ("whisper-slow", "tap-keys", "none-talk", "noise-pink")
REPEATS = 4
"""The example: each clip four times over, so that there is something to divide."""

HOME = "/home/you/asmr"
"""Stands for the folder that the examples are written in, which is a temporary one."""

LONGEST_LINE = 400

BEGIN = """\
# Formats

Written by `docs/make_formats.py`: every example is what the program wrote of one recording of
{seconds:.0f} seconds, put together from the clips {clips} of `data/demo`.

`--format NAME` chooses a format, or the ending of `--output` does (`labels.txt` is nothing but one;
a `.txt` file of none of them is the table). Formats of **many** recordings
take any number of them in one file; formats of **one** belong to a single recording, so name one,
or give `--per-file DIR`.

{table}

## One file for each recording

    asmr-classify label sleep --format webvtt --per-file labels

writes `labels/night/rain.mp3.vtt` for `sleep/night/rain.mp3`: the folder mirrors the deepest folder
that holds everything that is named. A folder in which the recordings lie themselves, as in
`--per-file sleep`, or `--per-file .` above them, gets each file beside its recording. Names keep
the extension of the recording, so that `rain.mp3` and `rain.wav` get one each.

- A recording that could not be heard gets no file in the formats of one recording and in `raven`,
  so an empty file always means that nothing was found. `jsonl`, `csv` and `parquet` say why.
- The journal in the folder (`asmr-classify.journal`) lets a run that was broken off go on, and
  serves every format: the same command with another `--format` takes no labelling.
- A file that holds the same already is not touched. One from an earlier run is replaced as long as
  it is as the program wrote it, which `asmr-classify.written` in the folder tells. One that you
  edited since is left alone and told of, and the others are written. One that is something else,
  subtitles of your own say, is left alone and ends the run with an error, and so is one that is
  read-only and would change.
- A file whose recording is gone, or has another name now, stays, and is told of when the run ends;
  so is one whose recording has its file in another place now, as another folder is mirrored.
- An `--output` in a format of one recording that exists is never replaced: if it holds anything but
  what would be written, the run ends with an error. Remove it, or name another file.
- What you `set` counts: all formats of one recording, and `raven`, leave out the stretches of
  labels that you set as absent. `jsonl` and `parquet` keep the whole timeline, which stays the
  model's, and name in `corrected` what was set.
- Times are seconds from the beginning of the recording, unless a format says otherwise. Characters
  that would break a format, such as a tab in a name, are written as `\\x09`.
"""

GUIDES = {
    "jsonl": """\
For programs. All other formats follow from it; keys are added, never taken away. Each line is
written as its file is finished.
""",
    "csv": """\
For spreadsheets. Cells never start a formula. Scores are there, the timeline is not. Kinds
stand in one cell, the surest first: `typing=0.9300 rain=0.7100`. Of what is seen there are words
and counts (`picture`, `motion`, `light`, `cuts_per_minute`, `flashes`), see
[docs/visual.md](visual.md).
""",
    "parquet": """\
For data frames. Needs `pip install 'asmr-classify[parquet]'`. The columns of `csv`, a column
`share_LABEL` for each label, `segments`, a list of start, end, label and score, `kinds`, a list
of kind and score, and `visual` and `visual_error` as in `jsonl`. The file appears when the run
ends, also when it is interrupted with Ctrl-C; after a crash, run the command again: what was
finished is in the journal. With a slash behind it, `--output` is a folder that takes a table
in parts, here or in storage, see [docs/cluster.md](cluster.md#3-tables-in-parts).

    frame = pd.read_parquet("labels.parquet")
    frame[frame.score_tap > 0.8]
    pd.json_normalize(frame.explode("segments").segments)  # a row a segment
""",
    "raven": """\
For Raven, and for crowsetta, opensoundscape or Rraven. In a table of many recordings `Begin Time`
and `End Time` count through all of them, as Raven shows them, and `File Offset` from the beginning
of each.
""",
    "audacity": """\
For Audacity: File > Import > Labels. Edited there, they are exported the same way.
""",
    "webvtt": """\
For players and web pages: `<track src="evening.flac.vtt" kind="metadata">`, or
`mpv --sub-file=evening.flac.vtt evening.flac`.
""",
    "youtube": """\
For creators: paste it into the description. YouTube takes a list only if it begins at 0:00 and has
three chapters or more, of ten seconds or more each. Shorter stretches are joined with what is most
like them; a chapter is named after the labels that fill at least half of it, else half of what is
not silent in it. With `--skip lively`, where much moves in a video is told too (`tap + lively`), so
that viewers can skip it as they can the labels. Chapters of long recordings last for a minute in an
hour at least, three minutes in three hours, unless fewer than three would be left, and for as much
longer as it takes for the list to fit into a description, of 5,000 bytes. Where there is no such
list the program says so, and writes none.
""",
    "stash": """\
In the shape in which Stash exports a scene with its markers (`scenes/` of an export), for scripts
that put them there through its interface (`sceneMarkerCreate`). A marker a segment; `seconds` are
texts, as Stash writes them. `files` names the recording in full, as Stash finds scenes by it: where
Stash sees the files in another place, change its beginning. It is made after the schema of Stash,
and was not tried in it. Beware of its *import* of such files: a scene that is there is passed by,
or, to *overwrite*, replaced by what the file says, performers and details included.
""",
    "edl": """\
For Kodi and MPlayer, which leave out what is listed (`0` is a cut). Kodi looks for it beside the
video under the same name without its extension, so name the folder of the videos, or one above, as
in `--per-file .`; such files are named `evening.edl`. mpv cannot read it: see `mpv-edl`.
`--skip lively` leaves out where much moves in a video, be it without sound, beside labels or alone.
""",
    "mpv-edl": """\
For mpv, which plays what is listed: `mpv labels/evening.flac.mpv.edl`. It names the recording as
seen from the list, so move both or neither.
""",
}

END = """\
## Where they are described

{sources}
"""

SOURCES = (
    ("Audacity labels", "https://manual.audacityteam.org/man/importing_and_exporting_labels.html"),
    ("Kodi, Edit decision list", "https://kodi.wiki/view/Edit_decision_list"),
    ("mpv, EDL files", "https://github.com/mpv-player/mpv/blob/master/DOCS/edl-mpv.rst"),
    ("Raven", "https://www.ravensoundsoftware.com"),
    (
        "Stash, JSON of scenes",
        "https://github.com/stashapp/stash/tree/develop/pkg/models/jsonschema",
    ),
    ("WebVTT", "https://www.w3.org/TR/webvtt1/"),
    ("YouTube, Video chapters", "https://support.google.com/youtube/answer/9884579"),
)


def iter_parts() -> Iterator[str]:
    """Yield the guide part by part."""
    rows = (
        f"| [`{name}`](#{name}) | {'one' if form.is_document else 'many'} | "
        f"{', '.join(f'`{suffix}`' for suffix in form.suffixes)} | {form.help} |"
        for name, form in FORMATS.items()
    )
    head = "| format | recordings | endings | what it is for |\n| --- | --- | --- | --- |\n"
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        seconds = write_recording()
        clips = ", ".join(f"`{clip}`" for clip in CLIPS)
        yield BEGIN.format(table=head + "\n".join(rows), seconds=seconds, clips=clips)
        for name in FORMATS:
            yield describe(name)
    yield END.format(sources="\n".join(f"- {title}: <{url}>" for title, url in SOURCES))


def write_recording() -> float:
    """Put the example together, and tell how many seconds it lasts."""
    takes = []
    for clip in CLIPS:
        y, sr = soundfile.read(DEMO / f"{clip}.flac", dtype="int16")
        takes += [y] * REPEATS
    whole = np.concatenate(takes)
    soundfile.write(RECORDING, whole, sr)
    return len(whole) / sr


def describe(name: str) -> str:
    """Write the chapter of a format."""
    form = FORMATS[name]
    options = ["--format", name, *(["--skip", "speech"] if form.skips else [])]
    command = ["label", RECORDING, *options, "--per-file", "labels"]
    app([*command, "--quiet"], standalone_mode=False)
    stem = Path(RECORDING).stem if form.takes_stem else RECORDING
    path = Path("labels", stem + form.suffixes[0])
    text = show(path) if form.is_text else show_frame(path)
    return (
        f"## {name}\n\n{form.help[0].upper()}{form.help[1:]}.\n\n{GUIDES[name]}\n"
        f"    asmr-classify {' '.join(command)}\n\n"
        f"`{path.as_posix()}`:\n\n```\n{text.strip()}\n```\n"
    )


def show(path: Path) -> str:
    """Show a file, its longest lines cut."""
    here = str(Path.cwd())
    text = path.read_text(encoding="utf-8").replace(here, HOME)
    lines = (x if len(x) <= LONGEST_LINE else f"{x[:LONGEST_LINE]} …" for x in text.splitlines())
    return "\n".join(lines)


def show_frame(path: Path) -> str:
    """Show a table as pandas sees it."""
    frame = pd.read_parquet(path)
    segments = pd.json_normalize(frame.explode("segments").segments)
    return f"{frame.dtypes.to_string()}\n\n{segments.to_string()}"


def main() -> None:
    """Write the guide."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "formats.md")
    output = parser.parse_args().output.absolute()
    output.write_text("\n".join(iter_parts()), encoding="utf-8")


if __name__ == "__main__":
    main()
