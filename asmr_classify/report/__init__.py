"""Results to one self-contained HTML page that lists, filters, draws and plays them.

- :mod:`~asmr_classify.report.sources` reads results that were kept in a file;
- :mod:`~asmr_classify.report.waveforms` decodes recordings to the peaks that are drawn;
- :mod:`~asmr_classify.report.films` decodes a few pictures of videos;
- :mod:`~asmr_classify.report.drawing` lets both be done by others, and keeps what comes of it;
- :mod:`~asmr_classify.report.data` turns results into the data of the page;
- :mod:`~asmr_classify.report.page` puts data, style and script into one file.

The page asks for nothing but the recordings themselves, where they lie, when they are played.
"""

from __future__ import annotations

from asmr_classify.report.data import report_data
from asmr_classify.report.drawing import Drawn
from asmr_classify.report.films import make_films
from asmr_classify.report.page import render_page, write_page
from asmr_classify.report.sources import is_results_file, read_results
from asmr_classify.report.waveforms import compute_waveforms

__all__ = [
    "Drawn",
    "compute_waveforms",
    "is_results_file",
    "make_films",
    "read_results",
    "render_page",
    "report_data",
    "write_page",
]
