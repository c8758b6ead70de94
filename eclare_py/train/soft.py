"""Soft targets: a rare label is a little relevant where a label near to it is relevant.

Source: LEVER (Buvanesh et al., ICLR 2024), which lets a Siamese teacher grade the labels nearest to a text. Deviation:
there is no teacher; what grades is how near two labels are, by their texts and in the label graph, so that a label with
one document learns from those of its neighbours.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from eclare_py.rank.candidates import strongest
from eclare_py.sparse import pair_matrix, row_ids, select_entries
from eclare_py.train.soft_kernels import nearest_labels
from eclare_py.types import Csr, IntArray, as_csr

RARE = 5  # most train documents of a rare label
NEAR = 5  # labels that grade a rare one, and soft labels of a document
_TERMS = 16  # heaviest terms of a text that are compared: rare ones, so that the products stay small
_COMPARED = 8192  # labels that a rare one is compared with by its text, about
_LEAST = 0.3  # smallest similarity that counts
_BLOCK = 4096  # documents at hand together
_LABELS = 131_072  # rare labels at hand together


def near_labels(label_rows: Csr, adjacency: Csr, frequencies: IntArray) -> Csr:
    """How near other labels are to the rare ones.

    Args:
        label_rows: (L, V) TF-IDF of the label texts.
        adjacency: (L, L) weights of the label graph; where it counts, they are divided by the largest.
        frequencies: (L,) train documents.

    Returns:
        (L, L) with the `NEAR` nearest labels of each rare label in its column, the greater of the cosine of the texts
        and the weight in the graph, 0.3 to 1.
    """
    rare = np.flatnonzero(frequencies <= RARE)
    texts = _unit(strongest(label_rows, _TERMS))
    other, n_labels = texts.T.tocsr(), texts.shape[0]
    labels_of = np.diff(other.indptr)
    weights = as_csr(adjacency / np.float32(max(1.0, adjacency.data.max(initial=0.0))))
    parts = []
    for start in range(0, len(rare), _LABELS):
        rows = rare[start : start + _LABELS]
        telling = _telling(as_csr(texts[rows]), labels_of)
        parts.append(nearest_labels(telling, other, weights[rows], rows, count=NEAR, least=_LEAST))
    found = sp.vstack(parts, format="coo") if parts else sp.coo_array((0, n_labels))
    values = np.minimum(found.data, 1).astype(np.float32)
    return as_csr(sp.coo_array((values, (found.col, rare[found.row])), shape=(n_labels, n_labels)))


def soft_labels(labels: Csr, filter_pairs: IntArray, near: Csr, weight: float) -> Csr:
    """Targets of rare labels that are not relevant themselves.

    Args:
        labels: (N, L) label matrix.
        filter_pairs: (F, 2) pairs that stay out.
        near: (L, L) from `near_labels`.
        weight: Target where the nearness is 1.

    Returns:
        (N, L) targets, at most `NEAR` a document, each `weight` times the sum of the nearness to the document's labels,
        at most `weight`.
    """
    relevant = as_csr(labels != 0)
    known = as_csr(relevant + pair_matrix(filter_pairs, labels.shape))
    parts = []
    block = max(_BLOCK, labels.shape[0] // 64)  # a product takes L steps beside its own
    for start in range(0, labels.shape[0], block):
        rows = slice(start, start + block)
        spread = as_csr(relevant[rows] @ near)
        spread = as_csr(spread - spread.multiply(known[rows] != 0))
        parts.append(strongest(select_entries(spread, spread.data > 0), NEAR))
    found = as_csr(sp.vstack(parts))
    found.data = np.float32(weight) * np.minimum(found.data, 1).astype(np.float32)
    return found


def _telling(rows: Csr, labels_of: IntArray) -> Csr:
    """The heaviest terms of each text, those that bring `_COMPARED` labels at most: the cost grows like L, not L^2."""
    order = np.lexsort((-rows.data, row_ids(rows)))
    brought = np.cumsum(labels_of[rows.indices[order]])
    before = np.concatenate(([0], brought))[rows.indptr[:-1]]
    kept = np.zeros(rows.nnz, dtype=bool)
    kept[order] = brought - before[row_ids(rows)[order]] <= _COMPARED
    return select_entries(rows, kept)


def _unit(rows: Csr) -> Csr:
    norms = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    return as_csr(sp.diags_array(1 / np.maximum(norms, 1e-12)) @ rows)
