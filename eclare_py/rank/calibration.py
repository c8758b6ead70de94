"""Scores that stay probabilities while rare labels are lifted: one line through the logits per lift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eclare_py.errors import ModelError
from eclare_py.storage import State
from eclare_py.types import FloatArray


@dataclass(frozen=True, eq=False)
class Calibration:
    """Platt scaling of the lifted logit: score = sigmoid(slope * logit + offset), for some lifts; between them linear.

    Slopes are above 0, so the ranking does not change.

    Attributes:
        boosts: (G,) lifts (`tail_boost`), ascending.
        slopes: (G,) above 0.
        offsets: (G,).
    """

    boosts: FloatArray
    slopes: FloatArray
    offsets: FloatArray

    @classmethod
    def none(cls) -> Calibration:
        """Logits as they are."""
        return cls(*(np.array([value], dtype=np.float32) for value in (0, 1, 0)))

    def at(self, boost: float) -> tuple[float, float]:
        """Slope and offset of a lift; beyond the largest those of the largest."""
        return float(np.interp(boost, self.boosts, self.slopes)), float(np.interp(boost, self.boosts, self.offsets))

    def state(self) -> State:
        """What is saved."""
        return State({"boosts": self.boosts, "slopes": self.slopes, "offsets": self.offsets})

    @classmethod
    def from_state(cls, state: State) -> Calibration:
        """Load.

        Raises:
            ModelError: A part is missing, lengths differ, lifts do not ascend or a slope is not above 0.
        """
        parts = [state.arrays.get(name) for name in ("boosts", "slopes", "offsets")]
        if any(part is None or part.dtype != np.float32 or part.ndim != 1 for part in parts):
            raise ModelError("calibration: boosts, slopes and offsets must be rows of float32; train again")
        found = cls(*parts)  # type: ignore[arg-type]
        fits = len(found.boosts) == len(found.slopes) == len(found.offsets) > 0
        if not fits or np.any(np.diff(found.boosts) <= 0) or found.slopes.min() <= 0:
            raise ModelError("calibration: boosts must ascend, with a slope above 0 and an offset each; train again")
        return found
