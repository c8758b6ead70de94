"""Raw hop vectors of a batch of labels: e, G e, G^2 e, with gradients to every text involved.

Two ways with equal results (in training, term dropout thins a folded hop as one text):
- folded: a parameter-free propagation is linear, so G (Z E) = (G Z) E, and the hop becomes one more bag of words, made
  once. A batch then costs its own rows and not those of all neighbours.
- closure: layers with parameters run over the sub-graph that the batch's hops can reach.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from eclare_py.graph import LabelGraph
from eclare_py.graph.propagate import Propagation, to_torch_csr
from eclare_py.model.document_encoder import DocumentEncoder
from eclare_py.model.hop_kernels import spread_bags
from eclare_py.types import Csr, FloatArray, IntArray, as_csr

_LINEAR = ("simple", "light")


class HopVectors(Protocol):
    """Gives the raw vectors of labels, hop by hop."""

    def __call__(self, labels: IntArray) -> list[Tensor]:
        """(l,) label ids -> hops + 1 tensors (l, d)."""
        ...


class FoldedHops:
    """Hops as bags of words of their own; only for parameter-free propagation over TF-IDF features.

    Args:
        encoder: Where raw vectors come from.
        features: (L, V) TF-IDF of the label texts, Z.
        graph: The label graph.
        hops: Number of hops.
        max_features: Heaviest features kept per label and hop; None keeps all, and the result is exact.
    """

    def __init__(
        self, encoder: DocumentEncoder, features: Csr, graph: LabelGraph, *, hops: int, max_features: int | None
    ) -> None:
        self.encoder, self.bags = encoder, [features]
        for _ in range(hops):
            if max_features is None:
                self.bags.append(as_csr(graph.normalized @ self.bags[-1]))
            else:
                self.bags.append(spread_bags(graph.normalized, self.bags[-1], max_features))

    def __call__(self, labels: IntArray) -> list[Tensor]:
        """(l,) label ids -> hops + 1 tensors (l, d)."""
        return [self.encoder.raw(bag[labels]) for bag in self.bags]


class ClosureHops:
    """Hops by the propagation layers over the sub-graph within reach of the labels.

    Args:
        encoder: Where raw vectors come from.
        features: (L, V) TF-IDF of the label texts.
        embeddings: (L, t) frozen embeddings of the label texts, or None.
        graph: The label graph.
        propagation: The layers.
    """

    def __init__(
        self,
        encoder: DocumentEncoder,
        features: Csr,
        embeddings: FloatArray | None,
        graph: LabelGraph,
        propagation: Propagation,
    ) -> None:
        self.encoder, self.features, self.embeddings = encoder, features, embeddings
        self.graph, self.propagation = graph, propagation

    def __call__(self, labels: IntArray) -> list[Tensor]:
        """(l,) label ids -> hops + 1 tensors (l, d)."""
        nodes = self.graph.closure(labels, len(self.propagation.layers))
        raw = self.encoder.raw(self.features[nodes], None if self.embeddings is None else self.embeddings[nodes])
        if not len(self.propagation.layers):
            return [raw]
        adjacency = to_torch_csr(as_csr(self.graph.normalized[nodes][:, nodes]), device=raw.device)
        chosen = torch.from_numpy(np.searchsorted(nodes, labels)).to(raw.device)
        with torch.autocast(raw.device.type, enabled=False):  # sparse products know float32 only
            return [hop[chosen] for hop in self.propagation(raw, adjacency)]


def hop_vectors(
    encoder: DocumentEncoder,
    features: Csr,
    embeddings: FloatArray | None,
    graph: LabelGraph,
    propagation: Propagation,
    *,
    max_features: int | None,
) -> HopVectors:
    """The cheaper of the two ways that the propagation allows."""
    if propagation.config.kind in _LINEAR and embeddings is None:
        return FoldedHops(encoder, features, graph, hops=propagation.config.hops, max_features=max_features)
    return ClosureHops(encoder, features, embeddings, graph, propagation)
