"""Compiled inner loops of the search: beam descent, label scoring.

A document is always handled by one thread, so results do not depend on the number of threads. Kernels marked `nogil`
never start threads themselves and may be called from several Python threads at once.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eclare_py.index.selection import keep_best, sort_best
from eclare_py.prefetch import AHEAD, prefetch_row
from eclare_py.quantize import Rows, dot_row
from eclare_py.threads import in_parts
from eclare_py.types import FloatArray, IntArray

_TOGETHER = 64  # documents handed to a thread

# --- beam search --------------------------------------------------------------------------------------------------


LOG_SIGMOID, DOT, LAST = 0, 1, 2  # how a node's product enters the score of its path


@njit(cache=True, nogil=True)
def path_score(parent: float, product: float, mode: int) -> np.float32:
    """Score of a path with one node more: of its parent's and the node's product."""
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
    routers: Rows,
    bias: FloatArray,
    mode: int,
    x: FloatArray,
    beam: int,
    ordered: bool,
    leaves: IntArray,
    scores: FloatArray,
) -> None:
    """Beam search of one document down the tree; an only child has the score of its parent.

    Args:
        level_ptr: (T+1,) first node of each level.
        child_ptr: (M-C+1,) children of the inner nodes.
        routers: (M, d) node vectors.
        bias: (M,) node biases.
        mode: `LOG_SIGMOID` or `DOT`: summed along the path; `LAST`: the last node's product alone.
        x: (d,) document.
        beam: Nodes kept on each level.
        ordered: Best leaf first, ties by leaf id; else in no order, which saves a fifth of the time.
        leaves: (b,) receives the best leaves, b = min(beam, C).
        scores: (b,) receives their path scores.
    """
    widest = level_ptr[1] - level_ptr[0]
    for level in range(1, level_ptr.shape[0] - 1):
        widest = max(widest, level_ptr[level + 1] - level_ptr[level])
    found_scores, found_ids = np.empty(widest, np.float32), np.empty(widest, np.int64)
    kept_scores, kept_ids = np.empty(beam, np.float32), np.empty(beam, np.int64)
    found = 0
    for node in range(level_ptr[0], level_ptr[1]):
        found_scores[found] = path_score(0.0, dot_row(routers.values, routers.scale, node, x) + bias[node], mode)
        found_ids[found] = node
        found += 1
    kept = keep_best(found_scores[:found], found_ids[:found], kept_scores, kept_ids)
    for _ in range(1, level_ptr.shape[0] - 1):
        found = 0
        for slot in range(kept):
            first, last = child_ptr[kept_ids[slot]], child_ptr[kept_ids[slot] + 1]
            if last - first == 1:  # no choice: a leaf that was reached above waits here with its score
                found_scores[found], found_ids[found] = kept_scores[slot], first
                found += 1
                continue
            for node in range(first, last):
                found_scores[found] = path_score(
                    kept_scores[slot], dot_row(routers.values, routers.scale, node, x) + bias[node], mode
                )
                found_ids[found] = node
                found += 1
        kept = keep_best(found_scores[:found], found_ids[:found], kept_scores, kept_ids)
    if ordered:
        sort_best(kept_scores, kept_ids, kept)
    for slot in range(leaves.shape[0]):
        leaves[slot] = kept_ids[slot] - level_ptr[-2]
        scores[slot] = kept_scores[slot]


@njit(cache=True, nogil=True)
def _rank_leaves(
    leaves: IntArray, leaf_ptr: IntArray, label_order: IntArray, vectors: Rows, label_bias: FloatArray, x: FloatArray,
    ids: IntArray, scores: FloatArray, scored: IntArray,
) -> None:  # fmt: skip
    """`rank_leaves` for some documents."""
    for row in range(x.shape[0]):
        total = 0
        for leaf in leaves[row]:
            total += leaf_ptr[leaf + 1] - leaf_ptr[leaf]
        found_scores, found_ids, read = np.empty(total, np.float32), np.empty(total, np.int64), 0
        for leaf in leaves[row]:
            for position in range(leaf_ptr[leaf], leaf_ptr[leaf + 1]):
                found_ids[read] = label_order[position]
                read += 1
        for ahead in range(min(AHEAD, total)):
            prefetch_row(vectors.values, found_ids[ahead])
        found = 0
        for read in range(total):
            if read + AHEAD < total:
                prefetch_row(vectors.values, found_ids[read + AHEAD])
            label = found_ids[read]
            score = dot_row(vectors.values, vectors.scale, label, x[row]) + label_bias[label]
            if score > -np.inf:
                found_scores[found], found_ids[found] = score, label
                found += 1
        kept_scores, kept_ids = np.empty(scores.shape[1], np.float32), np.empty(ids.shape[1], np.int64)
        size = keep_best(found_scores[:found], found_ids[:found], kept_scores, kept_ids)
        sort_best(kept_scores, kept_ids, size)
        ids[row, :size], scores[row, :size] = kept_ids[:size], kept_scores[:size]
        scored[row] = total


def rank_leaves(
    leaves: IntArray, leaf_ptr: IntArray, label_order: IntArray, vectors: Rows, label_bias: FloatArray, x: FloatArray,
    ids: IntArray, scores: FloatArray,
) -> IntArray:  # fmt: skip
    """Score all labels of the documents' leaves, keep the best.

    Args:
        leaves: (B, b) leaves.
        leaf_ptr: (C+1,) labels of the leaves.
        label_order: (L,) labels in leaf order.
        vectors: (L, d) label vectors.
        label_bias: (L,) added to the products; -inf hides a label.
        x: (B, d) documents.
        ids: (B, k) receives labels; holds padding before.
        scores: (B, k) receives scores; holds -inf before.

    Returns:
        (B,) number of labels scored.
    """
    scored = np.zeros(len(x), dtype=np.int64)

    def rank(start: int, stop: int) -> None:
        part = slice(start, stop)
        _rank_leaves(
            leaves[part], leaf_ptr, label_order, vectors, label_bias, x[part], ids[part], scores[part], scored[part]
        )

    in_parts(len(x), _TOGETHER, rank)
    return scored
