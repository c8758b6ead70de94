"""Figures in one style: bars with spreads, and curves. The same results give the same file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "eclare_py", "font.size": 9})

from matplotlib import pyplot as plt  # noqa: E402 - the back end must be chosen first
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.ticker import LogLocator, NullLocator  # noqa: E402

from runner.results import Spread  # noqa: E402

COLOURS = ("#2a6f97", "#e09f3e", "#6a994e", "#9e2a2b", "#7b6d8d", "#3d405b", "#81b29a", "#bc6c25")
INK, GRID = "#333333", "#dddddd"


def panels(rows: int, columns: int, *, width: float = 4.2, height: float = 3.1) -> tuple[Figure, Any]:
    """A figure of (rows, columns) axes, a row for each data set."""
    figure, axes = plt.subplots(
        rows, columns, figsize=(width * columns, height * rows), squeeze=False, facecolor="white", layout="constrained"
    )
    return figure, axes


def bars(
    axes: Axes, groups: Sequence[str], series: Mapping[str, Sequence[Spread | None]], *, numbers: bool = True
) -> None:
    """Groups of bars, one of each series, with the standard deviation over seeds as a whisker.

    Args:
        axes: Where.
        groups: Labels of the groups.
        series: Name -> one value a group.
        numbers: Write each value above its bar.
    """
    width = 0.84 / max(len(series), 1)
    for place, (name, values) in enumerate(series.items()):
        left = [group - 0.42 + width * (place + 0.5) for group in range(len(groups))]
        heights = [0.0 if one is None else one.mean for one in values]
        whiskers = [0.0 if one is None else one.sd or 0.0 for one in values]
        drawn = axes.bar(
            left, heights, width=0.92 * width, color=COLOURS[place % len(COLOURS)], label=name, yerr=whiskers,
            error_kw={"elinewidth": 0.8, "ecolor": INK},
        )  # fmt: skip
        if numbers:
            axes.bar_label(drawn, fmt="%.0f", fontsize=7, color=INK, padding=1)
    axes.set_xticks(range(len(groups)), groups)
    axes.axhline(0, color=INK, linewidth=0.6)
    style(axes)


def curve(
    axes: Axes, xs: Sequence[float], values: Sequence[Spread | None], *, label: str, place: int,
    points: Sequence[str] = (),
) -> None:  # fmt: skip
    """A line through means with whiskers.

    Args:
        axes: Where.
        xs: Places of the points.
        values: Means and spreads; points without one are left out.
        label: For the legend.
        place: Number of the line: its colour.
        points: What to write beside each point.
    """
    kept = [
        (x, one, word) for x, one, word in zip(xs, values, points or [""] * len(xs), strict=True) if one is not None
    ]
    axes.errorbar(
        [x for x, _, _ in kept], [one.mean for _, one, _ in kept], yerr=[one.sd or 0.0 for _, one, _ in kept],
        color=COLOURS[place % len(COLOURS)], marker="o", markersize=4, linewidth=1.3, elinewidth=0.8, label=label,
    )  # fmt: skip
    for x, one, word in kept:
        axes.annotate(
            word, (x, one.mean), xytext=(0, 5), textcoords="offset points", ha="center", fontsize=7, color=INK
        )
    style(axes)


def style(axes: Axes) -> None:
    """No frame, a light grid behind."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRID)
    axes.tick_params(length=0, colors=INK)
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def logarithmic(axes: Axes) -> None:
    """A horizontal axis in powers, marked at 1, 2 and 5 of each in plain numbers."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())


def legend(figure: Figure, axes: Axes, *, columns: int = 4) -> None:
    """One legend under the figure for the entries of one of its axes."""
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(columns, len(names)), frameon=False)


def save(figure: Figure, title: str, path: Path) -> None:
    """Write the SVG."""
    figure.suptitle(title, fontsize=10, color=INK)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
