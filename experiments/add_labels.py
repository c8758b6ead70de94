"""How good are labels that a finished model gets by their texts alone? Against the same labels with their documents.

python experiments/add_labels.py --data build/debian
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from new_labels import draw, recall
from runner import Change, Experiment, Variant, main
from runner.changes import BoolArray, held_out_labels

from eclare_py import Ranking
from eclare_py.data import DataFolder

SHARE = 0.05
FREQUENT = 20  # train documents from which on a label is nothing that a user would forget to train


def measure(ranking: Ranking, folder: DataFolder, seed: int) -> Mapping[str, float]:
    """Recall of the labels in question and of all others: over pairs, and as the mean over labels."""
    late = held_out_labels(folder.train.n_labels, SHARE, seed)
    rare = late & (folder.train.label_frequencies <= FREQUENT)
    figures = {
        f"{name}_R@{k}": recall(ranking, folder, mask, k)
        for name, mask in (("new", late), ("new_rare", rare), ("others", ~late))
        for k in (10, 100)
    }
    return {**figures, "new_label_R@10": mean_recall(ranking, folder, late, 10)}


def mean_recall(ranking: Ranking, folder: DataFolder, mask: BoolArray, k: int) -> float:
    """Mean over the labels of the mask of the share of their test documents that have them in the top k, in percent."""
    assert folder.test is not None
    relevant, n_labels = folder.test.labels.tocoo(), len(mask)
    top = ranking.top(k).indices
    rows = np.repeat(np.arange(len(top)), top.shape[1])
    found = (rows * n_labels + top.ravel())[top.ravel() >= 0]
    hit = np.isin(relevant.row.astype(np.int64) * n_labels + relevant.col, found)
    counts = np.bincount(relevant.col, minlength=n_labels)
    hits = np.bincount(relevant.col, hit, minlength=n_labels)
    asked = mask & (counts > 0)
    return float(100 * (hits[asked] / counts[asked]).mean()) if asked.any() else 0.0


EXPERIMENT = Experiment(
    name="add_labels",
    question="How good are labels that a finished model gets by their texts alone?",
    variants=(
        Variant("trained"),
        Variant("no documents", change=Change("labels", SHARE)),
        Variant("added", change=Change("added", SHARE)),
    ),
    base="trained",
    shown=("new_R@10", "new_R@100", "new_rare_R@10", "new_label_R@10", "others_R@10", "others_R@100", "P@1", "PSP@5"),
    draw=draw,
    measure=measure,
    notes=(
        "A random 5 % of the labels is in question. *Trained* knows them by their documents. *No documents* was "
        "trained with their texts in the list of labels, but without a document. *Added* was trained without them, and "
        "got them when training was over, by `eclare labels add`. `new_` figures count the test pairs with one of "
        "these labels (`new_rare_` those of them that had at most 20 train documents), `new_label_R@10` is the mean "
        "over the labels, `others_` counts all other pairs. A few frequent labels, which nothing in their text gives "
        "away, hold a large part of the pairs, a different one with every seed."
    ),
)

if __name__ == "__main__":
    main(EXPERIMENT)
