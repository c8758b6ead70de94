"""Compiled inner loops of an index whose clusters overlap: the best path to every label, then the labels' scores.

A label reached through several clusters keeps its best path (ELIAS, NeurIPS 2022, section 3). Training and answering
share `best_paths`, so a saved index searches exactly what was trained.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eclare_py.index.selection import keep_best, sort_best
from eclare_py.quantize import Rows, dot_row
from eclare_py.threads import over_rows
from eclare_py.types import FloatArray, IntArray

_MIX = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True, nogil=True)
def _place(table: IntArray, labels: IntArray, label: int) -> int:
    """The entry of an open-addressing table that holds a label, or the free one where it belongs."""
    mask = table.shape[0] - 1
    place = np.int64((np.uint64(label) * _MIX) >> np.uint64(33)) & mask
    while table[place] >= 0 and labels[table[place]] != label:
        place = (place + 1) & mask
    return place


@njit(cache=True, nogil=True)
def best_paths(
    clusters: IntArray,
    gates: FloatArray,
    leaf_ptr: IntArray,
    label_order: IntArray,
    edges: FloatArray,
    labels: IntArray,
    slots: IntArray,
    turns: IntArray,
    paths: FloatArray,
) -> int:
    """The shortlist of one document: labels with the best paths gate * edge, each once.

    Args:
        clusters: (b,) distinct clusters; below 0: none.
        gates: (b,) their scores.
        leaf_ptr: (C+1,) slots of each cluster.
        label_order: (n,) label in each slot; below 0: empty.
        edges: (n,) weight of each slot.
        labels: (K,) receives the labels, in no order; the rest is left as it is.
        slots: (K,) receives the slot of each label's best path, the earlier cluster where paths are equal.
        turns: (K,) receives the position in `clusters` it leads through.
        paths: (K,) receives the path scores.

    Returns:
        Number of labels found, at most K; of equal paths the smaller label is kept.
    """
    total = 0
    for cluster in clusters:
        if cluster >= 0:
            total += leaf_ptr[cluster + 1] - leaf_ptr[cluster]
    size = 2
    while size < 2 * total:
        size *= 2
    table, found = np.full(size, -1, np.int64), 0
    found_labels, found_paths = np.empty(total, np.int64), np.empty(total, np.float32)
    found_slots, found_turns = np.empty(total, np.int64), np.empty(total, np.int64)
    for turn in range(clusters.shape[0]):
        if clusters[turn] < 0:
            continue
        for slot in range(leaf_ptr[clusters[turn]], leaf_ptr[clusters[turn] + 1]):
            if label_order[slot] < 0:
                continue
            path = gates[turn] * edges[slot]
            place = _place(table, found_labels, label_order[slot])
            at = table[place]
            if at < 0:
                at = found
                table[place], found_labels[at] = at, label_order[slot]
                found += 1
            elif path <= found_paths[at]:
                continue
            found_paths[at], found_slots[at], found_turns[at] = path, slot, turn
    kept = keep_best(found_paths[:found], found_labels[:found], paths, labels)
    for i in range(kept):
        at = table[_place(table, found_labels, labels[i])]
        slots[i], turns[i] = found_slots[at], found_turns[at]
    return kept


def best_paths_rows(
    clusters: IntArray,
    gates: FloatArray,
    leaf_ptr: IntArray,
    label_order: IntArray,
    edges: FloatArray,
    labels: IntArray,
    slots: IntArray,
    turns: IntArray,
    paths: FloatArray,
) -> None:
    """`best_paths` for B documents, one thread each."""
    arrays = (clusters, gates, leaf_ptr, label_order, edges, labels, slots, turns, paths)
    over_rows(_best_paths_rows, len(clusters), *arrays, at_once=32)


@njit(cache=True, nogil=True)
def _best_paths_rows(
    start: int, stop: int, clusters: IntArray, gates: FloatArray, leaf_ptr: IntArray, label_order: IntArray,
    edges: FloatArray, labels: IntArray, slots: IntArray, turns: IntArray, paths: FloatArray,
) -> None:  # fmt: skip
    for row in range(start, stop):
        best_paths(
            clusters[row], gates[row], leaf_ptr, label_order, edges, labels[row], slots[row], turns[row], paths[row]
        )


@njit(cache=True, nogil=True)
def _rank_paths(
    start: int, stop: int, clusters: IntArray, gates: FloatArray, leaf_ptr: IntArray, label_order: IntArray,
    edges: FloatArray, shortlist: int, vectors: Rows, label_bias: FloatArray, x: FloatArray, ids: IntArray,
    scores: FloatArray, scored: IntArray,
) -> None:  # fmt: skip
    """`rank_paths` of the documents start..stop-1."""
    labels, slots = np.empty(shortlist, np.int64), np.empty(shortlist, np.int64)
    turns, paths = np.empty(shortlist, np.int64), np.empty(shortlist, np.float32)
    kept_scores, kept_ids = np.empty(scores.shape[1], np.float32), np.empty(ids.shape[1], np.int64)
    for row in range(start, stop):
        total = best_paths(clusters[row], gates[row], leaf_ptr, label_order, edges, labels, slots, turns, paths)
        found = 0
        for i in range(total):
            bias = label_bias[labels[i]]
            if bias > -np.inf:
                logit = dot_row(vectors.values, vectors.scale, labels[i], x[row]) + bias
                paths[found], labels[found] = np.float32(paths[i] / (1.0 + math.exp(-logit))), labels[i]
                found += 1
        size = keep_best(paths[:found], labels[:found], kept_scores, kept_ids)
        sort_best(kept_scores, kept_ids, size)
        ids[row, :size], scores[row, :size] = kept_ids[:size], kept_scores[:size]
        scored[row] = total


def rank_paths(
    clusters: IntArray,
    gates: FloatArray,
    leaf_ptr: IntArray,
    label_order: IntArray,
    edges: FloatArray,
    shortlist: int,
    vectors: Rows,
    label_bias: FloatArray,
    x: FloatArray,
    ids: IntArray,
    scores: FloatArray,
) -> IntArray:
    """The best labels of documents by sigmoid(<x, v_l> + b_l) * path.

    Args:
        clusters: (B, b) distinct clusters.
        gates: (B, b) their scores.
        leaf_ptr: (C+1,) slots of each cluster.
        label_order: (n,) label in each slot.
        edges: (n,) weight of each slot.
        shortlist: Most labels scored: those with the best paths.
        vectors: (L, d) label vectors.
        label_bias: (L,); -inf hides a label.
        x: (B, d) documents.
        ids: (B, k) receives labels; holds padding before.
        scores: (B, k) receives scores; holds -inf before.

    Returns:
        (B,) number of labels scored.
    """
    scored = np.zeros(len(x), dtype=np.int64)
    arrays = (clusters, gates, leaf_ptr, label_order, edges, shortlist, vectors, label_bias, x, ids, scores, scored)
    over_rows(_rank_paths, len(x), *arrays, at_once=32)
    return scored
