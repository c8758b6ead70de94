"""Sentence vectors as further columns of TF-IDF rows, so that a sparse ranker sees both (XR-Transformer)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eclare_py.errors import UsageError
from eclare_py.features.transformer_config import TransformerConfig
from eclare_py.types import Csr, FloatArray

if TYPE_CHECKING:
    from eclare_py.features.text_transformer import TextTransformer


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
    (n, v), dim = rows.shape, vectors.shape[1]
    if len(vectors) != n:
        raise UsageError(f"{len(vectors)} vectors for {n} rows")
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
        config: How the model is read.
        dim: t, length of a vector.
        weight: Factor on the vectors.
        folder: Where the model lies, unless it is given.
        model: The model, where it is in memory already.
    """

    def __init__(
        self, config: TransformerConfig, dim: int, weight: float, *, folder: Path | None = None,
        model: TextTransformer | None = None,
    ) -> None:  # fmt: skip
        self.config, self.dim, self.weight, self.folder = config, dim, weight, folder
        if model is not None:
            self.model = model

    @classmethod
    def of(cls, model: TextTransformer, weight: float) -> DenseColumns:
        """Of a model in memory."""
        return cls(model.config, model.dim, weight, model=model.to("cpu"))

    @cached_property
    def model(self) -> TextTransformer:
        """The model.

        Raises:
            ModelError: It is damaged.
        """
        # Only now, as it loads torch.
        from eclare_py.features.text_transformer import TextTransformer

        return TextTransformer.load(self.config, folder=self.folder)

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """(N, t) unit vectors, always in float32: one text alone and among others is the same up to rounding."""
        return self.model.encode(self.model.tokens(texts))

    def append(self, rows: Csr, texts: Sequence[str]) -> Csr:
        """TF-IDF rows (N, V) of N texts -> (N, V + t)."""
        return append_dense(rows, self.encode(texts), self.weight)

    def save(self, folder: Path) -> None:
        """Write the model."""
        self.model.save(folder)
