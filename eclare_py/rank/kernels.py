"""Compiled kernels of the ranker."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from eclare_py.types import FloatArray, IntArray


@njit(parallel=True, cache=True, fastmath=True)
def _score_pairs(x: FloatArray, vectors: FloatArray, rows: IntArray, labels: IntArray, out: FloatArray) -> None:
    for pair in prange(len(rows)):
        left, right = x[rows[pair]], vectors[labels[pair]]
        total = np.float32(0.0)
        for k in range(x.shape[1]):
            total += left[k] * right[k]
        out[pair] = total


def score_pairs(x: FloatArray, vectors: FloatArray, rows: IntArray, labels: IntArray) -> FloatArray:
    """(P,) products <x[rows], vectors[labels]> without gathering (P, d).

    Args:
        x: (B, d).
        vectors: (L, d).
        rows: (P,) rows of x.
        labels: (P,) rows of vectors.
    """
    out = np.empty(len(rows), dtype=np.float32)
    if len(rows):
        _score_pairs(x, vectors, rows, labels, out)
    return out
