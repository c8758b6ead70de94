"""Label prototypes: the mean of a label's train documents, in training without those of the batch.

Source: PRIME (Dahiya, Ortego, Jimenez, NAACL 2025), DEXA (KDD 2023) and SiameseXML (ICML 2021) give the label encoder a
view of the documents. Deviation: what a batch is scored with leaves the batch out. A rare label's mean *is* its few
documents; with them in it the loss would be met by looking them up, and nothing learned that helps a new document. One
vector serves the whole batch, so it leaves out all of the batch's documents and not the one at hand alone. A label
whose documents are all in the batch has none; that says nothing of which document of the batch is its own.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from eclare_py.index.clustering import unit_rows
from eclare_py.types import Csr, FloatArray, IntArray, as_csr


class Prototypes:
    """Unit means of the documents of each label; a document with m labels votes with 1/sqrt(m), as in the index.

    Args:
        documents: (N, d) vectors of the train documents, as they were when the epoch began.
        labels: (N, L) label matrix.
    """

    def __init__(self, documents: FloatArray, labels: Csr) -> None:
        counts = np.diff(labels.indptr)
        votes = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
        self.documents = documents
        self.votes = sp.csr_array((votes, labels.indices, labels.indptr), shape=labels.shape)
        self.sums: FloatArray = np.asarray(self.votes.T.tocsr() @ documents, dtype=np.float32)
        self.counts = np.bincount(labels.indices, minlength=labels.shape[1])

    def all(self) -> FloatArray:
        """(L, d) prototypes of all labels; zero without documents."""
        return unit_rows(self.sums)

    def without(self, batch: IntArray, labels: IntArray) -> FloatArray:
        """(l, d) prototypes of the (l,) labels, the documents of a batch left out.

        Args:
            batch: (B,) documents; those past the train documents (label texts) are in no prototype anyway.
            labels: (l,) ascending ids.
        """
        batch = batch[batch < len(self.documents)]
        own = as_csr(self.votes[batch][:, labels])
        sums = self.sums[labels] - own.T.tocsr() @ self.documents[batch]
        # By count and not by sum: what rounding leaves of a sum must not pass for a direction.
        sums[np.bincount(own.indices, minlength=len(labels)) >= self.counts[labels]] = 0
        return unit_rows(np.asarray(sums, dtype=np.float32))
