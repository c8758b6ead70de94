"""New labels by their texts: borrowed evidence, and a model that answers, explains, is saved and evaluated."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from eclare_py.errors import DataError, ModelError
from eclare_py.estimator import EclareClassifier
from eclare_py.labels import add_labels, into_label_space, match_labels, remove_labels
from eclare_py.labels.kin import find_kin
from eclare_py.persist import load_pipeline, save_pipeline
from eclare_py.rank.explain import explain
from eclare_py.rank.pipeline import LabelTable, Pipeline
from eclare_py.storage import atomic_folder, read_state, write_state
from eclare_py.types import as_csr

LATE = np.array([4, 23, 50, 71, 88])


@pytest.fixture(scope="module")
def fewer(tiny: Any) -> Pipeline:
    loaded = load_pipeline(tiny.model)
    assert isinstance(loaded, Pipeline)
    return remove_labels(loaded, LATE)


@pytest.fixture(scope="module")
def grown(tiny: Any, fewer: Pipeline) -> Pipeline:
    return add_labels(fewer, names_of(tiny, LATE))


def names_of(tiny: Any, rows: Any) -> LabelTable:
    table = tiny.classifier.pipeline.labels
    ids = None if table.ids is None else [table.ids[row] for row in rows]
    return LabelTable([table.texts[row] for row in rows], ids)


def test_kin_by_hand() -> None:
    """Cosines 0.8, 0.4 and 0.2 with power 1: shares of two thirds and one third; nothing where none is above 0."""
    new = np.array([[1, 0, 0], [0, 0, 1]], dtype=np.float32)
    known = np.array([[0.4, 1, 0], [0.8, 0.6, 0], [0, 1, 0], [0.2, 0, -1]], dtype=np.float32)
    kin = find_kin(new, known, count=2, sharpness=1.0)
    np.testing.assert_allclose(kin.toarray(), [[1 / 3, 2 / 3, 0, 0], [0, 0, 0, 0]], rtol=1e-6)
    even = find_kin(new, known, count=3, sharpness=0.0).toarray()
    np.testing.assert_allclose(even[0], [1 / 3, 1 / 3, 0, 1 / 3], rtol=1e-6)
    many = find_kin(np.tile(new, (200, 1)), known, count=9, sharpness=2.0).toarray()
    np.testing.assert_allclose(many[398], np.array([16, 64, 0, 4]) / 84, rtol=1e-6)


def test_known_labels_stay_as_they_were(fewer: Pipeline, grown: Pipeline) -> None:
    old, new = fewer.ranker, grown.ranker
    n = fewer.n_labels
    assert grown.n_labels == n + 5 and grown.labels.texts[:n] == fewer.labels.texts
    np.testing.assert_array_equal(new.scorer.vectors[:n], old.scorer.vectors)
    np.testing.assert_array_equal(new.scorer.tree.routers, old.scorer.tree.routers)
    np.testing.assert_array_equal(new.scorer.tree.node_of_label()[:n], old.scorer.tree.node_of_label())
    np.testing.assert_array_equal(new.profile.priors[:n], old.profile.priors)
    np.testing.assert_array_equal(new.support.toarray()[:n, :n], old.support.toarray())
    edges = np.pad(fewer.graph.adjacency.toarray(), ((0, 0), (0, 5)))
    np.testing.assert_array_equal(grown.graph.adjacency.toarray()[:n], edges)
    spread = new.scorer.bias[n:]  # tiny has biases: those of kin
    assert spread.any() and old.scorer.bias.min() <= spread.min() and spread.max() <= old.scorer.bias.max()
    assert (grown.frequencies[n:] == 0).all() and (new.profile.priors[n:] >= 1).all()


def test_new_labels_are_found_by_their_texts(grown: Pipeline) -> None:
    ranking = grown.rank(grown.labels.texts[-5:], 10)
    found = [label in row for label, row in zip(range(85, 90), ranking.indices, strict=True)]
    assert sum(found) >= 4


def test_a_grown_model_is_saved_explained_and_refused_when_damaged(grown: Pipeline, tiny: Any, tmp_path: Any) -> None:
    texts = tiny.folder.test.texts
    save_pipeline(grown, tmp_path / "model")
    again = load_pipeline(tmp_path / "model")
    assert isinstance(again, Pipeline)
    before, after = grown.rank(texts, 7), again.rank(texts, 7)
    np.testing.assert_array_equal(before.indices, after.indices)
    np.testing.assert_array_equal(before.scores, after.scores)
    found = explain(again, texts[0], 87)
    assert found.split.total == pytest.approx(found.dense, abs=1e-4) and found.frequency == 0
    with atomic_folder(tmp_path / "bad", kind="model") as partial:
        for file in (tmp_path / "model").iterdir():
            if file.name != "manifest.json":
                (partial / file.name).write_bytes(file.read_bytes())
        state = read_state(partial, "profile")
        state.arrays["assumed"] = state.arrays["assumed"] * 0 - 1
        write_state(partial, "profile", state)
    with pytest.raises(ModelError, match="assumed holds -1"):
        load_pipeline(tmp_path / "bad")


def test_given_edges_are_neighbours_and_give_support(fewer: Pipeline, tiny: Any) -> None:
    names = names_of(tiny, LATE)
    edges = np.zeros((5, 90), dtype=np.float32)
    edges[1, 7], edges[1, 88], edges[3, 86] = 1.0, 0.5, 0.5  # row 88 is the fourth new label, 86 the second
    grown = add_labels(fewer, names, as_csr(edges))
    near, weights = grown.graph.neighbours(86)
    assert near.tolist() == [7, 88] and weights.tolist() == [1.0, 0.5]
    typical = np.median(fewer.ranker.support.data)
    assert grown.ranker.support.toarray()[7, 86] >= typical * 0.99
    assert grown.ranker.support.toarray()[86, 7] >= typical * 0.99
    plain = add_labels(fewer, names)
    assert not np.array_equal(plain.ranker.scorer.vectors[86], grown.ranker.scorer.vectors[86])
    # Without edges it is the same, but for the last bits of a batch of another make, by which a code may be the next.
    before, after = plain.ranker.scorer.vectors[85], grown.ranker.scorer.vectors[85]
    np.testing.assert_allclose(before, after, rtol=2**-10, atol=1.01 * np.abs(before).max() / 127)


def test_data_of_other_order_and_number_are_matched(grown: Pipeline, tiny: Any) -> None:
    test = tiny.folder.test
    matched = into_label_space(test, grown.labels)
    rows = match_labels(grown.labels, test.label_texts, test.label_ids)
    assert sorted(rows.tolist()) == list(range(90)) and rows[LATE].tolist() == [85, 86, 87, 88, 89]
    np.testing.assert_array_equal(matched.labels.toarray()[:, rows], test.labels.toarray())
    assert len(matched.filter_pairs) == len(test.filter_pairs)
    classifier = EclareClassifier()
    classifier._pipeline = grown
    found = classifier.evaluate(tiny.folder)
    unseen = next(one for one in found.bins if one.name == "unseen")
    assert unseen.labels >= 5 and unseen.pairs >= matched.labels.toarray()[:, 85:].sum()


def test_labels_that_cannot_be_matched_are_refused_with_a_mend(grown: Pipeline, tiny: Any) -> None:
    test = tiny.folder.test
    smaller = remove_labels(grown, np.array([0]))
    with pytest.raises(DataError, match="1 labels of the data are not in the model.*--drop-unknown"):
        into_label_space(test, smaller.labels)
    gone = match_labels(grown.labels, test.label_texts, test.label_ids) == 0
    pairs = test.labels.nnz - np.count_nonzero(test.labels.toarray()[:, gone])
    assert into_label_space(test, smaller.labels, drop_unknown=True).labels.nnz == pairs
    twice = dataclasses.replace(test, label_texts=[*test.label_texts[:-1], test.label_texts[0]], label_ids=None)
    with pytest.raises(DataError, match="names two labels of the data.*give the labels ids"):
        match_labels(grown.labels, twice.label_texts, None)
    with pytest.raises(DataError, match="none of the 1"):
        match_labels(grown.labels, ["something else"], None)
