"""Ranking document by document in compiled code: what `Ranker.evidence` and `Ranker.logits` do, without their matrices.

A document goes from its shortlist to its ranking, or to the evidence of its candidates, while all about it stays in the
processor's cache. Labels are looked up in small hash tables, so that nothing is as large as the number of labels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from eclare_py.index.selection import keep_best, sort_best
from eclare_py.kernel_flags import SUM_FLAGS
from eclare_py.quantize import dot_row
from eclare_py.rank.arrays import Documents, LabelArrays, Layers, Limits, SupportArrays
from eclare_py.rank.candidates import OUTSIDE
from eclare_py.rank.evidence import FIRST_COLUMNS, GRAPH_COLUMNS, LINEAR_COLUMNS, VOTE_COLUMNS
from eclare_py.rank.tables import empty_table, settle, slot_of
from eclare_py.rank.votes import LEAST_VOTE
from eclare_py.types import FloatArray, IntArray

_FIRST, _LINEAR, _VOTES = len(FIRST_COLUMNS), len(LINEAR_COLUMNS), len(VOTE_COLUMNS)
_GRAPH = len(GRAPH_COLUMNS)


@njit(cache=True, nogil=True)
def _chance(logit: float) -> np.float32:
    return np.float32(0.5) * (np.float32(1.0) + np.float32(np.tanh(np.float32(0.5) * logit)))


@njit(cache=True, nogil=True, fastmath=SUM_FLAGS)
def _apply(network: Layers, columns: FloatArray, start: int, stop: int, width: int, out: FloatArray) -> None:
    """Logits of the pairs start..stop from their first `width` columns."""
    w0, w1 = network.w0, network.w1
    size = w0.shape[1]
    outer, inner = np.empty(size, np.float32), np.empty(size, np.float32)
    for pair in range(start, stop):
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


class _Text(NamedTuple):
    """One document: vector (d,), and tables of its TF-IDF terms with their values and of its neighbours' labels."""

    x: FloatArray
    terms: np.ndarray
    values: FloatArray
    voted: np.ndarray
    shares: FloatArray
    nearest: FloatArray
    top: np.float32


class _Pairs(NamedTuple):
    """Room for the candidates of one document: ids, columns of evidence, and a table of labels that are settled."""

    found: IntArray
    columns: FloatArray
    known: np.ndarray


@njit(cache=True, nogil=True)
def _match(label: int, text: _Text, labels: LabelArrays) -> np.float32:
    """TF-IDF product of a document and a label's text."""
    total = np.float32(0.0)
    for k in range(labels.term_ptr[label], labels.term_ptr[label + 1]):
        slot = slot_of(text.terms, labels.terms[k])
        if text.terms[slot] >= 0:
            total += text.values[slot] * labels.weights[k]
    return total


@njit(cache=True, nogil=True)
def _append(
    size: int, label: int, similarity: float, order: int, path: float, text: _Text, labels: LabelArrays, pairs: _Pairs,
    limits: Limits,
) -> None:  # fmt: skip
    """Candidate number `size` with its first columns, all but those that look at the best dense score."""
    frequency, column = labels.frequencies[label], pairs.columns[size]
    pairs.found[size] = label
    column[0] = np.float32(10.0) * similarity
    column[3] = np.log1p(order)
    column[4] = np.log1p(frequency)
    column[5] = frequency == 0
    column[6] = frequency == 1
    column[7] = np.float32(10.0) * dot_row(labels.centroids, labels.centroids_scale, label, text.x)
    column[8] = np.float32(10.0) * _match(label, text, labels)
    if limits.linear:
        column[_FIRST] = path
        column[_FIRST + 1] = path <= OUTSIDE
    if limits.votes:
        start, slot = _FIRST + _LINEAR * limits.linear, slot_of(text.voted, label)
        column[start] = np.log(text.shares[slot] + LEAST_VOTE)
        column[start + 1] = np.float32(10.0) * text.nearest[slot]
        column[start + 2] = np.float32(10.0) * text.top


@njit(cache=True, nogil=True)
def _gather(row: int, documents: Documents, text: _Text, labels: LabelArrays, limits: Limits, pairs: _Pairs) -> int:
    """Candidates of shortlist, linear beam and neighbours; returns their number."""
    reached = documents.reached[row]
    slots = empty_table(reached.shape[0])
    paths = np.full(slots.shape[0], np.float32(OUTSIDE))
    for j in range(reached.shape[0]):
        if reached[j] >= 0:
            slot = slot_of(slots, reached[j])
            slots[slot] = reached[j]
            paths[slot] = max(documents.paths[row, j], np.float32(OUTSIDE))
    size = 0
    for j in range(documents.shortlist.shape[1]):
        label = documents.shortlist[row, j]
        if label >= 0 and size < limits.shortlist and settle(pairs.known, label):
            path = paths[slot_of(slots, label)]
            _append(size, label, documents.similarity[row, j], size, path, text, labels, pairs, limits)
            size += 1
    for others in (reached, documents.voted[row]):
        for label in others:
            if label >= 0 and settle(pairs.known, label):
                similarity = dot_row(labels.vectors, labels.vectors_scale, label, text.x) + labels.bias[label]
                path = paths[slot_of(slots, label)]
                _append(size, label, similarity, limits.shortlist, path, text, labels, pairs, limits)
                size += 1
    return size


@njit(cache=True, nogil=True)
def _width(limits: Limits) -> int:
    """Columns that the first fusion sees."""
    return _FIRST + _LINEAR * limits.linear + _VOTES * limits.votes


@njit(cache=True, nogil=True)
def _compare(columns: FloatArray, start: int, size: int) -> int:
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
    size: int, keys: np.ndarray, supports: FloatArray, text: _Text, labels: LabelArrays, limits: Limits, pairs: _Pairs
) -> int:
    """The labels with most support that are not candidates yet; returns the new number of candidates."""
    filled = keys >= 0
    strongest = np.empty(min(limits.graph_candidates, filled.sum()), np.int64)
    keep_best(supports[filled], keys[filled], np.empty(strongest.shape[0], np.float32), strongest)
    for label in strongest:
        if settle(pairs.known, label):
            similarity = dot_row(labels.vectors, labels.vectors_scale, label, text.x) + labels.bias[label]
            path = np.float32(OUTSIDE)
            _append(size, label, similarity, limits.shortlist, path, text, labels, pairs, limits)
            size += 1
    return size


@njit(cache=True, nogil=True)
def _finalists(size: int, count: int, pairs: _Pairs, logits: FloatArray) -> int:
    """Move the candidates with the best logits to the front, ties by label; returns their number."""
    if size <= count:
        return size
    places = np.argsort(pairs.found[:size])  # keep_best breaks ties by what it is given: the place in label order
    kept, best = np.empty(count, np.int64), np.empty(count, np.float32)
    keep_best(logits[:size][places], np.arange(size), best, kept)
    for new, old in enumerate(np.sort(places[kept])):
        pairs.found[new], pairs.columns[new], logits[new] = pairs.found[old], pairs.columns[old], logits[old]
    return count


@njit(cache=True, nogil=True)
def _relate(
    size: int, keys: np.ndarray, supports: FloatArray, seeds: IntArray, chances: FloatArray, text: _Text,
    labels: LabelArrays, support: SupportArrays, pairs: _Pairs, start: int,
) -> None:  # fmt: skip
    """The graph's columns, from column `start` on."""
    own = np.empty(size, np.float32)
    for pair in range(size):
        slot = slot_of(keys, pairs.found[pair])
        own[pair] = supports[slot] if keys[slot] >= 0 else 0.0
    ordered = np.sort(own)
    present = np.zeros(1024, np.bool_)
    for seed in seeds:
        present[seed & 1023] = True
    small = np.float32(1e-3)
    for pair in range(size):
        label, column = pairs.found[pair], pairs.columns[pair]
        total, strongest = np.float32(0.0), np.float32(0.0)
        for edge in range(support.ptr[label], support.ptr[label + 1]):
            other = support.labels[edge]
            if present[other & 1023]:
                place = np.searchsorted(seeds, other)
                if place < seeds.shape[0] and seeds[place] == other:
                    total += support.weights[edge] * chances[place]
                    strongest = max(strongest, support.mutual[edge] * chances[place])
        column[start] = np.log(own[pair] + small)
        column[start + 1] = own[pair] == 0
        column[start + 2] = np.log1p(size - np.searchsorted(ordered, own[pair], side="right"))
        column[start + 3] = np.log(total + small)
        column[start + 4] = np.log(strongest + small)
        column[start + 5] = np.float32(10.0) * dot_row(labels.near_vectors, labels.near_vectors_scale, label, text.x)
        column[start + 6] = np.float32(10.0) * dot_row(
            labels.near_centroids, labels.near_centroids_scale, label, text.x
        )


@njit(cache=True, nogil=True)
def _add_graph(
    size: int, text: _Text, labels: LabelArrays, support: SupportArrays, first: Layers, limits: Limits, pairs: _Pairs,
    logits: FloatArray,
) -> int:  # fmt: skip
    """Spread the first chances over the graph: more candidates, the choice of finalists, and their last columns.

    Returns:
        Number of the finalists.
    """
    columns, width = pairs.columns, _width(limits)
    chances = np.empty(size, np.float32)
    for pair in range(size):
        chances[pair] = _chance(logits[pair])
    count = min(limits.seeds, size)
    chosen, seeds = np.empty(count, np.float32), np.empty(count, np.int64)
    keep_best(chances, pairs.found[:size], chosen, seeds)
    ascending = np.argsort(seeds)
    seeds, chosen = seeds[ascending], chosen[ascending]
    keys, supports = _spread(seeds, chosen, support)
    if limits.graph_candidates:
        before = size
        size = _add_supported(size, keys, supports, text, labels, limits, pairs)
        changed = _compare(columns, before, size) if size > before else size
        _apply(first, columns, changed, size, width, logits)
    size = _finalists(size, limits.finalists, pairs, logits)
    columns[:size, width] = logits[:size]
    if limits.graph_features:
        _relate(size, keys, supports, seeds, chosen, text, labels, support, pairs, width + 1)
    return size


@njit(cache=True, nogil=True)
def _read(row: int, documents: Documents) -> _Text:
    """One document with its tables."""
    begin, end = documents.term_ptr[row], documents.term_ptr[row + 1]
    terms = empty_table(2 * (end - begin))
    values = np.empty(terms.shape[0], np.float32)
    for k in range(begin, end):
        slot = slot_of(terms, documents.terms[k])
        terms[slot], values[slot] = documents.terms[k], documents.values[k]
    found = documents.voted[row]
    voted, top = empty_table(2 * found.shape[0]), np.float32(0.0)
    shares, nearest = np.zeros(voted.shape[0], np.float32), np.zeros(voted.shape[0], np.float32)
    for j in range(found.shape[0]):
        if found[j] >= 0:
            slot = slot_of(voted, found[j])
            voted[slot], shares[slot], nearest[slot] = found[j], documents.shares[row, j], documents.nearest[row, j]
            top = max(top, documents.nearest[row, j])
    return _Text(documents.vectors[row], terms, values, voted, shares, nearest, top)


@njit(cache=True, nogil=True)
def _weigh(
    row: int, documents: Documents, labels: LabelArrays, support: SupportArrays, first: Layers, limits: Limits
) -> tuple[int, _Pairs, FloatArray]:
    """All candidates of one document with their evidence: how many, in what room, and their logits by `first`."""
    text = _read(row, documents)
    hidden = documents.hidden[documents.hidden_ptr[row] : documents.hidden_ptr[row + 1]]
    room = limits.shortlist + documents.reached.shape[1] + documents.voted.shape[1] + limits.graph_candidates
    width = _FIRST + _LINEAR + _VOTES + 1 + _GRAPH
    pairs = _Pairs(
        np.empty(room, np.int64), np.empty((room, width), np.float32), empty_table(room + hidden.shape[0])
    )  # fmt: skip
    for label in hidden:
        settle(pairs.known, label)
    logits = np.empty(room, np.float32)
    size = _gather(row, documents, text, labels, limits, pairs)
    _compare(pairs.columns, 0, size)
    _apply(first, pairs.columns, 0, size, _width(limits), logits)
    if limits.graph:
        size = _add_graph(size, text, labels, support, first, limits, pairs, logits)
    return size, pairs, logits


@njit(cache=True, nogil=True)
def _rank_document(
    row: int, documents: Documents, labels: LabelArrays, support: SupportArrays, first: Layers, final: Layers,
    limits: Limits, ids: IntArray, scores: FloatArray,
) -> None:  # fmt: skip
    """Best labels of one document into `ids` and `scores` (k,), which hold padding before."""
    size, pairs, logits = _weigh(row, documents, labels, support, first, limits)
    if limits.graph:
        width = _width(limits)
        _apply(final, pairs.columns, 0, size, width + 1 + _GRAPH * limits.graph_features, logits)
        logits[:size] += pairs.columns[:size, width]
    for pair in range(size):
        lifted = logits[pair] + labels.boost[pairs.found[pair]]
        logits[pair] = _chance(np.float32(limits.slope) * lifted + np.float32(limits.offset))
    kept_scores, kept = np.empty_like(scores), np.empty_like(ids)
    size = keep_best(logits[:size], pairs.found[:size], kept_scores, kept)
    sort_best(kept_scores, kept, size)
    ids[:size], scores[:size] = kept[:size], kept_scores[:size]


@njit(cache=True, nogil=True)
def rank_document(
    documents: Documents, labels: LabelArrays, support: SupportArrays, first: Layers, final: Layers, limits: Limits,
    ids: IntArray, scores: FloatArray,
) -> None:  # fmt: skip
    """One document, B = 1; starts no threads."""
    _rank_document(0, documents, labels, support, first, final, limits, ids[0], scores[0])


@njit(cache=True, nogil=True, parallel=True)
def rank_documents(
    documents: Documents, labels: LabelArrays, support: SupportArrays, first: Layers, final: Layers, limits: Limits,
    ids: IntArray, scores: FloatArray,
) -> None:  # fmt: skip
    """Many documents, one thread each; `ids` (B, k) and `scores` (B, k) hold padding before."""
    for row in prange(ids.shape[0]):
        _rank_document(row, documents, labels, support, first, final, limits, ids[row], scores[row])


@njit(cache=True, nogil=True, parallel=True)
def weigh_documents(
    documents: Documents, labels: LabelArrays, support: SupportArrays, first: Layers, limits: Limits, counts: IntArray,
    found: IntArray, columns: FloatArray,
) -> None:  # fmt: skip
    """The evidence that the final fusion sees of many documents, one thread each.

    Args:
        documents: B documents.
        labels: The labels.
        support: The support graph.
        first: The first fusion.
        limits: Sizes.
        counts: (B,) receives the number of candidates of each document.
        found: (B, m) receives them, ascending.
        columns: (B, m, F) receives their evidence.
    """
    for row in prange(counts.shape[0]):
        size, pairs, _ = _weigh(row, documents, labels, support, first, limits)
        counts[row] = size
        for new, old in enumerate(np.argsort(pairs.found[:size])):
            found[row, new] = pairs.found[old]
            columns[row, new] = pairs.columns[old, : columns.shape[2]]
