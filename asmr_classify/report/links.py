"""Recordings to the addresses by which a page finds them."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from asmr_classify.media.source import WEB, Url, as_source

PLAIN = "/:@%!$&()*+,;=[]"
"""What stands for itself in addresses of the web: they are percent-encoded as far as they must."""


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
        are not UTF-8 too. None for a path that no file can have, and for
        addresses of other storage than the web, which no browser opens.

    Examples
    --------
    >>> link_to("/a/b/50% #1?.mp3", "/a"), link_to("/a/b.mp3", "/c d")
    ('./b/50%25%20%231%3F.mp3', 'file:///a/b.mp3')
    """
    if "\0" in path:
        return None
    source = as_source(path)
    if isinstance(source, Url):
        return _web_link(source)
    whole, base = Path(path).absolute(), Path(folder).absolute()
    whole, base = Path(os.path.normpath(whole)), Path(os.path.normpath(base))
    try:
        if whole.is_relative_to(base):
            return f"./{quote(os.fsencode(whole.relative_to(base).as_posix()))}"
        return whole.as_uri()
    except UnicodeEncodeError:
        return None


def _web_link(url: Url) -> str | None:
    if url.scheme not in WEB:
        return None
    try:
        return quote(os.fsencode(url.bare), safe=PLAIN)
    except UnicodeEncodeError:
        return None
