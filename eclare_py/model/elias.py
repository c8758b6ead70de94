"""ELIAS (Gupta et al., NeurIPS 2022): encoder, index and label classifiers trained as one (methods.md 1.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eclare_py.index.gated import top_clusters
from eclare_py.index.learned import ClusterGraph
from eclare_py.index.paths import best_paths_rows
from eclare_py.model.bag import BagOfEmbeddings
from eclare_py.model.document_encoder import DocumentEncoder
from eclare_py.model.inputs import Inputs
from eclare_py.model.pair_scores import LabelClassifiers
from eclare_py.types import FloatArray, IntArray, Ranking, rank

_BLOCK = 2048  # documents encoded or searched at once without gradients


@dataclass(frozen=True)
class Shortlist:
    """What a batch is scored on.

    Attributes:
        labels: (B, K) labels, -1 where a document has fewer.
        paths: (B, K) path scores gate * edge, with gradients; 0 where empty.
        logits: (B, K) <w_l, e> + b_l.
    """

    labels: IntArray
    paths: Tensor
    logits: Tensor

    def probabilities(self) -> Tensor:
        """(B, K) sigmoid(logit) * path."""
        return self.logits.sigmoid() * self.paths


class EliasNetwork(torch.nn.Module):
    """score(x, l) = sigmoid(<w_l, e> + b_l) * max_c clamp(alpha softmax(W_C e)_c, 0, 1) * a_(c,l).

    Args:
        documents: Document encoder; its unit vectors times `scale` are e.
        graph: Clusters to labels.
        n_labels: L.
        dim: d.
        scale: Length of e. ELIAS does not normalise its embeddings, ours are of length one.
        sharpness: alpha.
        bias: Start of the label biases.
    """

    def __init__(
        self,
        documents: DocumentEncoder,
        graph: ClusterGraph,
        n_labels: int,
        dim: int,
        *,
        scale: float = 10.0,
        sharpness: float = 10.0,
        bias: float = -4.0,
    ) -> None:
        super().__init__()
        self.documents, self.graph = documents, graph
        self.scale, self.sharpness = scale, sharpness
        self.clusters = torch.nn.Linear(dim, len(graph.labels))
        self.labels = LabelClassifiers(n_labels, dim, bias=bias)

    def gates(self, encoded: Tensor) -> Tensor:
        """(B, d) -> (B, C) cluster scores clamp(alpha softmax(W_C e), 0, 1)."""
        shares: Tensor = self.clusters(encoded).softmax(dim=1)
        return (self.sharpness * shares).clamp(0, 1)

    def score(self, encoded: Tensor, gates: Tensor, clusters: IntArray, size: int) -> Shortlist:
        """Shortlist and logits.

        Args:
            encoded: (B, d) e.
            gates: (B, C) all cluster scores.
            clusters: (B, S) distinct clusters searched, below 0: none.
            size: K, most labels of a shortlist.
        """
        weights, slots = self.graph.weights(), self.graph.slots
        width = min(size, self.graph.n_labels, clusters.shape[1] * slots.shape[1])
        chosen = gates.gather(1, torch.from_numpy(np.maximum(clusters, 0)).to(gates.device))
        labels = np.full((len(clusters), width), -1, dtype=np.int64)
        at, turns = np.zeros_like(labels), np.zeros_like(labels)
        best_paths_rows(
            clusters, chosen.detach().cpu().numpy(), np.arange(len(slots) + 1) * slots.shape[1], slots.reshape(-1),
            weights.detach().cpu().numpy().reshape(-1), labels, at, turns, np.empty(labels.shape, dtype=np.float32),
        )  # fmt: skip
        device = gates.device
        edges = weights.reshape(-1)[torch.from_numpy(at).to(device)]
        paths = chosen.gather(1, torch.from_numpy(turns).to(device)) * edges
        return Shortlist(labels, paths * torch.from_numpy(labels >= 0).to(device), self.labels(encoded, labels))

    def forced(self, gates: Tensor, parents: IntArray, beam: int, extra: int) -> IntArray:
        """Clusters searched in training (teacher forcing): the parents of the positives, then what a beam finds.

        Up to `beam + extra` clusters: all parents, the highest-scored first if there are too many; then the `beam`
        best, drawn in proportion to their scores where they do not all fit (Gumbel's trick); then random others.
        Deviation: ELIAS lets the draw drop parents too, and then learns nothing from their labels.

        Args:
            gates: (B, C) cluster scores.
            parents: (B, p) cluster of each positive, -1 where there are fewer.
            beam: b.
            extra: Clusters on top of the beam; 5 in ELIAS.

        Returns:
            (B, min(b + extra, C)) distinct clusters.
        """
        scores = gates.detach()
        keys = torch.rand(scores.shape, device=scores.device)
        best, at = scores.topk(min(beam, scores.shape[1]), dim=1)
        gumbel = -torch.rand(best.shape, device=scores.device).clamp(1e-9, 1 - 1e-6).log().neg().log()
        keys.scatter_(1, at, 200 + best.clamp(min=1e-37).log() + gumbel)
        rows, columns = np.nonzero(parents >= 0)
        wanted = torch.from_numpy(parents[rows, columns]).to(scores.device)
        known = torch.from_numpy(rows).to(scores.device)
        keys[known, wanted] = 1000 + scores[known, wanted]
        chosen: IntArray = keys.topk(min(beam + extra, scores.shape[1]), dim=1).indices.cpu().numpy()
        return chosen

    def found(self, gates: Tensor, beam: int) -> IntArray:
        """(B, b) the clusters that an answer searches."""
        return top_clusters(gates.detach().cpu().numpy(), beam)[0]

    def encode(self, texts: Inputs) -> Tensor:
        """B texts -> (B, d) e."""
        encoded: Tensor = self.scale * self.documents(texts)
        return encoded

    @torch.no_grad()
    def vectors(self, texts: Inputs) -> FloatArray:
        """(N, d) unit vectors of documents or label texts, without dropout."""
        was_training, _ = self.training, self.eval()
        out = np.empty((len(texts), self.clusters.in_features), dtype=np.float32)
        for start in range(0, len(out), _BLOCK):
            part = slice(start, start + _BLOCK)
            out[part] = self.documents(texts[part]).cpu().numpy()
        self.train(was_training)
        return out

    @torch.no_grad()
    def search(self, vectors: FloatArray, *, beam: int, shortlist: int, k: int) -> Ranking:
        """The k best labels of (N, d) unit document vectors, as the network stands."""
        parts = []
        for start in range(0, len(vectors), _BLOCK):
            encoded = self.scale * torch.from_numpy(vectors[start : start + _BLOCK]).to(self.clusters.weight.device)
            gates = self.gates(encoded)
            found = self.score(encoded, gates, self.found(gates, beam), shortlist)
            scores = found.probabilities().cpu().numpy()
            parts.append(rank(np.where(found.labels >= 0, scores, -np.inf), k, found.labels))
        return Ranking.stack(parts, k)

    def bags(self) -> list[BagOfEmbeddings]:
        """The tables that `step` for themselves: of the encoder, of the label classifiers."""
        return [self.documents.bag, self.labels.vectors]
