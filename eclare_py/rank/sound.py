"""The last look at an answer."""

from __future__ import annotations

import numpy as np

from eclare_py.errors import ModelError
from eclare_py.types import Ranking


def sound(ranking: Ranking) -> Ranking:
    """The ranking, if its scores are numbers.

    Loading refuses NaN and infinity, but values that are finite one by one may be too large together.

    Raises:
        ModelError: A score is NaN.
    """
    if np.isnan(ranking.scores).any():
        row, column = np.argwhere(np.isnan(ranking.scores))[0].tolist()
        raise ModelError(
            f"the score at rank {column + 1} of text {row} is NaN: values in some .safetensors of the model are too "
            "large; restore the model from its source or train again"
        )
    return ranking
