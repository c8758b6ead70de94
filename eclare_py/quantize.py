"""Matrices of vectors in one byte a number, or half a byte: less disk, less memory to wait for.

Row i is codes[i] * scale[i] with codes in -127..127 or, of 4 bits, -7..7 (symmetric quantisation per row, round to
nearest). The scale keeps 16 bits, so that codes * scale is exact in float32 and quantising a row that was quantised
before gives the same codes: a model is rounded once, before its fusion is fitted, and then answers the same from
float32, from codes and from disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from eclare_py.kernel_flags import SUM_FLAGS
from eclare_py.types import Csr, FloatArray

_LARGEST = {8: np.float32(127), 4: np.float32(7)}  # code by bits
NIBBLES = 64  # codes of 4 bits that are packed together
_KEPT_BITS = 16
_COARSE_BITS = 5
_MOST = 1e36  # of a scale: the largest code times it is still a number
_BLOCK = 16384  # rows coded at once


class Rows(NamedTuple):
    """A matrix (n, d) as compiled code reads it.

    Attributes:
        values: (n, d) float32 values or int8 codes, or codes two to a byte as `in_nibbles` packs them.
        scale: (n,) factor of each row; ones for float32 values.
    """

    values: npt.NDArray[Any]
    scale: FloatArray

    def dense(self, rows: npt.NDArray[np.integer] | slice = slice(None)) -> FloatArray:
        """(n, d) float32, of all rows or of some."""
        return np.asarray(self.values[rows] * self.scale[rows][:, None], dtype=np.float32)


def plain(matrix: FloatArray) -> Rows:
    """The matrix as it is."""
    return Rows(matrix, np.ones(len(matrix), dtype=np.float32))


def quantize(matrix: FloatArray, bits: int = 8) -> Rows:
    """The nearest codes of 8 or 4 bits; a row of zeros gets the scale 0.

    Raises:
        ValueError: A value is not finite.
    """
    codes, scale = np.empty(matrix.shape, dtype=np.int8), np.empty(len(matrix), dtype=np.float32)
    for rows in _blocks(matrix):
        codes[rows], scale[rows] = _coded(matrix, rows, bits)
    return Rows(codes, scale)


def rounded(matrix: FloatArray, bits: int = 8) -> FloatArray:
    """The matrix as its codes give it back."""
    out = np.empty(matrix.shape, dtype=np.float32)
    for rows in _blocks(matrix):
        out[rows] = _coded(matrix, rows, bits).dense()
    return out


def codes_of(matrix: FloatArray) -> Rows:
    """The codes of a matrix that was rounded before: those of 4 bits where they give it back, else of 8.

    Raises:
        ValueError: A value is not finite.
    """
    small = Rows(np.empty(matrix.shape, dtype=np.int8), np.empty(len(matrix), dtype=np.float32))
    for rows in _blocks(matrix):
        part = _coded(matrix, rows, 4)
        if not np.array_equal(part.dense(), matrix[rows]):
            return quantize(matrix)
        small.values[rows], small.scale[rows] = part
    return small


def four_bits_do(codes: npt.NDArray[np.int8]) -> bool:
    """Whether all codes are among -7..7."""
    return bool(np.abs(codes).max(initial=0) <= _LARGEST[4])


def in_nibbles(rows: Rows) -> Rows:
    """Codes of 4 bits for compiled code, two to a byte: of each 64 the first 32 in the lower halves, plus 8 all.

    Raises:
        ValueError: A code needs more bits.
    """
    n, d = rows.values.shape
    if not four_bits_do(rows.values):
        raise ValueError("codes of more than 4 bits do not go two to a byte")
    packed = np.empty((n, -(-d // NIBBLES) * NIBBLES // 2), dtype=np.uint8)
    for some in _blocks(packed):
        codes = np.pad(rows.values[some] + np.int8(8), ((0, 0), (0, -d % NIBBLES))).astype(np.uint8)
        halves = codes.reshape(len(codes), -1, 2, NIBBLES // 2)
        packed[some] = (halves[:, :, 0] | halves[:, :, 1] << 4).reshape(len(codes), -1)
    return Rows(packed, rows.scale)


def _blocks(matrix: FloatArray) -> Iterator[slice]:
    """Rows at hand together: what is made on the way takes several times their room, and there may be millions."""
    return (slice(start, start + _BLOCK) for start in range(0, len(matrix), _BLOCK))


def _coded(matrix: FloatArray, rows: slice, bits: int) -> Rows:
    """The codes of some rows."""
    part = matrix[rows]
    largest = np.abs(part).max(axis=1, initial=0).astype(np.float32)
    if not np.isfinite(largest).all():
        row = rows.start + int(np.argmin(np.isfinite(largest)))
        raise ValueError(f"row {row} holds NaN or infinity and cannot be quantised")
    fraction, exponent = np.frexp(largest / _LARGEST[bits])
    scale = np.ldexp(np.ceil(np.ldexp(fraction, _KEPT_BITS)), exponent - _KEPT_BITS).astype(np.float32)
    return Rows(np.rint(part / np.where(scale > 0, scale, 1)[:, None]).astype(np.int8), scale)


def to_arrays(name: str, rows: Rows) -> dict[str, npt.NDArray[Any]]:
    """Codes and scales for the disk: rows of zeros are left out, codes of 4 bits go two to a byte."""
    codes = rows.values[rows.scale > 0].astype(np.int8)
    if four_bits_do(codes):
        nibbles = (np.pad(codes, ((0, 0), (0, codes.shape[1] % 2))) + 8).astype(np.uint8)
        codes = nibbles[:, ::2] | nibbles[:, 1::2] << 4
    return {name: codes, f"{name}_scale": rows.scale}


def from_arrays(arrays: Mapping[str, npt.NDArray[Any]], name: str, dim: int) -> Rows:
    """What `to_arrays` was given.

    Args:
        arrays: The arrays.
        name: The name given there.
        dim: Length d of the vectors.

    Raises:
        ValueError: An array is missing, or types and shapes do not fit; says which.
    """
    for part in (name, f"{name}_scale"):
        if part not in arrays:
            raise ValueError(f"array {part} is missing")
    packed, scale = arrays[name], arrays[f"{name}_scale"]
    if scale.dtype != np.float32 or scale.ndim != 1 or (len(scale) and not 0 <= scale.min() <= scale.max() <= _MOST):
        raise ValueError(f"{name}_scale must be one row of float32, none below 0 or above {_MOST:g}")
    width = {np.dtype(np.int8): dim, np.dtype(np.uint8): -(-dim // 2)}.get(packed.dtype)
    if width is None or packed.shape != (int((scale > 0).sum()), width):
        raise ValueError(f"{name} is {packed.dtype} {packed.shape}, no codes of {len(scale)} rows of {dim} numbers")
    if packed.dtype == np.uint8:
        pairs = np.stack([packed & 15, packed >> 4], axis=2).reshape(len(packed), 2 * width)
        packed = pairs[:, :dim].astype(np.int8) - np.int8(8)
    return Rows(with_zero_rows(packed, scale), scale)


def with_zero_rows(packed: npt.NDArray[Any], scale: FloatArray) -> npt.NDArray[Any]:
    """The codes of all rows, where those of scale 0 were left out."""
    if (scale > 0).all():
        return packed
    whole = np.zeros((len(scale), packed.shape[1]), dtype=packed.dtype)
    whole[scale > 0] = packed
    return whole


def coarse(values: FloatArray) -> FloatArray:
    """Weights to five significant bits, a thirtieth of each: so few differ that the disk holds most in a byte."""
    return significant(values, _COARSE_BITS)


def coarse_matrix(matrix: Csr) -> Csr:
    """A sparse matrix with such weights."""
    return Csr((coarse(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)


def significant(values: FloatArray, bits: int) -> FloatArray:
    """The nearest numbers of so many significant bits."""
    fraction, exponent = np.frexp(values)
    return np.ldexp(np.rint(np.ldexp(fraction, bits)), exponent - bits).astype(np.float32)


@njit(cache=True, nogil=True, fastmath=SUM_FLAGS)
def dot_row(values: npt.NDArray[np.int8] | FloatArray, scale: FloatArray, row: int, vector: FloatArray) -> np.float32:
    """Inner product of a row of `Rows` with a (d,) vector, added up in float32."""
    total = np.float32(0.0)
    for j in range(vector.shape[0]):
        total += np.float32(values[row, j]) * vector[j]
    return np.float32(total * scale[row])
