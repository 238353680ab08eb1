"""Names of files that Windows, macOS and Linux all take, and that say what they said before.

References
----------
Microsoft, "Naming Files, Paths, and Namespaces": characters, reserved names, trailing dots and
blanks. Linux and macOS limit a name to 255 bytes (``NAME_MAX``), NTFS to 255 UTF-16 units, which
are never more than the bytes of UTF-8.
"""

from __future__ import annotations

import re
import sys
import unicodedata

LIMIT_BYTES = 255
"""Of one name, in UTF-8."""

PATH_LIMITS = {"win32": 259, "darwin": 1023}
"""Of a whole path, in bytes (Windows: characters), where it is less than Linux's 4095."""

UNSAFE = re.compile('[<>:"/\\\\|?*\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')
"""What a system refuses, takes for something else, or cannot show; also bytes that are no UTF-8."""

RESERVED = re.compile(
    r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³]) *(\..*)?", re.IGNORECASE | re.DOTALL
)
"""Names of devices on Windows, whatever follows a dot."""

JOINERS = "\u200d"
"""Makes one sign of the characters on its two sides."""

MODIFIERS = range(0x1F3FB, 0x1F400)
"""Skin tones, which belong to the sign before them."""

EXTENSION = re.compile(r"\w{1,15}")
"""What is longer, or has blanks, is part of a title with a dot."""


def safe_name(text: str, tail: str = "") -> str:
    r"""Make a name that is safe on all systems.

    Unsafe characters become ``_``, Unicode is composed (NFC), dots and blanks at the end go, a
    reserved name gets ``_`` before it, and what is too long is cut between signs.

    Parameters
    ----------
    text : str
        Any text; ``/`` in it is a character like another.
    tail : str
        Kept whole at the end, as an extension with its dot; safe itself.

    Returns
    -------
    str
        At most 255 bytes in UTF-8.

    Raises
    ------
    ValueError
        If nothing is left of the text but dots and blanks, or the tail leaves no room.

    Examples
    --------
    >>> safe_name("Rain: 1/2?", ".mp3"), safe_name("con", ".wav"), safe_name("etc. ")
    ('Rain_ 1_2_.mp3', '_con.wav', 'etc')
    """
    clean = safe_text(text).lstrip()
    if not clean.strip(". "):
        raise ValueError(f"nothing is left of the name {text!r} but dots and blanks")
    name = _fit(clean, tail)
    return _fit("_" + clean, tail) if RESERVED.fullmatch(name) else name


def _fit(text: str, tail: str) -> str:
    """Cut a text so that it fits with its tail, and take off what may not stand at the end."""
    cut = cut_to(text, LIMIT_BYTES - len(tail.encode()))
    if not tail or len(cut) < len(text):
        cut = cut.rstrip(". ")
    if not cut.strip(". "):
        raise ValueError(f"no room is left for the name {text!r} before {tail!r}")
    return cut + tail


def cut_to(text: str, room: int) -> str:
    """Cut a text between signs so that it takes no more than so many bytes in UTF-8."""
    end, used = 0, 0
    for char in text:
        used += len(char.encode())
        if used > room:
            break
        end += 1
    return text[: _whole_signs(text, end)]


def safe_text(text: str) -> str:
    """Make a part of a name safe, as what follows a stem: composed (NFC), ``_`` for what is not."""
    return UNSAFE.sub("_", unicodedata.normalize("NFC", text))


def _whole_signs(text: str, end: int) -> int:
    """Go back from a place in a text until it is not inside a sign of several characters."""
    while 0 < end < len(text) and (_joins(text[end]) or text[end - 1] in JOINERS):
        end -= 1
    return end


def _joins(char: str) -> bool:
    """Whether a character belongs to the one before it."""
    marks = unicodedata.category(char) in {"Mn", "Me", "Mc"}
    return marks or char in JOINERS or ord(char) in MODIFIERS


def split_name(name: str) -> tuple[str, str]:
    """Split a name into stem and extension, which has its dot or is empty.

    Examples
    --------
    >>> split_name("a.b.mp3"), split_name("Vol. 3 of 5"), split_name(".hidden")
    (('a.b', '.mp3'), ('Vol. 3 of 5', ''), ('.hidden', ''))
    """
    stem, dot, extension = name.rpartition(".")
    if not stem.strip(".") or not EXTENSION.fullmatch(extension):
        return name, ""
    return (
        (stem, dot + extension)
        if not UNSAFE.search(extension) and " " not in extension
        else (
            name,
            "",
        )
    )


def numbered(stem: str, number: int, tail: str) -> str:
    """Give a safe stem, with a number from 2 on, that leaves room for a tail.

    Raises
    ------
    ValueError
        As :func:`safe_name`.

    Examples
    --------
    >>> numbered("rain", 1, ".mp3"), numbered("rain", 2, ".en.vtt")
    ('rain', 'rain (2)')
    """
    return safe_name(stem, tail if number == 1 else f" ({number}){tail}").removesuffix(tail)


def name_key(name: str) -> str:
    """Give what is equal for names that some system takes for the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def path_limit() -> int:
    """Give the longest path of this system."""
    return PATH_LIMITS.get(sys.platform, 4095)
