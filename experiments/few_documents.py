"""What do few documents give, and what of it is due to shorter fits? Train on some hundred to some thousand documents.

python experiments/few_documents.py --data build/debian
"""

from __future__ import annotations

from pathlib import Path

from runner import Change, Experiment, Results, Variant, main, plots

SHARES = (0.01, 0.1)  # of the train split
LONG = {
    "": (),
    ", large batches": ("training.least_steps=1", "training.at_hand=0"),
    ", large batches, long fusion": ("training.least_steps=1", "training.at_hand=0", "rank.passes=1000000"),
}


def label(share: float, name: str = "") -> str:
    """Name of a variant."""
    return f"{100 * share:g} %{name}"


def draw(results: Results, path: Path) -> None:
    """Metrics of the three ways, for each share of the documents."""
    shown = ("P@1", "P@5", "PSP@5", "R@10")
    figure, axes = plots.panels(len(results.data), len(shown), width=3.4)
    for row, data in zip(axes, results.data, strict=True):
        for panel, metric in zip(row, shown, strict=True):
            values = {
                name.removeprefix(", ") or "default": [
                    results.spread(data, label(share, name), metric) for share in SHARES
                ]
                for name in LONG
            }
            plots.bars(panel, [label(share) for share in SHARES], values)
            panel.set_title(f"{data}: {metric}", fontsize=9, color=plots.INK)
            panel.set_xlabel("of the train documents", color=plots.INK)
        row[0].set_ylabel("%", color=plots.INK)
    plots.legend(figure, axes[0][0])
    plots.save(figure, "Few documents", path)


EXPERIMENT = Experiment(
    name="few_documents",
    question="What do few documents give, and what of it is due to shorter fits?",
    variants=tuple(
        Variant(label(share, name), settings, change=Change("documents", share))
        for share in SHARES
        for name, settings in LONG.items()
    ),
    base=label(SHARES[0]),
    shown=("P@1", "P@3", "P@5", "nDCG@5", "PSP@1", "PSP@5", "R@10", "R@100"),
    draw=draw,
    bases={label(share, name): label(share) for share in SHARES for name in LONG if name},
    notes=(
        "A random part of the train documents; all labels and their texts stay. *Large batches*: 1,024 documents a "
        "step, or all where there are fewer, and the labels of these alone (`training.least_steps=1`, "
        "`training.at_hand=0`); by default an epoch has six steps at least, and a step 2,048 labels. *Long fusion*: "
        "3,000 steps however few pairs there are (`rank.passes`); by default each relevant pair of the held-out "
        "documents is drawn 60 times at most."
    ),
)

if __name__ == "__main__":
    main(EXPERIMENT)
