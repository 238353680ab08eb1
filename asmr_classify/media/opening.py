"""Files and objects in storage, opened alike.

Files are opened as ever, and nothing that addresses need is loaded for them.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, BinaryIO, cast

from asmr_classify.errors import StorageError
from asmr_classify.media.source import Url, as_source

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from av.container import InputContainer


def check_sources(paths: Iterable[str]) -> None:
    """Check that addresses among paths can be read at all; nothing is asked for yet.

    Raises
    ------
    UsageError
        If a scheme is not known, or a key stands in an address where it does not belong.
    MissingExtraError
        If a library is missing that reads it.
    """
    for path in paths:
        source = as_source(path)
        if isinstance(source, Url):
            from asmr_classify.media.remote import connect

            with suppress(StorageError):  # which whoever reads it tells of this file
                connect(source)


def open_bytes(path: str) -> BinaryIO:
    """Open a file, or an object in storage, to read its bytes.

    An object that is open already is not asked for again: what was fetched of it is shared.

    Raises
    ------
    OSError
        If a file cannot be opened.
    OpenError, StorageError
        If an object cannot.
    """
    source = as_source(path)
    if isinstance(source, Url):
        from asmr_classify.media.blocks import RemoteFile

        return cast("BinaryIO", RemoteFile.share(source))
    return open(path, "rb")  # noqa: PTH123 (any name; whoever asks closes it)


def held(path: str) -> AbstractContextManager[None]:
    """Keep what is fetched of an object in storage as long as it is worked on; else do nothing."""
    source = as_source(path)
    if isinstance(source, Url):
        from asmr_classify.media.blocks import hold

        return hold(source)
    return nullcontext()


def path_of(container: InputContainer) -> str:
    """Tell the path or address by which an open container was named."""
    file = container.file
    return container.name.removeprefix("file:") if file is None else str(file.file.address)
