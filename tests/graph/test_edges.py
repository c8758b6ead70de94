import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.errors import UsageError
from eclare_py.graph.edges import edge_cosines, prune_by_text

GRAPH = sp.csr_array(np.array([[9, 1, 2, 3], [1, 9, 0, 4], [0, 0, 9, 5], [6, 7, 0, 9]], dtype=np.float32))
# Cosines: (0,1) 1, (0,2) -1, (1,2) -1, label 3 has no text.
VECTORS = np.array([[1, 1], [2, 2], [-3, -3], [0, 0]], dtype=np.float32)


def test_cosines_by_hand_dense_and_sparse():
    expected = [1, 1, -1, np.nan, 1, 1, np.nan, 1, np.nan, np.nan, np.nan, np.nan]
    np.testing.assert_allclose(edge_cosines(GRAPH, VECTORS), expected, rtol=1e-6)
    np.testing.assert_allclose(edge_cosines(GRAPH, sp.csr_array(VECTORS)), expected, rtol=1e-6)


@pytest.mark.parametrize("block", [1, 5, 1000])
def test_blocks_equal_dense_cosine(monkeypatch, block):
    monkeypatch.setattr("eclare_py.graph.edges._EDGE_BLOCK", block)
    rng = np.random.default_rng(0)
    graph = sp.random_array((13, 13), density=0.3, format="csr", rng=rng)
    graph.sort_indices()
    vectors = rng.normal(size=(13, 4)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    rows, columns = graph.nonzero()
    expected = (unit @ unit.T)[rows, columns]
    np.testing.assert_allclose(edge_cosines(graph, vectors), expected, atol=1e-6)
    np.testing.assert_allclose(edge_cosines(graph, sp.csr_array(vectors)), expected, atol=1e-6)


def test_prune_keeps_self_loops_and_labels_without_text():
    pruned = prune_by_text(GRAPH, VECTORS, 0.0).toarray()
    assert pruned.tolist() == [[9, 1, 0, 3], [1, 9, 0, 4], [0, 0, 9, 5], [6, 7, 0, 9]]
    np.testing.assert_array_equal(prune_by_text(GRAPH, VECTORS, -1.0).toarray(), GRAPH.toarray())


def test_prune_refuses_vectors_of_other_labels():
    with pytest.raises(UsageError, match="3 rows"):
        prune_by_text(GRAPH, VECTORS[:3], 0.0)
