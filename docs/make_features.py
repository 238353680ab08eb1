#!/usr/bin/env python3
"""Write ``docs/features.md``, the guide to feature columns, from the schema.

usage: make_features.py [--output FILE]
"""

from __future__ import annotations

import argparse
import math
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.config import FeatureSpec
from asmr_classify.features.definitions import CHAPTERS
from asmr_classify.features.filterbanks import mel_filterbank
from asmr_classify.features.frames import mel_settings
from asmr_classify.features.schema import SCHEMA_VERSION, column_names, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asmr_classify.features.definitions import Family

ROOT = Path(__file__).parent.parent
SPEC = FeatureSpec()

BEGIN = """\
# Features

Written by `docs/make_features.py` from the schema: version {version}, fingerprint
`{fingerprint}`, {n} columns. Whatever changes the meaning of a column changes both.

    asmr-classify features recordings --output features.parquet

writes what the model hears by, as a table for models of your own. A `.csv` file holds the same to
the last bit; `.parquet` needs `pip install 'asmr-classify[parquet]'`.

- **A row a window** of {duration:g} seconds, one every {hop:g} s: `path`, `start` and `end` in
  seconds, `level_db` (mean level over {fmin:g} Hz in dB relative to a full-scale square wave; below
  {silence:g} is silence), then the features.
- **A row a file** (`--by file`): `path`, `duration` (the end of the last window), `n_windows`,
  `level_db`, then the mean of each feature over the file's `n_windows` audible windows. Where
  none is audible, `n_windows` is 0 and the row is the mean of all.
- Features do not depend on how loud a recording is, and every value is a finite number.
- A file that cannot be read is told of on stderr, has no rows, and makes the exit status 3; of one
  that breaks off there are the rows of what was heard. Files come in the order in which they are
  finished, the rows of each together and in order of time.
- `FILE.parts` beside the output keeps the rows of each recording: a run that was killed goes on
  where it was when the same command is given again, and a later one computes only what is new or
  changed. A table is written anew each time: of recordings that an earlier one holds and that are
  not named now it is said that they are missing, and their rows stay in that folder. It takes about
  3 kB a second of sound; remove it when there will be no such run.

From Python, the same of one recording:

    from asmr_classify import features
    X = features.read("tap.flac")                      # array of float32, (n_windows, {n})
    row = features.read("tap.flac", by="file")         # (1, {n})
    frame = features.read("tap.flac", as_frame=True)   # the columns of the table, with pandas
    names = features.names()                           # of the columns of X

A pipeline of scikit-learn, fitted on such a table, is in the
[README](../README.md#features-for-models-of-your-own).
"""


def iter_parts() -> Iterator[str]:
    """Yield the guide part by part."""
    from asmr_classify.features.table import SILENCE_DBFS

    yield BEGIN.format(
        version=SCHEMA_VERSION,
        fingerprint=fingerprint(SPEC),
        n=len(column_names(SPEC)),
        duration=SPEC.windows.duration,
        hop=SPEC.windows.hop,
        fmin=SPEC.frames.fmin_hz,
        fmax=SPEC.frames.fmax_hz,
        silence=SILENCE_DBFS,
    )
    for chapter in CHAPTERS:
        yield f"## {chapter.title}\n\n{textwrap.fill(chapter.text, 100)}\n"
        yield "| columns | number | definition | unit | range | source |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for family in chapter.families:
            yield describe(family)
        yield ""
    yield f"## Bands\n\n{bands()}"
    names = textwrap.fill(" ".join(column_names(SPEC)), 100)
    yield f"## All columns\n\nIn their order:\n\n```\n{names}\n```\n"


def describe(family: Family) -> str:
    """Write the line of a family."""
    columns = family.columns(SPEC)
    cells = [
        shown(columns),
        str(len(columns)),
        family.definition,
        family.unit,
        shown_range(family),
        family.source or "this program",
    ]
    return f"| {' | '.join(cells)} |"


def shown(columns: tuple[str, ...]) -> str:
    """Name columns, only the ends of a long row of numbers."""
    if len(columns) > 3 and re.search(r"\d$", columns[0]):
        return f"`{columns[0]}` … `{columns[-1]}`"
    return ", ".join(f"`{name}`" for name in columns)


def shown_range(family: Family) -> str:
    """Write a range as people read it."""
    low, high = f"{family.low:g}", f"{family.high:g}"
    return f"{low} and more" if math.isinf(family.high) else f"{low} to {high}"


def bands() -> str:
    """Tell where each band is highest."""
    lines = []
    for title, settings in zip(("Mel", "Texture"), mel_settings(SPEC.frames), strict=True):
        weights = np.asarray(mel_filterbank(**settings))
        freqs = np.argmax(weights, axis=1) * settings["sr"] / settings["n_fft"]
        listed = ", ".join(f"{k}: {freq:.0f}" for k, freq in enumerate(freqs))
        lines.append(
            textwrap.fill(f"{title} bands are highest at these frequencies in Hz: {listed}.", 100)
        )
    return "\n\n".join(lines) + "\n"


def main() -> None:
    """Write the guide."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "features.md")
    parser.parse_args().output.write_text("\n".join(iter_parts()), encoding="utf-8")


if __name__ == "__main__":
    main()
