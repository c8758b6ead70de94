"""What does it give that the index is learned? ELIAS against the same model that keeps its fixed tree.

    python experiments/elias.py --data build/debian build/yso
    python experiments/elias.py --data build/debian --variants all --seeds 0
    python experiments/elias.py --part --data build/debian     # three in ten train documents, minutes instead of hours

Both train the same stages from the same start, search the same number of clusters and score the same number of labels;
they differ in what a cluster holds. Where cores are shared, threads cost more than they give: set OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from runner import Change, Experiment, Results, Variant, main, plots

FIXED, LEARNED = "fixed tree", "learned index"
SHOWN = ("P@1", "P@5", "nDCG@5", "PSP@5", "R@10", "R@100", "tail_R@10")
VARIANTS = (
    Variant(FIXED, ("elias.learned=false",), recipe="elias"),
    Variant(LEARNED, recipe="elias"),
)
OTHERS = (
    Variant("fixed tree, beam 5", ("elias.learned=false", "elias.beam=5", "elias.shortlist=375"), recipe="elias"),
    Variant("learned index, beam 5", ("elias.beam=5", "elias.shortlist=375"), recipe="elias"),
    Variant("fixed tree, clusters of 25", ("elias.learned=false", "elias.max_leaf=25"), recipe="elias"),
    Variant("learned index, clusters of 25", ("elias.max_leaf=25", "elias.slots=75", "elias.beta=25"), recipe="elias"),
    Variant("learned index, edges from random", ("elias.edge_start=random",), recipe="elias"),
    Variant("learned index, no loss of paths", ("elias.learned_weight=0",), recipe="elias"),
    Variant("learned index and second ranking", ("elias.ranker=true",), recipe="elias"),
)


def draw(results: Results, path: Path) -> None:
    """Gains over the fixed tree: by metric, and of R@100 by label frequency."""
    figure, axes = plots.panels(len(results.data), 2, width=5.4)
    for (left, right), data in zip(axes, results.data, strict=True):
        named = [name for name in results.variants(data) if name != FIXED]
        gains = {name: [results.gain(data, name, metric) for metric in SHOWN] for name in named}
        plots.bars(left, SHOWN, gains, numbers=False)
        left.set_ylabel("points above the fixed tree", color=plots.INK)
        left.set_title(f"{data}: by metric", fontsize=9, color=plots.INK)
        bins = results.bins(data)
        by_bin = {n: [results.gain(data, n, f"R@100[{one['name']}]") for one in bins] for n in named}
        plots.bars(right, [f"{one['name']}\n{one['pairs']:,}" for one in bins], by_bin, numbers=False)
        right.set_title(f"{data}: R@100 by train documents of the label / test pairs", fontsize=9, color=plots.INK)
    plots.legend(figure, axes[0][0])
    plots.save(figure, "What a learned index gives", path)


EXPERIMENT = Experiment(
    name="elias",
    question="What does it give that the index is learned?",
    variants=(*VARIANTS, *OTHERS),
    base=FIXED,
    shown=SHOWN,
    draw=draw,
    extra=frozenset(one.name for one in OTHERS),
    notes=(
        "*Fixed tree* trains on with the balanced clusters of stage 1, *learned index* lets every cluster point to "
        "more labels and learns the weights. Equal epochs, 20 clusters searched, 1,000 labels scored for a document."
    ),
)

PART = replace(
    EXPERIMENT,
    name="elias_part",
    variants=tuple(replace(one, change=Change("documents", 0.3)) for one in EXPERIMENT.variants),
    notes=f"{EXPERIMENT.notes} Trained on three in ten of the train documents.",
)

if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--part"]
    main(PART if "--part" in sys.argv else EXPERIMENT, words=words)
