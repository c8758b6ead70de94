"""What is known of some texts, as the encoders read it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eclare_py.features.tokens import Tokens
from eclare_py.storage.spool import empty, stacked_rows
from eclare_py.types import Csr, FloatArray, IntArray, row_blocks

_BLOCK = 8192  # rows copied at once


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

    def followed_by(self, other: Inputs) -> Inputs:
        """These texts, then others that come in the same forms."""
        embeddings = tokens = None
        if self.embeddings is not None and other.embeddings is not None:
            embeddings = empty((len(self) + len(other), self.embeddings.shape[1]), np.float32)
            np.concatenate([self.embeddings, other.embeddings], out=embeddings)
        if self.tokens is not None and other.tokens is not None:
            tokens = self.tokens.followed_by(other.tokens)
        # In blocks, as the rows may be too large for memory.
        blocks = (part[rows] for part in (self.rows, other.rows) for rows in row_blocks(part, _BLOCK))
        return Inputs(stacked_rows(blocks, self.rows.shape[1]), embeddings, tokens)
