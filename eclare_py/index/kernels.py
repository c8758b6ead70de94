"""Compiled inner loops of the search: beam descent, label scoring.

A document is always handled by one thread, so results do not depend on the number of threads. Kernels marked `nogil`
never start threads themselves and may be called from several Python threads at once.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eclare_py.index.multiplicands import Multiplicands
from eclare_py.index.products import ROWS, multiply_rows
from eclare_py.index.selection import keep_best, sort_best
from eclare_py.prefetch import AHEAD, prefetch_row
from eclare_py.quantize import Rows
from eclare_py.threads import in_parts
from eclare_py.types import FloatArray, IntArray

_TOGETHER = 64  # documents handed to a thread
_TILE = 16  # children whose products lie ready

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


@njit(cache=True, nogil=True, forceinline=True)
def _score_children(
    first: int, last: int, routers: Rows, bias: FloatArray, mode: int, x: np.ndarray, unit: float, base: float,
    above: float, products: FloatArray, ids: IntArray, found: FloatArray, place: int,
) -> None:  # fmt: skip
    """The nodes first..last-1, children of one node or the top of the tree, and their path scores for one document.

    Args:
        first: First child.
        last: Behind the last one.
        routers: (M, d) node vectors.
        bias: (M,) node biases.
        mode: See `descend`.
        x: One of the `Multiplicands`.
        unit: Likewise.
        base: Likewise.
        above: Path score of the node above.
        products: (_TILE,) room.
        ids: Receives the nodes.
        found: Receives the scores.
        place: Where they begin.
    """
    for node in range(first, last):
        ids[place + node - first] = node
    for start in range(first, last, _TILE):
        count = min(_TILE, last - start)
        for row in range(0, count, ROWS):
            at = place + start - first + row
            multiply_rows(routers.values, ids, at, place + last - first - 1, x, products, row)
        scale, bases = routers.scale[start : start + count], bias[start : start + count]
        scores = found[place + start - first : place + start - first + count]
        if mode == LAST:
            for r in range(count):
                scores[r] = (products[r] - base) * (scale[r] * unit) + bases[r]
        else:
            for r in range(count):
                scores[r] = path_score(above, (products[r] - base) * (scale[r] * unit) + bases[r], mode)


@njit(cache=True, nogil=True)
def _descend(
    level_ptr: IntArray, child_ptr: IntArray, routers: Rows, bias: FloatArray, mode: int, x: Multiplicands, beam: int,
    ordered: bool, leaves: IntArray, scores: FloatArray,
) -> None:  # fmt: skip
    """`descend` for some documents, one after the other."""
    top, start = level_ptr[1] - level_ptr[0], np.int64(0)
    kept_scores, kept_ids = np.empty(beam, np.float32), np.empty(beam, np.int64)
    products, found_scores, found_ids = np.empty(_TILE, np.float32), np.empty(top, np.float32), np.empty(top, np.int64)
    for row in range(leaves.shape[0]):
        vector, unit, base = x.values[row], x.unit[row], x.base[row]
        _score_children(
            level_ptr[0], level_ptr[1], routers, bias, mode, vector, unit, base, np.float32(0.0), products,
            found_ids, found_scores, start,
        )  # fmt: skip
        kept = keep_best(found_scores[:top], found_ids[:top], kept_scores, kept_ids)
        for _ in range(1, level_ptr.shape[0] - 1):
            total = 0
            for node in kept_ids[:kept]:
                total += child_ptr[node + 1] - child_ptr[node]
            if total > found_ids.shape[0]:
                found_scores, found_ids = np.empty(total, np.float32), np.empty(total, np.int64)
            found = np.int64(0)
            for slot in range(kept):
                first, last, above = child_ptr[kept_ids[slot]], child_ptr[kept_ids[slot] + 1], kept_scores[slot]
                if last - first == 1:  # no choice: a leaf that was reached above waits here with its score
                    found_ids[found], found_scores[found] = first, above
                else:
                    _score_children(
                        first, last, routers, bias, mode, vector, unit, base, above, products, found_ids,
                        found_scores, found,
                    )  # fmt: skip
                found += last - first
            kept = keep_best(found_scores[:found], found_ids[:found], kept_scores, kept_ids)
        if ordered:
            sort_best(kept_scores, kept_ids, kept)
        for slot in range(leaves.shape[1]):
            leaves[row, slot] = kept_ids[slot] - level_ptr[-2]
            scores[row, slot] = kept_scores[slot]


def descend(
    level_ptr: IntArray, child_ptr: IntArray, routers: Rows, bias: FloatArray, mode: int, x: Multiplicands, beam: int,
    ordered: bool, leaves: IntArray, scores: FloatArray,
) -> None:  # fmt: skip
    """Beam search of documents down the tree; an only child has the score of its parent.

    Args:
        level_ptr: (T+1,) first node of each level.
        child_ptr: (M-C+1,) children of the inner nodes.
        routers: (M, d) node vectors.
        bias: (M,) node biases.
        mode: `LOG_SIGMOID` or `DOT`: summed along the path; `LAST`: the last node's product alone.
        x: B documents.
        beam: Nodes kept on each level.
        ordered: Best leaf first, ties by leaf id; else in no order, which saves a fifth of the time.
        leaves: (B, b) receives the best leaves, b = min(beam, C).
        scores: (B, b) receives their path scores.
    """

    def go_down(start: int, stop: int) -> None:
        part = slice(start, stop)
        _descend(level_ptr, child_ptr, routers, bias, mode, x.part(part), beam, ordered, leaves[part], scores[part])

    in_parts(len(leaves), _TOGETHER, go_down)


@njit(cache=True, nogil=True)
def _rank_leaves(
    leaves: IntArray, leaf_ptr: IntArray, label_order: IntArray, vectors: Rows, label_bias: FloatArray,
    x: Multiplicands, ids: IntArray, scores: FloatArray, scored: IntArray,
) -> None:  # fmt: skip
    """`rank_leaves` for some documents."""
    products = np.empty(ROWS, np.float32)
    for row in range(leaves.shape[0]):
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
        for start in range(0, total, ROWS):
            count = min(ROWS, total - start)
            for ahead in range(start + AHEAD, min(start + AHEAD + ROWS, total)):
                prefetch_row(vectors.values, found_ids[ahead])
            multiply_rows(vectors.values, found_ids, start, total - 1, x.values[row], products, 0)
            for r in range(count):
                label = found_ids[start + r]
                score = (products[r] - x.base[row]) * (vectors.scale[label] * x.unit[row]) + label_bias[label]
                if score > -np.inf:
                    found_scores[found], found_ids[found] = score, label
                    found += 1
        kept_scores, kept_ids = np.empty(scores.shape[1], np.float32), np.empty(ids.shape[1], np.int64)
        size = keep_best(found_scores[:found], found_ids[:found], kept_scores, kept_ids)
        sort_best(kept_scores, kept_ids, size)
        ids[row, :size], scores[row, :size] = kept_ids[:size], kept_scores[:size]
        scored[row] = total


def rank_leaves(
    leaves: IntArray, leaf_ptr: IntArray, label_order: IntArray, vectors: Rows, label_bias: FloatArray,
    x: Multiplicands, ids: IntArray, scores: FloatArray,
) -> IntArray:  # fmt: skip
    """Score all labels of the documents' leaves, keep the best.

    Args:
        leaves: (B, b) leaves.
        leaf_ptr: (C+1,) labels of the leaves.
        label_order: (L,) labels in leaf order.
        vectors: (L, d) label vectors.
        label_bias: (L,) added to the products; -inf hides a label.
        x: B documents.
        ids: (B, k) receives labels; holds padding before.
        scores: (B, k) receives scores; holds -inf before.

    Returns:
        (B,) number of labels scored.
    """
    scored = np.zeros(len(leaves), dtype=np.int64)

    def rank(start: int, stop: int) -> None:
        part = slice(start, stop)
        labels = (leaf_ptr, label_order, vectors, label_bias)
        _rank_leaves(leaves[part], *labels, x.part(part), ids[part], scores[part], scored[part])

    in_parts(len(leaves), _TOGETHER, rank)
    return scored
