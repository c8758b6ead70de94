"""Compiled selection of the k best of many items: better = higher score, then lower id."""

from __future__ import annotations

import numpy as np
from numba import njit

from eclare_py.threads import over_rows
from eclare_py.types import FloatArray, IntArray

_BINS = 512  # of the histogram: 4 KB of counts stay in the first-level cache
_WHOLE = np.float32(2**23)  # added to a smaller number, it leaves that rounded to a whole one in the last bits


@njit(cache=True, nogil=True)
def _sift_down(scores: FloatArray, ids: IntArray, size: int) -> None:
    score, item, parent = scores[0], ids[0], 0
    while True:
        child = 2 * parent + 1
        if child >= size:
            break
        other = child + 1
        if other < size and (
            scores[other] < scores[child] or (scores[other] == scores[child] and ids[other] > ids[child])
        ):
            child = other
        if not (scores[child] < score or (scores[child] == score and ids[child] > item)):
            break
        scores[parent], ids[parent] = scores[child], ids[child]
        parent = child
    scores[parent], ids[parent] = score, item


@njit(cache=True, nogil=True)
def offer(scores: FloatArray, ids: IntArray, size: int, score: float, item: int) -> int:
    """Show one item to the heap of capacity `len(scores)`; returns the new number of items kept."""
    if size == scores.shape[0]:
        if score > scores[0] or (score == scores[0] and item < ids[0]):
            scores[0], ids[0] = score, item
            _sift_down(scores, ids, size)
        return size
    slot = size
    while slot > 0:
        parent = (slot - 1) // 2
        if not (score < scores[parent] or (score == scores[parent] and item > ids[parent])):
            break
        scores[slot], ids[slot] = scores[parent], ids[parent]
        slot = parent
    scores[slot], ids[slot] = score, item
    return size + 1


@njit(cache=True, nogil=True)
def drain(scores: FloatArray, ids: IntArray, size: int) -> None:
    """Sort the heap in place: best first, ties by id ascending."""
    for last in range(size - 1, 0, -1):
        scores[0], scores[last] = scores[last], scores[0]
        ids[0], ids[last] = ids[last], ids[0]
        _sift_down(scores, ids, last)


@njit(cache=True, nogil=True)
def top_k_row(values: FloatArray, ids: IntArray, scores: FloatArray) -> None:
    """Top-k of `values` (L,) into `ids` and `scores` (k,), which hold padding before; -inf is left out."""
    kept_scores, kept_ids, size = np.empty_like(scores), np.empty_like(ids), 0
    for column in range(values.shape[0]):
        score = values[column]
        # Columns come in ascending order, so one that only equals the worst kept score cannot displace it.
        if score > -np.inf and (size < kept_ids.shape[0] or score > kept_scores[0]):
            size = offer(kept_scores, kept_ids, size, score, column)
    drain(kept_scores, kept_ids, size)
    ids[:size] = kept_ids[:size]
    scores[:size] = kept_scores[:size]


def top_k_rows(values: FloatArray, ids: IntArray, scores: FloatArray) -> None:
    """`top_k_row` for each row of `values` (B, L)."""
    over_rows(_top_k_rows, len(values), values, ids, scores, at_once=16)


@njit(cache=True, nogil=True)
def _top_k_rows(start: int, stop: int, values: FloatArray, ids: IntArray, scores: FloatArray) -> None:
    for row in range(start, stop):
        top_k_row(values[row], ids[row], scores[row])


@njit(cache=True, nogil=True)
def keep_best(scores: FloatArray, ids: IntArray, kept_scores: FloatArray, kept_ids: IntArray) -> int:
    """The best of many items, in no order.

    A heap of a wide beam is entered by most items, each time along a whole branch. Here a histogram of the scores
    tells in which bin the k-th best lies: what is above is kept as it comes, and only that bin goes through a heap.

    Args:
        scores: (n,) finite scores.
        ids: (n,) items.
        kept_scores: (k,) receives the scores of the best.
        kept_ids: (k,) receives the items.

    Returns:
        Number of items kept, min(n, k).
    """
    n, k = scores.shape[0], kept_ids.shape[0]
    if n <= k:
        kept_scores[:n], kept_ids[:n] = scores, ids
        return n
    low, high = _ends(scores)
    factor = np.float32(_BINS - 1) / (high - low) if high > low else np.float32(0.0)
    places = np.empty(n, np.float32)
    for i in range(n):
        places[i] = (scores[i] - low) * factor + _WHOLE
    # The bin of a score is in the last bits of its place. A range that overflows, or is empty, leads to no numbers and
    # puts all items into bin 0: right too, only slower.
    bins, counts = places.view(np.int32), np.zeros(_BINS, np.int32)
    for i in range(n):
        bins[i] &= np.int32(_BINS - 1)
    for i in range(n):
        counts[bins[i]] += 1
    last, above = _BINS - 1, 0
    while above + counts[last] < k:
        above += counts[last]
        last -= 1
    found, size = np.empty(above + counts[last] + 1, np.int32), 0
    for i in range(n):  # written over where it does not stay: nothing to guess wrong
        found[size] = i
        size += bins[i] >= last
    written, tied = 0, 0
    for i in found[:size]:
        if bins[i] > last:
            kept_scores[written], kept_ids[written] = scores[i], ids[i]
            written += 1
        else:
            tied = offer(kept_scores[above:], kept_ids[above:], tied, scores[i], ids[i])
    return k


@njit(cache=True, nogil=True)
def _ends(scores: FloatArray) -> tuple[np.float32, np.float32]:
    """The least and the largest number, of none NaN, by their bits: of whole numbers many are compared at once."""
    bits = scores.view(np.int32)
    low = high = _turned(bits[0])
    for i in range(bits.shape[0]):
        turned = _turned(bits[i])
        low, high = min(low, turned), max(high, turned)
    ends = np.array([_turned(low), _turned(high)]).astype(np.int32).view(np.float32)
    return ends[0], ends[1]


@njit(cache=True, nogil=True)
def sort_best(scores: FloatArray, ids: IntArray, size: int) -> None:
    """Sort the first `size` items in place: best first, ties by id ascending.

    The bits of floats, read as integers, are in the order of the floats where these are positive, and turned around
    where they are not; with the id below them they are sorted as one number.

    Args:
        scores: (n,) float32, none NaN.
        ids: (n,) items from 0 to 2^32 - 1.
        size: Items to sort.
    """
    keys = np.empty(size, np.int64)
    for i in range(size):
        scores[i] += np.float32(0.0)  # -0 is no less than 0
    bits = scores.view(np.int32)
    for i in range(size):
        keys[i] = (~_turned(bits[i]) << 32) | ids[i]
    keys.sort()
    for i in range(size):
        ids[i] = keys[i] & 0xFFFFFFFF
        bits[i] = np.int32(_turned(~(keys[i] >> 32)))


@njit(cache=True, nogil=True)
def ascending(numbers: IntArray) -> IntArray:
    """Places of numbers from 0 to 2^31 - 1 in their order, of equal ones the first.

    Number and place are sorted as one: numba's own stable sort takes seconds to compile for each type it meets.
    """
    keys = np.empty(numbers.shape[0], np.int64)
    for place in range(keys.shape[0]):
        keys[place] = (np.int64(numbers[place]) << 32) | place
    keys.sort()
    for place in range(keys.shape[0]):
        keys[place] &= 0xFFFFFFFF
    return keys


@njit(cache=True, nogil=True)
def kth_smallest(numbers: FloatArray, count: int) -> float:
    """The largest of the `count` smallest of some finite numbers (Hoare, 1961)."""
    found = numbers.copy()
    low, high, wanted = 0, found.shape[0] - 1, count - 1
    while low < high:
        middle = (low + high) >> 1
        pivot = max(min(found[low], found[middle]), min(max(found[low], found[middle]), found[high]))
        left, right = low, high
        while left <= right:
            while found[left] < pivot:
                left += 1
            while found[right] > pivot:
                right -= 1
            if left <= right:
                found[left], found[right] = found[right], found[left]
                left += 1
                right -= 1
        if wanted <= right:
            high = right
        elif wanted >= left:
            low = left
        else:
            break
    return found[wanted]


@njit(cache=True, nogil=True)
def _turned(bits: int) -> np.int64:
    """The bits of a float as a number in the order of the floats, and back."""
    wide = np.int64(bits)
    return wide ^ ((wide >> 63) & 0x7FFFFFFF)
