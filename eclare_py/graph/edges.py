"""The edges of a label graph: listing them, top-k per row, and pruning by label text."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from numba import njit

from eclare_py.errors import UsageError
from eclare_py.threads import over_rows
from eclare_py.types import BoolArray, Csr, FloatArray, IntArray, as_csr

_EDGE_BLOCK = 65_536  # edges whose vectors are held at once


def row_ids(matrix: Csr) -> npt.NDArray[np.int64]:
    """(E,) row of every stored entry."""
    return np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))


def off_diagonal(matrix: Csr) -> tuple[IntArray, IntArray, BoolArray]:
    """Rows and columns of all entries but self loops, and their mask over the stored entries."""
    rows, columns = row_ids(matrix), matrix.indices.astype(np.int64)
    kept = rows != columns
    return rows[kept], columns[kept], kept


def undirected(matrix: Csr) -> Csr:
    """(L, L) mean of both directions, (A + A^T) / 2, without self loops."""
    both = as_csr((matrix + matrix.T) / 2)
    return select_entries(both, both.indices != row_ids(both))


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


def edge_cosines(graph: Csr, label_vectors: FloatArray | Csr) -> FloatArray:
    """Cosine of the label vectors at both ends of every edge; NaN where one of them is zero (no text, nothing known).

    Args:
        graph: (L, L) graph of E edges.
        label_vectors: (L, d) dense or (L, V) sparse, of any length.

    Returns:
        (E,) float32, edges in CSR order. Memory: E floats and one block of vectors.
    """
    if label_vectors.shape[0] != graph.shape[0]:
        raise UsageError(f"label_vectors has {label_vectors.shape[0]} rows, the graph {graph.shape[0]} labels")
    sparse = sp.issparse(label_vectors)
    vectors: Any = sp.csr_array(label_vectors) if sparse else np.asarray(label_vectors)
    norms = np.sqrt(vectors.multiply(vectors).sum(axis=1)) if sparse else np.linalg.norm(vectors, axis=1)
    rows, result = row_ids(graph), np.empty(graph.nnz, dtype=np.float32)
    for first in range(0, graph.nnz, _EDGE_BLOCK):
        part = slice(first, first + _EDGE_BLOCK)
        left, right = rows[part], graph.indices[part]
        if sparse:
            products = np.asarray(vectors[left].multiply(vectors[right]).sum(axis=1)).ravel()
        else:
            products = np.einsum("ed,ed->e", vectors[left], vectors[right])
        with np.errstate(invalid="ignore", divide="ignore"):
            # Rounding may leave -1..1, and a threshold of -1 must keep everything.
            result[part] = np.clip(products / (norms[left] * norms[right]), -1.0, 1.0)
    return result


def prune_by_text(graph: Csr, label_vectors: FloatArray | Csr, prune_below: float) -> Csr:
    """Drop the edges between labels whose texts are unlike (ECLARE: cosine below 0 of its text embeddings).

    Self loops stay. Edges of a label whose vector is zero stay too: its text says nothing for or against them.

    Args:
        graph: (L, L) graph.
        label_vectors: (L, d) dense or (L, V) sparse label text vectors.
        prune_below: Edges with a smaller cosine are dropped.

    Returns:
        (L, L) CSR.
    """
    cosines = edge_cosines(graph, label_vectors)
    return select_entries(graph, ~(cosines < prune_below) | (graph.indices == row_ids(graph)))
