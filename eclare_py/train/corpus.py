"""The documents that a stage draws its batches from: the train documents, and the label texts where wanted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from eclare_py.train.prepare import Prepared
from eclare_py.types import Csr, FloatArray, IntArray, as_csr


@dataclass(frozen=True)
class Corpus:
    """Documents of a stage.

    Attributes:
        features: (D, V) TF-IDF rows; the N train documents first.
        embeddings: (D, t) frozen embeddings, or None.
        labels: (D, L) labels.
        filter_pairs: (F, 2) pairs that are neither positive nor negative.
    """

    features: Csr
    embeddings: FloatArray | None
    labels: Csr
    filter_pairs: IntArray


def corpus_of(prepared: Prepared, *, label_documents: bool) -> Corpus:
    """The train documents; with `label_documents` each label's text behind them, as a document of that label.

    Only the encoders see these: they count for no frequency, no centroid, no edge and not for the fusion. A label
    without a known word is left out, unless a sentence encoder knows it.
    Source: Renee (Jain et al., MLSys 2023), label texts as training points.
    """
    train, embeddings = prepared.train, prepared.embeddings
    corpus = Corpus(prepared.rows, None if embeddings is None else embeddings[0], train.labels, train.filter_pairs)
    if not label_documents:
        return corpus
    known = np.arange(train.n_labels) if embeddings else np.flatnonzero(np.diff(prepared.label_rows.indptr))
    ones, ends = np.ones(len(known), dtype=np.float32), np.arange(len(known) + 1)
    own = sp.csr_array((ones, known, ends), shape=(len(known), train.n_labels))
    return Corpus(
        as_csr(sp.vstack([corpus.features, prepared.label_rows[known]])),
        None if embeddings is None else np.concatenate([embeddings[0], embeddings[2][known]]),
        as_csr(sp.vstack([corpus.labels, own])),
        corpus.filter_pairs,
    )
