"""The documents that a stage draws its batches from: the train documents, and the label texts where wanted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from eclare_py.distributed import current
from eclare_py.model.inputs import Inputs
from eclare_py.train.bags import Bags
from eclare_py.train.prepare import Prepared
from eclare_py.train.soft import near_labels, soft_labels
from eclare_py.types import Csr, IntArray, as_csr


@dataclass(frozen=True)
class Corpus:
    """Documents of a stage.

    Attributes:
        inputs: The D documents as the encoders read them; the N train documents first. Of several processes each has
            those that are its own.
        labels: (D, L) labels.
        filter_pairs: (F, 2) pairs that are neither positive nor negative.
        soft: (D, L) targets of pairs that are relevant in part, or None.
        bags: Groups whose labels are known instead of those of documents, or None.
    """

    inputs: Inputs
    labels: Csr
    filter_pairs: IntArray
    soft: Csr | None = None
    bags: Bags | None = None


def corpus_of(
    prepared: Prepared, *, label_documents: bool, soft_targets: float = 0.0, groups: bool = False
) -> Corpus:
    """The documents of a stage.

    Args:
        prepared: The data.
        label_documents: Put each label's text behind the train documents, see `with_label_documents`.
        groups: Train on groups, where the labels are imputed of such.
        soft_targets: Greatest target of a rare label for documents of labels near to it; 0: none.
    """
    corpus = Corpus(prepared.inputs, prepared.train.labels, prepared.train.filter_pairs)
    if groups:
        corpus = replace(corpus, bags=Bags.of(prepared.train))
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
    texts, n_labels = prepared.label_inputs, prepared.train.n_labels
    read = texts.embeddings is not None or texts.tokens is not None
    known = np.arange(n_labels) if read else np.flatnonzero(np.diff(texts.rows.indptr))
    ones, ends = np.ones(len(known), dtype=np.float32), np.arange(len(known) + 1)
    own = sp.csr_array((ones, known, ends), shape=(len(known), n_labels))
    group = current()
    here = known[(group.rank - prepared.train.n_documents) % group.world :: group.world]
    return Corpus(
        corpus.inputs.followed_by(texts[here]),
        as_csr(sp.vstack([corpus.labels, own])),
        corpus.filter_pairs,
        bags=None if corpus.bags is None else corpus.bags.followed_by(own),
    )
