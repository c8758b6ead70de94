"""Overlapping clusters with gates: the best path of a label counts, as a naive search says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eclare_py.errors import ModelError, UsageError
from eclare_py.index import LabelTree, beam_search, build_tree, gate_scores, gated_search, search, top_clusters
from eclare_py.index.config import IndexConfig
from eclare_py.index.paths import best_paths
from eclare_py.quantize import codes_of, rounded
from eclare_py.storage import State


def clusters(sizes, labels, edges, routers, n_labels, gate="softmax", sharpness=4.0):
    ptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return LabelTree(
        level_ptr=np.array([0, len(sizes)]),
        child_ptr=np.array([len(sizes)]),
        leaf_ptr=ptr,
        label_order=np.asarray(labels, dtype=np.int64),
        routers=np.asarray(routers, dtype=np.float32),
        bias=np.zeros(len(sizes), dtype=np.float32),
        score=gate,
        edges=None if edges is None else np.asarray(edges, dtype=np.float32),
        label_count=n_labels,
        sharpness=sharpness,
    )


def golden():
    """Three clusters over five labels: 1 and 3 sit in two of them, 4 in none."""
    return clusters([2, 2, 2], [0, 1, 1, 3, 3, 2], [1.0, 0.5, 0.25, 1.0, 0.5, 1.0], [[1, 0], [0, 1], [-1, 0]], 5)


def random_case(rng, n_labels, n_clusters, dim, batch, gate):
    sizes = rng.integers(0, min(9, n_labels), n_clusters)
    sizes[0] = 1
    labels = np.concatenate([rng.choice(n_labels, size, replace=False) for size in sizes])
    edges = rng.integers(0, 5, len(labels)) / 4  # many equal paths
    tree = clusters(sizes, labels, edges, rng.normal(size=(n_clusters, dim)), n_labels, gate)
    vectors = rounded(rng.normal(size=(n_labels, dim)).astype(np.float32))
    bias = rng.normal(size=n_labels).astype(np.float32)
    return tree, rng.normal(size=(batch, dim)).astype(np.float32), vectors, bias


def naive(tree, x, vectors, bias, beam, k, shortlist):
    """Dictionaries and full sorts, one document at a time."""
    products = x @ tree.routers.T + tree.bias
    for gates, document in zip(gate_scores(products, tree.score, tree.sharpness), x, strict=True):
        paths = {}
        for cluster in np.lexsort((np.arange(len(gates)), -gates))[:beam]:
            for slot in range(tree.leaf_ptr[cluster], tree.leaf_ptr[cluster + 1]):
                label = tree.label_order[slot]
                paths[label] = max(paths.get(label, 0.0), gates[cluster] * tree.slot_edges[slot])
        kept = sorted(paths, key=lambda label: (-paths[label], label))[:shortlist]
        scores = {label: paths[label] / (1 + np.exp(-(vectors[label] @ document + bias[label]))) for label in kept}
        best = sorted(scores, key=lambda label: (-np.float32(scores[label]), label))[:k]
        yield best, [scores[label] for label in best]


def test_a_label_of_two_clusters_keeps_its_best_path():
    gates = np.array([0.5, 1.0, 1.0], dtype=np.float32)
    tree, labels = golden(), np.full(4, -1)
    slots, turns, paths = np.full(4, -1), np.full(4, -1), np.zeros(4, dtype=np.float32)
    order = np.array([0, 2, 1])
    found = best_paths(
        order, gates[order], tree.leaf_ptr, tree.label_order, tree.slot_edges, labels, slots, turns, paths
    )
    assert found == 4
    by_label = {
        int(label): (int(s), int(t), float(p)) for label, s, t, p in zip(labels, slots, turns, paths, strict=True)
    }
    # The two paths to label 1 are equal, the earlier stays; of those to label 3 the later is better.
    assert by_label == {0: (0, 0, 0.5), 1: (1, 0, 0.25), 3: (3, 2, 1.0), 2: (5, 1, 1.0)}
    short = best_paths(
        order, gates[order], tree.leaf_ptr, tree.label_order, tree.slot_edges, labels[:2], slots, turns, paths[:2]
    )
    assert short == 2 and sorted(labels[:2].tolist()) == [2, 3]


def test_golden_scores_by_hand():
    tree, x = golden(), np.array([[1.0, 0.0]], dtype=np.float32)
    shares = np.exp([1.0, 0.0, -1.0]) / np.exp([1.0, 0.0, -1.0]).sum()
    gates = np.minimum(4 * shares, 1)
    ranking, scored = gated_search(
        tree, x, beam=2, label_vectors=np.zeros((5, 2), np.float32), label_bias=np.zeros(5, np.float32), k=5
    )
    assert ranking.indices.tolist() == [[0, 3, 1, -1, -1]] and scored.tolist() == [3]
    np.testing.assert_allclose(ranking.scores[0, :3], [0.5, 0.5 * gates[1], 0.25], rtol=1e-6)


@pytest.mark.parametrize("gate", ["softmax", "sigmoid"])
@pytest.mark.parametrize(
    ("n_labels", "n_clusters", "beam", "k", "shortlist"), [(7, 3, 2, 4, 5), (40, 13, 6, 10, 12), (23, 9, 9, 30, 99)]
)
def test_search_is_the_naive_one(gate, n_labels, n_clusters, beam, k, shortlist):
    tree, x, vectors, bias = random_case(np.random.default_rng(n_labels), n_labels, n_clusters, 5, 17, gate)
    arguments = {"beam": beam, "label_vectors": vectors, "label_bias": bias, "k": k, "shortlist": shortlist}
    ranking, _ = gated_search(tree, x, **arguments)
    for row, (labels, scores) in enumerate(naive(tree, x, vectors, bias, beam, k, shortlist)):
        assert ranking.indices[row, : len(labels)].tolist() == labels
        assert (ranking.indices[row, len(labels) :] == -1).all()
        np.testing.assert_allclose(ranking.scores[row, : len(labels)], scores, rtol=2e-5, atol=1e-7)
    coded, _ = gated_search(tree, x, **arguments, codes=codes_of(vectors))
    np.testing.assert_allclose(coded.scores, ranking.scores, rtol=1e-4)
    for row in range(3):
        alone, _ = gated_search(tree, x[row : row + 1], **arguments)
        np.testing.assert_array_equal(alone.indices[0], ranking.indices[row])


def test_search_takes_gated_trees():
    tree, x, vectors, bias = random_case(np.random.default_rng(3), 20, 6, 4, 5, "sigmoid")
    bias[3] = -np.inf
    found = search(tree, x, beam=4, label_vectors=vectors, label_bias=bias, k=20)
    assert not (found.indices == 3).any() and (found.scores[found.indices >= 0] <= 1).all()
    leaves, gates = beam_search(tree, x, beam=4)
    np.testing.assert_allclose(gates, np.take_along_axis(gate_scores(x @ tree.routers.T, "sigmoid"), leaves, 1))
    assert (np.diff(gates, axis=1) <= 0).all()


def test_gates():
    products = np.log(np.array([[8.0, 1.0, 1.0], [1.0, 1.0, 1.0]], dtype=np.float32))
    np.testing.assert_allclose(gate_scores(products, "softmax", 2.0), [[1, 0.2, 0.2], [2 / 3] * 3], rtol=1e-6)
    np.testing.assert_allclose(gate_scores(products, "sigmoid"), [[8 / 9, 0.5, 0.5], [0.5] * 3], rtol=1e-6)
    assert top_clusters(np.array([[1, 0.5, 1, 1]], dtype=np.float32), 2)[0].tolist() == [[0, 2]]
    with pytest.raises(UsageError, match="relu"):
        gate_scores(products, "relu")


def test_saved_and_loaded_it_is_the_same():
    tree = golden()
    back = LabelTree.from_state(tree.state())
    np.testing.assert_array_equal(back.slot_edges, tree.edges)
    assert (back.n_labels, back.score, back.sharpness, back.n_leaves) == (5, "softmax", 4.0, 3)
    with pytest.raises(UsageError, match="several leaves"):
        back.node_of_label()
    plain = build_tree(np.eye(6, dtype=np.float32), IndexConfig(max_leaf=2))
    assert set(plain.state().meta) == {"score", "exact_below"} and "edges" not in plain.state().arrays


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"edges": np.full(6, 1.5, dtype=np.float32)}, "0..1"),
        ({"edges": np.full(6, np.nan, dtype=np.float32)}, "0..1"),
        ({"edges": np.ones(5, dtype=np.float32)}, "do not fit"),
        ({"label_order": np.array([0, 1, 1, 3, 3, 5])}, "outside"),
        ({"label_order": np.array([1, 1, 1, 3, 3, 2])}, "twice"),
        ({"label_count": 0}, "labels in several leaves"),
        ({"score": "dot"}, "gate as score"),
        ({"sharpness": 0.0}, "sharpness"),
        (
            {
                "level_ptr": np.array([0, 1, 3]),
                "child_ptr": np.array([1, 3]),
                "leaf_ptr": np.array([0, 2, 6]),
                "label_order": np.array([0, 1, 0, 1, 2, 3]),
            },
            "single level",
        ),
    ],
)
def test_a_damaged_index_is_refused(changes, message):
    state = replace(golden(), **changes).state()
    with pytest.raises(ModelError, match=message):
        LabelTree.from_state(State(state.arrays, state.meta))
