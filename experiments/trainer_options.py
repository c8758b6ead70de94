"""What do the options of the trainer give the recipe default, alone and together?

    python experiments/trainer_options.py --data build/debian build/yso --validate   # on train documents set aside
    python experiments/trainer_options.py --data build/debian build/yso              # test split: for what was chosen

`--validate` takes 3,000 train documents for a test split: settings are chosen on these.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from runner import Experiment, Results, Variant, main, plots

from eclare_py.data import DataFolder

BASE = "without"
SET_ASIDE = 3000  # train documents
SHOWN = ("P@1", "P@3", "P@5", "nDCG@5", "PSP@1", "PSP@5", "R@10", "R@100", "tail_R@10")
SOFT = ("training.soft_targets=0.3",)
CLUSTERS = ("training.batches=clustered", "training.batch_clusters=4")
PROPENSITY = ("training.positive_weight=propensity",)
VOTES = ("rank.neighbours=30",)
VARIANTS = {
    BASE: (),
    "soft targets": SOFT,
    "clusters": CLUSTERS,
    "propensity": PROPENSITY,
    "soft targets, clusters": SOFT + CLUSTERS,
    "soft targets, propensity": SOFT + PROPENSITY,
    "soft targets, clusters, propensity": SOFT + CLUSTERS + PROPENSITY,
    "soft targets, votes": SOFT + VOTES,
    "soft targets, clusters, votes": SOFT + CLUSTERS + VOTES,
    "soft targets, clusters, propensity, votes": SOFT + CLUSTERS + PROPENSITY + VOTES,
    "soft targets 0.5, clusters": ("training.soft_targets=0.5", *CLUSTERS),
    "soft targets, clusters of 2": (*SOFT, "training.batches=clustered", "training.batch_clusters=2"),
    "soft targets, clusters, 8 epochs": (*SOFT, *CLUSTERS, "training.surrogate_epochs=8"),
}


def set_aside(folder: DataFolder) -> DataFolder:
    """Train documents in the place of the test split, the same for every seed of training."""
    train, test = folder.train.split(SET_ASIDE, seed=0)
    return replace(folder, train=train, test=test, name=f"{folder.name}, set aside")


def draw(results: Results, path: Path) -> None:
    """Gains over the recipe without options."""
    figure, axes = plots.panels(len(results.data), 1, width=8.0)
    for (panel,), data in zip(axes, results.data, strict=True):
        names = [name for name in results.variants(data) if name != BASE]
        plots.bars(panel, SHOWN, {n: [results.gain(data, n, m) for m in SHOWN] for n in names}, numbers=False)
        panel.set_ylabel("points above none", color=plots.INK)
        panel.set_title(data, fontsize=9, color=plots.INK)
    plots.legend(figure, axes[0][0])
    plots.save(figure, "Options of the trainer", path)


EXPERIMENT = Experiment(
    name="trainer_options",
    question="What do the options of the trainer give, alone and together?",
    variants=tuple(Variant(name, settings) for name, settings in VARIANTS.items()),
    base=BASE,
    shown=SHOWN,
    draw=draw,
    notes=(
        "*soft targets*: of rare labels (LEVER); *clusters*: batches of similar documents, of 4 at first, twice as "
        "many with every epoch (NGAME); *propensity*: positives by inverse propensity (PRIME); *votes*: of the 30 "
        "nearest train documents."
    ),
)

if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--validate"]
    if "--validate" in sys.argv:
        main(replace(EXPERIMENT, name="trainer_options_validation"), words=words, part=set_aside)
    else:
        main(EXPERIMENT, words=words)
