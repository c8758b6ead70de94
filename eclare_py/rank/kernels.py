"""Compiled kernels of the ranker."""

from __future__ import annotations

import numpy as np
from numba import njit

from eclare_py.index.selection import keep_best
from eclare_py.kernel_flags import SUM_FLAGS
from eclare_py.sparse import entries_at, row_ids
from eclare_py.threads import over_rows
from eclare_py.types import BoolArray, Csr, FloatArray, IntArray, as_csr


@njit(cache=True, nogil=True, fastmath=SUM_FLAGS)
def _score_pairs(
    start: int, stop: int, x: FloatArray, vectors: FloatArray, rows: IntArray, labels: IntArray, out: FloatArray
) -> None:
    for pair in range(start, stop):
        left, right = x[rows[pair]], vectors[labels[pair]]
        total = np.float32(0.0)
        for k in range(x.shape[1]):
            total += left[k] * right[k]
        out[pair] = total


def score_pairs(x: FloatArray, vectors: FloatArray, rows: IntArray, labels: IntArray) -> FloatArray:
    """(P,) products <x[rows], vectors[labels]> without gathering (P, d).

    Args:
        x: (B, d).
        vectors: (L, d).
        rows: (P,) rows of x.
        labels: (P,) rows of vectors.
    """
    out = np.empty(len(rows), dtype=np.float32)
    over_rows(_score_pairs, len(rows), x, vectors, rows, labels, out, at_once=8192)
    return out


@njit(cache=True, nogil=True)
def _match_terms(
    first: int, last: int, left_ptr: IntArray, left_terms: IntArray, left: FloatArray, right_ptr: IntArray,
    right_terms: IntArray, right: FloatArray, indptr: IntArray, labels: IntArray, out: FloatArray,
) -> None:  # fmt: skip
    for row in range(first, last):
        for pair in range(indptr[row], indptr[row + 1]):
            here, end = left_ptr[row], left_ptr[row + 1]
            there, stop = right_ptr[labels[pair]], right_ptr[labels[pair] + 1]
            total = np.float32(0.0)
            while here < end and there < stop:
                a, b = left_terms[here], right_terms[there]
                if a == b:
                    total += left[here] * right[there]
                here += a <= b
                there += b <= a
            out[pair] = total


def match_terms(documents: Csr, labels: Csr, indptr: IntArray, candidates: IntArray) -> FloatArray:
    """(P,) inner products of the sparse rows of documents and candidate labels, by walking along both.

    Args:
        documents: (B, V) sorted columns.
        labels: (L, V) sorted columns.
        indptr: (B+1,) candidates of each document.
        candidates: (P,) rows of `labels`.
    """
    out = np.empty(len(candidates), dtype=np.float32)
    over_rows(_match_terms, len(indptr) - 1, *_arrays(documents), *_arrays(labels), indptr, candidates, out, at_once=32)
    return out


def _arrays(matrix: Csr) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return matrix.indptr, matrix.indices, matrix.data


@njit(cache=True, nogil=True)
def _companions(
    start: int, stop: int, indptr: IntArray, labels: IntArray, seed_ptr: IntArray, seed_labels: IntArray,
    chances: FloatArray, graph_ptr: IntArray, graph_labels: IntArray, weights: FloatArray, mutual: FloatArray,
    out: FloatArray,
) -> None:  # fmt: skip
    for row in range(start, stop):
        first, last = seed_ptr[row], seed_ptr[row + 1]
        for pair in range(indptr[row], indptr[row + 1]):
            total, best = np.float32(0.0), np.float32(0.0)
            for edge in range(graph_ptr[labels[pair]], graph_ptr[labels[pair] + 1]):
                other = graph_labels[edge]
                place = first + np.searchsorted(seed_labels[first:last], other)
                if place < last and seed_labels[place] == other:
                    total += weights[edge] * chances[place]
                    best = max(best, mutual[edge] * chances[place])
            out[pair, 0], out[pair, 1] = total, best


def companions(indptr: IntArray, labels: IntArray, seeds: Csr, graph: Csr, mutual: FloatArray) -> FloatArray:
    """How far the usual companions of each candidate are predicted: sum_l G(m, l) p(l), max_l M(m, l) p(l).

    Args:
        indptr: (B+1,) candidates of each document.
        labels: (P,) candidate labels m.
        seeds: (B, L) first probabilities p of the few best labels, sorted indices.
        graph: (L, L) support graph G of E edges.
        mutual: (E,) weight M of each edge of G, for the maximum.

    Returns:
        (P, 2).
    """
    out = np.zeros((len(labels), 2), dtype=np.float32)
    arrays = (*_arrays(seeds), *_arrays(graph), mutual)
    over_rows(_companions, len(indptr) - 1, indptr, labels, *arrays, out, at_once=32)
    return out


def mutual_weights(graph: Csr) -> FloatArray:
    """(E,) sqrt(G(l, m) G(m, l)) of every edge: the cosine of co-occurrence where G is conditional."""
    product = as_csr(graph.multiply(as_csr(graph.T)))
    return np.sqrt(entries_at(product, row_ids(graph), graph.indices))


@njit(cache=True, nogil=True)
def mark_best(indptr: IntArray, scores: FloatArray, count: int, chosen: BoolArray) -> None:
    """Mark the `count` best of each document's pairs, of equal ones the first.

    Args:
        indptr: (B+1,) pairs of the documents.
        scores: (P,) finite scores.
        count: Pairs wanted of each.
        chosen: (P,) False; receives True.
    """
    kept, ids = np.empty(count, np.float32), np.empty(count, np.int64)
    for row in range(indptr.shape[0] - 1):
        start, stop = indptr[row], indptr[row + 1]
        for place in ids[: keep_best(scores[start:stop], np.arange(start, stop), kept, ids)]:
            chosen[place] = True
