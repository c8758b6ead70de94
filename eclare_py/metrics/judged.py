"""A ranking held against the truth: where the relevant labels stand. Every metric is a sum over these places."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from eclare_py.metrics.ranking import DoubleArray, hits, relevant_counts
from eclare_py.types import Csr, IntArray, Ranking


@dataclass(frozen=True, eq=False)
class Placed:
    """Relevant labels at the ranks of some ranking, in the order of documents, then ranks.

    H is at most the number of relevant pairs, so that sums over places cost little however many labels are ranked.

    Attributes:
        rows: (H,) documents.
        ranks: (H,) ranks, counted from 0.
        labels: (H,) labels.
        n_documents: N.
    """

    rows: IntArray
    ranks: IntArray
    labels: IntArray
    n_documents: int

    def sums(
        self, k: int, *, by_label: DoubleArray | None = None, by_rank: DoubleArray | None = None
    ) -> DoubleArray:  # fmt: skip
        """(N,) sum over the places in the top k of each document, of 1 or of the product of the weights given.

        Args:
            k: Ranks that count.
            by_label: (L,) weight of each label; 0 and 1 choose labels.
            by_rank: (>= k,) weight of each rank.
        """
        within = self.ranks < k
        weights = np.ones(int(within.sum())) if by_label is None else by_label[self.labels[within]]
        if by_rank is not None:
            weights = weights * by_rank[self.ranks[within]]
        return _by_row(self.rows[within], weights, self.n_documents)


@dataclass(frozen=True, eq=False)
class Judged:
    """A ranking, the truth, and the hits.

    Attributes:
        ranking: (N, k), filter pairs dropped.
        labels: (N, L) label matrix; every stored entry is relevant.
        hits: The relevant labels that were ranked.
    """

    ranking: Ranking
    labels: Csr
    hits: Placed

    @classmethod
    def of(cls, ranking: Ranking, labels: Csr) -> Judged:
        """Find the hits of an (N, k) ranking in an (N, L) label matrix; see `Judged` for what they must be."""
        rows, ranks = np.nonzero(hits(ranking, labels))
        return cls(ranking, labels, Placed(rows, ranks, ranking.indices[rows, ranks], len(ranking)))

    @cached_property
    def relevant(self) -> IntArray:
        """(N,) relevant labels of each document."""
        return relevant_counts(self.labels)

    def predicted(self, k: int, among: DoubleArray | None = None) -> DoubleArray:
        """(N,) labels in the top k (fewer than k in a short row), each by its weight in (L,) `among`."""
        slots = self.ranking.indices[:, :k]
        kept = slots >= 0
        counted = kept if among is None else np.where(kept, among[np.maximum(slots, 0)], 0.0)
        sums: DoubleArray = counted.sum(axis=1, dtype=np.float64)
        return sums

    def wanted(self, among: DoubleArray) -> DoubleArray:
        """(N,) relevant labels of each document, each by its weight in (L,) `among`."""
        rows = np.repeat(np.arange(len(self.relevant)), self.relevant)
        return _by_row(rows, among[self.labels.indices], len(self.relevant))


def _by_row(rows: IntArray, weights: DoubleArray, n_documents: int) -> DoubleArray:
    sums: DoubleArray = np.bincount(rows, weights, n_documents).astype(np.float64, copy=False)
    return sums
