"""Files that were labelled and for which something is still to be done, beyond a kill.

One file beside the catalogue holds their absolute paths, between NUL bytes. A path is written there
before the catalogue may learn of the file, and is taken out when all was done. So whenever the
process is killed, each file is either unknown to the catalogue, and is labelled and written here
again; or known and listed here, and what is owed is done at the next start, if need be for the
second time; or done with. A path that was cut off by a kill names nothing that the catalogue knows.
NUL bytes stand before paths too, so that it spoils no other.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from asmr_classify.errors import OutputError
from asmr_classify.writers.output import explain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NUL = b"\0"


class Owed:
    """The list of files for which something is still to be done.

    Parameters
    ----------
    path : str
        The file that holds it; there need be none.

    Raises
    ------
    OutputError
        From any method, if it cannot be read or written.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def read(self) -> list[str]:
        """Give the paths, each once."""
        with self._translated():
            content = self._path.read_bytes() if self._path.exists() else b""
        return list(dict.fromkeys(map(os.fsdecode, filter(None, content.split(NUL)))))

    def add(self, path: str) -> None:
        """List a file."""
        absolute = os.path.abspath(path)  # noqa: PTH100 (a link is a name of its own)
        with self._translated(), self._path.open("ab") as file:
            file.write(NUL + os.fsencode(absolute) + NUL)

    def keep(self, paths: Sequence[str]) -> None:
        """Forget all but these: it was done."""
        with self._translated():
            if not paths:
                self._path.unlink(missing_ok=True)
                return
            part = self._path.with_name(f"{self._path.name}.part")
            part.write_bytes(b"".join(NUL + os.fsencode(path) + NUL for path in paths))
            part.replace(self._path)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise OutputError(explain(str(self._path), exc)) from exc
