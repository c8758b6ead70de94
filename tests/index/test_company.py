"""A document finds the same whatever documents are beside it."""

import numpy as np
import pytest

from eclare_py.index import IndexConfig, LatencyConfig, beam_search, build_tree, kernels


def random_tree(score, n_labels, branching, *, frequency=0.0, dimension=5):
    rng = np.random.default_rng(n_labels)
    config = IndexConfig(branching=branching, max_leaf=3, score=score, latency=LatencyConfig(frequency=frequency))
    points = rng.normal(size=(n_labels, dimension)).astype(np.float32)
    tree = build_tree(points, config, seed=1, counts=rng.integers(1, 100, n_labels))
    routers = [
        (rng.normal(size=w.shape).astype(np.float32), rng.normal(size=b.shape).astype(np.float32))
        for w, b in (tree.router(level) for level in range(tree.n_levels))
    ]
    return tree.with_routers(routers), rng.normal(size=(37, dimension)).astype(np.float32)


@pytest.mark.parametrize("score", ["dot", "last", "log-sigmoid"])
@pytest.mark.parametrize("quantized", [False, True])
# More children than products are held at once, fewer than four, only children, and a tree of one level.
@pytest.mark.parametrize(
    ("n_labels", "branching", "beam", "frequency"),
    [(211, 2, 3, 0), (500, 32, 9, 0), (97, 4, 60, 0), (130, 4, 5, 0.9), (5, 8, 2, 0), (300, 128, 4, 0)],
)
def test_many_documents_find_what_each_finds_alone(score, quantized, n_labels, branching, beam, frequency, monkeypatch):
    tree, x = random_tree(score, n_labels, branching, frequency=frequency)
    alone = [beam_search(tree, x[row : row + 1], beam=beam, quantized=quantized) for row in range(len(x))]
    for size in (1, 5, 32):
        monkeypatch.setattr(kernels, "_TOGETHER", size)
        leaves, scores = beam_search(tree, x, beam=beam, quantized=quantized)
        np.testing.assert_array_equal(leaves, np.concatenate([one[0] for one in alone]))
        np.testing.assert_array_equal(scores, np.concatenate([one[1] for one in alone]))


def test_the_company_of_a_document_changes_nothing():
    """To the bit: what a text is told may not depend on the texts beside it."""
    tree, x = random_tree("last", 500, 16, dimension=33)
    leaves, scores = beam_search(tree, x, beam=7, quantized=True)
    for chosen in (slice(3, 36), slice(0, 2), np.random.default_rng(0).permutation(len(x))):
        some, their = beam_search(tree, x[chosen], beam=7, quantized=True)
        np.testing.assert_array_equal(some, leaves[chosen])
        np.testing.assert_array_equal(their, scores[chosen])


def test_no_documents():
    tree, x = random_tree("last", 50, 4)
    leaves, scores = beam_search(tree, x[:0], beam=3)
    assert leaves.shape == scores.shape == (0, 3)
