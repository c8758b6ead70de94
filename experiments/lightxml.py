"""What do discriminator and dynamic negatives of LightXML add? On 10,000 documents.

    python experiments/lightxml.py --data build/debian --set transformer.model=FOLDER
    python experiments/lightxml_bag.py --data build/debian

The first tunes the transformer in FOLDER (made for MiniLM), the second has a bag of embeddings instead.
"""

from __future__ import annotations

from pathlib import Path

from runner import Change, Experiment, Results, Variant, main, plots

ALL, GENERATOR, UNIFORM = "LightXML", "its generator alone", "uniform negatives"
PART = Change("documents", 0.22)  # of debian-related: about 10,000 documents
SHOWN = ("P@1", "P@5", "PSP@1", "PSP@5", "R@10", "R@100", "tail_R@10")
NOTES = (
    "A random part of the train documents, about 10,000 of debian-related. `its generator alone` is the same network "
    "without the discriminator: labels of the best groups by the group's probability times the label's share of the "
    "group's documents. `uniform negatives` is trained on as many labels, drawn uniformly from all instead of those "
    "of the generator's best groups."
)


def draw(results: Results, path: Path) -> None:
    """Metrics of each variant."""
    figure, axes = plots.panels(len(results.data), 1, width=7.2)
    for row, data in zip(axes, results.data, strict=True):
        figures = {n: [results.spread(data, n, metric) for metric in SHOWN] for n in results.variants(data)}
        plots.bars(row[0], SHOWN, figures, numbers=False)
        row[0].set_ylabel("%", color=plots.INK)
        row[0].set_title(data, fontsize=9, color=plots.INK)
    plots.legend(figure, axes[0][0])
    plots.save(figure, results.experiment.question, path)


def light(name: str, question: str, *settings: str) -> Experiment:
    """The three variants with some settings."""
    return Experiment(
        name=name,
        question=question,
        variants=tuple(
            Variant(title, (*settings, *more), "lightxml", PART)
            for title, more in (
                (ALL, ()), (GENERATOR, ("lightxml.generator_only=true",)), (UNIFORM, ("lightxml.negatives=uniform",)),
            )
        ),
        base=ALL,
        shown=SHOWN,
        draw=draw,
        notes=NOTES,
    )  # fmt: skip


EXPERIMENT = light(
    "lightxml", "What do discriminator and dynamic negatives of LightXML add?",
    "transformer.layers=3", "transformer.last_layers=3", "transformer.max_length=32", "lightxml.epochs=5",
    "lightxml.batch_size=64",
)  # fmt: skip

if __name__ == "__main__":
    main(EXPERIMENT)
