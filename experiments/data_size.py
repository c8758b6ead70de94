"""How much do more documents help? Train on 10, 25, 50 and 100 % of the train split.

python experiments/data_size.py --data build/debian
"""

from __future__ import annotations

from pathlib import Path

from runner import AS_IS, Change, Experiment, Results, Variant, main, plots

SHARES = {f"{percent} % of documents": percent for percent in (10, 25, 50, 100)}
ALL = "100 % of documents"


def draw(results: Results, path: Path) -> None:
    """Metrics against the number of train documents."""
    figure, axes = plots.panels(1, len(results.data), width=5.4, height=3.8)
    for panel, data in zip(axes[0], results.data, strict=True):
        named = results.variants(data)
        cells = {name: next(iter(results.cells[data, name].values())) for name in named}
        xs = [cells[name]["facts"]["train_documents"] for name in named]
        for place, metric in enumerate(EXPERIMENT.shown):
            plots.curve(panel, xs, [results.spread(data, n, metric) for n in named], label=metric, place=place)
        panel.set_xscale("log")
        panel.set_xticks(xs, [f"{x:,}\n{SHARES[name]} %" for x, name in zip(xs, named, strict=True)])
        panel.minorticks_off()
        panel.set(xlabel="train documents", ylabel="%", ylim=(0, None))
        panel.set_title(data, fontsize=9, color=plots.INK)
    plots.legend(figure, axes[0][0], columns=3)
    plots.save(figure, "More documents", path)


EXPERIMENT = Experiment(
    name="data_size",
    question="How much do more documents help?",
    variants=tuple(
        Variant(name, change=AS_IS if percent == 100 else Change("documents", percent / 100))
        for name, percent in SHARES.items()
    ),
    base=ALL,
    shown=("P@1", "P@5", "PSP@5", "R@10", "R@100", "tail_R@10"),
    draw=draw,
    notes=(
        "A random part of the train documents, each part within the next larger one; all labels and their texts stay. "
        "Rare (`tail_R@10`) are the labels that are rare in the whole train split, so that the same ones are counted "
        "everywhere; in a small part many of them have no document."
    ),
)

if __name__ == "__main__":
    main(EXPERIMENT)
