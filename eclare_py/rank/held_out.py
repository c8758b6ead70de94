"""What a model knows of its own precision: held-out documents, scored by a fusion that was not fitted on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eclare_py.errors import ModelError
from eclare_py.metrics.propensity import inverse_propensities
from eclare_py.metrics.selective import Scored
from eclare_py.rank.calibration import Calibration
from eclare_py.rank.fusion import probability
from eclare_py.sparse import owners
from eclare_py.storage import State
from eclare_py.types import BoolArray, FloatArray, IntArray

DEPTH = 10  # best labels of a document that are kept, at every lift


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The best candidates of H held-out documents with their outcome.

    Logits are kept without lift, and more than `DEPTH` candidates a document, so that thresholds can be had for every
    `tail_boost`.

    Attributes:
        indptr: (H+1,) candidates of document i are indptr[i]:indptr[i+1].
        logits: (P,) fused logits, neither lifted nor calibrated.
        relevant: (P,) whether the label is relevant.
        frequencies: (P,) train documents of the label; held-out ones are not counted.
        n_documents: Train documents without the held-out ones.
    """

    indptr: IntArray
    logits: FloatArray
    relevant: BoolArray
    frequencies: IntArray
    n_documents: int

    def scored(self, calibration: Calibration, tail_boost: float, k: int = DEPTH) -> Scored:
        """The k best of each document, at most `DEPTH`, with the scores that the model gives at a lift."""
        slope, offset = calibration.at(tail_boost)
        rarity = np.log(inverse_propensities(self.frequencies, self.n_documents)).astype(np.float32)
        lifted = self.logits + np.float32(tail_boost) * rarity
        scores = probability(np.asarray(slope * lifted + offset, dtype=np.float32))
        documents = len(self.indptr) - 1
        rows = owners(self.indptr)
        order = np.lexsort((-scores, rows))  # stable: of equal scores the smaller label first
        place = np.arange(len(rows)) - self.indptr[rows]
        k = min(k, DEPTH)
        kept = place < k
        slots, chosen = (rows[kept], place[kept]), order[kept]
        best = Scored(
            np.full((documents, k), -np.inf, np.float32), np.zeros((documents, k), bool),
            np.zeros((documents, k), np.int64),
        )  # fmt: skip
        best.scores[slots], best.hit[slots] = scores[chosen], self.relevant[chosen]
        best.frequencies[slots] = self.frequencies[chosen]
        return best

    def state(self) -> State:
        """What is saved."""
        return State(
            {
                "indptr": self.indptr,
                "logits": self.logits,
                "relevant": self.relevant,
                "frequencies": self.frequencies,
            },
            {"n_documents": self.n_documents},
        )

    @classmethod
    def from_state(cls, state: State) -> HeldOut:
        """Load.

        Raises:
            ModelError: A part is missing or of another type or length, pointers decrease, or a frequency cannot be.
        """
        kinds = {"indptr": np.int64, "logits": np.float32, "relevant": np.bool_, "frequencies": np.int64}
        parts = {name: state.arrays.get(name) for name in kinds}
        if any(part is None or part.dtype != kinds[name] or part.ndim != 1 for name, part in parts.items()):
            raise ModelError(f"held_out: {', '.join(kinds)} must be rows of their types; train again")
        found = cls(**parts, n_documents=state.meta.get("n_documents"))  # type: ignore[arg-type]
        size, count = len(found.logits), found.n_documents
        if not len(found.relevant) == len(found.frequencies) == size or not len(found.indptr):
            raise ModelError("held_out: logits, relevant and frequencies differ in length; train again")
        if found.indptr[0] != 0 or found.indptr[-1] != size or np.any(np.diff(found.indptr) < 0):
            raise ModelError(f"held_out: indptr does not fit {size} candidates; train again")
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ModelError(f"held_out: n_documents is {count!r}, expected a whole number from 1; train again")
        if size and not 0 <= found.frequencies.min() <= found.frequencies.max() <= count:
            raise ModelError(f"held_out: frequencies must be from 0 to {count}; train again")
        return found
