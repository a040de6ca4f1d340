"""The browser's half of a widget, from the JavaScript and style sheets beside this module: no build step, nothing fetched."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent


def script(*names: str) -> str:
    """JavaScript files as one module, for ``_esm``; the last of them has the default export."""
    parts = [(HERE / f"{name}.js").read_text(encoding="utf-8") for name in names]
    return "\n".join(re.sub(r"^export (?=function|const)", "", part, flags=re.MULTILINE) for part in parts)


def styles(*names: str) -> str:
    """Style sheets one after the other, for ``_css``."""
    return "\n".join((HERE / f"{name}.css").read_text(encoding="utf-8") for name in names)
