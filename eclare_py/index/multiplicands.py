"""Documents as the products of a search take them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from eclare_py.errors import UsageError
from eclare_py.quantize import Rows
from eclare_py.types import FloatArray

_LEAST = np.float32(1e-30)  # a document whose largest number is smaller is taken for zeros: nothing may overflow


class Multiplicands(NamedTuple):
    """Documents as `multiply_rows` takes them: <row, document> is (product - base) * unit * the row's scale.

    Attributes:
        values: (B, d) float32, int16 codes, or int8 codes and zeros up to a multiple of 64.
        unit: (B,) what a code stands for.
        base: (B,) what is too much in each product.
    """

    values: np.ndarray
    unit: FloatArray
    base: FloatArray

    @classmethod
    def of(cls, x: FloatArray, rows: Rows) -> Multiplicands:
        """(B, d) documents for such rows: as they are for float32, by codes of 16 bits for codes of 8, of 8 for 4."""
        n, d = x.shape
        if rows.values.dtype == np.float32:
            return cls(x, np.ones(n, dtype=np.float32), np.zeros(n, dtype=np.float32))
        codes: np.ndarray
        if rows.values.dtype == np.uint8:
            codes, most, too_much = np.zeros((n, 2 * rows.values.shape[1]), dtype=np.int8), 127, 8
        else:
            codes, most, too_much = np.empty((n, d), dtype=np.int16), _most(d), 0
        unit, base = np.empty(n, dtype=np.float32), np.empty(n, dtype=np.float32)
        _code(x, np.float32(most), np.float32(too_much), codes, unit, base)
        return cls(codes, unit, base)

    def part(self, rows: slice) -> Multiplicands:
        """Some of the documents."""
        return Multiplicands(self.values[rows], self.unit[rows], self.base[rows])


def sixteen_bits(x: FloatArray) -> FloatArray:
    """(B, d) documents as the search sees them that multiplies by codes of 8 bits.

    Raises:
        UsageError: Values are not finite.
    """
    seen = np.empty(x.shape, dtype=np.float32)
    if not _round(x, np.float32(_most(x.shape[1])), seen):
        raise UsageError("document vectors hold NaN or infinity")
    return seen


def _most(d: int) -> int:
    """The largest code of 16 bits; smaller where d products with codes of 8 bits could leave 32."""
    return min(2**15 - 1, (2**31 - 1) // (127 * max(d, 1)))


@njit(cache=True, nogil=True)
def _code(
    x: FloatArray, most: float, too_much: float, codes: np.ndarray, units: FloatArray, bases: FloatArray
) -> None:  # fmt: skip
    """The nearest of the codes -most..most of each row, and `too_much` times their sum."""
    for row in range(x.shape[0]):
        units[row], factor = _scale(x[row], most)
        total = np.int64(0)
        for j in range(x.shape[1]):
            code = np.int32(np.rint(x[row, j] * factor))
            codes[row, j] = code
            total += code
        bases[row] = too_much * np.float32(total)


@njit(cache=True, nogil=True)
def _round(x: FloatArray, most: float, out: FloatArray) -> bool:
    """What the codes stand for; False where a number is not finite."""
    for row in range(x.shape[0]):
        for j in range(x.shape[1]):
            if not np.isfinite(x[row, j]):
                return False
        unit, factor = _scale(x[row], most)
        for j in range(x.shape[1]):
            out[row, j] = np.rint(x[row, j] * factor) * unit
    return True


@njit(cache=True, nogil=True)
def _scale(x: FloatArray, most: float) -> tuple[np.float32, np.float32]:
    """What a code stands for, and what numbers are multiplied by to get their codes."""
    largest = np.float32(0.0)
    for j in range(x.shape[0]):
        largest = max(largest, abs(x[j]))
    if largest < _LEAST:
        return np.float32(0.0), np.float32(0.0)
    return largest / most, most / largest
