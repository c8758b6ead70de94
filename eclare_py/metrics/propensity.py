"""Propensity-scored metrics: relevant labels that are rarely written down weigh more.

Test labels are incomplete, and a rare label is missing more often. With p_l the chance that a relevant label l was
written down, every hit that counts 1 / p_l makes sums over the labels written down equal in expectation to sums over
all that are true (Jain, Prabhu and Varma, "Extreme multi-label loss functions for recommendation, tagging, ranking and
other missing label applications", KDD 2016). So the raw PSP@k is an unbiased estimate of P@k on complete
labels, PSDCG@k one of DCG@k, and micro PSR@k, a ratio of two unbiased sums, a consistent one of micro R@k. They can
exceed 1. The normalised forms divide by what the best ranking gains and do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from eclare_py.metrics.judged import Judged, Placed
from eclare_py.metrics.ranking import DoubleArray, discounts, ideal_dcg, relevant_counts, safe_ratio
from eclare_py.metrics.ratios import Ratio, mean
from eclare_py.types import Csr

# (A, B) by family of data sets, as the Extreme Classification Repository uses them.
PROPENSITY = {"amazon": (0.6, 2.6), "wikipedia": (0.5, 0.4), "other": (0.55, 1.5)}

# "set": divided by the greatest sum over the whole set that could be had; "none": the mean over documents.
Normalization: TypeAlias = Literal["set", "none"]


def inverse_propensities(frequencies: npt.ArrayLike, n_train: int, a: float = 0.55, b: float = 1.5) -> DoubleArray:
    """1 / p_l = 1 + C (N_l + B)^-A with C = (ln N - 1) (B + 1)^A.

    C is kept from falling below 0, which it would for fewer than three train documents.

    Args:
        frequencies: (L,) train documents of each label.
        n_train: Train documents in all.
        a: A of the data set.
        b: B of the data set.

    Returns:
        (L,) float64, each at least 1.
    """
    c = max(float(np.log(max(n_train, 1))) - 1.0, 0.0) * (b + 1.0) ** a
    inverse: DoubleArray = 1.0 + c * (np.asarray(frequencies, dtype=np.float64) + b) ** -a
    return inverse


@dataclass(frozen=True, eq=False)
class Weights:
    """Inverse propensities, and the ranking that gains most by them.

    Attributes:
        inverse: (L,) inverse propensities.
        best: All relevant labels, those of each document by descending weight.
    """

    inverse: DoubleArray
    best: Placed

    @classmethod
    def of(cls, labels: Csr, inverse: DoubleArray) -> Weights:
        """The best ranking of an (N, L) label matrix by (L,) weights."""
        counts = relevant_counts(labels)
        rows = np.repeat(np.arange(labels.shape[0]), counts)
        order = np.lexsort((-inverse[labels.indices], rows))
        ranks = np.arange(len(rows)) - np.repeat(labels.indptr[:-1].astype(np.int64), counts)
        return cls(inverse, Placed(rows, ranks, labels.indices[order].astype(np.int64), labels.shape[0]))


def psp(
    judged: Judged, weights: Weights, k: int, *, normalization: Normalization = "set", among: DoubleArray | None = None
) -> Ratio:
    """PSP@k: the inverse propensities of the hits in the top k, by k and document or by the greatest sum possible.

    Args:
        judged: N documents.
        weights: Of the same label matrix.
        k: Ranks that count.
        normalization: "set" for the share of the whole set's best, "none" for the raw, unbiased form.
        among: (L,) 1 for labels whose hits count, else 0: the part of PSP@k that is owed to them.
    """
    gained = judged.hits.sums(k, by_label=_weights_of(weights, among))
    return mean(judged, gained / k) if normalization == "none" else Ratio(gained, best(weights, k))


def psndcg(judged: Judged, weights: Weights, k: int, *, normalization: Normalization = "set") -> Ratio:
    """PSnDCG@k: discounted PSP, each document divided by its own ideal DCG over min(k, relevant) ranks.

    With "set" both sides of the ratio are divided so, and documents with few labels do not vanish beside those with
    many. For the definition of the paper, which divides by the ideal DCG over k ranks whatever a document has, see
    `psdcg`.
    """
    ideal = ideal_dcg(judged.relevant, k)
    gained = safe_ratio(judged.hits.sums(k, by_label=weights.inverse, by_rank=discounts(k)), ideal)
    if normalization == "none":
        return mean(judged, gained)
    return Ratio(gained, safe_ratio(weights.best.sums(k, by_label=weights.inverse, by_rank=discounts(k)), ideal))


def psdcg(judged: Judged, weights: Weights, k: int) -> Ratio:
    """PSDCG@k: discounted gain divided by the sum of the k discounts, mean over documents (Jain et al., PSnDCG@k)."""
    ranks = discounts(k)
    return mean(judged, judged.hits.sums(k, by_label=weights.inverse, by_rank=ranks) / ranks.sum())


def psr(judged: Judged, weights: Weights, k: int, *, normalization: Normalization = "set") -> Ratio:
    """PSR@k: the gain of the top k divided by the number of relevant labels of the document.

    With "set" the best ranking's top k, divided in the same way, is below the line.
    """
    counts = judged.relevant.astype(np.float64)
    gained = safe_ratio(judged.hits.sums(k, by_label=weights.inverse), counts)
    return mean(judged, gained) if normalization == "none" else Ratio(gained, safe_ratio(best(weights, k), counts))


def micro_psr(judged: Judged, weights: Weights, k: int) -> Ratio:
    """Micro PSR@k: the gain of the top k over all documents divided by that of all relevant labels."""
    return Ratio(judged.hits.sums(k, by_label=weights.inverse), judged.wanted(weights.inverse))


def best(weights: Weights, k: int) -> DoubleArray:
    """(N,) the greatest gain of k labels."""
    return weights.best.sums(k, by_label=weights.inverse)


def _weights_of(weights: Weights, among: DoubleArray | None) -> DoubleArray:
    return weights.inverse if among is None else weights.inverse * among
