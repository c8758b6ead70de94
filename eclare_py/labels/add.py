"""New labels in a finished model, from their texts alone; nothing is trained.

A label's text gives its vector and its words, as for any label. All else that the fusion looks at is counted from train
documents, of which a new label has none: how frequent it is, what its documents are like, its linear classifier, the
labels it is seen with. Left empty, such evidence says "hardly ever right", as it does for known labels. So a new label
borrows it from its kin, the known labels whose texts are most like its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from eclare_py.errors import UsageError
from eclare_py.index import beam_search
from eclare_py.index.clustering import unit_rows
from eclare_py.labels.kin import Kin, find_kin
from eclare_py.labels.take import Arrivals, Classifiers, put_in
from eclare_py.linear import LinearRanker
from eclare_py.quantize import half, rounded
from eclare_py.rank.candidates import strongest
from eclare_py.rank.label_network import encode_labels
from eclare_py.rank.pipeline import LabelTable, Pipeline
from eclare_py.types import Csr, FloatArray, IntArray, as_csr


@dataclass(frozen=True)
class AddConfig:
    """What new labels borrow; the defaults were chosen on validation documents."""

    kin: int = 10
    sharpness: float = 2.0
    frequency: str = "kin"
    frequency_share: float = 1.0
    centroid: bool = True
    own: float = 0.0
    classifier: bool = True
    graph: bool = True
    support: bool = True
    text_weight: float = 0.0


def add_labels(pipeline: Pipeline, names: LabelTable, config: AddConfig | None = None) -> Pipeline:
    config = config or AddConfig()
    if not names.texts:
        return pipeline
    n_old, n = pipeline.n_labels, len(names.texts)
    ranker = pipeline.ranker
    profile, support, linear = ranker.profile, ranker.support, ranker.linear
    rows = pipeline.features.transform(names.texts)
    known = pipeline.features.transform(pipeline.labels.texts)
    kin = find_kin(rows, known, count=config.kin, sharpness=config.sharpness)
    W = kin.weights
    if config.frequency == "kin":
        assumed = np.asarray(np.expm1(W @ np.log1p(profile.priors)) * config.frequency_share)
        assumed = np.maximum(np.rint(assumed), 1).astype(np.int64)
    else:
        assumed = np.full(n, int(config.frequency), np.int64)
    centroids = np.zeros((n, pipeline.encoder.dim), np.float32)
    if config.centroid:
        centroids = unit_rows(np.asarray(W @ profile.centroids))
        if config.own:
            own = pipeline.encode(names.texts).vectors
            centroids = unit_rows((1 - config.own) * centroids + np.float32(config.own) * own)
    centroids = rounded(centroids.astype(np.float32), 4)
    terms = half(strongest(as_csr(rows), ranker.config.label_terms)) if ranker.config.words else Csr(rows.shape, dtype=np.float32)
    size = n_old + n
    graph = widen(W, size) if config.graph else Csr((n, size), dtype=np.float32)
    out_support = half(strongest(as_csr(W @ support), 50)) if config.support else Csr((n, n_old), dtype=np.float32)
    back = half(as_csr(support @ as_csr(W.T))) if config.support else Csr((n_old, n), dtype=np.float32)
    back = drop_small(back)
    out_support = drop_small(out_support)
    blank = np.zeros(n, np.int64)
    new = Arrivals(
        names, np.zeros_like(centroids), blank, blank, assumed, centroids, terms, graph, widen(out_support, size), back,
        None if linear is None else classifiers(linear, W, rows, config),
    )
    wide = put_in(pipeline, new)
    vectors = rounded(encode_labels(wide, np.arange(n_old, size)))
    scorer = ranker.scorer
    leaves = beam_search(scorer.tree, vectors, beam=scorer.beam, quantized=True)[0][:, 0]
    return put_in(pipeline, replace(new, vectors=vectors, leaves=leaves))


def drop_small(m, least=1e-3):
    m = m.copy(); m.data[m.data < least] = 0; m.eliminate_zeros(); return as_csr(m)

def widen(m, size):
    return Csr((m.data, m.indices, m.indptr), shape=(m.shape[0], size))


def classifiers(linear: LinearRanker, W: Csr, rows: Csr, config: AddConfig) -> Classifiers:
    last = linear.levels[-1]
    matrix = last.matrix()
    n_old = len(linear.label_order)
    position = np.empty(n_old, np.int64); position[linear.label_order] = np.arange(n_old)
    parent_of = np.repeat(np.arange(last.n_chunks), np.diff(last.child_ptr))[position]
    # by position
    w = Csr((W.data, position[W.indices], W.indptr), shape=W.shape); 
    weights = as_csr(w @ matrix)
    if config.text_weight:
        weights = as_csr(weights + config.text_weight * rows[:, :linear.n_features])
    bias = np.asarray(w @ last.bias, dtype=np.float32)
    best = np.zeros(W.shape[0], np.int64)
    for i in range(W.shape[0]):
        a, b = W.indptr[i], W.indptr[i + 1]
        if b > a:
            best[i] = parent_of[W.indices[a:b][np.argmax(W.data[a:b])]]
    if not config.classifier:
        weights = Csr(weights.shape, dtype=np.float32); bias = np.full(len(bias), -20, np.float32)
    return Classifiers(weights, bias, best)
