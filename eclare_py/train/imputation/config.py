"""Settings of the imputation of labels; they count where the labels of the data are of groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eclare_py.config import option


@dataclass(frozen=True)
class ImputationConfig:
    """How the labels of a group are handed to its members (EAGLE), before any method is trained on them."""

    method: Literal["soft", "hard", "union", "random"] = option(
        "soft",
        "soft: to the best member and to all that are likely to carry the label too; hard: to the best member alone; "
        "union: to every member; random: to any one member",
    )
    embedding: Literal["robust", "average", "joint"] = option(
        "robust",
        "label embeddings: means over the likeliest member of each group, in rounds; plain means over all members; "
        "regression of the group means on the labels of the groups",
    )
    rounds: int = option(3, "rounds of assigning members and of making embeddings anew (robust)", low=1)
    trim: float = option(0.1, "share of a label's groups, the least clear ones, left out (robust)", low=0.0, high=0.9)
    label_texts: bool = option(True, "the likeness of document and label text counts beside the embedding")
    sharpness: float = option(20.0, "scale of likeness in the softmax over members", low=0.0)
    classifier_rounds: int = option(
        8, "rounds of ridge regression and of sharing labels out by it; 0 leaves it at the embeddings", low=0
    )
    dimensions: int = option(512, "of the dense vectors that the regression reads", low=2)
    ridge: float = option(3.0, "of the regression, in documents of its likeness", low=1e-3)
    trust: float = option(10.0, "weight of the embeddings beside the regression, for a label of few groups", low=0.0)
    trust_groups: int = option(20, "groups of a label at which that weight is half", low=1)
    least: float = option(0.5, "probability at which further members get a label (soft)", low=0.01, high=1.0)
    doubt: float = option(
        0.5, "a label whose likeliest member is below this probability goes to nobody (soft)", low=0.0, high=1.0
    )
    cover: bool = option(False, "a document that would get no label gets the likeliest of its group")
    self_training: int = option(0, "rounds in which models of the recipe score the members", low=0)
    self_training_weight: float = option(
        0.5, "weight of these scores against the probabilities before", low=0.0, high=1.0
    )
