"""Settings of the label index."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from eclare_py.config import option

INTERPOLATIONS = ("mass", "penalty", "key")


@dataclass(frozen=True)
class LatencyConfig:
    """How much the shape of a label tree follows the frequency of the labels."""

    frequency: float = option(
        0.0, "0: a balanced tree, by similarity alone; 1: frequent labels near the root (Fano)", low=0.0, high=1.0
    )
    interpolation: Literal["mass", "penalty", "key"] = option(
        "mass", "what lies between: halves of equal tempered mass, an entropy term, or frequency in the sort key"
    )
    leaf: Literal["mass", "count"] = option(
        "mass", "what max_leaf limits: the tempered mass of that many average labels, or their number"
    )
    direct: int = option(1, "labels of a leaf of at most this many hang on the node above it", low=0)
    slack: int = option(6, "binary levels that a path may be longer than in the balanced tree", low=0, high=20)


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
        latency: How much the shape of the tree follows the frequency of the labels.
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
    latency: LatencyConfig = field(default_factory=LatencyConfig)
