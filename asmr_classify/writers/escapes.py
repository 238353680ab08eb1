r"""Characters that would break a line, a column or UTF-8, written as ``\xNN`` and ``\uNNNN``.

All other text stays as it is, Windows paths too: a backslash is only escaped where it would be
taken for one of ours. Escapes are undone without loss.
"""

from __future__ import annotations

import re

OUR_ESCAPE = r"x[0-9a-f]{2}|u[0-9a-f]{4}"

IN_A_LINE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"  # breaks lines and columns, or is no text
    '|^[" ]| $'  # table readers take a first quote for theirs, and many trim spaces
    rf"|\\(?={OUR_ESCAPE})"
)
"""What a text must not hold that stands in a line or a column."""

NOT_UTF8 = re.compile(rf"[\ud800-\udfff]|\\(?={OUR_ESCAPE})")
"""What a text must not hold that stands where any text may."""

ESCAPED = re.compile(rf"\\({OUR_ESCAPE})")


def escape(text: str, unwanted: re.Pattern[str] = IN_A_LINE) -> str:
    r"""Write what is unwanted as escapes.

    Parameters
    ----------
    text : str
    unwanted : re.Pattern
        :data:`IN_A_LINE` or :data:`NOT_UTF8`.

    Examples
    --------
    >>> print(escape("two\nlines"), escape(r"C:\xylophone"), escape(r"C:\x0a"))
    two\x0alines C:\xylophone C:\x5cx0a
    """
    return unwanted.sub(lambda match: _code(match[0]), text)


def _code(char: str) -> str:
    return f"\\x{ord(char):02x}" if ord(char) < 0x100 else f"\\u{ord(char):04x}"


def unescape(text: str) -> str:
    r"""Undo :func:`escape`.

    Examples
    --------
    >>> unescape(r"two\x0alines") == "two\nlines", unescape(r"C:\x5cx0a") == r"C:\x0a"
    (True, True)
    """
    return ESCAPED.sub(lambda match: chr(int(match[1][1:], 16)), text)
