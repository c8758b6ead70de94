"""Settings of the method `lightxml`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eclare_py.config import option


@dataclass(frozen=True)
class LightXmlConfig:
    """A generator of label groups and a discriminator of their labels, trained together."""

    max_group: int = option(100, "most labels in a group", low=2)
    top_groups: int = option(32, "groups whose labels the discriminator is trained on, for a document", low=1)
    beam: int = option(32, "groups whose labels are scored in an answer", low=1)
    hidden: int = option(400, "length of the label vectors, and of the bottleneck before them", low=4)
    dropout: float = option(0.5, "share of the document vector dropped in training", low=0.0, high=0.9)
    negatives: Literal["dynamic", "uniform"] = option(
        "dynamic", "labels told from a document's own: of the generator's best groups, or drawn uniformly from all"
    )
    epochs: int = option(15, "passes over the documents", low=1)
    batch_size: int = option(16, "documents per step", low=1)
    head_rate: float = option(1e-3, "learning rate of generator and bottleneck (Adam)", low=0.0)
    label_rate: float = option(0.01, "learning rate of the label vectors (row-wise Adagrad)", low=0.0)
    averaged_epochs: int = option(0, "last epochs whose weights are averaged (SWA); 0 or 1: the last alone", low=0)
    generator_only: bool = option(
        False, "rank labels by their groups and their share of these alone, to see what the discriminator adds"
    )
