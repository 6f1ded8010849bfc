"""Plots for reports, each with words for somebody who cannot see it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backend.quality.intervals import Interval
from backend.reports.canvas import (
    INK,
    MARKERS,
    QUIET,
    SERIES,
    WIDTH,
    legend,
    legend_above,
    name_rows,
    style_of,
    svg_of,
    svg_of_grid,
)
from backend.reports.page import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DASHED = (0, (4, 3))
APART = 0.006
"""By how much the lines of a reliability diagram stand beside each other, so that no interval
hides another."""


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
            _curve(axes, line, at)
        for name, level in (references or {}).items():
            _level(axes, name, level)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        legend(axes, len(series) > 1)

    told = f"{y_label} over {x_label}: {_ends(series)}."
    return Figure(caption, svg_of(WIDTH, 4.2, draw), told)


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
                _curve(axes, line, names.index(line.name))
            axes.set_title(title, color=INK, fontsize=11, loc="left")
            axes.set_xlabel(x_label)
            legend(axes, wanted=True)
        grid[0].set_ylabel(y_label)

    told = " ".join(f"{title}: {_ends(series)}." for title, series in panels.items())
    return Figure(caption, svg_of_grid(10.5, 4.4, 1, len(panels), draw), told)


def reliability_diagram(
    caption: str,
    series: Sequence[Series],
    x_label: str = "confidence",
    y_label: str = "share right",
) -> Figure:
    """Stated confidence against the share that is right, both in [0, 1]; the diagonal is honest."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=QUIET, linestyle=DASHED, linewidth=1)
        for at, line in enumerate(series):
            colour, marker = style_of(at)
            x = [place + APART * (at - (len(series) - 1) / 2) for place in line.x]
            if line.low is not None and line.high is not None:
                axes.vlines(x, line.low, line.high, color=colour, alpha=0.5, linewidth=1.2)
            axes.plot(x, line.y, color=colour, marker=marker, markersize=5, label=line.name)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        legend(axes, len(series) > 1)

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
            _bounds(axes, at, (low, high), color=INK, linewidth=1.4)
        name_rows(axes, [row.name for row in rows], x_label)
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
            axes.axvline(reference, color=QUIET, linestyle=DASHED, linewidth=1)
        for at, row in enumerate(rows):
            value, low, high = _scaled(row.interval, percent)
            colour, marker = colours[row.group], MARKERS[groups.index(row.group) % len(MARKERS)]
            _bounds(axes, at, (low, high), color=colour, linewidth=2.2, alpha=0.75)
            first = row.group not in {earlier.group for earlier in rows[:at]}
            label = row.group if first and row.group else None
            axes.plot(value, at, marker, color=colour, markersize=6, label=label)
        name_rows(axes, [row.name for row in rows], x_label)
        if len(groups) > 1:
            legend_above(axes)

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
                colour, marker = style_of(at)
                _bounds(axes, at, (low, high), color=colour, linewidth=2.2, alpha=0.75)
                axes.plot(value, at, marker, color=colour, markersize=5.5)
            axes.set_title(title, color=INK, fontsize=11, loc="left")
            name_rows(axes, names, x_label)
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
            colour, _ = style_of(at)
            axes.barh(range(len(names)), values, 0.66, left=left, color=colour, label=part)
            left = [so_far + value for so_far, value in zip(left, values, strict=True)]
        name_rows(axes, names, x_label)
        legend_above(axes)

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
            colour, marker = style_of(at)
            axes.plot(*zip(*places, strict=True), marker, color=colour, markersize=7, label=name)
        if log_x:
            axes.set_xscale("log")
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.set_ylim(bottom=0)
        legend(axes, len(points) > 1)

    told = "; ".join(
        f"{name}: " + ", ".join(f"{y:.3g} at {x:.3g}" for x, y in places)
        for name, places in points.items()
    )
    return Figure(caption, svg_of(WIDTH, 4.2, draw), f"{y_label} at {x_label}: {told}.")


def _curve(axes: Axes, line: Series, at: int) -> None:
    """A line with its band, in the look of that number."""
    colour, marker = style_of(at)
    look = DASHED if line.dashed else "-"
    axes.plot(
        line.x,
        line.y,
        color=colour,
        marker=marker,
        markersize=4,
        linestyle=look,
        label=line.name,
    )
    if line.low is not None and line.high is not None:
        axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.16, lw=0)


def _ends(series: Sequence[Series]) -> str:
    """Where each line ends, in words."""
    return "; ".join(f"{line.name} ends at {line.y[-1]:.3g}" for line in series if len(line.y))


def _bounds(axes: Axes, at: float, bounds: tuple[float, float], **style: Any) -> None:
    """The interval of a row, where it is known."""
    if all(map(math.isfinite, bounds)):
        axes.hlines(at, *bounds, **style)


def _level(axes: Axes, name: str, level: float) -> None:
    """A level line with its name at its right end."""
    axes.axhline(level, color=QUIET, linestyle=DASHED, linewidth=1)
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


def _colours(rows: Sequence[Row]) -> dict[str, str]:
    groups = list(dict.fromkeys(row.group for row in rows))
    return {group: SERIES[at % len(SERIES)] for at, group in enumerate(groups)}


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
