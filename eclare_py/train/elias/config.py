"""Settings of the method `elias`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eclare_py.config import option


@dataclass(frozen=True)
class EliasConfig:
    """ELIAS: clusters whose members are learned, with the encoder and the label classifiers (methods.md 1)."""

    max_leaf: int = option(100, "most labels of a cluster of the fixed tree; there are 2^ceil(log2(L / this))", low=2)
    beam: int = option(20, "b: clusters searched for a document", low=1)
    extra_clusters: int = option(5, "clusters on top of the beam in training, where positives force theirs in", low=0)
    slots: int = option(300, "kappa: labels that a learned cluster points to; two to four times the mean size", low=1)
    shortlist: int = option(1000, "K: labels scored for a document, those with the best paths", low=1)
    alpha: float = option(10.0, "factor on the softmax over clusters: about how many may be open in full", low=1e-3)
    beta: float = option(
        150.0, "factor on the softmax over the slots of a cluster: about how many labels it may hold in full", low=1e-3
    )
    edge_start: Literal["home", "random"] = option(
        "home", "edges of stage 2 at the start: full from the cluster a label's documents visit most, or random"
    )
    cluster_texts: bool = option(True, "cluster labels by their texts too; labels without documents have nothing else")
    warm: Literal["text", "index"] = option(
        "text", "warm-up: encoder alone, documents against label texts in the batch, or all of it on clusters of TF-IDF"
    )
    warm_epochs: int = option(4, "epochs before labels are clustered by the encoder", low=0)
    fixed_epochs: int = option(5, "epochs of stage 1, on a fixed tree", low=1)
    learned_epochs: int = option(6, "epochs of stage 2, on the learned index; 0 leaves the stage out", low=0)
    learned: bool = option(True, "learn the index in stage 2; false keeps the tree and trains on, for comparison")
    fixed_weight: float = option(0.0, "lambda of stage 1: weight of the loss of the paths to positives", low=0.0)
    learned_weight: float = option(0.05, "the same of stage 2", low=0.0)
    scale: float = option(10.0, "length of a document vector before gates and classifiers", low=1e-3)
    label_start: Literal["text", "zero"] = option(
        "text", "label classifiers at the start of a stage: vectors of the label texts, or zeros"
    )
    label_gain: float = option(12.0, "logit of a label whose text is the document, at the start", low=0.0)
    label_bias: float = option(-7.0, "label bias at the start")
    batch_size: int = option(256, "documents per step", low=1)
    table_rate: float = option(0.05, "learning rate of the embedding table (row-wise Adagrad)", low=0.0)
    label_rate: float = option(0.02, "learning rate of the label classifiers (row-wise Adagrad)", low=0.0)
    dense_rate: float = option(1e-3, "learning rate of the rest of the encoder (AdamW)", low=0.0)
    cluster_rate: float = option(5e-3, "learning rate of the cluster classifiers (AdamW)", low=0.0)
    edge_rate: float = option(5e-3, "learning rate of edges and label biases (AdamW)", low=0.0)
    learned_factor: float = option(0.3, "rates of encoder and clusters in stage 2, as a share of stage 1", low=0.0)
    weight_decay: float = option(0.01, "of AdamW, not on biases", low=0.0)
    warm_up: float = option(
        0.1, "share of a stage's steps in which the rates rise; then they fall to zero", low=0.0, high=1.0
    )
    ranker: bool = option(False, "ELIAS++: rank what the index finds again, by sparse linear classifiers")
    ranker_depth: int = option(100, "labels of the index that are ranked again", low=1)
