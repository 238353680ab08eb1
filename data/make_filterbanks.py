#!/usr/bin/env python3
"""Have librosa make the filterbanks of the default settings, which labelling takes from a file.

usage: make_filterbanks.py [--output FILE]

To be run again when the settings of the analysis change. A test tells when that is due, or when
librosa makes them otherwise than it did.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from asmr_classify.config import FrameSpec
from asmr_classify.features.filterbanks import KEPT, import_mel, name_of
from asmr_classify.features.frames import mel_settings


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(str(KEPT)), metavar="FILE")
    output = parser.parse_args().output
    mel = import_mel()
    banks = {name_of(settings): mel(**settings) for settings in mel_settings(FrameSpec())}
    np.savez_compressed(output, **banks)


if __name__ == "__main__":
    main()
