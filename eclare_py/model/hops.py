"""Raw hop vectors of a batch of labels: e, G e, G^2 e, with gradients to every text involved.

Two ways with equal results (in training, term dropout thins a folded hop as one text):
- folded: a parameter-free propagation is linear, so G (Z E + F P) = (G Z) E + (G F) P, and the hop becomes one more
  bag of words and one more row of transformer vectors F, made once. A batch then costs its own rows and not those of
  all neighbours.
- closure: layers with parameters run over the sub-graph that the batch's hops can reach.

Where a transformer learns, F is what it last made of the label texts (see `EclareNetwork.refresh_labels`); only the
texts of the batch's own labels go through it again, with gradients.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from eclare_py.distributed import Shard
from eclare_py.errors import UsageError
from eclare_py.graph import LabelGraph
from eclare_py.graph.propagate import Propagation, to_torch_csr
from eclare_py.model.document_encoder import DocumentEncoder
from eclare_py.model.hop_kernels import spread_bags
from eclare_py.model.inputs import Inputs
from eclare_py.types import BoolArray, FloatArray, IntArray, as_csr

_LINEAR = ("simple", "light")


class HopVectors(Protocol):
    """Gives the raw vectors of labels, hop by hop."""

    def __call__(self, labels: IntArray, wanted: BoolArray | None = None) -> list[Tensor]:
        """Raw vectors.

        Args:
            labels: (l,) ids.
            wanted: (l,) whose hops beyond the label itself count; of the others they may be left out. None: all.

        Returns:
            hops + 1 tensors (l, d).
        """
        ...

    def renew(self, vectors: FloatArray) -> None:
        """Take other transformer vectors (L, t) of the label texts."""
        ...


class FoldedHops:
    """Hops as texts of their own; only for parameter-free propagation.

    Args:
        encoder: Where raw vectors come from.
        texts: The L label texts.
        graph: The label graph.
        hops: Number of hops.
        max_features: Heaviest features kept per label and hop; None keeps all, and the result is exact.
        live: Label texts of a call that go through a learning transformer; 0: all.
        shard: Labels that are asked for here, and so kept; None: all.

    Attributes:
        sizes: (L,) terms of each label of the whole, hop by hop.
    """

    def __init__(
        self,
        encoder: DocumentEncoder,
        texts: Inputs,
        graph: LabelGraph,
        *,
        hops: int,
        max_features: int | None,
        live: int = 0,
        shard: Shard | None = None,
    ) -> None:
        self.encoder, self.texts, self.graph, self.live = encoder, texts, graph, live
        self.shard = shard or Shard(len(texts))
        self.spread: list[Inputs] = []
        bag = texts.rows
        for _ in range(hops):
            if not encoder.use_bag:
                pass  # nobody reads the words
            elif max_features is None:
                bag = as_csr(graph.normalized @ bag)
            else:
                bag = spread_bags(graph.normalized, bag, max_features)
            self.spread.append(Inputs(bag))
        self.sizes = [np.diff(hop.rows.indptr) for hop in (self.texts, *self.spread)]
        if self.shard.world > 1:
            self.texts, *self.spread = (hop[self.shard.ids] for hop in (self.texts, *self.spread))
        if texts.embeddings is not None:
            self.renew(texts.embeddings)

    def renew(self, vectors: FloatArray) -> None:
        """Take other transformer vectors (L, t) of the label texts; the bags stay."""
        own = self.shard.part
        self.texts = replace(self.texts, embeddings=vectors[own])
        for place, hop in enumerate(self.spread):
            vectors = np.asarray(self.graph.normalized @ vectors, dtype=np.float32)
            self.spread[place] = replace(hop, embeddings=vectors[own])

    def __call__(self, labels: IntArray, wanted: BoolArray | None = None) -> list[Tensor]:
        """(l,) label ids -> hops + 1 tensors (l, d); hops that are not wanted have no words."""
        labels = self.shard.places(labels)
        own = self.encoder.join(self.texts.rows[labels], own_vectors(self.encoder, self.texts[labels], self.live))
        return [own, *(self.encoder.raw(hop[labels], wanted) for hop in self.spread)]


class ClosureHops:
    """Hops by the propagation layers over the sub-graph within reach of the labels.

    Args:
        encoder: Where raw vectors come from.
        texts: The L label texts.
        graph: The label graph.
        propagation: The layers.
        live: Label texts of a call that go through a learning transformer; 0: all.
    """

    def __init__(
        self, encoder: DocumentEncoder, texts: Inputs, graph: LabelGraph, propagation: Propagation, *, live: int = 0
    ) -> None:
        self.encoder, self.texts, self.graph, self.propagation = encoder, texts, graph, propagation
        self.live = live

    def __call__(self, labels: IntArray, wanted: BoolArray | None = None) -> list[Tensor]:
        """(l,) label ids -> hops + 1 tensors (l, d), all of them."""
        nodes = self.graph.closure(labels, self.propagation.config.hops)
        chosen = torch.from_numpy(np.searchsorted(nodes, labels))
        raw = self.encoder.join(self.texts.rows[nodes], self._vectors(nodes, labels, chosen))
        if not self.propagation.config.hops:
            return [raw[chosen.to(raw.device)]]
        adjacency = to_torch_csr(as_csr(self.graph.normalized[nodes][:, nodes]), device=raw.device)
        with torch.autocast(raw.device.type, enabled=False):  # sparse products know float32 only
            return [hop[chosen.to(raw.device)] for hop in self.propagation(raw, adjacency)]

    def renew(self, vectors: FloatArray) -> None:
        """Take other transformer vectors (L, t) of the label texts."""
        self.texts = replace(self.texts, embeddings=vectors)

    def _vectors(self, nodes: IntArray, labels: IntArray, chosen: Tensor) -> Tensor | None:
        """(n, t) transformer vectors of the nodes; those of the labels themselves with gradients."""
        texts = self.texts[nodes]
        stored = self.encoder.vectors(replace(texts, tokens=None))
        own = own_vectors(self.encoder, self.texts[labels], self.live)
        return stored if stored is None or own is None else stored.index_copy(0, chosen.to(stored.device), own)


def own_vectors(encoder: DocumentEncoder, texts: Inputs, live: int) -> Tensor | None:
    """(l, t) transformer vectors of label texts; of at most `live` of them, drawn by torch, with gradients.

    Args:
        encoder: With or without a transformer.
        texts: l label texts, with what a learning transformer last made of them.
        live: 0: all.
    """
    if texts.tokens is None or not live or len(texts) <= live or not torch.is_grad_enabled():
        return encoder.vectors(texts)
    drawn = torch.randperm(len(texts))[:live].sort().values
    fresh = encoder.vectors(texts[drawn.numpy()])
    stored = encoder.vectors(replace(texts, tokens=None))
    assert fresh is not None and stored is not None
    return stored.index_copy(0, drawn.to(stored.device), fresh)


def hop_vectors(
    encoder: DocumentEncoder,
    texts: Inputs,
    graph: LabelGraph,
    propagation: Propagation,
    *,
    max_features: int | None,
    live: int = 0,
    shard: Shard | None = None,
) -> HopVectors:
    """The cheaper of the two ways that the propagation allows.

    Raises:
        UsageError: The labels are shared among processes, and the propagation cannot be folded.
    """
    if propagation.config.kind in _LINEAR:
        hops = propagation.config.hops
        return FoldedHops(encoder, texts, graph, hops=hops, max_features=max_features, live=live, shard=shard)
    if shard is not None and shard.world > 1:
        kind = propagation.config.kind
        raise UsageError(f"label.propagation.kind={kind} is trained by one process alone: choose simple or light")
    return ClosureHops(encoder, texts, graph, propagation, live=live)
