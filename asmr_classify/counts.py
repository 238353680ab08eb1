"""Numbers with what they are of, as messages say them."""

from __future__ import annotations


def counted(n: int, one: str, many: str | None = None) -> str:
    """Say how many there are of something.

    Parameters
    ----------
    n : int
    one : str
        What it is called where it is one.
    many : str, optional
        And where it is any other number; by default with an ``s``.

    Examples
    --------
    >>> counted(1, "clip"), counted(0, "clip"), counted(2, "clip was", "clips were")
    ('1 clip', '0 clips', '2 clips were')
    """
    return f"{n} {one if n == 1 else many or f'{one}s'}"
