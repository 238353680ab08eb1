#!/usr/bin/env python3
"""Label the demo clips and export the terminal's picture as ``docs/label.svg``.

usage: make_picture.py [--output FILE]
"""

from __future__ import annotations

import argparse
import io
import os
from pathlib import Path

from rich.console import Console

from asmr_classify import label_paths, load_model
from asmr_classify.cli.render import results_view

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "label.svg")
    output = parser.parse_args().output.absolute()
    os.chdir(ROOT)
    model = load_model()
    results = sorted(label_paths(["data/demo"], model=model, jobs=1), key=lambda r: r.path)
    console = Console(record=True, width=110, file=io.StringIO(), force_terminal=True)
    console.print("[bold]$ asmr-classify label data/demo[/bold]")
    console.print(results_view(results, model.labels, console))
    output.write_text(
        console.export_svg(title="asmr-classify", unique_id="label"), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
