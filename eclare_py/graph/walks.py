"""Random walks with restart on the document-label bipartite graph, compiled and reproducible.

Source: ECLARE (Mittal et al., WWW 2021), section 3, and its reference code. One hop is label -> random document of it
-> random label of that document; before every hop but the first the walk returns to its start with probability
`restart`. Row l of the graph holds how often each label was visited by the walk from l.

Deviations: the same seed gives the same graph on any number of threads (in the reference a seed does not fix it); the
self loop comes on top of the `top_k` neighbours instead of taking one of their places; hub documents can be left out.

Random numbers are a function of (seed, label, step) and nothing else: the walk of label l reads the splitmix64 sequence
(Steele, Lea, Flood, OOPSLA 2014) that starts at mix(mix(seed) + l * odd constant), at position 2 * step for the picks
of document and label and at 2 * step + 1 for the restart. No state is shared, so the order in which threads take labels
does not matter.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from numba import njit

from eclare_py.errors import UsageError
from eclare_py.graph.bipartite import bipartite
from eclare_py.threads import over_rows
from eclare_py.types import Csr

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_LABEL_STEP = np.uint64(0xD1342543DE82EF95)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S32, _S11 = (np.uint64(bits) for bits in (27, 30, 31, 32, 11))
_ONE, _TWO, _LOW32 = np.uint64(1), np.uint64(2), np.uint64(0xFFFFFFFF)
_UNIT = 1.0 / (1 << 53)
_BLOCK = 16_384  # labels a kernel call; bounds the buffers to block * (top_k + 1) whatever L is


@njit(cache=True, inline="always")
def _mix(value: np.uint64) -> np.uint64:
    """The output function of splitmix64."""
    value = (value ^ (value >> _S30)) * _MIX_1
    value = (value ^ (value >> _S27)) * _MIX_2
    return value ^ (value >> _S31)


@njit(cache=True, inline="always")
def _pick(bits: np.uint64, size: np.int64) -> np.int64:
    """Scale 32 random bits to 0..size-1 (multiply and shift; the bias is below size / 2**32)."""
    return np.int64((bits * np.uint64(size)) >> _S32)


@njit(cache=True, nogil=True)
def _visits(
    start: np.int64,
    key: np.uint64,
    restart: float,
    by_label: tuple[np.ndarray, np.ndarray, np.ndarray],
    by_document: tuple[np.ndarray, np.ndarray],
    visited: np.ndarray,
) -> None:
    """Fill `visited` (walk_length,) with the labels the walk from `start` steps on."""
    documents_from, documents, cumulative = by_label
    labels_from, labels = by_document
    current = start
    for step in range(len(visited)):
        bits = _mix(key + _TWO * np.uint64(step) * _GOLDEN)
        first, size = documents_from[current], documents_from[current + 1] - documents_from[current]
        if len(cumulative):
            wanted = np.float64(bits >> _S32) / 4294967296.0 * cumulative[first + size - 1]
            slot = np.searchsorted(cumulative[first : first + size], wanted, side="right")
            slot = min(slot, size - 1)  # rounding may bring `wanted` up to the total
        else:
            slot = _pick(bits >> _S32, size)
        document = documents[first + slot]
        low, high = labels_from[document], labels_from[document + 1]
        current = np.int64(labels[low + _pick(bits & _LOW32, high - low)])
        visited[step] = current
        if np.float64(_mix(key + (_TWO * np.uint64(step) + _ONE) * _GOLDEN) >> _S11) * _UNIT < restart:
            current = start


@njit(cache=True, nogil=True)
def _walk_block(
    start: int,
    stop: int,
    first_label: int,
    seed_key: np.uint64,
    restart: float,
    by_label: tuple[np.ndarray, np.ndarray, np.ndarray],
    by_document: tuple[np.ndarray, np.ndarray],
    walk_length: int,
    edges: np.ndarray,
    sizes: np.ndarray,
) -> None:
    """Walk from the labels of some rows and keep the most visited.

    Args:
        start: First row.
        stop: Behind the last one.
        first_label: Label of row 0.
        seed_key: Mixed seed.
        restart: Probability to return to the start before a hop.
        by_label: Pointers (L+1,), documents (nnz,), cumulative document weights (nnz,) or an empty array.
        by_document: Pointers (N+1,), labels (nnz,).
        walk_length: Hops a walk.
        edges: (rows, top_k + 1) int64, filled with label << 32 | count, ascending.
        sizes: (rows,) int64, filled with the used slots of each row.
    """
    for row in range(start, stop):
        label = first_label + row
        if by_label[0][label] == by_label[0][label + 1]:
            edges[row, 0] = (label << 32) | 1
            sizes[row] = 1
            continue
        visited = np.empty(walk_length, dtype=np.int64)
        key = _mix(seed_key + np.uint64(label) * _LABEL_STEP)
        _visits(label, key, restart, by_label, by_document, visited)
        visited.sort()
        distinct, self_count, begin = 0, 1, 0
        for end in range(1, walk_length + 1):
            if end < walk_length and visited[end] == visited[begin]:
                continue
            if visited[begin] == label:
                self_count = end - begin
            else:  # the slots before `begin` are read already, so the runs can be packed into them
                visited[distinct] = ((walk_length - (end - begin)) << 32) | visited[begin]
                distinct += 1
            begin = end
        kept = min(distinct, edges.shape[1] - 1)
        if kept < distinct:
            visited[:distinct].sort()  # count descending, then label ascending
        for slot in range(kept):
            count = walk_length - (visited[slot] >> 32)
            edges[row, slot] = ((visited[slot] & 0xFFFFFFFF) << 32) | count
        edges[row, kept] = (label << 32) | self_count
        edges[row, : kept + 1].sort()
        sizes[row] = kept + 1


def _unpack(edges: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]) -> tuple[np.ndarray, np.ndarray]:
    """Column ids (int32) and counts (float32) of the used slots, row by row."""
    packed = edges[np.arange(edges.shape[1]) < sizes[:, None]]
    return (packed >> 32).astype(np.int32), (packed & 0xFFFFFFFF).astype(np.float32)


def _check(walk_length: int, restart: float, top_k: int | None, labels: Csr) -> None:
    if not 1 <= walk_length < 2**31:
        raise UsageError(f"walk_length={walk_length} must be at least 1 and below 2**31")
    if not 0.0 < restart <= 1.0:
        raise UsageError(f"restart={restart} must be above 0 and at most 1")
    if top_k is not None and top_k < 1:
        raise UsageError(f"top_k={top_k} must be at least 1, or None to keep every visited label")
    if max(labels.shape) >= 2**31:
        raise UsageError(f"labels is {labels.shape[0]} x {labels.shape[1]}: walks hold up to 2**31 documents or labels")


def walk_counts(
    labels: Csr,
    *,
    walk_length: int = 400,
    restart: float = 0.8,
    top_k: int | None = 10,
    head_threshold: int | None = 500,
    head_mode: str = "isolate",
    hub_documents: int | None = None,
    hub_mode: str = "skip",
    seed: int = 0,
) -> Csr:
    """Visit counts of random walks with restart from every label.

    In expectation row l is walk_length * restart * T (I - (1 - restart) T)^-1 with T = Dl^-1 Y^T Dd^-1 Y, up to the
    start of the walk (`closed_form_walk`). Memory is O(nnz(Y) + kept edges): each walk is sorted in its own buffer.

    Args:
        labels: (N, L) label matrix of the train documents.
        walk_length: Hops of the walk from each label.
        restart: Probability to return to the start before a hop.
        top_k: Neighbours kept per label besides itself, by count, ties by lower id; None keeps all visited labels.
        head_threshold: Labels with more documents are head labels; None: no label is.
        head_mode: "isolate" (a self loop only, as in ECLARE), "source" (neighbours, but nobody's neighbour), "keep".
        hub_documents: Documents with more labels are hubs; None: no document is.
        hub_mode: "skip" hubs, or "weight": pick a hub of n labels hub_documents / n times as often.
        seed: Any integer; the same seed gives the same graph on any number of threads.

    Returns:
        (L, L) CSR of float32 counts. Every row has its diagonal: the count of returns, 1 where there was none (labels
        without documents, isolated head labels).

    Raises:
        UsageError: An option is unknown or out of range.
    """
    _check(walk_length, restart, top_k, labels)
    parts = bipartite(
        labels, head_threshold=head_threshold, head_mode=head_mode, hub_documents=hub_documents, hub_mode=hub_mode
    )
    n_labels = labels.shape[1]
    columns = sp.csc_array(parts.walkable())
    pointers, documents = columns.indptr.astype(np.int64), columns.indices.astype(np.int32)
    by_label = (pointers, documents, _cumulative(parts.weight[documents], pointers))
    by_document = (parts.target.indptr.astype(np.int64), parts.target.indices.astype(np.int32))

    width = 1 + min(walk_length, n_labels - 1, n_labels if top_k is None else top_k)
    with np.errstate(over="ignore"):
        seed_key = np.uint64(_mix.py_func(np.uint64(seed % 2**64) + _GOLDEN))
    ids, counts, sizes = [], [], []
    for first in range(0, n_labels, _BLOCK):
        rows = min(_BLOCK, n_labels - first)
        edges, used = np.empty((rows, width), dtype=np.int64), np.empty(rows, dtype=np.int64)
        settings = (first, seed_key, float(restart), by_label, by_document, walk_length)
        over_rows(_walk_block, rows, *settings, edges, used)
        block_ids, block_counts = _unpack(edges, used)
        ids.append(block_ids)
        counts.append(block_counts)
        sizes.append(used)
    indptr = np.concatenate([[0], *sizes]).cumsum()
    if not ids:
        return sp.csr_array((n_labels, n_labels), dtype=np.float32)
    return sp.csr_array((np.concatenate(counts), np.concatenate(ids), indptr), shape=(n_labels, n_labels))


def _cumulative(weight: npt.NDArray[np.float64], pointers: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Running sum of document weights inside each label's documents; empty where all weigh 1 (uniform picks)."""
    if np.all(weight == 1.0):
        return np.empty(0)
    total = np.concatenate([[0.0], np.cumsum(weight)])
    return total[1:] - np.repeat(total[pointers[:-1]], np.diff(pointers))
