"""Texts and labels in the forms that users hand them over in, and what is said of those that cannot be taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.data.arguments import as_dataset
from eclare_py.data.dataset import Dataset
from eclare_py.errors import UsageError

TEXTS = ["x", "y", "z"]
MATRIX = np.array([[1, 0], [0, 1], [1, 1]])


class Frame:
    """What is used of `pandas.DataFrame`."""

    ndim = 2

    def __init__(self, values: np.ndarray, columns: list[Any]) -> None:
        self.values, self.columns, self.shape = values, columns, values.shape

    def __len__(self) -> int:
        return len(self.values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.values if dtype is None else self.values.astype(dtype)


@pytest.mark.parametrize(
    "rows",
    [
        [["a"], {"b"}, ("a", "b")],
        [np.array(["a"]), ["b"], frozenset(["b", "a"])],
        np.array([["a"], ["b"], ["a", "b"]], dtype=object),
    ],
)
def test_labels_of_a_document_may_be_any_collection(rows: Any) -> None:
    assert as_dataset(np.array(TEXTS), rows, None).labels.toarray().tolist() == MATRIX.tolist()


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([0, 1, 2], r"document 0 has the labels 0: labels must be lists, a single one is written \[0\]"),
        (np.array([4, 1, 2]), r"document 0 .*a single one is written \[4\]"),
        ([["a"], "b", ["c"]], r"document 1 has the labels 'b': labels must be lists, a single one is written \['b'\]"),
        ([["a"], ["b"], None], r"document 2 has the labels None: .*lists, \[\] for a document without any"),
        ([["a"], float("nan"), []], r"document 1 has the labels nan: .*\[\] for a document without any"),
        ([["a"], {"b": 1}, []], "document 1 has the labels {'b': 1}: labels must be lists, such as"),
        ([["a"], np.array("b"), []], "document 1 has the labels"),
        ([iter("a"), ["b"], []], "document 0 has the labels .*labels must be lists"),
        (7, "the labels are 7: give a list"),
        ({"x": ["a"]}, "the labels are {'x': "),
        (np.array([["a"], ["b"], ["c"]]), "the label matrix holds no numbers"),
    ],
)
def test_labels_that_are_no_lists_are_refused_by_document(labels: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        as_dataset(TEXTS, labels, None)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (Frame(np.array([["x"], ["y"], ["z"]]), ["body"]), r"the texts are a table: .* e.g. table\['body'\]"),
        (np.array([["x"], ["y"], ["z"]]), r"the texts have the shape \(3, 1\): give one column"),
        ("xyz", "the texts are one string"),
        ({"x": 1, "y": 2, "z": 3}, "the texts are a dict"),
        (iter(TEXTS), "give a list of texts"),
    ],
)
@pytest.mark.parametrize("labels", [[["a"], ["b"], []], MATRIX])
def test_texts_that_are_no_column_are_refused(texts: Any, labels: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        as_dataset(texts, labels, None)


def test_the_columns_of_a_table_name_the_labels() -> None:
    named = as_dataset(TEXTS, Frame(MATRIX, ["tools", "audio"]), None)
    assert named.label_ids == named.label_texts == ["tools", "audio"]
    assert named.labels.toarray().tolist() == MATRIX.tolist()
    by_name = as_dataset(TEXTS, Frame(MATRIX, ["tools", "audio"]), {"audio": "to hear", "tools": "to do"})
    assert (by_name.label_ids, by_name.label_texts) == (["tools", "audio"], ["to do", "to hear"])
    in_order = as_dataset(TEXTS, Frame(MATRIX == 1, ["tools", "audio"]), ["to do", "to hear"])
    assert (in_order.label_ids, in_order.label_texts) == (["tools", "audio"], ["to do", "to hear"])


def test_numbered_columns_are_called_by_their_numbers_where_nothing_else_is_given() -> None:
    assert as_dataset(TEXTS, Frame(MATRIX, [0, np.int64(7)]), None).label_texts == ["0", "7"]
    assert as_dataset(TEXTS, sp.csr_array(MATRIX), None).label_texts == ["0", "1"]
    assert as_dataset(TEXTS, Frame(MATRIX, [0, 1]), ["a", "b"]).label_texts == ["a", "b"]


@pytest.mark.parametrize(
    ("columns", "label_texts", "said"),
    [
        (["a", 3], None, "a column of labels is called 3: name columns by texts"),
        ([("a", "b"), ("a", "c")], None, "a column of labels is called"),
        (["a", "a"], None, "two columns of labels are called 'a'"),
        (["a", "b"], {"a": "x"}, "label_texts lacks the column 'b'"),
        (["a", "b"], {"a": "x", "b": "y", "c": "z"}, "label_texts has 'c', which is no column"),
        (["a", "b"], ["x"], "1 label texts for 2 columns"),
    ],
)
def test_names_of_columns_that_cannot_be_those_of_labels(columns: list[Any], label_texts: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Dataset.from_matrix(TEXTS, Frame(MATRIX, columns), label_texts)
