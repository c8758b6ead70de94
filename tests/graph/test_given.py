from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.errors import ConfigError
from eclare_py.graph.build import GraphConfig, build_label_graph
from eclare_py.graph.given import join_given
from eclare_py.types import as_csr

BROADER, RELATED, NARROWER = range(3)


def naive(graph: np.ndarray, edges: list[tuple[int, int, int]], weight: float, top_k: int) -> np.ndarray:
    result, size = graph.copy(), len(graph)
    off = graph * (1 - np.eye(size))
    means = [row[row > 0].mean() if (row > 0).any() else None for row in off]
    rest = np.mean([mean for mean in means if mean is not None]) if any(means) else 1.0
    both = set(edges) | {(t, s, 2 - r) for s, t, r in edges}
    for label in range(size):
        best: dict[int, int] = {}
        for source, target, relation in both:
            if source == label:
                best[target] = min(relation, best.get(target, 9))
        for target in sorted(best, key=lambda other: (best[other], other))[:top_k]:
            result[label, target] += weight * (rest if means[label] is None else means[label])
    return result


def random_case(seed: int) -> tuple[np.ndarray, list[tuple[int, int, int]]]:
    rng = np.random.default_rng(seed)
    graph = np.where(rng.random((13, 13)) < 0.15, rng.random((13, 13)) * 40, 0).astype(np.float32)
    ends = rng.integers(13, size=(40, 2))
    return graph, [(int(s), int(t), int(rng.integers(3))) for s, t in ends if s != t]


@pytest.mark.parametrize(("seed", "top_k"), [(0, 2), (1, 5), (2, 1)])
def test_joining_agrees_with_the_naive_way(seed: int, top_k: int) -> None:
    graph, edges = random_case(seed)
    joined = join_given(as_csr(graph), np.unique(np.array(edges), axis=0), weight=0.7, top_k=top_k)
    np.testing.assert_allclose(joined.toarray(), naive(graph, edges, 0.7, top_k), rtol=1e-5)
    assert joined.has_sorted_indices


def test_by_hand() -> None:
    graph = as_csr(np.array([[9, 2, 4, 0], [2, 0, 0, 0], [4, 0, 0, 0], [0, 0, 0, 0]], dtype=np.float32))
    edges = np.array([[0, 3, BROADER], [1, 2, RELATED], [3, 1, BROADER]])
    joined = join_given(graph, edges, weight=0.5, top_k=1).toarray()
    # Means without the loop: 3, 2, 4; label 3 has none and takes (3 + 2 + 4) / 3. Each takes one edge: label 1 the
    # related one, not that to what is narrower; label 3 the broader one.
    assert joined.tolist() == [[9, 2, 4, 1.5], [2, 0, 1, 0], [4, 2, 0, 0], [0, 1.5, 0, 0]]


def test_without_weight_or_edges_the_graph_is_the_same_object() -> None:
    graph, edges = random_case(3)
    matrix = as_csr(graph)
    assert join_given(matrix, np.array(edges), weight=0.0, top_k=3) is matrix
    assert join_given(matrix, np.empty((0, 3), dtype=np.int64), weight=1.0, top_k=3) is matrix


def test_a_graph_without_any_edge_gets_weights_of_its_own() -> None:
    joined = join_given(as_csr(sp.csr_array((3, 3))), np.array([[0, 2, RELATED]]), weight=0.5, top_k=3)
    assert joined.toarray().tolist() == [[0, 0, 0.5], [0, 0, 0], [0.5, 0, 0]]


def test_a_label_without_documents_gets_neighbours() -> None:
    labels = as_csr(np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0]], dtype=np.float32))
    given = np.array([[3, 1, BROADER]])
    off = build_label_graph(labels, GraphConfig(kind="cosine", self_loops="none"), given=given)
    on = build_label_graph(labels, GraphConfig(kind="cosine", self_loops="none", given_weight=0.5), given=given)
    assert off.neighbours(3)[0].tolist() == []
    assert on.neighbours(3)[0].tolist() == [1]
    assert 3 in on.neighbours(1)[0]
    plain = build_label_graph(labels, GraphConfig(kind="cosine", self_loops="none"))
    assert (off.adjacency != plain.adjacency).nnz == 0


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ConfigError, match="given_weight=-1"):
        GraphConfig(given_weight=-1)
