"""What is tried with a folder: a model answers, a data set is read and checked."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from eclare_py.data.dataset import load_dataset
from eclare_py.data.validate import validate_folder
from eclare_py.errors import DataError
from eclare_py.persist import load_pipeline

K = 5


def answering(texts: Sequence[str]) -> Callable[[Path], None]:
    """Load a model and rank the labels of some texts, all together and one alone."""

    def attempt(folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # weights of 1e30 overflow; the answer is checked below
            model = load_pipeline(folder)
            model.describe()
            for some in (list(texts), [texts[0]]):
                ranking = model.rank(some, K)
                assert ranking.indices.shape == (len(some), K), f"shape {ranking.indices.shape}"
                assert ranking.indices.min() >= -1 and ranking.indices.max() < model.n_labels, "label out of range"
                assert not np.isnan(ranking.scores).any(), "NaN among the scores"
                assert np.all(ranking.scores[:, 1:] <= ranking.scores[:, :-1]), "scores not in order"

    return attempt


def reading(folder: Path) -> None:
    """Load a data folder; the validator must come to the same verdict."""
    first = next((problem for problem in validate_folder(folder) if problem.severity == "error"), None)
    try:
        load_dataset(folder)
    except DataError as error:
        assert first is not None and str(error).endswith(first.message), f"the validator says {first}"
        raise
    assert first is None, f"loaded, but the validator says {first}"
