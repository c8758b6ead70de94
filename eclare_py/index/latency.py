"""Label trees between balanced (by similarity) and Fano (by label frequency): less expected work for a document.

Baharav, Jiang, Kolluri, Sanghavi and Dhillon (CIKM 2021) trade statistical against coding-theoretic trees by one
parameter inside a weighted 2-means. Their objective is not public in detail: what stands here is our formulation
(methods.md 3.2), in three variants. `frequency` is lambda; p_l is the share of the train labels that are l, and
q_l ~ p_l^lambda the tempered mass.

- `mass`: rows are sorted by similarity to right minus left centre and cut at half of the tempered mass. 0 balances by
  number (Parabel), 1 by frequency (Fano).
- `penalty`: the cut with the largest (1 - lambda) * mean similarity + lambda * entropy of the halves. Near 0 this is
  2-means without any balance, so 0 itself is another tree.
- `key`: rows are sorted by a blend of similarity and log p, cut as in `mass`. 1 is Shannon-Fano coding.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import get_num_threads

from eclare_py.errors import UsageError
from eclare_py.index.clustering import unit_rows
from eclare_py.index.config import INTERPOLATIONS, LatencyConfig
from eclare_py.index.descent import first_centres
from eclare_py.index.weighted_splits import divide
from eclare_py.types import FloatArray, IntArray

UNCUT = 1 << 30  # depth of a place between two labels of one leaf


def chances_of(counts: IntArray) -> np.ndarray:
    """(L,) shares p of (L,) train frequencies; a label without documents counts as one, so that all are above 0."""
    kept = np.maximum(np.asarray(counts, dtype=np.float64), 1)
    return np.asarray(kept / kept.sum())


def frequency_order(
    points: FloatArray, counts: IntArray, config: LatencyConfig, *, max_leaf: int, seed: int = 0, max_iter: int = 20,
    tolerance: float = 1e-4,
) -> tuple[IntArray, IntArray]:  # fmt: skip
    """Order labels as the leaves of a binary tree of unequal depth.

    A node is a leaf once it has at most the tempered mass of `max_leaf` average labels: with one number of leaves, the
    expected size of the leaf of a drawn label is least if the leaves have equal sums of the roots of p, which is
    lambda = 1/2. No path is longer than that of the balanced tree plus `slack`: a part that would leave the rest of
    the path too little room is cut where it just fits.

    Args:
        points: (L, d) rows; their direction counts.
        counts: (L,) train frequencies.
        config: lambda and the variant.
        max_leaf: Leaf size, in average labels.
        seed: Picks the first centres.
        max_iter: Most rounds of one split.
        tolerance: A split stops once its objective grows by less than this.

    Returns:
        (L,) permutation of the labels, and (L+1,) depth of the nodes that part at each place between two of them: 0 at
        both ends, `UNCUT` inside a leaf.

    Raises:
        UsageError: No rows, values not finite, or other numbers of labels.
    """
    if points.ndim != 2 or not len(points) or counts.shape != (len(points),):
        raise UsageError(f"points {points.shape} and counts {counts.shape} must be (L, d) and (L,), L from 1")
    unit, chance = unit_rows(points), chances_of(counts)
    n_labels = len(points)
    weight = chance**config.frequency
    weight *= n_labels / weight.sum()
    of_labels = (weight, chance, -np.log(chance))
    rule = (INTERPOLATIONS.index(config.interpolation), config.frequency, max_iter, tolerance)
    deepest = max(0, math.ceil(math.log2(n_labels / max_leaf))) + config.slack
    order, cuts = np.arange(n_labels, dtype=np.int64), np.full(n_labels + 1, UNCUT, dtype=np.int64)
    cuts[[0, -1]] = 0
    nodes = np.array([[0, n_labels]], dtype=np.int64)
    for depth in range(1, deepest + 1):
        nodes = nodes[_divisible(nodes, order, weight, max_leaf, config)]
        if not len(nodes):
            break
        sizes = nodes[:, 1] - nodes[:, 0]
        room = max_leaf << (deepest - depth)
        bounds = np.stack([np.maximum(sizes - room, 1), np.minimum(sizes - 1, room)], axis=1)
        starts = first_centres(sizes, nodes[:, 0], depth, seed)
        middle = nodes[:, 0] + _cut(unit, order, nodes, starts, bounds, of_labels, rule)
        cuts[middle] = depth
        nodes = np.stack([nodes[:, 0], middle, middle, nodes[:, 1]], axis=1).reshape(-1, 2)
    return order, cuts


def _cut(
    unit: FloatArray, order: IntArray, nodes: IntArray, starts: IntArray, bounds: IntArray,
    of_labels: tuple[np.ndarray, ...], rule: tuple[float, ...],
) -> IntArray:  # fmt: skip
    """Cut all nodes of one level, one thread each; `order` is changed, sizes of the left parts (M,) come back."""

    def one(number: int) -> int:
        begin, end = nodes[number]
        left: int = divide(unit, order[begin:end], *of_labels, starts[number], bounds[number], *rule)
        return left

    with ThreadPoolExecutor(get_num_threads()) as pool:
        return np.fromiter(pool.map(one, range(len(nodes))), dtype=np.int64, count=len(nodes))


def _divisible(
    nodes: IntArray, order: IntArray, weight: np.ndarray, max_leaf: int, config: LatencyConfig
) -> np.ndarray:
    sizes = nodes[:, 1] - nodes[:, 0]
    load = sizes.astype(np.float64)
    if config.leaf == "mass":
        sums = np.concatenate([[0], np.cumsum(weight[order])])
        load = sums[nodes[:, 1]] - sums[nodes[:, 0]]
    return (sizes > 1) & (load > max_leaf)


def starts_of(cuts: IntArray, *, first: int, step: int) -> list[IntArray]:
    """For every level the places in the order where its nodes begin.

    Args:
        cuts: (L+1,) depths from `frequency_order`.
        first: Binary levels that the first level takes.
        step: That all others take.
    """
    deepest = int(cuts[cuts < UNCUT].max(initial=0))
    return [np.flatnonzero(cuts[:-1] <= depth) for depth in (first, *range(first + step, deepest + step, step))]


def pointers_of(starts: list[IntArray], n_labels: int) -> tuple[IntArray, IntArray, IntArray]:
    """`level_ptr`, `child_ptr` and `leaf_ptr` of a `LabelTree` whose nodes begin at these places.

    A leaf that is reached before the last level goes on as a chain of nodes with one child each.
    """
    level_ptr = np.concatenate([[0], np.cumsum([len(level) for level in starts])]).astype(np.int64)
    children = [
        np.searchsorted(below, above) + begin
        for above, below, begin in zip(starts[:-1], starts[1:], level_ptr[1:-1], strict=True)
    ]
    child_ptr = np.concatenate([*children, level_ptr[-1:]]).astype(np.int64)
    return level_ptr, child_ptr, np.append(starts[-1], n_labels).astype(np.int64)
