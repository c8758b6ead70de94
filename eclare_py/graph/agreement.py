"""Whether the edges of a label graph agree with what the labels say, and with documents it was not built from.

An edge is taken without its direction. Figures are given by the train frequency of the rarer of its two labels, as a
graph that is right about frequent labels only is of little use, and beside those of random pairs of labels of about the
same frequencies, as frequent labels share words and documents with many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from eclare_py.errors import UsageError
from eclare_py.graph.cooccurrence import pair_blocks
from eclare_py.graph.edges import edge_cosines, undirected
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.metrics.rare import EDGES, ranges
from eclare_py.sparse import row_ids, select_entries
from eclare_py.types import Csr, FloatArray, IntArray, as_csr

EVERY = "all"
_NEAREST, _FARTHEST = 5, 50  # see `random_pairs`
_ROWS = 4096  # labels whose co-occurrences are counted at once
_Counts = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TextAgreement:
    """Edges whose rarer label is in one range of train frequency, and the texts at their ends.

    Attributes:
        name: The range, or "all".
        edges: Edges, without direction.
        shared_word: Share of them whose labels have a word in common; None where there are no edges.
        random_shared_word: The same of the random pairs.
        cosine: Mean TF-IDF cosine of the two texts, where both have a known term.
        random_cosine: The same of the random pairs.
    """

    name: str
    edges: int
    shared_word: float | None
    random_shared_word: float | None
    cosine: float | None
    random_cosine: float | None


@dataclass(frozen=True)
class DocumentAgreement:
    """Edges and pairs of labels of one document whose rarer label is in one range of train frequency.

    Attributes:
        name: The range, or "all".
        edges: Edges, without direction.
        edges_seen: Those whose labels both have a document: the others could not be seen together.
        pairs: Pairs of labels that share a document.
        hits: Such pairs that are edges.
        precision: hits / edges_seen; None where there are none.
        random_precision: The same of the random pairs.
        recall: hits / pairs.
    """

    name: str
    edges: int
    edges_seen: int
    pairs: int
    hits: int
    precision: float | None
    random_precision: float | None
    recall: float | None


def text_agreement(
    graph: LabelGraph, label_texts: Sequence[str], text_vectors: Csr, frequencies: IntArray, *, seed: int = 0
) -> list[TextAgreement]:
    """Agreement of edges with label texts.

    Args:
        graph: The graph.
        label_texts: L texts.
        text_vectors: (L, V) TF-IDF of them.
        frequencies: (L,) train documents.
        seed: Of the random pairs.

    Returns:
        One entry a range of frequency, rare to frequent, and one of all edges.

    Raises:
        UsageError: The texts do not fit the graph.
    """
    if len(label_texts) != graph.n_labels:
        raise UsageError(f"label_texts has {len(label_texts)} texts, the graph {graph.n_labels} labels")
    from sklearn.feature_extraction.text import CountVectorizer

    # The one text more is left out again: texts without any word would be refused.
    words = CountVectorizer(binary=True, dtype=np.float32).fit_transform([*label_texts, "word"])[:-1]
    bins = _Bins(frequencies)
    real = _edges(graph)
    columns: list[list[float | None]] = []
    for pairs in (real, random_pairs(real, frequencies, seed=seed)):
        columns.append(bins.means(pairs, edge_cosines(pairs, words) > 0))
        columns.append(bins.means(pairs, edge_cosines(pairs, text_vectors)))
    counts = bins.count(row_ids(real), real.indices).astype(int).tolist()
    shared, cosine, random_shared, random_cosine = columns
    rows = zip(bins.names, counts, shared, random_shared, cosine, random_cosine, strict=True)
    return [TextAgreement(*row) for row in rows]


def document_agreement(
    graph: LabelGraph, labels: Csr, frequencies: IntArray, *, seed: int = 0
) -> list[DocumentAgreement]:
    """Agreement of edges with the pairs of labels that documents have; the graph was built from others.

    Memory grows with the labels of a document, not with their square: co-occurrences are counted in blocks.

    Args:
        graph: The graph.
        labels: (N, L) label matrix of test documents.
        frequencies: (L,) train documents.
        seed: Of the random pairs.

    Returns:
        One entry a range of frequency, rare to frequent, and one of all.

    Raises:
        UsageError: The label matrix does not fit the graph.
    """
    if labels.shape[1] != graph.n_labels:
        raise UsageError(f"labels has {labels.shape[1]} columns, the graph {graph.n_labels} labels")
    documents = as_csr(labels)
    documents.eliminate_zeros()
    documents.data[:] = 1.0
    bins = _Bins(frequencies)
    real = _edges(graph)
    chance = random_pairs(real, frequencies, seed=seed)
    pairs, hits, lucky = _together(documents, (real, chance), bins)
    seen = np.bincount(documents.indices, minlength=graph.n_labels) > 0
    edges_seen, chance_seen = (
        bins.count(*_ends(select_entries(one, seen[row_ids(one)] & seen[one.indices]))) for one in (real, chance)
    )
    counts = [one.astype(int).tolist() for one in (bins.count(*_ends(real)), edges_seen, pairs, hits)]
    shares = _ratios(hits, edges_seen), _ratios(lucky, chance_seen), _ratios(hits, pairs)
    return [DocumentAgreement(*row) for row in zip(bins.names, *counts, *shares, strict=True)]


def random_pairs(pairs: Csr, frequencies: IntArray, *, seed: int = 0) -> Csr:
    """For each pair of labels another one, both labels exchanged for random ones of about the same train frequency.

    In the order of frequency, ties by chance, a label moves at most 1 % of all labels, but 5 to 50 places.

    Args:
        pairs: (L, L) upper triangle.
        frequencies: (L,) train documents.
        seed: The same seed gives the same pairs.

    Returns:
        (L, L) upper triangle; pairs that meet an earlier one, or become a label with itself, are missing.
    """
    draw = np.random.default_rng(seed)
    total = len(frequencies)
    order = np.lexsort((draw.permutation(total), frequencies))
    rank = np.empty(total, dtype=np.int64)
    rank[order] = np.arange(total)
    reach = min(max(total // 100, _NEAREST), _FARTHEST)
    ends = []
    for end in _ends(pairs):
        first = np.clip(rank[end] - reach, 0, max(total - 1 - 2 * reach, 0))
        ends.append(order[first + draw.integers(0, min(2 * reach + 1, total), len(end))])
    left, right = np.minimum(*ends), np.maximum(*ends)
    kept = left < right
    return as_csr(sp.coo_array((np.ones(kept.sum()), (left[kept], right[kept])), shape=pairs.shape))


class _Bins:
    """Ranges of train frequency, and pairs of labels counted in that of the rarer label."""

    def __init__(self, frequencies: IntArray) -> None:
        self._place = np.searchsorted(np.asarray(EDGES), frequencies)
        self.names = [*(one.name for one in ranges()), EVERY]

    def count(self, left: IntArray, right: IntArray, weights: FloatArray | None = None) -> _Counts:
        """Pairs in each range, or what they weigh together; last all of them."""
        place = np.minimum(self._place[left], self._place[right])
        counts = np.bincount(place, weights, minlength=len(self.names) - 1).astype(np.float64)
        return np.append(counts, counts.sum())

    def means(self, pairs: Csr, values: npt.NDArray[Any]) -> list[float | None]:
        """Mean of a value of each pair, NaN left out, in each range and of all."""
        known = ~np.isnan(values)
        left, right = (end[known] for end in _ends(pairs))
        return _ratios(self.count(left, right, values[known]), self.count(left, right))


def _edges(graph: LabelGraph) -> Csr:
    """(L, L) upper triangle with the edges of either direction."""
    return as_csr(sp.triu(undirected(graph.adjacency), 1))


def _ends(pairs: Csr) -> tuple[IntArray, IntArray]:
    return row_ids(pairs), pairs.indices.astype(np.int64)


def _together(documents: Csr, patterns: Sequence[Csr], bins: _Bins) -> list[_Counts]:
    """By range of frequency: pairs of labels that share a document, and those of them in each pattern."""
    carried = as_csr(documents.T)
    totals = [np.zeros(len(bins.names)) for _ in range(1 + len(patterns))]
    for some in pair_blocks(carried, documents, _ROWS):
        # The block's own diagonal begins in the column of its first row.
        found = as_csr(sp.triu(carried[some] @ documents, some.start + 1))
        for total, part in zip(totals, (found, *(found.multiply(one[some]) for one in patterns)), strict=True):
            rows, columns = _ends(as_csr(part))
            total += bins.count(rows + some.start, columns)
    return totals


def _ratios(parts: _Counts, wholes: _Counts) -> list[float | None]:
    """One by the other; None where there is nothing to divide by."""
    return [part / whole if whole else None for part, whole in zip(parts.tolist(), wholes.tolist(), strict=True)]
