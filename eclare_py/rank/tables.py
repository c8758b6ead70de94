"""Small hash tables of label ids for compiled code: open addressing, a power of two slots, -1 where a slot is empty."""

from __future__ import annotations

import numpy as np
from numba import njit

FACTOR = 0x9E3779B1  # spreads keys over 32 bits (Knuth's multiplicative hashing)


@njit(cache=True, nogil=True)
def slot_of(keys: np.ndarray, key: int) -> int:
    """Slot of a label: its own, or the empty one it may take."""
    mask = keys.shape[0] - 1
    spread = (key * FACTOR) & 0xFFFFFFFF
    slot = (spread ^ (spread >> 15)) & mask  # the lower bits of a product know nothing of the upper ones of the key
    while keys[slot] != -1 and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True)
def empty_table(entries: int) -> np.ndarray:
    """An empty table, at most half full when it holds `entries` labels."""
    size = 16
    while size < 2 * entries:
        size *= 2
    return np.full(size, -1, np.int64)


@njit(cache=True, nogil=True)
def settle(known: np.ndarray, label: int) -> bool:
    """Note a label; False where it was noted before."""
    slot = slot_of(known, label)
    fresh = known[slot] < 0
    known[slot] = label
    return bool(fresh)
