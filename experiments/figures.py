"""Draw quality by label frequency, one or more results of `eclare evaluate --json` side by side, as SVG.

    python experiments/figures.py build/quickstart/result.json --out docs/quality.svg
    python experiments/figures.py full=full.json "no graph=without.json" --out build/graph.svg

Labels are put into ranges by how many train documents they have. The bars say which share of the relevant
(document, label) pairs of the test set with such a label is among the first 10 and the first 100 of the model.
The same results give the same file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "eclare_py", "font.size": 9})

from matplotlib import pyplot as plt  # noqa: E402 - the back end must be chosen first
from matplotlib.axes import Axes  # noqa: E402

from eclare_py.metrics import Evaluation, read_evaluation  # noqa: E402

PANELS = (("R@10", "found in the top 10"), ("R@100", "found in the top 100"))
COLOURS = ("#2a6f97", "#e09f3e", "#6a994e", "#9e2a2b", "#7b6d8d")
INK = "#333333"


def main() -> None:
    """Read the results and draw them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", metavar="[NAME=]FILE", help="results of `eclare evaluate --json`")
    parser.add_argument("--out", type=Path, required=True, help="the SVG file to write")
    parser.add_argument("--title", default="Quality by label frequency")
    arguments = parser.parse_args()
    if len(arguments.results) > len(COLOURS):
        parser.error(f"{len(arguments.results)} results: at most {len(COLOURS)} can be told apart")
    results = dict(named(word) for word in arguments.results)
    draw(results, arguments.title, arguments.out)
    print(f"{arguments.out} written")


def named(word: str) -> tuple[str, Evaluation]:
    """`NAME=FILE` or `FILE` as a name and its result."""
    name, given, file = word.rpartition("=")
    return (name if given else Path(file).stem), read_evaluation(file)


def draw(results: dict[str, Evaluation], title: str, out: Path) -> None:
    """One panel a metric, one group of bars a range of label frequency."""
    first = next(iter(results.values()))
    shown = [place for place, one in enumerate(first.bins) if one.pairs]
    figure, panels = plt.subplots(1, len(PANELS), figsize=(8.6, 3.3), sharey=True, facecolor="white")
    for axes, (metric, meaning) in zip(panels, PANELS, strict=True):
        panel(axes, results, metric, shown)
        axes.set_title(meaning, fontsize=9, color=INK)
        axes.set_xticks(range(len(shown)), [f"{first.bins[i].name}\n{first.bins[i].pairs:,}" for i in shown])
        axes.set_xlabel("train documents of the label / test pairs", color=INK)
    panels[0].set_ylabel("% of test pairs", color=INK)
    if len(results) > 1:
        panels[0].legend(frameon=False, loc="upper left")
    figure.suptitle(title, fontsize=10, color=INK)
    figure.tight_layout()
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)


def panel(axes: Axes, results: dict[str, Evaluation], metric: str, shown: list[int]) -> None:
    """The bars of one metric."""
    width = 0.8 / len(results)
    for place, (name, result) in enumerate(results.items()):
        values = [result.bins[i].metrics[metric] or 0.0 for i in shown]
        left = [i - 0.4 + width * (place + 0.5) for i in range(len(shown))]
        bars = axes.bar(left, values, width=0.92 * width, color=COLOURS[place], label=name)
        axes.bar_label(bars, fmt="%.0f", fontsize=8, color=INK, padding=1)
    axes.set_ylim(0, 105)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0, colors=INK)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


if __name__ == "__main__":
    main()
