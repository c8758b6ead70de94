"""Edges that the data bring along (a thesaurus) joined to a label graph made of co-occurrence. Not part of ECLARE."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from eclare_py.graph.edges import off_diagonal
from eclare_py.types import Csr, IntArray, as_csr

_TURNED = np.array([2, 1, 0])  # broader <-> narrower; related is its own inverse


def join_given(graph: Csr, edges: IntArray, *, weight: float, top_k: int) -> Csr:
    """Add given edges to a graph, both ways.

    A given edge of label l weighs weight * mean of the edges that l has, or, where it has none, weight * mean of these
    means: the scale of the graph's own weights (visits, cosines, probabilities) does not matter. Each label keeps all
    edges it has and takes at most `top_k` of the given ones: broader first, then related, then narrower, ties by lower
    id. So one that is broader than hundreds is not drowned by them, while each of them keeps it.

    Args:
        graph: (L, L) positive weights, maybe with self loops, which stay as they are.
        edges: (E, 3) source, target and relation: 0 broader, 1 related, 2 narrower.
        weight: Of a given edge, against the mean edge of its label; 0 gives `graph` back.
        top_k: Given edges a label may take.

    Returns:
        (L, L) CSR float32; where an edge is in both, the weights add up.
    """
    if not weight or not len(edges):
        return graph
    rows, columns = _chosen(edges, top_k)
    strength = weight * _mean_edges(graph)[rows]
    given = sp.coo_array((strength.astype(np.float32), (rows, columns)), shape=graph.shape)
    return as_csr(graph + given.tocsr())


def _chosen(edges: IntArray, top_k: int) -> tuple[IntArray, IntArray]:
    """Rows and columns of the edges taken, unique, in order of row, relation, column."""
    turned = np.stack([edges[:, 1], edges[:, 0], _TURNED[edges[:, 2]]], axis=1)
    both = np.concatenate([edges, turned])
    both = both[np.lexsort((both[:, 2], both[:, 1], both[:, 0]))]
    fresh = np.ones(len(both), dtype=np.bool_)  # of two relations between the same labels the first stays
    fresh[1:] = np.any(np.diff(both[:, :2], axis=0), axis=1)
    both = both[fresh]
    both = both[np.lexsort((both[:, 1], both[:, 2], both[:, 0]))]
    starts = np.searchsorted(both[:, 0], both[:, 0], side="left")
    kept = np.arange(len(both)) - starts < top_k
    return both[kept, 0], both[kept, 1]


def _mean_edges(graph: Csr) -> npt.NDArray[np.float64]:
    """(L,) mean weight of the edges of each label, self loops left out; labels without get the mean of the others."""
    rows, _, mask = off_diagonal(graph)
    counts = np.bincount(rows, minlength=graph.shape[0])
    sums = np.bincount(rows, graph.data[mask], minlength=graph.shape[0])
    means = sums / np.maximum(counts, 1)
    return np.where(counts > 0, means, means[counts > 0].mean() if counts.any() else 1.0)
