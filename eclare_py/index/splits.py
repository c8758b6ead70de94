"""Compiled inner loops of balanced 2-means.

Every loop runs over a fixed partition of the work, so results do not depend on the number of threads.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eclare_py.index.selection import kth_smallest
from eclare_py.kernel_flags import SUM_FLAGS
from eclare_py.threads import over_rows
from eclare_py.types import FloatArray, IntArray

_NODES = 64  # nodes a thread takes
_CHUNK = 2048  # rows added up by one task; fixed, or sums would depend on the number of threads


@njit(cache=True, nogil=True, fastmath=SUM_FLAGS)
def _measure(
    start: int, stop: int, points: FloatArray, members: IntArray, direction: FloatArray, scores: FloatArray
) -> None:
    """Products of the rows of some chunks with the direction."""
    for i in range(start * _CHUNK, min(stop * _CHUNK, members.shape[0])):
        total = np.float32(0.0)
        for j in range(direction.shape[0]):
            total += points[members[i], j] * direction[j]
        scores[i] = total


@njit(cache=True, nogil=True)
def _add(
    start: int, stop: int, points: FloatArray, members: IntArray, left: np.ndarray, partial: FloatArray
) -> None:
    """Sums of the marked rows of some chunks."""
    for chunk in range(start, stop):
        for i in range(chunk * _CHUNK, min((chunk + 1) * _CHUNK, members.shape[0])):
            if left[i]:
                row = members[i]
                for j in range(points.shape[1]):
                    partial[chunk, j] += points[row, j]


@njit(cache=True, nogil=True)
def _fold(partial: FloatArray) -> FloatArray:
    total = partial[0].copy()
    for chunk in range(1, partial.shape[0]):
        total += partial[chunk]
    return total


@njit(cache=True, nogil=True)
def _halve(scores: FloatArray, n_left: int, left: np.ndarray) -> bool:
    """Mark the `n_left` lowest scores, ties by position; says whether any mark changed."""
    threshold = kth_smallest(scores, n_left)
    room = n_left
    for i in range(scores.shape[0]):
        if scores[i] < threshold:
            room -= 1
    changed = False
    for i in range(scores.shape[0]):
        goes_left = scores[i] < threshold
        if scores[i] == threshold and room > 0:
            goes_left = True
            room -= 1
        if goes_left != left[i]:
            left[i] = goes_left
            changed = True
    return changed


@njit(cache=True, nogil=True)
def _norm(vector: FloatArray) -> float:
    total = 0.0
    for j in range(vector.shape[0]):
        total += float(vector[j]) * float(vector[j])
    return math.sqrt(total)


@njit(cache=True, nogil=True)
def _recentre(total: FloatArray, left_sum: FloatArray, direction: FloatArray) -> float:
    """Set `direction` to right minus left unit centre; returns the summed similarity of rows with their centres.

    That of a half with its own unit centre is the length of the half's sum.
    """
    right_sum = total - left_sum
    left_norm, right_norm = _norm(left_sum), _norm(right_sum)
    for j in range(direction.shape[0]):
        to_right = right_sum[j] / right_norm if right_norm > 0 else 0.0
        to_left = left_sum[j] / left_norm if left_norm > 0 else 0.0
        direction[j] = to_right - to_left
    return left_norm + right_norm


@njit(cache=True, nogil=True)
def _arrange(members: IntArray, left: np.ndarray, n_left: int) -> None:
    """Move the marked members to the front; order is kept inside both halves."""
    ordered = np.empty_like(members)
    next_left, next_right = 0, n_left
    for i in range(members.shape[0]):
        if left[i]:
            ordered[next_left] = members[i]
            next_left += 1
        else:
            ordered[next_right] = members[i]
            next_right += 1
    members[:] = ordered


@njit(cache=True, nogil=True)
def split_node(
    points: FloatArray, members: IntArray, n_left: int, first: int, second: int, max_iter: int, tolerance: float
) -> None:
    """Balanced spherical 2-means of one node; reorders `members` in place, left half first, order kept inside.

    Args:
        points: (L, d) unit or zero rows.
        members: (n,) rows of this node.
        n_left: Size of the left half, 0 < n_left < n.
        first: Position in `members` of the left half's first centre.
        second: Position of the right half's.
        max_iter: Most rounds.
        tolerance: Least growth of the mean similarity to go on.
    """
    n = members.shape[0]
    n_chunks = (n + _CHUNK - 1) // _CHUNK
    left, scores = np.ones(n, np.bool_), np.empty(n, np.float32)
    partial = np.zeros((n_chunks, points.shape[1]), np.float32)
    _add(0, n_chunks, points, members, left, partial)
    total = _fold(partial)
    direction = points[members[second]] - points[members[first]]
    before = -np.inf
    for _ in range(max_iter):
        _measure(0, n_chunks, points, members, direction, scores)
        changed = _halve(scores, n_left, left)
        partial[:] = 0
        _add(0, n_chunks, points, members, left, partial)
        after = _recentre(total, _fold(partial), direction)
        if not changed or after - before < tolerance * n:
            break
        before = after
    _arrange(members, left, n_left)


def split_wide(
    points: FloatArray, members: IntArray, n_left: int, first: int, second: int, max_iter: int, tolerance: float
) -> None:
    """`split_node` with all threads inside the one node; the result is the same, bit for bit."""
    n = len(members)
    left, scores = np.ones(n, dtype=np.bool_), np.empty(n, dtype=np.float32)
    partial = np.zeros(((n + _CHUNK - 1) // _CHUNK, points.shape[1]), dtype=np.float32)
    over_rows(_add, len(partial), points, members, left, partial, at_once=1)
    total = _fold(partial)
    direction = points[members[second]] - points[members[first]]
    before = -np.inf
    for _ in range(max_iter):
        over_rows(_measure, len(partial), points, members, direction, scores, at_once=1)
        changed = _halve(scores, n_left, left)
        partial[:] = 0
        over_rows(_add, len(partial), points, members, left, partial, at_once=1)
        after = _recentre(total, _fold(partial), direction)
        if not changed or after - before < tolerance * n:
            break
        before = after
    _arrange(members, left, n_left)


def split_nodes(
    points: FloatArray,
    order: IntArray,
    bounds: IntArray,
    starts: IntArray,
    max_iter: int,
    tolerance: float,
) -> None:
    """`split_node` over many nodes, one thread each.

    Args:
        points: (L, d) unit or zero rows.
        order: (L,) permutation of the rows, changed in place.
        bounds: (M, 3) begin, middle and end of each node in `order`.
        starts: (M, 2) positions of the first centres inside each node.
        max_iter: Most rounds.
        tolerance: Least growth of the mean similarity to go on.
    """
    over_rows(_split_nodes, len(bounds), points, order, bounds, starts, max_iter, tolerance, at_once=_NODES)


@njit(cache=True, nogil=True)
def _split_nodes(
    start: int, stop: int, points: FloatArray, order: IntArray, bounds: IntArray, starts: IntArray, max_iter: int,
    tolerance: float,
) -> None:  # fmt: skip
    for node in range(start, stop):
        begin, middle, end = bounds[node, 0], bounds[node, 1], bounds[node, 2]
        split_node(points, order[begin:end], middle - begin, starts[node, 0], starts[node, 1], max_iter, tolerance)
