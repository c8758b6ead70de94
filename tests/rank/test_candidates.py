import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.rank.candidates import OUTSIDE, Candidates, add_paths, from_shortlist, grow, look_up, spread, strongest
from eclare_py.rank.kernels import score_pairs
from eclare_py.types import Ranking, as_csr

B, L, D = 3, 9, 4


def ranking(rows, width):
    """Rows of (label, score), padded."""
    indices = np.full((len(rows), width), -1, dtype=np.int64)
    scores = np.full((len(rows), width), -np.inf, dtype=np.float32)
    for i, row in enumerate(rows):
        for slot, (label, score) in enumerate(row):
            indices[i, slot], scores[i, slot] = label, score
    return Ranking(indices, scores)


SHORTLIST = ranking([[(7, 0.9), (2, 0.8), (5, 0.7), (0, 0.6)], [], [(3, 0.5), (1, 0.4)]], 4)


def rows_of(found):
    return {
        (int(row), int(label)): (round(float(score), 4), int(place))
        for row, label, score, place in zip(found.rows, found.labels, found.similarity, found.order, strict=True)
    }


def test_pairs_of_a_shortlist():
    found = from_shortlist(SHORTLIST)
    assert found.indptr.tolist() == [0, 4, 4, 6]
    assert found.labels.tolist() == [0, 2, 5, 7, 1, 3]
    assert found.order.tolist() == [3, 1, 2, 0, 1, 0]
    np.testing.assert_allclose(found.similarity, [0.6, 0.8, 0.7, 0.9, 0.4, 0.5])
    assert found.keys(L).tolist() == [0, 2, 5, 7, 19, 21]


def test_hidden_pairs_leave_no_trace():
    """The rest ranks as if the hidden label did not exist, also where more than `size` were asked for."""
    hidden = np.array([[0, 2], [0, 8], [1, 3], [2, 3]])
    found = from_shortlist(SHORTLIST, hidden, size=2)
    assert rows_of(found) == {(0, 7): (0.9, 0), (0, 5): (0.7, 1), (2, 1): (0.4, 0)}
    plain = ranking([[(7, 0.9), (5, 0.7)], [], [(1, 0.4)]], 2)
    assert rows_of(found) == rows_of(from_shortlist(plain))


def test_no_documents_and_no_candidates():
    for rows in ([], [[], []]):
        found = from_shortlist(ranking(rows, 3))
        assert found.indptr.tolist() == [0] * (len(rows) + 1) and not len(found.labels)
        ranked = found.rank(np.empty(0, dtype=np.float32), L, 2)
        assert ranked.indices.tolist() == [[-1, -1]] * len(rows)


def test_rank_breaks_ties_by_label_and_pads():
    found = from_shortlist(SHORTLIST)
    ranked = found.rank(np.array([0.5, 0.5, 0.1, 0.5, 0.2, 0.3], dtype=np.float32), L, 5)
    assert ranked.indices.tolist() == [[0, 2, 7, 5, -1], [-1] * 5, [3, 1, -1, -1, -1]]
    assert np.isneginf(ranked.scores[1]).all() and ranked.scores[2, 0] == np.float32(0.3)


def test_spread_is_the_dense_product():
    rng = np.random.default_rng(0)
    first = as_csr(sp.random_array((B, L), density=0.4, rng=rng))
    support = as_csr(sp.random_array((L, L), density=0.3, rng=rng))
    np.testing.assert_allclose(spread(first, support).toarray(), first.toarray() @ support.toarray(), atol=1e-6)


def test_strongest_keeps_the_largest_of_each_row_ties_by_label():
    matrix = as_csr(np.array([[0.1, 0.3, 0.3, 0.2], [0, 0, 0, 0], [0.5, 0, 0, 0.4]], dtype=np.float32))
    expected = np.array([[0, 0.3, 0.3, 0], [0, 0, 0, 0], [0.5, 0, 0, 0.4]], dtype=np.float32)
    np.testing.assert_array_equal(strongest(matrix, 2).toarray(), expected)


@pytest.mark.parametrize("seed", range(4))
def test_look_up_equals_dense_indexing(seed):
    rng = np.random.default_rng(seed)
    matrix = as_csr(sp.random_array((B, L), density=0.3, rng=rng))
    mask = rng.random((B, L)) < 0.5
    rows, labels = np.nonzero(mask)
    indptr = np.concatenate([[0], np.cumsum(mask.sum(axis=1))])
    found = Candidates(
        indptr, labels, np.zeros(len(rows), np.float32), np.zeros(len(rows), np.int64), np.zeros(len(rows), np.float32)
    )
    np.testing.assert_array_equal(look_up(matrix, found), matrix.toarray()[rows, labels])
    np.testing.assert_array_equal(look_up(as_csr((B, L)), found), np.zeros(len(rows)))


@pytest.mark.parametrize("with_hidden", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_the_graph_adds_exactly_the_strongest_missing_labels(seed, with_hidden):
    rng = np.random.default_rng(seed)
    x, vectors = rng.normal(size=(B, D)).astype(np.float32), rng.normal(size=(L, D)).astype(np.float32)
    bias = rng.normal(size=L).astype(np.float32)
    supports = as_csr(sp.random_array((B, L), density=0.6, rng=rng))
    found, size = from_shortlist(SHORTLIST), 3
    hidden = np.array([[0, 1], [1, int(np.argmax(supports.toarray()[1]))], [2, 8]]) if with_hidden else None
    expected = rows_of(found)
    dense = supports.toarray()
    for row in range(B):
        for label in [m for m in np.argsort(-dense[row], kind="stable")[:size] if dense[row, m] > 0]:
            pair = (row, int(label))
            if pair not in expected and (hidden is None or list(pair) not in hidden.tolist()):
                expected[pair] = (round(float(x[row] @ vectors[label] + bias[label]), 4), 77)
    grown = grow(found, strongest(supports, size), x, vectors, bias, last=77, hidden=hidden)
    assert len(expected) > len(found.labels)
    actual = rows_of(grown)
    assert actual.keys() == expected.keys()
    for pair, (score, place) in expected.items():
        assert actual[pair][0] == pytest.approx(score, abs=2e-4) and actual[pair][1] == place
    keys = grown.keys(L)
    assert np.all(np.diff(keys) > 0) and grown.indptr[-1] == len(keys)


def test_pair_scores_equal_the_dense_product():
    rng = np.random.default_rng(0)
    x, vectors = rng.normal(size=(B, D)).astype(np.float32), rng.normal(size=(L, D)).astype(np.float32)
    rows, labels = rng.integers(0, B, 20), rng.integers(0, L, 20)
    np.testing.assert_allclose(score_pairs(x, vectors, rows, labels), (x @ vectors.T)[rows, labels], atol=1e-5)
    assert score_pairs(x, vectors, rows[:0], labels[:0]).shape == (0,)


def test_the_best_pairs_of_each_document():
    found = from_shortlist(SHORTLIST)
    scores = np.array([0.1, 0.4, 0.4, 0.4, 0.2, 0.3], dtype=np.float32)
    kept = found.best(scores, 2)
    assert kept.tolist() == [1, 2, 4, 5]  # of labels 2, 5 and 7 of document 0, which are level, the first two
    some = found.select(kept)
    assert some.indptr.tolist() == [0, 2, 2, 4] and some.labels.tolist() == [2, 5, 1, 3]
    assert rows_of(some) == {pair: told for pair, told in rows_of(found).items() if pair not in {(0, 0), (0, 7)}}


def test_paths_are_looked_up_and_bounded():
    found = from_shortlist(SHORTLIST)
    assert np.all(found.path == OUTSIDE)
    paths = as_csr(sp.coo_array(([-0.5, -40.0, -2.0], ([0, 0, 2], [2, 5, 8])), shape=(3, L)))
    assert add_paths(found, paths).path.tolist() == [-12, -0.5, -12, -12, -12, -12]
