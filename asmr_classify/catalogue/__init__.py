"""A catalogue of recordings in one SQLite file: what is known of each, found again by queries.

A file is known by its content (:mod:`~asmr_classify.catalogue.hashing`), so that one which was
moved keeps what is known of it. What people set by hand
(:mod:`~asmr_classify.catalogue.corrections`), or answered of stretches
(:mod:`~asmr_classify.catalogue.answers`), is kept apart from what the model said, and outlives it.
How all is stored, and why a kill harms nothing, is told in :mod:`~asmr_classify.catalogue.schema`.
Nothing here decodes audio or loads what does.
"""

from asmr_classify.catalogue.answers import Answer
from asmr_classify.catalogue.memory import KnownResults
from asmr_classify.catalogue.query import EVERYTHING, Query, parse_query
from asmr_classify.catalogue.store import Catalogue, default_path

__all__ = [
    "EVERYTHING",
    "Answer",
    "Catalogue",
    "KnownResults",
    "Query",
    "default_path",
    "parse_query",
]
