from dataclasses import replace

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclare_py.errors import UsageError
from eclare_py.index import (
    IndexConfig,
    LabelTree,
    beam_search,
    build_tree,
    candidates,
    exact_search,
    labels_scored,
    search,
    search_counted,
)
from eclare_py.types import PADDING, rank


def golden_tree(score="dot"):
    """Two nodes, the first with leaves 0 and 1, the second with leaves 2, 3 and 4; seven labels."""
    return LabelTree(
        level_ptr=np.array([0, 2, 7]),
        child_ptr=np.array([2, 4, 7]),
        leaf_ptr=np.array([0, 2, 3, 5, 5, 7]),
        label_order=np.array([4, 0, 6, 1, 2, 3, 5]),
        routers=np.array([[1, 0], [0, 1], [2, 0], [0, 1], [1, 0], [0, 3], [1, 0]], dtype=np.float32),
        bias=np.array([0, 0.5, 0, 0, 0, 0, 0], dtype=np.float32),
        score=score,
    )


def integer_case(rng, n_labels, dimension, batch, config):
    """Small integers: every product and sum is exact in float32, and ties are many."""
    vectors = rng.integers(-2, 3, (n_labels, dimension)).astype(np.float32)
    bias = rng.integers(-2, 3, n_labels).astype(np.float32)
    x = rng.integers(-2, 3, (batch, dimension)).astype(np.float32)
    tree = build_tree(vectors, config, seed=1)
    routers = [
        (rng.integers(-2, 3, w.shape).astype(np.float32), rng.integers(-2, 3, b.shape).astype(np.float32))
        for w, b in (tree.router(level) for level in range(tree.n_levels))
    ]
    return tree.with_routers(routers), x, vectors, bias


def naive_beam(tree, x, beam):
    """Dense, one document at a time, full sorts."""
    kept, path = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.float32)
    for level in range(tree.n_levels):
        weights, bias = tree.router(level)
        gain = weights @ x + bias
        if tree.score == "log-sigmoid":
            gain = -np.logaddexp(0, -gain)
        nodes = np.flatnonzero(np.isin(tree.parents(level), kept))
        above = path[np.searchsorted(kept, tree.parents(level)[nodes])]
        scores = gain[nodes] + (0 if tree.score == "last" else above)
        best = np.lexsort((nodes, -scores))[:beam]
        ranked = nodes[best], scores[best]
        order = np.argsort(nodes[best])
        kept, path = nodes[best][order], scores[best][order]
    return ranked


def test_golden_beam_by_hand():
    x = np.array([[1.0, 1.0], [1.0, 0.0]], dtype=np.float32)
    # Document 0: nodes 1 and 1.5; leaves 0..4 have paths 1+2, 1+1, 1.5+1, 1.5+3, 1.5+1.
    leaves, scores = beam_search(golden_tree(), x, beam=9)
    assert leaves[0].tolist() == [3, 0, 2, 4, 1]
    assert scores[0].tolist() == [4.5, 3.0, 2.5, 2.5, 2.0]
    # Document 1: nodes 1 and 0.5; with a beam of one only the first node's leaves 0 (2) and 1 (0) are seen.
    leaves, scores = beam_search(golden_tree(), x, beam=1)
    assert (leaves.tolist(), scores.tolist()) == ([[3], [0]], [[4.5], [3.0]])
    leaves, scores = beam_search(golden_tree("last"), x[:1], beam=2)
    assert (leaves.tolist(), scores.tolist()) == ([[3, 0]], [[3.0, 2.0]])
    _, scores = beam_search(golden_tree("log-sigmoid"), x[:1], beam=1)
    assert np.isclose(scores[0, 0], -np.log(1 + np.exp(-1.5)) - np.log(1 + np.exp(-3.0)))


def test_golden_search_by_hand():
    tree = golden_tree()
    vectors = np.array([[1, 0], [2, 0], [3, 0], [4, 0], [1, 0], [0, 9], [5, 0]], dtype=np.float32)
    bias = np.array([0, 0, 0, 0, 0, -np.inf, 0], dtype=np.float32)
    x = np.array([[1.0, 0.0]], dtype=np.float32)
    # Paths of leaves 0..4: 1+2, 1+0, .5+1, .5+0, .5+1. The best three are 0 (labels 4, 0), 2 (1, 2) and 4 (3, 5).
    leaves, _ = beam_search(tree, x, beam=3)
    assert leaves.tolist() == [[0, 2, 4]]
    indptr, labels = candidates(tree, leaves)
    assert (indptr.tolist(), labels.tolist()) == ([0, 6], [4, 0, 1, 2, 3, 5])
    ranking, scored = search_counted(tree, x, beam=3, label_vectors=vectors, label_bias=bias, k=7)
    assert ranking.indices.tolist() == [[3, 2, 1, 0, 4, PADDING, PADDING]]
    assert ranking.scores.tolist() == [[4, 3, 2, 1, 1, -np.inf, -np.inf]]
    assert scored.tolist() == [6] == labels_scored(tree, leaves).tolist()


@pytest.mark.parametrize("score", ["dot", "last"])
@pytest.mark.parametrize(
    ("n_labels", "branching", "beam"), [(97, 2, 1), (97, 2, 5), (150, 4, 7), (61, 8, 3), (3, 2, 2)]
)
def test_beam_equals_naive_ties_included(score, n_labels, branching, beam):
    config = IndexConfig(branching=branching, max_leaf=3, score=score)
    tree, x, _, _ = integer_case(np.random.default_rng(n_labels), n_labels, 4, 13, config)
    leaves, scores = beam_search(tree, x, beam=beam)
    for row in range(len(x)):
        expected = naive_beam(tree, x[row], beam)
        alone = beam_search(tree, x[row : row + 1], beam=beam)
        assert leaves[row].tolist() == alone[0][0].tolist() == expected[0].tolist()
        assert scores[row].tolist() == alone[1][0].tolist() == expected[1].tolist()


def test_log_sigmoid_beam_equals_naive():
    rng = np.random.default_rng(0)
    points = rng.standard_normal((211, 6)).astype(np.float32)
    tree = build_tree(points, IndexConfig(branching=4, max_leaf=4), seed=3)
    x = (10 * rng.standard_normal((9, 6))).astype(np.float32)
    leaves, scores = beam_search(tree, x, beam=5)
    for row in range(len(x)):
        expected = naive_beam(tree, x[row], 5)
        assert leaves[row].tolist() == expected[0].tolist()
        assert np.allclose(scores[row], expected[1], rtol=1e-4, atol=1e-5)


def test_log_sigmoid_does_not_overflow():
    tree = replace(golden_tree("log-sigmoid"), bias=np.array([3e4, -3e4, 0, 0, 0, 0, 0], dtype=np.float32))
    _, scores = beam_search(tree, np.zeros((1, 2), dtype=np.float32), beam=5)
    assert np.isfinite(scores).all()
    assert scores[0, -1] == pytest.approx(-3e4, rel=1e-3)


@given(
    n_labels=st.integers(1, 60),
    dimension=st.integers(1, 4),
    k=st.integers(1, 12),
    batch=st.integers(1, 3),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=60, deadline=None)
def test_full_beam_equals_exact_search(n_labels, dimension, k, batch, seed):
    config = IndexConfig(branching=2, max_leaf=2, score="dot", exact_below=0)
    tree, x, vectors, bias = integer_case(np.random.default_rng(seed), n_labels, dimension, batch, config)
    # An empty leaf at the end lets the beam hold all labels without holding all leaves, so that the tree is asked.
    routers = np.concatenate([tree.routers, np.full((1, dimension), 0, np.float32)])
    wider = replace(
        tree,
        level_ptr=np.concatenate([tree.level_ptr[:-1], [tree.level_ptr[-1] + 1]]),
        child_ptr=np.concatenate([tree.child_ptr[:-1], [tree.child_ptr[-1] + 1]])
        if tree.n_levels > 1
        else tree.child_ptr + 1,
        leaf_ptr=np.concatenate([tree.leaf_ptr, tree.leaf_ptr[-1:]]),
        routers=routers,
        bias=np.concatenate([tree.bias, [-(10**6)]]).astype(np.float32),
    )
    wider = LabelTree.from_state(wider.state())
    arguments = {"label_vectors": vectors, "label_bias": bias, "k": k}
    found, scored = search_counted(wider, x, beam=wider.n_leaves - 1, **arguments)
    exact = exact_search(x, **arguments)
    naive = rank(x @ vectors.T + bias, k)
    for ranking in (exact, naive):
        assert np.array_equal(found.indices, ranking.indices)
        assert np.array_equal(found.scores, ranking.scores)
    assert scored.tolist() == [n_labels] * batch


@pytest.mark.parametrize(("batch", "k", "beam"), [(1, 5, 3), (7, 4, 6), (7, 30, 2)])
def test_search_equals_ranking_the_candidates(batch, k, beam):
    config = IndexConfig(branching=4, max_leaf=5, score="dot", exact_below=0)
    tree, x, vectors, bias = integer_case(np.random.default_rng(batch), 133, 3, batch, config)
    bias[::7] = -np.inf
    ranking, scored = search_counted(tree, x, beam=beam, label_vectors=vectors, label_bias=bias, k=k)
    indptr, labels = candidates(tree, beam_search(tree, x, beam=beam)[0])
    assert scored.tolist() == np.diff(indptr).tolist()
    for row in range(batch):
        own = labels[indptr[row] : indptr[row + 1]]
        expected = rank((vectors[own] @ x[row] + bias[own])[None], k, own[None])
        assert ranking.indices[row].tolist() == expected.indices[0].tolist()
        assert ranking.scores[row].tolist() == expected.scores[0].tolist()


def test_exact_search_in_several_blocks_equals_rank(monkeypatch):
    monkeypatch.setattr("eclare_py.index.beam._BLOCK_CELLS", 60)
    rng = np.random.default_rng(2)
    x, vectors = (rng.integers(-2, 3, shape).astype(np.float32) for shape in ((11, 3), (17, 3)))
    bias = np.where(rng.random(17) < 0.3, -np.inf, rng.integers(-2, 3, 17)).astype(np.float32)
    for k in (1, 6, 17, 25):
        ranking, expected = exact_search(x, label_vectors=vectors, label_bias=bias, k=k), rank(x @ vectors.T + bias, k)
        assert np.array_equal(ranking.indices, expected.indices)
        assert np.array_equal(ranking.scores, expected.scores)


def test_few_labels_are_all_scored():
    tree, x, vectors, bias = integer_case(np.random.default_rng(5), 40, 3, 6, IndexConfig(max_leaf=2, score="dot"))
    arguments = {"beam": 1, "label_vectors": vectors, "label_bias": bias, "k": 4}
    for exact_below, expected in ((41, 40), (40, None)):
        _, scored = search_counted(replace(tree, exact_below=exact_below), x, **arguments)
        assert (scored == 40).all() if expected else (scored <= 2).all()
    exact = search(replace(tree, exact_below=41), x, **arguments)
    assert np.array_equal(exact.indices, rank(x @ vectors.T + bias, 4).indices)


@pytest.mark.parametrize("n_labels", [1, 2, 3])
def test_tiny_label_sets(n_labels):
    vectors = np.eye(n_labels, 3, dtype=np.float32)
    tree = build_tree(vectors, IndexConfig(max_leaf=2, exact_below=0), seed=0)
    ranking = search(tree, vectors, beam=5, label_vectors=vectors, label_bias=np.zeros(n_labels, np.float32), k=2)
    assert ranking.indices[:, 0].tolist() == list(range(n_labels))


def test_identical_vectors_rank_by_label_id():
    vectors = np.ones((50, 3), dtype=np.float32)
    tree = build_tree(vectors, IndexConfig(branching=2, max_leaf=4, exact_below=0), seed=0)
    arguments = {"label_vectors": vectors, "label_bias": np.zeros(50, np.float32), "k": 3}
    ranking = search(tree, np.ones((2, 3), dtype=np.float32), beam=2, **arguments)
    assert ranking.indices.tolist() == [[0, 1, 2]] * 2


def test_same_on_one_and_two_threads():
    rng = np.random.default_rng(8)
    vectors, bias = rng.standard_normal((500, 12)).astype(np.float32), rng.standard_normal(500).astype(np.float32)
    tree = build_tree(vectors, IndexConfig(branching=4, max_leaf=4, exact_below=0), seed=0)
    x = rng.standard_normal((41, 12)).astype(np.float32)
    arguments = {"beam": 9, "label_vectors": vectors, "label_bias": bias, "k": 10}
    threads = numba.get_num_threads()
    both = search(tree, x, **arguments)
    try:
        numba.set_num_threads(1)
        one = search(tree, x, **arguments)
    finally:
        numba.set_num_threads(threads)
    assert np.array_equal(one.indices, both.indices)
    assert np.array_equal(one.scores, both.scores)


def test_no_documents():
    tree = golden_tree()
    leaves, scores = beam_search(tree, np.zeros((0, 2), dtype=np.float32), beam=2)
    assert leaves.shape == scores.shape == (0, 2)
    assert candidates(tree, leaves)[0].tolist() == [0]
    ranking = search(tree, np.zeros((0, 2)), beam=2, label_vectors=np.ones((7, 2)), label_bias=np.zeros(7), k=3)
    assert ranking.indices.shape == (0, 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": np.zeros((2, 3))}, "documents"),
        ({"x": np.zeros(2)}, "documents"),
        ({"x": np.full((1, 2), np.nan)}, "NaN"),
        ({"beam": 0}, "beam=0"),
        ({"k": 0}, "k=0"),
        ({"label_vectors": np.zeros((6, 2))}, "must be"),
        ({"label_vectors": np.zeros((6, 2)), "label_bias": np.zeros(6)}, "6 label vectors"),
    ],
)
def test_bad_calls_are_refused(change, words):
    arguments = {"x": np.zeros((2, 2)), "beam": 2, "k": 3, "label_vectors": np.zeros((7, 2)), "label_bias": np.zeros(7)}
    arguments |= change
    with pytest.raises(UsageError, match=words):
        search(golden_tree(), arguments.pop("x"), **arguments)
