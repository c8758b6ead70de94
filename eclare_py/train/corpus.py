"""The documents that a stage draws its batches from: the train documents, and the label texts where wanted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from eclare_py.train.prepare import Prepared
from eclare_py.train.soft import near_labels, soft_labels
from eclare_py.types import Csr, FloatArray, IntArray, as_csr


@dataclass(frozen=True)
class Corpus:
    """Documents of a stage.

    Attributes:
        features: (D, V) TF-IDF rows; the N train documents first.
        embeddings: (D, t) frozen embeddings, or None.
        labels: (D, L) labels.
        filter_pairs: (F, 2) pairs that are neither positive nor negative.
        soft: (D, L) targets of pairs that are relevant in part, or None.
    """

    features: Csr
    embeddings: FloatArray | None
    labels: Csr
    filter_pairs: IntArray
    soft: Csr | None = None


def corpus_of(prepared: Prepared, *, label_documents: bool, soft_targets: float = 0.0) -> Corpus:
    """The documents of a stage.

    Args:
        prepared: The data.
        label_documents: Put each label's text behind the train documents, see `with_label_documents`.
        soft_targets: Greatest target of a rare label for documents of labels near to it; 0: none.
    """
    train, embeddings = prepared.train, prepared.embeddings
    corpus = Corpus(prepared.rows, None if embeddings is None else embeddings[0], train.labels, train.filter_pairs)
    if label_documents:
        corpus = with_label_documents(corpus, prepared)
    if soft_targets:
        near = near_labels(prepared.label_rows, prepared.graph.adjacency, prepared.frequencies)
        corpus = replace(corpus, soft=soft_labels(corpus.labels, corpus.filter_pairs, near, soft_targets))
    return corpus


def with_label_documents(corpus: Corpus, prepared: Prepared) -> Corpus:
    """Each label's text behind the train documents, as a document of that label.

    Only the encoders see these: they count for no frequency, no centroid, no edge and not for the fusion. A label
    without a known word is left out, unless a sentence encoder knows it.
    Source: Renee (Jain et al., MLSys 2023), label texts as training points.
    """
    embeddings, n_labels = prepared.embeddings, prepared.train.n_labels
    known = np.arange(n_labels) if embeddings else np.flatnonzero(np.diff(prepared.label_rows.indptr))
    ones, ends = np.ones(len(known), dtype=np.float32), np.arange(len(known) + 1)
    own = sp.csr_array((ones, known, ends), shape=(len(known), n_labels))
    return Corpus(
        as_csr(sp.vstack([corpus.features, prepared.label_rows[known]])),
        None if embeddings is None else np.concatenate([embeddings[0], embeddings[2][known]]),
        as_csr(sp.vstack([corpus.labels, own])),
        corpus.filter_pairs,
    )
