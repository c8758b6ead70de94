"""What sparse matrices are asked all over: the rows of their entries, a choice of these, the largest of each row."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from numba import njit

from eclare_py.threads import over_rows
from eclare_py.types import BoolArray, Csr, FloatArray, IntArray, as_csr


def row_ids(matrix: Csr) -> IntArray:
    """(E,) row of every stored entry."""
    return owners(matrix.indptr)


def owners(pointers: IntArray) -> IntArray:
    """(R+1,) row pointers -> (E,) row of every entry."""
    return np.repeat(np.arange(len(pointers) - 1, dtype=np.int64), np.diff(pointers))


def pair_matrix(pairs: IntArray | None, shape: tuple[int, int]) -> Csr:
    """Ones at (F, 2) pairs of row and column; None: no pairs."""
    rows, columns = np.empty((2, 0), dtype=np.int64) if pairs is None else pairs.T
    return as_csr(sp.coo_array((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape))


def places_of(matrix: Csr, rows: IntArray, columns: IntArray) -> tuple[IntArray, BoolArray]:
    """Where the entries of some rows and columns are stored, and which of them are, in arrays of their common shape.

    Args:
        matrix: (R, C), sorted unique indices.
        rows: Rows, of any shape.
        columns: Columns, of a shape that goes with it.
    """
    stored, wanted = row_ids(matrix) * matrix.shape[1] + matrix.indices, rows * matrix.shape[1] + columns
    if not len(stored):
        return np.zeros(wanted.shape, dtype=np.int64), np.zeros(wanted.shape, dtype=np.bool_)
    place = np.minimum(np.searchsorted(stored, wanted), len(stored) - 1)
    return place, stored[place] == wanted


def entries_at(matrix: Csr, rows: IntArray, columns: IntArray, absent: float = 0.0) -> FloatArray:
    """(P,) entries at (P,) rows and columns, `absent` where nothing is stored; see `places_of`."""
    place, held = places_of(matrix, rows, columns)
    entries = np.full(held.shape, absent, dtype=np.float32)
    entries[held] = matrix.data[place[held]]
    return entries


def among(matrix: Csr, columns: IntArray) -> tuple[IntArray, IntArray, BoolArray]:
    """The entries in some columns: their rows, their places among these columns, and their mask over all entries.

    Args:
        matrix: (R, C).
        columns: (c,) ascending.
    """
    if not len(columns):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.zeros(matrix.nnz, dtype=np.bool_)
    place = np.minimum(np.searchsorted(columns, matrix.indices), len(columns) - 1)
    found = columns[place] == matrix.indices
    return row_ids(matrix)[found], place[found], found


def mask_among(matrix: Csr, columns: IntArray) -> BoolArray:
    """(R, c) which of (c,) ascending columns a row has an entry in."""
    mask = np.zeros((matrix.shape[0], len(columns)), dtype=np.bool_)
    mask[among(matrix, columns)[:2]] = True
    return mask


def select_entries(matrix: Csr, kept: BoolArray) -> Csr:
    """The matrix with only the stored entries of the (E,) mask."""
    pointers = np.concatenate([[0], np.cumsum(kept, dtype=np.int64)])[matrix.indptr]
    return sp.csr_array((matrix.data[kept], matrix.indices[kept], pointers), shape=matrix.shape)


def top_k_rows(matrix: Csr, top_k: int | None, *, first_row: int = 0) -> Csr:
    """Keep the diagonal and the `top_k` largest other entries of each row, ties by lower column.

    Args:
        matrix: (R, L) rows first_row..first_row+R of a graph, sorted unique indices.
        top_k: Entries kept besides the diagonal; None keeps all.
        first_row: Label of row 0, which tells where the diagonal lies.

    Returns:
        (R, L) CSR, sorted unique indices.
    """
    if top_k is None:
        return matrix
    kept = np.ones(matrix.nnz, dtype=np.bool_)
    arrays = (matrix.indptr, matrix.indices, matrix.data)
    over_rows(_mark_top, matrix.shape[0], *arrays, min(top_k, matrix.shape[1]), first_row, kept)
    return select_entries(matrix, kept)


@njit(cache=True, nogil=True)
def _mark_top(
    first: int,
    last: int,
    indptr: npt.NDArray[np.int64],
    indices: npt.NDArray[np.int64],
    weights: npt.NDArray[Any],
    top_k: int,
    first_row: int,
    kept: BoolArray,
) -> None:
    """Unmark what is beyond the top k of its row; all start marked, and the diagonal stays so."""
    best = np.empty(top_k + 1, np.int64)
    for row in range(first, last):
        start, stop = indptr[row], indptr[row + 1]
        if stop - start <= top_k:
            continue
        size = 0
        for entry in range(start, stop):
            if indices[entry] == row + first_row:
                continue
            kept[entry] = False
            # Columns ascend: of equal weights the lower one, which is there already, goes before.
            if size == top_k and (top_k == 0 or weights[entry] <= weights[best[top_k - 1]]):
                continue
            slot = size
            while slot > 0 and weights[best[slot - 1]] < weights[entry]:
                best[slot] = best[slot - 1]
                slot -= 1
            best[slot] = entry
            size = min(size + 1, top_k)
        for place in range(size):
            kept[best[place]] = True
