import numpy as np
import pytest

from eclare_py.errors import ModelError
from eclare_py.index.multiplicands import Multiplicands
from eclare_py.rank.candidates import Candidates
from eclare_py.rank.config import RankConfig
from eclare_py.rank.neighbours import MAX_LEAF, Neighbours
from eclare_py.rank.votes import Votes, cast_votes, vote_evidence, voted
from eclare_py.storage import State, read_state, write_state
from eclare_py.types import Ranking, as_csr


def unit(rng, rows, dim):
    vectors = rng.normal(size=(rows, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def store_of(rows=150, dim=9, n_labels=37):
    rng = np.random.default_rng(4)
    labels = as_csr((rng.random((rows, n_labels)) < 0.07).astype(np.float32))
    return Neighbours.of(unit(rng, rows, dim), labels, seed=1), rng


# Document 0 has labels 1 and 4, document 1 has none, document 2 has 4 and 0.
LABEL_PTR, LABELS = np.array([0, 2, 2, 4]), np.array([1, 4, 0, 4])


def test_votes_by_hand():
    """Shares of 0.9, 0.8, 0.7 at temperature 0.1 are 1, 1/e, 1/e^2 over their sum; the second votes for nothing."""
    found = Ranking(np.array([[2, 1, 0, -1]]), np.array([[0.9, 0.8, 0.7, -np.inf]], dtype=np.float32))
    total = 1 + np.exp(-1) + np.exp(-2)
    votes = cast_votes(found, LABEL_PTR, LABELS, temperature=0.1, most=4)
    assert votes.labels.tolist() == [[4, 0, 1, -1]]
    expected = [(1 + np.exp(-2)) / total, 1 / total, np.exp(-2) / total, 0]
    np.testing.assert_allclose(votes.shares[0], expected, rtol=1e-5)
    np.testing.assert_allclose(votes.nearest[0], [0.9, 0.9, 0.7, 0])
    assert cast_votes(found, LABEL_PTR, LABELS, temperature=0.1, most=2).labels.tolist() == [[4, 0]]


def test_the_evidence_of_votes_by_hand():
    votes = Votes(np.array([[4, 0], [2, -1]]), np.float32([[0.8, 0.5], [1, 0]]), np.float32([[0.9, 0.7], [0.4, 0]]))
    rest = (np.zeros(4, np.float32), np.zeros(4, np.int64), np.zeros(4, np.float32))
    found = Candidates(np.array([0, 3, 4]), np.array([0, 3, 4, 1]), *rest)
    expected = np.array([[np.log(0.501), 7, 9], [np.log(0.001), 0, 9], [np.log(0.801), 9, 9], [np.log(0.001), 0, 4]])
    np.testing.assert_allclose(vote_evidence(votes, found, 5), expected, rtol=1e-5)
    assert voted(votes, 5).nnz == 3 and vote_evidence(Votes.none(2), found, 5)[:, 1:].tolist() == [[0, 0]] * 4


@pytest.mark.parametrize(("n", "most"), [(1, 3), (7, 5), (40, 37), (500, 50)])
def test_votes_equal_a_naive_form(n, most):
    store, rng = store_of()
    x = unit(rng, 13, 9)
    dense, truth = store.vectors.dense(), store.labels.toarray()
    config = RankConfig(
        neighbours=n, neighbour_probe=10**6, neighbour_labels=most, neighbour_temperature=0.3
    )  # every leaf: exact
    votes = store.vote(x, config)
    assert votes.labels.shape == (13, most)
    codes = Multiplicands.of(x, store.vectors)  # what the search sees of the queries
    for row, vector in enumerate(x):
        cosines = dense @ (codes.values[row] * codes.unit[row])
        best = np.lexsort((np.arange(len(dense)), -cosines))[:n]
        weights = np.exp(cosines[best] / 0.3)
        shares = (weights / weights.sum()) @ truth[best]
        nearest = np.where(truth[best] > 0, cosines[best][:, None], -np.inf).max(axis=0)
        kept = votes.labels[row] >= 0
        assert kept.sum() == min(most, (shares > 0).sum())
        np.testing.assert_allclose(votes.shares[row][kept], np.sort(shares)[::-1][: kept.sum()], rtol=1e-4)
        np.testing.assert_allclose(votes.shares[row][kept], shares[votes.labels[row][kept]], rtol=1e-4)
        np.testing.assert_allclose(votes.nearest[row][kept], nearest[votes.labels[row][kept]], rtol=1e-4)
        alone = store.vote(vector[None], config)
        assert all(np.array_equal(one[0], many[row]) for one, many in zip(alone, votes, strict=True))


def test_a_search_of_some_leaves_finds_most_of_what_lies_in_clusters():
    rng = np.random.default_rng(0)
    centres = unit(rng, 40, 16)
    points = np.repeat(centres, 25, axis=0) + 0.1 * unit(rng, 1000, 16)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    store = Neighbours.of(points.astype(np.float32), as_csr(np.ones((1000, 1), np.float32)), seed=0)
    assert store.tree.n_leaves > 20 and np.diff(store.tree.leaf_ptr).max() <= MAX_LEAF
    exact, found = store.search(centres, 10, probe=10**6), store.search(centres, 10, probe=4)
    shared = [len(set(a) & set(b)) for a, b in zip(exact.indices.tolist(), found.indices.tolist(), strict=True)]
    assert sum(shared) > 0.9 * 400 and np.all(np.diff(found.scores, axis=1) <= 0)


def test_a_document_keeps_its_own_labels():
    """The store is in the order of the leaves: whoever looks for a document finds it first, with its labels."""
    rng = np.random.default_rng(2)
    points, labels = unit(rng, 90, 12), as_csr(np.eye(90, dtype=np.float32))
    store = Neighbours.of(points, labels, seed=0)
    votes = store.vote(points, RankConfig(neighbours=1, neighbour_probe=100))
    assert votes.labels[:, 0].tolist() == list(range(90)) and np.all(votes.shares[:, 0] == 1)


def test_a_store_comes_back_from_disk_the_same(tmp_path):
    store, rng = store_of(dim=7)
    x, config = unit(rng, 11, 7), RankConfig(neighbours=6, neighbour_probe=3)
    write_state(tmp_path, "neighbours", store.state())
    again = Neighbours.from_state(read_state(tmp_path, "neighbours"), dim=7, n_labels=37)
    for one, other in zip(store.vote(x, config), again.vote(x, config), strict=True):
        assert np.array_equal(one, other)
    assert store.state().arrays["vectors"].nbytes == 150 * 4 and len(again) == 150


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("vectors", lambda a: a[:-1]),
        ("vectors", lambda a: a[:, :-1]),
        ("routers", lambda a: a[:-1]),
        ("routers_scale", lambda a: a[:-1]),
        ("leaf_ptr", lambda a: a + 1),
        ("leaf_ptr", None),
        ("label_ptr", lambda a: a[:-1]),
        ("label_ptr", lambda a: a[::-1].copy()),
        ("label_ptr", lambda a: a.astype(np.int32)),
        ("labels", lambda a: a + 30),
        ("labels", lambda a: a - 1),
        ("labels", lambda a: a[:-1]),
        ("labels", None),
    ],
)
def test_damaged_stores_are_refused(name, change):
    state = store_of()[0].state()
    arrays = dict(state.arrays)
    if change is None:
        del arrays[name]
    else:
        arrays[name] = change(arrays[name])
    with pytest.raises(ModelError, match="train again|tree"):
        Neighbours.from_state(State(arrays, state.meta), dim=9, n_labels=37)


def test_no_document_votes_unless_the_recipe_says_so():
    assert RankConfig().neighbours == 0
