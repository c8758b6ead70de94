"""A ranker and its documents as compiled code takes them: tuples of plain arrays.

Each array has one type and lies in one piece, whatever it was made from: compiled code is made anew for each
combination of types that it meets, which takes seconds a function.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eclare_py.rank.votes import Votes
from eclare_py.types import Csr, FloatArray, IntArray, Ranking


def pointers(matrix: Csr) -> tuple[np.ndarray, np.ndarray]:
    """Row pointers as int64; columns as int32, half the memory to wait for."""
    return matrix.indptr.astype(np.int64, copy=False), matrix.indices.astype(np.int32, copy=False)


class LabelArrays(NamedTuple):
    """All that is known of the L labels.

    Attributes:
        vectors: (L, d) label vectors; these and the three after the bias as int8 codes and (L,) scales.
        bias: (L,) added to the cosine.
        centroids: (L, d) of their documents.
        near_vectors: (L, d) mean of the neighbours' vectors.
        near_centroids: (L, d) mean of the neighbours' centroids.
        log_frequencies: (L,) log(1 + frequency in train).
        boost: (L,) added to the last logit.
        term_ptr: (L+1,) terms of each label's text.
        terms: Their columns, ascending.
        weights: Their TF-IDF.
    """

    vectors: np.ndarray
    vectors_scale: FloatArray
    bias: FloatArray
    centroids: np.ndarray
    centroids_scale: FloatArray
    near_vectors: np.ndarray
    near_vectors_scale: FloatArray
    near_centroids: np.ndarray
    near_centroids_scale: FloatArray
    log_frequencies: FloatArray
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


class Limits(NamedTuple):
    """Most labels of the shortlist, of the graph, seeds, finalists; the evidence there is; the line of the scores."""

    shortlist: int
    graph_candidates: int
    seeds: int
    finalists: int
    linear: bool
    votes: bool
    graph: bool
    graph_features: bool
    slope: float
    offset: float


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
        voted: (B, J) labels of the nearest train documents; J = 0 where they are not looked for. See `Votes`.
        shares: (B, J) their votes.
        nearest: (B, J) cosine of the nearest document that has the label.
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
    voted: IntArray
    shares: FloatArray
    nearest: FloatArray
    hidden_ptr: IntArray
    hidden: IntArray

    @classmethod
    def of(
        cls, vectors: FloatArray, terms: Csr, nearest: Ranking, reached: Ranking, votes: Votes, hidden_ptr: IntArray,
        hidden: IntArray,
    ) -> Documents:  # fmt: skip
        """What was found for documents: by their vectors, by the linear ranker, by their neighbours."""
        return cls(
            np.ascontiguousarray(vectors), *pointers(terms), terms.data, nearest.indices, nearest.scores,
            reached.indices, reached.scores, votes.labels, votes.shares, votes.nearest, hidden_ptr, hidden,
        )  # fmt: skip
