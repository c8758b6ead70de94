import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.errors import UsageError
from eclare_py.graph.normalize import normalize_edges, set_self_loops

GRAPH = sp.csr_array(np.array([[2, 6, 0, 1], [0, 0, 3, 0], [4, 0, 5, 0], [0, 0, 0, 0]], dtype=np.float32))


@pytest.mark.parametrize(
    ("mode", "diagonal"), [("keep", [2, 1, 5, 1]), ("max", [6, 3, 4, 1]), ("one", [1, 1, 1, 1]), ("none", [0, 0, 0, 0])]
)
def test_self_loops(mode, diagonal):
    expected = GRAPH.toarray()
    np.fill_diagonal(expected, diagonal)
    looped = set_self_loops(GRAPH, mode)
    np.testing.assert_array_equal(looped.toarray(), expected)
    assert looped.nnz == np.count_nonzero(expected) and looped.dtype == np.float32


def test_symmetric_by_hand():
    # Row sums 9, 3, 9, 0; column sums 6, 6, 8, 1.
    expected = [
        [2 / 54**0.5, 6 / 54**0.5, 0, 1 / 3],
        [0, 0, 3 / 24**0.5, 0],
        [4 / 54**0.5, 0, 5 / 72**0.5, 0],
        [0, 0, 0, 0],
    ]
    np.testing.assert_allclose(normalize_edges(GRAPH, "symmetric").toarray(), expected, rtol=1e-6)


def test_row_by_hand_and_none():
    expected = [[2 / 9, 6 / 9, 0, 1 / 9], [0, 0, 1, 0], [4 / 9, 0, 5 / 9, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(normalize_edges(GRAPH, "row").toarray(), expected, rtol=1e-6)
    np.testing.assert_array_equal(normalize_edges(GRAPH, "none").toarray(), GRAPH.toarray())


def test_result_shares_no_memory_with_the_graph():
    scaled = normalize_edges(GRAPH, "none")
    for part in ("data", "indices", "indptr"):
        assert not np.shares_memory(getattr(scaled, part), getattr(GRAPH, part))


def test_unknown_names():
    with pytest.raises(UsageError, match="normalization='sym'"):
        normalize_edges(GRAPH, "sym")
    with pytest.raises(UsageError, match="self_loops='two'"):
        set_self_loops(GRAPH, "two")
