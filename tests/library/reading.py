"""Reads what the program writes for others to read."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from asmr_classify.library.m3u8 import BEGIN, Entry
from asmr_classify.library.tags.carriers import find_carrier
from asmr_classify.writers.escapes import unescape

if TYPE_CHECKING:
    from collections.abc import Iterator

MPV_ITEM = re.compile(rb"edl://%(\d+)%")


def read_fields(path: str) -> dict[str, str]:
    """Read our fields from a file; empty if there are none."""
    path = os.fspath(path)
    return dict(find_carrier(path).read(path).fields)


def read_m3u8(text: str, folder: str = ".") -> Iterator[Entry]:
    """Read a playlist that lies in a folder."""
    assert text.startswith(BEGIN)
    rest = text.removeprefix(BEGIN)
    title, duration = "", -1
    times: dict[str, float] = {}
    for line in rest.split("\n")[:-1]:
        if line.startswith("#EXTINF:"):
            seconds, _, words = line.removeprefix("#EXTINF:").partition(",")
            title, duration, times = unescape(words), int(seconds), {}
        elif line.startswith("#EXTVLCOPT:"):
            option, _, value = line.removeprefix("#EXTVLCOPT:").partition("=")
            times[option] = float(value)
        elif not line.startswith("#"):
            name, start, end = _read_place(line, times)
            yield Entry(_read_name(name, folder), title, duration, start, end)


def _read_place(line: str, times: dict[str, float]) -> tuple[str, float | None, float | None]:
    match = MPV_ITEM.match(line.encode())
    if match is None:
        return line, times.get("start-time"), times.get("stop-time")
    end_of_name = match.end() + int(match[1])
    name = line.encode()[match.end() : end_of_name].decode()
    start, length = map(float, line.encode()[end_of_name + 1 :].split(b","))
    return name, start, round(start + length, 3)


def _read_name(name: str, folder: str) -> str:
    if not name.startswith("file://"):
        return os.path.abspath(os.path.join(folder, name))
    path = os.fsdecode(unquote_to_bytes(name.removeprefix("file://")))
    return path.removeprefix("/") if os.name == "nt" else path
