"""The linear ranker: weights level by level, and beam search with them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit, prange

from eclare_py.errors import ModelError, UsageError
from eclare_py.index.selection import drain, offer
from eclare_py.linear.chunks import Chunks
from eclare_py.linear.config import LinearConfig
from eclare_py.linear.walks import CHOOSE, multiply_chunks, multiply_row
from eclare_py.storage import State
from eclare_py.types import PADDING, Csr, FloatArray, IntArray, Ranking, rank

_BLOCK = 4096  # documents searched at once


@dataclass(frozen=True, eq=False)
class Beam:
    """The best nodes (or labels) of one level.

    Attributes:
        nodes: (B, b) node or position of a label, -1 where fewer were found; score descending.
        scores: (B, b) log of the path's score, -inf where empty.
        margins: (B, b) <x, w> + bias of the node itself.
    """

    nodes: IntArray
    scores: FloatArray
    margins: FloatArray


@dataclass(frozen=True, eq=False)
class LinearRanker:
    """XR-Linear: a classifier per child of every node, searched by beam (PECOS).

    A path scores the product of f(v) over its nodes, v = <x, w> + bias; f is exp(-max(0, 1 - v)^p) where the loss is
    the squared hinge, and the sigmoid where it is logistic. Inside, logs are added.

    Attributes:
        levels: Weights of every level, root first.
        label_order: (L,) label at each position of the last level.
        config: Loss and beam.
        n_features: V.
    """

    levels: list[Chunks]
    label_order: IntArray
    config: LinearConfig
    n_features: int

    def search(self, documents: Csr, *, beam: int, last: int | None = None, walk: str = "choose") -> Beam:
        """Beam search over all levels (methods.md 4.4).

        Args:
            documents: (B, V) with ascending columns.
            beam: Nodes kept on each level above the last.
            last: Kept on the last; `beam` where not given.
            walk: See `multiply_chunks`.

        Raises:
            UsageError: The documents have other features than the weights, or the beam keeps nothing.
        """
        if documents.shape[1] != self.n_features:  # compiled look-ups do not check bounds
            raise UsageError(f"documents of {documents.shape[1]} features for weights of {self.n_features}")
        if beam < 1:
            raise UsageError(f"beam={beam} must be at least 1")
        if documents.shape[0] == 1 and walk == "choose":
            return self._search_one(documents.indices, documents.data, beam, beam if last is None else last)
        kept = Beam(*(np.zeros((documents.shape[0], 1), kind) for kind in (np.int64, np.float32, np.float32)))
        for depth, chunks in enumerate(self.levels):
            size = last if last is not None and depth == len(self.levels) - 1 else beam
            kept = self.step(documents, chunks, kept, min(size, chunks.n_children), walk)
        return kept

    def step(self, documents: Csr, chunks: Chunks, above: Beam, size: int, walk: str = "choose") -> Beam:
        """The best `size` children of the nodes of a beam, by the weights of their level."""
        filled = above.nodes >= 0
        counts = filled.sum(axis=1)
        rows = np.repeat(np.arange(len(filled)), counts)
        parents = above.nodes[filled]
        out_ptr, margins = multiply_chunks(documents, chunks, rows, parents, walk=walk)
        block_ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        found = Beam(
            np.full((len(filled), size), -1, dtype=np.int64),
            np.full((len(filled), size), -np.inf, dtype=np.float32),
            np.zeros((len(filled), size), dtype=np.float32),
        )
        select = _select_row if len(filled) == 1 else _select_rows
        select(
            block_ptr, parents, above.scores[filled], chunks.child_ptr, out_ptr, margins, self._power, found.nodes,
            found.scores, found.margins,
        )  # fmt: skip
        return found

    def _search_one(self, columns: np.ndarray, values: FloatArray, beam: int, last: int) -> Beam:
        """The same for one document of ascending columns, in one compiled call."""
        whole, sizes = self._joined
        found = Beam(*(np.empty((1, min(last, sizes[-1])), kind) for kind in (np.int64, np.float32, np.float32)))
        _search_row(
            sizes, whole.child_ptr, whole.bias, np.array([0, len(columns)]), columns, values, whole.row_ptr,
            whole.features, whole.entry_ptr, whole.offsets, whole.values, *whole.hashes, beam, self._power,
            found.nodes[0], found.scores[0], found.margins[0],
        )  # fmt: skip
        return found

    @property
    def _power(self) -> int:
        return self.config.power if self.config.loss == "squared-hinge" else 0

    @cached_property
    def _joined(self) -> tuple[Chunks, IntArray]:
        """All levels as one, and the number of children of each."""
        return Chunks.join(self.levels), np.array([level.n_children for level in self.levels], dtype=np.int64)

    def search_nodes(self, documents: Csr, *, beam: int) -> Csr:
        """(N, n) ones at the nodes that a beam search keeps on the last level there is."""
        parts = [self.search(documents[i : i + _BLOCK], beam=beam).nodes for i in range(0, documents.shape[0], _BLOCK)]
        nodes = np.sort(np.concatenate(parts), axis=1)
        kept = nodes >= 0
        pointers = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
        shape = (documents.shape[0], self.levels[-1].n_children)
        return Csr((np.ones(int(kept.sum()), np.float32), nodes[kept], pointers), shape=shape)

    def rank(self, documents: Csr, k: int, *, beam: int | None = None) -> Ranking:
        """The k labels with the best paths; scores are the products, in 0..1."""
        found = self.paths(documents, k, beam=beam)
        # Equal scores stand in the order of the tree, not of labels: ranked again.
        ranking = rank(found.scores, k, found.indices)
        scores = np.where(ranking.indices >= 0, np.exp(ranking.scores), -np.inf).astype(np.float32)
        return Ranking(ranking.indices, scores)

    def paths_of_one(self, columns: np.ndarray, values: FloatArray, k: int) -> Ranking:
        """`paths` of one document without a matrix, which takes longer to make than this search.

        Args:
            columns: Ascending columns; those that the weights do not know are left out.
            values: Their weights.
            k: Labels wanted.
        """
        stop = int(np.searchsorted(columns, self.n_features))  # compiled look-ups do not check bounds
        found = self._search_one(columns[:stop], values[:stop], self.config.beam, k)
        return Ranking(np.where(found.nodes >= 0, self.label_order[found.nodes], PADDING), found.scores)

    def paths(self, documents: Csr, k: int, *, beam: int | None = None) -> Ranking:
        """The labels with the best paths, at most k, ties in the order of the tree; scores are logs of the products."""
        parts = []
        for start in range(0, documents.shape[0], _BLOCK):
            block = documents[start : start + _BLOCK] if documents.shape[0] > _BLOCK else documents
            found = self.search(block, beam=self.config.beam if beam is None else beam, last=k)
            parts.append(Ranking(np.where(found.nodes >= 0, self.label_order[found.nodes], PADDING), found.scores))
        return Ranking.stack(parts, k)

    def state(self) -> State:
        """What is saved."""
        arrays: dict[str, np.ndarray] = {"label_order": self.label_order}
        for depth, chunks in enumerate(self.levels):
            arrays |= chunks.state(f"level{depth}")
        return State(arrays, {"levels": len(self.levels), "features": self.n_features})

    @classmethod
    def from_state(cls, state: State, config: LinearConfig) -> LinearRanker:
        """Load, checking that the levels fit each other.

        Raises:
            ModelError: Says what is missing or does not fit.
        """
        levels, features = state.meta.get("levels"), state.meta.get("features")
        if not isinstance(levels, int) or not isinstance(features, int) or levels < 1 or features < 1:
            raise ModelError(f"linear ranker: {levels!r} levels over {features!r} features")
        chunks = [Chunks.from_state(state, f"level{depth}", features) for depth in range(levels)]
        parents = 1
        for depth, level in enumerate(chunks):
            if level.n_chunks != parents:
                raise ModelError(f"linear ranker: level {depth} has {level.n_chunks} parents, {parents} are above it")
            parents = level.n_children
        order = state.arrays.get("label_order")
        if order is None or order.dtype != np.int64 or not np.array_equal(np.sort(order), np.arange(parents)):
            raise ModelError(f"linear ranker: label_order is not a permutation of {parents} labels")
        return cls(chunks, order, config, features)


@njit(cache=True, nogil=True)
def log_score(margin: float, power: int) -> float:
    """Log of f(v): -max(0, 1 - v)^power, or of the sigmoid where `power` is 0."""
    if power:
        below = max(0.0, 1.0 - margin)
        total = below
        for _ in range(power - 1):
            total *= below
        return -total
    if margin >= 0:
        return -np.log1p(np.exp(-margin))
    return margin - np.log1p(np.exp(margin))


@njit(cache=True, nogil=True)
def _select(
    first: int, last: int, parents: IntArray, above: FloatArray, child_ptr: IntArray, out_ptr: IntArray,
    margins: FloatArray, power: int, nodes: IntArray, scores: FloatArray, own: FloatArray,
) -> None:  # fmt: skip
    """The best children of one document's blocks; ties by node."""
    kept, places, size = np.empty(nodes.shape[0], np.float32), np.empty(nodes.shape[0], np.int64), 0
    for block in range(first, last):
        child = child_ptr[parents[block]] - out_ptr[block]
        for place in range(out_ptr[block], out_ptr[block + 1]):
            score = np.float32(above[block] + log_score(margins[place], power))
            if size < kept.shape[0] or score >= kept[0]:
                # The heap breaks ties by what it is given: node first, place in the low bits.
                size = offer(kept, places, size, score, ((child + place) << 32) | place)
    drain(kept, places, size)
    for i in range(size):
        nodes[i], scores[i], own[i] = places[i] >> 32, kept[i], margins[places[i] & 0xFFFFFFFF]


@njit(cache=True, nogil=True)
def _select_row(
    block_ptr: IntArray, parents: IntArray, above: FloatArray, child_ptr: IntArray, out_ptr: IntArray,
    margins: FloatArray, power: int, nodes: IntArray, scores: FloatArray, own: FloatArray,
) -> None:  # fmt: skip
    _select(0, block_ptr[1], parents, above, child_ptr, out_ptr, margins, power, nodes[0], scores[0], own[0])


@njit(cache=True, parallel=True)
def _select_rows(
    block_ptr: IntArray, parents: IntArray, above: FloatArray, child_ptr: IntArray, out_ptr: IntArray,
    margins: FloatArray, power: int, nodes: IntArray, scores: FloatArray, own: FloatArray,
) -> None:  # fmt: skip
    for row in prange(nodes.shape[0]):
        _select(
            block_ptr[row], block_ptr[row + 1], parents, above, child_ptr, out_ptr, margins, power, nodes[row],
            scores[row], own[row],
        )  # fmt: skip


@njit(cache=True, nogil=True)
def _search_row(
    sizes: IntArray, child_ptr: IntArray, bias: FloatArray, x_ptr: IntArray, x_columns: np.ndarray,
    x_values: FloatArray, row_ptr: IntArray, features: np.ndarray, entry_ptr: IntArray, offsets: np.ndarray,
    weights: FloatArray, hash_ptr: IntArray, slots: np.ndarray, beam: int, power: int, nodes: IntArray,
    scores: FloatArray, own: FloatArray,
) -> None:  # fmt: skip
    """Beam search of one document over joined levels of `sizes` children; `nodes` are counted on the last level."""
    parents, above = np.zeros(1, np.int64), np.zeros(1, np.float32)
    table, start = np.empty(0, np.int32), 0
    for depth in range(sizes.shape[0]):
        out_ptr = np.zeros(parents.shape[0] + 1, np.int64)
        for block in range(parents.shape[0]):
            out_ptr[block + 1] = out_ptr[block] + child_ptr[parents[block] + 1] - child_ptr[parents[block]]
        margins = np.empty(out_ptr[-1], np.float32)
        for block in range(parents.shape[0]):
            first = child_ptr[parents[block]]
            for place in range(out_ptr[block], out_ptr[block + 1]):
                margins[place] = bias[first + place - out_ptr[block]]
        multiply_row(
            parents, out_ptr, x_ptr, x_columns, x_values, row_ptr, features, entry_ptr, offsets, weights, hash_ptr,
            slots, CHOOSE, table, margins,
        )  # fmt: skip
        last = depth == sizes.shape[0] - 1
        size = min(nodes.shape[0] if last else beam, sizes[depth])
        found = nodes if last else np.empty(size, np.int64)
        path, margin = (scores, own) if last else (np.empty(size, np.float32), np.empty(size, np.float32))
        found[:], path[:], margin[:] = -1, -np.inf, 0.0
        _select(0, parents.shape[0], parents, above, child_ptr, out_ptr, margins, power, found, path, margin)
        kept = (found >= 0).sum()
        if not last:
            parents, above = found[:kept] + 1, path[:kept]
            start += sizes[depth]
        else:
            found[:kept] -= start
