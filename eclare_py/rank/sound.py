"""A last look at what is computed from a model's values."""

from __future__ import annotations

import numpy as np

from eclare_py.errors import ModelError
from eclare_py.quantize import Rows, codes_of
from eclare_py.types import FloatArray, Ranking

_MEND = "restore the model from its source or train again"


def sound_codes(matrix: FloatArray) -> Rows:
    """`codes_of` a matrix that was made from a model's values.

    Raises:
        ModelError: A value is beyond the largest number.
    """
    try:
        return codes_of(matrix)
    except ValueError as error:
        raise ModelError(f"{error}: values in some .safetensors of the model are too large; {_MEND}") from error


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
            f"large; {_MEND}"
        )
    return ranking
