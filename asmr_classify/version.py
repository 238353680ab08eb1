"""Which version of the package this is: pages, records and processes on other machines tell it."""

from __future__ import annotations


def own_version() -> str:
    """Give the version of the package as it is installed."""
    from importlib.metadata import version  # takes longer to import than most that ask for it

    return version("asmr-classify")
