"""What is known of some texts, as the encoders read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eclare_py.features.tokens import Tokens
from eclare_py.storage.spool import Collector, empty
from eclare_py.types import Csr, FloatArray, IntArray, narrow, row_blocks

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
        return Inputs(stacked([self.rows, other.rows]), embeddings, tokens)


def stacked(parts: Sequence[Csr]) -> Csr:
    """Rows (n_i, V) below each other; in blocks, as they may be too large for memory."""
    counts, columns, values = [np.zeros(1, np.int64)], Collector(np.int32), Collector(np.float32)
    for part in parts:
        for rows in row_blocks(part, _BLOCK):
            block = part[rows]
            counts.append(np.diff(block.indptr).astype(np.int64))
            columns.add(block.indices.astype(np.int32, copy=False))
            values.add(block.data)
    pointers, indices = narrow(np.cumsum(np.concatenate(counts))), columns.finish()
    return Csr((values.finish(), indices, pointers), shape=(sum(part.shape[0] for part in parts), parts[0].shape[1]))
