#!/usr/bin/env python3
"""Write ``docs/scale.md``, arithmetic from one machine to a thousand million recordings.

usage: python -m docs.make_scale [--output FILE]

All figures come from the tables of ``python -m tests.benchmarks cluster storage``, and from what is
assumed below.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks import cluster, storage
from tests.benchmarks.report import RESULTS

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBER = 10**9
DAY = 24 * 3600
WEEK = 7 * DAY
CORES = 64
"""Of a machine."""

CLIENT_BYTES = 64e9
"""Memory of the machine that a run is started from."""

GETS = 5500
"""Requests a second that S3 answers for one prefix at least; below many prefixes it is more.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html"""

LISTED = 1000
"""Names in one answer of S3 at most, see the reference of ListObjectsV2."""

LINK_BYTES = 25e9 / 8
"""What a machine's link of 25 Gbit/s brings in a second."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Recordings of one length, as they were measured.

    Parameters
    ----------
    name : str
    rate : float
        Recordings a second for each worker, from storage.
    n_requests, n_bytes : float
        For each recording.
    """

    name: str
    rate: float
    n_requests: float
    n_bytes: float

    @property
    def n_workers(self) -> float:
        """Workers that label all in a week."""
        return NUMBER / self.rate / WEEK


@dataclass(frozen=True, slots=True)
class Limit:
    """Something that takes no more than so many workers, and what to do then."""

    what: str
    n_workers: float
    then: str


def read_rows(name: str) -> dict[str, dict[str, Any]]:
    """Read a table, by what was measured."""
    table = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return {row[0]: dict(zip(table["head"], row, strict=True)) for row in table["rows"]}


def find_row(rows: dict[str, dict[str, Any]], template: str) -> dict[str, Any]:
    """Find a row by its name, whatever number of recordings was measured."""
    before, _, after = template.partition("{}")
    return next(row for what, row in rows.items() if what.startswith(before) and after in what)


def read_kinds() -> list[Kind]:
    """Put together what was measured of each kind of recording."""
    there, stored = read_rows("cluster"), read_rows("storage")
    kinds = []
    for name, seconds, template in (
        ("clips", storage.CLIP_DURATION, storage.CLIPS),
        ("recordings", storage.DURATION, storage.FILES),
    ):
        row = find_row(stored, template)
        done = find_row(there, cluster.THROUGHPUT.format("{}", f"{seconds:.0f}"))
        rate = done["cluster"] / cluster.WORKERS / max(1.0, row["storage over disk"])
        n = row["files"]
        kinds.append(
            Kind(
                f"{name} of {seconds:.0f} s", rate, row["requests"] / n, row["MB fetched"] * 1e6 / n
            )
        )
    return kinds


def round_off(value: float) -> str:
    """Write a figure by its first two digits: no more is known."""
    digits = f"{value:.1e}"
    value = float(digits)
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"


def find_limits(kind: Kind, names_rate: float) -> list[Limit]:
    """Tell what takes how many workers, the least first."""
    limits = [
        Limit(
            "one client, which lists, sends and writes",
            names_rate / kind.rate,
            "start one run for each part of the names (`s3://bucket/0/`, `s3://bucket/1/` …), each "
            "with an output and a cluster of its own",
        ),
        Limit(
            f"storage, {GETS:,} requests a second for one prefix",
            GETS / (kind.rate * kind.n_requests),
            "spread the names over prefixes, which runs by parts need anyway: storage counts for "
            "each apart",
        ),
        Limit(
            f"the link of a machine, {LINK_BYTES * 8 / 1e9:.0f} Gbit/s",
            LINK_BYTES / (kind.rate * kind.n_bytes),
            "more and smaller machines, beside the storage",
        ),
    ]
    return sorted(limits, key=lambda limit: limit.n_workers)


def iter_parts() -> Iterator[str]:
    """Write the page, part by part."""
    there, kinds = read_rows("cluster"), read_kinds()
    names_rate = find_row(there, cluster.NAMES)["cluster"]
    yield BEGIN.format(number=f"{NUMBER:,}")
    yield describe_work(kinds)
    yield SATURATION
    limits = {kind.name: find_limits(kind, names_rate) for kind in kinds}
    for name, found in limits.items():
        yield write_table((name, "workers"), [(x.what, round_off(x.n_workers)) for x in found])
    first = {name: found[0].what for name, found in limits.items()}
    alike = len({*first.values()}) == 1
    through = NUMBER / names_rate
    yield SO.format(
        first=first[kinds[0].name]
        if alike
        else "; ".join(f"with {name} {what}" for name, what in first.items()),
        rate=round_off(names_rate),
        number=f"{NUMBER:,}",
        hours=round_off(through / 3600),
        in_a_week=ceil(through / WEEK),
        in_a_day=ceil(through / DAY),
    )
    yield "\n".join(
        f"- **{x.what[0].upper()}{x.what[1:]}:** {x.then}." for x in limits[kinds[0].name]
    )
    yield describe_memory(there)


def describe_work(kinds: list[Kind]) -> str:
    """Write what it takes to label all, in a table."""
    columns = [
        {
            "recordings a second for each worker": kind.rate,
            "hours of one core": NUMBER / kind.rate / 3600,
            "workers that take a week": kind.n_workers,
            f"machines of {CORES} cores": kind.n_workers / CORES,
            "requests that read": NUMBER * kind.n_requests,
            "requests that list": NUMBER / LISTED,
            "TB that are read": NUMBER * kind.n_bytes / 1e12,
            "GB a second, by so many workers": kind.n_workers * kind.rate * kind.n_bytes / 1e9,
        }
        for kind in kinds
    ]
    rows = [(what, *(round_off(column[what]) for column in columns)) for what in columns[0]]
    return write_table(("", *(kind.name for kind in kinds)), rows)


def describe_memory(there: dict[str, dict[str, Any]]) -> str:
    """Write what is kept of each recording, and by whom."""
    client, growth, scheduler, on_disk, in_memory = (
        there[what]["cluster"]
        for what in (
            cluster.CLIENT,
            cluster.GROWTH,
            cluster.SCHEDULER,
            cluster.ON_DISK,
            cluster.IN_MEMORY,
        )
    )
    return KEPT.format(
        names=next(what for what in there if what.startswith(cluster.NAMES)).split()[-1],
        client=round_off(client),
        scheduler=round_off(scheduler),
        growth=round_off(growth),
        all_growth=round_off(growth * NUMBER / 1e9),
        on_disk=round_off(on_disk),
        all_on_disk=round_off(on_disk * NUMBER / 1e12),
        in_memory=round_off(in_memory),
        memory=round_off(CLIENT_BYTES / 1e9),
        known=round_off(CLIENT_BYTES / in_memory),
    )


BEGIN = """\
# How far it goes

Written by `python -m docs.make_scale` from what was measured on one machine, of
[the cluster](../tests/benchmarks/results/cluster.md) and of
[storage](../tests/benchmarks/results/storage.md). Nobody has labelled {number} recordings by it;
this is arithmetic, for whoever plans to.

A worker is a core with a process that labels. What a recording takes from storage is counted in. It
is assumed that another worker, machine or prefix does as much as the first."""

SATURATION = """\
## What saturates first

How many workers, all of them busy, each of these serves; the least is what a larger cluster waits
for."""

SO = """\
So first it is: {first}. One client comes through {rate} names a second, which is {number} in
{hours} hours, however many workers there are.

## What to change then

Where there are workers enough, {in_a_day} clients side by side come through all names in a day, and
{in_a_week} in a week."""

KEPT = """\
## What is kept

Whoever starts a run held {client} MB at most, and the scheduler {scheduler} MB, with {names} names.
Each of the later half of them added {growth} bytes; for all that would be {all_growth} GB. The
journal has {on_disk} bytes for each recording, {all_on_disk} TB for all. A run that goes on holds
{in_memory} bytes of memory for each recording that its journal knows: {memory} GB are enough for
{known}. Of more than that make parts, each a run with a journal of its own."""


def write_table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Write a table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "scale.md")
    parser.parse_args().output.write_text("\n\n".join(iter_parts()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
