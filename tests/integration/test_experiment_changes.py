"""Changes of the train split, as experiments make them: nested, of train pairs alone, and finished on the model."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from eclare_py import Dataset
from eclare_py.labels import match_labels, remove_labels
from tests.tiny import ROOT

sys.path.insert(0, str(ROOT / "experiments"))  # the scripts are no package

from runner import AS_IS, Change, execute  # noqa: E402
from runner.changes import held_out_labels  # noqa: E402


def pairs_of(data: Dataset) -> set[tuple[str, int]]:
    """(document text, label), as row numbers change; texts of the tiny set are distinct."""
    matrix = data.labels.tocoo()
    return {(data.texts[row], label) for row, label in zip(matrix.row.tolist(), matrix.col.tolist(), strict=True)}


@pytest.mark.parametrize("kind", ["documents", "pairs", "labels"])
def test_changes_are_nested_and_touch_only_train_pairs(kind: str, tiny: Any) -> None:
    train = tiny.folder.train
    small, large = (Change(kind, share).apply(train, 3) for share in (0.2, 0.6))
    assert pairs_of(Change(kind, 0.2).apply(train, 3)) == pairs_of(small) != pairs_of(Change(kind, 0.2).apply(train, 4))
    fewer, more = (small, large) if kind == "documents" else (large, small)
    assert pairs_of(fewer) < pairs_of(more) < pairs_of(train)
    for data in (small, large):
        assert data.label_texts == train.label_texts
        assert (np.diff(data.labels.indptr) > 0).all() or kind == "documents"
    if kind == "documents":
        assert len(small) == round(0.2 * len(train))
    if kind == "pairs":
        assert small.labels.nnz == pytest.approx(0.8 * train.labels.nnz, rel=0.05)
    if kind == "labels":
        mask = held_out_labels(90, 0.2, 3)
        assert mask.sum() == 18 and not small.label_frequencies[mask].any()
        assert np.array_equal(small.label_frequencies[~mask], train.label_frequencies[~mask])


def test_replaced_labels_are_nested_and_keep_the_number_of_labels(tiny: Any) -> None:
    train = tiny.folder.train
    small, large = (Change("replaced", share).apply(train, 3) for share in (0.2, 0.6))
    kept = [pairs_of(data) & pairs_of(train) for data in (large, small)]
    assert kept[0] < kept[1] and len(kept[1]) == pytest.approx(0.8 * train.labels.nnz, rel=0.05)
    assert pairs_of(small) - pairs_of(train) < pairs_of(large) - pairs_of(train)
    for data in (small, large):
        assert np.array_equal(data.labels.indptr, train.labels.indptr) and data.labels.has_canonical_format
    crowded = Dataset.from_texts(["a b"], [[0, 1]], ["a", "b", "c"])
    with pytest.raises(ValueError, match="2 of 3 labels"):
        Change("replaced", 0.5).apply(crowded, 0)


def test_labels_added_later_are_ranked_by_the_rows_of_the_data(tiny: Any) -> None:
    train, test, change = tiny.folder.train, tiny.folder.test, Change("added", 0.1)
    late = held_out_labels(90, 0.1, 3)
    without = change.apply(train, 3)
    assert without.label_texts == [text for text, gone in zip(train.label_texts, late, strict=True) if not gone]
    np.testing.assert_array_equal(without.label_frequencies, train.label_frequencies[~late])
    known = remove_labels(tiny.classifier.pipeline, np.flatnonzero(late))  # as if it had been trained like that
    model = change.finish(known, train, 0)
    assert model.labels.texts[81:] == [train.label_texts[row] for row in np.flatnonzero(late)]
    assert AS_IS.finish(known, train, 0) is known
    found, _ = execute._predict(model, tiny.folder)
    rows = match_labels(model.labels, test.label_texts, test.label_ids)
    hidden = np.stack([test.filter_pairs[:, 0], rows[test.filter_pairs[:, 1]]], axis=1)
    own = model.rank(test.texts, execute.RANKED, hidden=hidden)
    there = own.indices >= 0
    assert [model.labels.texts[label] for label in own.indices[there]] == [
        test.label_texts[label] for label in found.indices[there]
    ]
    np.testing.assert_array_equal(found.scores, own.scores)


def test_a_model_is_tuned_on_the_documents_that_the_first_training_did_not_have(tiny: Any) -> None:
    train, change = tiny.folder.train, Change("tuned", 0.3)
    first, documents = change.apply(train, 3), Change("documents", 0.3).apply(train, 3)
    assert first.texts == documents.texts and first.n_labels < 90
    known = np.flatnonzero(documents.label_frequencies)
    assert first.label_texts == [train.label_texts[row] for row in known]
    np.testing.assert_array_equal(first.labels.toarray(), documents.labels.toarray()[:, known])
    gone = np.setdiff1d(np.arange(90), known)
    model = change.finish(remove_labels(tiny.classifier.pipeline, gone), train, 3)
    assert model.n_documents == train.n_documents and sorted(model.labels.texts) == sorted(train.label_texts)
    by_text = dict(zip(model.labels.texts, model.frequencies.tolist(), strict=True))
    assert by_text == dict(zip(train.label_texts, train.label_frequencies.tolist(), strict=True))


def test_the_data_set_as_it_is_and_impossible_changes(tiny: Any) -> None:
    assert AS_IS.apply(tiny.folder.train, 0) is tiny.folder.train
    for wrong in (("pages", 0.5), ("pairs", 0.0), ("pairs", 1.5)):
        with pytest.raises(ValueError, match=r"unknown|outside"):
            Change(*wrong)
