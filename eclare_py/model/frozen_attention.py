"""The trained encoder of Rank-AE for answering, up to what label vectors are multiplied with: no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eclare_py.errors import ModelError
from eclare_py.model.bag_kernels import dot_rows, sum_rows
from eclare_py.quantize import Rows, from_arrays, to_arrays
from eclare_py.storage import State
from eclare_py.types import Csr, FloatArray

_EPSILON = 1e-5  # of torch's layer norm
_MEND = "restore the file or train again"


@dataclass(frozen=True)
class FrozenAttention:
    """x = relu(norm(D sigma(F norm(words)))), see `WordAttention` and `RankAutoencoder`.

    Attributes:
        table: (V, c) word vectors by their int8 codes.
        weights: Small arrays by name, see `shapes`; matrices are applied from the right.
    """

    table: Rows
    weights: dict[str, FloatArray]

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return len(self.weights["hidden.bias"])

    @property
    def n_terms(self) -> int:
        """V."""
        return len(self.table.values)

    def encode(self, rows: Csr, embeddings: FloatArray | None = None) -> FloatArray:
        """(B, V) TF-IDF -> (B, d); no document has embeddings of a transformer.

        Raises:
            ModelError: Features of another model.
        """
        if rows.shape[1] != self.n_terms:  # compiled code would read outside the table
            raise ModelError(f"{rows.shape[1]} features do not fit a table of {self.n_terms}; use one model's parts")
        w, words = self.weights, self._words(rows)
        documents = _norm(words) * w["document.scale"] + w["document.shift"]
        latent = _sigmoid(documents @ w["latent.weight"] + w["latent.bias"])
        hidden = _norm(latent @ w["hidden.weight"] + w["hidden.bias"])
        return np.maximum(hidden * w["hidden.scale"] + w["hidden.shift"], np.float32(0))

    def _words(self, rows: Csr) -> FloatArray:
        """(B, c) gated sums of word vectors."""
        w, pooled = self.weights, self._sums(rows, rows.data)
        channel = np.ones_like(pooled)
        if "excite.weight" in w:
            squeezed = np.maximum(_norm(pooled) @ w["squeeze.weight"] + w["squeeze.bias"], np.float32(0))
            channel = 2 * _sigmoid(squeezed @ w["excite.weight"] + w["excite.bias"])
        if "query" not in w:
            return channel * pooled
        spatial = 2 * _sigmoid(self._dots(rows, channel * w["query"]) + w["offset"])
        return channel * self._sums(rows, spatial * rows.data)

    def _sums(self, rows: Csr, values: FloatArray) -> FloatArray:
        out = np.empty((rows.shape[0], self.table.values.shape[1]), dtype=np.float32)
        sum_rows(rows.indptr, rows.indices, values, self.table, out)
        return out

    def _dots(self, rows: Csr, vectors: FloatArray) -> FloatArray:
        out = np.empty(rows.nnz, dtype=np.float32)
        dot_rows(rows.indptr, rows.indices, self.table, vectors, out)
        return out

    def state(self) -> State:
        """What is saved."""
        return State(arrays=self.weights | to_arrays("table", self.table), meta={"dim": self.dim})

    @classmethod
    def from_state(cls, state: State) -> FrozenAttention:
        """Load, checking that the shapes fit.

        Raises:
            ModelError: A part is missing or shapes disagree.
        """
        weights = {name: array for name, array in state.arrays.items() if name not in ("table", "table_scale")}
        sizes = tuple(len(weights.get(name, ())) for name in ("document.scale", "latent.bias", "hidden.bias"))
        squeeze = len(weights["squeeze.bias"]) if "squeeze.bias" in weights else None
        expected = shapes(*sizes, squeeze=squeeze, spatial="query" in weights)
        for name in sorted(expected.keys() | weights.keys()):
            found, wanted = weights.get(name), expected.get(name)
            if found is None or found.shape != wanted or found.dtype != np.float32 or not np.isfinite(found).all():
                shown = "missing" if found is None else f"{found.dtype} {found.shape}"
                raise ModelError(f"document encoder: {name} is {shown}, expected finite float32 {wanted}; {_MEND}")
        try:
            table = from_arrays(state.arrays, "table", sizes[0])
        except ValueError as error:
            raise ModelError(f"document encoder: {error}; {_MEND}") from error
        return cls(table, weights)


def shapes(
    words: int, latent: int, dim: int, *, squeeze: int | None, spatial: bool
) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the small arrays.

    Args:
        words: c.
        latent: h.
        dim: Length of the vectors.
        squeeze: Bottleneck of the channel gates; None where there are none.
        spatial: Whether there are gates on words.
    """
    found: dict[str, tuple[int, ...]] = {
        "document.scale": (words,), "document.shift": (words,),
        "latent.weight": (words, latent), "latent.bias": (latent,),
        "hidden.weight": (latent, dim), "hidden.bias": (dim,), "hidden.scale": (dim,), "hidden.shift": (dim,),
    }  # fmt: skip
    if squeeze is not None:
        found |= {"squeeze.weight": (words, squeeze), "squeeze.bias": (squeeze,)}
        found |= {"excite.weight": (squeeze, words), "excite.bias": (words,)}
    if spatial:
        found |= {"query": (words,), "offset": (1,)}
    return found


def _norm(rows: FloatArray) -> FloatArray:
    """Rows of mean 0 and variance 1."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + np.float32(_EPSILON)))


def _sigmoid(values: np.ndarray) -> FloatArray:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)), dtype=np.float32)
