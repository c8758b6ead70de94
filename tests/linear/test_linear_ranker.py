"""Training and search of the linear ranker on small made-up data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.errors import ModelError, UsageError
from eclare_py.linear import LinearConfig, LinearRanker, fit_linear, pifa_tree
from eclare_py.linear.hierarchy import levels_of
from eclare_py.linear.search import log_score
from eclare_py.linear.training import _relevances
from eclare_py.types import Csr, as_csr

N, L, V = 150, 23, 61
CONFIG = LinearConfig(branching=2, max_leaf=4, threshold=0.0, tolerance=1e-4, rounds=500)


def data(seed: int = 0) -> tuple[Csr, Csr]:
    """Every label has words of its own; label 7 has no document."""
    random = np.random.default_rng(seed)
    labels = random.random((N, L)) < 0.08
    labels[:, 7] = False
    labels[np.arange(N), random.integers(8, L, N)] = True
    words = np.zeros((N, V))
    for label in range(L):
        words[:, 2 * label : 2 * label + 2] += labels[:, [label]]
    words += random.random((N, V)) < 0.05
    words /= np.maximum(np.linalg.norm(words, axis=1, keepdims=True), 1e-9)
    return as_csr(words), as_csr(labels.astype(np.float32))


def margin(ranker: LinearRanker, documents: Csr, level: int) -> np.ndarray:
    chunks = ranker.levels[level]
    return np.asarray((documents @ chunks.matrix().T).todense()) + chunks.bias


def naive_scores(ranker: LinearRanker, documents: Csr) -> np.ndarray:
    """(B, L) products of exp(-max(0, 1 - v)^3) over whole paths, all nodes scored."""
    scores = np.ones((documents.shape[0], 1))
    for level, chunks in enumerate(ranker.levels):
        above = np.repeat(scores, np.diff(chunks.child_ptr), axis=1)
        scores = above * np.exp(-(np.maximum(0, 1 - margin(ranker, documents, level)) ** 3))
    by_label = np.empty_like(scores)
    by_label[:, ranker.label_order] = scores
    return by_label


@pytest.fixture(scope="module")
def trained() -> tuple[LinearRanker, Csr, Csr]:
    documents, labels = data()
    return fit_linear(documents, labels, pifa_tree(documents, labels, CONFIG), CONFIG), documents, labels


def test_levels_follow_the_tree() -> None:
    documents, labels = data()
    tree = pifa_tree(documents, labels, CONFIG)
    levels, order = levels_of(tree)
    pointers = [level.child_ptr for level in levels]
    np.testing.assert_array_equal(order, tree.label_order)
    assert [len(p) - 1 for p in pointers] == [1, *(tree.level_size(level) for level in range(tree.n_levels))]
    assert pointers[-1][-1] == L
    np.testing.assert_array_equal(np.repeat(np.arange(len(pointers[1]) - 1), np.diff(pointers[1])), tree.parents(1))


@pytest.mark.parametrize("rows", [1, 40])
def test_a_full_beam_finds_the_best_paths(trained: tuple[LinearRanker, Csr, Csr], rows: int) -> None:
    ranker, documents, _ = trained
    ranking = ranker.rank(documents[:rows], 6, beam=1000)
    expected = naive_scores(ranker, documents[:rows])
    best = -np.sort(-expected, axis=1)[:, :6]
    np.testing.assert_allclose(ranking.scores, best, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(np.take_along_axis(expected, ranking.indices, 1), best, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("rows", [1, 30])
def test_document_by_document_equals_level_by_level(trained: tuple[LinearRanker, Csr, Csr], rows: int) -> None:
    ranker, documents, _ = trained
    positions, ranking = ranker.search(documents[:rows], beam=3, last=7), ranker.paths(documents[:rows], 7, beam=3)
    labels = np.where(positions.indices >= 0, ranker.label_order[positions.indices], -1)
    np.testing.assert_array_equal(ranking.indices, labels)
    np.testing.assert_array_equal(ranking.scores, positions.scores)


def test_other_columns_behind_those_of_the_weights(trained: tuple[LinearRanker, Csr, Csr]) -> None:
    ranker, documents, _ = trained
    wider = as_csr(sp.hstack([documents, np.full((documents.shape[0], 2), 9.0)]))
    expected, ranking = ranker.paths(documents, 6), ranker.paths(wider, 6, leading=True)
    np.testing.assert_array_equal(ranking.indices, expected.indices)
    np.testing.assert_array_equal(ranking.scores, expected.scores)
    with pytest.raises(UsageError, match="documents of 63 features for weights of 61"):
        ranker.paths(wider, 6)
    with pytest.raises(UsageError, match="documents of 60 features for weights of 61"):
        ranker.paths(as_csr(documents[:, :-1]), 6, leading=True)


def test_one_document_equals_the_batch(trained: tuple[LinearRanker, Csr, Csr]) -> None:
    ranker, documents, _ = trained
    together = ranker.rank(documents[:30], 5, beam=3)
    for row in range(30):
        alone = ranker.rank(documents[row : row + 1], 5, beam=3)
        np.testing.assert_array_equal(alone.indices[0], together.indices[row])
        np.testing.assert_array_equal(alone.scores[0], together.scores[row])


def test_it_learns(trained: tuple[LinearRanker, Csr, Csr]) -> None:
    ranker, documents, labels = trained
    first = ranker.rank(documents, 1, beam=10).indices[:, 0]
    assert np.mean(np.asarray(labels.todense())[np.arange(N), first]) > 0.95


def test_a_label_without_documents_has_no_weights(trained: tuple[LinearRanker, Csr, Csr]) -> None:
    ranker, _, _ = trained
    place = int(np.flatnonzero(ranker.label_order == 7)[0])
    assert not ranker.levels[-1].matrix()[[place]].nnz
    assert ranker.levels[-1].bias[place] == -1


def test_rows_are_padded_where_labels_run_out(trained: tuple[LinearRanker, Csr, Csr]) -> None:
    ranker, documents, _ = trained
    ranking = ranker.rank(documents[:2], L + 4, beam=1)
    found = (ranking.indices >= 0).sum(axis=1)
    assert (found < L).all()
    assert np.isneginf(ranking.scores[ranking.indices < 0]).all()


def test_threads_do_not_change_the_weights(
    trained: tuple[LinearRanker, Csr, Csr], monkeypatch: pytest.MonkeyPatch
) -> None:
    ranker, documents, labels = trained
    # One task a child, in one thread.
    monkeypatch.setattr("eclare_py.linear.training._TASK", 1.0)
    monkeypatch.setattr("eclare_py.linear.training.get_num_threads", lambda: 1)
    again = fit_linear(documents, labels, pifa_tree(documents, labels, CONFIG), CONFIG)
    for one, other in zip(ranker.levels, again.levels, strict=True):
        for part in ("row_ptr", "features", "entry_ptr", "offsets", "values", "bias"):
            np.testing.assert_array_equal(getattr(one, part), getattr(other, part))


def test_thresholded_weights_are_dropped(trained: tuple[LinearRanker, Csr, Csr]) -> None:
    ranker, documents, labels = trained
    short = fit_linear(documents, labels, pifa_tree(documents, labels, CONFIG), replace(CONFIG, threshold=0.2))
    full, kept = ranker.levels[0].matrix().toarray(), short.levels[0].matrix().toarray()
    np.testing.assert_allclose(kept, np.where(np.abs(full) >= 0.2, full, 0))
    assert len(short.levels[-1].values) < len(ranker.levels[-1].values)


@pytest.mark.parametrize("negatives", ["man", "tfn+man"])
def test_matcher_aware_negatives_change_the_lower_levels_alone(
    trained: tuple[LinearRanker, Csr, Csr], negatives: str
) -> None:
    ranker, documents, labels = trained
    config = replace(CONFIG, negatives=negatives, man_beam=2)
    other = fit_linear(documents, labels, pifa_tree(documents, labels, CONFIG), config)
    np.testing.assert_array_equal(other.levels[0].values, ranker.levels[0].values)
    assert not np.array_equal(other.levels[-1].bias, ranker.levels[-1].bias)


def test_filter_pairs_are_no_negatives() -> None:
    """Documents 0..3 have the word of label 0 but only a filter pair with it; counted as negatives they would win."""
    words = np.zeros((12, 4))
    words[:8, 0], words[8:, 1] = 1, 1
    labels = np.zeros((12, 3))
    labels[4:8, 0], labels[8:, 1], labels[:4, 2] = 1, 1, 1
    pairs = np.array([[row, 0] for row in range(4)])
    x, y = as_csr(words), as_csr(labels)
    tree = pifa_tree(x, y, CONFIG)
    with_pairs = fit_linear(x, y, tree, CONFIG, filter_pairs=pairs)
    without = fit_linear(x, y, tree, CONFIG)
    query = as_csr(np.array([[1.0, 0, 0, 0]]))
    place = int(np.flatnonzero(tree.label_order == 0)[0])
    assert margin(with_pairs, query, -1)[0, place] > margin(without, query, -1)[0, place] + 0.3


def test_cost_sensitive_training_weighs_by_labels_below() -> None:
    counts = as_csr(np.array([[2.0, 0, 1], [0, 4, 0]]))
    np.testing.assert_allclose(_relevances(counts).toarray(), [[2 / 3, 0, 1 / 3], [0, 1, 0]], rtol=1e-6)
    documents, labels = data()
    tree = pifa_tree(documents, labels, CONFIG)
    plain = fit_linear(documents, labels, tree, CONFIG)
    weighed = fit_linear(documents, labels, tree, replace(CONFIG, cost_sensitive=True))
    # A smaller cost of positives gives shorter weight vectors.
    assert np.linalg.norm(weighed.levels[-1].values) < np.linalg.norm(plain.levels[-1].values)


def test_the_logistic_loss_scores_by_sigmoids() -> None:
    documents, labels = data()
    config = replace(CONFIG, loss="logistic", cost=10.0)
    ranker = fit_linear(documents, labels, pifa_tree(documents, labels, config), config)
    scores = np.ones((9, 1))
    for level, chunks in enumerate(ranker.levels):
        above = np.repeat(scores, np.diff(chunks.child_ptr), axis=1)
        scores = above / (1 + np.exp(-margin(ranker, documents[:9], level)))
    ranking = ranker.rank(documents[:9], 4, beam=1000)
    np.testing.assert_allclose(ranking.scores, -np.sort(-scores, axis=1)[:, :4], rtol=1e-4)


def test_scores_of_margins() -> None:
    assert log_score(2.0, 3) == 0
    assert log_score(-1.0, 3) == -8
    np.testing.assert_allclose([log_score(v, 0) for v in (-40.0, 0.0, 40.0)], [-40, -np.log(2), 0], atol=1e-12)


def test_a_saved_ranker_ranks_the_same(trained: tuple[LinearRanker, Csr, Csr]) -> None:
    ranker, documents, _ = trained
    again = LinearRanker.from_state(ranker.state(), CONFIG)
    one, other = ranker.rank(documents, 5), again.rank(documents, 5)
    np.testing.assert_array_equal(one.indices, other.indices)
    np.testing.assert_array_equal(one.scores, other.scores)


def test_levels_that_do_not_fit_are_refused(trained: tuple[LinearRanker, Csr, Csr]) -> None:
    state = trained[0].state()
    state.arrays["label_order"] = state.arrays["label_order"][::-1][:-1].copy()
    with pytest.raises(ModelError, match="not a permutation of 23 labels"):
        LinearRanker.from_state(state, CONFIG)


def test_row_counts_must_fit() -> None:
    documents, labels = data()
    tree = pifa_tree(documents, labels, CONFIG)
    with pytest.raises(UsageError, match="150 documents for 149 rows"):
        fit_linear(documents, as_csr(labels[:-1]), tree, CONFIG)
    with pytest.raises(UsageError, match="a tree of 23 labels for a label matrix of 22"):
        fit_linear(documents, as_csr(sp.csr_array(labels)[:, :-1]), tree, CONFIG)


def test_a_query_must_fit_the_weights(trained: tuple[LinearRanker, Csr, Csr]) -> None:
    ranker, documents, _ = trained
    with pytest.raises(UsageError, match="documents of 60 features for weights of 61"):
        ranker.rank(as_csr(documents[:, :-1]), 3)
    with pytest.raises(UsageError, match="beam=0 must be at least 1"):
        ranker.rank(documents, 3, beam=0)


def test_no_documents_give_an_empty_ranking(trained: tuple[LinearRanker, Csr, Csr]) -> None:
    ranker, documents, _ = trained
    assert ranker.rank(documents[:0], 3).indices.shape == (0, 3)
