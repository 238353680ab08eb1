"""How labels are spelt in tags: any word that a model may use must survive there."""

from __future__ import annotations

from urllib.parse import quote, unquote


def escape(label: str) -> str:
    """Write a label so that it can stand in a list.

    Examples
    --------
    >>> escape("soft; spoken"), escape("囁き")
    ('soft%3B%20spoken', '囁き')
    """
    return "".join(
        char if char.isprintable() and char not in " ;=%" else _quote(char) for char in label
    )


def unescape(text: str) -> str:
    """Read a label as :func:`escape` wrote it."""
    return unquote(text, errors="surrogatepass")


def readable(label: str, *, keep: str = "") -> str:
    """Write a label for people; what is no text is written as ``%XX``.

    Parameters
    ----------
    label : str
    keep : str
        Give ``_`` to keep underscores, which else become spaces.

    Examples
    --------
    >>> readable("white_noise")
    'white noise'
    """
    text = label if "_" in keep else label.replace("_", " ")
    return "".join(char if char.isprintable() else _quote(char) for char in text)


def _quote(char: str) -> str:
    return quote(char, safe="", errors="surrogatepass")
