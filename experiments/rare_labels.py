"""How do the recipes treat rare labels? Quality by label frequency.

python experiments/rare_labels.py --data build/debian
"""

from __future__ import annotations

from pathlib import Path

from runner import Experiment, Results, Variant, main, plots

PANELS = (("R@10", "found in the top 10"), ("R@100", "found in the top 100"))


def draw(results: Results, path: Path) -> None:
    """Recall by frequency bin, a bar for each recipe."""
    figure, axes = plots.panels(len(results.data), len(PANELS), width=5.2)
    for row, data in zip(axes, results.data, strict=True):
        bins = results.bins(data)
        for panel, (metric, meaning) in zip(row, PANELS, strict=True):
            values = {
                name: [results.spread(data, name, f"{metric}[{one['name']}]") for one in bins]
                for name in results.variants(data)
            }
            plots.bars(panel, [f"{one['name']}\n{one['pairs']:,}" for one in bins], values)
            panel.set_ylim(0, 108)
            panel.set_title(f"{data}: {meaning}", fontsize=9, color=plots.INK)
            panel.set_xlabel("train documents of the label / test pairs", color=plots.INK)
        row[0].set_ylabel("% of test pairs", color=plots.INK)
    plots.legend(figure, axes[0][0])
    plots.save(figure, "Quality by label frequency", path)


EXPERIMENT = Experiment(
    name="rare_labels",
    question="How do the recipes treat rare labels?",
    variants=(Variant("default", recipe="default"), Variant("eclare", recipe="eclare"),
              Variant("xr_linear", recipe="xr_linear")),
    base="default",
    shown=("P@1", "P@5", "PSP@1", "PSP@5", "R@10", "R@100", "tail_R@10", "tail_coverage@10", "macro_F1@5"),
    draw=draw,
    notes=(
        "*default* is label vectors from text and graph with a linear ranker beside them, *eclare* the same without "
        "the linear ranker, *xr_linear* the linear ranker alone: no label text, no graph."
    ),
)  # fmt: skip

if __name__ == "__main__":
    main(EXPERIMENT)
