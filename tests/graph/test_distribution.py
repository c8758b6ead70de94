import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.graph.communities import find_communities, most_frequent
from eclare_py.graph.distribution import DegreeBin, Hub, SizeBin, component_sizes, degree_distribution, degrees, hubs
from eclare_py.graph.label_graph import LabelGraph


def graph_of(edges, n_labels, weight=1.0):
    """Directed edges, and a self loop at every label, which no figure may count."""
    dense = np.eye(n_labels, dtype=np.float32)
    for row, column in edges:
        dense[row, column] = weight
    return LabelGraph.from_adjacency(sp.csr_array(dense))


# Triangles 0-2-4 and 1-3-5, label 6 alone; 0 -> 3 joins them in one direction.
TRIANGLES = [(0, 2), (2, 4), (4, 0), (1, 3), (3, 5), (5, 1), (2, 0), (4, 2), (0, 4), (3, 1), (5, 3), (1, 5)]
APART, JOINED = graph_of(TRIANGLES, 7), graph_of([*TRIANGLES, (0, 3)], 7)
TEXTS, FREQUENCIES = list("abcdefg"), np.array([4, 9, 7, 2, 7, 1, 50])


def test_degrees_by_hand():
    outward, inward = degrees(JOINED)
    assert outward.tolist() == [3, 2, 2, 2, 2, 2, 0]
    assert inward.tolist() == [2, 2, 2, 3, 2, 2, 0]
    assert degree_distribution(JOINED) == [DegreeBin(0, 0, 1, 1), DegreeBin(1, 1, 0, 0), DegreeBin(2, 3, 6, 6)]


def test_bins_double_in_width():
    star = graph_of([(leaf, 0) for leaf in range(1, 9)], 9)
    found = degree_distribution(star)
    assert [(one.low, one.high) for one in found] == [(0, 0), (1, 1), (2, 3), (4, 7), (8, 15)]
    assert [one.labels_out for one in found] == [1, 8, 0, 0, 0]
    assert [one.labels_in for one in found] == [8, 0, 0, 0, 1]


def test_bins_agree_with_counting():
    rng = np.random.default_rng(4)
    graph = LabelGraph.from_adjacency(sp.csr_array(rng.random((40, 40)) < 0.2, dtype=np.float32))
    outward, inward = degrees(graph)
    for one in degree_distribution(graph):
        assert one.labels_out == sum(one.low <= degree <= one.high for degree in outward)
        assert one.labels_in == sum(one.low <= degree <= one.high for degree in inward)


def test_components_by_hand():
    assert component_sizes(APART) == [SizeBin(1, 1, 1, 1), SizeBin(2, 3, 2, 6)]
    assert component_sizes(JOINED) == [SizeBin(1, 1, 1, 1), SizeBin(2, 3, 0, 0), SizeBin(4, 7, 1, 6)]


def test_nothing_at_all():
    empty = graph_of([], 0)
    assert degree_distribution(empty) == [] and component_sizes(empty) == [] and hubs(empty, [], np.empty(0, int)) == []
    assert find_communities(empty).sizes.tolist() == []


def test_hubs_have_most_in_edges_and_ties_go_by_id():
    assert hubs(JOINED, TEXTS, FREQUENCIES, top=3) == [
        Hub(3, "d", 3, 2, 2), Hub(0, "a", 2, 3, 4), Hub(1, "b", 2, 2, 9)
    ]  # fmt: skip
    assert [one.label for one in hubs(JOINED, TEXTS, FREQUENCIES)] == [3, 0, 1, 2, 4, 5]  # 6 is nobody's neighbour


@pytest.mark.parametrize("graph", [APART, JOINED])
def test_communities_are_the_triangles(graph):
    found = find_communities(graph)
    assert found.membership.tolist() == [0, 1, 0, 1, 0, 1, 2]
    assert found.sizes.tolist() == [3, 3, 1]


def test_modularity_of_two_equal_parts_is_one_half():
    assert find_communities(APART).modularity == pytest.approx(0.5)
    assert find_communities(JOINED).modularity < 0.5


def test_communities_are_the_same_for_the_same_seed_and_numbered_by_size():
    rng = np.random.default_rng(0)
    dense = (rng.random((60, 60)) < 0.03).astype(np.float32)
    graph = LabelGraph.from_adjacency(sp.csr_array(dense))
    first, again = find_communities(graph, seed=5), find_communities(graph, seed=5)
    assert np.array_equal(first.membership, again.membership) and first.modularity == again.modularity
    assert (np.diff(first.sizes) <= 0).all() and first.sizes.sum() == 60


def test_most_frequent_of_a_community():
    found = find_communities(APART)
    assert most_frequent(found, 0, FREQUENCIES, 2) == [2, 4]  # 7 documents each, the lower id first
    assert most_frequent(found, 1, FREQUENCIES, 9) == [1, 3, 5]
