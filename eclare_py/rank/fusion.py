"""Learned fusion: a small network from the evidence of a pair to the probability that the label is relevant.

Fitted on documents that no earlier stage has trained on: the scores of a ranker on its own train documents are far
too good. Trained by `train/fusion.py`, applied with numpy or, in answers, by `one_pass.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eclare_py.errors import ModelError
from eclare_py.storage import State
from eclare_py.types import FloatArray

FIRST_LOGIT = "first_logit"


@dataclass(frozen=True)
class FusionNetwork:
    """Two hidden ReLU layers over standardised evidence.

    With a column `FIRST_LOGIT` the network gives a correction that is added to that column: the final fusion starts
    from the first one and cannot easily end up behind it.

    Attributes:
        columns: Names of the F inputs.
        mean: (F,) of the inputs.
        scale: (F,) standard deviations.
        weights: (F, h), (h, h), (h, 1).
        biases: (h,), (h,), (1,).
    """

    columns: tuple[str, ...]
    mean: FloatArray
    scale: FloatArray
    weights: tuple[FloatArray, FloatArray, FloatArray]
    biases: tuple[FloatArray, FloatArray, FloatArray]

    def logits(self, evidence: FloatArray) -> FloatArray:
        """(P, F) evidence -> (P,) logits."""
        hidden = (evidence - self.mean) / self.scale
        for weight, bias in zip(self.weights[:2], self.biases[:2], strict=True):
            hidden = np.maximum(hidden @ weight + bias, 0)
        logits = (hidden @ self.weights[2] + self.biases[2])[:, 0]
        if FIRST_LOGIT in self.columns:
            logits = logits + evidence[:, self.columns.index(FIRST_LOGIT)]
        return np.asarray(logits, dtype=np.float32)

    def state(self) -> State:
        """What is saved."""
        arrays = {"mean": self.mean, "scale": self.scale}
        arrays |= {f"weight{i}": value for i, value in enumerate(self.weights)}
        arrays |= {f"bias{i}": value for i, value in enumerate(self.biases)}
        return State(arrays=arrays, meta={"columns": list(self.columns)})

    @classmethod
    def from_state(cls, state: State) -> FusionNetwork:
        """Load, checking that the shapes fit.

        Raises:
            ModelError: A part is missing or shapes disagree.
        """
        try:
            weights = tuple(state.arrays[f"weight{i}"] for i in range(3))
            biases = tuple(state.arrays[f"bias{i}"] for i in range(3))
            mean, scale, named = state.arrays["mean"], state.arrays["scale"], state.meta["columns"]
        except KeyError as missing:
            raise ModelError(f"fusion network lacks {missing}; restore the file or train again") from None
        if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
            raise ModelError("fusion network: columns must be a list of names; train again")
        columns = tuple(named)
        sizes = [len(columns), *(len(bias) for bias in biases)]
        shapes = [weight.shape for weight in weights]
        fitting = shapes == list(zip(sizes[:-1], sizes[1:], strict=True)) and sizes[-1] == 1
        if not fitting or not mean.shape == scale.shape == (len(columns),):
            raise ModelError(f"fusion network: weights {shapes} do not fit {len(columns)} columns; train again")
        types = {array.dtype.name for array in (*weights, *biases, mean, scale)}
        if types != {"float32"}:  # another type would have every kernel compiled anew
            raise ModelError(f"fusion network: arrays of {', '.join(sorted(types))}, not float32; train again")
        return cls(columns, mean, scale, weights, biases)  # type: ignore[arg-type]


def probability(logits: FloatArray) -> FloatArray:
    """Sigmoid, safe at both ends."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), dtype=np.float32)
