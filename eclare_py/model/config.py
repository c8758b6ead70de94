"""Settings of the encoders."""

from __future__ import annotations

from dataclasses import dataclass, field

from eclare_py.config import option
from eclare_py.graph.propagate import PropagationConfig


@dataclass(frozen=True)
class DocumentEncoderConfig:
    """How a document becomes a vector."""

    kind: str = option("bag", "bag, transformer, or both fused", choices=("bag", "transformer", "both"))
    dim: int = option(256, "length of every document and label vector", low=4, high=4096)
    dropout: float = option(0.1, "share of document dimensions dropped in training", low=0.0, high=0.9)
    term_dropout: float = option(
        0.3, "share of the terms of documents and label texts dropped in training", low=0.0, high=0.9
    )
    coded: bool = option(True, "on a processor, train on sums of embeddings in 8 bits; the embeddings keep theirs")


@dataclass(frozen=True)
class LabelEncoderConfig:
    """How a label becomes a vector: text, graph hops and more components, combined by attention."""

    text: bool = option(True, "use the label texts")
    propagation: PropagationConfig = field(default_factory=PropagationConfig)
    free: bool = option(True, "give every label a vector of its own")
    free_stage: str = option("ranker", "stage from which on these count", choices=("surrogate", "ranker"))
    free_least: int = option(0, "train documents that a label needs for such a vector", low=0)
    prototype: bool = option(False, "the mean of a label's train documents as one more component")
    shared: int = option(
        0, "free vectors shared by as many clusters of similar labels, from the surrogate stage on; 0: none", low=0
    )
    attention: str = option("learned", "weights of the components", choices=("learned", "fixed"))
    component_dropout: float = option(
        0.5, "chance, in training, that a label does without a hop or its free vector", low=0.0, high=1.0
    )
    bias: bool = option(True, "learn a bias per label in the ranker stage")
