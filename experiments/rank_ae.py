"""Does the ranking autoencoder (Rank-AE) stand wrong labels better than binary cross entropy?

    python experiments/rank_ae.py --data build/debian build/yso
    python experiments/rank_ae.py --data build/debian --variants all --seeds 0

Both have the same encoder, decoder, sizes, steps and choice of the best epoch, and differ in what they are trained by.
"""

from __future__ import annotations

from pathlib import Path

from runner import AS_IS, Change, Experiment, Results, Variant, main, plots

SHARES = (0, 10, 20, 30, 50)
AUTOENCODER, ENTROPY = "Rank-AE", "BCE"
SHOWN = ("P@1", "P@5", "PSP@5", "R@10")
METHODS = {AUTOENCODER: (), ENTROPY: ("rank_ae.objective=bce",)}
PARTS = {
    "hard losses": ("rank_ae.softness=0", "rank_ae.lowest=sum"),
    "documents too": ("rank_ae.document_weight=1",),
    "whole sets": ("rank_ae.label_dropout=0",),
    "no bound": ("rank_ae.bounded=0",),
    "random start": ("rank_ae.label_gain=0",),
    "no attention": ("rank_ae.attention=none",),
    "trust by propensity": ("rank_ae.negative_weight=propensity",),
}  # fmt: skip


def named(method: str, percent: int) -> str:
    """Name of a variant."""
    return f"{method}, {percent} % wrong"


def variants_of(method: str, settings: tuple[str, ...], shares: tuple[int, ...] = SHARES) -> tuple[Variant, ...]:
    """One variant a share of replaced labels."""
    changes = {percent: Change("replaced", percent / 100) if percent else AS_IS for percent in shares}
    return tuple(Variant(named(method, share), settings, "rank_ae", change) for share, change in changes.items())


def draw(results: Results, path: Path) -> None:
    """P@5, and what of it is lost, over the share of wrong labels."""
    figure, axes = plots.panels(len(results.data), 2, width=5.4)
    for row, data in zip(axes, results.data, strict=True):
        for place, method in enumerate(METHODS):
            shares = [share for share in SHARES if named(method, share) in results.variants(data)]
            names = [named(method, share) for share in shares]
            levels = [results.spread(data, name, "P@5") for name in names]
            losses = [results.gain(data, name, "P@5") for name in names]
            plots.curve(row[0], shares, levels, label=method, place=place)
            plots.curve(row[1], shares, losses, label=method, place=place)
        row[0].set_title(f"{data}: P@5", fontsize=9, color=plots.INK)
        row[1].set_title(f"{data}: P@5 against no wrong labels", fontsize=9, color=plots.INK)
        for axis in row:
            axis.set_xlabel("train labels replaced, %")
    plots.legend(figure, axes[0][0])
    plots.save(figure, "Wrong labels", path)


MAIN = tuple(one for method, settings in METHODS.items() for one in variants_of(method, settings))
OTHERS = tuple(one for method, settings in PARTS.items() for one in variants_of(method, settings, (0, 30)))
EXPERIMENT = Experiment(
    name="rank_ae",
    question="Does the ranking autoencoder stand wrong labels better than binary cross entropy?",
    variants=(*MAIN, *OTHERS),
    base=named(AUTOENCODER, 0),
    bases={
        named(method, share): named(method, 0) for method in (*METHODS, *PARTS) for share in SHARES if share
    } | {named(method, 0): named(AUTOENCODER, 0) for method in (ENTROPY, *PARTS)},
    shown=SHOWN,
    draw=draw,
    extra=frozenset(one.name for one in OTHERS),
    notes=(
        "A share of the train split's labels is replaced: each by a label drawn uniformly from those that the document "
        "does not have; the test split is untouched; the held-out documents that pick the best epoch have such labels "
        "too. *BCE* is the same encoder and decoder trained by binary cross entropy, without the autoencoder."
    ),
)  # fmt: skip

if __name__ == "__main__":
    main(EXPERIMENT)
