"""Compiled inner loops of the search: top-k heap, beam descent, label scoring.

A document is always handled by one thread, so results do not depend on the number of threads. Kernels marked `nogil`
never start threads themselves and may be called from several Python threads at once.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from eclare_py.kernel_flags import SUM_FLAGS
from eclare_py.types import FloatArray, IntArray


@njit(cache=True, nogil=True, fastmath=SUM_FLAGS)
def dot_row(matrix: FloatArray, row: int, vector: FloatArray) -> np.float32:
    """Inner product of `matrix[row]` with `vector`."""
    total = np.float32(0.0)
    for j in range(vector.shape[0]):
        total += matrix[row, j] * vector[j]
    return total


# --- top-k: a heap with the worst kept item at its root; worse = lower score, then higher id -----------------------


@njit(cache=True, nogil=True)
def _sift_down(scores: FloatArray, ids: IntArray, size: int) -> None:
    score, item, parent = scores[0], ids[0], 0
    while True:
        child = 2 * parent + 1
        if child >= size:
            break
        other = child + 1
        if other < size and (
            scores[other] < scores[child] or (scores[other] == scores[child] and ids[other] > ids[child])
        ):
            child = other
        if not (scores[child] < score or (scores[child] == score and ids[child] > item)):
            break
        scores[parent], ids[parent] = scores[child], ids[child]
        parent = child
    scores[parent], ids[parent] = score, item


@njit(cache=True, nogil=True)
def offer(scores: FloatArray, ids: IntArray, size: int, score: float, item: int) -> int:
    """Show one item to the heap of capacity `len(scores)`; returns the new number of items kept."""
    if size == scores.shape[0]:
        if score > scores[0] or (score == scores[0] and item < ids[0]):
            scores[0], ids[0] = score, item
            _sift_down(scores, ids, size)
        return size
    slot = size
    while slot > 0:
        parent = (slot - 1) // 2
        if not (score < scores[parent] or (score == scores[parent] and item > ids[parent])):
            break
        scores[slot], ids[slot] = scores[parent], ids[parent]
        slot = parent
    scores[slot], ids[slot] = score, item
    return size + 1


@njit(cache=True, nogil=True)
def drain(scores: FloatArray, ids: IntArray, size: int) -> None:
    """Sort the heap in place: best first, ties by id ascending."""
    for last in range(size - 1, 0, -1):
        scores[0], scores[last] = scores[last], scores[0]
        ids[0], ids[last] = ids[last], ids[0]
        _sift_down(scores, ids, last)


@njit(cache=True, nogil=True)
def top_k_row(values: FloatArray, ids: IntArray, scores: FloatArray) -> None:
    """Top-k of `values` (L,) into `ids` and `scores` (k,), which hold padding before; -inf is left out."""
    kept_scores, kept_ids, size = np.empty_like(scores), np.empty_like(ids), 0
    for column in range(values.shape[0]):
        score = values[column]
        # Columns come in ascending order, so one that only equals the worst kept score cannot displace it.
        if score > -np.inf and (size < kept_ids.shape[0] or score > kept_scores[0]):
            size = offer(kept_scores, kept_ids, size, score, column)
    drain(kept_scores, kept_ids, size)
    ids[:size] = kept_ids[:size]
    scores[:size] = kept_scores[:size]


@njit(cache=True, parallel=True)
def top_k_rows(values: FloatArray, ids: IntArray, scores: FloatArray) -> None:
    """`top_k_row` for each row of `values` (B, L)."""
    for row in prange(values.shape[0]):
        top_k_row(values[row], ids[row], scores[row])


# --- beam search --------------------------------------------------------------------------------------------------


LOG_SIGMOID, DOT, LAST = 0, 1, 2  # how a node's product enters the score of its path


@njit(cache=True, nogil=True)
def _path_score(parent: float, product: float, mode: int) -> np.float32:
    if mode == LAST:
        return np.float32(product)
    if mode == DOT:
        return np.float32(parent + product)
    if product >= 0:
        return np.float32(parent - math.log1p(math.exp(-product)))
    return np.float32(parent + product - math.log1p(math.exp(product)))


@njit(cache=True, nogil=True)
def descend(
    level_ptr: IntArray,
    child_ptr: IntArray,
    routers: FloatArray,
    bias: FloatArray,
    mode: int,
    x: FloatArray,
    beam: int,
    leaves: IntArray,
    scores: FloatArray,
) -> None:
    """Beam search of one document down the tree.

    Args:
        level_ptr: (T+1,) first node of each level.
        child_ptr: (M-C+1,) children of the inner nodes.
        routers: (M, d) node vectors.
        bias: (M,) node biases.
        mode: `LOG_SIGMOID` or `DOT`: summed along the path; `LAST`: the last node's product alone.
        x: (d,) document.
        beam: Nodes kept on each level.
        leaves: (b,) receives the best leaves, b = min(beam, C); ties by leaf id.
        scores: (b,) receives their path scores.
    """
    kept_scores, kept_ids = np.empty(beam, np.float32), np.empty(beam, np.int64)
    next_scores, next_ids = np.empty(beam, np.float32), np.empty(beam, np.int64)
    kept = 0
    for node in range(level_ptr[0], level_ptr[1]):
        score = _path_score(0.0, dot_row(routers, node, x) + bias[node], mode)
        kept = offer(kept_scores, kept_ids, kept, score, node)
    for _ in range(1, level_ptr.shape[0] - 1):
        found = 0
        for slot in range(kept):
            for node in range(child_ptr[kept_ids[slot]], child_ptr[kept_ids[slot] + 1]):
                score = _path_score(kept_scores[slot], dot_row(routers, node, x) + bias[node], mode)
                found = offer(next_scores, next_ids, found, score, node)
        kept_scores, next_scores = next_scores, kept_scores
        kept_ids, next_ids = next_ids, kept_ids
        kept = found
    drain(kept_scores, kept_ids, kept)
    for slot in range(leaves.shape[0]):
        leaves[slot] = kept_ids[slot] - level_ptr[-2]
        scores[slot] = kept_scores[slot]


@njit(cache=True, parallel=True)
def descend_rows(
    level_ptr: IntArray,
    child_ptr: IntArray,
    routers: FloatArray,
    bias: FloatArray,
    mode: int,
    x: FloatArray,
    beam: int,
    leaves: IntArray,
    scores: FloatArray,
) -> None:
    """`descend` for (B, d) documents, one thread each."""
    for row in prange(x.shape[0]):
        descend(level_ptr, child_ptr, routers, bias, mode, x[row], beam, leaves[row], scores[row])


@njit(cache=True, nogil=True)
def rank_leaves(
    leaves: IntArray,
    leaf_ptr: IntArray,
    label_order: IntArray,
    vectors: FloatArray,
    label_bias: FloatArray,
    x: FloatArray,
    ids: IntArray,
    scores: FloatArray,
) -> int:
    """Score all labels of a document's leaves, keep the best.

    Args:
        leaves: (b,) leaves.
        leaf_ptr: (C+1,) labels of the leaves.
        label_order: (L,) labels in leaf order.
        vectors: (L, d) label vectors.
        label_bias: (L,) added to the products; -inf hides a label.
        x: (d,) document.
        ids: (k,) receives labels; holds padding before.
        scores: (k,) receives scores; holds -inf before.

    Returns:
        Number of labels scored.
    """
    kept_scores, kept_ids, size, scored = np.empty_like(scores), np.empty_like(ids), 0, 0
    for leaf in leaves:
        for position in range(leaf_ptr[leaf], leaf_ptr[leaf + 1]):
            label = label_order[position]
            score = dot_row(vectors, label, x) + label_bias[label]
            scored += 1
            if score > -np.inf:
                size = offer(kept_scores, kept_ids, size, score, label)
    drain(kept_scores, kept_ids, size)
    ids[:size] = kept_ids[:size]
    scores[:size] = kept_scores[:size]
    return scored


@njit(cache=True, parallel=True)
def rank_leaves_rows(
    leaves: IntArray,
    leaf_ptr: IntArray,
    label_order: IntArray,
    vectors: FloatArray,
    label_bias: FloatArray,
    x: FloatArray,
    ids: IntArray,
    scores: FloatArray,
    scored: IntArray,
) -> None:
    """`rank_leaves` for (B, d) documents, one thread each; `scored` (B,) receives the labels scored."""
    for row in prange(x.shape[0]):
        scored[row] = rank_leaves(
            leaves[row], leaf_ptr, label_order, vectors, label_bias, x[row], ids[row], scores[row]
        )
