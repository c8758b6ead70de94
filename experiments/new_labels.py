"""Can the model find labels without a single train document? Hold out 10 % of the labels; only their texts stay.

python experiments/new_labels.py --data build/debian
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from runner import Change, Experiment, Results, Variant, main, plots
from runner.changes import BoolArray, held_out_labels

from eclare_py import Ranking
from eclare_py.data import DataFolder

SHARE = 0.1
HELD_OUT = Change("labels", SHARE)
NO_GRAPH = (
    "label.propagation.hops=0", "index.graph_weight=0", "rank.graph_candidates=0", "rank.graph_features=false",
)  # fmt: skip
SHOWN = ("new_R@10", "new_R@100", "others_R@10", "others_R@100", "P@1", "PSP@5")


def measure(ranking: Ranking, folder: DataFolder, seed: int) -> Mapping[str, float]:
    """Recall of the test pairs with a label that is held out with this seed, and of all other pairs."""
    held_out = held_out_labels(folder.train.n_labels, SHARE, seed)
    return {
        f"{name}_R@{k}": recall(ranking, folder, mask, k)
        for name, mask in (("new", held_out), ("others", ~held_out))
        for k in (10, 100)
    }


def recall(ranking: Ranking, folder: DataFolder, mask: BoolArray, k: int) -> float:
    """Which share of the relevant pairs with a label of the mask is in the top k, in percent."""
    assert folder.test is not None
    relevant = folder.test.labels.tocoo()
    wanted = mask[relevant.col]
    pairs = relevant.row[wanted].astype(np.int64) * len(mask) + relevant.col[wanted]
    top = ranking.top(k).indices
    rows = np.repeat(np.arange(len(top)), top.shape[1])
    found = (rows * len(mask) + top.ravel())[top.ravel() >= 0]
    return float(100 * np.isin(pairs, found).mean()) if len(pairs) else 0.0


def draw(results: Results, path: Path) -> None:
    """Recall of the labels in question, and of all others."""
    figure, axes = plots.panels(len(results.data), 2, width=4.6)
    for row, data in zip(axes, results.data, strict=True):
        for panel, kind, title in zip(
            row, ("new", "others"), ("the 10 % in question", "all other labels"), strict=True
        ):
            names = [f"{kind}_R@{k}" for k in (10, 100)]
            values = {one: [results.spread(data, one, name) for name in names] for one in results.variants(data)}
            plots.bars(panel, ["top 10", "top 100"], values)
            panel.set_ylim(0, 108)
            panel.set_title(f"{data}: {title}", fontsize=9, color=plots.INK)
        row[0].set_ylabel("% of test pairs found", color=plots.INK)
    plots.legend(figure, axes[0][0], columns=2)
    plots.save(figure, "Labels without a train document", path)


EXPERIMENT = Experiment(
    name="new_labels",
    question="Can the model find labels without a single train document?",
    variants=(
        Variant("in train"),
        Variant("in train, no graph", NO_GRAPH),
        Variant("held out", change=HELD_OUT),
        Variant("held out, no graph", NO_GRAPH, change=HELD_OUT),
        Variant("held out, rare labels lifted more", ("rank.tail_boost=1.0",), change=HELD_OUT),
    ),
    base="in train",
    shown=SHOWN,
    draw=draw,
    measure=measure,
    notes=(
        "A random 10 % of the labels lose all their train documents; their texts stay in the list of labels. `new_` "
        "figures count the test pairs with one of these labels, `others_` all other pairs; *in train* are the same "
        "labels with their documents. The graph cannot help a label that is held out: its edges come from documents "
        "that labels share, and such a label has none, so it has no neighbours in the label encoder and no support "
        "from other predicted labels. What is left is its own text. The graph can even cost it something: the fusion "
        "has learned that a label without support is seldom right, and the labels that have support compete."
    ),
)

if __name__ == "__main__":
    main(EXPERIMENT)
