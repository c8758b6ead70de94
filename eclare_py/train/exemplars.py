"""Train documents kept for explanations: for each label those nearest to its vector."""

from __future__ import annotations

import numpy as np

from eclare_py.quantize import quantize
from eclare_py.rank.kernels import score_pairs
from eclare_py.rank.pipeline import TrainDocuments
from eclare_py.rank.ranker import LabelScorer
from eclare_py.sparse import row_ids
from eclare_py.train.prepare import Prepared
from eclare_py.types import FloatArray

PER_LABEL = 3


def train_documents(prepared: Prepared, scorer: LabelScorer, documents: FloatArray) -> TrainDocuments:
    """Pick, for each label, the few train documents nearest to its vector.

    Args:
        prepared: Data of the run.
        scorer: Label vectors.
        documents: (N, d) vectors of the train documents.
    """
    matrix = prepared.train.labels
    rows = row_ids(matrix)
    labels = matrix.indices.astype(np.int64)
    closeness = score_pairs(documents, scorer.vectors, rows, labels)
    order = np.lexsort((rows, -closeness, labels))
    rows, labels = rows[order], labels[order]
    starts = np.concatenate([[0], np.cumsum(np.bincount(labels, minlength=matrix.shape[1]))])
    kept = np.arange(len(labels)) - starts[labels] < PER_LABEL
    chosen, position = np.unique(rows[kept], return_inverse=True)
    ids = prepared.train.ids or []
    names = [ids[row] for row in chosen.tolist()]
    pairs = np.stack([labels[kept], position.astype(np.int64)], axis=1)
    return TrainDocuments(names, quantize(documents[chosen], 4), pairs)
