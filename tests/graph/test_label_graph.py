import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.errors import ConfigError, ModelError, UsageError
from eclare_py.graph.build import GraphConfig, build_label_graph
from eclare_py.graph.edges import edge_cosines
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.graph.walks import walk_counts
from eclare_py.sparse import row_ids
from eclare_py.storage import State, read_state, write_state

WEIGHTS = sp.csr_array(np.array([[4, 2, 2, 1], [0, 1, 3, 0], [0, 0, 1, 0], [5, 0, 0, 2]], dtype=np.float32))


def random_labels(n_documents=80, n_labels=31, density=0.1, seed=0):
    return sp.csr_array((np.random.default_rng(seed).random((n_documents, n_labels)) < density).astype(np.float32))


def test_neighbours_by_hand():
    graph = LabelGraph.from_adjacency(WEIGHTS)
    assert (graph.n_labels, graph.n_edges) == (4, 5)
    ids, weights = graph.neighbours(0)
    assert ids.tolist() == [1, 2, 3] and weights.tolist() == [2, 2, 1]
    assert graph.neighbours(0, 2)[0].tolist() == [1, 2] and graph.neighbours(2)[0].tolist() == []
    with pytest.raises(IndexError, match="label 4"):
        graph.neighbours(4)
    with pytest.raises(IndexError, match="label -1"):
        graph.neighbours(-1)


def test_closure_gives_the_vectors_of_the_whole_graph():
    graph = build_label_graph(random_labels(), GraphConfig(top_k=2))
    x, batch = np.random.default_rng(1).normal(size=(31, 5)), np.array([7, 3, 3])
    for hops, whole in enumerate([x, graph.normalized @ x, graph.normalized @ (graph.normalized @ x)]):
        nodes = graph.closure(batch, hops)
        part, vectors = graph.normalized[nodes][:, nodes], x[nodes]
        for _ in range(hops):
            vectors = part @ vectors
        np.testing.assert_allclose(vectors[np.searchsorted(nodes, batch)], whole[batch], rtol=1e-6)


def test_state_round_trip_through_files(tmp_path):
    graph = build_label_graph(random_labels(), GraphConfig(kind="jaccard", normalization="row"))
    write_state(tmp_path, "graph", graph.state())
    back = LabelGraph.from_state(read_state(tmp_path, "graph"))
    assert (back.kind, back.normalization) == ("jaccard", "row")
    for name in ("adjacency", "normalized"):
        for part in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(getattr(back, name), part), getattr(getattr(graph, name), part))


@pytest.mark.parametrize(
    ("key", "position", "value"),
    [("indices", 2, 99), ("indices", 2, -1), ("indptr", 2, 1000), ("data", 0, np.nan), ("data", 0, -1), ("data", 0, 0)],
)
def test_damaged_state_is_refused(key, position, value):
    state = LabelGraph.from_adjacency(WEIGHTS).state()
    arrays = {name: array.copy() for name, array in state.arrays.items()}
    arrays[f"adjacency.{key}"][position] = value
    with pytest.raises(ModelError, match="label graph"):
        LabelGraph.from_state(State(arrays, state.meta))


def test_state_of_other_shape_or_meta_is_refused():
    state = LabelGraph.from_adjacency(WEIGHTS).state()
    wide = {**state.arrays, "adjacency.shape": np.array([4, 5])}
    with pytest.raises(ModelError, match="4 x 5"):
        LabelGraph.from_state(State(wide, state.meta))
    with pytest.raises(ModelError, match="normalization None"):
        LabelGraph.from_state(State(state.arrays, {"kind": "walk"}))


def test_default_config_is_the_plain_walk_graph():
    labels = random_labels()
    graph = build_label_graph(labels, seed=3)
    assert (graph.adjacency != walk_counts(labels, seed=3)).nnz == 0
    assert (build_label_graph(labels, seed=4).adjacency != graph.adjacency).nnz > 0


@pytest.mark.parametrize("kind", ["walk", "walk-exact", "conditional", "lift", "jaccard", "cosine", "pmi"])
def test_every_kind_with_pruning(kind):
    labels = random_labels()
    vectors = np.random.default_rng(5).normal(size=(31, 3)).astype(np.float32)
    config = GraphConfig(kind=kind, top_k=2, prune_below=0.1)
    graph = build_label_graph(labels, config, label_vectors=vectors)
    free = build_label_graph(labels, GraphConfig(kind=kind, top_k=2))
    off_diagonal = graph.adjacency.indices != row_ids(graph.adjacency)
    assert graph.n_edges > 0 and edge_cosines(graph.adjacency, vectors)[off_diagonal].min() >= 0.1
    # Places of pruned edges go to the next best ones, so more edges are left than pruning the final graph would leave.
    left = (edge_cosines(free.adjacency, vectors) >= 0.1) & (free.adjacency.indices != row_ids(free.adjacency))
    assert left.sum() < graph.n_edges <= 2 * 31
    assert np.diff(graph.adjacency.indptr).max() <= 3


def test_pruning_needs_label_vectors():
    with pytest.raises(UsageError, match="label_vectors"):
        build_label_graph(random_labels(), GraphConfig(prune_below=0.0))


def test_no_self_loops_leaves_empty_rows():
    labels = sp.csr_array(np.array([[1, 1, 0]], dtype=np.float32))
    graph = build_label_graph(labels, GraphConfig(kind="cosine", self_loops="none"))
    np.testing.assert_allclose(graph.normalized.toarray(), [[0, 1, 0], [1, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"kind": "walks"}, "graph.kind='walks'"),
        ({"restart": 0.0}, "graph.restart=0.0"),
        ({"restart": float("nan")}, "graph.restart=nan"),
        ({"top_k": 0}, "graph.top_k=0"),
        ({"head_threshold": 0}, "graph.head_threshold=0"),
        ({"prune_below": 2.0}, "graph.prune_below=2.0"),
        ({"normalization": "both"}, "graph.normalization='both'"),
        ({"self_loops": "both"}, "graph.self_loops='both'"),
    ],
)
def test_config_names_the_bad_value(options, text):
    with pytest.raises(ConfigError, match=text):
        GraphConfig(**options)


def test_import_stays_cheap():
    code = (
        "import sys, eclare_py.graph as graph; heavy = {'numba', 'torch', 'torch_geometric'} & set(sys.modules);"
        "assert not heavy, heavy;"
        "graph.build_label_graph; graph.Propagation; assert 'torch_geometric' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_public_name_resolves():
    import eclare_py.graph as graph

    assert all(callable(getattr(graph, name)) or name in ("WEIGHTINGS", "PROPAGATIONS") for name in graph.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = graph.no_such_name
