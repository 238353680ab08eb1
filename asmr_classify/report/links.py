"""Recordings to the addresses by which a page finds them."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote


def link_to(path: str, folder: str) -> str | None:
    """Make the address of a recording for a page in a folder.

    Parameters
    ----------
    path : str
        As named by a result: relative to the working directory; bytes that are not UTF-8 are
        surrogate-escaped.
    folder : str
        Where the page lies.

    Returns
    -------
    str or None
        Relative where the recording lies below that folder, so that both can be moved together;
        else a ``file:`` address. Bytes that are no plain letters are percent-encoded, those that
        are not UTF-8 too. None for a path that no file can have.

    Examples
    --------
    >>> link_to("/a/b/50% #1?.mp3", "/a"), link_to("/a/b.mp3", "/c d")
    ('./b/50%25%20%231%3F.mp3', 'file:///a/b.mp3')
    """
    if "\0" in path:
        return None
    whole, base = Path(path).absolute(), Path(folder).absolute()
    whole, base = Path(os.path.normpath(whole)), Path(os.path.normpath(base))
    try:
        if whole.is_relative_to(base):
            return f"./{quote(os.fsencode(whole.relative_to(base).as_posix()))}"
        return whole.as_uri()
    except UnicodeEncodeError:
        return None
