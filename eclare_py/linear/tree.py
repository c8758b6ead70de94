"""A label tree from sparse document features alone."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numba import njit

from eclare_py.index import IndexConfig, LabelTree, build_tree
from eclare_py.linear.config import LinearConfig
from eclare_py.threads import over_rows
from eclare_py.types import Csr, FloatArray, IntArray, as_csr

_DIMENSIONS, _SIGNS = 1024, 4


def pifa_tree(documents: Csr, labels: Csr, config: LinearConfig, *, seed: int = 0) -> LabelTree:
    """Cluster labels by their mean documents (PIFA) with balanced spherical 2-means; uneven with `latency`.

    Deviation from PECOS: the sparse means are projected to 1,024 random dimensions first, which about keeps their
    angles (Li, Hastie and Church, KDD 2006), so that one dense clustering serves every kind of label representation.

    Args:
        documents: (N, V) features.
        labels: (N, L) label matrix.
        config: Branching and leaf size.
        seed: Of projection and clustering.
    """
    projected = projected_means(documents, labels, seed=seed)
    shape = IndexConfig(branching=config.branching, max_leaf=config.max_leaf, latency=config.latency)
    counts = np.bincount(labels.indices, minlength=labels.shape[1]).astype(np.int64)
    return build_tree(projected, shape, seed=seed, counts=counts)


def projected_means(documents: Csr, labels: Csr, texts: Csr | None = None, *, seed: int = 0) -> FloatArray:
    """(L, 1024) mean documents of labels (PIFA) in fewer dimensions.

    Args:
        documents: (N, V) features.
        labels: (N, L) label matrix.
        texts: (L, V) features of the label texts, which stand in for the mean of a label without documents.
        seed: Of the projection.
    """
    counts = np.diff(labels.indptr)
    votes = (1 / np.sqrt(np.repeat(np.maximum(counts, 1), counts))).astype(np.float32)
    means = as_csr(sp.csr_array((votes, labels.indices, labels.indptr), shape=labels.shape).T @ documents)
    if texts is not None:
        unseen = (np.diff(means.indptr) == 0).astype(np.float32)
        means = as_csr(means + sp.diags_array(unseen) @ texts)
    projected = np.zeros((labels.shape[1], _DIMENSIONS), dtype=np.float32)
    signs = np.random.default_rng(seed).integers(2 * _DIMENSIONS, size=(documents.shape[1], _SIGNS), dtype=np.int32)
    over_rows(_project, len(projected), means.indptr, means.indices, means.data, signs, projected)
    return projected


@njit(cache=True, nogil=True)
def _project(
    start: int, stop: int, indptr: IntArray, indices: np.ndarray, data: FloatArray, signs: np.ndarray, out: FloatArray
) -> None:
    """Add every feature to a few dimensions with a sign each: a number in 0..2d-1 says which."""
    for row in range(start, stop):
        for k in range(indptr[row], indptr[row + 1]):
            for draw in signs[indices[k]]:
                out[row, draw >> 1] += data[k] if draw & 1 else -data[k]
