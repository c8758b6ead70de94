"""Settings of shortlist, fusion and their use of the label graph."""

from __future__ import annotations

from dataclasses import dataclass, field

from eclare_py.config import option
from eclare_py.graph.build import GraphConfig


@dataclass(frozen=True)
class RankConfig:
    """From the tree's shortlist to a fused score."""

    words: bool = option(True, "let the fusion see how far the words of a text and of a label's text agree")
    label_terms: int = option(32, "heaviest terms of a label's text that are compared", low=1)
    documents: bool = option(True, "let the fusion see how near a text is to a label's train documents")
    linear: bool = option(True, "train a linear ranker beside the label vectors: its beam adds candidates and evidence")
    linear_candidates: int = option(100, "labels taken from the linear ranker's beam", low=1)
    neighbours: int = option(0, "nearest train documents that vote: their labels are candidates; 0: none", low=0)
    neighbour_probe: int = option(64, "leaves, of at most 32 train documents, that they are looked for in", low=1)
    neighbour_labels: int = option(100, "labels kept of those they vote for", low=1)
    neighbour_temperature: float = option(
        0.05, "their votes count by softmax(cosine / this): the smaller, the more the nearest count", low=1e-3
    )
    shortlist: int = option(200, "labels taken from the tree", low=1)
    graph_candidates: int = option(50, "labels added by spreading first scores over the label graph; 0: none", low=0)
    finalists: int = option(150, "candidates with the best first logits that the final fusion judges", low=1)
    graph_features: bool = option(True, "let the fusion see a label's support from the labels predicted with it")
    correction: float = option(0.5, "share of the graph's correction to the first logit that counts", low=0.0, high=1.0)
    seeds: int = option(30, "labels per document whose first scores are spread", low=1)
    tail_boost: float = option(
        0.5, "lift of rare labels: this times ln(1 / propensity) is added to a label's logit; 0: none", low=0.0
    )
    hidden: int = option(64, "hidden units per layer of the fusion; its first pass has half in the second", low=1)
    steps: int = option(3000, "most optimiser steps of the fusion", low=1)
    passes: float = option(60.0, "most times that a step of the fusion draws a relevant pair, on average", low=1e-3)
    fusion_batch: int = option(1024, "(document, label) pairs per step of the fusion", low=1)
    fusion_rate: float = option(3e-3, "learning rate of the fusion (Adam, linear decay)", low=0.0)
    support: GraphConfig = field(
        default_factory=lambda: GraphConfig(
            kind="conditional", top_k=50, head_threshold=None, self_loops="none", normalization="none"
        )
    )
