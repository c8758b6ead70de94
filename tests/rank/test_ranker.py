import dataclasses

import numpy as np
import pytest

from eclare_py.index import IndexConfig, build_tree
from eclare_py.linear import LinearConfig, fit_linear
from eclare_py.quantize import rounded
from eclare_py.rank import ranker as ranker_module
from eclare_py.rank.calibration import Calibration
from eclare_py.rank.config import RankConfig
from eclare_py.rank.evidence import FIRST_COLUMNS, GRAPH_COLUMNS, LINEAR_COLUMNS, VOTE_COLUMNS, LabelProfile
from eclare_py.rank.fusion import FIRST_LOGIT, FusionNetwork, probability
from eclare_py.rank.neighbours import Neighbours
from eclare_py.rank.query import Query
from eclare_py.rank.ranker import LabelScorer, Ranker
from eclare_py.types import as_csr

FINAL_COLUMNS = (*FIRST_COLUMNS, FIRST_LOGIT, *GRAPH_COLUMNS)


def network(columns, **weights):
    """logit = sum of weight * column, through the two hidden layers; columns not named count nothing."""
    size = len(columns)
    first = np.zeros((size, 2 * size), dtype=np.float32)
    first[np.arange(size), np.arange(size)], first[np.arange(size), size + np.arange(size)] = 1, -1
    last = np.zeros((2 * size, 1), dtype=np.float32)
    for name, weight in weights.items():
        last[columns.index(name), 0], last[size + columns.index(name), 0] = weight, -weight
    zeros, ones = np.zeros(size, np.float32), np.ones(size, np.float32)
    biases = (np.zeros(2 * size, np.float32), np.zeros(2 * size, np.float32), np.zeros(1, np.float32))
    return FusionNetwork(columns, zeros, ones, (first, np.eye(2 * size, dtype=np.float32), last), biases)


def ranker_of(vectors, bias, support, *, exact=True, beam=2, **config):
    vectors = rounded(np.asarray(vectors, dtype=np.float32))  # as training leaves them
    tree = build_tree(vectors, IndexConfig(max_leaf=2, branching=2, exact_below=2000 if exact else 0), seed=0)
    tree = dataclasses.replace(tree, routers=rounded(tree.routers))
    scorer = LabelScorer(vectors, np.asarray(bias, dtype=np.float32), tree, beam)
    frequencies = np.arange(len(vectors), dtype=np.int64) % 4
    profile = LabelProfile(frequencies, vectors[::-1].copy(), as_csr(np.abs(vectors).astype(np.float32)))
    settings = RankConfig(**config)
    columns = FINAL_COLUMNS if settings.graph_features else (*FIRST_COLUMNS, FIRST_LOGIT)
    # The first logit, 10 * dense, is added to what the final network says: 5 * dense are left.
    final = network(columns, similarity=-0.5, **({"support": 0.3} if settings.graph_features else {}))
    first = network(FIRST_COLUMNS, similarity=1.0)
    graph = as_csr(np.roll(np.eye(len(vectors), dtype=np.float32), 1, axis=1))
    return Ranker(
        scorer, profile, graph, as_csr(np.asarray(support, dtype=np.float32)), settings, 1, None, first, final
    )


# Labels along the axes of the plane; label 3 is nowhere near, but follows label 0 (support 1).
VECTORS = [[1, 0], [0, 1], [0.6, 0.8], [-1, 0]]
BIAS = [0, 0, 0.1, 0]
SUPPORT = np.zeros((4, 4))
SUPPORT[0, 3] = 1


def query(vectors):
    """Documents whose terms are their vectors without the signs."""
    vectors = np.asarray(vectors, dtype=np.float32)
    return Query.of(vectors, as_csr(np.abs(vectors)))


X = query([[1, 0], [0, 1]])


def sigmoid(value):
    return 1 / (1 + np.exp(-value))


def test_exact_ranking_of_a_tiny_model():
    """Document 0: dense 1, 0, 0.7, -1; document 1: 0, 1, 0.9, 0. The shortlist holds two, the graph adds label 3."""
    ranker = ranker_of(VECTORS, BIAS, SUPPORT, shortlist=2, graph_candidates=2, seeds=1)
    ranking = ranker.rank(X, 3)
    assert ranking.indices.tolist() == [[0, 2, 3], [1, 2, -1]]
    nothing, given = 0.3 * np.log(1e-3), 0.3 * np.log(sigmoid(10) + 1e-3)
    expected = [5 + nothing, 3.5 + nothing, -5 + given]
    # A number of a label vector is known to half a 127th of the largest.
    np.testing.assert_allclose(ranking.scores[0], sigmoid(np.array(expected)), rtol=3e-3)
    np.testing.assert_allclose(ranking.scores[1, :2], sigmoid(np.array([5, 4.5]) + nothing), rtol=3e-3)
    assert np.isneginf(ranking.scores[1, 2])


def test_without_the_graph_only_the_first_fusion_speaks():
    ranker = ranker_of(VECTORS, BIAS, SUPPORT, shortlist=3, graph_candidates=0, graph_features=False)
    ranker = dataclasses.replace(ranker, final=None)
    ranking = ranker.rank(X, 2)
    assert not ranker.uses_graph and ranking.indices.tolist() == [[0, 2], [1, 2]]
    np.testing.assert_allclose(ranking.scores, sigmoid(np.array([[10, 7], [10, 9]])), rtol=1e-4)


@pytest.mark.parametrize("switches", [(0, True), (2, False)])
def test_graph_candidates_and_graph_features_switch_apart(switches):
    candidates, features = switches
    ranker = ranker_of(VECTORS, BIAS, SUPPORT, shortlist=2, graph_candidates=candidates, graph_features=features)
    evidence = ranker.evidence(X)
    assert (3 in evidence.found.labels) == bool(candidates)
    assert evidence.columns.shape[1] == len(FIRST_COLUMNS) + 1 + features * len(GRAPH_COLUMNS)


def test_hidden_labels_do_not_come_up_and_make_room():
    ranker = ranker_of(VECTORS, BIAS, SUPPORT, shortlist=2, graph_candidates=2, seeds=1)
    ranking = ranker.rank(X, 4, np.array([[0, 0], [1, 2]]))
    assert ranking.indices.tolist() == [[2, 1, -1, -1], [1, 0, -1, -1]]  # label 0 is gone, and with it what it brought


def random_ranker(*, linear=False, votes=False, **settings):
    rng = np.random.default_rng(0)
    n_labels, dim = 40, 6
    support = rng.random((n_labels, n_labels)) * (rng.random((n_labels, n_labels)) < 0.1)
    options = {"shortlist": 6, "graph_candidates": 5, "seeds": 3, "linear_candidates": 4, "finalists": 8} | settings
    options |= {"neighbours": 5, "neighbour_probe": 2, "neighbour_labels": 6, "neighbour_temperature": 1.0}
    ranker = ranker_of(rng.normal(size=(n_labels, dim)), rng.normal(size=n_labels), support, **options)
    x = query(rng.normal(size=(23, dim)))
    if linear:  # over the first five columns of the terms
        labels = as_csr((rng.random((23, n_labels)) < 0.1).astype(np.float32))
        tree = ranker.scorer.tree.cut(6)
        ranker = dataclasses.replace(ranker, linear=fit_linear(x.terms[:, :5], labels, tree, LinearConfig(beam=2)))
    if votes:  # few of them, so that candidates meet labels without votes
        labels = as_csr((rng.random((70, n_labels)) < 0.04).astype(np.float32))
        ranker = dataclasses.replace(ranker, neighbours=Neighbours.of(rng.normal(size=(70, dim)), labels, seed=0))
    # Every column matters, so that nothing that depends on the batch goes unseen; no score is at its end.
    names = ranker.final_columns
    final = network(names, **{name: 0.02 + 0.002 * i for i, name in enumerate(names)})
    more = {"path": 0.07, "outside": 0.2} if linear else {}
    more |= {"votes": 0.06, "voter": 0.03, "nearest_voter": -0.02} if votes else {}
    first = network(ranker.first_columns, similarity=0.05, order=0.1, **more)
    calibration = Calibration(*(np.array(part, np.float32) for part in ([0, 1], [1, 0.6], [0, -0.3])))
    return dataclasses.replace(
        ranker, first=first, final=final if ranker.uses_graph else None, calibration=calibration
    ), x


HIDDEN = np.array([[0, 3], [0, 5], [0, 9], [7, 0], [7, 11], [22, 39]])


SIDES = [(False, False), (True, False), (False, True), (True, True)]  # with a linear ranker, with votes


@pytest.mark.parametrize(("linear", "votes"), SIDES)
@pytest.mark.parametrize("hidden", [None, HIDDEN])
@pytest.mark.parametrize("graph", [(5, True), (0, True), (5, False), (0, False)])
def test_the_compiled_pass_equals_the_matrix_form(linear, votes, hidden, graph):
    candidates, features = graph
    ranker, x = random_ranker(
        exact=False, linear=linear, votes=votes, graph_candidates=candidates, graph_features=features
    )
    evidence = ranker.evidence(x, hidden)
    expected = evidence.found.rank(probability(ranker.logits(evidence)), 40, 30)
    ranking = ranker.rank(x, 30, hidden)
    assert (np.diff(evidence.found.indptr) > 6).any() == bool(linear or votes or candidates)
    np.testing.assert_array_equal(ranking.indices >= 0, expected.indices >= 0)
    np.testing.assert_allclose(ranking.scores, expected.scores, atol=1e-5)
    # Not the indices: almost equal scores may stand in another order.
    np.testing.assert_allclose(ranking.to_csr(40).toarray(), expected.to_csr(40).toarray(), atol=1e-5)


@pytest.mark.parametrize(("linear", "votes"), SIDES)
@pytest.mark.parametrize("hidden", [None, HIDDEN])
@pytest.mark.parametrize("graph", [(5, True), (0, True), (5, False), (0, False)])
def test_compiled_evidence_equals_the_matrix_form(linear, votes, hidden, graph):
    candidates, features = graph
    ranker, x = random_ranker(
        exact=False, linear=linear, votes=votes, graph_candidates=candidates, graph_features=features
    )
    expected = ranker.evidence(x, hidden)
    search = ranker.search(x, hidden)
    found = ranker.refitted(first=ranker.first).weigh(x, hidden, search)  # the last fusion is not asked
    for name in ("indptr", "labels", "order"):
        np.testing.assert_array_equal(getattr(found.found, name), getattr(expected.found, name))
    np.testing.assert_allclose(found.found.similarity, expected.found.similarity, atol=1e-5)
    np.testing.assert_allclose(found.found.path, expected.found.path, atol=1e-5)
    assert found.columns.shape == expected.columns.shape
    np.testing.assert_allclose(found.columns, expected.columns, atol=2e-5)


def test_other_fusions_over_the_same_labels():
    ranker, x = random_ranker(exact=False)
    before = ranker.rank(x, 5)
    other = dataclasses.replace(ranker.first, biases=(*ranker.first.biases[:2], ranker.first.biases[2] + 1))
    refitted = ranker.refitted(first=other, final=ranker.final)
    assert refitted._labels is ranker._labels and refitted.codes is ranker.codes
    expected = dataclasses.replace(ranker, first=other).rank(x, 5)
    np.testing.assert_allclose(refitted.rank(x, 5).scores, expected.scores, atol=1e-6)
    assert not np.allclose(expected.scores, before.scores)


def test_the_linear_ranker_brings_candidates_and_evidence():
    ranker, x = random_ranker(linear=True, exact=False)
    found = ranker.shortlist(x, None)
    paths = ranker.linear.paths(x.terms[:, :5], 4)
    alone = dataclasses.replace(ranker, linear=None).shortlist(x, None)
    for row in range(len(x)):
        mine = slice(found.indptr[row], found.indptr[row + 1])
        told = dict(zip(paths.indices[row].tolist(), paths.scores[row].tolist(), strict=True))
        told.pop(-1, None)
        near = alone.labels[alone.indptr[row] : alone.indptr[row + 1]].tolist()
        assert found.labels[mine].tolist() == sorted({*near, *told})
        expected = [max(told.get(label, -12.0), -12.0) for label in found.labels[mine].tolist()]
        np.testing.assert_allclose(found.path[mine], expected, rtol=1e-5)
        added = ~np.isin(found.labels[mine], near)
        assert np.all(found.order[mine][added] == 6)
        products = x.vectors[row] @ ranker.scorer.vectors[found.labels[mine]].T + ranker.scorer.bias[found.labels[mine]]
        np.testing.assert_allclose(found.similarity[mine], products, atol=1e-5)
    columns = ranker.first_pass(x, found)
    np.testing.assert_array_equal(columns[:, ranker.first_columns.index("outside")], found.path == -12)
    assert set(LINEAR_COLUMNS) < set(ranker.first_columns) and 0 < (found.path > -12).sum() < len(found.path)


def test_the_nearest_train_documents_bring_candidates_and_evidence():
    ranker, x = random_ranker(votes=True, exact=False)
    votes = ranker.neighbours.vote(x.vectors, ranker.config)
    found, alone = ranker.shortlist(x, HIDDEN), dataclasses.replace(ranker, neighbours=None).shortlist(x, HIDDEN)
    columns = ranker.first_pass(x, found)
    assert set(VOTE_COLUMNS) < set(ranker.first_columns) and len(found.labels) > len(alone.labels)
    place, hidden = ranker.first_columns.index("votes"), {tuple(pair) for pair in HIDDEN.tolist()}
    for row in range(len(x)):
        mine = slice(found.indptr[row], found.indptr[row + 1])
        told = dict(zip(votes.labels[row].tolist(), votes.shares[row].tolist(), strict=True))
        told.pop(-1, None)
        near = alone.labels[alone.indptr[row] : alone.indptr[row + 1]].tolist()
        wanted = {label for label in (*near, *told) if (row, label) not in hidden}
        assert found.labels[mine].tolist() == sorted(wanted)
        expected = [np.log(told.get(label, 0.0) + 1e-3) for label in found.labels[mine].tolist()]
        np.testing.assert_allclose(columns[mine, place], expected, rtol=1e-5)


@pytest.mark.parametrize(("linear", "votes"), SIDES)
@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("hidden", [None, HIDDEN])
def test_a_batch_equals_one_by_one(linear, votes, exact, hidden, monkeypatch):
    ranker, x = random_ranker(exact=exact, linear=linear, votes=votes)
    whole = ranker.rank(x, 9, hidden)
    for row in range(len(x)):
        pairs = None if hidden is None else hidden[hidden[:, 0] == row] - np.array([row, 0])
        single = ranker.rank(x.part(slice(row, row + 1)), 9, pairs)
        np.testing.assert_array_equal(single.indices[0], whole.indices[row])
        np.testing.assert_allclose(single.scores[0], whole.scores[row], atol=1e-5)
    monkeypatch.setattr(ranker_module, "_BLOCK", 5)
    blocks = ranker.rank(x, 9, hidden)
    np.testing.assert_array_equal(blocks.indices, whole.indices)
    np.testing.assert_allclose(blocks.scores, whole.scores, atol=1e-5)
    if hidden is not None:
        for row, label in hidden:
            assert label not in whole.indices[row]
        shuffled = ranker.rank(x, 9, hidden[[3, 0, 5, 2, 4, 1]])
        np.testing.assert_array_equal(shuffled.indices, blocks.indices)


def test_probabilities_descend_and_labels_are_distinct():
    ranker, x = random_ranker()
    ranking = ranker.rank(x, 12)
    for labels, scores in zip(ranking.indices, ranking.scores, strict=True):
        kept = labels >= 0
        assert len(set(labels[kept])) == kept.sum() and np.all(np.diff(scores[kept]) <= 0)
        assert np.all((scores[kept] >= 0) & (scores[kept] <= 1)) and np.isneginf(scores[~kept]).all()


def test_nothing_left_for_a_document():
    """Every label of document 1 is hidden: its row is all padding, the others are as ever."""
    ranker = ranker_of(VECTORS, BIAS, SUPPORT, shortlist=4, graph_candidates=3)
    hidden = np.array([[1, label] for label in range(4)])
    ranking = ranker.rank(X, 2, hidden)
    assert ranking.indices[1].tolist() == [-1, -1]
    np.testing.assert_array_equal(ranking.indices[0], ranker.rank(X.part(slice(0, 1)), 2).indices[0])


def test_no_documents_k_beyond_labels_and_one_label():
    ranker = ranker_of(VECTORS, BIAS, SUPPORT)
    empty = ranker.rank(query(np.empty((0, 2))), 3)
    assert empty.indices.shape == (0, 3)
    wide = ranker.rank(X, 7)
    assert (wide.indices >= 0).sum(axis=1).tolist() == [4, 4] and wide.indices.shape == (2, 7)
    single = ranker_of([[1, 0]], [0], [[0]])
    assert single.rank(X, 2).indices.tolist() == [[0, -1], [0, -1]]


def test_an_unknown_text_gets_a_ranking_by_prior():
    ranker = ranker_of(VECTORS, BIAS, np.zeros((4, 4)))
    assert ranker.rank(query(np.zeros((1, 2))), 1).indices.tolist() == [[2]]


def test_rare_labels_are_lifted_by_their_propensity():
    """Two labels that fit a text alike: without the lift the lower id is first, with it the rarer one."""
    plain = ranker_of([[1, 0], [1, 0], [0, 1]], [0, 0, 0], np.zeros((3, 3)), graph_candidates=0, tail_boost=0.0)
    profile = dataclasses.replace(plain.profile, frequencies=np.array([900, 1, 5]))
    plain = dataclasses.replace(plain, profile=profile, n_documents=1000)
    lifted = dataclasses.replace(plain, config=dataclasses.replace(plain.config, tail_boost=0.5))
    assert plain.rank(X, 3).indices[0].tolist() == [0, 1, 2] and lifted.rank(X, 3).indices[0].tolist() == [1, 0, 2]
    assert np.all(plain.boost == 0)
    factor = (np.log(1000) - 1) * 2.5**0.55  # C of Jain et al. (KDD 2016), A = 0.55, B = 1.5
    expected = 0.5 * np.log(1 + factor * (np.array([900, 1, 5]) + 1.5) ** -0.55)
    np.testing.assert_allclose(lifted.boost, expected, rtol=1e-5)
    evidence = plain.evidence(X)
    np.testing.assert_allclose(
        lifted.logits(evidence) - plain.logits(evidence), lifted.boost[evidence.found.labels], atol=1e-5
    )


def test_unfitted_fusions_are_named():
    ranker = ranker_of(VECTORS, BIAS, SUPPORT)
    with pytest.raises(ValueError, match="fitted"):
        dataclasses.replace(ranker, first=None).rank(X, 2)
    with pytest.raises(ValueError, match="fitted"):
        dataclasses.replace(ranker, final=None).rank(X, 2)
