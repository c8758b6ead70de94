import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.index import IndexConfig, build_tree
from eclare_py.rank.ranker import LabelScorer
from eclare_py.train import mining
from eclare_py.types import as_csr

N, L, D = 19, 37, 5


def setting(seed=0, n_labels=L):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n_labels, D)).astype(np.float32)
    bias = rng.normal(size=n_labels).astype(np.float32)
    tree = build_tree(vectors, IndexConfig(max_leaf=2, branching=2, exact_below=0), seed=0)
    documents = rng.normal(size=(N, D)).astype(np.float32)
    labels = as_csr(sp.random_array((N, n_labels), density=0.15, rng=rng))
    pairs = np.argwhere(rng.random((N, n_labels)) < 0.1)
    return LabelScorer(vectors, bias, tree, 4), documents, labels, pairs


@pytest.mark.parametrize("block", [4, 8192])
def test_with_a_full_beam_the_hardest_labels_of_all(block, monkeypatch):
    monkeypatch.setattr(mining, "_BLOCK", block)
    scorer, documents, labels, pairs = setting()
    scores = documents @ scorer.vectors.T + scorer.bias
    scores[labels.toarray() != 0] = -np.inf
    scores[tuple(pairs.T)] = -np.inf
    mined = mining.mine(scorer, documents, labels, pairs, count=6, beam=scorer.tree.n_leaves)
    np.testing.assert_array_equal(mined, np.argsort(-scores, axis=1)[:, :6])


@pytest.mark.parametrize("beam", [1, 3])
def test_never_a_relevant_or_a_filtered_label(beam):
    scorer, documents, labels, pairs = setting(1)
    mined = mining.mine(scorer, documents, labels, pairs, count=8, beam=beam)
    forbidden = labels.toarray() != 0
    forbidden[tuple(pairs.T)] = True
    rows, slots = np.nonzero(mined >= 0)
    assert len(rows) and not forbidden[rows, mined[rows, slots]].any()
    for row in mined:
        kept = row[row >= 0]
        assert len(set(kept)) == len(kept) and np.all(row[len(kept) :] == -1)


def test_more_wanted_than_there_are():
    scorer, documents, labels, _ = setting(2, n_labels=3)
    mined = mining.mine(scorer, documents, labels, np.empty((0, 2), dtype=np.int64), count=5, beam=9)
    assert mined.shape == (N, 5)
    np.testing.assert_array_equal((mined >= 0).sum(axis=1), 3 - np.diff(labels.indptr))
