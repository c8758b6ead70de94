"""Resolutions of the labels: clusters coarse and fine, a document's labels in them, and what is told apart there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from eclare_py.errors import ConfigError
from eclare_py.index import LabelTree
from eclare_py.linear import LinearConfig, pifa_tree
from eclare_py.sparse import among, row_ids
from eclare_py.train.resolution_config import ResolutionConfig
from eclare_py.types import Csr, IntArray, as_csr


@dataclass(frozen=True, eq=False)
class Resolution:
    """One level of clusters.

    Attributes:
        clusters: (L,) cluster of each label; every cluster has one.
        parents: (C,) cluster of the next coarser resolution above each, ascending; zeros for the coarsest.
    """

    clusters: IntArray
    parents: IntArray

    @property
    def n_clusters(self) -> int:
        """C."""
        return len(self.parents)

    @cached_property
    def child_ptr(self) -> IntArray:
        """(P+1,) clusters under every parent."""
        return np.concatenate([[0], np.cumsum(np.bincount(self.parents))]).astype(np.int64)

    def counts(self, labels: Csr) -> Csr:
        """(N, C) labels that a document has in each cluster: Y C_T .. C_{t+1}, not binarised."""
        picked = (np.ones(len(self.clusters), np.float32), self.clusters, np.arange(len(self.clusters) + 1))
        membership = Csr(picked, shape=(len(self.clusters), self.n_clusters))
        ones = Csr((np.asarray(labels.data != 0, np.float32), labels.indices, labels.indptr), shape=labels.shape)
        counts = as_csr(ones @ membership)
        counts.eliminate_zeros()
        return counts

    def below(self, parents: Csr) -> Csr:
        """(N, P) -> (N, C) ones at the clusters under the parents: M C_t^T."""
        order = np.arange(self.n_clusters)
        under = Csr((np.ones(self.n_clusters, np.float32), order, self.child_ptr), shape=(parents.shape[1], len(order)))
        return ones_of(as_csr(parents @ under))


def make_resolutions(rows: Csr, labels: Csr, config: ResolutionConfig, *, seed: int) -> list[Resolution]:
    """Cluster labels by their mean TF-IDF documents (PIFA) and keep the resolutions asked for, coarse to fine.

    Args:
        rows: (N, V) TF-IDF.
        labels: (N, L) label matrix.
        config: Which.
        seed: Of the clustering.

    Raises:
        ConfigError: `sizes` are no numbers of clusters that there can be.
    """
    if config.sizes:
        finest = max(config.sizes)
        if any(size & (size - 1) for size in config.sizes) or finest > labels.shape[1]:
            raise ConfigError(
                f"resolutions.sizes={list(config.sizes)}: give powers of two, at most the {labels.shape[1]} labels"
            )
        shape = LinearConfig(branching=2, max_leaf=max(2, -(-labels.shape[1] // finest)))
    else:
        shape = LinearConfig(branching=config.branching, max_leaf=config.max_leaf)
    tree = pifa_tree(rows, labels, shape, seed=seed)
    kept = kept_levels(tree, config)
    nodes = [tree.node_of_label(level) for level in (kept if config.levels == "all" else kept[-1:])]
    return [_resolution(below, above) for above, below in zip([np.zeros_like(nodes[0]), *nodes], nodes, strict=False)]


def kept_levels(tree: LabelTree, config: ResolutionConfig) -> list[int]:
    """Levels of the tree whose clusters are as many as the settings want; of none such, the one nearest to it."""
    sizes = [tree.level_size(level) for level in range(tree.n_levels)]
    if config.sizes:
        kept = [level for level, size in enumerate(sizes) if size in config.sizes]
    else:
        kept = [level for level, size in enumerate(sizes) if config.min_clusters <= size <= config.max_clusters]
    return kept or [0 if sizes[0] > config.max_clusters else len(sizes) - 1]


def _resolution(below: IntArray, above: IntArray) -> Resolution:
    parents = np.zeros(int(below.max()) + 1, dtype=np.int64)
    parents[below] = above
    return Resolution(below, parents)


def seen_parents(own: Csr, picked: IntArray | None, negatives: str) -> Csr:
    """M: (N, P) ones at the parents whose clusters a document tells apart.

    Args:
        own: (N, P) its labels in each (teacher-forcing negatives).
        picked: (N, b) parents a model picks for it, -1 where fewer (matcher-aware negatives); None: not known.
        negatives: "tfn", "man" or "tfn+man".
    """
    if picked is None or negatives == "tfn":
        return ones_of(own)
    filled = picked >= 0
    pointers = np.concatenate([[0], np.cumsum(filled.sum(axis=1))])
    found = as_csr(Csr((np.ones(int(filled.sum()), np.float32), picked[filled], pointers), shape=own.shape))
    return found if negatives == "man" else ones_of(as_csr(found + ones_of(own)))


def capped(candidates: Csr, positives: Csr, most: int, *, seed: int) -> Csr:
    """At most so many candidates a document: all its positives, and a random choice of the others.

    Args:
        candidates: (N, C) ones.
        positives: (N, C) its own clusters, added where they are not among the candidates.
        most: Candidates wanted; more stay where there are more positives.
        seed: Of the choice.
    """
    candidates = ones_of(as_csr(candidates + ones_of(positives)))
    if np.diff(candidates.indptr).max(initial=0) <= most:
        return candidates
    rows, width = row_ids(candidates), candidates.shape[1]
    own = row_ids(positives) * width + positives.indices
    order = np.random.default_rng(seed).random(candidates.nnz)
    order[np.isin(rows * width + candidates.indices, own)] = -1
    place = np.lexsort((order, rows))
    kept = np.zeros(candidates.nnz, dtype=np.bool_)
    kept[place] = np.arange(len(place)) - candidates.indptr[:-1][rows] < most
    kept |= order < 0
    pointers = np.concatenate([[0], np.cumsum(kept)])[candidates.indptr]
    return Csr((candidates.data[kept], candidates.indices[kept], pointers), shape=candidates.shape)


def ones_of(matrix: Csr) -> Csr:
    """Ones where a matrix has entries."""
    return Csr((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)


def dense_part(matrix: Csr, at_hand: IntArray | None) -> np.ndarray:
    """(B, c) the columns at hand (ascending) of a sparse (B, C), as a plain array; all where None."""
    if at_hand is None:
        return np.asarray(matrix.toarray(), dtype=np.float32)
    out = np.zeros((matrix.shape[0], len(at_hand)), dtype=np.float32)
    rows, places, found = among(matrix, at_hand)
    out[rows, places] = matrix.data[found]
    return out
