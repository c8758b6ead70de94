"""What is known of some texts, as the encoders read it."""

from __future__ import annotations

from dataclasses import dataclass

from eclare_py.features.tokens import Tokens
from eclare_py.types import Csr, FloatArray, IntArray


@dataclass(frozen=True)
class Inputs:
    """N texts in up to three forms.

    Attributes:
        rows: (N, V) TF-IDF.
        embeddings: (N, t) vectors of a transformer that are not to be learned, or None.
        tokens: Token numbers for a transformer that learns, or None.
    """

    rows: Csr
    embeddings: FloatArray | None = None
    tokens: Tokens | None = None

    def __len__(self) -> int:
        """N."""
        return int(self.rows.shape[0])

    def __getitem__(self, chosen: IntArray | slice) -> Inputs:
        """Some of the texts, in the order asked for."""
        return Inputs(
            self.rows[chosen],
            None if self.embeddings is None else self.embeddings[chosen],
            None if self.tokens is None else self.tokens[chosen],
        )
