"""The binary problems of one tree node, prepared for the coordinate descent.

All children of a node are trained on the same documents, so the features these have are numbered anew, 0..F-1: the
weight vector of a problem is then short and stays in cache. A node near the root has most features anyway, and so many
documents that a copy of them may not fit in memory: these are read where they lie. The sums are the same.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from eclare_py.linear.logistic import logistic
from eclare_py.linear.squared_hinge import squared_hinge
from eclare_py.registers import LANES
from eclare_py.types import FloatArray, IntArray

SQUARED_HINGE, LOGISTIC = 0, 1
_MOST_COPIED = 1 << 23  # entries of a node's documents, 64 MiB for each thread


@njit(cache=True, nogil=True)
def gather(
    documents: IntArray, row_ptr: IntArray, columns: np.ndarray, values: FloatArray, numbers: np.ndarray
) -> tuple[IntArray, np.ndarray, FloatArray, np.ndarray]:
    """The node's documents as a CSR over the features they have.

    Args:
        documents: (n,) rows of X.
        row_ptr: CSR pointers of X.
        columns: CSR columns of X.
        values: CSR values of X.
        numbers: (V,) scratch, -1 everywhere before and after.

    Returns:
        Pointers (n+1,), local columns, values, and (F,) the features in ascending order.
    """
    pointers = np.zeros(documents.shape[0] + 1, np.int64)
    for i in range(documents.shape[0]):
        pointers[i + 1] = pointers[i] + row_ptr[documents[i] + 1] - row_ptr[documents[i]]
    local = np.empty(pointers[-1], np.int32)
    copied = np.empty(pointers[-1], np.float32)
    features, found = np.empty(min(pointers[-1], numbers.shape[0]), np.int32), 0
    for i in range(documents.shape[0]):
        start = row_ptr[documents[i]]
        for k in range(pointers[i + 1] - pointers[i]):
            feature = columns[start + k]
            if numbers[feature] < 0:
                numbers[feature] = 0
                features[found] = feature
                found += 1
            local[pointers[i] + k] = feature
            copied[pointers[i] + k] = values[start + k]
    features = features[:found]
    ordered = features.astype(np.int64)  # each type that is sorted takes seconds to compile
    ordered.sort()
    features[:] = ordered
    for number in range(found):
        numbers[features[number]] = number
    for k in range(local.shape[0]):
        local[k] = numbers[local[k]]
    for number in range(found):
        numbers[features[number]] = -1
    return pointers, local, copied, features


@njit(cache=True, nogil=True)
def solve_children(
    documents: IntArray, row_ptr: IntArray, columns: np.ndarray, values: FloatArray,
    first: int, last: int, positive_ptr: IntArray, positives: np.ndarray, relevances: FloatArray,
    ignored_ptr: IntArray, ignored: np.ndarray, numbers: np.ndarray, loss: int, cost_positive: float,
    cost_negative: float, bias: float, tolerance: float, rounds: int, threshold: float, seed: int,
) -> tuple[IntArray, np.ndarray, FloatArray, FloatArray]:  # fmt: skip
    """Train the children `first` .. `last` - 1 of a node, each against the node's other documents.

    Args:
        documents: (n,) the node's documents, ascending.
        row_ptr: CSR of X: pointers.
        columns: CSR of X: columns.
        values: CSR of X: values.
        first: First child.
        last: One after the last child.
        positive_ptr: (L_t+1,) documents of every child in `positives`, ascending; those not in the node do not count.
        positives: The documents.
        relevances: Factor of each positive's cost.
        ignored_ptr: (L_t+1,) documents that are neither positive nor negative for a child.
        ignored: The documents.
        numbers: (V,) scratch of -1.
        loss: SQUARED_HINGE or LOGISTIC.
        cost_positive: C of positives.
        cost_negative: C of negatives.
        bias: Constant feature.
        tolerance: See the solvers.
        rounds: See the solvers.
        threshold: Weights smaller than this are dropped.
        seed: Order of the documents.

    Returns:
        CSC of the children: pointers (last-first+1,), features ascending, weights; and (last-first,) biases, already
        times the constant feature.
    """
    n = documents.shape[0]
    begins, stops = row_ptr[documents], row_ptr[documents + 1]
    if (stops - begins).sum() <= _MOST_COPIED:
        pointers, local, copied, features = gather(documents, row_ptr, columns, values, numbers)
        begins, stops = pointers[:-1], pointers[1:]
    else:
        local, copied, features = columns, values, np.arange(numbers.shape[0]).astype(np.int32)
    squares = np.full(n, np.float32(bias * bias), np.float32)
    for i in range(n):
        for k in range(begins[i], stops[i]):
            squares[i] += copied[k] * copied[k]
    signs, costs = np.empty((n, LANES), np.float32), np.empty((n, LANES), np.float32)
    weights = np.empty((features.shape[0] + 1, LANES), np.float32)
    ends, intercepts = np.zeros(last - first + 1, np.int64), np.zeros(last - first, np.float32)
    found, kept, used = np.empty(4096, np.int32), np.empty(4096, np.float32), 0
    for block in range(first, last, LANES):
        children = min(LANES, last - block)
        weights[:] = 0
        taught = _teach(
            documents, block, children, positive_ptr, positives, relevances, ignored_ptr, ignored, cost_positive,
            cost_negative, signs, costs,
        )  # fmt: skip
        if loss == SQUARED_HINGE:
            squared_hinge(
                begins, stops, local, copied, squares, signs, costs, bias, tolerance, rounds, seed + block, weights
            )
        else:
            for lane in range(children):
                if not taught[lane]:
                    continue
                own = np.zeros(weights.shape[0], np.float64)
                logistic(
                    begins, stops, local, copied, squares, signs[:, lane].copy(), costs[:, lane].copy(), bias,
                    tolerance, rounds, seed + block + lane, own,
                )  # fmt: skip
                weights[:, lane] = own
        for lane in range(children):
            place = block - first + lane
            found, kept, used = _keep(features, weights, lane, threshold, found, kept, used)
            # Nothing speaks for a child without documents.
            intercepts[place] = weights[-1, lane] * bias if taught[lane] else -1.0
            ends[place + 1] = used
    return ends, found[:used].copy(), kept[:used].copy(), intercepts


@njit(cache=True, nogil=True)
def _teach(
    documents: IntArray, block: int, children: int, positive_ptr: IntArray, positives: np.ndarray,
    relevances: FloatArray, ignored_ptr: IntArray, ignored: np.ndarray, cost_positive: float, cost_negative: float,
    signs: FloatArray, costs: FloatArray,
) -> np.ndarray:  # fmt: skip
    """Signs and costs of some children from `block` on, one a column; returns which of them have a positive."""
    signs[:], costs[:] = -1, 0
    taught = np.zeros(children, np.bool_)
    for lane in range(children):
        child = block + lane
        costs[:, lane] = cost_negative
        _mark(documents, ignored, ignored_ptr[child], ignored_ptr[child + 1], costs[:, lane])
        taught[lane] = _mark_positives(
            documents, positives, relevances, positive_ptr[child], positive_ptr[child + 1], cost_positive,
            signs[:, lane], costs[:, lane],
        )  # fmt: skip
        if not taught[lane]:
            costs[:, lane] = 0
    return taught


@njit(cache=True, nogil=True)
def _keep(
    features: np.ndarray, weights: FloatArray, lane: int, threshold: float, found: np.ndarray, kept: FloatArray,
    used: int,
) -> tuple[np.ndarray, FloatArray, int]:  # fmt: skip
    """Append a problem's weights of some size to `found` and `kept`, which may grow; returns both and their number."""
    for number in range(features.shape[0]):
        weight = weights[number, lane]
        if abs(weight) >= threshold and weight != 0.0:
            if used == found.shape[0]:
                found = np.concatenate((found, np.empty(used, np.int32)))
                kept = np.concatenate((kept, np.empty(used, np.float32)))
            found[used], kept[used] = features[number], weight
            used += 1
    return found, kept, used


@njit(cache=True, nogil=True)
def _mark(documents: IntArray, marked: np.ndarray, start: int, stop: int, costs: FloatArray) -> None:
    """Set the cost of the marked documents to 0, by walking along both."""
    i = 0
    for k in range(start, stop):
        while i < documents.shape[0] and documents[i] < marked[k]:
            i += 1
        if i < documents.shape[0] and documents[i] == marked[k]:
            costs[i] = 0


@njit(cache=True, nogil=True)
def _mark_positives(
    documents: IntArray, positives: np.ndarray, relevances: FloatArray, start: int, stop: int, cost: float,
    signs: FloatArray, costs: FloatArray,
) -> bool:  # fmt: skip
    i, some = 0, False
    for k in range(start, stop):
        while i < documents.shape[0] and documents[i] < positives[k]:
            i += 1
        if i < documents.shape[0] and documents[i] == positives[k]:
            signs[i], costs[i] = 1, cost * relevances[k]
            some = True
    return some
