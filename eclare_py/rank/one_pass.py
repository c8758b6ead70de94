"""Ranking document by document in compiled code: what `Ranker.evidence` and `Ranker.logits` do, without their matrices.

Training and explanation want the evidence of all candidates as matrices. An answer wants the best labels alone; here a
document goes from its shortlist to its ranking while everything about it stays in the processor's cache. Labels are
looked up in small hash tables, so that nothing is as large as the number of labels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from eclare_py.index.kernels import dot_row
from eclare_py.index.selection import keep_best, sort_best
from eclare_py.kernel_flags import SUM_FLAGS
from eclare_py.rank.candidates import OUTSIDE
from eclare_py.rank.evidence import FIRST_COLUMNS, GRAPH_COLUMNS, LINEAR_COLUMNS
from eclare_py.rank.fusion import FusionNetwork
from eclare_py.types import FloatArray, IntArray

_FIRST, _LINEAR, _GRAPH = len(FIRST_COLUMNS), len(LINEAR_COLUMNS), len(GRAPH_COLUMNS)
_BITS = 8192  # of the filter that says which terms a document cannot have


class LabelArrays(NamedTuple):
    """All that is known of the L labels.

    Attributes:
        vectors: (L, d) label vectors.
        bias: (L,) added to the cosine.
        centroids: (L, d) of their documents.
        near_vectors: (L, d) mean of the neighbours' vectors.
        near_centroids: (L, d) mean of the neighbours' centroids.
        frequencies: (L,) of train.
        boost: (L,) added to the last logit.
        term_ptr: (L+1,) terms of each label's text.
        terms: Their columns, ascending.
        weights: Their TF-IDF.
    """

    vectors: FloatArray
    bias: FloatArray
    centroids: FloatArray
    near_vectors: FloatArray
    near_centroids: FloatArray
    frequencies: IntArray
    boost: FloatArray
    term_ptr: np.ndarray
    terms: np.ndarray
    weights: FloatArray


class SupportArrays(NamedTuple):
    """The support graph of E edges: CSR, and the mutual weight of each edge."""

    ptr: np.ndarray
    labels: np.ndarray
    weights: FloatArray
    mutual: FloatArray


class Layers(NamedTuple):
    """A fusion network with its standardisation folded into the first layer."""

    w0: FloatArray
    b0: FloatArray
    w1: FloatArray
    b1: FloatArray
    w2: FloatArray
    b2: float

    @classmethod
    def of(cls, network: FusionNetwork) -> Layers:
        """Fold (x - mean) / scale."""
        folded = network.weights[0] / network.scale[:, None]
        return cls(
            np.ascontiguousarray(folded, dtype=np.float32),
            (network.biases[0] - network.mean @ folded).astype(np.float32),
            np.ascontiguousarray(network.weights[1]),
            network.biases[1],
            np.ascontiguousarray(network.weights[2][:, 0]),
            float(network.biases[2][0]),
        )


class Limits(NamedTuple):
    """What takes part: most labels of the shortlist, labels added by the graph, seeds; and which evidence there is."""

    shortlist: int
    graph_candidates: int
    seeds: int
    linear: bool
    graph: bool
    graph_features: bool


class Documents(NamedTuple):
    """B documents with what was found for them.

    Attributes:
        vectors: (B, d).
        term_ptr: (B+1,) their TF-IDF rows.
        terms: Columns, ascending.
        values: Weights.
        shortlist: (B, K) labels by dense score, -1 where there are fewer.
        similarity: (B, K) dense scores.
        reached: (B, J) labels of the linear ranker's beam; J = 0 where there is none.
        paths: (B, J) logs of their path scores.
        hidden_ptr: (B+1,) labels that must not come up.
        hidden: These labels.
    """

    vectors: FloatArray
    term_ptr: np.ndarray
    terms: np.ndarray
    values: FloatArray
    shortlist: IntArray
    similarity: FloatArray
    reached: IntArray
    paths: FloatArray
    hidden_ptr: IntArray
    hidden: IntArray


@njit(cache=True, nogil=True)
def _place(keys: np.ndarray, key: int) -> int:
    """Slot of a label in an open-addressing table of a power of two slots: its own, or the empty one (-1) it may take."""
    mask = keys.shape[0] - 1
    slot = (key * 0x9E3779B1) & mask
    while keys[slot] != -1 and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True)
def _table(entries: int) -> np.ndarray:
    size = 16
    while size < 2 * entries:
        size *= 2
    return np.full(size, -1, np.int64)


@njit(cache=True, nogil=True)
def _chance(logit: float) -> np.float32:
    return np.float32(0.5) * (np.float32(1.0) + np.float32(np.tanh(np.float32(0.5) * logit)))


@njit(cache=True, nogil=True, fastmath=SUM_FLAGS)
def _apply(network: Layers, columns: FloatArray, first: int, last: int, width: int, out: FloatArray) -> None:
    """Logits of the pairs first..last from their first `width` columns."""
    w0, w1 = network.w0, network.w1
    size = w0.shape[1]
    outer, inner = np.empty(size, np.float32), np.empty(size, np.float32)
    for pair in range(first, last):
        outer[:] = network.b0
        for k in range(width):
            value = columns[pair, k]
            for j in range(size):
                outer[j] += value * w0[k, j]
        inner[:] = network.b1
        for k in range(size):
            value = outer[k]
            if value > 0:
                for j in range(size):
                    inner[j] += value * w1[k, j]
        total = np.float32(network.b2)
        for j in range(size):
            total += max(inner[j], np.float32(0.0)) * network.w2[j]
        out[pair] = total


@njit(cache=True, nogil=True)
def _match(label: int, labels: LabelArrays, terms: np.ndarray, values: FloatArray, present: np.ndarray) -> np.float32:
    """TF-IDF product of a document and a label's text."""
    total = np.float32(0.0)
    for k in range(labels.term_ptr[label], labels.term_ptr[label + 1]):
        term = labels.terms[k]
        if present[term & (_BITS - 1)]:
            place = np.searchsorted(terms, term)
            if place < terms.shape[0] and terms[place] == term:
                total += values[place] * labels.weights[k]
    return total


@njit(cache=True, nogil=True)
def _describe(
    pair: int, label: int, order: int, path: float, similarity: float, x: FloatArray, terms: np.ndarray,
    values: FloatArray, present: np.ndarray, labels: LabelArrays, linear: bool, columns: FloatArray,
) -> None:  # fmt: skip
    """First columns of a pair, all but those that look at the best dense score."""
    frequency = labels.frequencies[label]
    columns[pair, 0] = np.float32(10.0) * similarity
    columns[pair, 3] = np.log1p(order)
    columns[pair, 4] = np.log1p(frequency)
    columns[pair, 5] = frequency == 0
    columns[pair, 6] = frequency == 1
    columns[pair, 7] = np.float32(10.0) * dot_row(labels.centroids, label, x)
    columns[pair, 8] = np.float32(10.0) * _match(label, labels, terms, values, present)
    if linear:
        columns[pair, 9] = path
        columns[pair, 10] = path <= OUTSIDE


@njit(cache=True, nogil=True)
def _compare(columns: FloatArray, size: int, best: float) -> None:
    """The columns that look at the best dense score."""
    for pair in range(size):
        columns[pair, 1] = columns[pair, 0] - best
        columns[pair, 2] = best


@njit(cache=True, nogil=True)
def _spread(seeds: IntArray, chances: FloatArray, support: SupportArrays) -> tuple[np.ndarray, FloatArray]:
    """Support of all labels that follow the seeds: a table of labels and the values in its slots."""
    edges = 0
    for seed in seeds:
        edges += support.ptr[seed + 1] - support.ptr[seed]
    keys = _table(edges)
    values = np.zeros(keys.shape[0], np.float32)
    for i in range(seeds.shape[0]):
        for edge in range(support.ptr[seeds[i]], support.ptr[seeds[i] + 1]):
            slot = _place(keys, support.labels[edge])
            keys[slot] = support.labels[edge]
            values[slot] += chances[i] * support.weights[edge]
    return keys, values


@njit(cache=True, nogil=True)
def _relate(
    found: IntArray, size: int, keys: np.ndarray, supports: FloatArray, seeds: IntArray, chances: FloatArray,
    x: FloatArray, labels: LabelArrays, support: SupportArrays, columns: FloatArray, start: int,
) -> None:  # fmt: skip
    """The graph's columns, from column `start` on."""
    own = np.empty(size, np.float32)
    for pair in range(size):
        slot = _place(keys, found[pair])
        own[pair] = supports[slot] if keys[slot] >= 0 else 0.0
    ordered = np.sort(own)
    present = np.zeros(1024, np.bool_)
    for seed in seeds:
        present[seed & 1023] = True
    for pair in range(size):
        label = found[pair]
        total, strongest = np.float32(0.0), np.float32(0.0)
        for edge in range(support.ptr[label], support.ptr[label + 1]):
            other = support.labels[edge]
            if present[other & 1023]:
                place = np.searchsorted(seeds, other)
                if place < seeds.shape[0] and seeds[place] == other:
                    total += support.weights[edge] * chances[place]
                    strongest = max(strongest, support.mutual[edge] * chances[place])
        small = np.float32(1e-3)
        columns[pair, start] = np.log(own[pair] + small)
        columns[pair, start + 1] = own[pair] == 0
        columns[pair, start + 2] = np.log1p(size - np.searchsorted(ordered, own[pair], side="right"))
        columns[pair, start + 3] = np.log(total + small)
        columns[pair, start + 4] = np.log(strongest + small)
        columns[pair, start + 5] = np.float32(10.0) * dot_row(labels.near_vectors, label, x)
        columns[pair, start + 6] = np.float32(10.0) * dot_row(labels.near_centroids, label, x)


@njit(cache=True, nogil=True)
def _rank_document(
    row: int, documents: Documents, labels: LabelArrays, support: SupportArrays, first: Layers, final: Layers,
    limits: Limits, ids: IntArray, scores: FloatArray,
) -> None:  # fmt: skip
    """Best labels of one document into `ids` and `scores` (k,), which hold padding before."""
    x = documents.vectors[row]
    begin, end = documents.term_ptr[row], documents.term_ptr[row + 1]
    terms, values = documents.terms[begin:end], documents.values[begin:end]
    present = np.zeros(_BITS, np.bool_)
    for term in terms:
        present[term & (_BITS - 1)] = True
    hidden = documents.hidden[documents.hidden_ptr[row] : documents.hidden_ptr[row + 1]]
    room = limits.shortlist + documents.reached.shape[1] + limits.graph_candidates
    known = _table(room + hidden.shape[0])
    for label in hidden:
        known[_place(known, label)] = label
    found, size = np.empty(room, np.int64), 0
    width = _FIRST + _LINEAR * limits.linear
    columns = np.empty((room, width + 1 + _GRAPH), np.float32)
    log_paths = _table(documents.reached.shape[1])
    path_of = np.empty(log_paths.shape[0], np.float32)
    for j in range(documents.reached.shape[1]):
        if documents.reached[row, j] >= 0:
            slot = _place(log_paths, documents.reached[row, j])
            log_paths[slot] = documents.reached[row, j]
            path_of[slot] = max(documents.paths[row, j], np.float32(OUTSIDE))
    best = np.float32(-np.inf)
    # Candidates: the shortlist first, then what the linear ranker adds.
    for j in range(documents.shortlist.shape[1] + documents.reached.shape[1]):
        listed = j < documents.shortlist.shape[1]
        label = documents.shortlist[row, j] if listed else documents.reached[row, j - documents.shortlist.shape[1]]
        if label < 0 or (listed and size == limits.shortlist):
            continue
        slot = _place(known, label)
        if known[slot] >= 0:
            continue
        known[slot] = label
        similarity = documents.similarity[row, j] if listed else dot_row(labels.vectors, label, x) + labels.bias[label]
        slot = _place(log_paths, label)
        path = path_of[slot] if log_paths[slot] >= 0 else np.float32(OUTSIDE)
        order = size if listed else limits.shortlist
        _describe(size, label, order, path, similarity, x, terms, values, present, labels, limits.linear, columns)
        found[size] = label
        size += 1
        best = max(best, np.float32(10.0) * similarity)
    _compare(columns, size, best)
    logits = np.empty(room, np.float32)
    _apply(first, columns, 0, size, width, logits)
    if limits.graph:
        chances = np.empty(size, np.float32)
        for pair in range(size):
            chances[pair] = _chance(logits[pair])
        count = min(limits.seeds, size)
        seed_chances, seeds = np.empty(count, np.float32), np.empty(count, np.int64)
        keep_best(chances, found[:size], seed_chances, seeds)
        ascending = np.argsort(seeds)
        seeds, seed_chances = seeds[ascending], seed_chances[ascending]
        keys, supports = _spread(seeds, seed_chances, support)
        if limits.graph_candidates:
            filled = keys >= 0
            added = np.empty(min(limits.graph_candidates, filled.sum()), np.int64)
            keep_best(supports[filled], keys[filled], np.empty(added.shape[0], np.float32), added)
            before, above = size, best
            for label in added:
                slot = _place(known, label)
                if known[slot] >= 0:
                    continue
                known[slot] = label
                similarity = dot_row(labels.vectors, label, x) + labels.bias[label]
                _describe(
                    size, label, limits.shortlist, np.float32(OUTSIDE), similarity, x, terms, values, present, labels,
                    limits.linear, columns,
                )  # fmt: skip
                found[size] = label
                size += 1
                best = max(best, np.float32(10.0) * similarity)
            _compare(columns, size, best)
            _apply(first, columns, before if best == above else 0, size, width, logits)
        columns[:size, width] = logits[:size]
        if limits.graph_features:
            _relate(found, size, keys, supports, seeds, seed_chances, x, labels, support, columns, width + 1)
        own = logits[:size].copy()
        _apply(final, columns, 0, size, width + 1 + _GRAPH * limits.graph_features, logits)
        logits[:size] += own
    for pair in range(size):
        logits[pair] = _chance(logits[pair] + labels.boost[found[pair]])
    kept_scores, kept = np.empty_like(scores), np.empty_like(ids)
    size = keep_best(logits[:size], found[:size], kept_scores, kept)
    sort_best(kept_scores, kept, size)
    ids[:size], scores[:size] = kept[:size], kept_scores[:size]


@njit(cache=True, nogil=True)
def rank_document(
    documents: Documents, labels: LabelArrays, support: SupportArrays, first: Layers, final: Layers, limits: Limits,
    ids: IntArray, scores: FloatArray,
) -> None:  # fmt: skip
    """One document, B = 1; starts no threads."""
    _rank_document(0, documents, labels, support, first, final, limits, ids[0], scores[0])


@njit(cache=True, parallel=True)
def rank_documents(
    documents: Documents, labels: LabelArrays, support: SupportArrays, first: Layers, final: Layers, limits: Limits,
    ids: IntArray, scores: FloatArray,
) -> None:  # fmt: skip
    """Many documents, one thread each; `ids` (B, k) and `scores` (B, k) hold padding before."""
    for row in prange(ids.shape[0]):
        _rank_document(row, documents, labels, support, first, final, limits, ids[row], scores[row])
