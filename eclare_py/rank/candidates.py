"""Candidate labels of a batch: flat arrays of (document, label) pairs, sorted by document, then label."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from eclare_py.rank.kernels import mark_best, score_pairs
from eclare_py.sparse import entries_at, owners, row_ids, top_k_rows
from eclare_py.types import Csr, FloatArray, IntArray, Ranking, as_csr

OUTSIDE = -12.0  # least log path score: e^-12 is next to nothing, and no path that counts is below


@dataclass(frozen=True)
class Candidates:
    """(document, label) pairs with their dense evidence.

    Attributes:
        indptr: (B+1,) pairs of document i are indptr[i]:indptr[i+1].
        labels: (P,) label ids, ascending within a document.
        similarity: (P,) dense score: cosine of document and label vector plus the label's bias.
        order: (P,) place of the label in its document's shortlist, from 0; the shortlist's size for added labels.
        path: (P,) log of the linear ranker's path score; OUTSIDE where its beam did not reach the label.
    """

    indptr: IntArray
    labels: IntArray
    similarity: FloatArray
    order: IntArray
    path: FloatArray

    @property
    def rows(self) -> IntArray:
        """(P,) document of each pair."""
        return owners(self.indptr)

    def keys(self, n_labels: int) -> IntArray:
        """(P,) ascending keys document * L + label."""
        return self.rows * n_labels + self.labels

    def matrix(self, values: FloatArray, n_labels: int) -> Csr:
        """(B, L) CSR with one value a pair."""
        return sp.csr_array((values, self.labels, self.indptr), shape=(len(self.indptr) - 1, n_labels))

    def best(self, scores: FloatArray, count: int) -> IntArray:
        """Ascending positions of the pairs with the `count` best scores of each document, ties by label."""
        chosen = np.zeros(len(scores), dtype=bool)
        mark_best(self.indptr, scores, count, chosen)
        return np.flatnonzero(chosen)

    def select(self, pairs: IntArray) -> Candidates:
        """Some of the pairs, by ascending position."""
        counts = np.bincount(self.rows[pairs], minlength=len(self.indptr) - 1)
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return Candidates(indptr, self.labels[pairs], self.similarity[pairs], self.order[pairs], self.path[pairs])

    def rank(self, scores: FloatArray, n_labels: int, k: int) -> Ranking:
        """The k best of each document by (P,) scores."""
        return Ranking.from_csr(self.matrix(scores, n_labels), k)


def from_shortlist(shortlist: Ranking, hidden: IntArray | None = None, *, size: int | None = None) -> Candidates:
    """Pairs of a shortlist, less the hidden ones, as if these labels did not exist.

    Args:
        shortlist: (B, K) labels by cosine.
        hidden: (F, 2) filter pairs (document in batch, label) that must not come up.
        size: Most pairs per document; None keeps all.
    """
    kept = shortlist.indices >= 0
    if hidden is not None and len(hidden):
        for row, label in hidden:
            kept[row] &= shortlist.indices[row] != label
    place = np.cumsum(kept, axis=1, dtype=np.int64) - 1
    if size is not None:
        kept &= place < size
    rows, slots = np.nonzero(kept)
    labels = shortlist.indices[rows, slots]
    order = np.lexsort((labels, rows))
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int64)
    outside = np.full(len(labels), OUTSIDE, dtype=np.float32)
    return Candidates(indptr, labels[order], shortlist.scores[rows, slots][order], place[rows, slots][order], outside)


def from_evidence(indptr: IntArray, labels: IntArray, columns: FloatArray, path: FloatArray | None) -> Candidates:
    """Pairs of which the evidence is known: it holds their dense part too.

    Args:
        indptr: (B+1,) pairs of each document.
        labels: (P,) ascending within a document.
        columns: (P, F) evidence, the columns of `first_evidence` first.
        path: (P,) logs of their path scores, where there is a linear ranker.
    """
    similarity, order = columns[:, 0] / np.float32(10), np.rint(np.expm1(columns[:, 3])).astype(np.int64)
    outside = np.full(len(labels), OUTSIDE, dtype=np.float32)
    return Candidates(indptr, labels, similarity, order, outside if path is None else path)


def spread(first: Csr, support: Csr) -> Csr:
    """Support of every label from the labels predicted with it: s(x, m) = sum_l p(l | x) G(l, m).

    Args:
        first: (B, L) first probabilities of the few best labels of each document.
        support: (L, L) support graph, G(l, m) = weight of m given l.

    Returns:
        (B, L) CSR.
    """
    return as_csr(first @ support)


def strongest(matrix: Csr, count: int) -> Csr:
    """The `count` largest entries of every row."""
    return top_k_rows(matrix, count, first_row=matrix.shape[1])


def grow(
    found: Candidates,
    extra: Csr,
    x: FloatArray,
    vectors: FloatArray,
    bias: FloatArray,
    *,
    last: int,
    hidden: IntArray | None,
) -> Candidates:
    """Add labels that the shortlist has missed.

    Args:
        found: Candidates so far.
        extra: (B, L) labels to add, those that are candidates already included.
        x: (B, d) documents.
        vectors: (L, d) label vectors.
        bias: (L,) label biases.
        last: Place of added labels, the size of the shortlist; the same in every batch.
        hidden: (F, 2) filter pairs.
    """
    n_labels = extra.shape[1]
    keys = row_ids(extra) * n_labels + extra.indices
    old = found.keys(n_labels)
    keys = np.setdiff1d(keys, old, assume_unique=True)
    if hidden is not None and len(hidden):
        keys = np.setdiff1d(keys, hidden[:, 0] * n_labels + hidden[:, 1])
    rows, labels = keys // n_labels, keys % n_labels
    similarity = score_pairs(x, vectors, rows, labels) + bias[labels]
    everything = np.concatenate([old, keys])
    order = np.argsort(everything, kind="stable")
    counts = np.diff(found.indptr) + np.bincount(rows, minlength=len(x))
    return Candidates(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        (everything % n_labels)[order],
        np.concatenate([found.similarity, similarity])[order],
        np.concatenate([found.order, np.full(len(keys), last, dtype=np.int64)])[order],
        np.concatenate([found.path, np.full(len(keys), OUTSIDE, dtype=np.float32)])[order],
    )


def add_paths(found: Candidates, paths: Csr) -> Candidates:
    """The candidates with the (B, L) log path scores of those labels that the linear ranker reached."""
    return replace(found, path=np.maximum(look_up(paths, found, absent=OUTSIDE), np.float32(OUTSIDE)))


def look_up(matrix: Csr, found: Candidates, *, absent: float = 0.0) -> FloatArray:
    """(P,) entries of a (B, L) CSR at the candidates, `absent` where nothing is stored."""
    return entries_at(matrix, found.rows, found.labels, absent)
