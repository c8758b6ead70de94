"""Labels known for groups of documents alone: how much of what that costs does imputation win back?

    python experiments/eagle.py --data build/debian                     # groups of 4, the recipe xr_linear
    python experiments/eagle.py --data build/debian --variants all      # groups of 2, 4, 8 and 16, random and similar
    python experiments/eagle.py --data build/debian --dense             # the same with the recipe default

The true labels of the train split are only used to count how many were assigned rightly, and for the variant that is
trained on them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from runner import Change, Experiment, Results, Variant, main, plots
from runner.results import Spread

SIZES, FIRST, TRUE = (2, 4, 8, 16), 4, "true labels"
WAYS = {
    "union": ("method=union",),
    "random member": ("method=random",),
    "embeddings, hard": ("method=hard", "classifier_rounds=0", "label_texts=false"),
    "imputed, hard": ("method=hard",),
    "imputed, soft": (),
    "imputed, no label texts": ("label_texts=false",),
    "imputed, self-trained": ("self_training=1",),
}
MAIN = ("union", "random member", "imputed, hard", "imputed, soft", "imputed, self-trained")
SHOWN = ("P@1", "P@3", "P@5", "PSP@5", "R@100", "assignment", "label_precision", "label_recall", "imputation_s")


def name_of(way: str, by: str, size: int) -> str:
    """Of a variant."""
    return f"{way}, {by} groups of {size}"


def closed(results: Results, data: str, way: str, by: str, size: int) -> Spread | None:
    """Percent of the P@1 between union and true labels that a way wins back, seed by seed."""
    values = [results.values(data, one, "P@1") for one in (name_of(way, by, size), name_of("union", by, size), TRUE)]
    seeds = set.intersection(*(set(one) for one in values))
    own, union, true = ([one[seed] or 0.0 for seed in sorted(seeds)] for one in values)
    return Spread.of(100 * (a - b) / (c - b) for a, b, c in zip(own, union, true, strict=True) if c != b)


def gap(results: Results, data: str) -> list[str]:
    """The share of the gap that is closed, as a table."""
    heads = [(by, size) for by in ("random", "similar") for size in SIZES]
    heads = [(by, size) for by, size in heads if name_of("union", by, size) in results.variants(data)]
    lines = [
        "Percent of the P@1 between *union* (0) and *true labels* (100) that is won back:",
        "",
        "| way | " + " | ".join(f"{by}, {size}" for by, size in heads) + " |",
        "|---" * (len(heads) + 1) + "|",
    ]
    for way in WAYS:
        found = [closed(results, data, way, by, size) for by, size in heads]
        if any(found) and way != "union":
            lines.append(f"| {way} | " + " | ".join("–" if one is None else one.text() for one in found) + " |")
    return lines


def draw(results: Results, path: Path) -> None:
    """P@1 over the size of the groups."""
    figure, axes = plots.panels(len(results.data), 2, width=4.6)
    for row, data in zip(axes, results.data, strict=True):
        for panel, by in zip(row, ("random", "similar"), strict=True):
            for place, way in enumerate(WAYS):
                found = [results.spread(data, name_of(way, by, size), "P@1") for size in SIZES]
                if any(found):
                    plots.curve(panel, range(len(SIZES)), found, label=way, place=place)
            true = results.spread(data, TRUE, "P@1")
            if true is not None:
                panel.axhline(true.mean, color=plots.INK, linewidth=0.8, linestyle="--")
            panel.set_xticks(range(len(SIZES)), map(str, SIZES))
            panel.set(xlabel="documents in a group", ylabel="P@1, test split")
            panel.set_title(f"{data}: {by} groups; dashed: {TRUE}", fontsize=9, color=plots.INK)
            plots.style(panel)
    plots.legend(figure, axes[0][0])
    plots.save(figure, "Labels known for groups alone", path)


def experiment(name: str, recipe: str) -> Experiment:
    """The experiment with a recipe."""
    variants = [Variant(TRUE, recipe=recipe)]
    extra = set()
    for by in ("random", "similar"):
        for size in SIZES:
            for way, words in WAYS.items():
                overrides = tuple(f"imputation.{word}" for word in words)
                one = Variant(name_of(way, by, size), overrides, recipe, Change(f"{by} groups", size=size))
                variants.append(one)
                if by != "random" or size != FIRST or way not in MAIN:
                    extra.add(one.name)
    return Experiment(
        name=name,
        question="Labels known for groups of documents alone: how much does imputation win back?",
        variants=tuple(variants),
        base=TRUE,
        shown=SHOWN,
        draw=draw,
        extra=frozenset(extra),
        more=gap,
        notes=(
            f"Trained with the recipe `{recipe}`. *union*: every member gets all labels of its group. *assignment*: "
            "labels of groups whose likeliest member carries them, percent; *label_precision* and *label_recall*: of "
            "the (document, label) pairs trained on. *imputation_s*: seconds of imputation."
        ),
    )


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--dense"]
    dense = "--dense" in sys.argv
    main(experiment("eagle_dense", "default") if dense else experiment("eagle", "xr_linear"), words=words)
