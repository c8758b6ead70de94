"""Ascending numbers as the gaps between them, a byte or two each: what sorted columns of sparse matrices take on disk.

A gap is written in base 128, lowest digits first; the highest bit of a byte says that another follows (LEB128).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from eclare_py.types import IntArray

_MOST = 5  # bytes of a number below 2 ** 35


def pack_gaps(values: npt.NDArray[np.integer], pointers: IntArray) -> npt.NDArray[np.uint8]:
    """Lists of ascending numbers as bytes.

    Args:
        values: (n,) numbers from 0 to 2 ** 35 - 1.
        pointers: (m+1,) list i is `values[pointers[i]:pointers[i+1]]`.

    Raises:
        ValueError: A list does not ascend.
    """
    pointers = pointers.astype(np.int64, copy=False)
    size = _packed_size(values, pointers)
    if size < 0:
        raise ValueError("numbers that do not ascend cannot be told by their gaps")
    packed = np.empty(size, dtype=np.uint8)
    _pack(values, pointers, packed)
    return packed


def unpack_gaps(packed: npt.NDArray[np.uint8], pointers: IntArray) -> IntArray:
    """What `pack_gaps` was given.

    Raises:
        ValueError: The pointers decrease, or the bytes do not hold as many numbers as they ask for.
    """
    if not len(pointers) or pointers[0] != 0 or np.any(np.diff(pointers) < 0):
        raise ValueError("pointers of gaps must begin at 0 and not decrease")
    wanted = int(pointers[-1])
    if packed.dtype != np.uint8 or len(packed) < wanted:  # before room is made for as many as a file claims to hold
        raise ValueError(f"{len(packed)} gaps of {packed.dtype} for {wanted} numbers")
    values = np.empty(wanted, dtype=np.int64)
    if not _unpack(np.ascontiguousarray(packed), pointers.astype(np.int64, copy=False), values):
        raise ValueError(f"the bytes of the gaps are not those of {wanted} numbers")
    return values


@njit(cache=True, nogil=True)
def _packed_size(values: npt.NDArray[np.integer], pointers: IntArray) -> int:
    """Bytes, or -1 where a list does not ascend."""
    size = 0
    for row in range(len(pointers) - 1):
        before = np.int64(0)
        for place in range(pointers[row], pointers[row + 1]):
            gap, before = np.int64(values[place]) - before, np.int64(values[place])
            if gap < 0:
                return -1
            size += 1
            while gap >= 128:
                gap >>= 7
                size += 1
    return size


@njit(cache=True, nogil=True)
def _pack(values: npt.NDArray[np.integer], pointers: IntArray, packed: npt.NDArray[np.uint8]) -> None:
    end = 0
    for row in range(len(pointers) - 1):
        before = np.int64(0)
        for place in range(pointers[row], pointers[row + 1]):
            gap, before = np.int64(values[place]) - before, np.int64(values[place])
            while gap >= 128:
                packed[end] = (gap & 127) | 128
                gap >>= 7
                end += 1
            packed[end] = gap
            end += 1


@njit(cache=True, nogil=True)
def _unpack(packed: npt.NDArray[np.uint8], pointers: IntArray, values: IntArray) -> bool:
    """Whether the bytes are exactly as many numbers as there is room for."""
    end = 0
    for row in range(len(pointers) - 1):
        number = np.int64(0)
        for place in range(pointers[row], pointers[row + 1]):
            for digit in range(_MOST + 1):
                if digit == _MOST or end == len(packed):
                    return False
                byte = np.int64(packed[end])
                end += 1
                number += (byte & 127) << (7 * digit)
                if byte < 128:
                    break
            values[place] = number
    return bool(end == len(packed))
