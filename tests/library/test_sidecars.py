from __future__ import annotations

import os

from asmr_classify.library.sidecars import Folders
from tests.library.worlds import fill

NAMES = [
    "rain.mp3", "rain.srt", "rain.en.vtt", "rain.info.json", "rain.mp3.json", "rain.flac.txt",
    "rain.JPG", "rain.wav", "rain.exe", "rain drops.srt", "rain.2.mp3", "rain.2.srt", "other.srt",
]  # fmt: skip


def along(place, name, recordings=()):
    folders = Folders(f"{place}/{recording}" for recording in recordings)
    return [(os.path.basename(path), tail) for path, tail in folders.sidecars(f"{place}/{name}")]


def test_what_shares_the_stem_goes_along_but_no_media(place):
    fill(place, dict.fromkeys(NAMES, b""))
    shared = [
        ("rain.JPG", ".JPG"),
        ("rain.en.vtt", ".en.vtt"),
        ("rain.flac.txt", ".flac.txt"),
        ("rain.info.json", ".info.json"),
    ]
    assert along(place, "rain.mp3") == [
        *shared,
        ("rain.mp3.json", ".mp3.json"),
        ("rain.srt", ".srt"),
    ]
    assert along(place, "rain.wav") == [*shared, ("rain.srt", ".srt")]


def test_the_longest_stem_owns(place):
    fill(place, dict.fromkeys(NAMES, b""))
    assert along(place, "rain.2.mp3") == [("rain.2.srt", ".srt")]


def test_what_was_labelled_owns_whatever_its_ending(place):
    names = ["live.ts", "live.srt", "live.ts.asmr.json", "code.ts", "code.txt"]
    fill(place, dict.fromkeys(names, b""))
    assert along(place, "live.ts", ["live.ts"]) == [
        ("live.srt", ".srt"),
        ("live.ts.asmr.json", ".ts.asmr.json"),
    ]
    assert along(place, "live.ts") == []


def test_a_folder_that_cannot_be_read_holds_nothing(place):
    assert Folders().sidecars(f"{place}/none/a.mp3") == []
