"""Compiled loops over the bags of labels: each pair is judged by the other groups of its label alone.

A label seen in one group must not be handed to a member because that member is in its mean: what a group adds to the
sum of its label is taken out while its own members are judged. Each label is one thread's work, in a fixed order, so
results do not depend on threads.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from eclare_py.threads import over_rows
from eclare_py.types import FloatArray, IntArray

TASKS = 64  # parts of the labels; a part has one dense sum


@njit(cache=True, nogil=True)
def _add(
    first: int, last: int, documents: IntArray, weights: FloatArray, factor: float, indptr: IntArray,
    columns: np.ndarray, values: FloatArray, total: FloatArray,
) -> None:  # fmt: skip
    """Add the weighted rows of some pairs to the sum, times `factor`."""
    for pair in range(first, last):
        weight = np.float32(factor * weights[pair])
        if weight != 0:
            row = documents[pair]
            for k in range(indptr[row], indptr[row + 1]):
                total[columns[k]] += weight * values[k]


@njit(cache=True, nogil=True)
def _dot(row: int, indptr: IntArray, columns: np.ndarray, values: FloatArray, total: FloatArray) -> float:
    found = 0.0
    for k in range(indptr[row], indptr[row + 1]):
        found += values[k] * total[columns[k]]
    return found


def sparse_products(
    label_bags: IntArray, bag_pairs: IntArray, documents: IntArray, weights: FloatArray, indptr: IntArray,
    columns: np.ndarray, values: FloatArray, width: int, products: FloatArray, lengths: FloatArray,
) -> None:  # fmt: skip
    """Of each pair: product of the document with its label's weighted sum over other groups, and that sum's length."""
    arrays = (label_bags, bag_pairs, documents, weights, indptr, columns, values)
    over_rows(_sparse_products, TASKS, *arrays, width, products, lengths, at_once=1)


@njit(cache=True, nogil=True)
def _sparse_products(
    start: int, stop: int, label_bags: IntArray, bag_pairs: IntArray, documents: IntArray, weights: FloatArray,
    indptr: IntArray, columns: np.ndarray, values: FloatArray, width: int, products: FloatArray, lengths: FloatArray,
) -> None:  # fmt: skip
    n_labels = label_bags.shape[0] - 1
    for task in range(start, stop):
        total = np.zeros(width, np.float32)
        for label in range(task, n_labels, TASKS):
            first, last = bag_pairs[label_bags[label]], bag_pairs[label_bags[label + 1]]
            _add(first, last, documents, weights, 1.0, indptr, columns, values, total)
            square = 0.0
            for pair in range(first, last):
                square += weights[pair] * _dot(documents[pair], indptr, columns, values, total)
            for bag in range(label_bags[label], label_bags[label + 1]):
                a, b = bag_pairs[bag], bag_pairs[bag + 1]
                # |t - o|^2 = |t|^2 - <t, o> - <t - o, o>, with the own part o of the sum t.
                own = 0.0
                for pair in range(a, b):
                    own += weights[pair] * _dot(documents[pair], indptr, columns, values, total)
                _add(a, b, documents, weights, -1.0, indptr, columns, values, total)
                for pair in range(a, b):
                    products[pair] = _dot(documents[pair], indptr, columns, values, total)
                    own += weights[pair] * products[pair]
                lengths[a:b] = np.sqrt(max(square - own, 0.0))
                _add(a, b, documents, weights, 1.0, indptr, columns, values, total)
            for pair in range(first, last):
                row = documents[pair]
                for k in range(indptr[row], indptr[row + 1]):
                    total[columns[k]] = 0.0


def dense_products(
    label_bags: IntArray, bag_pairs: IntArray, documents: IntArray, weights: FloatArray, vectors: FloatArray,
    readers: FloatArray, least: float, products: FloatArray,
) -> None:  # fmt: skip
    """Of each pair: product of the document's reader with the weighted sum of vectors over its label's other groups.

    Pairs of a weight below `least` are left out of the sum.
    """
    arrays = (label_bags, bag_pairs, documents, weights, vectors, readers, least, products)
    over_rows(_dense_products, TASKS, *arrays, at_once=1)


@njit(cache=True, nogil=True)
def _dense_products(
    start: int, stop: int, label_bags: IntArray, bag_pairs: IntArray, documents: IntArray, weights: FloatArray,
    vectors: FloatArray, readers: FloatArray, least: float, products: FloatArray,
) -> None:  # fmt: skip
    n_labels = label_bags.shape[0] - 1
    for task in range(start, stop):
        total = np.empty(vectors.shape[1], np.float32)
        for label in range(task, n_labels, TASKS):
            total[:] = 0
            for pair in range(bag_pairs[label_bags[label]], bag_pairs[label_bags[label + 1]]):
                if weights[pair] >= least:
                    total += weights[pair] * vectors[documents[pair]]
            for bag in range(label_bags[label], label_bags[label + 1]):
                a, b = bag_pairs[bag], bag_pairs[bag + 1]
                for pair in range(a, b):
                    if weights[pair] >= least:
                        total -= weights[pair] * vectors[documents[pair]]
                for pair in range(a, b):
                    products[pair] = np.dot(total, readers[documents[pair]])
                for pair in range(a, b):
                    if weights[pair] >= least:
                        total += weights[pair] * vectors[documents[pair]]
