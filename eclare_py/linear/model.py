"""The linear ranker: weights level by level, and beam search with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from eclare_py.errors import ModelError, UsageError
from eclare_py.linear.chunks import Chunks
from eclare_py.linear.config import LinearConfig
from eclare_py.linear.search import search_rows, select_rows
from eclare_py.linear.walks import multiply_chunks
from eclare_py.storage import State
from eclare_py.threads import over_rows
from eclare_py.types import PADDING, Csr, FloatArray, IntArray, Ranking, rank, row_blocks

_BLOCK = 4096  # documents searched at once
_TOGETHER = 64  # documents handed to a thread


Seen = Callable[[int, IntArray], None]


@dataclass(frozen=True, eq=False)
class Beam:
    """The best nodes of one level.

    Attributes:
        nodes: (B, b) node, -1 where fewer were found; score descending.
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
        label_order: (L,) label at each position: labels in the order of levels, on each in that of children.
        config: Loss and beam.
        n_features: V.
        ends: For every level the children that are labels, ascending; the other ones are the parents of the level
            below. Without any, the labels are the children of the last level.
    """

    levels: list[Chunks]
    label_order: IntArray
    config: LinearConfig
    n_features: int
    ends: tuple[IntArray, ...] = ()

    def search(
        self, documents: Csr, *, beam: int, last: int | None = None, walk: str = "choose", seen: Seen | None = None
    ) -> Ranking:
        """Beam search over all levels (methods.md 4.4).

        A label whose path ends above the last level waits there, and takes no place in the beam. Scores only fall along
        a path, so a node worse than the `last` labels that wait is not opened; nor, with `close`, is one whose path
        lies that much below the best. The first changes no result.

        Args:
            documents: (B, V) with ascending columns.
            beam: Nodes kept on each level.
            last: Labels kept; `beam` where not given.
            walk: See `multiply_chunks`.
            seen: Called on each level with its number and the nodes (B, b) that are opened.

        Returns:
            Positions in `label_order` (B, k) and logs of their paths, ties by position.

        Raises:
            UsageError: The documents have other features than the weights, or the beam keeps nothing.
        """
        self._check(documents, beam)
        last = beam if last is None else last
        return self._waves(documents, beam, last, walk, seen)[1]

    def _check(self, documents: Csr, beam: int, *, leading: bool = False) -> None:
        width = documents.shape[1]
        if width < self.n_features or (width > self.n_features and not leading):  # compiled code does not check bounds
            raise UsageError(f"documents of {width} features for weights of {self.n_features}")
        if beam < 1:
            raise UsageError(f"beam={beam} must be at least 1")

    def _waves(
        self, documents: Csr, beam: int, last: int, walk: str, seen: Seen | None
    ) -> tuple[IntArray, Ranking]:
        """Nodes (B, b) in the beam below the last level there is, numbered as its parents, and the labels found."""
        kept = Beam(*(np.zeros((documents.shape[0], 1), kind) for kind in (np.int64, np.float32, np.float32)))
        done = Ranking.empty(documents.shape[0], min(last, len(self.label_order)))
        for depth, (chunks, turns) in enumerate(zip(self.levels, self.turns, strict=True)):
            if seen is not None:
                seen(depth, kept.nodes)
            ends = turns < 0
            if last and ends.any():
                found = self.step(documents, chunks, kept, min(last, int(ends.sum())), walk, hidden=~ends)
                places = np.where(found.nodes >= 0, -1 - turns[found.nodes], PADDING)
                done = _merged(done, Ranking(places, found.scores))
            if ends.all():
                break
            kept = self.step(documents, chunks, kept, min(beam, int((~ends).sum())), walk, hidden=ends)
            kept.nodes[kept.nodes >= 0] = turns[kept.nodes[kept.nodes >= 0]]
            if last:
                self._close(kept, done)
        return kept.nodes, done

    def _close(self, kept: Beam, done: Ranking) -> None:
        """Drop the nodes that nothing better than what is there can come from, or that lie far below the best."""
        floor = done.scores.min(axis=1, initial=np.inf)
        best = np.maximum(kept.scores[:, 0], done.scores[:, 0])
        floor = np.maximum(floor, best - np.float32(self._closing))
        dropped = kept.scores < floor[:, None]
        kept.nodes[dropped], kept.scores[dropped] = -1, -np.inf

    def step(
        self, documents: Csr, chunks: Chunks, above: Beam, size: int, walk: str = "choose",
        hidden: np.ndarray | None = None,
    ) -> Beam:  # fmt: skip
        """The best `size` children of the nodes of a beam by the weights of their level, none that is `hidden` (n,)."""
        filled = above.nodes >= 0
        counts = filled.sum(axis=1)
        rows = np.repeat(np.arange(len(filled)), counts)
        parents = above.nodes[filled]
        out_ptr, margins = multiply_chunks(documents, chunks, rows, parents, walk=walk)
        if hidden is not None and hidden.any():
            inside = np.arange(len(margins)) - np.repeat(out_ptr[:-1], np.diff(out_ptr))
            margins[hidden[np.repeat(chunks.child_ptr[parents], np.diff(out_ptr)) + inside]] = -np.inf
        block_ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        found = Beam(
            np.full((len(filled), size), -1, dtype=np.int64),
            np.full((len(filled), size), -np.inf, dtype=np.float32),
            np.zeros((len(filled), size), dtype=np.float32),
        )
        select_rows(
            block_ptr, parents, above.scores[filled], chunks.child_ptr, out_ptr, margins, self._power, found.nodes,
            found.scores, found.margins,
        )  # fmt: skip
        found.nodes[np.isneginf(found.scores)] = -1
        return found

    @property
    def _power(self) -> int:
        return self.config.power if self.config.loss == "squared-hinge" else 0

    @property
    def _closing(self) -> float:
        return np.inf if self.config.close is None else float(self.config.close)

    @cached_property
    def turns(self) -> list[IntArray]:
        """For every level (n,) the chunk below each child, or -1 - (position of the label) where its path ends."""
        ends = self.ends or tuple(
            np.arange(level.n_children if level is self.levels[-1] else 0) for level in self.levels
        )
        found, position = [], 0
        for level, own in zip(self.levels, ends, strict=True):
            turns = np.ones(level.n_children, dtype=np.int64)
            turns[own] = 0
            turns = np.cumsum(turns) - 1
            turns[own] = -1 - position - np.arange(len(own))
            position += len(own)
            found.append(turns)
        return found

    @cached_property
    def _joined(self) -> tuple[Chunks, IntArray]:
        """All levels as one, and the turns of their children among all chunks."""
        starts = np.cumsum([level.n_chunks for level in self.levels])
        parts = [np.where(own < 0, own, own + start) for own, start in zip(self.turns, starts, strict=True)]
        return Chunks.join(self.levels), np.concatenate(parts)

    def search_nodes(self, documents: Csr, *, beam: int) -> Csr:
        """(N, n) ones at the nodes in the beam below the last level there is, where that is not the labels' yet."""
        below = max(1, int(self.turns[-1].max()) + 1)
        parts = [
            self._waves(documents[rows], beam, 0, "choose", None)[0] for rows in row_blocks(documents, _BLOCK)
        ]
        nodes = np.sort(np.concatenate(parts), axis=1)
        kept = nodes >= 0
        pointers = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
        shape = (documents.shape[0], below)
        return Csr((np.ones(int(kept.sum()), np.float32), nodes[kept], pointers), shape=shape)

    def rank(self, documents: Csr, k: int, *, beam: int | None = None) -> Ranking:
        """The k labels with the best paths; scores are the products, in 0..1."""
        found = self.paths(documents, k, beam=beam)
        # Equal scores stand in the order of the tree, not of labels: ranked again.
        ranking = rank(found.scores, k, found.indices)
        scores = np.where(ranking.indices >= 0, np.exp(ranking.scores), -np.inf).astype(np.float32)
        return Ranking(ranking.indices, scores)

    def paths(self, documents: Csr, k: int, *, beam: int | None = None, leading: bool = False) -> Ranking:
        """The labels with the best paths, at most k, ties in the order of the tree; scores are logs of the products.

        Args:
            documents: (B, V) with ascending columns.
            k: Labels wanted.
            beam: Nodes kept on each level; None: as in the settings.
            leading: The weights are of the leading columns alone; the others are left out.

        Raises:
            UsageError: The documents have other features than the weights, or the beam keeps nothing.
        """
        beam = self.config.beam if beam is None else beam
        self._check(documents, beam, leading=leading)
        whole, turns = self._joined
        found = Ranking.empty(documents.shape[0], min(k, len(self.label_order)))
        over_rows(
            search_rows, len(found), documents.indptr, documents.indices, documents.data, self.n_features,
            len(self.levels), turns, whole.arrays, beam, self._power, self._closing, self.label_order, found.indices,
            found.scores, at_once=_TOGETHER,
        )  # fmt: skip
        return found

    def state(self) -> State:
        """What is saved."""
        arrays: dict[str, np.ndarray] = {"label_order": self.label_order}
        for depth, chunks in enumerate(self.levels):
            arrays |= chunks.state(f"level{depth}")
        # A tree whose paths all end on the last level is saved without ends, as it always was.
        if self.ends and any(len(own) for own in self.ends[:-1]):
            arrays |= {f"level{depth}.ends": own for depth, own in enumerate(self.ends)}
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
        ends = _stored_ends(state, chunks)
        parents = 1
        for depth, (level, own) in enumerate(zip(chunks, ends, strict=True)):
            if level.n_chunks != parents:
                raise ModelError(f"linear ranker: level {depth} has {level.n_chunks} parents, {parents} are above it")
            parents = level.n_children - len(own)
        order, n_labels = state.arrays.get("label_order"), sum(len(own) for own in ends)
        known = np.arange(n_labels)
        if parents or order is None or order.dtype != np.int64 or not np.array_equal(np.sort(order), known):
            raise ModelError(f"linear ranker: label_order is not a permutation of {n_labels} labels")
        return cls(chunks, order, config, features, tuple(ends) if any(len(own) for own in ends[:-1]) else ())


def _stored_ends(state: State, levels: list[Chunks]) -> list[IntArray]:
    """Children of every level that are labels: as saved, or those of the last level.

    Raises:
        ModelError: They are none of the children.
    """
    found = [np.arange(level.n_children if level is levels[-1] else 0) for level in levels]
    if "level0.ends" not in state.arrays:
        return found
    for depth, level in enumerate(levels):
        own = state.arrays.get(f"level{depth}.ends")
        if own is None or own.dtype != np.int64 or own.ndim != 1 or np.any(np.diff(own) < 1):
            raise ModelError(f"linear ranker: ends of level {depth} are missing or do not ascend")
        if len(own) and (own[0] < 0 or own[-1] >= level.n_children):
            raise ModelError(f"linear ranker: ends of level {depth} lie outside of its {level.n_children} children")
        found[depth] = own
    return found


def _merged(one: Ranking, other: Ranking) -> Ranking:
    """The best of two rankings (B, a) and (B, b) of different things, a of them; ties by position."""
    width = one.indices.shape[1]
    if other.indices.shape[1] == width and np.isneginf(one.scores).all():
        return other
    scores = np.concatenate([one.scores, other.scores], axis=1)
    return rank(scores, width, np.concatenate([one.indices, other.indices], axis=1))
