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
        found = cls(x, np.ones(n, dtype=np.float32), np.zeros(n, dtype=np.float32))
        if rows.values.dtype == np.float32:
            return found
        codes: np.ndarray
        if rows.values.dtype == np.uint8:
            codes, most, too_much = np.zeros((n, 2 * rows.values.shape[1]), dtype=np.int8), 127, 8
        else:  # so few bits that no sum leaves 32
            most, too_much = min(2**15 - 1, (2**31 - 1) // (127 * max(d, 1))), 0
            codes = np.empty((n, d), dtype=np.int16)
        _code(x, np.float32(most), np.float32(too_much), codes, found.unit, found.base)
        return found._replace(values=codes)

    def part(self, rows: slice) -> Multiplicands:
        """Some of the documents."""
        return Multiplicands(self.values[rows], self.unit[rows], self.base[rows])


@njit(cache=True, nogil=True)
def _code(
    x: FloatArray, most: float, too_much: float, codes: np.ndarray, units: FloatArray, bases: FloatArray
) -> None:  # fmt: skip
    """The nearest of the codes -most..most of each row, and `too_much` times their sum."""
    for row in range(x.shape[0]):
        largest = np.float32(0.0)
        for j in range(x.shape[1]):
            largest = max(largest, abs(x[row, j]))
        if largest < _LEAST:
            largest = np.float32(0.0)
        units[row] = largest / most
        factor = most / largest if largest > 0 else np.float32(0.0)
        total = np.int64(0)
        for j in range(x.shape[1]):
            code = np.int32(np.rint(x[row, j] * factor))
            codes[row, j] = code
            total += code
        bases[row] = too_much * np.float32(total)


def sixteen_bits(x: FloatArray) -> FloatArray:
    """(B, d) documents as the search sees them that multiplies by codes of 8 bits.

    Raises:
        UsageError: Values are not finite.
    """
    if not np.isfinite(x).all():
        raise UsageError("document vectors hold NaN or infinity")
    seen = Multiplicands.of(x, Rows(np.empty((0, x.shape[1]), dtype=np.int8), np.empty(0, dtype=np.float32)))
    return np.asarray(seen.values * seen.unit[:, None], dtype=np.float32)
