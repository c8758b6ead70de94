"""Dual coordinate descent for a binary problem with the logistic loss."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eclare_py.linear.visiting import seeded, shuffle
from eclare_py.types import FloatArray, IntArray

_INNER_ROUNDS, _INNER_TOLERANCE = 20, 1e-3  # Newton steps of one coordinate


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
    state = seeded(seed)
    for _ in range(rounds):
        worst = 0.0
        shuffle(order, size, state)
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
