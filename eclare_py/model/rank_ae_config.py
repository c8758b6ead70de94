"""Settings of the method `rank_ae`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eclare_py.config import option


@dataclass(frozen=True)
class RankAeConfig:
    """Documents and label sets in one latent space, decoded by a ranking loss (methods.md 6)."""

    objective: Literal["rank", "bce"] = option(
        "rank", "autoencoder with ranking losses, or binary cross entropy on the same encoder and decoder alone"
    )
    attention: Literal["both", "channel", "spatial", "none"] = option(
        "both", "gates on the word vectors of a document: on dimensions, on words, on both in this order, on none"
    )
    squeeze: int = option(32, "bottleneck of the gates on dimensions", low=1)
    latent: int = option(256, "length of the latent vectors of documents and label sets", low=2)
    decoder: int = option(256, "length of the label vectors of the decoder, and of those of the label encoder", low=4)
    margin: float = option(1.0, "m: how far a relevant label must score above one that is not", low=0.0)
    autoencoder_weight: float = option(1.0, "lambda: weight of the ranking losses beside the distance of both", low=0.0)
    document_weight: float = option(
        0.0, "weight of the ranking loss of what is decoded from documents, beside that of label sets", low=0.0
    )
    label_dropout: float = option(
        0.0, "share of a document's labels that the label encoder does not see, but the decoder must find", low=0.0,
        high=0.9,
    )  # fmt: skip
    trim: float = option(
        0.0, "share of the labels, those that score highest without being relevant, that count as perhaps missing",
        low=0.0, high=0.5,
    )  # fmt: skip
    softness: float = option(
        0.0, "temperature of the soft highest other and lowest relevant label; 0: the very highest and lowest", low=0.0
    )
    lowest: Literal["sum", "mean"] = option(
        "sum", "labels against the lowest relevant one: sum over all, or mean over those within the margin"
    )
    bounded: float = option(
        0.0, "q: bounds what a relevant label can lose, so that wrong ones are given up; 0: no bound", low=0.0, high=1.0
    )
    negative_weight: Literal["uniform", "propensity"] = option(
        "uniform", "say of labels that are not relevant: the same, or by propensity (rare ones may be missing)"
    )
    epochs: int = option(20, "passes over the documents", low=1)
    batch_size: int = option(256, "documents per step", low=1)
    at_hand: int = option(
        2048, "labels scored in a step: those of its documents and random ones up to a multiple of this", low=1
    )
    label_gain: float = option(
        0.0, "score of a label at the start where a document is the mean of the label's; 0: start at random", low=0.0
    )
    table_rate: float = option(0.05, "learning rate of the word vectors (row-wise Adagrad)", low=0.0)
    label_rate: float = option(0.02, "learning rate of the label vectors of encoder and decoder (the same)", low=0.0)
    dense_rate: float = option(1e-3, "learning rate of the rest (Adam)", low=0.0)
