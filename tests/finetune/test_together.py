"""Old and new documents over one set of labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eclare_py.data.dataset import Dataset
from eclare_py.errors import DataError, UsageError
from eclare_py.finetune.together import bring_together
from eclare_py.rank.pipeline import LabelTable
from eclare_py.types import as_csr

MODEL = LabelTable(["apple tree", "boat", "cat", "dog"], ["a", "b", "c", "d"])


def data(rows: Any, texts: list[str], label_ids: list[str] | None, names: Any = None, **more: Any) -> Dataset:
    documents = [f"document {row}" for row in range(len(rows))]
    return Dataset(documents, as_csr(np.array(rows)), texts, ids=names, label_ids=label_ids, **more)


@pytest.fixture
def new() -> Dataset:
    """Labels e (new), c with another text, f (new), a."""
    return data(
        [[1, 0, 0, 1], [0, 1, 1, 0]], ["elephant", "cats", "fish", "apple tree"], ["e", "c", "f", "a"],
        filter_pairs=np.array([[0, 0], [1, 3]]), label_edges=np.array([[0, 1, 0], [2, 3, 1]]),
    )  # fmt: skip


def test_without_old_documents_only_labels_of_the_new_ones_stay(new: Dataset) -> None:
    found = bring_together(MODEL, new, None)
    assert found.old is None and found.n_dropped == 2 and found.n_added == 2
    assert found.model_rows.tolist() == [0, 2, -1, -1]
    assert found.new.label_ids == ["a", "c", "e", "f"]
    assert found.new.label_texts == ["apple tree", "cats", "elephant", "fish"]
    assert found.new.labels.toarray().tolist() == [[1, 0, 1, 0], [0, 1, 0, 1]]
    assert found.new.filter_pairs.tolist() == [[0, 2], [1, 0]]
    assert found.new.label_edges.tolist() == [[2, 1, 0], [3, 0, 1]]
    assert found.new.ids == ["new document 1", "new document 2"]


def test_with_old_documents_all_labels_stay(new: Dataset) -> None:
    """Of the old data label x is not in the model: it was removed from it, and its pairs go."""
    old = data([[1, 1, 0], [0, 0, 1], [0, 1, 1]], ["dog", "boat", "gone"], ["d", "b", "x"], names=["p", "q", "r"])
    found = bring_together(MODEL, new, old)
    assert found.n_dropped == 0 and found.model_rows.tolist() == [0, 1, 2, 3, -1, -1]
    assert found.old is not None and found.old.ids == ["p", "q", "r"]
    assert found.old.labels.toarray().tolist() == [[0, 1, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]]
    assert found.new.labels.toarray().tolist() == [[1, 0, 0, 0, 1, 0], [0, 0, 1, 0, 0, 1]]
    assert found.new.label_texts == found.old.label_texts
    together = found.old.followed_by(found.new)
    assert together.n_documents == 5 and together.filter_pairs.tolist() == [[3, 4], [4, 0]]


def test_data_without_ids_are_matched_by_text_and_get_their_texts_as_ids() -> None:
    found = bring_together(MODEL, data([[1, 1]], ["boat", "ship"], None), None)
    assert found.new.label_ids == ["b", "ship"] and found.model_rows.tolist() == [1, -1]
    plain = bring_together(LabelTable(["boat", "cat"]), data([[1, 1]], ["ship", "cat"], ["s", "c"]), None)
    assert plain.new.label_ids is None and plain.new.label_texts == ["cat", "ship"]


def test_what_cannot_be_matched_is_refused() -> None:
    with pytest.raises(DataError, match="none of the 1 ids of the data is a label of the model, 'z'"):
        bring_together(MODEL, data([[1]], ["boat"], ["z"]), None)
    with pytest.raises(UsageError, match="a new label would have the id 'b', which another label has"):
        bring_together(MODEL, data([[1, 1]], ["boat", "b"], None), None)
