import numpy as np
import scipy.sparse as sp

from eclare_py.quantize import rounded
from eclare_py.rank.candidates import OUTSIDE, Candidates
from eclare_py.rank.evidence import (
    FIRST_COLUMNS,
    GRAPH_COLUMNS,
    LabelProfile,
    Neighbourhood,
    first_evidence,
    graph_evidence,
)
from eclare_py.rank.kernels import companions, match_terms, mutual_weights
from eclare_py.rank.query import Query
from eclare_py.types import as_csr

# Document 0: labels 1 and 3; document 1 has none; document 2: label 0.
FOUND = Candidates(
    np.array([0, 2, 2, 3]),
    np.array([1, 3, 0]),
    np.array([0.2, 0.5, -0.1], dtype=np.float32),
    np.array([1, 0, 0]),
    np.array([-0.5, OUTSIDE, -3], dtype=np.float32),
)
QUERY = Query(
    np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32),
    as_csr(np.array([[0.5, 0, 0.5], [0, 0, 0], [0, 0.2, 0.1]])),
)
PROFILE = LabelProfile(
    np.array([0, 1, 5, 7]),
    np.array([[0, 0], [0.6, 0.8], [1, 0], [0, 1]], dtype=np.float32),
    as_csr(np.array([[0, 1, 0], [0.8, 0.1, 0.6], [0, 0, 1], [0, 0.7, 0]])),
)


def test_first_evidence_by_hand():
    expected = {
        "similarity": [2, 5, -1],
        "gap": [-3, 0, 0],
        "best": [5, 5, -1],
        "order": [np.log(2), 0, 0],
        "frequency": [np.log(2), np.log(8), 0],
        "unseen": [0, 0, 1],
        "once": [1, 0, 0],
        "documents": [6, 0, 0],
        "words": [10 * (0.5 * 0.8 + 0.5 * 0.6), 0, 2],
    }
    columns = first_evidence(QUERY, FOUND, PROFILE)
    assert columns.dtype == np.float32 and tuple(expected) == FIRST_COLUMNS
    np.testing.assert_allclose(columns, np.array(list(expected.values())).T, rtol=1e-5, atol=1e-6)


AROUND = Neighbourhood(
    np.array([[1, 0], [0, 1], [0, 0], [0.6, 0.8]], dtype=np.float32),
    np.array([[0, 1], [1, 0], [0, 0], [0, 0]], dtype=np.float32),
)


def test_graph_evidence_by_hand():
    supports = as_csr(np.array([[0, 0.3, 0.9, 0.4], [0.1, 0, 0, 0], [0, 0.2, 0, 0]], dtype=np.float32))
    seeds = as_csr(np.array([[0.8, 0, 0, 0.5], [0, 0, 0, 0], [0, 0.5, 0, 0]], dtype=np.float32))
    # Label 1 names labels 0 and 3 as companions, label 3 names 1 only, label 0 names 3 only.
    graph = as_csr(np.array([[0, 0, 0, 0.6], [0.5, 0, 0, 0.2], [0, 0, 0, 0], [0, 0.7, 0, 0]], dtype=np.float32))
    mutual = np.array([0.9, 0.25, 0.3, 0.1], dtype=np.float32)  # of the edges 0-3, 1-0, 1-3, 3-1
    expected = {
        "support": np.log([0.301, 0.401, 0.001]),
        "unsupported": [0, 0, 1],
        "support_order": [np.log(2), 0, 0],
        "companions": np.log([0.8 * 0.5 + 0.5 * 0.2 + 0.001, 0.001, 0.001]),
        "best_companion": np.log([0.8 * 0.25 + 0.001, 0.001, 0.001]),
        "neighbours": [0, 6, 6],
        "neighbour_documents": [10, 0, 8],
    }
    columns = graph_evidence(QUERY, FOUND, supports, seeds, graph, mutual, AROUND)
    assert columns.dtype == np.float32 and tuple(expected) == GRAPH_COLUMNS
    np.testing.assert_allclose(columns, np.array(list(expected.values())).T, rtol=1e-4, atol=1e-6)


def test_a_neighbourhood_is_the_unit_mean_of_the_neighbours():
    graph = as_csr(np.array([[0.7, 0.5, 0.5], [1, 0, 0], [0, 0, 1]], dtype=np.float32))  # its loops do not count
    vectors = np.array([[0, 1], [3, 0], [0, 4]], dtype=np.float32)
    around = Neighbourhood.of(graph, vectors, vectors[::-1].copy())
    np.testing.assert_allclose(around.vectors, rounded(np.array([[0.6, 0.8], [0, 1], [0, 0]])), rtol=1e-6)
    expected = rounded(np.array([[3, 1], [0, 4], [0, 0]]) / [[10**0.5], [4], [1]])
    np.testing.assert_allclose(around.centroids, expected, rtol=1e-6)


def test_companions_and_mutual_weights_equal_naive_loops():
    rng, documents, n_labels = np.random.default_rng(0), 4, 7
    seeds = as_csr(sp.random_array((documents, n_labels), density=0.5, rng=rng))
    graph = as_csr(sp.random_array((n_labels, n_labels), density=0.5, rng=rng))
    weights, chances = graph.toarray(), seeds.toarray()
    mutual = mutual_weights(graph)
    rows, columns = graph.tocoo().coords
    np.testing.assert_allclose(mutual, np.sqrt(weights * weights.T)[rows, columns], rtol=1e-5)
    assert (mutual == 0).any() and (mutual > 0).any()
    mask = rng.random((documents, n_labels)) < 0.6
    mask[1] = False
    indptr = np.concatenate([[0], np.cumsum(mask.sum(axis=1))])
    found = companions(indptr, np.nonzero(mask)[1], seeds, graph, mutual)
    both = np.sqrt(weights * weights.T)
    expected = [[weights[m] @ chances[i], (both[m] * chances[i]).max()] for i, m in zip(*np.nonzero(mask), strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_matched_terms_equal_a_dense_product():
    rng, documents, n_labels, terms = np.random.default_rng(1), 5, 7, 11
    left = as_csr(sp.random_array((documents, terms), density=0.4, rng=rng))
    right = as_csr(sp.random_array((n_labels, terms), density=0.3, rng=rng))
    mask = rng.random((documents, n_labels)) < 0.5
    mask[2] = False
    indptr, labels = np.concatenate([[0], np.cumsum(mask.sum(axis=1))]), np.nonzero(mask)[1]
    found = match_terms(left, right, indptr, labels)
    np.testing.assert_allclose(found, (left @ right.T).toarray()[mask], rtol=1e-5, atol=1e-7)
    assert (found == 0).any() and (found > 0).any()


def test_equal_supports_share_a_place():
    found = Candidates(
        np.array([0, 3]), np.array([0, 2, 3]), np.zeros(3, np.float32), np.zeros(3, np.int64), np.zeros(3, np.float32)
    )
    query = Query(np.zeros((1, 2), np.float32), as_csr((1, 3)))
    supports, nothing = as_csr(np.array([[0.1, 0, 0.1, 0.7]], dtype=np.float32)), as_csr((4, 4))
    columns = graph_evidence(query, found, supports, as_csr((1, 4)), nothing, mutual_weights(nothing), AROUND)
    np.testing.assert_allclose(columns[:, 2], np.log1p([1, 1, 0]), rtol=1e-6)


def test_no_candidates():
    none = Candidates(
        np.array([0, 0]), np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64), np.empty(0, np.float32)
    )
    query = Query(np.zeros((1, 2), np.float32), as_csr((1, 3)))
    assert first_evidence(query, none, PROFILE).shape == (0, len(FIRST_COLUMNS))
    graph = as_csr(np.eye(4, dtype=np.float32))
    columns = graph_evidence(query, none, as_csr((1, 4)), as_csr((1, 4)), graph, mutual_weights(graph), AROUND)
    assert columns.shape == (0, len(GRAPH_COLUMNS))
