"""Matrices of vectors in one byte a number: a quarter of the disk, of the memory and of the time to read them.

Row i is codes[i] * scale[i] with codes in -127..127 (symmetric quantisation per row, round to nearest). The scale keeps
16 bits, so that codes * scale is exact in float32 and quantising a row that was quantised before gives the same codes:
a model is rounded once, before its fusion is fitted, and then answers the same from float32, from codes and from disk.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from eclare_py.kernel_flags import SUM_FLAGS
from eclare_py.types import FloatArray

_LARGEST = np.float32(127)
_KEPT_BITS = 16


class Rows(NamedTuple):
    """A matrix (n, d) as compiled code reads it.

    Attributes:
        values: (n, d) int8 codes, or float32 values.
        scale: (n,) factor of each row; ones for float32 values.
    """

    values: npt.NDArray[np.int8] | FloatArray
    scale: FloatArray

    def dense(self, rows: npt.NDArray[np.integer] | slice = slice(None)) -> FloatArray:
        """(n, d) float32, of all rows or of some."""
        return np.asarray(self.values[rows] * self.scale[rows][:, None], dtype=np.float32)


def plain(matrix: FloatArray) -> Rows:
    """The matrix as it is."""
    return Rows(matrix, np.ones(len(matrix), dtype=np.float32))


def quantize(matrix: FloatArray) -> Rows:
    """The nearest codes; a row of zeros gets the scale 0.

    Raises:
        ValueError: A value is not finite.
    """
    largest = np.abs(matrix).max(axis=1, initial=0).astype(np.float32)
    if not np.isfinite(largest).all():
        raise ValueError(f"row {int(np.argmin(np.isfinite(largest)))} holds NaN or infinity and cannot be quantised")
    fraction, exponent = np.frexp(largest / _LARGEST)
    scale = np.ldexp(np.ceil(np.ldexp(fraction, _KEPT_BITS)), exponent - _KEPT_BITS).astype(np.float32)
    codes = np.rint(matrix / np.where(scale > 0, scale, 1)[:, None]).astype(np.int8)
    return Rows(codes, scale)


def rounded(matrix: FloatArray) -> FloatArray:
    """The matrix as its codes give it back."""
    return quantize(matrix).dense()


@njit(cache=True, nogil=True, fastmath=SUM_FLAGS)
def dot_row(values: npt.NDArray[np.int8] | FloatArray, scale: FloatArray, row: int, vector: FloatArray) -> np.float32:
    """Inner product of a row of `Rows` with a (d,) vector, added up in float32."""
    total = np.float32(0.0)
    for j in range(vector.shape[0]):
        total += np.float32(values[row, j]) * vector[j]
    return np.float32(total * scale[row])
