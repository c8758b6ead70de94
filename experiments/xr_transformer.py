"""What does tuning a transformer bring to a sparse ranker, and does it pay to tune from coarse to fine?

python experiments/xr_transformer.py --data build/debian --set transformer.model=FOLDER

FOLDER is a sentence-transformers model, e.g. all-MiniLM-L6-v2. A part of the data is used, the same for every seed;
`--documents` and `--tests` say how much of both splits.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from runner import Experiment, Results, Variant, main, plots

from eclare_py.data import DataFolder

FROZEN = "frozen transformer"
COARSE_TO_FINE = {epochs: f"XR-Transformer, 1 + 1 + {epochs} epochs" for epochs in (1, 2, 4)}
ONE_RESOLUTION = {epochs: f"X-Transformer, {epochs} epochs" for epochs in (2, 4, 8)}
EXTRA = frozenset({COARSE_TO_FINE[1], COARSE_TO_FINE[4], ONE_RESOLUTION[2]})
SETTINGS = ("transformer.max_length=32",)


def part(folder: DataFolder, *, documents: int, tests: int) -> DataFolder:
    """Random documents of both splits, the same whatever is trained with which seed."""
    if folder.test is None:
        raise SystemExit(f"{folder.path} has no test split")
    train, test = (
        split.subset(np.sort(np.random.default_rng((0, *name)).permutation(len(split))[:size]))
        for split, size, name in ((folder.train, documents, b"train"), (folder.test, tests, b"test"))
    )
    return replace(folder, train=train, test=test, name=f"{folder.name}, {len(train):,} documents")


def draw(results: Results, path: Path) -> None:
    """P@1 against what the training took."""
    figure, axes = plots.panels(1, len(results.data), width=5.4, height=3.8)
    lines = {"XR-Transformer": COARSE_TO_FINE.values(), "X-Transformer": ONE_RESOLUTION.values(), FROZEN: (FROZEN,)}
    for panel, data in zip(axes[0], results.data, strict=True):
        for place, (label, names) in enumerate(lines.items()):
            known = [name for name in names if name in results.variants(data)]
            costs = [results.spread(data, name, "train_cpu_s") for name in known]
            xs = [0.0 if one is None else one.mean for one in costs]
            plots.curve(panel, xs, [results.spread(data, name, "P@1") for name in known], label=label, place=place)
        panel.set(xlabel="CPU seconds of training", ylabel="P@1, %", xlim=(0, None))
        panel.set_title(data, fontsize=9, color=plots.INK)
    plots.legend(figure, axes[0][0])
    plots.save(figure, "Tuning a transformer for a sparse ranker", path)


EXPERIMENT = Experiment(
    name="xr_transformer",
    question="What does tuning a transformer bring to a sparse ranker?",
    variants=(
        Variant("TF-IDF alone", recipe="xr_linear", overrides=("linear.negatives=tfn+man", "linear.threshold=0.001")),
        Variant(FROZEN, recipe="xr_transformer", overrides=("transformer.tuning=frozen", *SETTINGS)),
        *(
            Variant(name, recipe="xr_transformer", overrides=(f"resolutions.last_epochs={epochs}", *SETTINGS))
            for epochs, name in COARSE_TO_FINE.items()
        ),
        *(
            Variant(name, recipe="x_transformer", overrides=(f"resolutions.last_epochs={epochs}", *SETTINGS))
            for epochs, name in ONE_RESOLUTION.items()
        ),
    ),
    base=FROZEN,
    shown=("P@1", "P@3", "P@5", "PSP@5", "R@10", "R@100"),
    draw=draw,
    extra=EXTRA,
    notes=(
        "Random train and test documents, the same for every seed; the recipes "
        "xr_transformer and x_transformer with all-MiniLM-L6-v2, at most 32 tokens a text. All variants end in the "
        "same linear ranker."
    ),
)  # fmt: skip

if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--tests", type=int, default=3_000)
    sizes, words = parser.parse_known_args()
    main(EXPERIMENT, words=words, part=partial(part, documents=sizes.documents, tests=sizes.tests))
