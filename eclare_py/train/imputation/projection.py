"""Dense vectors of sparse rows: the leading principal directions, by a randomised range finder."""

from __future__ import annotations

import numpy as np

from eclare_py.types import Csr, FloatArray

_MORE = 10  # directions looked at beyond those that are kept


def project(rows: Csr, dimensions: int, *, seed: int = 0, passes: int = 1) -> FloatArray:
    """(N, d) rows of U S of the truncated decomposition X = U S V^T: inner products are about those of X.

    Source: Halko, Martinsson and Tropp (SIAM Review 2011), with `passes` power iterations. The small factor is solved
    through its Gram matrix, so nothing of size V x d is decomposed.

    Args:
        rows: (N, V) sparse features.
        dimensions: d at most; fewer where N or V is smaller.
        seed: Of the random start.
        passes: Power iterations.
    """
    wanted = min(dimensions + _MORE, *rows.shape)
    start = np.random.default_rng(seed).standard_normal((rows.shape[1], wanted), dtype=np.float32)
    basis = _orthonormal(rows @ start)
    turned = rows.T.tocsr()
    for _ in range(passes):
        basis = _orthonormal(rows @ (turned @ basis))
    small = turned @ basis  # (V, d) = X^T Q
    values, vectors = np.linalg.eigh((small.T @ small).astype(np.float64))
    kept = np.argsort(-values, kind="stable")[: min(dimensions, wanted)]
    scales = np.sqrt(np.maximum(values[kept], 0))
    return np.ascontiguousarray(basis @ (vectors[:, kept] * scales).astype(np.float32))


def _orthonormal(columns: FloatArray) -> FloatArray:
    """An orthonormal basis of the columns through their Gram matrix, twice for its precision.

    Several times faster than a QR decomposition of so tall a matrix.
    """
    for _ in range(2):
        values, vectors = np.linalg.eigh((columns.T @ columns).astype(np.float64))
        # Directions that are rounding alone stay near zero instead of being blown up.
        scales = np.where(values > 1e-6 * values[-1], 1 / np.sqrt(np.maximum(values, 1e-30)), 0)
        columns = columns @ (vectors * scales).astype(np.float32)
    return columns
