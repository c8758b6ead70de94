"""Propensity-scored metrics: relevant labels that are rarely written down weigh more.

Jain, Prabhu and Varma, "Extreme multi-label loss functions for recommendation, tagging, ranking and other missing label
applications", KDD 2016; normalised over the whole set as pyxclib does.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eclare_py.metrics.ranking import BoolArray, DoubleArray, discounts, ideal_dcg, relevant_counts, safe_ratio
from eclare_py.types import Csr, Ranking

# (A, B) by family of data sets, as the Extreme Classification Repository uses them.
PROPENSITY = {"amazon": (0.6, 2.6), "wikipedia": (0.5, 0.4), "other": (0.55, 1.5)}


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


def gains(ranking: Ranking, hit: BoolArray, inverse: DoubleArray, k: int) -> DoubleArray:
    """(N, k) inverse propensity of each relevant label in the top k, 0 elsewhere."""
    result = np.zeros((len(hit), k))
    width = min(k, hit.shape[1])
    slots = ranking.indices[:, :width]
    result[:, :width] = np.where(hit[:, :width], inverse[np.maximum(slots, 0)], 0.0)
    return result


def best_gains(labels: Csr, inverse: DoubleArray, k: int) -> DoubleArray:
    """(N, k) what the best ranking gains: the k greatest inverse propensities of each document, descending."""
    result = np.zeros((labels.shape[0], k))
    counts = relevant_counts(labels)
    rows = np.repeat(np.arange(labels.shape[0]), counts)
    values = inverse[labels.indices]
    order = np.lexsort((-values, rows))
    slot = np.arange(len(rows)) - np.repeat(labels.indptr[:-1], counts)
    kept = slot < k
    result[rows[kept], slot[kept]] = values[order][kept]
    return result


def psp_at(gained: DoubleArray, best: DoubleArray, k: int) -> float:
    """PSP@k: the gain of the top k summed over all documents, divided by the greatest sum that could be had.

    Args:
        gained: (N, >= k) from `gains`.
        best: (N, >= k) from `best_gains`.
        k: Ranks that count.

    Returns:
        A share from 0 to 1; 0 where no document has a label.
    """
    total = float(best[:, :k].sum())
    return float(gained[:, :k].sum()) / total if total > 0 else 0.0


def psndcg_at(gained: DoubleArray, best: DoubleArray, relevant: npt.NDArray[np.int64], k: int) -> float:
    """PSnDCG@k: discounted gain by ideal DCG of each document, summed, divided by the same of the best ranking.

    As in pyxclib, each document is divided by its own ideal DCG min(k, relevant) on both sides of the ratio, so that
    documents with few labels do not vanish beside those with many.

    Args:
        gained: (N, >= k) from `gains`.
        best: (N, >= k) from `best_gains`.
        relevant: (N,) relevant labels of each document.
        k: Ranks that count.

    Returns:
        A share from 0 to 1; 0 where no document has a label.
    """
    ideal, weights = ideal_dcg(relevant, k), discounts(k)
    total = float(safe_ratio(best[:, :k] @ weights, ideal).sum())
    return float(safe_ratio(gained[:, :k] @ weights, ideal).sum()) / total if total > 0 else 0.0
