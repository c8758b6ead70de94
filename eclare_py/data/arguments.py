"""Data as users hand it over: data sets, folders, or texts with their labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from eclare_py.data.dataset import DEFAULT_PROPENSITY_A, DEFAULT_PROPENSITY_B, DataFolder, Dataset
from eclare_py.data.given_labels import check_one_column
from eclare_py.data.problems import show
from eclare_py.errors import DataError, UsageError


def as_dataset(
    data: Dataset | DataFolder | Sequence[str],
    labels: Sequence[Sequence[str] | Sequence[int]] | Any | None,
    label_texts: Sequence[str] | Mapping[str, str] | None,
) -> Dataset:
    """What `fit` is given, as a data set: of a folder its train split.

    Raises:
        UsageError: Labels beside a data set, or texts without any.
        DataError: An empty text, an unknown label.
    """
    if isinstance(data, Dataset | DataFolder):
        if labels is not None or label_texts is not None:
            raise UsageError("a data set has its labels: pass it alone, or pass texts and label lists")
        return data.train if isinstance(data, DataFolder) else data
    if labels is None:
        raise UsageError("fit needs a data set, or texts and a list of labels for each of them")
    if getattr(labels, "ndim", 1) == 2:
        return Dataset.from_matrix(data, labels, label_texts)
    return Dataset.from_texts(data, labels, label_texts)


def test_split(data: DataFolder | Dataset) -> tuple[Dataset, float, float]:
    """Test split, and the A and B of the propensity model."""
    if isinstance(data, Dataset):
        return data, DEFAULT_PROPENSITY_A, DEFAULT_PROPENSITY_B
    if data.test is None:
        raise DataError("the folder has no test split: add tst.json.gz", path=data.path)
    return data.test, data.propensity_a, data.propensity_b


def as_texts(texts: Iterable[str]) -> list[str]:
    """Texts as a list: of any sequence, a column of a table, an array, a generator.

    Raises:
        UsageError: One string, a whole table, or something that is no string; says which.
    """
    if not isinstance(texts, Iterator):
        check_one_column(texts)
    found = list(texts)
    for number, text in enumerate(found):
        if not isinstance(text, str):
            raise UsageError(f"text {number} is {show(text)}: it must be a string")
    return found
