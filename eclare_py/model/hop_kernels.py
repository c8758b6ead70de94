"""Compiled kernel of the folded hops: average the neighbours' bags of words and keep the heaviest terms."""

from __future__ import annotations

import numpy as np
from numba import njit

from eclare_py.index.selection import ascending, keep_best
from eclare_py.storage.spool import Collector
from eclare_py.threads import over_rows
from eclare_py.types import Csr, FloatArray, IntArray, narrow

_BLOCK = 65536  # labels whose slots are held at once


@njit(cache=True, nogil=True)
def _merge(
    row: int, g_ptr: IntArray, g_col: IntArray, g_val: FloatArray, f_ptr: IntArray, f_col: IntArray, f_val: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Terms of one label's spread bag, ascending, with summed weights."""
    size = 0
    for edge in range(g_ptr[row], g_ptr[row + 1]):
        size += f_ptr[g_col[edge] + 1] - f_ptr[g_col[edge]]
    terms, weights = np.empty(size, np.int64), np.empty(size, np.float32)
    end = 0
    for edge in range(g_ptr[row], g_ptr[row + 1]):
        for entry in range(f_ptr[g_col[edge]], f_ptr[g_col[edge] + 1]):
            terms[end], weights[end] = f_col[entry], g_val[edge] * f_val[entry]
            end += 1
    distinct = 0
    merged_terms, merged = np.empty(size, np.int64), np.empty(size, np.float32)
    for place in ascending(terms):
        if distinct and merged_terms[distinct - 1] == terms[place]:
            merged[distinct - 1] += weights[place]
        else:
            merged_terms[distinct], merged[distinct] = terms[place], weights[place]
            distinct += 1
    return merged_terms[:distinct], merged[:distinct]


@njit(cache=True, nogil=True)
def _spread(
    start: int, stop: int, g_ptr: IntArray, g_col: IntArray, g_val: FloatArray, f_ptr: IntArray, f_col: IntArray,
    f_val: FloatArray, counts: IntArray, out_col: IntArray, out_val: FloatArray,
) -> None:  # fmt: skip
    """Rows of the result into (L, m) slots, `counts` of them filled."""
    width = out_col.shape[1]
    scratch, kept = np.empty(width, np.float32), np.empty(width, np.int64)
    for row in range(start, stop):
        terms, weights = _merge(row, g_ptr, g_col, g_val, f_ptr, f_col, f_val)
        size = keep_best(weights, np.arange(len(terms)), scratch, kept)  # of equal weights the lower term
        kept[:size].sort()
        counts[row] = size
        for slot in range(size):
            out_col[row, slot], out_val[row, slot] = terms[kept[slot]], weights[kept[slot]]


def spread_bags(graph: Csr, bags: Csr, width: int) -> Csr:
    """The `width` heaviest entries of every row of `graph @ bags`, ties by lower column.

    Args:
        graph: (L, L) normalised label graph.
        bags: (L, V) bags of words.
        width: Entries kept per row.

    Returns:
        (L, V) CSR; where the training is `spooled`, its entries are on disk.
    """
    counts = np.zeros(graph.shape[0], dtype=np.int64)
    columns, values = Collector(np.int32), Collector(np.float32)
    rows = [np.asarray(part) for part in (bags.indptr, bags.indices, bags.data)]
    for start in range(0, len(counts), _BLOCK):
        some = counts[start : start + _BLOCK]
        pointers = np.asarray(graph.indptr[start : start + len(some) + 1])
        slots = np.zeros((len(some), width), dtype=np.int32), np.zeros((len(some), width), dtype=np.float32)
        arrays = (pointers, np.asarray(graph.indices), np.asarray(graph.data), *rows, some, *slots)
        over_rows(_spread, len(some), *arrays)
        filled = np.arange(width) < some[:, None]
        columns.add(slots[0][filled])
        values.add(slots[1][filled])
    pointers, indices = narrow(np.concatenate([[0], np.cumsum(counts)])), columns.finish()
    return Csr((values.finish(), indices, pointers), shape=bags.shape)
