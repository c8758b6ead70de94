"""Choose a vocabulary from training texts, in memory that does not depend on the length of the n-grams.

Two passes. The first counts in how many texts each 64-bit hash occurs: 16 bytes a slot of a hash table. The second
collects the strings of those that are kept, and compares every later occurrence with the string first seen, so that two
n-grams of one hash are noticed; another hash seed is taken then.

Most n-grams of long texts are too rare to be kept, and the table of all of them grows with the text. Inside of
`storage.spool.spooled` the first pass writes the hashes to disk, in files by their first bits, and counts file by file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from eclare_py.errors import TrainingError
from eclare_py.features.ngrams import (
    CodeArray,
    HashArray,
    Int32Array,
    Int64Array,
    NgramRange,
    compiled,
    same_slice,
    slices,
    text_blocks,
)
from eclare_py.features.vocabulary import Vocabulary
from eclare_py.storage.spool import Collector, spooling

_MAX_SEEDS = 8
_PART_BITS = 6  # of a hash that tell its file
_PART_BLOCK = 1 << 18  # hashes of a file counted at once


def fit_vocabulary(
    texts: Sequence[str],
    ngrams: NgramRange,
    *,
    min_df: int = 1,
    max_features: int | None = None,
    phrase_min_df: int = 1,
) -> tuple[Vocabulary, Int64Array]:
    """Choose the n-grams that become features.

    Args:
        texts: Training texts.
        ngrams: Which n-grams.
        min_df: Texts that an n-gram must occur in.
        max_features: Keep only this many, by document frequency; of equals the first in code point order.
        phrase_min_df: Texts that an n-gram of several words must occur in; of those that `max_features` leaves.

    Returns:
        The vocabulary and the (V,) number of texts that each of its terms occurs in.

    Raises:
        TrainingError: Hashes collide under every seed tried (that takes text made for the purpose).
    """
    blocks = list(text_blocks(texts))
    for seed in range(_MAX_SEEDS):
        keys, frequencies = _count_hashes(texts, blocks, ngrams, seed, min_df)
        floor = _frequency_floor(frequencies, min_df, max_features)
        kept = frequencies >= floor
        terms = _collect_terms(texts, blocks, ngrams, seed, keys[kept])
        if terms is not None:
            chosen = sorted(zip((-frequencies[kept]).tolist(), terms, strict=True))[:max_features]
            if not ngrams.characters:
                chosen = [pair for pair in chosen if -pair[0] >= phrase_min_df or " " not in pair[1]]
            chosen.sort(key=lambda pair: pair[1])
            return Vocabulary([term for _, term in chosen], ngrams), np.array([-f for f, _ in chosen], dtype=np.int64)
    raise TrainingError(f"n-grams of these texts collide under {_MAX_SEEDS} hash seeds; look for generated text")


def _frequency_floor(frequencies: Int64Array, min_df: int, max_features: int | None) -> int:
    """Smallest document frequency that can still be among the `max_features` most frequent."""
    candidates = frequencies[frequencies >= min_df]
    if max_features is None or len(candidates) <= max_features:
        return min_df
    return int(np.partition(candidates, len(candidates) - max_features)[len(candidates) - max_features])


def _count_hashes(
    texts: Sequence[str], blocks: list[tuple[int, int]], ngrams: NgramRange, seed: int, min_df: int
) -> tuple[HashArray, Int64Array]:
    """Hashes that `min_df` texts have, and how many do; with counting in memory the rarer ones too."""
    found = ((start, slices(texts[start:stop], ngrams, seed)) for start, stop in blocks)
    if not spooling():
        return _counted((block.hashes, block.pointers, start) for start, block in found)
    parts = [Collector(np.uint64) for _ in range(1 << _PART_BITS)]
    for _, block in found:
        hashes, ends = _distinct(block.hashes, block.pointers, 64 - _PART_BITS)
        for part, begin, end in zip(parts, ends[:-1], ends[1:], strict=True):
            part.add(hashes[begin:end])
    counted = [_counted(_single(part.finish()), min_df) for part in parts]
    return np.concatenate([keys for keys, _ in counted]), np.concatenate([counts for _, counts in counted])


def _single(hashes: HashArray) -> Iterator[tuple[HashArray, Int64Array, int]]:
    """Hashes of which each counts, as those of a text of its own, in blocks for `_counted`."""
    for start in range(0, len(hashes), _PART_BLOCK):
        block = hashes[start : start + _PART_BLOCK]
        yield block, np.arange(len(block) + 1), start


def _counted(blocks: Iterable[tuple[HashArray, Int64Array, int]], least: int = 1) -> tuple[HashArray, Int64Array]:
    """Hashes that `least` texts have, and how many do; a block: hashes, where each text's begin, its first text."""
    keys, counts, last = _empty_counts(1 << 16)
    used = 0
    for hashes, pointers, first in blocks:
        while 2 * (used + len(hashes)) > len(keys):
            grown = _empty_counts(2 * len(keys))
            _rehash(keys, counts, last, *grown)
            keys, counts, last = grown
        used += _count_block(hashes, pointers, first, keys, counts, last)
    filled = counts >= least
    return keys[filled], counts[filled].astype(np.int64)


def _empty_counts(size: int) -> tuple[HashArray, Int32Array, Int32Array]:
    """An open-addressing table: hash, texts counted (0 = empty slot), last text counted."""
    return np.zeros(size, np.uint64), np.zeros(size, np.int32), np.full(size, -1, np.int32)


def _collect_terms(
    texts: Sequence[str], blocks: list[tuple[int, int]], ngrams: NgramRange, seed: int, wanted: HashArray
) -> list[str] | None:
    """The string behind each wanted hash, or None if one of them stands for two strings."""
    size = 8
    while size < 2 * len(wanted):
        size *= 2
    slots = np.full(size, -1, dtype=np.int64)
    _fill_hashes(wanted, slots)
    begins, lengths = np.full(len(wanted), -1, dtype=np.int64), np.zeros(len(wanted), dtype=np.int64)
    store, used = np.empty(1 << 16, dtype=np.uint32), 0
    for start, stop in blocks:
        found = slices(texts[start:stop], ngrams, seed)
        room = used + int(found.lengths.sum(dtype=np.int64))
        if room > len(store):
            store = np.concatenate([store, np.empty(max(room - len(store), len(store)), dtype=np.uint32)])
        used = _collect_block(*found[:4], wanted, slots, begins, lengths, store, used)
        if used < 0:
            return None
    text = store[:used].tobytes().decode("utf-32-le", "surrogatepass")
    return [text[a : a + n] for a, n in zip(begins.tolist(), lengths.tolist(), strict=True)]


@compiled
def _count_block(
    hashes: HashArray, pointers: Int64Array, first_text: int, keys: HashArray, counts: Int32Array, last: Int32Array
) -> int:
    """Add the texts of a block to the counts; each text once per hash. Returns the number of new hashes."""
    mask = np.uint64(len(keys) - 1)
    new = 0
    for text in range(len(pointers) - 1):
        for position in range(pointers[text], pointers[text + 1]):
            place = hashes[position] & mask
            while counts[place] > 0 and keys[place] != hashes[position]:
                place = (place + np.uint64(1)) & mask
            if counts[place] == 0:
                keys[place] = hashes[position]
                new += 1
            if last[place] != first_text + text:
                counts[place] += 1
                last[place] = first_text + text
    return new


@compiled
def _distinct(hashes: HashArray, pointers: Int64Array, shift: int) -> Any:
    """The distinct hashes of each text, put together by their first bits: what is left after `shift` bits on the right.

    Returns:
        The hashes, and where those of each part begin.
    """
    kept, used = np.empty_like(hashes), 0
    for text in range(len(pointers) - 1):
        own = np.sort(hashes[pointers[text] : pointers[text + 1]])
        for position in range(len(own)):
            if position == 0 or own[position] != own[position - 1]:
                kept[used] = own[position]
                used += 1
    ends = np.zeros((1 << (64 - shift)) + 1, dtype=np.int64)
    for position in range(used):
        ends[np.int64(kept[position] >> np.uint64(shift)) + 1] += 1
    ends = np.cumsum(ends)
    places, parted = ends[:-1].copy(), np.empty(used, dtype=np.uint64)
    for position in range(used):
        part = np.int64(kept[position] >> np.uint64(shift))
        parted[places[part]] = kept[position]
        places[part] += 1
    return parted, ends


@compiled
def _rehash(
    keys: HashArray,
    counts: Int32Array,
    last: Int32Array,
    new_keys: HashArray,
    new_counts: Int32Array,
    new_last: Int32Array,
) -> None:
    mask = np.uint64(len(new_keys) - 1)
    for old in range(len(keys)):
        if counts[old] > 0:
            place = keys[old] & mask
            while new_counts[place] > 0:
                place = (place + np.uint64(1)) & mask
            new_keys[place], new_counts[place], new_last[place] = keys[old], counts[old], last[old]


@compiled
def _fill_hashes(wanted: HashArray, slots: Int64Array) -> None:
    mask = np.uint64(len(slots) - 1)
    for position in range(len(wanted)):
        place = wanted[position] & mask
        while slots[place] >= 0:
            place = (place + np.uint64(1)) & mask
        slots[place] = position


@compiled
def _collect_block(
    codes: CodeArray,
    starts: Int32Array,
    lengths: Int32Array,
    hashes: HashArray,
    wanted: HashArray,
    slots: Int64Array,
    begins: Int64Array,
    term_lengths: Int64Array,
    store: CodeArray,
    used: int,
) -> int:
    """Copy wanted n-grams seen for the first time into the store, compare the others; -1 on a collision."""
    mask = np.uint64(len(slots) - 1)
    for position in range(len(starts)):
        place = hashes[position] & mask
        while slots[place] >= 0 and wanted[slots[place]] != hashes[position]:
            place = (place + np.uint64(1)) & mask
        term = slots[place]
        if term < 0:
            continue
        if begins[term] < 0:
            begins[term], term_lengths[term] = used, lengths[position]
            for step in range(lengths[position]):
                store[used + step] = codes[starts[position] + step]
            used += lengths[position]
        elif term_lengths[term] != lengths[position] or not same_slice(
            codes, starts[position], store, begins[term], lengths[position]
        ):
            return -1
    return used
