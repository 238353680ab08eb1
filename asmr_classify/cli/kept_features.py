"""What ``--keep-features`` does: features are kept in the user's cache folder, up to a size."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from asmr_classify.cli.arguments import HOW
from asmr_classify.cli.errors import tell
from asmr_classify.counts import counted
from asmr_classify.errors import OutputError, UsageError

if TYPE_CHECKING:
    from asmr_classify.features.cache import KeptFeatures

KeepFeaturesOption = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Keep features of recordings in the user's cache folder, those used last, up to a "
        "size such as 2GB: what is kept there is not decoded again, so that another model labels "
        "it at once (videos are still looked at, unless --no-video is given). An hour of sound "
        "takes 12 MB.",
        show_default=False,
        rich_help_panel=HOW,
    ),
]

BYTES = {"M": 10**6, "G": 10**9, "T": 10**12}


def parse_size(text: str) -> int:
    """Parse a size, such as ``2GB`` or ``500MB``, to bytes.

    Raises
    ------
    UsageError
        If it is none.

    Examples
    --------
    >>> parse_size("1.5GB"), parse_size("500 mb")
    (1500000000, 500000000)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([MGT])B", text, re.IGNORECASE | re.ASCII)
    if match is None:
        raise UsageError(f"--keep-features {text}: is no size; write 500MB or 2GB")
    return round(float(match[1]) * BYTES[match[2].upper()])


def show_size(n_bytes: int) -> str:
    """Write a size as people read it.

    Examples
    --------
    >>> show_size(1_500_000_000), show_size(12_340_000), show_size(999)
    ('1.5 GB', '12.3 MB', '0.0 MB')
    """
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 10**9 else f"{n_bytes / 1e6:.1f} MB"


def open_features(most_bytes: int) -> KeptFeatures:
    """Open the folder of features in the user's cache.

    Raises
    ------
    OutputError
        If there can be none.
    """
    from asmr_classify.features.cache import KeptFeatures
    from asmr_classify.folders import user_cache, why_not_writable

    cache = user_cache()
    if cache is None:
        raise OutputError(
            "--keep-features: there is no home to keep them in; set XDG_CACHE_HOME to a folder"
        )
    folder = cache / "features"
    exc = why_not_writable(folder)
    if exc is not None:
        raise OutputError(f"--keep-features: {folder}: {exc.strerror}; set XDG_CACHE_HOME")
    return KeptFeatures(folder, most_bytes)


def bound_features(features: KeptFeatures, *, quiet: bool) -> None:
    """Remove what is over the size that was given, and tell how much is left."""
    features.prune()
    n_recordings, n_bytes = features.count()
    if not quiet:
        tell(
            f"features of {counted(n_recordings, 'recording')} are kept: {show_size(n_bytes)} of "
            f"{show_size(features.most_bytes)}, in {features.folder}, which you may remove"
        )
