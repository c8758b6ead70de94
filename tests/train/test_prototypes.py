import dataclasses
import os
import signal

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from eclare_py.index import label_centroids
from eclare_py.train import fit
from eclare_py.train.fit import train
from eclare_py.train.prototypes import Prototypes
from eclare_py.types import as_csr

N, L, D = 23, 11, 4


def setting(seed=0):
    rng = np.random.default_rng(seed)
    labels = as_csr(sp.random_array((N, L), density=0.2, rng=rng))
    return rng.normal(size=(N, D)).astype(np.float32), labels


def test_all_prototypes_are_the_centroids_of_the_index():
    documents, labels = setting()
    np.testing.assert_allclose(Prototypes(documents, labels).all(), label_centroids(documents, labels), atol=1e-6)


def test_without_a_batch_they_are_those_of_the_other_documents():
    for seed in range(4):
        documents, labels = setting(seed)
        rng = np.random.default_rng(seed)
        batch, at_hand = np.sort(rng.choice(N, 9, replace=False)), np.sort(rng.choice(L, 7, replace=False))
        rest = np.setdiff1d(np.arange(N), batch)
        expected = label_centroids(documents[rest], as_csr(labels[rest]))[at_hand]
        found = Prototypes(documents, labels).without(batch, at_hand)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_label_with_all_its_documents_in_the_batch_has_none_whatever_rounding_leaves():
    rng = np.random.default_rng(0)
    documents = (rng.normal(size=(30, 3)) * 10 ** rng.uniform(-3, 3, (30, 1))).astype(np.float32)
    labels = as_csr(np.hstack([np.ones((30, 1)), np.arange(30)[:, None] < 29]))
    found = Prototypes(documents, labels).without(np.arange(29), np.array([0, 1]))
    assert np.all(found[1] == 0)
    assert abs(np.linalg.norm(found[0]) - 1) < 1e-5


def test_what_a_document_is_scored_with_does_not_know_it():
    """The prototypes of a batch are the same, whatever the vectors and the labels of its documents are."""
    documents, labels = setting(1)
    batch, everything = np.array([1, 4, 5, 20]), np.arange(L)
    before = Prototypes(documents, labels).without(batch, everything)
    documents[batch] = np.random.default_rng(9).normal(size=(4, D))
    dense = labels.toarray()
    dense[batch] = dense[np.roll(batch, 1)]
    after = Prototypes(documents, as_csr(dense)).without(batch, everything)
    np.testing.assert_allclose(before, after, atol=1e-5)
    assert not np.allclose(before, Prototypes(documents, labels).all(), atol=1e-2)


def test_label_texts_in_the_batch_are_in_no_prototype():
    documents, labels = setting(2)
    prototypes = Prototypes(documents, labels)
    both = prototypes.without(np.array([3, 8, N, N + 4]), np.arange(L))
    np.testing.assert_array_equal(both, prototypes.without(np.array([3, 8]), np.arange(L)))


def recipe_with(recipe_of, training, **label):
    recipe = recipe_of(**training)
    return dataclasses.replace(recipe, label=dataclasses.replace(recipe.label, **label))


@pytest.mark.parametrize(
    "label", [{"prototype": True, "free": False}, {"shared": 5}, {"prototype": True, "shared": 20}]
)
@pytest.mark.parametrize(
    ("event", "stage", "epoch", "step"), [("step", "surrogate", 2, 2), ("epoch", "ranker", 1, None)]
)
def test_resuming_equals_the_straight_run(dataset, recipe_of, tmp_path, label, event, stage, epoch, step):
    recipe = recipe_with(recipe_of, {}, **label)
    straight = train(dataset, recipe, device="cpu")

    def listener(name, values):
        if name == event and (values["stage"], values["epoch"], values.get("step")) == (stage, epoch, step):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(dataset, recipe, folder=tmp_path, device="cpu", listener=listener)
    torch.manual_seed(999)
    resumed = train(dataset, recipe, folder=tmp_path, device="cpu", resume=True)
    np.testing.assert_array_equal(straight.ranker.scorer.vectors, resumed.ranker.scorer.vectors)
    np.testing.assert_array_equal(straight.encoder.table.dense(), resumed.encoder.table.dense())
    assert all(np.array_equal(value, resumed.network[name]) for name, value in straight.network.items())
    if "shared" in label:
        clusters = straight.network["label_encoder.clusters"]
        assert len(np.unique(clusters)) == min(label["shared"], 12)
        assert np.abs(straight.network["label_encoder.shared.weight"]).max() > 0


def test_steps_see_prototypes_without_their_batch_and_the_index_those_of_all(dataset, recipe_of, monkeypatch):
    seen = []

    class Watched(Prototypes):
        def without(self, batch, labels):
            seen.append(len(batch))
            return super().without(batch, labels)

    monkeypatch.setattr(fit, "Prototypes", Watched)
    recipe = recipe_with(recipe_of, {"ranker_epochs": 0}, prototype=True, free=False, attention="fixed")
    session = fit.train_network(dataset, recipe, log=fit.EventLog(None), device="cpu")
    assert sum(seen) == 2 * 50
    pipeline = fit.assemble(session)
    network = session.network.eval()
    documents = fit.encode_train(network, session.prepared)
    centroids = label_centroids(documents, session.prepared.train.labels)
    parts = network.label_parts(np.arange(12))
    # The document side of the finished model is quantised, so nearly but not quite the same.
    np.testing.assert_allclose(parts.components[:, -1].detach().numpy(), centroids, atol=0.1)
    assert np.all(parts.weights.detach().numpy()[:, -1] > 0)
    np.testing.assert_allclose(network.encode_labels(), pipeline.ranker.scorer.vectors, atol=0.02)
