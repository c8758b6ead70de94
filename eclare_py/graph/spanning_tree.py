"""The Euclidean minimum spanning tree of points in the plane."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial import Delaunay, QhullError

from eclare_py.errors import UsageError
from eclare_py.types import IntArray

_Points = npt.NDArray[np.float64]


def euclidean_spanning_tree(points: npt.ArrayLike) -> IntArray:
    """The n - 1 edges of least total length that join all points, in O(n log n).

    Exact, as every edge of the tree is one of the Delaunay triangulation (Shamos and Hoey, FOCS 1975). Points at the
    same place are joined by edges of length 0; points on one line, which have no triangulation, by their order on it.

    Args:
        points: (n, 2) finite coordinates.

    Returns:
        (n - 1, 2) int64 pairs of rows, sorted, the smaller row first; (0, 2) where there are fewer than two points.

    Raises:
        UsageError: Not (n, 2), or a coordinate is not finite.
    """
    places = np.asarray(points, dtype=np.float64)
    if places.ndim != 2 or places.shape[1] != 2 or not np.isfinite(places).all():
        raise UsageError(f"points must be (n, 2) finite numbers, got shape {places.shape}")
    unique, first, inverse = np.unique(places, axis=0, return_index=True, return_inverse=True)
    first, inverse = first.astype(np.int64), inverse.ravel()
    everyone = np.arange(len(places))
    twins = np.flatnonzero(first[inverse] != everyone)
    ends = _candidates(unique)
    lengths = np.hypot(*(unique[ends[:, 0]] - unique[ends[:, 1]]).T)
    graph = sp.csr_array((lengths, (ends[:, 0], ends[:, 1])), shape=(len(unique), len(unique)))
    tree = minimum_spanning_tree(graph).tocoo()
    pairs = [first[tree.row], first[tree.col]], [first[inverse[twins]], twins]
    found = np.concatenate([np.stack(pair, axis=1) for pair in pairs])
    found.sort(axis=1)
    return found[np.lexsort((found[:, 1], found[:, 0]))]


def _candidates(points: _Points) -> IntArray:
    """(m, 2) pairs of distinct points, once each, that hold the edges of the tree."""
    try:
        mesh = Delaunay(points)
    except (QhullError, ValueError):  # fewer than three points, or all on a line
        return _chain(points)
    corners = mesh.simplices
    # Points that rounding keeps out of the triangulation lie on top of one that is in it.
    pairs = np.concatenate([corners[:, [0, 1]], corners[:, [0, 2]], corners[:, [1, 2]], mesh.coplanar[:, [0, 2]]])
    return np.unique(np.sort(pairs.astype(np.int64), axis=1), axis=0)


def _chain(points: _Points) -> IntArray:
    """Each point with the next one along the line."""
    if len(points) < 2:
        return np.empty((0, 2), dtype=np.int64)
    centred = points - points.mean(axis=0)
    direction = np.linalg.svd(centred, full_matrices=False)[2][0]
    order = np.argsort(centred @ direction, kind="stable")
    return np.sort(np.stack([order[:-1], order[1:]], axis=1), axis=1)
