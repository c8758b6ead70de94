"""Sentence vectors as further columns of TF-IDF rows, so that a sparse ranker sees both (XR-Transformer)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eclare_py.errors import ModelError, UsageError
from eclare_py.features.transformer import SentenceEncoder
from eclare_py.features.transformer_config import TransformerConfig
from eclare_py.storage.spool import stacked_rows
from eclare_py.types import Csr, FloatArray, row_blocks

if TYPE_CHECKING:
    from eclare_py.features.text_transformer import TextTransformer


_BLOCK = 8192  # rows joined at once


def append_dense(rows: Csr, vectors: FloatArray, weight: float = 1.0) -> Csr:
    """[X | weight E]: sparse rows with a dense part after their last column.

    Args:
        rows: (N, V) with ascending columns.
        vectors: (N, t).
        weight: Factor on the vectors.

    Returns:
        (N, V + t) CSR; every entry of the dense part is stored.

    Raises:
        UsageError: Row counts differ.
    """
    if len(vectors) != rows.shape[0]:
        raise UsageError(f"{len(vectors)} vectors for {rows.shape[0]} rows")
    blocks = (_side_by_side(rows[part], vectors[part], weight) for part in row_blocks(rows, _BLOCK))
    return stacked_rows(blocks, rows.shape[1] + vectors.shape[1])


def _side_by_side(rows: Csr, vectors: FloatArray, weight: float) -> Csr:
    (n, v), dim = rows.shape, vectors.shape[1]
    counts = np.diff(rows.indptr)
    indptr = np.concatenate([[0], np.cumsum(counts + dim)]).astype(rows.indptr.dtype)
    indices, data = np.empty(indptr[-1], rows.indices.dtype), np.empty(indptr[-1], np.float32)
    sparse = np.arange(rows.nnz) + np.repeat(np.arange(n) * dim, counts)
    dense = indptr[1:, None] - dim + np.arange(dim)
    indices[sparse], data[sparse] = rows.indices, rows.data
    indices[dense], data[dense] = v + np.arange(dim), np.float32(weight) * vectors
    return Csr((data, indices, indptr), shape=(n, v + dim))


class DenseColumns:
    """A transformer whose unit vectors stand beside the TF-IDF of a text; it is read from disk on first use.

    Args:
        encoder: The transformer.
        dim: t, length of a vector; known without reading the transformer.
        weight: Factor on the vectors.
    """

    def __init__(self, encoder: SentenceEncoder, dim: int, weight: float) -> None:
        self.encoder, self.dim, self.weight = encoder, dim, weight

    @classmethod
    def of(cls, model: TextTransformer, weight: float) -> DenseColumns:
        """Of a model in memory."""
        return cls(SentenceEncoder.of(model.to("cpu")), model.dim, weight)

    @classmethod
    def stored(cls, config: TransformerConfig, folder: Path, dim: int, weight: float) -> DenseColumns:
        """Of a model in a folder."""
        return cls(SentenceEncoder(config, folder=folder, device="cpu"), dim, weight)

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """(N, t) unit vectors of documents: one text alone and among others is the same up to rounding."""
        vectors = self.encoder.encode(texts)
        if vectors.shape[1] != self.dim:  # compiled look-ups do not check bounds
            raise ModelError(
                f"{self.encoder.place()} gives vectors of {vectors.shape[1]} numbers, the model has {self.dim} columns "
                "for them; restore the model from its source or train again"
            )
        return vectors

    def append(self, rows: Csr, texts: Sequence[str]) -> Csr:
        """TF-IDF rows (N, V) of N texts -> (N, V + t)."""
        return append_dense(rows, self.encode(texts), self.weight)

    def save(self, folder: Path) -> None:
        """Write the model."""
        self.encoder.save(folder)
