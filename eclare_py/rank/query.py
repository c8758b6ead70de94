"""A batch of documents as the ranker sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eclare_py.types import Csr, FloatArray


@dataclass(frozen=True)
class Query:
    """Documents to rank labels for.

    Attributes:
        vectors: (B, d) vectors of the document encoder.
        terms: (B, V) TF-IDF rows, sorted columns.
    """

    vectors: FloatArray
    terms: Csr

    def __len__(self) -> int:
        """B."""
        return len(self.vectors)

    def leading(self, width: int) -> Csr:
        """(B, width) the first columns of the terms."""
        if width == self.terms.shape[1]:
            return self.terms
        kept = self.terms.indices < width
        pointers = np.concatenate([[0], np.cumsum(kept, dtype=np.int64)])[self.terms.indptr]
        return Csr((self.terms.data[kept], self.terms.indices[kept], pointers), shape=(len(self), width))

    def part(self, rows: slice) -> Query:
        """Some of the documents."""
        if rows.start == 0 and rows.stop >= len(self):
            return self  # slicing a sparse matrix takes longer than ranking one document
        return Query(self.vectors[rows], self.terms[rows])
