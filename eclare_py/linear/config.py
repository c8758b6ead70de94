"""Settings of the linear ranker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from eclare_py.config import option
from eclare_py.index import LatencyConfig

MAX_CHILDREN = 1 << 16  # of a node: offsets inside a chunk are 16 bits wide


@dataclass(frozen=True)
class LinearConfig:
    """XR-Linear: one linear classifier per child of every tree node, and how they are searched."""

    trees: int = option(1, "trees of the method `linear`; a label scores the mean over them", low=1, high=64)
    branching: int = option(16, "children of a node", choices=(2, 4, 8, 16, 32, 64, 128, 256))
    max_leaf: int = option(100, "most labels in a leaf", low=2, high=MAX_CHILDREN)
    loss: Literal["squared-hinge", "logistic"] = option("squared-hinge", "loss of the binary problems")
    cost: float = option(1.0, "C: weight of the loss against |w|^2 / 2", low=1e-6)
    positive_cost: float = option(1.0, "factor on the cost of positives", low=1e-6)
    negatives: Literal["tfn", "man", "tfn+man"] = option(
        "tfn", "documents a child is told from: of its siblings (tfn), of parents that the model picks (man), both"
    )
    man_beam: int = option(5, "nodes picked per level for matcher-aware negatives", low=1)
    cost_sensitive: bool = option(False, "weigh a node's documents by the labels they have under it")
    bias: float = option(1.0, "constant feature; 0: none", low=0.0)
    threshold: float = option(0.1, "weights smaller than this are dropped", low=0.0)
    tolerance: float = option(0.1, "stop of the coordinate descent", low=1e-8)
    rounds: int = option(100, "most passes over a node's documents", low=1)
    dense: bool = option(
        False, "put the vector of `transformer` beside the TF-IDF of a text; the method xr_transformer always does"
    )
    dense_weight: float = option(1.0, "factor on these vectors, which like the TF-IDF are of length one", low=0.0)
    beam: int = option(10, "nodes kept per level in search", low=1)
    close: float | None = option(
        None, "most that the log of a kept path may lie below the best one: a beam that narrows where it is sure",
        low=0.0,
    )  # fmt: skip
    # Of a tree of its own (methods linear and xr_transformer); over label vectors the shape is that of `index.latency`.
    latency: LatencyConfig = field(default_factory=LatencyConfig)
    power: int = option(3, "p of the score exp(-max(0, 1 - v)^p) of a squared hinge", low=1, high=8)
