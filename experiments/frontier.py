"""What is a transformer worth? Quality against the time to train and to answer, from word embeddings to fine-tuning.

    python experiments/frontier.py --data build/debian --set transformer.model=FOLDER

FOLDER holds a sentence-transformers model of six layers, such as all-MiniLM-L6-v2. Only a part of the train documents
is used, so that a fine-tuned variant takes minutes. For times that mean something, leave the machine alone.
"""

from __future__ import annotations

from pathlib import Path

from runner import Change, Experiment, Results, Variant, main, plots

PART = Change("documents", 0.22)
BAG = "bag of embeddings"
SHORT = ("transformer.max_length=32",)
TUNED = ("transformer.tuning=full", "transformer.label_texts=256", "training.batch_size=256",
         "training.surrogate_epochs=3")  # fmt: skip
BODIES = {
    "token embeddings": ("transformer.layers=0",),
    "1 layer": ("transformer.layers=1",),
    "3 layers": ("transformer.layers=3",),
    "6 layers": (),
    "6 layers, halved after 3": ("transformer.halve_after=3",),
}
TUNED_BODIES = ("1 layer", "3 layers")
KINDS = {"both": "with the bag", "transformer": "alone"}
COSTS = {"train_s": "training, seconds", "ms_one_document": "one document, ms", "documents_a_s": "documents a second"}
METRICS = ("R@100", "PSP@5", "P@1")


def variants() -> list[Variant]:
    """The bag, then every body frozen and some of them tuned, with the bag and alone."""
    found = [Variant(BAG, change=PART)]
    for kind, words in KINDS.items():
        for name, body in BODIES.items():
            settings = (f"document.kind={kind}", *SHORT, *body)
            found.append(Variant(f"{name}, frozen, {words}", settings, change=PART))
            if name in TUNED_BODIES:
                found.append(Variant(f"{name}, tuned, {words}", (*settings, *TUNED), change=PART))
    return found


def draw(results: Results, path: Path) -> None:
    """Metrics (rows) against what they cost (columns); one colour a family."""
    figure, axes = plots.panels(len(METRICS), len(COSTS), width=3.8, height=2.6)
    families = {BAG: [BAG]}
    for words in KINDS.values():
        for tuning in ("frozen", "tuned"):
            ending = f", {tuning}, {words}"
            families[ending[2:]] = [one.name for one in EXPERIMENT.variants if one.name.endswith(ending)]
    for row, metric in zip(axes, METRICS, strict=True):
        for panel, (cost, title) in zip(row, COSTS.items(), strict=True):
            for data in results.data:
                for place, (family, names) in enumerate(families.items()):
                    found = sorted(
                        (spent.mean, name) for name in names if (spent := results.spread(data, name, cost)) is not None
                    )
                    if found:
                        values = [results.spread(data, name, metric) for _, name in found]
                        plots.curve(panel, [spent for spent, _ in found], values, label=family, place=place)
            plots.logarithmic(panel)
            panel.set_xlabel(title, color=plots.INK)
        row[0].set_ylabel(metric, color=plots.INK)
    plots.legend(figure, axes[0][0], columns=3)
    plots.save(figure, "What a transformer is worth", path)


EXPERIMENT = Experiment(
    name="frontier",
    question="What is a transformer worth?",
    variants=tuple(variants()),
    base=BAG,
    shown=(*METRICS, "train_s", "ms_one_document", "documents_a_s"),
    draw=draw,
    notes=(
        "22 % of the train documents, all labels. A frozen transformer encodes every text once, as part of the "
        "training. Tuned ones train 3 epochs in batches of 256, with gradients to 256 label texts a step. One document "
        "is the median of single calls, documents a second are those of one large call. Texts are cut to 32 tokens."
    ),
)

if __name__ == "__main__":
    main(EXPERIMENT)
