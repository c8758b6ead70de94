"""Numbers of which few differ, as each of them once and a code a number: a byte or two in place of four."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from eclare_py.errors import ModelError
from eclare_py.types import FloatArray

_GLANCE = 1 << 16  # numbers that tell whether there are few
_SHARE = 8  # so many numbers for each that differs


def distinct_to_arrays(name: str, values: FloatArray) -> dict[str, npt.NDArray[Any]]:
    """`name`, the numbers that differ, and `name_of`, the place of each there; or `name` alone, as they are.

    Args:
        name: Of the array.
        values: (n,) finite numbers.
    """
    some = values[:_GLANCE]
    if len(np.unique(some)) * _SHARE > len(some):
        return {name: values}
    known, places = np.unique(values, return_inverse=True)
    return {name: known, f"{name}_of": places.astype(np.int64)}


def distinct_from_arrays(arrays: Mapping[str, npt.NDArray[Any]], name: str, *, owner: str) -> npt.NDArray[Any]:
    """What `distinct_to_arrays` was given.

    Args:
        arrays: Those of a file.
        name: Of the array.
        owner: Whose arrays they are, to be named in an error.

    Raises:
        ModelError: An array is missing, or a place is none; says which.
    """
    if name not in arrays:
        raise ModelError(f"{owner}: array {name} is missing")
    known, places = arrays[name], arrays.get(f"{name}_of")
    if places is None:
        return known
    if known.ndim != 1 or places.ndim != 1 or places.dtype != np.int64:
        shapes = f"{places.dtype} {places.shape} for {name} {known.shape}"
        raise ModelError(f"{owner}: {name}_of is {shapes}, not a row for a row")
    if places.min(initial=0) < 0 or places.max(initial=-1) >= len(known):
        raise ModelError(f"{owner}: {name}_of points outside of {len(known)} numbers")
    return np.asarray(known[places])

