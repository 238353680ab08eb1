"""Time and memory against the length of a recording: ten minutes, an hour, ten hours."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import sounds
from tests.benchmarks.measure import one_core, run_python
from tests.benchmarks.report import RESULTS, Table
from tests.media.make_media import write_media

if TYPE_CHECKING:
    from collections.abc import Iterator

ABOUT = """\
One AAC file, labelled on one core, the start of the program included. Peak memory is what the
process that labels it held at most. `growth.svg` draws the times on the line through the origin
and the longest."""

FEATURES_ABOUT = """\
The features of one AAC file, a row of CSV for each second, written by one worker on one core, the
start of the program included. Peak memory is what the process that hears it, or the one that
writes, held at most."""

LENGTHS = (1, 6, 60)
"""In tens of minutes."""


def run() -> Table:
    """Measure, and draw the plot."""
    measured = []
    with one_core():
        for length, path in iter_recordings(LENGTHS):
            label = ("-m", "asmr_classify", "label", "--quiet", str(path))
            measured.append(min(run_python(*label) for _ in range(3 if length < 60 else 1)))
    hours = [length / 6 for length in LENGTHS]
    draw(hours, [took for took, _ in measured], RESULTS / "growth.svg")
    least = measured[0][1]
    rows = tuple(
        (hour, took, took / hour / 3600 * 1e6, peak, peak - least)
        for hour, (took, peak) in zip(hours, measured, strict=True)
    )
    head = ("hours", "seconds", "µs per second of audio", "peak MB", "MB over ten minutes")
    return Table("growth", ABOUT, head, rows)


def run_features(lengths: tuple[int, ...] = LENGTHS) -> Table:
    """Measure features by length, in tens of minutes."""
    rows: list[tuple[object, ...]] = []
    least = 0.0
    with one_core():
        for length, path in iter_recordings(lengths):
            table = path.with_suffix(".csv")
            features = ("features", "--quiet", "--jobs", "1", "--output", str(table), str(path))
            took, peak = run_python("-m", "asmr_classify", *features)
            n_rows = table.read_bytes().count(b"\n") - 1
            least = least or peak
            rows.append((length / 6, n_rows, table.stat().st_size / 1e6, took, peak, peak - least))
    head = ("hours", "rows", "MB of CSV", "seconds", "peak MB", "MB over the shortest")
    return Table("features", FEATURES_ABOUT, head, tuple(rows))


def iter_recordings(lengths: tuple[int, ...]) -> Iterator[tuple[int, Path]]:
    """Make a file of each length, which is gone when the next is asked for."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        unit = write_media(folder / "unit.aac", sounds.stereo(sounds.TEN_MINUTES), sounds.ADTS)
        for length in lengths:
            path = folder / f"{length}.aac"
            with path.open("wb") as file:
                for _ in range(length):
                    file.write(unit.read_bytes())
            yield length, path
            path.unlink()


def draw(hours: list[float], took: list[float], path: Path) -> None:
    """Draw seconds over hours of audio, with the line of the longest."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "growth"
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.loglog(hours, [hour * took[-1] / hours[-1] for hour in hours], "--", color="0.6")
    axes.loglog(hours, took, "o")
    axes.set_xticks(
        hours, [f"{60 * hour:.0f} min" if hour < 1 else f"{hour:.0f} h" for hour in hours]
    )
    axes.minorticks_off()
    axes.set_xlabel("length of the recording")
    axes.set_ylabel("seconds to label it")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
