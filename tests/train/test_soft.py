import numpy as np
import pytest
import scipy.sparse as sp
import torch

from eclare_py.errors import ConfigError
from eclare_py.rank.candidates import strongest
from eclare_py.sparse import row_ids, select_entries
from eclare_py.train import soft
from eclare_py.train.batches import BatchSource
from eclare_py.train.fit import train
from eclare_py.train.objective import Objective
from eclare_py.train.soft import near_labels, soft_labels
from eclare_py.train.soft_kernels import nearest_labels
from eclare_py.types import as_csr

N, L, V = 17, 13, 9


def setting(seed=0):
    rng = np.random.default_rng(seed)
    texts = as_csr(sp.random_array((L, V), density=0.4, rng=rng))
    adjacency = as_csr(sp.random_array((L, L), density=0.3, rng=rng))
    frequencies = rng.integers(0, 12, L)
    labels = as_csr(sp.random_array((N, L), density=0.2, rng=rng))
    return texts, adjacency, frequencies, labels


@pytest.mark.parametrize("scale", [1.0, 40.0])
@pytest.mark.parametrize("block", [4, 4096])
def test_near_labels_equal_the_naive_loop(scale, block, monkeypatch):
    monkeypatch.setattr(soft, "_LABELS", block)
    monkeypatch.setattr(soft, "NEAR", 3)
    texts, adjacency, frequencies, _ = setting()
    adjacency.data *= np.float32(scale)
    dense = texts.toarray()
    unit = dense / np.maximum(np.linalg.norm(dense, axis=1, keepdims=True), 1e-12)
    graph = adjacency.toarray() / max(1.0, adjacency.data.max())
    expected = np.zeros((L, L))
    for label in np.flatnonzero(frequencies <= soft.RARE):
        nearness = np.maximum(unit @ unit[label], graph[label])
        nearness[label] = 0
        for other in np.argsort(-nearness, kind="stable")[:3]:
            if nearness[other] >= 0.3:
                expected[other, label] = nearness[other]
    assert np.count_nonzero(expected) > 8
    np.testing.assert_allclose(near_labels(texts, adjacency, frequencies).toarray(), expected, rtol=1e-5)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (70, 5, 40), (130, 11, 23)])
def test_the_kernel_equals_sparse_products_bit_by_bit(sizes):
    rows, terms, labels = sizes
    rng = np.random.default_rng(rows)
    texts = as_csr(sp.random_array((rows, terms), density=0.5, rng=rng))
    postings = as_csr(sp.random_array((terms, labels), density=0.6, rng=rng))
    graph = as_csr(sp.random_array((rows, labels), density=0.2, rng=rng))
    postings.data[:] = np.ceil(4 * postings.data) / 4  # equal entries, so that ties are there
    texts.data[:] = np.ceil(2 * texts.data) / 2
    own = rng.integers(0, labels, rows)
    both = as_csr((texts @ postings).maximum(graph))
    expected = strongest(select_entries(both, (both.indices != own[row_ids(both)]) & (both.data >= 0.3)), 4)
    found = nearest_labels(texts, postings, graph, own, count=4, least=0.3)
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_terms_of_many_labels_are_left_out(monkeypatch):
    # Label 0 shares its heaviest term with label 1, and a lighter one with all others: these are too many.
    texts = as_csr(np.array([[0.8, 0.6], [1, 0], [0, 1], [0, 1], [0, 1]]))
    nothing = as_csr(sp.csr_array((5, 5)))
    frequencies = np.array([1, 9, 9, 9, 9])
    np.testing.assert_allclose(near_labels(texts, nothing, frequencies).toarray()[:, 0], [0, 0.8, 0.6, 0.6, 0.6])
    monkeypatch.setattr(soft, "_COMPARED", 5)
    np.testing.assert_allclose(near_labels(texts, nothing, frequencies).toarray()[:, 0], [0, 0.8, 0, 0, 0])


def test_golden_targets():
    # Document 0 has labels 0 and 1, document 1 has 2. Label 3 is rare, 0.6 near to 0 and 0.7 near to 1: 1.3, capped.
    labels = as_csr(np.array([[1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]))
    near = np.zeros((5, 5))
    near[0, 3], near[1, 3], near[2, 4], near[2, 3], near[1, 0] = 0.6, 0.7, 0.5, 0.4, 0.9
    found = soft_labels(labels, np.array([[1, 3]]), as_csr(near), 0.5).toarray()
    np.testing.assert_allclose(found, [[0, 0, 0, 0.5, 0], [0, 0, 0, 0, 0.25], [0] * 5])


def test_never_a_relevant_or_a_filtered_label_and_few_a_document(monkeypatch):
    monkeypatch.setattr(soft, "NEAR", 2)
    texts, adjacency, frequencies, labels = setting(1)
    pairs = np.argwhere(np.random.default_rng(5).random((N, L)) < 0.2)
    found = soft_labels(labels, pairs, near_labels(texts, adjacency, frequencies), 0.8)
    forbidden = labels.toarray() != 0
    forbidden[tuple(pairs.T)] = True
    dense = found.toarray()
    assert found.nnz > 5 and not dense[forbidden].any()
    assert found.data.min() > 0 and found.data.max() <= 0.8 and np.diff(found.indptr).max() == 2
    assert np.all(frequencies[np.unique(found.indices)] <= soft.RARE)


def test_batches_bring_a_soft_label_of_each_document_and_all_targets_at_hand():
    labels = setting()[3]
    targets = as_csr(np.where(labels.toarray() == 0, np.random.default_rng(3).random((N, L)) < 0.3, 0) * 0.25)
    source = BatchSource(
        labels, np.empty((0, 2), dtype=np.int64), batch_size=3, seed=0, stage="s", multiple=1, soft=targets
    )
    brought = set()
    for _, batch in source.epoch(0):
        dense = targets[batch.documents].toarray()[:, batch.labels]
        rows, columns, values = batch.soft
        assert len(rows) == np.count_nonzero(dense) and np.all(dense[rows, columns] == values)
        assert not batch.positives[rows, columns].any()
        has = targets[batch.documents].toarray().any(axis=1)
        assert np.all(dense.any(axis=1) == has)  # the one that was drawn is at hand
        brought |= set(batch.labels.tolist()) - set(labels[batch.documents].indices.tolist())
    assert brought


def test_the_objective_passes_them_on():
    labels = as_csr(np.array([[1, 0, 0]]))
    targets = as_csr(np.array([[0, 0.5, 0]]))
    source = BatchSource(labels, np.empty((0, 2), dtype=np.int64), batch_size=1, seed=0, stage="s", soft=targets)
    _, batch = next(iter(source.epoch(0)))
    loss = Objective().loss(torch.zeros(1, 3), batch, torch.tensor(1.0))
    assert abs(float(loss) - np.log(2.5)) < 1e-6  # as in the golden case of the loss


def test_training_with_soft_targets(dataset, recipe_of):
    plain = train(dataset, recipe_of(surrogate_epochs=1, ranker_epochs=0), device="cpu")
    recipe = recipe_of(surrogate_epochs=1, ranker_epochs=0, soft_targets=0.5, label_documents=True)
    graded = train(dataset, recipe, device="cpu")
    assert not np.array_equal(plain.ranker.scorer.vectors, graded.ranker.scorer.vectors)
    assert np.isfinite(graded.ranker.scorer.vectors).all()


def test_they_need_the_decoupled_softmax(recipe_of):
    with pytest.raises(ConfigError, match="soft_targets=0.5 needs loss=decoupled, not margin"):
        recipe_of(soft_targets=0.5, loss="margin")
