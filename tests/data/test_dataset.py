from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from eclare_py.data.dataset import Dataset
from eclare_py.errors import DataError, UsageError
from eclare_py.types import as_csr


def small() -> Dataset:
    dense = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 1], [0, 0, 1]])
    pairs = np.array([[0, 1], [3, 0], [3, 2]])
    return Dataset([f"text {i}" for i in range(5)], as_csr(dense), ["a", "b", "c"], list("vwxyz"), None, pairs)


def test_properties() -> None:
    data = small()
    assert (len(data), data.n_documents, data.n_labels) == (5, 5, 3)
    assert data.label_frequencies.tolist() == [2, 2, 3]
    assert data.label_frequencies.dtype == np.int64


def test_subset_keeps_order_of_rows_and_renumbers_pairs() -> None:
    part = small().subset([3, 1, 0])
    assert part.texts == ["text 3", "text 1", "text 0"]
    assert part.ids == ["y", "w", "v"]
    assert part.labels.toarray().tolist() == [[1, 1, 1], [0, 0, 0], [1, 0, 1]]
    assert part.filter_pairs.tolist() == [[0, 0], [0, 2], [2, 1]]
    assert part.label_texts == ["a", "b", "c"]


def test_subset_by_mask_and_with_a_row_twice() -> None:
    mask = np.array([True, False, False, True, False])
    assert small().subset(mask).filter_pairs.tolist() == [[0, 1], [1, 0], [1, 2]]
    assert small().subset([0, 0]).filter_pairs.tolist() == [[0, 1], [1, 1]]
    assert small().subset([]).labels.shape == (0, 3)


@pytest.mark.parametrize("row", [-1, 5])
def test_subset_out_of_range(row: int) -> None:
    with pytest.raises(UsageError, match="outside the 5 documents"):
        small().subset([0, row])


@given(st.integers(2, 40), st.integers(0, 9), st.floats(0.1, 0.9))
@settings(max_examples=30, deadline=None)
def test_split_parts_are_disjoint_complete_and_seeded(n: int, seed: int, share: float) -> None:
    data = Dataset.from_texts([f"text {i}" for i in range(n)], [[f"l{i % 3}"] for i in range(n)])
    wanted = round(share * n)
    if not 0 < wanted < n:
        with pytest.raises(UsageError, match="leaves one part empty"):
            data.split(share, seed=seed)
        return
    train, validation = data.split(share, seed=seed)
    assert len(validation) == wanted
    assert sorted(train.texts + validation.texts) == sorted(data.texts)
    assert train.label_texts == validation.label_texts == data.label_texts
    assert np.array_equal(train.label_frequencies + validation.label_frequencies, data.label_frequencies)
    assert data.split(wanted, seed=seed)[1].texts == validation.texts


def test_split_depends_on_the_seed() -> None:
    data = Dataset.from_texts([f"text {i}" for i in range(50)], [["a"]] * 50)
    assert data.split(10, seed=0)[1].texts != data.split(10, seed=1)[1].texts


@pytest.mark.parametrize("validation", [0, 5, 6, -1, 0.0, 1.0, 1.5])
def test_split_refuses_an_empty_part(validation: float) -> None:
    with pytest.raises(UsageError, match="leaves one part empty"):
        small().split(validation, seed=0)


def test_parts_must_fit() -> None:
    data = small()
    with pytest.raises(ValueError, match="labels is 5 x 3, expected 4 x 3"):
        Dataset(data.texts[:4], data.labels, data.label_texts)
    with pytest.raises(ValueError, match="ids has 2 entries, expected 5"):
        Dataset(data.texts, data.labels, data.label_texts, ids=["a", "b"])
    with pytest.raises(ValueError, match="label_ids has 1 entries, expected 3"):
        Dataset(data.texts, data.labels, data.label_texts, label_ids=["a"])


@pytest.mark.parametrize(
    ("pairs", "fault"),
    [
        ([[1, 0], [0, 0]], "sorted and unique"),
        ([[0, 1], [0, 1]], "sorted and unique"),
        ([[0, 2], [0, 1]], "sorted and unique"),
        ([[0, 3]], "outside a 5 x 3 matrix"),
        ([[5, 0]], "outside a 5 x 3 matrix"),
        ([[-1, 0]], "outside a 5 x 3 matrix"),
    ],
)
def test_filter_pairs_are_checked(pairs: list[list[int]], fault: str) -> None:
    data = small()
    with pytest.raises(ValueError, match=fault):
        Dataset(data.texts, data.labels, data.label_texts, filter_pairs=np.array(pairs))


def test_label_matrix_is_checked() -> None:
    broken = sp.csr_array((np.ones(1, np.float32), np.array([0]), np.array([0, 1])), shape=(1, 2))
    broken.indices[0] = 7
    with pytest.raises(ValueError, match="column index 7 outside"):
        Dataset(["x"], broken, ["a", "b"])


def test_from_names() -> None:
    data = Dataset.from_texts(["x", "y"], [["pear", "apple"], []])
    assert data.label_texts == data.label_ids == ["apple", "pear"]
    assert data.labels.toarray().tolist() == [[1, 1], [0, 0]]


def test_from_names_with_texts() -> None:
    data = Dataset.from_texts(["x"], [["b"]], {"a": "first label", "b": "second label"})
    assert (data.label_ids, data.label_texts) == (["a", "b"], ["first label", "second label"])
    assert data.labels.toarray().tolist() == [[0, 1]]
    listed = Dataset.from_texts(["x"], [["b"]], ["c", "b"])
    assert (listed.label_ids, listed.labels.toarray().tolist()) == (None, [[0, 1]])


def test_from_row_numbers() -> None:
    data = Dataset.from_texts(["x", "y"], [[2, 0], [np.int64(1)]], ["a", "b", "c"])
    assert data.labels.toarray().tolist() == [[1, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize(
    ("texts", "labels", "label_texts", "fault"),
    [
        (["x"], [[3]], ["a"], "document 0: label 3 is not a row number in 0..0"),
        (["x"], [[-1]], ["a"], "label -1"),
        (["x"], [[True]], ["a"], "label True"),
        (["x"], [[0.0]], ["a"], "label 0.0"),
        (["x"], [["b"]], ["a"], "label 'b' is not a known label name"),
        (["x"], [["a", 0]], ["a"], "label 0 is not a known label name"),
        (["x"], [["a", "a"]], None, "lists a label twice"),
        (["x", " "], [["a"], ["a"]], None, "document 1 has the text ' '"),
        (["x", None], [["a"], ["a"]], None, "document 1 has the text None"),
        (["x\ud800"], [["a"]], None, "lone surrogate"),
        (["x"], [["a"]], {"a": ""}, "label 0 has the text ''"),
    ],
)
def test_from_texts_bad_content(texts: list[str], labels: list[list[str]], label_texts: list[str], fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        Dataset.from_texts(texts, labels, label_texts)


def test_from_texts_bad_call() -> None:
    with pytest.raises(UsageError, match="2 texts but 1 label lists"):
        Dataset.from_texts(["x", "y"], [["a"]])
    with pytest.raises(UsageError, match="label 0 is no name: give names, or row numbers and label_texts"):
        Dataset.from_texts(["x"], [[0]])
    with pytest.raises(UsageError, match="labels must be lists"):
        Dataset.from_texts(["x"], ["name"])
