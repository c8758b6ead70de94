"""Balanced spherical 2-means, level by level (Parabel; PECOS; ECLARE libs/tree.py)."""

from __future__ import annotations

import numpy as np

from eclare_py.distributed import Group
from eclare_py.errors import UsageError
from eclare_py.index.descent import Descent
from eclare_py.sparse import owners
from eclare_py.types import FloatArray, IntArray


def balanced_kmeans(
    points: FloatArray, *, n_clusters: int | None = None, max_leaf: int | None = None, seed: int = 0
) -> IntArray:
    """Cluster rows into groups whose sizes differ by at most one.

    Args:
        points: (L, d) rows; their direction counts, not their length. Zero rows are allowed.
        n_clusters: Number of clusters; either this or `max_leaf`.
        max_leaf: Most rows of a cluster; gives the least power of two of clusters that respects it.
        seed: Picks the first centres.

    Returns:
        (L,) cluster of each row; clusters split late are numbered side by side.

    Raises:
        UsageError: No rows, more clusters than rows, or both or neither of `n_clusters` and `max_leaf`.
    """
    n_points = len(points)
    if (n_clusters is None) == (max_leaf is None):
        raise UsageError("balanced_kmeans needs exactly one of n_clusters and max_leaf")
    if n_clusters is None:
        n_clusters = clusters_for(n_points, int(max_leaf or 0))
    order = balanced_order(points, n_clusters, seed=seed)
    assignment = np.empty(n_points, dtype=np.int64)
    assignment[order] = owners(cluster_bounds(n_points, n_clusters))
    return assignment


def clusters_for(n_points: int, max_leaf: int) -> int:
    """Least power of two C with ceil(L / C) <= max_leaf, at most L."""
    if max_leaf < 1:
        raise UsageError(f"max_leaf={max_leaf} must be at least 1")
    clusters = 1
    while clusters * max_leaf < n_points:
        clusters *= 2
    return max(1, min(clusters, n_points))


def cluster_bounds(n_points: int, n_clusters: int) -> IntArray:
    """(C+1,) ends of the clusters in the order of `balanced_order`: floor(i L / C), so sizes differ by at most one."""
    return np.arange(n_clusters + 1, dtype=np.int64) * n_points // n_clusters


def balanced_order(
    points: FloatArray,
    n_clusters: int,
    *,
    seed: int = 0,
    max_iter: int = 20,
    tolerance: float = 1e-4,
    group: Group | None = None,
) -> IntArray:
    """Order rows so that cluster i holds positions `cluster_bounds(L, C)[i:i+2]`; ids ascend inside a cluster.

    A node of c clusters is split into ceil(c/2) and floor(c/2) of them. One split: two random members are the first
    centres; rows are sorted by similarity to the right minus similarity to the left centre, ties by id; the lowest go
    left; centres become the unit means; repeat. Where C is a power of two, halves differ by at most one row.

    Deviations from ECLARE: the stop criterion is growth of the *mean* similarity (ECLARE compares the sum over the
    node with a constant, so large nodes never meet it), a split also stops when nothing moves, and rounds are capped.

    Args:
        points: (L, d) rows.
        n_clusters: C.
        seed: Picks the first centres.
        max_iter: Most rounds of one split.
        tolerance: Least growth of the mean similarity to go on.
        group: Processes that share the lower levels, while they are in `descent.assist`; the result is the same.

    Returns:
        (L,) permutation of the rows.

    Raises:
        UsageError: No rows, values not finite, or C outside 1..L.
    """
    if points.ndim != 2 or len(points) == 0:
        raise UsageError(f"points must be (L, d) with at least one row, got shape {points.shape}")
    if not 1 <= n_clusters <= len(points):
        raise UsageError(f"n_clusters={n_clusters} must lie in 1..{len(points)}, the number of rows")
    unit = unit_rows(points)
    order = np.arange(len(points), dtype=np.int64)
    descent = Descent(len(points), n_clusters, seed, max_iter, tolerance)
    descent.run(unit, order, group or Group())
    return order


def unit_rows(matrix: FloatArray, *, own: bool = False) -> FloatArray:
    """Rows scaled to length one (zero rows stay); the matrix itself when they already are.

    Args:
        matrix: The rows.
        own: The matrix is the caller's own and may be changed in place, which saves a second one of its size.

    Raises:
        UsageError: NaN or infinity in it.
    """
    matrix = np.ascontiguousarray(matrix, dtype=np.float32)
    norms = np.sqrt(np.einsum("ij,ij->i", matrix, matrix))
    if not np.isfinite(norms).all():
        raise UsageError(f"row {int(np.argmin(np.isfinite(norms)))} of the vectors holds NaN, infinity or is too long")
    if np.all((np.abs(norms - 1) < 1e-6) | (norms == 0)):
        return matrix
    return np.divide(matrix, np.where(norms > 0, norms, 1).astype(np.float32)[:, None], out=matrix if own else None)
