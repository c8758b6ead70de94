"""The edges of a label graph: listing them, and pruning by label text."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from eclare_py.errors import UsageError
from eclare_py.sparse import row_ids, select_entries
from eclare_py.types import BoolArray, Csr, FloatArray, IntArray, as_csr

_EDGE_BLOCK = 65_536  # edges whose vectors are held at once


def off_diagonal(matrix: Csr) -> tuple[IntArray, IntArray, BoolArray]:
    """Rows and columns of all entries but self loops, and their mask over the stored entries."""
    rows, columns = row_ids(matrix), matrix.indices.astype(np.int64)
    kept = rows != columns
    return rows[kept], columns[kept], kept


def undirected(matrix: Csr) -> Csr:
    """(L, L) mean of both directions, (A + A^T) / 2, without self loops."""
    both = as_csr((matrix + matrix.T) / 2)
    return select_entries(both, both.indices != row_ids(both))


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
