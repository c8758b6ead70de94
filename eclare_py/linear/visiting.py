"""The order in which coordinate descent visits documents: random, and the same on every machine and thread."""

from __future__ import annotations

import numpy as np
from numba import njit

from eclare_py.types import IntArray


@njit(cache=True, nogil=True)
def seeded(seed: int) -> np.ndarray:
    """(1,) state of the random numbers."""
    return np.full(1, np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(88172645463325252), np.uint64)


@njit(cache=True, nogil=True)
def _uniform(state: np.ndarray, below: int) -> int:
    """Xorshift: a whole number in 0..below-1; the same on every machine and thread."""
    value = state[0]
    value ^= value << np.uint64(13)
    value ^= value >> np.uint64(7)
    value ^= value << np.uint64(17)
    state[0] = value
    return int(((value >> np.uint64(32)) * np.uint64(below)) >> np.uint64(32))  # a division takes ten times as long


@njit(cache=True, nogil=True)
def shuffle(items: IntArray, size: int, state: np.ndarray) -> None:
    """Put the first `size` items in random order."""
    for i in range(size):
        j = i + _uniform(state, size - i)
        items[i], items[j] = items[j], items[i]
