"""Settings of the label index."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class IndexConfig:
    """How labels are represented, clustered and searched.

    Attributes:
        branching: Children of a node; a power of two.
        max_leaf: Most labels in one leaf.
        beam: Most leaves kept for a document by default.
        beam_share: Most leaves kept, as a share of all leaves; leaves are of one size, so this is about the
            share of the labels that is scored.
        score: Score of a path: the sum of its nodes' `log-sigmoid`, of their products (`dot`), or the product of its
            `last` node alone. Trained routers want `log-sigmoid`, `mass_routers` want `last`.
        exact_below: With fewer labels than this every label is scored and the tree is not asked.
        max_iter: Most rounds of one balanced 2-means split.
        tolerance: A split stops once the mean similarity of a label to its centre grows by less than this.
        combine: How the parts of a label's representation are joined: side by side (`concat`) or added (`mix`).
        centroid_weight: Weight of the mean of the label's documents.
        text_weight: Weight of the label text's vector.
        graph_weight: Weight of the representation averaged over the label's neighbours in the label graph.
        pifa: Let a document with m labels vote with 1/sqrt(m) in the centroids instead of 1.
    """

    branching: int = field(default=16, metadata={"choices": (2, 4, 8, 16, 32, 64, 128, 256)})
    max_leaf: int = field(default=4, metadata={"low": 2})
    beam: int = field(default=800, metadata={"low": 1})
    beam_share: float = field(default=0.05, metadata={"low": 1e-6, "high": 1.0})
    score: str = field(default="last", metadata={"choices": ("log-sigmoid", "dot", "last")})
    exact_below: int = field(default=2000, metadata={"low": 0})
    max_iter: int = field(default=20, metadata={"low": 1})
    tolerance: float = field(default=1e-4, metadata={"low": 0.0})
    combine: str = field(default="concat", metadata={"choices": ("concat", "mix")})
    centroid_weight: float = field(default=1.0, metadata={"low": 0.0})
    text_weight: float = field(default=1.0, metadata={"low": 0.0})
    graph_weight: float = field(default=0.5, metadata={"low": 0.0})
    pifa: bool = True
