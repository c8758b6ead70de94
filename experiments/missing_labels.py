"""How much do missing labels hurt? Lose 10, 30 and 50 % of the train split's (document, label) pairs at random.

python experiments/missing_labels.py --data build/debian
"""

from __future__ import annotations

from pathlib import Path

from runner import AS_IS, Change, Experiment, Results, Variant, main, plots

LOST = {"nothing lost": 0, **{f"{percent} % of pairs lost": percent for percent in (10, 30, 50)}}


def draw(results: Results, path: Path) -> None:
    """What metrics lose with the share of pairs that is lost, paired by seed."""
    figure, axes = plots.panels(1, len(results.data), width=5.4, height=3.8)
    for panel, data in zip(axes[0], results.data, strict=True):
        named = results.variants(data)
        xs = [LOST[name] for name in named]
        for place, metric in enumerate(EXPERIMENT.shown):
            plots.curve(panel, xs, [results.gain(data, n, metric) for n in named], label=metric, place=place)
        panel.set_xticks(xs)
        panel.set(xlabel="train pairs lost, %", ylabel="points against nothing lost")
        panel.set_title(data, fontsize=9, color=plots.INK)
    plots.legend(figure, axes[0][0], columns=3)
    plots.save(figure, "Missing labels", path)


EXPERIMENT = Experiment(
    name="missing_labels",
    question="How much do missing labels hurt?",
    variants=tuple(
        Variant(name, change=Change("pairs", percent / 100) if percent else AS_IS) for name, percent in LOST.items()
    ),
    base="nothing lost",
    shown=("P@1", "P@5", "PSP@5", "R@10", "R@100", "tail_R@10"),
    draw=draw,
    notes=(
        "Each (document, label) pair of the train split is lost with the same chance, what is lost at 10 % among what "
        "is lost at 30 %; documents left without a label go too. The test split is untouched. Real missing labels are "
        "not random, the rare ones are forgotten more often, so this is the mild case."
    ),
)

if __name__ == "__main__":
    main(EXPERIMENT)
