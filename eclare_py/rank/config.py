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
    neighbours_from: int = option(0, "train documents from which on the nearest of them vote", low=0)
    neighbours_per_label: float = option(0.0, "and for each label, on average, so many of them", low=0.0)
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
    steps: int = option(3000, "optimiser steps of the fusion", low=1)
    passes: float = option(60.0, "but no more than draw a relevant pair so often, on average", low=1e-3)
    least_passes: float = option(0.0, "and no fewer than draw it so often", low=0.0)
    most_steps: int = option(9000, "which is not to take more steps than this, or `steps` if that is more", low=1)
    fusion_batch: int = option(1024, "(document, label) pairs per step of the fusion", low=1)
    fusion_rate: float = option(3e-3, "learning rate of the fusion (Adam, linear decay)", low=0.0)
    support: GraphConfig = field(
        default_factory=lambda: GraphConfig(
            kind="conditional", top_k=50, head_threshold=None, self_loops="none", normalization="none"
        )
    )

    def documents_vote(self, n_documents: int, n_labels: int) -> bool:
        """Whether train documents vote where there are so many; held-out ones count, as the finished model has them."""
        enough = max(self.neighbours_from, self.neighbours_per_label * n_labels)
        return self.neighbours > 0 and n_documents >= enough
