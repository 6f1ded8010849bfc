"""Plots for reports: SVG that takes its colours from the page it stands in.

Drawn with matplotlib's object interface, which keeps no state between figures; the library is
loaded when the first figure is drawn. Colours are the page's variables (``--ink``, ``--series-1``
...), with a fallback for a viewer that has none, so that a figure is legible in light and dark.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.quality.intervals import Interval
from backend.reports.page import Figure

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


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a plot: points, and bounds around them where there are intervals.

    ``dashed``: it is somebody else's, to compare with.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One estimate of a bar or forest plot. ``group``: rows of one group share a colour."""

    name: str
    interval: Interval
    group: str = ""


def learning_curve(
    caption: str,
    series: Sequence[Series],
    x_label: str,
    y_label: str,
    references: Mapping[str, float] | None = None,
) -> Figure:
    """Lines with bands over labels, rounds, cost or time; ``references`` are level lines."""

    def draw(axes: Axes) -> None:
        for at, line in enumerate(series):
            colour, marker = _style(at)
            axes.plot(line.x, line.y, color=colour, marker=marker, markersize=4, label=line.name)
            if line.low is not None and line.high is not None:
                axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.16, lw=0)
        for name, level in (references or {}).items():
            axes.axhline(level, color=QUIET, linestyle=(0, (4, 3)), linewidth=1)
            axes.annotate(
                name,
                (1, level),
                xycoords=("axes fraction", "data"),
                xytext=(-2, 3),
                textcoords="offset points",
                ha="right",
                color=QUIET,
                fontsize=9,
            )
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        _legend(axes, len(series) > 1)

    ends = "; ".join(f"{line.name} ends at {line.y[-1]:.3g}" for line in series if len(line.y))
    return Figure(caption, svg_of(WIDTH, 4.2, draw), f"{y_label} over {x_label}: {ends}.")


def learning_curve_panels(
    caption: str, panels: Mapping[str, Sequence[Series]], x_label: str, y_label: str
) -> Figure:
    """Learning curves side by side on one scale; a series looks the same in every panel.

    Not every panel needs every series. The panels' titles say what each measures.
    """
    names = list(dict.fromkeys(line.name for series in panels.values() for line in series))

    def draw(grid: Sequence[Axes]) -> None:
        for axes, (title, series) in zip(grid, panels.items(), strict=True):
            for line in series:
                colour, marker = _style(names.index(line.name))
                style = (0, (5, 2)) if line.dashed else "-"
                axes.plot(
                    line.x,
                    line.y,
                    color=colour,
                    marker=marker,
                    markersize=4,
                    linestyle=style,
                    label=line.name,
                )
                if line.low is not None and line.high is not None:
                    axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.16, lw=0)
            axes.set_title(title, color=INK, fontsize=11, loc="left")
            axes.set_xlabel(x_label)
            _legend(axes, wanted=True)
        grid[0].set_ylabel(y_label)

    told = " ".join(
        f"{title}: "
        + "; ".join(f"{line.name} ends at {line.y[-1]:.3g}" for line in series if len(line.y))
        + "."
        for title, series in panels.items()
    )
    return Figure(caption, svg_of_grid(10.5, 4.4, 1, len(panels), draw), told)


def reliability_diagram(
    caption: str,
    series: Sequence[Series],
    x_label: str = "confidence",
    y_label: str = "share right",
) -> Figure:
    """Stated confidence against the share that is right, both in [0, 1]; the diagonal is honest."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=QUIET, linestyle=(0, (4, 3)), linewidth=1)
        for at, line in enumerate(series):
            colour, marker = _style(at)
            if line.low is not None and line.high is not None:
                axes.vlines(line.x, line.low, line.high, color=colour, alpha=0.5, linewidth=1.2)
            axes.plot(line.x, line.y, color=colour, marker=marker, markersize=5, label=line.name)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        _legend(axes, len(series) > 1)

    told = "; ".join(
        f"{line.name}: "
        + ", ".join(f"{y:.2f} at {x:.2f}" for x, y in zip(line.x, line.y, strict=True))
        for line in series
    )
    return Figure(caption, svg_of(5.2, 5.0, draw), f"{y_label} at {x_label}: {told}.")


def bars(caption: str, rows: Sequence[Row], x_label: str, *, percent: bool = False) -> Figure:
    """Horizontal bars with their intervals, first row on top."""

    def draw(axes: Axes) -> None:
        colours = _colours(rows)
        for at, row in enumerate(rows):
            value, low, high = _scaled(row.interval, percent)
            axes.barh(at, value, height=0.62, color=colours[row.group], alpha=0.85, linewidth=0)
            if math.isfinite(low) and math.isfinite(high):
                axes.hlines(at, low, high, color=INK, linewidth=1.4)
        _named(axes, [row.name for row in rows], x_label)
        axes.set_xlim(left=0)

    return Figure(caption, svg_of(WIDTH, _row_height(rows), draw), _told(rows, percent))


def forest(
    caption: str,
    rows: Sequence[Row],
    x_label: str,
    *,
    percent: bool = False,
    reference: float | None = None,
) -> Figure:
    """Estimates as points with their intervals, first row on top; ``reference`` as a line.

    ``reference`` is in the units of the axis: for differences, 0.
    """

    def draw(axes: Axes) -> None:
        colours = _colours(rows)
        groups = list(colours)
        if reference is not None:
            axes.axvline(reference, color=QUIET, linestyle=(0, (4, 3)), linewidth=1)
        for at, row in enumerate(rows):
            value, low, high = _scaled(row.interval, percent)
            colour, marker = colours[row.group], MARKERS[groups.index(row.group) % len(MARKERS)]
            if math.isfinite(low) and math.isfinite(high):
                axes.hlines(at, low, high, color=colour, linewidth=2.2, alpha=0.75)
            first = row.group not in {earlier.group for earlier in rows[:at]}
            label = row.group if first and row.group else None
            axes.plot(value, at, marker, color=colour, markersize=6, label=label)
        _named(axes, [row.name for row in rows], x_label)
        if len(groups) > 1:
            _legend_above(axes)

    return Figure(caption, svg_of(WIDTH, _row_height(rows), draw), _told(rows, percent))


def forest_panels(
    caption: str,
    panels: Mapping[str, Sequence[Row]],
    x_label: str,
    *,
    percent: bool = False,
    columns: int = 5,
) -> Figure:
    """A forest plot for each panel, side by side on one scale; rows in the order of first use.

    Rows of one name stand at one height and share a colour; a panel may lack some.
    """
    names = list(dict.fromkeys(row.name for rows in panels.values() for row in rows))
    across = min(columns, len(panels))
    down = math.ceil(len(panels) / across)

    def draw(grid: Sequence[Axes]) -> None:
        for axes, (title, rows) in zip(grid, panels.items(), strict=False):
            for row in rows:
                at = names.index(row.name)
                value, low, high = _scaled(row.interval, percent)
                colour, marker = _style(at)
                if math.isfinite(low) and math.isfinite(high):
                    axes.hlines(at, low, high, color=colour, linewidth=2.2, alpha=0.75)
                axes.plot(value, at, marker, color=colour, markersize=5.5)
            axes.set_title(title, color=INK, fontsize=11, loc="left")
            _named(axes, names, x_label)
        for axes in grid[len(panels) :]:
            axes.set_visible(False)

    told = " ".join(f"{title}: {_told(rows, percent)}" for title, rows in panels.items())
    height = down * (1.1 + 0.25 * len(names))
    return Figure(caption, svg_of_grid(10.5, height, down, across, draw), told)


def stacked_bars(
    caption: str, names: Sequence[str], parts: Mapping[str, Sequence[float]], x_label: str
) -> Figure:
    """Horizontal bars made of parts, one bar for each name, first name on top."""

    def draw(axes: Axes) -> None:
        left = [0.0] * len(names)
        for at, (part, values) in enumerate(parts.items()):
            colour, _ = _style(at)
            axes.barh(range(len(names)), values, 0.66, left=left, color=colour, label=part)
            left = [so_far + value for so_far, value in zip(left, values, strict=True)]
        _named(axes, names, x_label)
        _legend_above(axes)

    told = "; ".join(
        f"{name}: " + ", ".join(f"{values[at]:.3g} {part}" for part, values in parts.items())
        for at, name in enumerate(names)
    )
    return Figure(caption, svg_of(WIDTH, 1.5 + 0.3 * len(names), draw), f"{told}.")


def scatter(
    caption: str,
    points: Mapping[str, Sequence[tuple[float, float]]],
    x_label: str,
    y_label: str,
    *,
    log_x: bool = False,
) -> Figure:
    """Points of several names, each with its colour and sign."""

    def draw(axes: Axes) -> None:
        for at, (name, places) in enumerate(points.items()):
            colour, marker = _style(at)
            axes.plot(*zip(*places, strict=True), marker, color=colour, markersize=7, label=name)
        if log_x:
            axes.set_xscale("log")
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.set_ylim(bottom=0)
        _legend(axes, len(points) > 1)

    told = "; ".join(
        f"{name}: " + ", ".join(f"{y:.3g} at {x:.3g}" for x, y in places)
        for name, places in points.items()
    )
    return Figure(caption, svg_of(WIDTH, 4.2, draw), f"{y_label} at {x_label}: {told}.")


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


def _style(at: int) -> tuple[str, str]:
    return SERIES[at % len(SERIES)], MARKERS[at % len(MARKERS)]


def _colours(rows: Sequence[Row]) -> dict[str, str]:
    groups = list(dict.fromkeys(row.group for row in rows))
    return {group: SERIES[at % len(SERIES)] for at, group in enumerate(groups)}


def _legend(axes: Axes, wanted: bool) -> None:
    if wanted:
        legend = axes.legend(frameon=False, fontsize=10, labelcolor=INK, loc="best")
        legend.set_in_layout(True)


def _legend_above(axes: Axes) -> None:
    axes.legend(
        frameon=False,
        fontsize=9.5,
        labelcolor=INK,
        ncols=3,
        loc="lower left",
        bbox_to_anchor=(0, 1),
    )


def _named(axes: Axes, names: Sequence[str], x_label: str) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(x_label)


def _row_height(rows: Sequence[Row]) -> float:
    return 0.9 + 0.27 * len(rows)


def _scaled(interval: Interval, percent: bool) -> tuple[float, float, float]:
    scale = 100 if percent else 1
    return scale * interval.value, scale * interval.low, scale * interval.high


def _told(rows: Sequence[Row], percent: bool) -> str:
    """What the rows show, in words."""
    said = []
    for row in rows:
        value, low, high = _scaled(row.interval, percent)
        bounds = f" ({low:.3g} to {high:.3g})" if math.isfinite(low) else ""
        name = f"{row.name}, {row.group}" if row.group and row.group != row.name else row.name
        said.append(f"{name}: {value:.3g}{bounds}")
    return "; ".join(said) + "."
