"""The train documents as a memory: their vectors in an inverted file, their labels beside them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from eclare_py.errors import ModelError
from eclare_py.index import IndexConfig, LabelTree, beam_search, build_tree
from eclare_py.index.kernels import rank_leaves
from eclare_py.index.multiplicands import Multiplicands
from eclare_py.quantize import Rows, codes_of, from_arrays, quantize, rounded, to_arrays
from eclare_py.rank.config import RankConfig
from eclare_py.rank.votes import Votes, cast_votes
from eclare_py.storage import State
from eclare_py.storage.spool import empty
from eclare_py.types import Csr, FloatArray, IntArray, Ranking, check_csr

MAX_LEAF = 32  # most documents of a leaf, which is read as a whole
_BITS = 4
_BLOCK = 65536  # documents put in order at once
_CLUSTERING = IndexConfig(branching=16, max_leaf=MAX_LEAF, score="last", max_iter=8, tolerance=1e-3, exact_below=0)
_POINTERS = ("level_ptr", "child_ptr", "leaf_ptr")


@dataclass(frozen=True, eq=False)
class Neighbours:
    """N train documents to be found by their vectors, stored in the order of the leaves: those of a leaf lie together.

    Attributes:
        tree: Balanced tree over the documents as they are stored; routers are the unit means of what is below.
        vectors: (N, d) in codes of 4 bits.
        labels: (N, L) what each votes for.
    """

    tree: LabelTree
    vectors: Rows
    labels: Csr

    @classmethod
    def of(cls, documents: FloatArray, labels: Csr, *, seed: int) -> Neighbours:
        """Cluster and store documents.

        Args:
            documents: (N, d) unit vectors.
            labels: (N, L) what they may vote for.
            seed: Picks the first centres.
        """
        tree = build_tree(documents, _CLUSTERING, seed=seed)
        order = tree.label_order
        tree = replace(tree, routers=rounded(tree.routers, _BITS), label_order=np.arange(len(order)))
        return cls(tree, _stored(documents, order), labels[order])

    def __len__(self) -> int:
        """N."""
        return len(self.vectors.values)

    @cached_property
    def _no_bias(self) -> FloatArray:
        return np.zeros(len(self), dtype=np.float32)

    def search(self, x: FloatArray, n: int, *, probe: int) -> Ranking:
        """The nearest documents to each query, among those in the leaves with the nearest centres.

        Args:
            x: (B, d) queries.
            n: Documents wanted.
            probe: Leaves looked into.

        Returns:
            (B, n) positions in the store with their cosines.
        """
        tree = self.tree
        leaves, _ = beam_search(tree, x, beam=probe, quantized=True)
        found = Ranking.empty(len(x), n)
        arrays = (tree.leaf_ptr, tree.label_order, self.vectors, self._no_bias, Multiplicands.of(x, self.vectors))
        rank_leaves(leaves, *arrays, found.indices, found.scores)
        return found

    def vote(self, x: FloatArray, config: RankConfig) -> Votes:
        """What the nearest documents to (B, d) queries vote for."""
        found = self.search(x, config.neighbours, probe=config.neighbour_probe)
        return cast_votes(
            found, self.labels.indptr, self.labels.indices, temperature=config.neighbour_temperature,
            most=config.neighbour_labels,
        )  # fmt: skip

    def state(self) -> State:
        """What is saved: a vector takes half a byte a number, a label four bytes."""
        arrays: dict[str, Any] = {name: getattr(self.tree, name) for name in _POINTERS}
        arrays |= to_arrays("routers", codes_of(self.tree.routers)) | to_arrays("vectors", self.vectors)
        arrays |= {"label_ptr": self.labels.indptr.astype(np.int64), "labels": self.labels.indices.astype(np.int32)}
        return State(arrays, {})

    @classmethod
    def from_state(cls, state: State, *, dim: int, n_labels: int) -> Neighbours:
        """Load.

        Args:
            state: What `state` gave.
            dim: Length of document vectors, d.
            n_labels: L.

        Raises:
            ModelError: A part is missing, or does not fit the others.
        """
        try:
            routers, vectors = (from_arrays(state.arrays, name, dim) for name in ("routers", "vectors"))
            labels = _labels(state, len(vectors.values), n_labels)
        except ValueError as error:
            raise ModelError(f"neighbours: {error}; train again") from error
        parts = {name: state.arrays[name] for name in _POINTERS if name in state.arrays}
        parts |= {"routers": routers.dense(), "bias": np.zeros(len(routers.values), dtype=np.float32)}
        parts["label_order"] = np.arange(len(vectors.values))
        tree = LabelTree.from_state(State(parts, {"score": _CLUSTERING.score, "exact_below": _CLUSTERING.exact_below}))
        return cls(tree, vectors, labels)


def _stored(documents: FloatArray, order: IntArray) -> Rows:
    """Codes of the documents in another order; in blocks, as there may be more documents than memory holds."""
    codes = Rows(empty(documents.shape, np.int8), np.empty(len(order), dtype=np.float32))
    for start in range(0, len(order), _BLOCK):
        rows = slice(start, start + _BLOCK)
        codes.values[rows], codes.scale[rows] = quantize(documents[order[rows]], _BITS)
    return codes


def _labels(state: State, n_documents: int, n_labels: int) -> Csr:
    """The label matrix.

    Raises:
        ValueError: It is not one.
    """
    kinds = {"label_ptr": np.int64, "labels": np.int32}
    parts: dict[str, IntArray] = {}
    for name, kind in kinds.items():
        array = state.arrays.get(name)
        if array is None or array.dtype != kind or array.ndim != 1:
            raise ValueError(f"{name} must be one row of {np.dtype(kind)}")
        parts[name] = array
    if len(parts["label_ptr"]) != n_documents + 1:
        raise ValueError(f"label_ptr has {len(parts['label_ptr'])} entries for {n_documents} documents")
    ones = np.ones(len(parts["labels"]), dtype=np.float32)
    matrix = Csr((ones, parts["labels"], parts["label_ptr"]), shape=(n_documents, n_labels))
    return check_csr(matrix, name="labels of the neighbours")
