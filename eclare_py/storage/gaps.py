"""Ascending numbers as the gaps between them, a byte or two each: what sorted columns of sparse matrices take on disk.

A gap is written in base 128, lowest digits first; the highest bit of a byte says that another follows (LEB128).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eclare_py.types import IntArray

_MOST = 5  # bytes of a number below 2 ** 35


def pack_gaps(values: npt.NDArray[np.integer], pointers: IntArray) -> npt.NDArray[np.uint8]:
    """Lists of ascending numbers as bytes.

    Args:
        values: (n,) numbers from 0 to 2 ** 35 - 1.
        pointers: (m+1,) list i is `values[pointers[i]:pointers[i+1]]`, which must ascend.
    """
    gaps = values.astype(np.int64)
    gaps[1:] -= values[:-1]
    starts = pointers[:-1][np.diff(pointers) > 0]
    gaps[starts] = values[starts]
    digits = (gaps[:, None] >> (7 * np.arange(_MOST))) & 127
    lengths = _MOST - np.argmax(digits[:, ::-1] > 0, axis=1)
    lengths[gaps == 0] = 1
    used = np.arange(_MOST) < lengths[:, None]
    more = np.arange(_MOST) < lengths[:, None] - 1
    return np.asarray((digits | more * 128)[used], dtype=np.uint8)


def unpack_gaps(packed: npt.NDArray[np.uint8], pointers: IntArray) -> IntArray:
    """What `pack_gaps` was given.

    Raises:
        ValueError: The pointers decrease, or the bytes do not hold as many numbers as they ask for.
    """
    if not len(pointers) or pointers[0] != 0 or np.any(np.diff(pointers) < 0):
        raise ValueError("pointers of gaps must begin at 0 and not decrease")
    wanted = int(pointers[-1])
    ends = np.flatnonzero(packed < 128)
    if packed.dtype != np.uint8 or len(ends) != wanted or (len(packed) and packed[-1] >= 128):
        raise ValueError(f"{len(ends)} gaps of {packed.dtype} for {wanted} numbers")
    if not wanted:
        return np.empty(0, dtype=np.int64)
    begins = np.concatenate([[0], ends[:-1] + 1])
    places = np.arange(len(packed)) - np.repeat(begins, ends - begins + 1)
    if places.max() >= _MOST:
        raise ValueError(f"a gap takes {int(places.max()) + 1} bytes, more than {_MOST}")
    gaps = np.add.reduceat((packed & 127).astype(np.int64) << (7 * places), begins)
    total = np.cumsum(gaps)
    counts = np.diff(pointers)
    starts = pointers[:-1][counts > 0]
    before = np.concatenate([[0], total])[starts]
    return np.asarray(total - np.repeat(before, counts[counts > 0]), dtype=np.int64)
