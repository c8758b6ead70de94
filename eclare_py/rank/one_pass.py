"""Ranking document by document in compiled code: what `Ranker.evidence` and `Ranker.logits` do, without their matrices.

A document goes from its shortlist to its ranking, or to the evidence of its candidates, while all about it stays in the
processor's cache. Labels are looked up in small hash tables, so that nothing is as large as the number of labels.

These functions take seconds to compile, once for each combination of types that they meet. A plain 0 has a type of its
own, so that it is made an int64 here.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from eclare_py.index.selection import ascending, keep_best, sort_best
from eclare_py.prefetch import AHEAD, prefetch, prefetch_row
from eclare_py.quantize import dot_row
from eclare_py.rank.arrays import Documents, LabelArrays, Limits, SupportArrays
from eclare_py.rank.buckets import buckets_of, sum_and_best_of_matches
from eclare_py.rank.candidates import OUTSIDE
from eclare_py.rank.evidence import GRAPH_COLUMNS
from eclare_py.rank.gathering import Pairs, Text, compare, first_width, gather, log_of_place, look, note, read
from eclare_py.rank.layers import Layers, judge
from eclare_py.rank.tables import empty_table, settle, slot_of
from eclare_py.types import FloatArray, IntArray

_GRAPH = len(GRAPH_COLUMNS)


@njit(cache=True, nogil=True)
def _chance(logit: float) -> np.float32:
    return np.float32(0.5) * (np.float32(1.0) + np.float32(np.tanh(np.float32(0.5) * logit)))


@njit(cache=True, nogil=True)
def _spread(seeds: IntArray, chances: FloatArray, support: SupportArrays) -> tuple[np.ndarray, FloatArray]:
    """Support of all labels that follow the seeds: a table of labels and the values in its slots."""
    edges = 0
    for seed in seeds:
        edges += support.ptr[seed + 1] - support.ptr[seed]
    keys = empty_table(edges)
    values = np.zeros(keys.shape[0], np.float32)
    for i in range(seeds.shape[0]):
        for edge in range(support.ptr[seeds[i]], support.ptr[seeds[i] + 1]):
            slot = slot_of(keys, support.labels[edge])
            keys[slot] = support.labels[edge]
            values[slot] += chances[i] * support.weights[edge]
    return keys, values


@njit(cache=True, nogil=True)
def _add_supported(
    size: int, keys: np.ndarray, supports: FloatArray, text: Text, labels: LabelArrays, limits: Limits, pairs: Pairs
) -> int:
    """The labels with most support that are not candidates yet; returns the new number of candidates."""
    followers, values, count = np.empty(keys.shape[0], np.int64), np.empty(keys.shape[0], np.float32), 0
    for slot in range(keys.shape[0]):  # written over where the slot is empty: nothing to guess wrong
        followers[count], values[count] = keys[slot], supports[slot]
        count += keys[slot] >= 0
    strongest = np.empty(min(limits.graph_candidates, count), np.int64)
    keep_best(values[:count], followers[:count], np.empty(strongest.shape[0], np.float32), strongest)
    before = size
    for label in strongest:
        if settle(pairs.known, label):
            note(size, label, np.float32(0.0), limits.shortlist, np.float32(OUTSIDE), pairs, limits)
            size += 1
    look(before, size, before, text, labels, limits, pairs)
    return size


@njit(cache=True, nogil=True)
def _finalists(size: int, count: int, pairs: Pairs, logits: FloatArray) -> int:
    """Move the candidates with the best logits to the front, ties by label; returns their number."""
    if size <= count:
        return size
    tied = np.empty(size, np.int64)  # ties are broken by label, the upper bits
    for pair in range(size):
        tied[pair] = (pairs.found[pair] << 24) | pair
    kept, best = np.empty(count, np.int64), np.empty(count, np.float32)
    keep_best(logits[:size], tied, best, kept)
    stays = np.zeros(size, np.bool_)
    for i in range(count):
        stays[kept[i] & 0xFFFFFF] = True
    new = 0
    for old in range(size):
        if stays[old]:
            pairs.found[new], pairs.columns[new], logits[new] = pairs.found[old], pairs.columns[old], logits[old]
            new += 1
    return count


@njit(cache=True, nogil=True)
def _above(ordered: IntArray, value: int) -> int:
    """How many of some ascending numbers are larger."""
    low, size = 0, ordered.shape[0]
    while size > 0:  # a choice of numbers, not of ways: nothing to guess wrong
        half = size >> 1
        low = low + size - half if ordered[low + half] <= value else low
        size = half
    return ordered.shape[0] - low


@njit(cache=True, nogil=True)
def _relate(
    size: int, keys: np.ndarray, supports: FloatArray, seeds: IntArray, chances: FloatArray, text: Text,
    labels: LabelArrays, support: SupportArrays, pairs: Pairs, start: int,
) -> None:  # fmt: skip
    """The graph's columns, from column `start` on."""
    own = np.empty(size, np.float32)
    for pair in range(size):
        slot = slot_of(keys, pairs.found[pair])
        own[pair] = supports[slot] if keys[slot] >= 0 else 0.0
    # The bits of floats that are not negative, read as integers, are in the same order.
    bits = own.view(np.int32)
    ordered = bits.astype(np.int64)
    ordered.sort()
    known, said, small = buckets_of(seeds, chances), np.empty(2, np.float32), np.float32(1e-3)
    for pair in range(size + AHEAD):
        if pair < size:
            label = pairs.found[pair]
            prefetch_row(labels.near_vectors, label)
            prefetch_row(labels.near_centroids, label)
            for edge in range(support.ptr[label], support.ptr[label + 1], 16):
                prefetch(support.labels, edge)
                prefetch(support.weights, edge)
                prefetch(support.mutual, edge)
        ready = pair - AHEAD
        if ready < 0:
            continue
        label, column = pairs.found[ready], pairs.columns[ready]
        sum_and_best_of_matches(  # of the neighbours that are seeds
            known.keys, known.values, known.shift, support.labels, support.weights, support.mutual,
            support.ptr[label], support.ptr[label + 1], said,
        )  # fmt: skip
        column[start] = np.log(own[ready] + small)
        column[start + 1] = own[ready] == 0
        column[start + 2] = log_of_place(_above(ordered, np.int64(bits[ready])))
        column[start + 3] = np.log(said[0] + small)
        column[start + 4] = np.log(said[1] + small)
        column[start + 5] = np.float32(10.0) * dot_row(labels.near_vectors, labels.near_vectors_scale, label, text.x)
        column[start + 6] = np.float32(10.0) * dot_row(
            labels.near_centroids, labels.near_centroids_scale, label, text.x
        )


@njit(cache=True, nogil=True)
def _add_graph(
    size: int, text: Text, labels: LabelArrays, support: SupportArrays, first: Layers, limits: Limits, pairs: Pairs,
    logits: FloatArray,
) -> int:  # fmt: skip
    """Spread the first chances over the graph: more candidates, the choice of finalists, and their last columns.

    Returns:
        Number of the finalists.
    """
    columns, width = pairs.columns, first_width(limits)
    count = min(limits.seeds, size)
    chosen, seeds = np.empty(count, np.float32), np.empty(count, np.int64)
    keep_best(logits[:size], pairs.found[:size], chosen, seeds)
    order = ascending(seeds)
    seeds, chosen = seeds[order], chosen[order]
    for i in range(count):
        chosen[i] = _chance(chosen[i])
    keys, supports = _spread(seeds, chosen, support)
    if limits.graph_candidates:
        before = size
        size = _add_supported(size, keys, supports, text, labels, limits, pairs)
        changed = compare(columns, before, size) if size > before else size
        judge(first, columns, changed, size, logits)
    size = _finalists(size, limits.finalists, pairs, logits)
    columns[:size, width] = logits[:size]
    if limits.graph_features:
        _relate(size, keys, supports, seeds, chosen, text, labels, support, pairs, width + 1)
    return size


@njit(cache=True, nogil=True)
def _weigh(
    row: int, documents: Documents, labels: LabelArrays, support: SupportArrays, first: Layers, limits: Limits
) -> tuple[int, Pairs, FloatArray]:
    """All candidates of one document with their evidence: how many, in what room, and their logits by `first`."""
    text = read(row, documents)
    hidden = documents.hidden[documents.hidden_ptr[row] : documents.hidden_ptr[row + 1]]
    room = limits.shortlist + documents.reached.shape[1] + documents.voted.shape[1] + limits.graph_candidates
    width = first_width(limits) + 1 + _GRAPH
    pairs = Pairs(
        np.empty(room, np.int64), np.empty((room, width), np.float32), empty_table(room + hidden.shape[0])
    )  # fmt: skip
    for label in hidden:
        settle(pairs.known, label)
    logits = np.empty(room, np.float32)
    begin, size = np.int64(0), gather(row, documents, text, labels, limits, pairs)
    compare(pairs.columns, begin, size)
    judge(first, pairs.columns, begin, size, logits)
    if limits.graph:
        size = _add_graph(size, text, labels, support, first, limits, pairs, logits)
    return size, pairs, logits


@njit(cache=True, nogil=True)
def rank_documents(
    start: int, stop: int, documents: Documents, labels: LabelArrays, support: SupportArrays, first: Layers,
    final: Layers, limits: Limits, ids: IntArray, scores: FloatArray,
) -> None:  # fmt: skip
    """Best labels of the documents start..stop-1 into `ids` and `scores` (B, k), which hold padding before."""
    width = first_width(limits)
    for row in range(start, stop):
        size, pairs, logits = _weigh(row, documents, labels, support, first, limits)
        if limits.graph:
            judge(final, pairs.columns, np.int64(0), size, logits)
            logits[:size] += pairs.columns[:size, width]
        for pair in range(size):
            lifted = logits[pair] + labels.boost[pairs.found[pair]]
            logits[pair] = _chance(np.float32(limits.slope) * lifted + np.float32(limits.offset))
        kept_scores, kept = np.empty(scores.shape[1], np.float32), np.empty(ids.shape[1], np.int64)
        size = keep_best(logits[:size], pairs.found[:size], kept_scores, kept)
        sort_best(kept_scores, kept, size)
        ids[row, :size], scores[row, :size] = kept[:size], kept_scores[:size]


@njit(cache=True, nogil=True)
def weigh_documents(
    start: int, stop: int, documents: Documents, labels: LabelArrays, support: SupportArrays, first: Layers,
    limits: Limits, counts: IntArray, found: IntArray, columns: FloatArray,
) -> None:  # fmt: skip
    """The evidence that the final fusion sees of some documents.

    Args:
        start: First of them.
        stop: Behind the last one.
        documents: B documents.
        labels: The labels.
        support: The support graph.
        first: The first fusion.
        limits: Sizes.
        counts: (B,) receives the number of candidates of each document.
        found: (B, m) receives them, ascending.
        columns: (B, m, F) receives their evidence.
    """
    for row in range(start, stop):
        size, pairs, _ = _weigh(row, documents, labels, support, first, limits)
        counts[row] = size
        for new, old in enumerate(ascending(pairs.found[:size])):
            found[row, new] = pairs.found[old]
            columns[row, new] = pairs.columns[old, : columns.shape[2]]
