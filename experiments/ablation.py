"""What does each part of the model give, above all the label graph? Train without it and compare.

    python experiments/ablation.py --data build/debian
    python experiments/ablation.py --data build/debian --variants all --seeds 0

Same data, same budget, test split. Variants that differ in index or ranking alone share one trained network, so what
they show is not the noise of training.
"""

from __future__ import annotations

from pathlib import Path

from runner import Experiment, Results, Variant, main, plots

NO_HOPS = ("label.propagation.hops=0", "index.graph_weight=0")
NO_SPREAD = ("rank.graph_candidates=0", "rank.graph_features=false")
RANKER_STAGE = (
    "training.ranker_epochs=1", "label.bias=true", "label.free=true", "label.free_least=0", "label.free_stage=ranker",
    "training.free_rate=0.003",
)  # fmt: skip
CLUSTERED = ("training.batches=clustered", "training.batch_clusters=4")
BY_PROPENSITY = "training.positive_weight=propensity"
NO_GRAPH = "no graph"
GRAPH = (
    Variant("full recipe"),
    Variant(NO_GRAPH, (*NO_HOPS, *NO_SPREAD)),
    Variant("hops only", NO_SPREAD),
    Variant("graph in the ranker only", NO_HOPS),
)
OTHERS = (
    Variant("2 hops only", ("label.propagation.hops=2", *NO_SPREAD)),
    Variant("graph-augmented shortlist only", (*NO_HOPS, "rank.graph_features=false")),
    Variant("encoder edges: walk, as in the paper", ("graph.kind=walk", "graph.min_count=1")),
    Variant("ranker edges: walk", ("rank.support.kind=walk",)),
    Variant("ranker edges: lift", ("rank.support.kind=lift",)),
    Variant("ranker edges: jaccard", ("rank.support.kind=jaccard",)),
    Variant("fixed weights instead of attention", ("label.attention=fixed",)),
    Variant("retrieved documents vote", ("rank.neighbours=30",)),
    Variant("no linear ranker", ("rank.linear=false",)),
    Variant("no label text", ("label.text=false", "rank.words=false")),
    Variant("no words in the fusion", ("rank.words=false",)),
    Variant("no documents in the fusion", ("rank.documents=false",)),
    Variant("plain softmax", ("training.loss=softmax",)),
    Variant("triplets with a dynamic margin (PRIME)", ("training.loss=margin",)),
    Variant("positives by inverse propensity (PRIME)", (BY_PROPENSITY,)),
    Variant("clustered batches (NGAME)", CLUSTERED),
    Variant("label texts as documents (Renee)", ("training.label_documents=true",)),
    Variant("soft targets for rare labels (LEVER)", ("training.soft_targets=0.3",)),
    Variant("clustered batches, soft targets, propensity", (*CLUSTERED, "training.soft_targets=0.3", BY_PROPENSITY)),
    Variant("label prototypes (PRIME)", ("label.prototype=true",)),
    Variant("shared vectors (DEXA)", ("label.shared=2048",)),
    Variant("ranker stage with free vectors", RANKER_STAGE),
    Variant("the same without the graph", (*RANKER_STAGE, *NO_HOPS, *NO_SPREAD)),
)
SHOWN = ("P@1", "P@5", "PSP@1", "PSP@5", "R@10", "R@100", "tail_R@10")


def draw(results: Results, path: Path) -> None:
    """Gains over the model without graph: by metric, and of R@100 by label frequency."""
    figure, axes = plots.panels(len(results.data), 2, width=5.4)
    for (left, right), data in zip(axes, results.data, strict=True):
        named = [one.name for one in GRAPH if one.name in results.variants(data) and one.name != NO_GRAPH]
        gains = {name: [results.gain(data, name, metric) for metric in SHOWN] for name in named}
        plots.bars(left, SHOWN, gains, numbers=False)
        left.set_ylabel("points above no graph", color=plots.INK)
        left.set_title(f"{data}: by metric", fontsize=9, color=plots.INK)
        bins = results.bins(data)
        by_bin = {n: [results.gain(data, n, f"R@100[{one['name']}]") for one in bins] for n in named}
        plots.bars(right, [f"{one['name']}\n{one['pairs']:,}" for one in bins], by_bin, numbers=False)
        right.set_title(f"{data}: R@100 by train documents of the label / test pairs", fontsize=9, color=plots.INK)
    plots.legend(figure, axes[0][0])
    plots.save(figure, "What the label graph gives", path)


EXPERIMENT = Experiment(
    name="ablation",
    question="What does each part give, above all the label graph?",
    variants=(*GRAPH, *OTHERS),
    base=NO_GRAPH,
    shown=SHOWN,
    draw=draw,
    extra=frozenset(one.name for one in OTHERS),
    notes=(
        "*No graph* is the same model and the same training without any use of the label graph: no hop in the label "
        "encoder, no spreading of first probabilities, no neighbours in the clustering. *Hops only* has no spreading; "
        "*graph in the ranker only* has no hop."
    ),
)

if __name__ == "__main__":
    main(EXPERIMENT)
