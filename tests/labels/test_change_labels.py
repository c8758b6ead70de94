"""Labels of a finished model are taken out, put in, renamed and merged; what stays is not touched."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from eclare_py.errors import UsageError
from eclare_py.index import LabelTree
from eclare_py.labels import add_labels, merge_labels, remove_labels, rename_labels
from eclare_py.labels.take import Classifiers, keep, keep_in_tree, put_in_classifiers, put_in_tree
from eclare_py.persist import load_pipeline, save_pipeline
from eclare_py.rank.pipeline import LabelTable, Pipeline
from eclare_py.types import Csr, Ranking, as_csr
from tests.tiny import arrays_of

N_LABELS = 90


@pytest.fixture(scope="module")
def pipeline(tiny: Any) -> Pipeline:
    loaded = load_pipeline(tiny.model)
    assert isinstance(loaded, Pipeline)
    return loaded


def unbounded(pipeline: Pipeline) -> Pipeline:
    """No beam or list is too short for any label, so that none takes a place from another."""
    ranker = pipeline.ranker
    config = dataclasses.replace(
        ranker.config, shortlist=200, linear_candidates=200, graph_candidates=200, finalists=400
    )  # fmt: skip
    assert ranker.linear is not None
    linear = dataclasses.replace(ranker.linear, config=dataclasses.replace(ranker.linear.config, beam=200))
    return dataclasses.replace(pipeline, ranker=dataclasses.replace(ranker, config=config, linear=linear))


def without_edges(pipeline: Pipeline, label: int) -> Pipeline:
    """A label that is nobody's neighbour and supports nobody."""

    def cut(matrix: Csr) -> Csr:
        dense = matrix.toarray()
        dense[label], dense[:, label] = 0, 0
        return as_csr(dense)

    graph = type(pipeline.graph).from_adjacency(
        cut(pipeline.graph.adjacency), kind=pipeline.graph.kind, normalization="row"
    )
    ranker = dataclasses.replace(pipeline.ranker, graph=graph.normalized, support=cut(pipeline.ranker.support))
    return dataclasses.replace(pipeline, ranker=ranker, graph=graph)


def same(one: Ranking, other: Ranking) -> None:
    np.testing.assert_array_equal(one.indices, other.indices)
    np.testing.assert_array_equal(one.scores, other.scores)


def test_nothing_changed_is_the_same_bit_by_bit(pipeline: Pipeline, tiny: Any, tmp_path: Any) -> None:
    changed = (
        keep(pipeline, np.arange(N_LABELS)),
        remove_labels(pipeline, np.array([], dtype=np.int64)),
        add_labels(pipeline, LabelTable([], [] if pipeline.labels.ids else None)),
        merge_labels(pipeline, {}),
        rename_labels(pipeline),
    )
    for place, one in enumerate(changed):
        save_pipeline(one, tmp_path / str(place))
        assert arrays_of(tmp_path / str(place)) == arrays_of(tiny.model)


@pytest.mark.parametrize("label", [0, 41, 89])
def test_others_answer_as_if_the_removed_label_were_hidden(label: int, pipeline: Pipeline, tiny: Any) -> None:
    texts = tiny.folder.test.texts
    wide = without_edges(unbounded(pipeline), label)
    hidden = np.stack([np.arange(len(texts)), np.full(len(texts), label)], axis=1)
    expected = wide.rank(texts, 60, hidden=hidden)
    smaller = remove_labels(wide, np.array([label]))
    found = smaller.rank(texts, 60)
    assert smaller.n_labels == N_LABELS - 1 and smaller.labels.texts == [
        text for row, text in enumerate(pipeline.labels.texts) if row != label
    ]
    rows = np.where(found.indices >= label, found.indices + 1, found.indices)
    same(Ranking(np.where(found.indices < 0, -1, rows), found.scores), expected)


def test_a_removed_label_leaves_nothing_behind(pipeline: Pipeline) -> None:
    gone = np.arange(0, N_LABELS, 3)
    smaller = remove_labels(pipeline, gone)
    stay = np.setdiff1d(np.arange(N_LABELS), gone)
    assert smaller.network["label_encoder.bias"].shape == (len(stay),)
    np.testing.assert_array_equal(smaller.ranker.scorer.vectors, pipeline.ranker.scorer.vectors[stay])
    pairs, documents = smaller.documents.pairs, smaller.documents
    assert set(pairs[:, 1].tolist()) == set(range(len(documents.names)))
    of_stay = {(int(np.searchsorted(stay, label)), pipeline.documents.names[at])
               for label, at in pipeline.documents.pairs.tolist() if label in stay}  # fmt: skip
    assert {(label, documents.names[at]) for label, at in pairs.tolist()} == of_stay
    with pytest.raises(UsageError, match="leave one at least"):
        remove_labels(pipeline, np.arange(N_LABELS))


def test_labels_of_a_tree_by_hand() -> None:
    """Leaves [2, 0], [1], [3, 4]; 1 goes, then two more labels come into the leaves 1 and 0, a third into 1."""
    tree = LabelTree(
        np.array([0, 3]), np.array([0]), np.array([0, 2, 3, 5]), np.array([2, 0, 1, 3, 4]),
        np.eye(3, dtype=np.float32), np.zeros(3, np.float32),
    )  # fmt: skip
    fewer = keep_in_tree(tree, np.array([0, 2, 3, 4]))
    assert (fewer.leaf_ptr.tolist(), fewer.label_order.tolist()) == ([0, 2, 2, 4], [1, 0, 2, 3])
    more = put_in_tree(fewer, np.array([1, 0, 1]))
    assert (more.leaf_ptr.tolist(), more.label_order.tolist()) == ([0, 3, 5, 7], [1, 0, 5, 4, 6, 2, 3])
    assert more.node_of_label().tolist() == [0, 0, 2, 2, 1, 0, 1]


def test_new_classifiers_score_as_their_weights_say(pipeline: Pipeline, tiny: Any) -> None:
    linear = pipeline.ranker.linear
    assert linear is not None
    texts = tiny.folder.test.texts[:20]
    rows = pipeline.features.transform(texts)[:, : linear.n_features]
    weights = linear.levels[-1].matrix()[[3, 11]]
    parents = np.array([0, linear.levels[-1].n_chunks - 1])
    more = put_in_classifiers(linear, Classifiers(weights, np.array([0.5, -0.5], np.float32), parents))
    assert sorted(more.label_order.tolist()) == list(range(N_LABELS + 2))
    last, places = more.levels[-1], np.argsort(more.label_order)[N_LABELS:]
    margins = rows @ last.matrix().T + last.bias
    expected = rows @ weights.T + np.array([0.5, -0.5])
    np.testing.assert_allclose(margins[:, places], expected, atol=1e-5)
    after, before = (
        one.search(as_csr(rows), beam=200, last=len(one.label_order)) for one in (more, linear)
    )
    found, old = (np.zeros((len(texts), N_LABELS + 2), np.float32) for _ in range(2))
    np.put_along_axis(found, more.label_order[after.indices], after.scores, axis=1)
    np.put_along_axis(old, linear.label_order[before.indices], before.scores, axis=1)
    np.testing.assert_allclose(found[:, :N_LABELS], old[:, :N_LABELS], atol=1e-5)
    assert (found[:, N_LABELS:] < 0).any()


def test_renamed_labels_answer_the_same_under_other_names(pipeline: Pipeline, tiny: Any) -> None:
    texts = tiny.folder.test.texts
    renamed = rename_labels(pipeline, texts={5: "another name"})
    same(renamed.rank(texts, 7), pipeline.rank(texts, 7))
    assert renamed.labels.texts[5] == "another name" and renamed.labels.texts[:5] == pipeline.labels.texts[:5]
    with pytest.raises(UsageError, match="not empty"):
        rename_labels(pipeline, texts={5: " "})


def test_merged_labels_by_hand(pipeline: Pipeline, tiny: Any) -> None:
    """Labels 7 and 30 become part of 12: counts add up, vectors are means, classifiers the largest weights."""
    before, ranker = pipeline, pipeline.ranker
    merged = merge_labels(pipeline, {7: 12, 30: 12})
    row = 11  # 12, less the 7 before it
    assert merged.n_labels == 88 and merged.labels.texts[row] == pipeline.labels.texts[12]
    counts = before.frequencies[[12, 7, 30]]
    assert merged.frequencies[row] == min(counts.sum(), before.n_documents)
    mean = (1 + counts[:, None].astype(np.float32)) * ranker.scorer.vectors[[12, 7, 30]]
    mean = mean.sum(axis=0) / np.linalg.norm(mean.sum(axis=0))
    np.testing.assert_allclose(merged.ranker.scorer.vectors[row], mean, atol=0.01)
    assert ranker.linear is not None and merged.ranker.linear is not None
    old, new = ranker.linear.levels[-1], merged.ranker.linear.levels[-1]
    place = np.argsort(ranker.linear.label_order)[[12, 7, 30]]
    at = int(np.argsort(merged.ranker.linear.label_order)[row])
    np.testing.assert_array_equal(new.matrix().toarray()[at], old.matrix().toarray()[place].max(axis=0))
    assert new.bias[at] == old.bias[place].max()
    support = ranker.support.toarray()
    expected = np.delete(support[[12, 7, 30]].max(axis=0), [7, 12, 30])
    found = np.delete(merged.ranker.support.toarray()[row], row)
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    kept = pipeline.documents.pairs.tolist()
    documents = {pipeline.documents.names[at] for label, at in kept if label in (7, 12, 30)}
    assert {merged.documents.names[at] for label, at in merged.documents.pairs.tolist() if label == row} == documents
    untouched = np.setdiff1d(np.arange(88), [row])
    np.testing.assert_array_equal(
        merged.ranker.scorer.vectors[untouched], np.delete(ranker.scorer.vectors, [7, 12, 30], axis=0)
    )
    assert merged.rank(tiny.folder.test.texts, 5).indices.max() < 88
    with pytest.raises(UsageError, match="which goes itself"):
        merge_labels(pipeline, {7: 12, 12: 30})
