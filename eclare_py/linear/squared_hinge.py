"""Dual coordinate descent for binary problems with the squared hinge loss, eight at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from eclare_py.linear.lanes import add_lanes, move_lanes, multiply_lanes
from eclare_py.linear.visiting import seeded, shuffle
from eclare_py.registers import LANES
from eclare_py.types import FloatArray, IntArray

_ALL = (1 << LANES) - 1  # bits of the problems


class _Descent(NamedTuple):
    """Where eight problems stand.

    Attributes:
        alpha: (n, 8) dual variables.
        halves: (n, 8) 1 / 2C.
        every: (n,) bits of the problems that a document belongs to.
        active: (n,) bits of those that have not set it aside.
        limits: (8,) documents at 0 whose gradient is above this are set aside.
        highest: (8,) largest projected gradient of a pass.
        lowest: (8,) smallest one.
    """

    alpha: FloatArray
    halves: FloatArray
    every: np.ndarray
    active: np.ndarray
    limits: FloatArray
    highest: FloatArray
    lowest: FloatArray


@njit(cache=True, nogil=True)
def _begin(costs: FloatArray) -> _Descent:
    n = costs.shape[0]
    halves, every = np.zeros((n, LANES), np.float32), np.zeros(n, np.uint8)
    for i in range(n):
        for lane in range(LANES):
            if costs[i, lane] > 0:
                every[i] |= 1 << lane
                halves[i, lane] = np.float32(0.5) / costs[i, lane]
    return _Descent(
        np.zeros((n, LANES), np.float32), halves, every, every.copy(), np.full(LANES, np.inf, np.float32),
        np.empty(LANES, np.float32), np.empty(LANES, np.float32),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _pass_over(
    order: IntArray, live: int, descent: _Descent, begins: IntArray, ends: IntArray, columns: np.ndarray,
    values: FloatArray, squares: FloatArray, signs: FloatArray, bias: float, weights: FloatArray,
) -> int:  # fmt: skip
    """Visit all documents that a problem looks at; returns bits of the problems that have set some aside."""
    highest, lowest, last = descent.highest, descent.lowest, weights.shape[0] - 1
    totals, steps = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    highest[:], lowest[:], shrunken = -np.inf, np.inf, 0
    for i in order:
        bits = descent.active[i] & live
        if not bits:
            continue
        for lane in range(LANES):
            totals[lane] = weights[last, lane] * bias
        multiply_lanes(columns, values, begins[i], ends[i], weights, totals)
        told = move_lanes(
            bits, squares[i], i, totals, signs, descent.halves, descent.limits, descent.alpha, highest, lowest, steps
        )
        aside = told & _ALL
        if aside:
            descent.active[i] &= ~aside
            shrunken |= aside
        if told > _ALL:  # some moved
            for lane in range(LANES):
                weights[last, lane] += steps[lane] * bias
            add_lanes(columns, values, begins[i], ends[i], weights, steps)
    return shrunken


@njit(cache=True, nogil=True)
def _look_back(tolerance: float, live: int, shrunken: int, descent: _Descent) -> tuple[int, int]:
    """After a pass: which problems go on, and which of these with all their documents again (bits)."""
    again = 0
    for lane in range(LANES):
        highest = descent.highest[lane]
        if highest - descent.lowest[lane] > tolerance:
            descent.limits[lane] = highest if highest > 0 else np.inf
        elif (shrunken >> lane) & 1:
            again |= 1 << lane
            descent.limits[lane] = np.inf
        else:
            live &= ~(1 << lane)
    if again:
        for i in range(descent.every.shape[0]):
            descent.active[i] |= descent.every[i] & again
    return live, again


@njit(cache=True, nogil=True)
def squared_hinge(
    begins: IntArray, ends: IntArray, columns: np.ndarray, values: FloatArray, squares: FloatArray,
    signs: FloatArray, costs: FloatArray, bias: float, tolerance: float, rounds: int, seed: int, weights: FloatArray,
) -> None:  # fmt: skip
    """min_w |w|^2 / 2 + sum_i C_i max(0, 1 - y_i <w, x_i>)^2 (Hsieh et al., ICML 2008, Algorithm 3 with shrinking).

    Eight problems on the same documents at a time: a document is read once for all that have not set it aside, and
    their weights of a feature lie side by side. Every problem has its own limits and ends on its own: its weights are
    the same to the bit whatever is beside it.

    Args:
        begins: (n,) where the entries of each document begin.
        ends: (n,) where they end.
        columns: Columns 0..F-1 of entries.
        values: Their values.
        squares: (n,) |x_i|^2 with the bias feature.
        signs: (n, 8) y_i, 1 or -1.
        costs: (n, 8) C_i; 0 leaves the document out, a problem of zeros is none.
        bias: Value of the constant feature; 0 for none.
        tolerance: Stop when the projected gradients lie within this of each other.
        rounds: Most passes over the documents.
        seed: Order of the documents.
        weights: (F+1, 8) zeros; receives w, the weight of the constant feature last.
    """
    n = signs.shape[0]
    descent, order, state = _begin(costs), np.arange(n), seeded(seed)
    live, shrunken = _ALL, 0
    for _ in range(rounds):
        shuffle(order, n, state)  # all of them, so that no problem's order depends on what the others set aside
        shrunken |= _pass_over(
            order, live, descent, begins, ends, columns, values, squares, signs, np.float32(bias), weights
        )
        live, again = _look_back(tolerance, live, shrunken, descent)
        if not live:
            break
        shrunken &= ~again
