"""A batch of documents as the ranker sees them."""

from __future__ import annotations

from dataclasses import dataclass

from eclare_py.index.multiplicands import sixteen_bits
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

    @classmethod
    def of(cls, vectors: FloatArray, terms: Csr) -> Query:
        """Encoded documents. Their vectors are rounded to 16 bits, as the search does: every part sees the same."""
        return cls(sixteen_bits(vectors), terms)

    def __len__(self) -> int:
        """B."""
        return len(self.vectors)

    def part(self, rows: slice) -> Query:
        """Some of the documents."""
        if rows.start == 0 and rows.stop >= len(self):
            return self  # slicing a sparse matrix takes longer than ranking one document
        return Query(self.vectors[rows], self.terms[rows])
