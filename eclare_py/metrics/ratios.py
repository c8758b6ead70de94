"""P, nDCG, R, hit rate, MRR and micro F1 at k: what each document gains, and what it could gain.

A row that holds fewer than k labels is not forgiven: its empty slots count as misses (micro F1 alone counts what was
predicted). The package docstring says which published definitions these are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from eclare_py.metrics.judged import Judged
from eclare_py.metrics.ranking import DoubleArray, discounts, ideal_dcg, safe_ratio

# What a document without relevant labels counts as in a mean over documents.
WithoutLabels: TypeAlias = Literal["zero", "one", "skip"]


@dataclass(frozen=True, eq=False)
class Ratio:
    """A figure as a ratio of sums over documents.

    Attributes:
        gained: (N,) what each document adds above the line.
        possible: (N,) what it adds below; 1 in a mean over documents.
    """

    gained: DoubleArray
    possible: DoubleArray

    @property
    def share(self) -> float:
        """The figure, as a share and not in percent; 0 where nothing was possible."""
        total = float(self.possible.sum())
        return float(self.gained.sum()) / total if total > 0 else 0.0


def mean(judged: Judged, values: DoubleArray, without_labels: WithoutLabels = "zero") -> Ratio:
    """The mean of a value over documents.

    Args:
        judged: N documents.
        values: (N,), 0 for documents without relevant labels.
        without_labels: Count those as 0, as 1, or leave them out.
    """
    empty = judged.relevant == 0
    if without_labels == "one":
        values = np.where(empty, 1.0, values)
    return Ratio(values, np.where(empty, 0.0, 1.0) if without_labels == "skip" else np.ones(len(values)))


def precision(
    judged: Judged, k: int, *, among: DoubleArray | None = None, without_labels: WithoutLabels = "zero"
) -> Ratio:
    """P@k: mean over documents of (relevant labels in the top k) / k.

    Args:
        judged: N documents.
        k: Ranks that count.
        among: (L,) 1 for labels whose hits count, else 0: the part of P@k that is owed to them.
        without_labels: See `mean`.
    """
    return mean(judged, judged.hits.sums(k, by_label=among) / k, without_labels)


def recall(judged: Judged, k: int, *, without_labels: WithoutLabels = "zero") -> Ratio:
    """R@k: mean over documents of (relevant labels in the top k) / (relevant labels)."""
    return mean(judged, safe_ratio(judged.hits.sums(k), judged.relevant.astype(np.float64)), without_labels)


def pair_recall(judged: Judged, k: int, *, among: DoubleArray | None = None) -> Ratio:
    """Micro R@k: of all relevant (document, label) pairs, the share in the top k; of the pairs with a label `among`."""
    chosen = np.ones(judged.labels.shape[1]) if among is None else among
    return Ratio(judged.hits.sums(k, by_label=chosen), judged.wanted(chosen))


def ndcg(judged: Judged, k: int, *, without_labels: WithoutLabels = "zero") -> Ratio:
    """nDCG@k: mean over documents of DCG@k / (DCG@k of a perfect ranking), discounts 1 / log2(rank + 1)."""
    gained = judged.hits.sums(k, by_rank=discounts(k))
    return mean(judged, safe_ratio(gained, ideal_dcg(judged.relevant, k)), without_labels)


def hit_rate(judged: Judged, k: int, *, without_labels: WithoutLabels = "zero") -> Ratio:
    """hit@k: share of documents with a relevant label in the top k."""
    return mean(judged, (judged.hits.sums(k) > 0).astype(np.float64), without_labels)


def reciprocal_rank(judged: Judged, k: int, *, without_labels: WithoutLabels = "zero") -> Ratio:
    """MRR@k: mean over documents of 1 / (rank of the first relevant label), 0 where it is not in the top k."""
    values = np.zeros(judged.hits.n_documents)
    rows, first = np.unique(judged.hits.rows, return_index=True)
    ranks = judged.hits.ranks[first]
    values[rows] = np.where(ranks < k, 1.0 / (ranks + 1.0), 0.0)
    return mean(judged, values, without_labels)


def micro_f1(judged: Judged, k: int, *, among: DoubleArray | None = None) -> Ratio:
    """Micro F1@k: 2 (hits) / (predicted + relevant), each summed over all documents; of the labels `among`."""
    chosen = np.ones(judged.labels.shape[1]) if among is None else among
    below = judged.predicted(k, among) + judged.wanted(chosen)
    return Ratio(2.0 * judged.hits.sums(k, by_label=chosen), below)
