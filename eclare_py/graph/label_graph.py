"""LabelGraph: the label graph as the rest of the library sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eclare_py.errors import ModelError
from eclare_py.graph.normalize import NORMALIZATIONS, normalize_edges
from eclare_py.sparse import row_ids
from eclare_py.storage import State, csr_from_arrays, csr_to_arrays
from eclare_py.types import Csr, FloatArray, IntArray, check_csr


@dataclass(frozen=True)
class LabelGraph:
    """A directed label graph; row l holds the neighbours of label l.

    Attributes:
        adjacency: (L, L) float32 weights as counted: visits, probabilities, lift, ...
        normalized: (L, L) float32, the same edges scaled for propagation: one hop is `normalized @ vectors`.
        kind: What the weights are ("walk", "lift", ...).
        normalization: How `normalized` was made.
    """

    adjacency: Csr
    normalized: Csr
    kind: str = "walk"
    normalization: str = "symmetric"

    @classmethod
    def from_adjacency(cls, adjacency: Csr, *, kind: str = "walk", normalization: str = "symmetric") -> LabelGraph:
        """Check a weight matrix and normalise it.

        Raises:
            ValueError: The matrix is not square, not a valid CSR or has weights of 0 or less.
        """
        check_csr(adjacency, name="label graph", shape=(adjacency.shape[0], adjacency.shape[0]))
        if adjacency.nnz and adjacency.data.min() <= 0:
            raise ValueError(f"label graph holds a weight of {adjacency.data.min()}; edges must be positive")
        return cls(adjacency, normalize_edges(adjacency, normalization), kind, normalization)

    @property
    def n_labels(self) -> int:
        """L."""
        return int(self.adjacency.shape[0])

    @property
    def n_edges(self) -> int:
        """E without self loops."""
        return int((self.adjacency.indices != row_ids(self.adjacency)).sum())

    def neighbours(self, label: int, k: int | None = None) -> tuple[IntArray, FloatArray]:
        """The k nearest neighbours of a label, itself left out, weight descending, ties by lower id.

        Args:
            label: Label id.
            k: Neighbours wanted; None: all.

        Returns:
            Ids (k',) int64 and raw weights (k',) float32, k' <= k.

        Raises:
            IndexError: The label does not exist.
        """
        if not 0 <= label < self.n_labels:
            raise IndexError(f"label {label} is outside 0..{self.n_labels - 1}")
        row = slice(self.adjacency.indptr[label], self.adjacency.indptr[label + 1])
        ids, weights = self.adjacency.indices[row].astype(np.int64), self.adjacency.data[row]
        ids, weights = ids[ids != label], weights[ids != label]
        order = np.lexsort((ids, -weights))[:k]
        return ids[order], weights[order]

    def closure(self, labels: IntArray, hops: int) -> IntArray:
        """Sorted ids of the labels and of all that is within `hops` hops of them.

        With `nodes = graph.closure(batch, hops)`, propagating `graph.normalized[nodes][:, nodes]` gives the same
        vectors for the labels of `batch` as propagating the whole graph, at the cost of the closure.
        """
        nodes = np.unique(labels)
        for _ in range(hops):
            nodes = np.union1d(nodes, self.adjacency[nodes].indices)
        return nodes.astype(np.int64)

    def state(self) -> State:
        """What is saved; the normalised matrix is made again on loading."""
        arrays = csr_to_arrays("adjacency", self.adjacency)
        return State(arrays=arrays, meta={"kind": self.kind, "normalization": self.normalization})

    @classmethod
    def from_state(cls, state: State) -> LabelGraph:
        """Load from a state, checked again.

        Raises:
            ModelError: The arrays are not a square CSR of positive weights, or the meta is incomplete.
        """
        kind, normalization = state.meta.get("kind"), state.meta.get("normalization")
        if not isinstance(kind, str) or normalization not in NORMALIZATIONS:
            raise ModelError(
                f"label graph: kind {kind!r}, normalization {normalization!r} are not known; save it again"
            )
        adjacency = csr_from_arrays(state.arrays, "adjacency", "label graph")
        try:
            return cls.from_adjacency(adjacency.astype(np.float32), kind=kind, normalization=normalization)
        except ValueError as error:
            raise ModelError(f"{error}; restore the file or save it again") from error
