"""Run benchmarks; write their tables and README figures: ``python -m tests.benchmarks [NAME…]``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.benchmarks import (
    check,
    cluster,
    growth,
    library,
    many_files,
    parts,
    review,
    robustness,
    scenes,
    search,
    speed,
    stages,
    storage,
    student,
    teach,
    visual,
)
from tests.benchmarks.report import (
    RESULTS,
    Table,
    describe_machine,
    figures_for_people,
    to_markdown,
    with_figures,
)
from tests.conftest import ROOT

README = ROOT / "README.md"

BENCHMARKS = {
    "speed": speed.run,
    "stages": stages.run,
    "growth": growth.run,
    "features": growth.run_features,
    "many-files": many_files.run,
    "arrivals": many_files.run_arrivals,
    "robustness": robustness.run,
    "scenes": scenes.run,
    "search": search.run,
    "student": student.run,
    "parts": parts.run,
    "teach": teach.run,
    "check": check.run,
    "library": library.run,
    "review": review.run,
    "storage": storage.run,
    "cluster": cluster.run,
    "visual": visual.run,
}


def write_table(table: Table, folder: Path) -> None:
    """Write one table as Markdown and JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    machine = describe_machine()
    (folder / f"{table.name}.md").write_text(to_markdown(table, machine), encoding="utf-8")
    record = {"name": table.name, "machine": machine, "head": table.head, "rows": table.rows}
    (folder / f"{table.name}.json").write_text(json.dumps(record, indent=1) + "\n")


def main() -> None:
    """Run what is named on the command line, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for the tables")
    args = parser.parse_args()
    unknown = set(args.names).difference(BENCHMARKS)
    if unknown:
        parser.error(
            f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}"
        )
    for name in args.names or BENCHMARKS:
        table = BENCHMARKS[name]()
        write_table(table, args.output)
        sys.stdout.write(to_markdown(table, describe_machine()))
    if args.output == RESULTS:
        readme = README.read_text(encoding="utf-8")
        README.write_text(with_figures(readme, figures_for_people(RESULTS)), encoding="utf-8")


if __name__ == "__main__":
    main()
