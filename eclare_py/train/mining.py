"""Hard negatives: the labels a document's shortlist is wrong about."""

from __future__ import annotations

import numpy as np

from eclare_py.index import search
from eclare_py.rank.ranker import LabelScorer
from eclare_py.sparse import pair_matrix, places_of
from eclare_py.storage.spool import empty
from eclare_py.types import PADDING, Csr, FloatArray, IntArray, as_csr

_BLOCK = 8192


def mine(
    scorer: LabelScorer, documents: FloatArray, labels: Csr, filter_pairs: IntArray, *, count: int, beam: int
) -> IntArray:
    """The best scored labels of every train document that are neither relevant nor filtered.

    Args:
        scorer: Labels, biases and tree as training stands.
        documents: (N, d) vectors of the train documents.
        labels: (N, L) label matrix.
        filter_pairs: (F, 2) pairs left out.
        count: Labels wanted per document.
        beam: Leaves searched.

    Returns:
        (N, count) label ids, `PADDING` where a document has fewer.
    """
    n_labels, known = labels.shape[1], known_labels(labels, filter_pairs)
    out: IntArray = empty((len(documents), count), np.int64)
    for start in range(0, len(documents), _BLOCK):
        rows = slice(start, start + _BLOCK)
        out[rows] = PADDING
        found = search(
            scorer.tree, documents[rows], beam=beam, label_vectors=scorer.vectors, label_bias=scorer.bias,
            k=min(count + 20, n_labels),
        ).indices  # fmt: skip
        hard_labels(known[rows], found, out[rows])
    return out


def known_labels(labels: Csr, filter_pairs: IntArray) -> Csr:
    """(N, L) what is relevant or filtered, and so no negative."""
    return as_csr(labels + pair_matrix(filter_pairs, labels.shape))


def hard_labels(known: Csr, found: IntArray, out: IntArray) -> None:
    """The first labels found that are not known.

    Args:
        known: (B, L) from `known_labels`.
        found: (B, k) labels, best first.
        out: (B, count) is filled from the left; the rest stays as it is.
    """
    keep = (found >= 0) & ~places_of(known, np.arange(len(found))[:, None], found)[1]
    # Stable sort by "dropped" moves the kept labels to the front, best first.
    order = np.argsort(~keep, axis=1, kind="stable")[:, : out.shape[1]]
    chosen = np.where(np.take_along_axis(keep, order, 1), np.take_along_axis(found, order, 1), PADDING)
    out[:, : chosen.shape[1]] = chosen
