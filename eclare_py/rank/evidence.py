"""What the fusion sees of a (document, label) pair: one row of plain numbers."""

from __future__ import annotations

import numpy as np

from eclare_py.rank.candidates import Candidates, look_up
from eclare_py.types import Csr, FloatArray, IntArray

FIRST_COLUMNS = ("similarity", "gap", "best", "order", "frequency", "unseen", "once")
GRAPH_COLUMNS = ("support", "unsupported", "support_order")


def first_evidence(found: Candidates, frequencies: IntArray, bias: FloatArray | None = None) -> FloatArray:
    """Dense score, its place among the others, and the label's prior.

    Args:
        found: P candidates of B documents.
        frequencies: (L,) train frequencies.
        bias: (L,) trained label biases; zero where not given.

    Returns:
        (P, 7) columns as in FIRST_COLUMNS.
    """
    counts = np.diff(found.indptr)
    best = np.full(len(counts), 0, dtype=np.float32)
    filled = counts > 0
    if filled.any():
        best[filled] = np.maximum.reduceat(found.similarity, found.indptr[:-1][filled])
    top = np.repeat(best, counts)
    prior = frequencies[found.labels]
    return np.stack(
        [
            10 * found.similarity,
            10 * (found.similarity - top),
            10 * top,
            np.log1p(found.order),
            np.log1p(prior),
            prior == 0,
            prior == 1,
        ],
        axis=1,
    ).astype(np.float32)


def graph_evidence(found: Candidates, supports: Csr) -> FloatArray:
    """Support of the label by the labels predicted with it.

    Args:
        found: P candidates of B documents.
        supports: (B, L) from `spread`.

    Returns:
        (P, 3) columns as in GRAPH_COLUMNS.
    """
    value = look_up(supports, found)
    rows = found.rows
    order = np.lexsort((found.labels, -value, rows))
    place = np.empty(len(value), dtype=np.int64)
    place[order] = np.arange(len(value)) - found.indptr[rows]
    return np.stack([np.log(value + 1e-3), value == 0, np.log1p(place)], axis=1).astype(np.float32)
