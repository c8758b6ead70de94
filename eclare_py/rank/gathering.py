"""The candidates of one document in compiled code, with the evidence that needs no graph."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from eclare_py.prefetch import AHEAD, prefetch, prefetch_row
from eclare_py.quantize import dot_row
from eclare_py.rank.arrays import Documents, LabelArrays, Limits
from eclare_py.rank.buckets import Buckets, buckets_of, sum_of_matches
from eclare_py.rank.candidates import OUTSIDE
from eclare_py.rank.evidence import FIRST_COLUMNS, LINEAR_COLUMNS, VOTE_COLUMNS
from eclare_py.rank.tables import empty_table, settle, slot_of
from eclare_py.rank.votes import LEAST_VOTE
from eclare_py.types import FloatArray, IntArray

_LOGS = np.log1p(np.arange(1024)).astype(np.float32)  # a logarithm takes as long as most other columns of a pair
_FIRST, _LINEAR, _VOTES = len(FIRST_COLUMNS), len(LINEAR_COLUMNS), len(VOTE_COLUMNS)


class Text(NamedTuple):
    """One document: vector (d,), a table of its TF-IDF terms, and its neighbours' labels in another."""

    x: FloatArray
    terms: Buckets
    voted: np.ndarray
    shares: FloatArray
    nearest: FloatArray
    top: np.float32


class Pairs(NamedTuple):
    """Room for the candidates of one document: ids, columns of evidence, and a table of labels that are settled."""

    found: IntArray
    columns: FloatArray
    known: np.ndarray


@njit(cache=True, nogil=True)
def read(row: int, documents: Documents) -> Text:
    """One document with its tables."""
    begin, end = documents.term_ptr[row], documents.term_ptr[row + 1]
    terms = buckets_of(documents.terms[begin:end], documents.values[begin:end])
    found = documents.voted[row]
    voted, top = empty_table(2 * found.shape[0]), np.float32(0.0)
    shares, nearest = np.zeros(voted.shape[0], np.float32), np.zeros(voted.shape[0], np.float32)
    for j in range(found.shape[0]):
        if found[j] >= 0:
            slot = slot_of(voted, found[j])
            voted[slot], shares[slot], nearest[slot] = found[j], documents.shares[row, j], documents.nearest[row, j]
            top = max(top, documents.nearest[row, j])
    return Text(documents.vectors[row], terms, voted, shares, nearest, top)


@njit(cache=True, nogil=True)
def first_width(limits: Limits) -> int:
    """Columns that the first fusion sees."""
    return _FIRST + _LINEAR * limits.linear + _VOTES * limits.votes


@njit(cache=True, nogil=True)
def log_of_place(place: int) -> np.float32:
    """log(1 + place) of a place from 0 on."""
    return _LOGS[place] if place < _LOGS.shape[0] else np.float32(np.log1p(place))


@njit(cache=True, nogil=True)
def note(size: int, label: int, similarity: float, order: int, path: float, pairs: Pairs, limits: Limits) -> None:
    """Candidate number `size` with what is known when it is found."""
    column = pairs.columns[size]
    pairs.found[size] = label
    column[0] = np.float32(10.0) * similarity
    column[3] = log_of_place(order)
    if limits.linear:
        column[_FIRST] = path
        column[_FIRST + 1] = path <= OUTSIDE


@njit(cache=True, nogil=True)
def look(start: int, size: int, outside: int, text: Text, labels: LabelArrays, limits: Limits, pairs: Pairs) -> None:
    """What the candidates from `start` on are like, in all columns but those that look at the best dense score.

    Those from `outside` on come from outside of the shortlist: their dense score is made here. The rows of labels lie
    anywhere in memory, and are asked for some candidates before.
    """
    found = pairs.found
    for pair in range(start, size + AHEAD):
        if pair < size:
            label = found[pair]
            prefetch_row(labels.centroids, label)
            prefetch(labels.term_ptr, label)
            prefetch(labels.log_frequencies, label)
            if pair >= outside:
                prefetch_row(labels.vectors, label)
        near = pair - AHEAD // 2
        if start <= near < size:
            begin, end = labels.term_ptr[found[near]], labels.term_ptr[found[near] + 1]
            for k in range(begin, end, 16):
                prefetch(labels.terms, k)
                prefetch(labels.weights, k)
        ready = pair - AHEAD
        if ready < start:
            continue
        label, column = found[ready], pairs.columns[ready]
        if ready >= outside:
            similarity = dot_row(labels.vectors, labels.vectors_scale, label, text.x) + labels.bias[label]
            column[0] = np.float32(10.0) * similarity
        frequency = labels.log_frequencies[label]
        column[4] = frequency
        column[5] = frequency == _LOGS[0]
        column[6] = frequency == _LOGS[1]
        column[7] = np.float32(10.0) * dot_row(labels.centroids, labels.centroids_scale, label, text.x)
        column[8] = np.float32(10.0) * sum_of_matches(
            text.terms.keys, text.terms.values, text.terms.shift, labels.terms, labels.weights,
            labels.term_ptr[label], labels.term_ptr[label + 1],
        )  # fmt: skip
        if limits.votes:
            begin, slot = _FIRST + _LINEAR * limits.linear, slot_of(text.voted, label)
            column[begin] = np.log(text.shares[slot] + LEAST_VOTE)
            column[begin + 1] = np.float32(10.0) * text.nearest[slot]
            column[begin + 2] = np.float32(10.0) * text.top


@njit(cache=True, nogil=True)
def gather(row: int, documents: Documents, text: Text, labels: LabelArrays, limits: Limits, pairs: Pairs) -> int:
    """Candidates of shortlist, linear beam and neighbours; returns their number."""
    reached = documents.reached[row]
    slots = empty_table(reached.shape[0])
    paths = np.full(slots.shape[0], np.float32(OUTSIDE))
    for j in range(reached.shape[0]):
        if reached[j] >= 0:
            slot = slot_of(slots, reached[j])
            slots[slot] = reached[j]
            paths[slot] = max(documents.paths[row, j], np.float32(OUTSIDE))
    begin = size = np.int64(0)
    for j in range(documents.shortlist.shape[1]):
        label = documents.shortlist[row, j]
        if label >= 0 and size < limits.shortlist and settle(pairs.known, label):
            note(size, label, documents.similarity[row, j], size, paths[slot_of(slots, label)], pairs, limits)
            size += 1
    outside = size
    for others in (reached, documents.voted[row]):
        for label in others:
            if label >= 0 and settle(pairs.known, label):
                note(size, label, np.float32(0.0), limits.shortlist, paths[slot_of(slots, label)], pairs, limits)
                size += 1
    look(begin, size, outside, text, labels, limits, pairs)
    return int(size)


@njit(cache=True, nogil=True)
def compare(columns: FloatArray, start: int, size: int) -> int:
    """The columns that look at the best dense score, for new candidates from `start` on.

    Returns:
        The first pair whose columns are other than before: 0 where a new one is the best of all.
    """
    before, best = np.float32(-np.inf), np.float32(-np.inf)
    for pair in range(size):
        if pair == start:
            before = best
        best = max(best, columns[pair, 0])
    if start and best > before:
        start = 0
    for pair in range(start, size):
        columns[pair, 1] = columns[pair, 0] - best
        columns[pair, 2] = best
    return start
