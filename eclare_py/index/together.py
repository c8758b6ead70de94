"""Beam descent of many documents: a few go down together, so that a node's children are fetched once for all."""

from __future__ import annotations

import numpy as np
from numba import njit

from eclare_py.index.kernels import LAST, path_score
from eclare_py.index.selection import keep_best, sort_best
from eclare_py.kernel_flags import SUM_FLAGS
from eclare_py.quantize import Rows
from eclare_py.threads import in_parts
from eclare_py.types import FloatArray, IntArray

_TOGETHER = 32  # documents: their scores and vectors stay in the second-level cache
_SCORES = 1 << 20  # of these documents together, where a beam is wide: some 4 MB, and as much again for their nodes
_ROWS = 16  # nodes whose vectors lie ready as float32, in the first-level cache


@njit(cache=True, nogil=True, fastmath=SUM_FLAGS)
def _dots(rows: FloatArray, count: int, x: FloatArray, chosen: IntArray, out: FloatArray) -> None:
    """out[i, r] = <x[chosen[i]], rows[r]>, two documents and four rows at a time: a number that is read serves twice.

    Args:
        rows: (16, d).
        count: Rows wanted.
        x: (n, d).
        chosen: (m,) documents.
        out: (m, 16) receives `count` products each, and what is left of the last four.
    """
    zero, last = np.float32(0.0), chosen.shape[0] - 1
    for i in range(0, last + 1, 2):
        j = min(i + 1, last)
        one, two = x[chosen[i]], x[chosen[j]]
        for r in range(0, count, 4):
            row0, row1, row2, row3 = rows[r], rows[r + 1], rows[r + 2], rows[r + 3]
            a0, a1, a2, a3, b0, b1, b2, b3 = zero, zero, zero, zero, zero, zero, zero, zero
            for k in range(x.shape[1]):
                a, b = one[k], two[k]
                r0, r1, r2, r3 = row0[k], row1[k], row2[k], row3[k]
                a0 += a * r0
                a1 += a * r1
                a2 += a * r2
                a3 += a * r3
                b0 += b * r0
                b1 += b * r1
                b2 += b * r2
                b3 += b * r3
            out[i, r], out[i, r + 1], out[i, r + 2], out[i, r + 3] = a0, a1, a2, a3
            out[j, r], out[j, r + 1], out[j, r + 2], out[j, r + 3] = b0, b1, b2, b3


@njit(cache=True, nogil=True)
def _open(
    first: int, last: int, routers: Rows, bias: FloatArray, mode: int, x: FloatArray, chosen: IntArray,
    above: FloatArray, places: IntArray, rows: FloatArray, products: FloatArray, found: FloatArray,
) -> None:  # fmt: skip
    """Scores of the nodes first..last-1, all children of one, for the documents that opened it.

    Args:
        first: First child.
        last: Behind the last one.
        routers: Node vectors.
        bias: Node biases.
        mode: See `path_score`.
        x: (n, d) documents.
        chosen: (m,) those that opened it.
        above: (m,) path score there.
        places: (m,) where the children's scores begin in a row of `found`.
        rows: (16, d) room.
        products: (n, 16) room.
        found: (n, f) receives the scores.
    """
    for start in range(first, last, _ROWS):
        count = min(_ROWS, last - start)
        for r in range(count):
            codes, row = routers.values[start + r], rows[r]
            for k in range(x.shape[1]):
                row[k] = np.float32(codes[k])
        _dots(rows, count, x, chosen, products)
        scale, bases = routers.scale[start : start + count], bias[start : start + count]
        for i in range(chosen.shape[0]):
            place, mine = places[i] + start - first, products[i]
            scores = found[chosen[i], place : place + count]
            if mode == LAST:
                for r in range(count):
                    scores[r] = np.float32(mine[r] * scale[r]) + bases[r]
            else:
                for r in range(count):
                    scores[r] = path_score(above[i], np.float32(mine[r] * scale[r]) + bases[r], mode)


@njit(cache=True, nogil=True)
def _level(
    base: int, width: int, child_ptr: IntArray, routers: Rows, bias: FloatArray, mode: int, x: FloatArray,
    kept: IntArray, ids: IntArray, scores: FloatArray, begins: IntArray, found: FloatArray,
) -> None:  # fmt: skip
    """Scores of the children of all nodes kept, node by node with the documents that kept it.

    Args:
        base: First node of the level.
        width: Its nodes.
        child_ptr: Children of the nodes.
        routers: As all up to `x`, see `_open`.
        bias: Likewise.
        mode: Likewise.
        x: Likewise.
        kept: (n,) nodes kept by each document.
        ids: (n, b) these nodes.
        scores: (n, b) their path scores.
        begins: (n, b) where their children's scores begin in a row of `found`.
        found: (n, f) receives the scores.
    """
    n, beam = ids.shape
    head, links = np.full(width, -1, np.int64), np.empty(n * beam, np.int64)
    for row in range(n - 1, -1, -1):  # a list for each node, documents ascending
        for slot in range(kept[row]):
            node = ids[row, slot] - base
            links[row * beam + slot], head[node] = head[node], row * beam + slot
    rows, products = np.zeros((_ROWS, x.shape[1]), np.float32), np.empty((n, _ROWS), np.float32)
    chosen, above, places = np.empty(n, np.int64), np.empty(n, np.float32), np.empty(n, np.int64)
    for node in range(width):
        size, link = 0, head[node]
        while link >= 0:
            row, slot = link // beam, link % beam
            chosen[size], above[size], places[size] = row, scores[row, slot], begins[row, slot]
            size, link = size + 1, links[link]
        first, last = child_ptr[base + node], child_ptr[base + node + 1]
        if last - first == 1:  # no choice: a leaf that was reached above waits here with its score
            for i in range(size):
                found[chosen[i], places[i]] = above[i]
        elif size:
            _open(
                first, last, routers, bias, mode, x, chosen[:size], above[:size], places[:size], rows, products, found
            )


@njit(cache=True, nogil=True)
def _descend_some(
    level_ptr: IntArray, child_ptr: IntArray, routers: Rows, bias: FloatArray, mode: int, x: FloatArray, beam: int,
    room: int, ordered: bool, leaves: IntArray, scores: FloatArray,
) -> None:  # fmt: skip
    """`descend` of a few documents; `room` is the most nodes that one of them looks at on a level."""
    n, top = x.shape[0], level_ptr[1] - level_ptr[0]
    found, nodes = np.empty((n, room), np.float32), np.empty(room, np.int64)
    kept_scores, kept_ids = np.empty((n, beam), np.float32), np.empty((n, beam), np.int64)
    kept, begins = np.zeros(n, np.int64), np.zeros((n, beam), np.int64)
    _open(
        level_ptr[0], level_ptr[1], routers, bias, mode, x, np.arange(n), np.zeros(n, np.float32),
        np.zeros(n, np.int64), np.zeros((_ROWS, x.shape[1]), np.float32), np.empty((n, _ROWS), np.float32), found,
    )  # fmt: skip
    for row in range(n):
        kept[row] = keep_best(found[row, :top], np.arange(level_ptr[0], level_ptr[1]), kept_scores[row], kept_ids[row])
    for level in range(1, level_ptr.shape[0] - 1):
        for row in range(n):
            size = 0
            for slot in range(kept[row]):
                begins[row, slot] = size
                size += child_ptr[kept_ids[row, slot] + 1] - child_ptr[kept_ids[row, slot]]
        base, width = level_ptr[level - 1], level_ptr[level] - level_ptr[level - 1]
        _level(base, width, child_ptr, routers, bias, mode, x, kept, kept_ids, kept_scores, begins, found)
        for row in range(n):
            size = 0
            for slot in range(kept[row]):
                for node in range(child_ptr[kept_ids[row, slot]], child_ptr[kept_ids[row, slot] + 1]):
                    nodes[size] = node
                    size += 1
            kept[row] = keep_best(found[row, :size], nodes[:size], kept_scores[row], kept_ids[row])
    for row in range(n):
        if ordered:
            sort_best(kept_scores[row], kept_ids[row], kept[row])
        for slot in range(leaves.shape[1]):
            leaves[row, slot] = kept_ids[row, slot] - level_ptr[-2]
            scores[row, slot] = kept_scores[row, slot]


def descend_rows(
    level_ptr: IntArray, child_ptr: IntArray, routers: Rows, bias: FloatArray, mode: int, x: FloatArray, beam: int,
    ordered: bool, leaves: IntArray, scores: FloatArray,
) -> None:  # fmt: skip
    """`descend` for (B, d) documents, a few in each thread at a time."""
    widest = int(np.diff(child_ptr).max(initial=1))
    widths = np.diff(level_ptr)
    room = max(int(widths[0]), int(np.minimum(widths[1:], beam * widest).max(initial=1)))
    tree = (level_ptr, child_ptr, routers, bias, mode)

    def descend_some(start: int, stop: int) -> None:
        part = slice(start, stop)
        _descend_some(*tree, x[part], beam, room, ordered, leaves[part], scores[part])

    in_parts(len(x), min(_TOGETHER, _SCORES // max(room, beam)), descend_some)
