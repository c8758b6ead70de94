"""Settings of fine-tuning a transformer from coarse to fine clusters of labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eclare_py.config import option


@dataclass(frozen=True)
class ResolutionConfig:
    """Resolutions of the labels (levels of a tree over TF-IDF), and what is learned at each (XR-Transformer)."""

    levels: Literal["all", "last"] = option("all", "resolutions trained: all, coarse to fine, or the finest alone")
    sizes: tuple[int, ...] = option(
        (), "numbers of clusters of the resolutions, powers of two; empty: as branching and max_leaf give", low=2
    )
    branching: int = option(8, "clusters that one of the next coarser resolution falls into, a power of two", low=2)
    max_leaf: int = option(16, "most labels in a cluster of the finest resolution", low=2)
    min_clusters: int = option(64, "resolutions with fewer clusters are left out", low=1)
    max_clusters: int = option(32768, "resolutions with more clusters are left out", low=2)
    epochs: int = option(1, "epochs at every resolution but the last", low=1)
    last_epochs: int = option(3, "epochs at the last resolution", low=1)
    batch_size: int = option(32, "documents per step", low=1)
    bootstrap: Literal["linear", "inherit", "zero"] = option(
        "linear",
        "start of a resolution's classifiers: linear ones on the vectors so far, those of the coarser one (the first: "
        "linear), or zeros",
    )
    bootstrap_cost: float = option(100.0, "C of these linear classifiers", low=1e-6)
    bootstrap_rounds: int = option(30, "most passes over the documents in their training", low=1)
    negatives: Literal["tfn", "man", "tfn+man"] = option(
        "tfn+man", "clusters told apart: those beside a document's own (tfn), below clusters that a linear model on "
        "TF-IDF and vectors picks (man), or both",
    )  # fmt: skip
    man_beam: int = option(5, "clusters picked for this", low=1)
    max_active: int = option(500, "most clusters told apart for a document, its own always among them", low=1)
    loss: Literal["squared-hinge", "bce"] = option("squared-hinge", "loss over these clusters")
    weighted: bool = option(False, "weigh a cluster by the document's labels in it")
    positive_cost: float = option(1.0, "factor on a document's own clusters", low=1e-6)
    negative_cost: float = option(1.0, "factor on the others", low=0.0)
    head_rate: float = option(1e-3, "learning rate of the classifiers (lazy Adam), at its height", low=0.0)
    clip: float = option(1.0, "most length of the transformer's gradient", low=1e-6)
