import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from eclare_py.errors import UsageError
from eclare_py.graph.spanning_tree import euclidean_spanning_tree


def naive_length(points):
    """Prim's algorithm over all pairs."""
    near, total = np.full(len(points), np.inf), 0.0
    near[0] = 0
    left = set(range(len(points)))
    while left:
        place = min(left, key=lambda one: near[one])
        left.remove(place)
        total += near[place]
        near = np.minimum(near, np.hypot(*(points - points[place]).T))
    return total


def check(points):
    edges = euclidean_spanning_tree(points)
    assert edges.shape == (len(points) - 1, 2) and edges.dtype == np.int64
    assert (edges[:, 0] < edges[:, 1]).all()
    joined = coo_array((np.ones(len(edges)), edges.T), shape=(len(points), len(points)))
    assert connected_components(joined, directed=False)[0] == 1
    assert np.hypot(*(points[edges[:, 0]] - points[edges[:, 1]]).T).sum() == pytest.approx(naive_length(points))
    return edges


@pytest.mark.parametrize("seed", range(5))
def test_equals_a_dense_tree_on_random_points_with_duplicates(seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(120, 2)) * [1, 40]
    points[rng.integers(0, 120, 30)] = points[rng.integers(0, 120, 30)]
    check(points)


def test_equals_a_dense_tree_on_a_grid_full_of_ties():
    check(np.stack(np.meshgrid(np.arange(9.0), np.arange(7.0)), axis=-1).reshape(-1, 2))


@pytest.mark.parametrize("direction", [(1, 0), (0, 1), (3, -2), (1e-9, 1)])
def test_points_on_a_line_are_joined_in_order(direction):
    along = np.random.default_rng(2).permutation(17)
    edges = check(along[:, None] * np.array(direction, dtype=float))
    assert (np.abs(along[edges[:, 0]] - along[edges[:, 1]]) == 1).all()


def test_by_hand():
    square = np.array([[0, 0], [0, 1], [3, 1], [3, 0.5]])
    assert euclidean_spanning_tree(square).tolist() == [[0, 1], [1, 2], [2, 3]]
    assert euclidean_spanning_tree(np.zeros((4, 2))).tolist() == [[0, 1], [0, 2], [0, 3]]
    assert euclidean_spanning_tree([[0, 0], [5, 5]]).tolist() == [[0, 1]]
    assert euclidean_spanning_tree(np.zeros((1, 2))).shape == (0, 2)
    assert euclidean_spanning_tree(np.zeros((0, 2))).shape == (0, 2)


@pytest.mark.parametrize("points", [np.zeros((3, 3)), np.zeros(4), [[0, np.nan], [1, 1]]])
def test_what_are_no_points_is_refused(points):
    with pytest.raises(UsageError, match="finite numbers"):
        euclidean_spanning_tree(points)
