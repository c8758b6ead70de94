"""Compiled kernels of the bag of embeddings: weighted sums of rows, and their gradient applied where it arises.

Four rows are added at a time: their cache lines are fetched side by side, and the sum is loaded and stored once for all
of them. That takes a fifth (float32) to a third (int8) off the time of one at a time; eight are no better. Asking for
the next rows ahead gives a sum nothing; it takes a quarter off an update, whose rows of the table are read once each.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from eclare_py.kernel_flags import SUM_FLAGS
from eclare_py.prefetch import prefetch_row
from eclare_py.quantize import Rows
from eclare_py.threads import over_rows
from eclare_py.types import FloatArray

_AT_ONCE, _UPDATED_AT_ONCE = 64, 1024  # rows a thread takes: of some fifty entries each, and of a few
_LARGEST_CODE, _LEAST_CODED = np.float32(127), np.float32(1e-30)  # below this a factor may be no number
NO_CODES = Rows(np.empty((0, 0), np.int8), np.empty(0, np.float32))


def sum_rows(
    indptr: npt.NDArray[np.int64],
    indices: npt.NDArray[np.int64],
    values: FloatArray,
    table: Rows,
    out: FloatArray,
) -> None:
    """out[i] = sum_j values[j] * table[indices[j]] over the entries j of row i; out (B, d), table (V, d)."""
    over_rows(_sum_rows, len(out), indptr, indices, values, table, out, at_once=_AT_ONCE)


@njit(cache=True, nogil=True, fastmath=SUM_FLAGS)
def _sum_rows(
    start: int, end: int, indptr: npt.NDArray[np.int64], indices: npt.NDArray[np.int64], values: FloatArray,
    table: Rows, out: FloatArray,
) -> None:  # fmt: skip
    for row in range(start, end):
        target = out[row]
        target[:] = 0.0
        entry, stop = indptr[row], indptr[row + 1]
        while entry + 4 <= stop:
            i0, i1, i2, i3 = indices[entry], indices[entry + 1], indices[entry + 2], indices[entry + 3]
            v0, v1 = values[entry] * table.scale[i0], values[entry + 1] * table.scale[i1]
            v2, v3 = values[entry + 2] * table.scale[i2], values[entry + 3] * table.scale[i3]
            r0, r1, r2, r3 = table.values[i0], table.values[i1], table.values[i2], table.values[i3]
            for k in range(out.shape[1]):
                first = v0 * np.float32(r0[k]) + v1 * np.float32(r1[k])
                target[k] += first + (v2 * np.float32(r2[k]) + v3 * np.float32(r3[k]))
            entry += 4
        for last in range(entry, stop):
            value, source = values[last] * table.scale[indices[last]], table.values[indices[last]]
            for k in range(out.shape[1]):
                target[k] += value * np.float32(source[k])


def dot_rows(
    indptr: npt.NDArray[np.int64],
    indices: npt.NDArray[np.int64],
    table: Rows,
    vectors: FloatArray,
    out: FloatArray,
) -> None:
    """out[j] = <table[indices[j]], vectors[i]> for every entry j of row i; vectors (B, d), out (E,)."""
    over_rows(_dot_rows, len(vectors), indptr, indices, table, vectors, out, at_once=_AT_ONCE)


@njit(cache=True, nogil=True, fastmath=SUM_FLAGS)
def _dot_rows(
    start: int, end: int, indptr: npt.NDArray[np.int64], indices: npt.NDArray[np.int64], table: Rows,
    vectors: FloatArray, out: FloatArray,
) -> None:  # fmt: skip
    for row in range(start, end):
        vector = vectors[row]
        for entry in range(indptr[row], indptr[row + 1]):
            source, total = table.values[indices[entry]], np.float32(0.0)
            for k in range(vectors.shape[1]):
                total += np.float32(source[k]) * vector[k]
            out[entry] = total * table.scale[indices[entry]]


def code_rows(table: FloatArray) -> Rows:
    """The nearest int8 codes of every row of a table (V, d): its sums then read a quarter of the memory.

    Not those of `quantize.quantize`, which come with a scale of fewer bits: these are made anew at every step.
    """
    codes = Rows(np.empty(table.shape, np.int8), np.empty(len(table), np.float32))
    over_rows(_code_rows, len(table), table, codes, at_once=_UPDATED_AT_ONCE)
    return codes


@njit(cache=True, nogil=True)
def _code_rows(start: int, end: int, table: FloatArray, codes: Rows) -> None:
    room = np.empty(1, np.int32)
    for row in range(start, end):
        codes.scale[row] = _code_row(table[row], codes.values[row], room)


@njit(cache=True, nogil=True)
def _code_row(row: FloatArray, codes: npt.NDArray[np.int8], room: npt.NDArray[np.int32]) -> np.float32:
    """Write the codes of a row; returns their scale. The largest number is found by its bits, eight at once."""
    bits, most = row.view(np.int32), np.int32(0)
    for k in range(bits.shape[0]):
        size = bits[k] & np.int32(0x7FFFFFFF)
        most = size if size > most else most
    room[0] = most
    largest = room.view(np.float32)[0]
    if largest < _LEAST_CODED:
        codes[:] = 0
        return np.float32(0.0)
    factor = _LARGEST_CODE / largest
    for k in range(row.shape[0]):
        codes[k] = np.int8(np.rint(row[k] * factor))
    return np.float32(largest / _LARGEST_CODE)


def update_rows(
    starts: npt.NDArray[np.int64],
    touched: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    values: FloatArray,
    gradients: FloatArray,
    table: FloatArray,
    accumulator: FloatArray,
    learning_rate: np.float32,
    epsilon: np.float32,
    codes: Rows = NO_CODES,
) -> None:
    """Row-wise Adagrad on the touched rows of the table, each updated by one thread: no lock, one fixed order of sums.

    The entries of touched row c are starts[c]:starts[c+1]; entry j adds values[j] * gradients[rows[j]] to its gradient.
    Where there are `codes` of the table, as `code_rows` gives them, they follow.
    """
    arrays = (starts, touched, rows, values, gradients, table, accumulator, codes)
    over_rows(_update_rows, len(touched), *arrays, learning_rate, epsilon, at_once=_UPDATED_AT_ONCE)


@njit(cache=True, nogil=True, fastmath=SUM_FLAGS)
def _update_rows(
    start: int, end: int, starts: npt.NDArray[np.int64], touched: npt.NDArray[np.int64], rows: npt.NDArray[np.int64],
    values: FloatArray, gradients: FloatArray, table: FloatArray, accumulator: FloatArray, codes: Rows,
    learning_rate: np.float32, epsilon: np.float32,
) -> None:  # fmt: skip
    dim, coded = table.shape[1], codes.scale.shape[0] > 0
    gradient, room = np.empty(dim, dtype=np.float32), np.empty(1, np.int32)
    for c in range(start, end):
        gradient[:] = 0.0
        entry, stop = starts[c], starts[c + 1]
        if c + 1 < end:
            prefetch_row(table, touched[c + 1])
            if coded:
                prefetch_row(codes.values, touched[c + 1])
        while entry + 4 <= stop:
            v0, v1, v2, v3 = values[entry], values[entry + 1], values[entry + 2], values[entry + 3]
            g0, g1 = gradients[rows[entry]], gradients[rows[entry + 1]]
            g2, g3 = gradients[rows[entry + 2]], gradients[rows[entry + 3]]
            for k in range(dim):
                gradient[k] += (v0 * g0[k] + v1 * g1[k]) + (v2 * g2[k] + v3 * g3[k])
            entry += 4
        for last in range(entry, stop):
            value, source = values[last], gradients[rows[last]]
            for k in range(dim):
                gradient[k] += value * source[k]
        squares = np.float32(0.0)
        for k in range(dim):
            squares += gradient[k] * gradient[k]
        row = touched[c]
        accumulator[row] += squares / dim
        rate = learning_rate / (np.sqrt(accumulator[row]) + epsilon)
        target = table[row]
        for k in range(dim):
            target[k] -= rate * gradient[k]
        if coded:
            codes.scale[row] = _code_row(target, codes.values[row], room)
