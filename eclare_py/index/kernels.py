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
def _multiply_children(
    first: int, last: int, routers: Rows, x: np.ndarray, ids: IntArray, found: FloatArray, place: int
) -> None:
    """The nodes first..last-1, and their codes' products with those of one document.

    Args:
        first: First child.
        last: Behind the last one.
        routers: (M, d) node vectors.
        x: One of the `Multiplicands`.
        ids: Receives the nodes.
        found: Receives the products, and up to three numbers more behind them.
        place: Where they begin.
    """
    for node in range(first, last):
        ids[place + node - first] = node
    for start in range(place, place + last - first, ROWS):
        multiply_rows(routers.values, ids, start, place + last - first - 1, x, found, start)


@njit(cache=True, nogil=True)
def _score_paths(
    routers: Rows, bias: FloatArray, mode: int, unit: float, base: float, top: bool, sizes: IntArray,
    above: FloatArray, ids: IntArray, found: FloatArray,
) -> None:  # fmt: skip
    """From products to path scores, in place. Node by node only where it must be: of one rule many are done at once.

    Args:
        routers: (M, d) node vectors.
        bias: (M,) node biases.
        mode: See `descend`.
        unit: Of the document's `Multiplicands`.
        base: Likewise.
        top: Whether these are the nodes of the first level.
        sizes: (b,) children of the kept nodes.
        above: (b,) path scores of these nodes.
        ids: (n,) children.
        found: (n,) their products; receives their scores.
    """
    if mode == LAST:
        for i in range(ids.shape[0]):
            found[i] = (found[i] - base) * (routers.scale[ids[i]] * unit) + bias[ids[i]]
    place = np.int64(0)
    for slot in range(sizes.shape[0]):
        if sizes[slot] == 1 and not top:  # no choice: a leaf that was reached above waits here with its score
            found[place] = above[slot]
        elif mode != LAST:
            for i in range(place, place + sizes[slot]):
                product = (found[i] - base) * (routers.scale[ids[i]] * unit) + bias[ids[i]]
                found[i] = path_score(above[slot], product, mode)
        place += sizes[slot]


@njit(cache=True, nogil=True)
def _descend(
    level_ptr: IntArray, child_ptr: IntArray, routers: Rows, bias: FloatArray, mode: int, x: Multiplicands, beam: int,
    ordered: bool, leaves: IntArray, scores: FloatArray,
) -> None:  # fmt: skip
    """`descend` for some documents, one after the other."""
    room = level_ptr[1] - level_ptr[0] + ROWS
    kept_scores, kept_ids, sizes = np.empty(beam, np.float32), np.empty(beam, np.int64), np.empty(beam, np.int64)
    found_scores, found_ids = np.empty(room, np.float32), np.empty(room, np.int64)
    for row in range(leaves.shape[0]):
        vector, unit, base = x.values[row], x.unit[row], x.base[row]
        kept = 0
        for level in range(level_ptr.shape[0] - 1):
            if level == 0:
                kept, sizes[0], kept_scores[0] = 1, level_ptr[1] - level_ptr[0], np.float32(0.0)
            else:
                for slot in range(kept):
                    sizes[slot] = child_ptr[kept_ids[slot] + 1] - child_ptr[kept_ids[slot]]
            total = sizes[:kept].sum()
            if total + ROWS > room:
                room = total + ROWS
                found_scores, found_ids = np.empty(room, np.float32), np.empty(room, np.int64)
            found = np.int64(0)
            for slot in range(kept):
                first = child_ptr[kept_ids[slot]] if level else level_ptr[0]
                if sizes[slot] == 1 and level:
                    found_ids[found] = first
                else:
                    _multiply_children(first, first + sizes[slot], routers, vector, found_ids, found_scores, found)
                found += sizes[slot]
            ids, paths = found_ids[:found], found_scores[:found]
            _score_paths(routers, bias, mode, unit, base, level == 0, sizes[:kept], kept_scores, ids, paths)
            kept = keep_best(paths, ids, kept_scores, kept_ids)
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
        vector, unit, base, total = x.values[row], x.unit[row], x.base[row], 0
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
            multiply_rows(vectors.values, found_ids, start, total - 1, vector, products, 0)
            for r in range(count):
                label = found_ids[start + r]
                score = (products[r] - base) * (vectors.scale[label] * unit) + label_bias[label]
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
