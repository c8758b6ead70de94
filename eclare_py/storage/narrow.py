"""Arrays in the smallest type that holds every value exactly: columns below 65,536 need no 8 bytes each on disk."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_UNSIGNED, _SIGNED = (np.uint8, np.uint16, np.uint32), (np.int8, np.int16, np.int32)
WIDE = {kind().dtype.name: kind for kind in (np.int16, np.int32, np.int64, np.uint16, np.uint32, np.uint64, np.float32)}
_GLANCE = 4096  # entries that tell most arrays of full precision


def narrow(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same values in fewer bytes, or the array itself; `widen` with its type's name gives it back bit by bit."""
    if array.dtype.name not in WIDE or not array.size:
        return array
    if array.dtype.kind == "f":
        flat = array.reshape(-1)
        if _is_half(flat[:_GLANCE]) and _is_half(flat):
            return array.astype(np.float16)
        return array
    low, high = int(array.min()), int(array.max())
    for kind in _UNSIGNED if low >= 0 else _SIGNED:
        if kind().itemsize < array.itemsize and np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return array.astype(kind)
    return array


def widen(array: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Back to the type of a name.

    Raises:
        ValueError: No type of `narrow` has this name.
    """
    if name not in WIDE:
        raise ValueError(f"type {name!r} is none of {', '.join(WIDE)}")
    return array.astype(WIDE[name])


def _is_half(values: npt.NDArray[np.float32]) -> bool:
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    same = half.astype(np.float32) == values
    return bool(np.all(same & (np.signbit(half) == np.signbit(values))))
