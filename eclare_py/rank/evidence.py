"""What the fusion sees of a (document, label) pair: one row of plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eclare_py.graph.normalize import set_self_loops
from eclare_py.index.clustering import unit_rows
from eclare_py.quantize import Rows, quantize
from eclare_py.rank.candidates import OUTSIDE, Candidates, look_up
from eclare_py.rank.kernels import companions, match_terms, score_pairs
from eclare_py.rank.query import Query
from eclare_py.types import Csr, FloatArray, IntArray, row_blocks

_BLOCK = 8192  # labels smoothed at once

FIRST_COLUMNS = ("similarity", "gap", "best", "order", "frequency", "unseen", "once", "documents", "words")
LINEAR_COLUMNS = ("path", "outside")
VOTE_COLUMNS = ("votes", "voter", "nearest_voter")
GRAPH_COLUMNS = (
    "support", "unsupported", "support_order", "companions", "best_companion", "neighbours", "neighbour_documents",
)  # fmt: skip


@dataclass(frozen=True)
class LabelProfile:
    """What a candidate is compared with, beside its label vector.

    Attributes:
        frequencies: (L,) train frequencies.
        centroids: (L, d) unit mean of the vectors of each label's train documents (PIFA), zero where it has none. They
            are made when training is over and meet documents that are not in them, so a label with one train document
            is known by it without being taken in by it.
        terms: (L, V) TF-IDF of the label texts. Both are zero where the recipe leaves them out.
        assumed: (L,) frequencies that the fusion takes the labels to have, where some came to the trained model later:
            nobody has counted these. None: as counted.
    """

    frequencies: IntArray
    centroids: FloatArray
    terms: Csr
    assumed: IntArray | None = None

    @property
    def priors(self) -> IntArray:
        """(L,) frequencies as the fusion takes them."""
        return self.frequencies if self.assumed is None else self.assumed


def first_evidence(query: Query, found: Candidates, profile: LabelProfile) -> FloatArray:
    """Dense score, its place among the others, the label's prior, its documents and its words.

    Args:
        query: B documents.
        found: Their P candidates.
        profile: The labels.

    Returns:
        (P, 9) columns as in FIRST_COLUMNS; `documents` is the cosine with the label's train documents, `words` the
        TF-IDF product with its text: words in common count here though their embeddings say nothing.
    """
    counts = np.diff(found.indptr)
    best = np.full(len(counts), 0, dtype=np.float32)
    filled = counts > 0
    if filled.any():
        best[filled] = np.maximum.reduceat(found.similarity, found.indptr[:-1][filled])
    top = np.repeat(best, counts)
    prior = profile.priors[found.labels]
    return np.stack(
        [
            10 * found.similarity,
            10 * (found.similarity - top),
            10 * top,
            np.log1p(found.order),
            np.log1p(prior),
            prior == 0,
            prior == 1,
            10 * score_pairs(query.vectors, profile.centroids, found.rows, found.labels),
            10 * match_terms(query.terms, profile.terms, found.indptr, found.labels),
        ],
        axis=1,
    ).astype(np.float32)


def linear_evidence(found: Candidates) -> FloatArray:
    """(P, 2) columns as in LINEAR_COLUMNS: log path score of the linear ranker, and whether its beam missed it."""
    return np.stack([found.path, found.path <= OUTSIDE], axis=1).astype(np.float32)


@dataclass(frozen=True)
class Neighbourhood:
    """The graph-smoothed side of the labels: what their neighbours are like.

    Attributes:
        vectors: (L, d) unit mean of the neighbours' label vectors, G V.
        centroids: (L, d) unit mean of the neighbours' centroids, G C.
    """

    vectors: FloatArray
    centroids: FloatArray

    @classmethod
    def of(cls, graph: Csr, vectors: FloatArray, centroids: FloatArray) -> Neighbourhood:
        """Smooth both over the (L, L) label graph; a label without neighbours gets zeros, its self loop is not one."""
        graph = set_self_loops(graph, "none")
        return cls(*(smoothed(graph, rows).dense() for rows in (vectors, centroids)))


def smoothed(graph: Csr, rows: FloatArray) -> Rows:
    """(L, d) unit means of the neighbours' rows, over an (L, L) label graph without self loops, by their codes.

    They are made in blocks: of millions of labels the whole would take gigabytes on its way into codes.
    """
    codes, scale = np.empty(rows.shape, dtype=np.int8), np.empty(len(rows), dtype=np.float32)
    for some in row_blocks(graph, _BLOCK):
        codes[some], scale[some] = quantize(unit_rows(np.asarray(graph[some] @ rows), own=True))
    return Rows(codes, scale)


def graph_evidence(
    query: Query, found: Candidates, supports: Csr, seeds: Csr, graph: Csr, mutual: FloatArray, around: Neighbourhood
) -> FloatArray:
    """How well the label fits with the labels predicted first, and the text with the label's neighbours.

    Args:
        query: B documents.
        found: Their P candidates.
        supports: (B, L) from `spread`: sum_l p(l) G(l, m).
        seeds: (B, L) first probabilities p of the few best labels.
        graph: (L, L) support graph G.
        mutual: (E,) from `mutual_weights`.
        around: Neighbours in the label graph.

    Returns:
        (P, 7) columns as in GRAPH_COLUMNS. A label gets `support` from labels it often follows; `companions` says how
        many of its own usual companions are there, which does not favour frequent labels; `best_companion` is the
        strongest mutual tie; the last two are cosines of the text with the label's surroundings, which a label with one
        or two train documents borrows from.
    """
    value = look_up(supports, found)
    rows = found.rows
    order = np.lexsort((-value, rows))
    # Equal supports share the place of the first of them.
    fresh = np.ones(len(value), dtype=np.bool_)
    fresh[1:] = (np.diff(value[order]) != 0) | (np.diff(rows) != 0)
    place = np.empty(len(value), dtype=np.int64)
    place[order] = np.maximum.accumulate(np.where(fresh, np.arange(len(value)), 0)) - found.indptr[rows]
    near = [10 * score_pairs(query.vectors, side, rows, found.labels) for side in (around.vectors, around.centroids)]
    back = companions(found.indptr, found.labels, seeds, graph, mutual)
    parts = [np.log(value + 1e-3), value == 0, np.log1p(place), np.log(back[:, 0] + 1e-3), np.log(back[:, 1] + 1e-3)]
    return np.stack([*parts, *near], axis=1).astype(np.float32)
