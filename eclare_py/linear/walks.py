"""Products of sparse documents with chunks: the four ways to walk what both have in common (MSCM, section 4.3).

Every walk adds the same numbers in the same order, so all give the same sums: they differ in time alone.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eclare_py.linear.chunks import ChunkArrays, Chunks, hash_place
from eclare_py.threads import over_rows
from eclare_py.types import Csr, FloatArray, IntArray

CHOOSE, MARCHING, BINARY, HASH, DENSE = -1, 0, 1, 2, 3
WALKS = ("marching", "binary", "hash", "dense")

# Nanoseconds of one step of each walk, measured by `python experiments/linear.py --steps`; writing or clearing a row of
# the dense table is taken for one.
_MARCH_STEP, _BINARY_STEP, _HASH_STEP, _DENSE_STEP, _DENSE_ROW = 0.6, 7.4, 8.0, 3.4, 1.0


@njit(cache=True, nogil=True)
def choose(terms: int, rows: int, queries: int) -> int:
    """The cheapest walk of a chunk of `rows` features for `queries` documents of about `terms` features each.

    Marching takes a step per feature of both; binary search a logarithmic number of steps per feature of the shorter
    side; hash a probe per feature of the document; dense look-up a cheap probe, once the chunk's rows stand in a table.
    """
    short, long = max(min(terms, rows), 1), max(terms, rows)
    best, least = MARCHING, queries * _MARCH_STEP * (terms + rows)
    cost = queries * _BINARY_STEP * short * math.log2(2 + long / short)
    if cost < least:
        best, least = BINARY, cost
    cost = queries * _HASH_STEP * terms
    if cost < least:
        best, least = HASH, cost
    # A document alone has no table; filling one for it never pays.
    if queries > 1 and queries * _DENSE_STEP * terms + 2 * _DENSE_ROW * rows < least:
        best = DENSE
    return best


@njit(cache=True, nogil=True)
def _add_row(row: int, value: float, chunks: ChunkArrays, out: FloatArray) -> None:
    for entry in range(chunks.entry_ptr[row], chunks.entry_ptr[row + 1]):
        out[chunks.offsets[entry]] += value * chunks.values[entry]


@njit(cache=True, nogil=True)
def _marching(
    columns: np.ndarray, terms: FloatArray, first: int, last: int, chunks: ChunkArrays, out: FloatArray
) -> None:
    k, row, features = 0, first, chunks.features
    while k < columns.shape[0] and row < last:
        if columns[k] < features[row]:
            k += 1
        elif columns[k] > features[row]:
            row += 1
        else:
            _add_row(row, terms[k], chunks, out)
            k += 1
            row += 1


@njit(cache=True, nogil=True)
def _lower_bound(values: np.ndarray, low: int, high: int, wanted: int) -> int:
    while low < high:
        middle = (low + high) >> 1
        if values[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def _binary(
    columns: np.ndarray, terms: FloatArray, first: int, last: int, chunks: ChunkArrays, out: FloatArray
) -> None:
    k, row, features = 0, first, chunks.features
    while k < columns.shape[0] and row < last:
        if columns[k] < features[row]:
            k = _lower_bound(columns, k + 1, columns.shape[0], features[row])
        elif columns[k] > features[row]:
            row = _lower_bound(features, row + 1, last, columns[k])
        else:
            _add_row(row, terms[k], chunks, out)
            k += 1
            row += 1


@njit(cache=True, nogil=True)
def _hash(columns: np.ndarray, terms: FloatArray, chunk: int, chunks: ChunkArrays, out: FloatArray) -> None:
    first, features, slots = chunks.row_ptr[chunk], chunks.features, chunks.slots
    start, size = chunks.hash_ptr[chunk], chunks.hash_ptr[chunk + 1] - chunks.hash_ptr[chunk]
    for k in range(columns.shape[0]):
        place = hash_place(columns[k], size)
        slot = slots[start + place]
        while slot != 0 and features[first + slot - 1] != columns[k]:
            place = (place + 1) & (size - 1)
            slot = slots[start + place]
        if slot != 0:
            _add_row(first + slot - 1, terms[k], chunks, out)


@njit(cache=True, nogil=True)
def add_products(
    chunk: int, walk: int, columns: np.ndarray, terms: FloatArray, chunks: ChunkArrays, out: FloatArray
) -> None:
    """The products of one document with the children of a chunk, by a walk without a table.

    Args:
        chunk: The chunk.
        walk: `MARCHING`, `BINARY` or `HASH`.
        columns: Ascending columns of the document.
        terms: Its values.
        chunks: All chunks.
        out: One number for each child, to which the products are added.
    """
    first, last = chunks.row_ptr[chunk], chunks.row_ptr[chunk + 1]
    if walk == MARCHING:
        _marching(columns, terms, first, last, chunks, out)
    elif walk == BINARY:
        _binary(columns, terms, first, last, chunks, out)
    else:
        _hash(columns, terms, chunk, chunks, out)


@njit(cache=True, nogil=True)
def _group(
    blocks: IntArray, chunk: int, block_rows: IntArray, out_ptr: IntArray, x_ptr: IntArray, x_columns: np.ndarray,
    x_values: FloatArray, chunks: ChunkArrays, walk: int, table: np.ndarray, out: FloatArray,
) -> None:  # fmt: skip
    """All blocks of one chunk."""
    first, last, features = chunks.row_ptr[chunk], chunks.row_ptr[chunk + 1], chunks.features
    if walk == CHOOSE:
        row = block_rows[blocks[0]]
        walk = choose(x_ptr[row + 1] - x_ptr[row], last - first, blocks.shape[0])
    if walk == DENSE:
        for row in range(first, last):
            table[features[row]] = row - first + 1
    for block in blocks:
        begin, end = x_ptr[block_rows[block]], x_ptr[block_rows[block] + 1]
        columns, terms = x_columns[begin:end], x_values[begin:end]
        mine = out[out_ptr[block] : out_ptr[block + 1]]
        if walk == DENSE:
            for k in range(columns.shape[0]):
                row = table[columns[k]]
                if row:
                    _add_row(first + row - 1, terms[k], chunks, mine)
        else:
            add_products(chunk, walk, columns, terms, chunks, mine)
    if walk == DENSE:
        for row in range(first, last):
            table[features[row]] = 0


@njit(cache=True, nogil=True)
def _multiply_rows(
    start: int, stop: int, ends: IntArray, order: IntArray, parents: IntArray, block_rows: IntArray, out_ptr: IntArray,
    x_ptr: IntArray, x_columns: np.ndarray, x_values: FloatArray, chunks: ChunkArrays, walk: int, n_features: int,
    out: FloatArray,
) -> None:  # fmt: skip
    """Many documents: block after block of one chunk, so that it is fetched from memory once."""
    table = np.zeros(n_features, np.int32)
    for group in range(start, stop):
        blocks = order[ends[group] : ends[group + 1]]
        _group(
            blocks, parents[blocks[0]], block_rows, out_ptr, x_ptr, x_columns, x_values, chunks, walk, table, out
        )  # fmt: skip


def multiply_chunks(
    documents: Csr, chunks: Chunks, rows: IntArray, parents: IntArray, *, walk: str = "choose"
) -> tuple[IntArray, FloatArray]:
    """Masked product in blocks: for every (document, parent) the products with all children of the parent.

    Args:
        documents: (B, V) with ascending columns.
        chunks: Weights (V, n).
        rows: (m,) document of each block.
        parents: (m,) chunk of each block.
        walk: One of WALKS for all, or `choose` the cheapest chunk by chunk.

    Returns:
        Pointers (m+1,) and the products, bias included, of block i in `pointers[i]:pointers[i+1]`.
    """
    widths = np.diff(chunks.child_ptr)[parents]
    out_ptr = np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)
    inside = np.arange(out_ptr[-1]) - np.repeat(out_ptr[:-1], widths)
    out = chunks.bias[np.repeat(chunks.child_ptr[parents], widths) + inside]
    if not len(parents):
        return out_ptr, out
    number = WALKS.index(walk) if walk != "choose" else CHOOSE
    order = np.argsort(parents, kind="stable")
    ends = np.concatenate([[0], np.flatnonzero(np.diff(parents[order])) + 1, [len(parents)]])
    groups = len(ends) - 1  # shared out evenly: each thread clears a table of all features once
    texts = (documents.indptr, documents.indices, documents.data)
    arguments = (ends, order, parents, rows, out_ptr, *texts, chunks.arrays, number, chunks.n_features, out)
    over_rows(_multiply_rows, groups, *arguments, at_once=groups)
    return out_ptr, out
