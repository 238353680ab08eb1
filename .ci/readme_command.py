"""Print a command of the README: the fenced block that follows ``<!-- command: NAME -->``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def readme_command(name: str) -> str:
    """Find a marked command."""
    pattern = rf"<!-- command: {re.escape(name)} -->\s*```(?:sh|console)\n(.*?)```"
    found = re.search(pattern, README.read_text(encoding="utf-8"), re.DOTALL)
    if found is None:
        raise SystemExit(f"no command {name!r} in {README}")
    return found[1]


if __name__ == "__main__":
    sys.stdout.write(readme_command(sys.argv[1]))
