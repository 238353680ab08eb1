"""Who made a recording, by its name and place.

Only words and paths are loaded here, as the help of commands names the ways to tell makers apart.
"""

from __future__ import annotations

import os
import re
from enum import StrEnum

PREFIX = re.compile(r"(?P<creator>.*?[^\W\d].*?) - .")


class Maker(StrEnum):
    """What makes recordings those of one maker."""

    CREATOR = "creator"
    FOLDER = "folder"
    RECORDING = "recording"


def maker_of(path: str, by: Maker) -> str:
    """Tell who made a recording.

    Examples
    --------
    >>> [maker_of("asmr/Mia - Rain.mp3", by) for by in Maker]
    ['mia', 'asmr', 'asmr/Mia - Rain.mp3']
    """
    if by is Maker.RECORDING:
        return path
    return creator_of(path) if by is Maker.CREATOR else os.path.dirname(path)


def creator_of(path: str) -> str:
    """Tell who made a recording, by its name.

    That is what stands before the first `` - `` of the file's name if there is a letter in it
    (``Creator - Title.mp3``, as downloaders name files), else the folder that holds the file.

    Examples
    --------
    >>> creator_of("asmr/Mia - Rain.mp3"), creator_of("asmr/Mia/01 - Rain.mp3")
    ('mia', 'asmr/Mia')
    """
    folder, name = os.path.split(path)
    match = PREFIX.match(name)
    return folder if match is None else match["creator"].strip().casefold()
