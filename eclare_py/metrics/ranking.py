"""Hits and discounts: what the metrics of a ranking are made of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eclare_py.types import BoolArray, Csr, FloatArray, IntArray, Ranking

DoubleArray = npt.NDArray[np.float64]
_ROWS = 1 << 15  # rows looked up at a time: bounds the temporary keys to tens of megabytes at k = 100


def hits(ranking: Ranking, labels: Csr) -> BoolArray:
    """Which slots of a ranking hold a relevant label.

    Args:
        ranking: (N, k).
        labels: (N, L) label matrix with sorted indices; every stored entry is relevant.

    Returns:
        (N, k) bool; False in padded slots.
    """
    found = np.zeros(ranking.indices.shape, dtype=bool)
    width = labels.shape[1]
    for start in range(0, len(ranking), _ROWS):
        stop = min(start + _ROWS, len(ranking))
        slots = ranking.indices[start:stop]
        first, last = int(labels.indptr[start]), int(labels.indptr[stop])
        if first == last:
            continue
        rows = np.repeat(np.arange(stop - start), np.diff(labels.indptr[start : stop + 1]))
        keys = rows * width + labels.indices[first:last].astype(np.int64)
        wanted = np.arange(stop - start)[:, None] * width + slots
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        found[start:stop] = (keys[place] == wanted) & (slots >= 0)
    return found


def relevant_counts(labels: Csr) -> IntArray:
    """(N,) number of relevant labels of each document."""
    return np.diff(labels.indptr).astype(np.int64)


def discounts(k: int) -> DoubleArray:
    """(k,) weights 1 / log2(r + 1) of the ranks r = 1..k."""
    weights: DoubleArray = 1.0 / np.log2(np.arange(2, k + 2))
    return weights


def ideal_dcg(relevant: IntArray, k: int) -> DoubleArray:
    """(N,) DCG@k of a perfect ranking: the sum of the first min(k, relevant) discounts; 0 without relevant labels."""
    sums = np.concatenate([[0.0], np.cumsum(discounts(k))])
    ideal: DoubleArray = sums[np.minimum(relevant, k)]
    return ideal


def safe_ratio(above: DoubleArray | FloatArray, below: DoubleArray) -> DoubleArray:
    """`above / below`, 0 where `below` is 0."""
    result: DoubleArray = np.divide(above, below, out=np.zeros(len(below)), where=below > 0)
    return result
