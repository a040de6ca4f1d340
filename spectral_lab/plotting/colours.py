"""The colours of all pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

# One pair for the sign, told apart by every kind of colour vision and in grey, readable on white and on black: orange is
# positive and lighter, blue is negative and darker.
POSITIVE, NEGATIVE, MIDDLE = "#e8710a", "#1c62c8", "#f7f7f7"

INK, FAINT = "#444444", "#b5b5b5"

# For more than two curves: colour and marker, told apart in grey by the marker.
SERIES = ((INK, "D"), (POSITIVE, "o"), (NEGATIVE, "^"), ("#2a9d5c", "p"), ("#9147b8", "s"))


def sign_colours() -> Colormap:
    """The diverging colour map: blue for negative, light for zero, orange for positive."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("sign", [NEGATIVE, MIDDLE, POSITIVE])
