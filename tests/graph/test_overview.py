import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.errors import UsageError
from eclare_py.graph.export import to_networkx, to_pyg_data
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.graph.overview import summary

# Edges 0->1, 1->0, 1->2; label 3 only has its self loop; label 4 points to 5.
WEIGHTS = np.eye(6, dtype=np.float32) * 2
WEIGHTS[[0, 1, 1, 4], [1, 0, 2, 5]] = [3, 4, 5, 6]
GRAPH = LabelGraph.from_adjacency(sp.csr_array(WEIGHTS))


def test_summary_by_hand():
    found = summary(GRAPH, np.array([9, 1, 5, 0, 6, 2]))
    assert (found.labels, found.edges, found.isolated, found.no_neighbour) == (6, 4, 1, 3)
    assert (found.components, found.largest_component) == (3, 3)
    assert found.reciprocal == 0.5
    assert found.degree_quantiles["1"] == 2 and found.degree_quantiles["0.5"] == 0.5
    assert found.in_degree_quantiles["1"] == 1
    assert found.tail_with_neighbour == pytest.approx(1 / 3)  # labels 1, 2, 5 are tail, only 1 has a neighbour
    assert summary(GRAPH).tail_with_neighbour is None
    assert summary(GRAPH, np.full(6, 99)).tail_with_neighbour is None


def test_summary_of_no_labels_and_no_edges():
    empty = summary(LabelGraph.from_adjacency(sp.csr_array((0, 0), dtype=np.float32)))
    assert (empty.labels, empty.edges, empty.components, empty.largest_component) == (0, 0, 0, 0)
    alone = summary(LabelGraph.from_adjacency(sp.csr_array(np.eye(2, dtype=np.float32))))
    assert (alone.edges, alone.isolated, alone.reciprocal, alone.components) == (0, 2, 0.0, 2)


def test_networkx():
    result = to_networkx(GRAPH, list("abcdef"))
    assert list(result.nodes) == list(range(6)) and result.nodes[3]["text"] == "d"
    assert sorted(result.edges) == [(0, 1), (1, 0), (1, 2), (4, 5)]
    assert result.edges[1, 2]["weight"] == 5
    assert result.edges[1, 2]["normalized"] == pytest.approx(GRAPH.normalized[1, 2])
    assert "text" not in to_networkx(GRAPH).nodes[0]


def test_pyg_data():
    data = to_pyg_data(GRAPH, np.ones((6, 2)))
    data.validate(raise_on_error=True)
    assert tuple(data.x.shape) == (6, 2) and data.num_nodes == 6 and data.edge_index.shape == (2, 10)
    dense = np.zeros((6, 6))
    dense[data.edge_index[1], data.edge_index[0]] = data.edge_weight
    np.testing.assert_array_equal(dense, GRAPH.normalized.toarray().astype(np.float64))
    assert to_pyg_data(GRAPH).x is None


@pytest.mark.parametrize("call", [to_networkx, to_pyg_data, summary])
def test_inputs_of_another_label_set_are_refused(call):
    with pytest.raises(UsageError, match="6 labels"):
        call(GRAPH, np.ones((5, 2)) if call is to_pyg_data else [1] * 5)
