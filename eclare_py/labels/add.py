"""New labels in a finished model, from their texts alone; nothing is trained.

A label's text gives its vector and its words, as for any label. All else that the fusion looks at is counted from train
documents, of which a new label has none: how frequent it is, what its documents are like, its linear classifier, the
labels it is seen with. Left empty, such evidence says "hardly ever right", as it does for known labels. So a new label
borrows it from its kin: the known labels whose documents are nearest to its own vector. (Ours; no paper.) Kin by words
in common are the worse choice: where 5 % of the labels came later, R@10 of these was 21.9 and 22.2 with such kin, 25.1
and 24.4 with those by vectors, on train documents of `debian-related` and `yso-en-60k` that were set aside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from eclare_py.config import option
from eclare_py.index import beam_search
from eclare_py.index.clustering import unit_rows
from eclare_py.labels.kin import find_kin
from eclare_py.labels.take import Arrivals, Classifiers, label_level, put_in
from eclare_py.linear import LinearRanker
from eclare_py.quantize import coarse_matrix, rounded
from eclare_py.rank.candidates import strongest
from eclare_py.rank.label_network import encode_labels
from eclare_py.rank.pipeline import LabelTable, Pipeline
from eclare_py.sparse import owners
from eclare_py.types import Csr, IntArray, as_csr

_LEAST_SUPPORT = 1e-3  # borrowed edges below this are noise of many kin
_MOST_SUPPORTED = 50  # labels that a new label supports


@dataclass(frozen=True)
class AddConfig:
    """What new labels borrow. The defaults were chosen on train documents set aside, of two data sets."""

    kin: int = option(20, "known labels that a new one borrows from", low=1)
    sharpness: float = option(4.0, "power of the cosine that weighs them", low=0.0)
    frequency_factor: float = option(4.0, "a label is taken to be as frequent as its kin, times this", low=0.01)
    text_weight: float = option(3.0, "of the label's own terms in its linear classifier", low=0.0)


def add_labels(
    pipeline: Pipeline, names: LabelTable, edges: Csr | None = None, *, config: AddConfig | None = None
) -> Pipeline:
    """Put labels that were never trained into a model, behind its own.

    Vectors, routers and classifiers of the known labels stay as they are. A new label goes into the leaf that a search
    for its own vector finds first, so leaves get longer; where a fifth of the labels is new, train again.

    Args:
        pipeline: The model, with label vectors from text.
        names: n texts, and ids where the labels of the model have such.
        edges: (n, L + n) weights in 0..1 of labels that go together with a new one; where there are some, they take the
            place of kin as neighbours in the graph. Known labels get no new neighbours, but give support.
        config: How much is borrowed.

    Raises:
        ModelError: The label encoder does not fit the recipe.
    """
    if not names.texts:
        return pipeline
    config, ranker, n_old = config or AddConfig(), pipeline.ranker, pipeline.n_labels
    profile, size = ranker.profile, n_old + len(names.texts)
    rows = pipeline.features.transform(names.texts)
    fresh = np.arange(n_old, size)
    bare = _bare(pipeline, names, _empty((len(names.texts), size)) if edges is None else edges)
    vectors = encode_labels(put_in(pipeline, bare), fresh)
    vectors[np.diff(rows.indptr) == 0] = 0  # a text without a known term is like nothing
    known = profile.centroids if profile.centroids.any() else ranker.scorer.vectors
    kin = find_kin(vectors, known, count=config.kin, sharpness=config.sharpness)
    graph = _widened(kin, size)
    support, supporters = _sifted(kin @ ranker.support), _sifted(ranker.support @ as_csr(kin.T))
    support = _widened(strongest(support, _MOST_SUPPORTED), size)
    if edges is not None:
        graph = _first_of(edges, graph)
        given = as_csr(edges * np.float32(np.median(ranker.support.data) if ranker.support.nnz else 1.0))
        support, supporters = as_csr(support.maximum(given)), as_csr(supporters.maximum(as_csr(given[:, :n_old].T)))
    new = replace(
        bare,
        bias=np.asarray(kin @ ranker.scorer.bias, dtype=np.float32),
        assumed=_assumed(kin, profile.priors, ranker.n_documents, config),
        centroids=rounded(unit_rows(np.asarray(kin @ profile.centroids)), 4),
        terms=coarse_matrix(strongest(rows, ranker.config.label_terms)) if ranker.config.words else _empty(rows.shape),
        graph=graph,
        support=coarse_matrix(support),
        supporters=coarse_matrix(supporters),
        classifiers=None if ranker.linear is None else _classifiers(ranker.linear, kin, rows, config),
    )
    # The label encoder reads neighbours off the grown graph.
    vectors = rounded(encode_labels(put_in(pipeline, new), fresh))
    scorer = ranker.scorer
    leaves = beam_search(scorer.tree, vectors, beam=scorer.beam, quantized=True)[0][:, 0]
    return put_in(pipeline, replace(new, vectors=vectors, leaves=leaves))


def _bare(pipeline: Pipeline, names: LabelTable, graph: Csr) -> Arrivals:
    """The new labels with their texts and edges alone."""
    n, size = len(names.texts), pipeline.n_labels + len(names.texts)
    nothing = np.zeros(n, dtype=np.int64)
    no_vectors = np.zeros((n, pipeline.encoder.dim), dtype=np.float32)
    return Arrivals(
        names=names, vectors=no_vectors, bias=np.zeros(n, dtype=np.float32), leaves=nothing, frequencies=nothing,
        assumed=nothing, centroids=no_vectors, terms=_empty((n, pipeline.features.n_features)), graph=graph,
        support=_empty((n, size)), supporters=_empty((pipeline.n_labels, n)), classifiers=None,
    )  # fmt: skip


def _assumed(kin: Csr, priors: IntArray, n_documents: int, config: AddConfig) -> IntArray:
    """(n,) geometric mean of the kin's frequencies, times the factor; 1 at least."""
    mean = np.expm1(kin @ np.log1p(priors).astype(np.float32))
    return np.clip(np.rint(config.frequency_factor * mean), 1, n_documents).astype(np.int64)


def _classifiers(linear: LinearRanker, kin: Csr, rows: Csr, config: AddConfig) -> Classifiers:
    """The mean of the kin's classifiers and the label's own terms, beside the nearest of its kin."""
    last, position = label_level(linear), np.argsort(linear.label_order)
    # A copy, as sorting works in place.
    by_place = as_csr(Csr((kin.data.copy(), position[kin.indices], kin.indptr), shape=kin.shape))
    own = Csr(rows[:, : linear.n_features], dtype=np.float32)
    weights = as_csr(by_place @ last.matrix() + own * np.float32(config.text_weight))
    parent_of = owners(last.child_ptr)
    nearest = strongest(by_place, 1)
    parents = np.zeros(len(own.indptr) - 1, dtype=np.int64)
    parents[np.diff(nearest.indptr) > 0] = parent_of[nearest.indices]
    bias = np.asarray(by_place @ last.bias, dtype=np.float32)
    # A text that is like no other has no kin to borrow from: as doubtful as the most doubtful label.
    bias[np.diff(by_place.indptr) == 0] = last.bias.min(initial=0.0)
    return Classifiers(weights, bias, parents)


def _first_of(edges: Csr, others: Csr) -> Csr:
    """The rows of `edges` where they have any entries, else those of the other matrix."""
    without = (np.diff(edges.indptr) == 0).astype(np.float32)
    left = as_csr(sp.diags_array(without, format="csr") @ others)
    left.eliminate_zeros()
    return as_csr(edges + left)


def _sifted(matrix: Csr) -> Csr:
    """Without the smallest weights."""
    kept = as_csr(matrix).copy()
    kept.data[kept.data < _LEAST_SUPPORT] = 0
    kept.eliminate_zeros()
    return kept


def _widened(matrix: Csr, size: int) -> Csr:
    return Csr((matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], size))


def _empty(shape: tuple[int, int]) -> Csr:
    return Csr(shape, dtype=np.float32)
