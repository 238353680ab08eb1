"""The page of a session: its own style and script, and what it shares with the report."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from asmr_classify.report.page import escape_json, hash_of, join_script, read_part, visible
from asmr_classify.version import own_version

if TYPE_CHECKING:
    from collections.abc import Mapping

SHARED_SCRIPTS = ("words.js", "theme.js", "timeline.js")
"""Of the report."""

SCRIPTS = ("queue.js", "sound.js", "pictures.js", "review.js")
"""In this order they follow those of the report, and make one script with them."""


def render_review(start: Mapping[str, Any]) -> tuple[str, str]:
    """Render the page.

    Parameters
    ----------
    start : mapping
        What its script begins with.

    Returns
    -------
    page : str
        A whole HTML document, encodable as UTF-8.
    policy : str
        The content security policy to send with it.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    style = f"{read_part('common.css')}\n{_own('review.css')}"
    script = join_script([*map(read_part, SHARED_SCRIPTS), *map(_own, SCRIPTS)])
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=visible,
    )
    page = environment.from_string(_own("review.html.j2")).render(
        version=own_version(),
        # Not from outside: our own style and script, and data in which no markup is left.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        json=Markup(escape_json(dict(start))),  # noqa: S704
    )
    return page, _policy(style, script)


def _own(name: str) -> str:
    return (files("asmr_classify.review") / "assets" / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Allow the page's own style and script, and to ask the server that it came from."""
    rules = {
        "default-src": "'none'",
        "style-src": hash_of(style),
        "script-src": hash_of(script),
        "connect-src": "'self'",
        "media-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())
