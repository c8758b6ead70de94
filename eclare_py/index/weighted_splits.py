"""Compiled inner loop of 2-means whose halves are balanced by label frequency instead of by number."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eclare_py.index.splits import _norm
from eclare_py.kernel_flags import SUM_FLAGS
from eclare_py.types import FloatArray, IntArray

MASS, PENALTY, KEY = 0, 1, 2  # numbered as `INTERPOLATIONS` of latency.py


@njit(cache=True, nogil=True, fastmath=SUM_FLAGS)
def _similarities(points: FloatArray, members: IntArray, direction: FloatArray, scores: np.ndarray) -> None:
    for i in range(members.shape[0]):
        total = np.float32(0.0)
        for j in range(direction.shape[0]):
            total += points[members[i], j] * direction[j]
        scores[i] = total


@njit(cache=True, nogil=True)
def _centres(
    points: FloatArray, members: IntArray, weight: np.ndarray, left: np.ndarray, direction: FloatArray
) -> float:
    """Set `direction` to right minus left unit centre; returns the weighted similarity of rows with their centres."""
    sums = np.zeros((2, points.shape[1]), np.float64)
    for i in range(members.shape[0]):
        half = 0 if left[i] else 1
        for j in range(points.shape[1]):
            sums[half, j] += weight[members[i]] * points[members[i], j]
    lengths = np.array([_norm(sums[0]), _norm(sums[1])])
    for j in range(direction.shape[0]):
        to_left = sums[0, j] / lengths[0] if lengths[0] > 0 else 0.0
        to_right = sums[1, j] / lengths[1] if lengths[1] > 0 else 0.0
        direction[j] = to_right - to_left
    return lengths[0] + lengths[1]


@njit(cache=True, nogil=True)
def _blend(keys: np.ndarray, members: IntArray, surprise: np.ndarray, share: float) -> None:
    """Keys <- (1 - share) * keys + share * surprise, both standardised; of two signs the one that goes with the keys.

    Which half takes the frequent labels is free, so the half that has more of them already does.
    """
    n = keys.shape[0]
    rare = np.empty(n, np.float64)
    for i in range(n):
        rare[i] = surprise[members[i]]
    keys -= keys.mean()
    rare -= rare.mean()
    spread, width = math.sqrt((keys * keys).mean()), math.sqrt((rare * rare).mean())
    sign = 1.0 if (keys * rare).sum() >= 0 else -1.0
    for i in range(n):
        own = keys[i] / spread if spread > 0 else 0.0
        other = sign * rare[i] / width if width > 0 else 0.0
        keys[i] = (1 - share) * own + share * other


@njit(cache=True, nogil=True)
def entropy_of(share: float) -> float:
    """Binary entropy in bits."""
    if share <= 0 or share >= 1:
        return 0.0
    return -share * math.log2(share) - (1 - share) * math.log2(1 - share)


@njit(cache=True, nogil=True)
def _half_mass(order: IntArray, members: IntArray, weight: np.ndarray, low: int, high: int) -> int:
    """The cut in low..high whose left part is nearest to half of the mass; of two as near the shorter one."""
    total = 0.0
    for i in range(members.shape[0]):
        total += weight[members[i]]
    before, cut = 0.0, 0
    while cut < high:
        own = weight[members[order[cut]]]
        if cut >= low and abs(before - total / 2) <= abs(before + own - total / 2):
            break
        before += own
        cut += 1
    return cut


@njit(cache=True, nogil=True)
def _best_penalised(
    order: IntArray, keys: np.ndarray, members: IntArray, weight: np.ndarray, chance: np.ndarray, share: float,
    low: int, high: int,
) -> int:  # fmt: skip
    """The cut in low..high with the largest (1 - share) * mean similarity + share * entropy of the halves."""
    total, mass = 0.0, 0.0
    for i in range(members.shape[0]):
        total += weight[members[i]]
        mass += chance[members[i]]
    moved, before, best, cut = 0.0, 0.0, -np.inf, low
    for i in range(high):
        member = members[order[i]]
        moved -= weight[member] * keys[order[i]]
        before += chance[member]
        value = (1 - share) * moved / total + share * entropy_of(before / mass)
        if i + 1 >= low and value > best:
            best, cut = value, i + 1
    return cut


@njit(cache=True, nogil=True)
def divide(
    points: FloatArray, members: IntArray, weight: np.ndarray, chance: np.ndarray, surprise: np.ndarray,
    start: IntArray, bounds: IntArray, rule: int, share: float, max_iter: int, tolerance: float,
) -> int:  # fmt: skip
    """Weighted spherical 2-means of one node; reorders `members` in place, ascending in both parts.

    Args:
        points: (L, d) unit or zero rows.
        members: (n,) ascending rows of this node.
        weight: (L,) tempered mass q: weight of a row in centres, and what halves are balanced by.
        chance: (L,) frequencies p.
        surprise: (L,) -log p.
        start: (2,) positions of the first centres.
        bounds: (2,) least and largest size of the left part.
        rule: `MASS`, `PENALTY` or `KEY`.
        share: lambda.
        max_iter: Most rounds.
        tolerance: Least growth of the objective to go on.

    Returns:
        Size of the left part.
    """
    n = members.shape[0]
    direction = points[members[start[1]]] - points[members[start[0]]]
    left, before, cut = np.zeros(n, np.bool_), -np.inf, bounds[0]
    keys, total, mass = np.empty(n, np.float64), 0.0, 0.0
    for i in range(n):
        total += weight[members[i]]
        mass += chance[members[i]]
    for _ in range(max_iter):
        _similarities(points, members, direction, keys)
        if rule == KEY:
            _blend(keys, members, surprise, share)
        order = np.argsort(keys, kind="mergesort")
        if rule == PENALTY:
            cut = _best_penalised(order, keys, members, weight, chance, share, bounds[0], bounds[1])
        else:
            cut = _half_mass(order, members, weight, bounds[0], bounds[1])
        now, chances = np.zeros(n, np.bool_), 0.0
        for i in range(cut):
            now[order[i]] = True
            chances += chance[members[order[i]]]
        changed = (now != left).any()
        left = now
        after = _centres(points, members, weight, left, direction) / total
        if rule == PENALTY:
            after = (1 - share) * after + share * entropy_of(chances / mass)
        if not changed or after - before < tolerance:
            break
        before = after
    members[:] = np.concatenate((members[left], members[~left]))
    return cut
