"""Charts of an evaluation, drawn by matplotlib as SVG in the colours of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eclare_py.metrics.per_document import ALL
from eclare_py.report.pictures.canvas import HUES, INK, LINE, MAIN, PALE, SOFT, check_matplotlib, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GAINS = ("R@10", "R@100", "PSP@5")  # of a bin, against another run


def reliability_chart(section: Mapping[str, Any]) -> str:
    """Share relevant by score, in ten groups of equally many predictions; the area of a point is their number."""
    figure, axes = _frame(4.4, 4.0)
    axes.plot([0, 1], [0, 1], color=LINE, linewidth=1.2, zorder=1)
    bins = [one for one in section["equal_width"]["bins"] if one["count"]]
    most = max(one["count"] for one in bins)
    xs, ys = [one["score"] for one in bins], [one["share"] for one in bins]
    axes.plot(xs, ys, color=MAIN, linewidth=1.4, zorder=2)
    axes.scatter(xs, ys, s=[14 + 110 * one["count"] / most for one in bins], color=MAIN, zorder=3)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="score", ylabel="share that is relevant")
    return to_svg(figure, "Reliability: share of predictions that are relevant, by score")


def coverage_chart(section: Mapping[str, Any]) -> str:
    """Precision by the share of answers kept, highest scores first, for the first label and for the first ten."""
    figure, axes = _frame(4.4, 4.0)
    depth = section.get("k", 10)
    for key, name, colour, place in (
        ("first", "first label", MAIN, (0, -16)),
        ("all", f"first {depth} labels", HUES[1], (10, 4)),
    ):
        curve = section[key]["curve"]
        precision = [100 * (1 - risk) for risk in curve["risk"]]
        share = [100 * one for one in curve["share"]]
        axes.plot(share, precision, color=colour, linewidth=1.6)
        middle = len(share) // 3
        axes.annotate(
            name, (share[middle], precision[middle]), xytext=place, textcoords="offset points", color=colour,
            fontsize=9,
        )  # fmt: skip
        reached = [one for one in section[key].get("targets", ()) if one["threshold"] is not None and one["kept"]]
        axes.scatter(
            [100 * one["share"] for one in reached], [100 * one["precision"] for one in reached],
            s=22, color=colour, zorder=3,
        )  # fmt: skip
    axes.set(xlim=(0, 100), ylim=(0, 101), xlabel="share of answers kept, %", ylabel="precision, %")
    return to_svg(figure, "Precision by the share of answers that are kept")


def gain_chart(section: Mapping[str, Any]) -> str:
    """What was gained over the other run in each bin of labels, with intervals."""
    names = [one for one in GAINS if any(d["metric"] == one and d["bin"] != ALL for d in section["differences"])]
    figure, panels = _panels(len(names))
    # Rare to frequent, as the first metric has them: bins in which there was something to find.
    bins = [d["bin"] for d in section["differences"] if d["metric"] == names[0] and d["bin"] != ALL]
    for panel, metric in zip(panels, names, strict=True):
        panel.axvline(0, color=LINE, linewidth=1.2, zorder=1)
        shown = {d["bin"]: d for d in section["differences"] if d["metric"] == metric}
        for row, name in enumerate(bins):
            if name in shown:
                _gain(panel, len(bins) - 1 - row, shown[name])
        panel.set_yticks(range(len(bins)), bins[::-1])
        panel.set_ylim(-0.6, len(bins) - 0.4)
        panel.set_title(metric, fontsize=10, color=INK, loc="left")
        panel.margins(x=0.12)
    panels[0].set_ylabel("train documents of the label")
    figure.supxlabel("points gained", fontsize=9, color=SOFT)
    return to_svg(figure, "Points gained over the other run, by label frequency")


def _gain(panel: Axes, row: int, one: Mapping[str, Any]) -> None:
    sure = one["verdict"] != "noise"
    if one["low"] is not None:
        panel.plot([one["low"], one["high"]], [row, row], color=MAIN if sure else SOFT, linewidth=1.6, zorder=2)
    panel.scatter(
        [one["difference"]], [row], s=34, zorder=3, linewidth=1.4,
        facecolor=MAIN if sure else PALE, edgecolor=MAIN if sure else SOFT,
    )  # fmt: skip


def _frame(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of so many inches with one pair of axes."""
    figure, (axes,) = _figure(width, height, 1)
    return figure, axes


def _panels(count: int) -> tuple[Figure, Sequence[Axes]]:
    return _figure(9.2, 3.4, count)


def _figure(width: float, height: float, count: int) -> tuple[Figure, Sequence[Axes]]:
    check_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(1, count, squeeze=False, sharey=count > 1)[0]
    for axes in panels:
        axes.set_facecolor("none")
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(LINE)
        axes.tick_params(colors=SOFT, labelsize=8.5, length=3)
        axes.xaxis.label.set(color=SOFT, size=9)
        axes.yaxis.label.set(color=SOFT, size=9)
        axes.grid(color=LINE, linewidth=0.5, alpha=0.6)
        axes.set_axisbelow(True)
    return figure, panels
