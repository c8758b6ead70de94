"""Which labels get a slot in which cluster of a learned index (ELIAS, methods.md 1.2, step 5)."""

from __future__ import annotations

import numpy as np

from eclare_py.sparse import row_ids
from eclare_py.types import BoolArray, Csr, IntArray, as_csr


def home_pattern(home: IntArray, n_clusters: int) -> IntArray:
    """Slots of clusters that hold each label once.

    Args:
        home: (L,) cluster of each label.
        n_clusters: C.

    Returns:
        (C, size of the largest) labels ascending, -1 where empty.
    """
    order = np.argsort(home, kind="stable")
    return _packed(home[order], order, n_clusters)


def visited_pattern(labels: Csr, visits: Csr, slots: int, home: IntArray) -> tuple[IntArray, BoolArray]:
    """The top-kappa labels of every cluster by S = Y^T M: how much the label's documents visit the cluster.

    Deviation from ELIAS: the cluster that a label's documents visit most keeps a slot for it before all others are
    handed out, and a label that no document has keeps its home. By counts alone rare labels lose every slot to the
    frequent ones, which turn up everywhere.

    Args:
        labels: (N, L) label matrix.
        visits: (N, C) score of the clusters that a search visits for each document.
        slots: kappa.
        home: (L,) cluster of each label in the tree before.

    Returns:
        (C, at most kappa) labels, heaviest first (own labels in front), -1 where empty; and which slots are own ones.
    """
    scores = as_csr(labels.T @ visits)  # (L, C)
    counts = np.diff(scores.indptr)
    rows = row_ids(scores)
    order = np.lexsort((scores.indices, -scores.data, rows))
    own = np.zeros(len(rows), dtype=bool)
    own[order[scores.indptr[:-1][counts > 0]]] = True
    unseen = np.flatnonzero(counts == 0)
    clusters = np.concatenate([scores.indices, home[unseen]]).astype(np.int64)
    members = np.concatenate([rows, unseen])
    weights = np.concatenate([scores.data, np.zeros(len(unseen), dtype=np.float32)])
    first = np.concatenate([own, np.ones(len(unseen), dtype=bool)])
    order = np.lexsort((members, -weights, ~first, clusters))
    clusters, members = clusters[order], members[order]
    starts = np.searchsorted(clusters, np.arange(visits.shape[1]))
    kept = np.arange(len(clusters)) - starts[clusters] < slots
    clusters, members = clusters[kept], members[kept]
    pattern = _packed(clusters, members, visits.shape[1])
    at_home = np.zeros(pattern.shape, dtype=bool)
    at_home[pattern >= 0] = first[order][kept]  # row by row, as the slots are filled
    return pattern, at_home


def _packed(clusters: IntArray, members: IntArray, n_clusters: int) -> IntArray:
    """(C, width) rows of the members of ascending clusters."""
    counts = np.bincount(clusters, minlength=n_clusters)
    place = np.arange(len(clusters)) - np.repeat(np.cumsum(counts) - counts, counts)
    pattern = np.full((n_clusters, max(int(counts.max(initial=0)), 1)), -1, dtype=np.int64)
    pattern[clusters, place] = members
    return pattern
