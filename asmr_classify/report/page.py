r"""Data, style and script to one HTML file.

Nothing that a file is called can act. Text that the template writes is escaped by Jinja2. Data
stand in a ``<script type="application/json">``, in which no ``<`` is left; the script reads them
with ``JSON.parse`` and writes text by ``textContent`` alone. A content security policy allows the
style and the script that stand in the page, by their hashes, and recordings; all else is refused,
the network included.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asmr_classify.version import own_version
from asmr_classify.writers.output import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asmr_classify.report.data import ReportData

SCRIPTS = (
    "words.js",
    "theme.js",
    "data.js",
    "view.js",
    "timeline.js",
    "looks.js",
    "table.js",
    "player.js",
    "main.js",
)
"""In this order they make one script."""

UNSAFE = re.compile(
    "[<>&\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
"""What HTML, JavaScript or UTF-8 would not pass through as it is, and what turns text around."""


def render_page(data: ReportData) -> str:
    """Render a report.

    Parameters
    ----------
    data : ReportData

    Returns
    -------
    str
        A whole HTML document, encodable as UTF-8.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    style = f"{read_part('common.css')}\n{read_part('page.css')}"
    script = join_script(map(read_part, SCRIPTS))
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=visible,
    )
    environment.filters |= {"hours": describe_length, "grouped": lambda number: f"{number:,}"}
    return environment.from_string(read_part("page.html.j2")).render(
        data=data,
        version=own_version(),
        policy=_policy(style, script),
        # Not from outside: our own style and script, and data in which no markup is left.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        json=Markup(escape_json(data.to_record())),  # noqa: S704
    )


def escape_json(record: Any) -> str:
    r"""Write values as JSON that may stand within a script element of HTML.

    Examples
    --------
    >>> escape_json("</script>\u2028\udce9")
    '"\\u003c/script\\u003e\\u2028\\udce9"'
    """
    text = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def describe_length(seconds: float) -> str:
    """Write a length as one or two words.

    Examples
    --------
    >>> describe_length(42), describe_length(600), describe_length(5400), describe_length(720000)
    ('42 s', '10 min', '1.5 h', '200 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 100 else f"{hours:,.0f} h"


def visible(value: Any) -> Any:
    """Write what would act on the text around it, or is no text, as an escape."""
    from markupsafe import Markup

    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "".join(x if x.isprintable() else x.encode("unicode_escape").decode() for x in value)


def write_page(page: str, path: str) -> None:
    """Write a report whole, or leave an earlier one as it was.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    write_whole(Path(path), page.encode())


def read_part(name: str) -> str:
    """Read a file that pages are made of."""
    return (files("asmr_classify.report") / "assets" / name).read_text(encoding="utf-8")


def join_script(parts: Iterable[str]) -> str:
    """Make one script, strict and with names of its own."""
    joined = "\n".join(parts)
    return f'(() => {{\n"use strict";\n{joined}\n}})();'


def _policy(style: str, script: str) -> str:
    """Allow the page's own style and script, and recordings beside it or on the disk."""
    rules = {
        "default-src": "'none'",
        "style-src": hash_of(style),
        "script-src": hash_of(script),
        "media-src": "'self' file:",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def hash_of(text: str) -> str:
    """Name a style or script in a content security policy."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
