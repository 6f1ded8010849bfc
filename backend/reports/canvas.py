"""The canvas of a report's plots: SVG that takes its colours from the page it stands in.

Drawn with matplotlib's object interface, which keeps no state between figures; the library is
loaded when the first figure is drawn. Colours are the page's variables (``--ink``, ``--series-1``
...), with a fallback for a viewer that has none, so that a figure is legible in light and dark.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Unlikely colours that stand for the page's until the SVG is written.
INK, QUIET, LINE = "#010101", "#020202", "#030303"
SERIES = tuple(f"#0{number}0404" for number in range(1, 9))
MARKERS = "osD^vPX*"
FALLBACKS: Mapping[str, str] = {
    INK: "var(--ink, #1d2125)",
    QUIET: "var(--quiet, #5a636c)",
    LINE: "var(--line, #d9dde1)",
    **{
        sentinel: f"var(--series-{number}, {colour})"
        for number, (sentinel, colour) in enumerate(
            zip(
                SERIES,
                (
                    "#0b6e4f", "#c2571a", "#3d5a98", "#a3457f",
                    "#8a6d00", "#2a8bb8", "#6b6f76", "#7a4fc0",
                ),
                strict=True,
            ),
            start=1,
        )
    },
}  # fmt: skip
_SENTINEL = re.compile("|".join(FALLBACKS))
WIDTH = 8.0


def svg_of(width: float, height: float, draw: Callable[[Axes], None]) -> str:
    """What is drawn on axes of that size (inches), as SVG: text as text, colours of the page.

    The same source every time. Names are shown as they are: no dollar sign begins mathematics.
    """
    return svg_of_grid(width, height, 1, 1, lambda grid: draw(grid[0]))


def svg_of_grid(
    width: float, height: float, rows: int, columns: int, draw: Callable[[Sequence[Axes]], None]
) -> str:
    """What is drawn on several axes, row by row, that share their scales; see :func:`svg_of`."""
    from matplotlib import rc_context  # noqa: PLC0415 - slow to load
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415

    target = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "harambee", "text.parse_math": False}):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        grid = canvas.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes in grid.flat:
            _dress(axes)
        draw(list(grid.flat))
        canvas.savefig(target, format="svg", transparent=True, metadata={"Date": None})
    return _SENTINEL.sub(lambda match: FALLBACKS[match.group()], target.getvalue())


def _dress(axes: Axes) -> None:
    """Quiet axes: no box, a grid that is hardly there."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(QUIET)
    axes.grid(color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=10, length=0)
    axes.xaxis.label.set(color=INK, size=10.5)
    axes.yaxis.label.set(color=INK, size=10.5)


def style_of(at: int) -> tuple[str, str]:
    """The colour and the sign of the line with that number, from 0."""
    return SERIES[at % len(SERIES)], MARKERS[at % len(MARKERS)]


def legend(axes: Axes, wanted: bool) -> None:
    """A legend where it hides least, if there is more than one thing to tell apart."""
    if wanted:
        axes.legend(frameon=False, fontsize=10, labelcolor=INK, loc="best").set_in_layout(True)


def legend_above(axes: Axes) -> None:
    """A legend over the axes, for plots that leave no room in them."""
    axes.legend(
        frameon=False,
        fontsize=9.5,
        labelcolor=INK,
        ncols=3,
        loc="lower left",
        bbox_to_anchor=(0, 1),
    )


def name_rows(axes: Axes, names: Sequence[str], x_label: str) -> None:
    """Names for rows, the first on top, and what is measured along them."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(x_label)
