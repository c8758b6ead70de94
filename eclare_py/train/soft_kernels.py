"""Compiled kernel of the soft targets: the labels nearest to some labels, by text and in the label graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from eclare_py.threads import over_rows
from eclare_py.types import Csr, FloatArray, IntArray

_SPANS = 64  # parts that threads take: each clears a sum of all labels once


def nearest_labels(texts: Csr, postings: Csr, graph: Csr, own: IntArray, *, count: int, least: float) -> Csr:
    """The `count` largest entries of each row of maximum(texts @ postings, graph), ties by lower column.

    Sparse products of scipy give the same numbers, but sort every label that a row meets, though five are kept of
    thousands.

    Args:
        texts: (R, V) weighted terms of R labels.
        postings: (V, L) the labels that have each term.
        graph: (R, L) other weights of the same labels, not negative.
        own: (R,) their ids: a label is not near to itself.
        count: Entries kept per row.
        least: Smallest entry that counts, above 0.
    """
    columns = np.full((len(own), count), -1, dtype=np.int32)
    values = np.zeros((len(own), count), dtype=np.float32)
    parts = [part for matrix in (texts, postings, graph) for part in (matrix.indptr, matrix.indices, matrix.data)]
    arguments = (*parts, own, np.float32(least), postings.shape[1], columns, values)
    over_rows(_nearest, len(own), *arguments, at_once=-(-len(own) // _SPANS))
    order = np.argsort(np.where(columns < 0, postings.shape[1], columns), axis=1, kind="stable")
    columns, values = np.take_along_axis(columns, order, axis=1), np.take_along_axis(values, order, axis=1)
    filled = columns >= 0
    pointers = np.concatenate([[0], np.cumsum(filled.sum(axis=1))])
    return Csr((values[filled], columns[filled], pointers), shape=graph.shape)


@njit(cache=True, nogil=True)
def _nearest(
    start: int, stop: int, t_ptr: IntArray, t_col: Any, t_val: FloatArray, p_ptr: IntArray, p_col: Any,
    p_val: FloatArray, g_ptr: IntArray, g_col: Any, g_val: FloatArray, own: IntArray, least: np.float32, n_labels: int,
    columns: Any, values: FloatArray,
) -> None:  # fmt: skip
    sums, met = np.zeros(n_labels, np.float32), np.empty(n_labels, np.int32)
    for row in range(start, stop):
        size = 0
        for entry in range(t_ptr[row], t_ptr[row + 1]):
            for place in range(p_ptr[t_col[entry]], p_ptr[t_col[entry] + 1]):
                label, product = p_col[place], t_val[entry] * p_val[place]
                if product <= 0:  # or a label of sum 0 would be met again
                    continue
                if sums[label] == 0:
                    met[size] = label
                    size += 1
                sums[label] += product
        for edge in range(g_ptr[row], g_ptr[row + 1]):
            label = g_col[edge]
            if sums[label] == 0 < g_val[edge]:
                met[size] = label
                size += 1
            sums[label] = max(sums[label], g_val[edge])
        for place in range(size):
            label = met[place]
            if sums[label] >= least and label != own[row]:
                _insert(columns[row], values[row], label, sums[label])
            sums[label] = 0


@njit(cache=True, nogil=True)
def _insert(columns: Any, values: FloatArray, label: int, value: np.float32) -> None:
    """Put a label among the best so far, largest first, of equals the lower one first."""
    slot = len(columns)
    while slot > 0 and (
        columns[slot - 1] < 0
        or values[slot - 1] < value
        or (values[slot - 1] == value and columns[slot - 1] > label)
    ):
        slot -= 1
    if slot == len(columns):
        return
    for other in range(len(columns) - 1, slot, -1):
        columns[other], values[other] = columns[other - 1], values[other - 1]
    columns[slot], values[slot] = label, value
