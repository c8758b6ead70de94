"""Compiled dual coordinate descent for the binary problems of one tree node.

All children of a node are trained on the same documents, so the features these have are numbered anew, 0..F-1: the
weight vector of a problem is then short and stays in cache. A node near the root has most features anyway, and so many
documents that a copy of them may not fit in memory: these are read where they lie. The sums are the same.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eclare_py.types import FloatArray, IntArray

SQUARED_HINGE, LOGISTIC = 0, 1
_MOST_COPIED = 1 << 23  # entries of a node's documents, 64 MiB for each thread
_INNER_ROUNDS, _INNER_TOLERANCE = 20, 1e-3  # Newton steps of one logistic coordinate


@njit(cache=True, nogil=True)
def _uniform(state: np.ndarray, below: int) -> int:
    """Xorshift: a whole number in 0..below-1; the same on every machine and thread."""
    value = state[0]
    value ^= value << np.uint64(13)
    value ^= value >> np.uint64(7)
    value ^= value << np.uint64(17)
    state[0] = value
    return int(value % np.uint64(below))


@njit(cache=True, nogil=True)
def _shuffle(items: IntArray, size: int, state: np.ndarray) -> None:
    """Put the first `size` items in random order."""
    for i in range(size):
        j = i + _uniform(state, size - i)
        items[i], items[j] = items[j], items[i]


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
    features = np.sort(features[:found])
    for number in range(found):
        numbers[features[number]] = number
    for k in range(local.shape[0]):
        local[k] = numbers[local[k]]
    for number in range(found):
        numbers[features[number]] = -1
    return pointers, local, copied, features


@njit(cache=True, nogil=True)
def squared_hinge(
    begins: IntArray, ends: IntArray, columns: np.ndarray, values: FloatArray, squares: FloatArray,
    signs: FloatArray, costs: FloatArray, bias: float, tolerance: float, rounds: int, seed: int, weights: np.ndarray,
) -> None:  # fmt: skip
    """min_w |w|^2 / 2 + sum_i C_i max(0, 1 - y_i <w, x_i>)^2 (Hsieh et al., ICML 2008, Algorithm 3 with shrinking).

    Args:
        begins: (n,) where the entries of each document begin.
        ends: (n,) where they end.
        columns: Columns 0..F-1 of entries.
        values: Their values.
        squares: (n,) |x_i|^2 with the bias feature.
        signs: (n,) y_i, 1 or -1.
        costs: (n,) C_i; 0 leaves the document out.
        bias: Value of the constant feature; 0 for none.
        tolerance: Stop when the projected gradients lie within this of each other.
        rounds: Most passes over the documents.
        seed: Order of the documents.
        weights: (F+1,) zeros; receives w, the weight of the constant feature last.
    """
    n, last = signs.shape[0], weights.shape[0] - 1
    alpha, active, size = np.zeros(n, np.float64), np.empty(n, np.int64), 0
    for i in range(n):
        if costs[i] > 0:
            active[size] = i
            size += 1
    whole = size
    state = np.full(1, np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(88172645463325252), np.uint64)
    limit = np.inf  # documents at 0 whose gradient is above this are set aside
    for _ in range(rounds):
        highest, lowest = -np.inf, np.inf
        _shuffle(active, size, state)
        s = 0
        while s < size:
            i = active[s]
            total = weights[last] * bias
            for k in range(begins[i], ends[i]):
                total += weights[columns[k]] * values[k]
            diagonal = 0.5 / costs[i]
            gradient = signs[i] * total - 1.0 + diagonal * alpha[i]
            projected = gradient
            if alpha[i] == 0.0:
                if gradient > limit:
                    size -= 1
                    active[s], active[size] = active[size], active[s]
                    continue
                projected = min(gradient, 0.0)
            highest, lowest = max(highest, projected), min(lowest, projected)
            if abs(projected) > 1e-12:
                before = alpha[i]
                alpha[i] = max(before - gradient / (squares[i] + diagonal), 0.0)
                step = (alpha[i] - before) * signs[i]
                weights[last] += step * bias
                for k in range(begins[i], ends[i]):
                    weights[columns[k]] += step * values[k]
            s += 1
        if highest - lowest <= tolerance:
            if size == whole:
                break
            size, limit = whole, np.inf
            continue
        limit = highest if highest > 0 else np.inf


@njit(cache=True, nogil=True)
def _newton(slope: float, square: float, start: float, cost: float, tolerance: float) -> tuple[float, float]:
    """The best value of one coordinate of the logistic dual, and the derivative at `start`."""
    value, derivative = start, 0.0
    for step in range(_INNER_ROUNDS):
        first = slope + square * (value - start) + math.log(value / (cost - value))
        if step == 0:
            derivative = first
        if abs(first) < tolerance:
            break
        moved = value - first / (square + cost / (value * (cost - value)))
        # A Newton step out of the open interval is cut: a tenth of what is left of it stays.
        if moved <= 0.0:
            moved = 0.1 * value
        elif moved >= cost:
            moved = cost - 0.1 * (cost - value)
        value = moved
    return value, derivative


@njit(cache=True, nogil=True)
def logistic(
    begins: IntArray, ends: IntArray, columns: np.ndarray, values: FloatArray, squares: FloatArray,
    signs: FloatArray, costs: FloatArray, bias: float, tolerance: float, rounds: int, seed: int, weights: np.ndarray,
) -> None:  # fmt: skip
    """min_w |w|^2 / 2 + sum_i C_i log(1 + exp(-y_i <w, x_i>)) (Yu, Huang and Lin, Machine Learning 85, 2011, Alg. 5).

    Each coordinate alpha_i of 0 < alpha_i < C_i is moved by Newton steps on
    a log a + (C - a) log(C - a) + |x|^2 (a - a_0)^2 / 2 + y <w, x> (a - a_0). Arguments as in `squared_hinge`.
    """
    n, last = signs.shape[0], weights.shape[0] - 1
    alpha, order, size = np.zeros(n, np.float64), np.empty(n, np.int64), 0
    for i in range(n):
        if costs[i] > 0:
            order[size] = i
            size += 1
            alpha[i] = min(0.001 * costs[i], 1e-8)
            weights[last] += alpha[i] * signs[i] * bias
            for k in range(begins[i], ends[i]):
                weights[columns[k]] += alpha[i] * signs[i] * values[k]
    state = np.full(1, np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(88172645463325252), np.uint64)
    for _ in range(rounds):
        worst = 0.0
        _shuffle(order, size, state)
        for s in range(size):
            i = order[s]
            total = weights[last] * bias
            for k in range(begins[i], ends[i]):
                total += weights[columns[k]] * values[k]
            before = alpha[i]
            value, first = _newton(signs[i] * total, squares[i], before, costs[i], _INNER_TOLERANCE * tolerance)
            worst = max(worst, abs(first))
            if value != before:
                alpha[i] = value
                change = (value - before) * signs[i]
                weights[last] += change * bias
                for k in range(begins[i], ends[i]):
                    weights[columns[k]] += change * values[k]
        if worst <= tolerance:
            break


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
    signs, costs = np.empty(n, np.float32), np.empty(n, np.float32)
    weights = np.empty(features.shape[0] + 1, np.float64)
    ends, intercepts = np.zeros(last - first + 1, np.int64), np.zeros(last - first, np.float32)
    found = np.empty(4096, np.int32)
    kept = np.empty(4096, np.float32)
    used = 0
    for child in range(first, last):
        signs[:], costs[:], weights[:] = -1, cost_negative, 0
        _mark(documents, ignored, ignored_ptr[child], ignored_ptr[child + 1], costs)
        some = _mark_positives(
            documents, positives, relevances, positive_ptr[child], positive_ptr[child + 1], cost_positive, signs, costs
        )
        if some:
            if loss == SQUARED_HINGE:
                squared_hinge(
                    begins, stops, local, copied, squares, signs, costs, bias, tolerance, rounds, seed + child, weights
                )
            else:
                logistic(
                    begins, stops, local, copied, squares, signs, costs, bias, tolerance, rounds, seed + child, weights
                )
            for number in range(features.shape[0]):
                if abs(weights[number]) >= threshold and weights[number] != 0.0:
                    if used == found.shape[0]:
                        found = np.concatenate((found, np.empty(used, np.int32)))
                        kept = np.concatenate((kept, np.empty(used, np.float32)))
                    found[used], kept[used] = features[number], weights[number]
                    used += 1
            intercepts[child - first] = weights[-1] * bias
        else:  # nothing speaks for a child without documents
            intercepts[child - first] = -1.0
        ends[child - first + 1] = used
    return ends, found[:used].copy(), kept[:used].copy(), intercepts


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
