"""A page to listen to short stretches of recordings and say what is heard, served on this machine.

- :mod:`~asmr_classify.review.stretches` cuts results into stretches that are worth a question;
- :mod:`~asmr_classify.review.order` decides which are asked first;
- :mod:`~asmr_classify.review.likeness` tells where they lie among sounds, for orders by these;
- :mod:`~asmr_classify.review.lesson` lets each answer decide what is asked next of a label;
- :mod:`~asmr_classify.review.suspicious` finds answers and folders that may be wrong;
- :mod:`~asmr_classify.review.queue` makes a queue of all that;
- :mod:`~asmr_classify.review.sound` turns a stretch into what is heard and drawn;
- :mod:`~asmr_classify.review.session` holds the queue, and writes answers into the catalogue;
- :mod:`~asmr_classify.review.app` is the web application, :mod:`~asmr_classify.review.guard` keeps
  others out of it, and :mod:`~asmr_classify.review.server` runs it.

Answers are in the catalogue alone: whatever ends the server, they are kept, and a new one goes on
with what was not answered yet.
"""

from __future__ import annotations

from asmr_classify.review.likeness import embedder
from asmr_classify.review.order import Order, arrange, parse_order
from asmr_classify.review.queue import Wish, make_queue, place_like, read_place, refine
from asmr_classify.review.server import check_installed, listen, open_browser, serve
from asmr_classify.review.session import Session
from asmr_classify.review.stretches import Stretch, cut_stretches

__all__ = [
    "Order",
    "Session",
    "Stretch",
    "Wish",
    "arrange",
    "check_installed",
    "cut_stretches",
    "embedder",
    "listen",
    "make_queue",
    "open_browser",
    "parse_order",
    "place_like",
    "read_place",
    "refine",
    "serve",
]
