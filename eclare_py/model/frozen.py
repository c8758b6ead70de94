"""The trained document encoder for answering: plain arrays, numpy and compiled kernels, no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from eclare_py.codebook import Groups, from_arrays, sum_groups, to_arrays
from eclare_py.errors import ModelError
from eclare_py.storage import State
from eclare_py.threads import over_rows
from eclare_py.types import Csr, FloatArray


@dataclass(frozen=True)
class FrozenEncoder:
    """x = normalize(r + W relu(r) + b), r = x_tfidf E + e_transformer P; the document encoder without dropout.

    Attributes:
        table: (V, d) term embeddings, one byte for four numbers; (0, d) where only the transformer is used.
        weight: (d, d) W, applied from the right: relu(r) @ weight.
        bias: (d,).
        projection: (t, d) map of frozen sentence embeddings; (0, d) where there are none.
    """

    table: Groups
    weight: FloatArray
    bias: FloatArray
    projection: FloatArray

    @property
    def dim(self) -> int:
        """Length of the vectors, d."""
        return len(self.bias)

    @property
    def n_terms(self) -> int:
        """V; 0 where only the transformer is used."""
        return len(self.table.codes)

    def raw(self, rows: Csr, embeddings: FloatArray | None = None) -> FloatArray:
        """(B, V) CSR and (B, t) -> (B, d), the input of the residual block."""
        out = None
        if self.n_terms:
            if rows.shape[1] != self.n_terms:  # compiled code would read outside the table
                raise ModelError(
                    f"{rows.shape[1]} features do not fit a table of {self.n_terms}; use one model's parts"
                )
            out = sum_groups(rows.indptr, rows.indices, rows.data, self.table, rows.shape[0])
        if len(self.projection):
            if embeddings is None:
                raise ModelError("this model needs the sentence encoder it was trained with; none was given")
            frozen = embeddings @ self.projection
            out = frozen if out is None else out + frozen
        assert out is not None  # an encoder has at least one of the two parts
        return out

    def encode(self, rows: Csr, embeddings: FloatArray | None = None) -> FloatArray:
        """(B, V) CSR and (B, t) -> (B, d) unit vectors (zero where nothing is known of a text)."""
        raw = self.raw(rows, embeddings)
        out = np.empty(raw.shape, dtype=np.float32)
        over_rows(_finish, len(raw), raw, self.weight, self.bias, out, at_once=1024)
        return out

    def state(self) -> State:
        """What is saved."""
        arrays = {"weight": self.weight, "bias": self.bias, "projection": self.projection}
        return State(arrays=arrays | to_arrays("table", self.table), meta={"dim": self.dim})

    @classmethod
    def from_state(cls, state: State) -> FrozenEncoder:
        """Load, checking that the shapes fit.

        Raises:
            ModelError: A part is missing or shapes disagree.
        """
        try:
            weight, bias, projection = (state.arrays[name] for name in ("weight", "bias", "projection"))
            table = from_arrays(state.arrays, "table", len(bias))
        except KeyError as missing:
            raise ModelError(f"document encoder lacks {missing}; restore the file or train again") from None
        except ValueError as error:
            raise ModelError(f"document encoder: {error}; restore the file or train again") from error
        dim = len(bias)
        if weight.shape != (dim, dim) or projection.shape[1:] != (dim,):
            raise ModelError(
                f"document encoder: weight {weight.shape}, projection {projection.shape} do not fit {dim} dimensions; "
                "train again"
            )
        return cls(table, weight, bias, projection)


@njit(cache=True, nogil=True)
def _finish(start: int, stop: int, raw: FloatArray, weight: FloatArray, bias: FloatArray, out: FloatArray) -> None:
    """Residual block and normalisation of some rows, each added up in one order: alone as in a batch.

    Half of relu(r) is zero, and so are the rows of the weight that it asks for: memory is what one document waits for.
    """
    for row in range(start, stop):
        own, total, known = out[row], np.float32(0.0), False
        own[:] = 0.0
        for j in range(raw.shape[1]):
            factor = raw[row, j]
            known |= factor != 0
            if factor > 0:
                for k in range(own.shape[0]):
                    own[k] += factor * weight[j, k]
        for k in range(own.shape[0]):
            own[k] = (own[k] + bias[k] + raw[row, k]) * np.float32(known)
            total += own[k] * own[k]
        length = max(np.sqrt(total), np.float32(1e-12))
        for k in range(own.shape[0]):
            own[k] /= length
