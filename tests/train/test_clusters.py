import os
import signal

import numpy as np
import pytest
import torch

from eclare_py.train import fit
from eclare_py.train.clusters import cluster_size, clustered
from eclare_py.train.fit import train


@pytest.mark.parametrize(
    ("n_documents", "size", "batch_size"), [(40, 2, 8), (41, 5, 10), (7, 4, 4), (3, 2, 2), (9, 8, 50), (7, 1, 4)]
)
def test_every_step_gets_whole_clusters_of_even_size(n_documents, size, batch_size):
    vectors = np.random.default_rng(0).normal(size=(n_documents, 4)).astype(np.float32)
    clusters = clustered(vectors, size, batch_size=batch_size, seed=0)
    counts = np.bincount(clusters)
    steps = -(-n_documents // batch_size)
    assert clusters.shape == (n_documents,) and counts.min() >= 1 and counts.max() - counts.min() <= 1
    assert len(counts) % steps == 0 and len(counts) >= steps
    assert abs(counts.mean() - size) <= size / 2
    np.testing.assert_array_equal(clusters, clustered(vectors, size, batch_size=batch_size, seed=0))


def test_clusters_are_pure():
    directions = np.eye(4, dtype=np.float32)
    topic = np.random.default_rng(1).permutation(np.repeat(np.arange(4), 8))
    vectors = directions[topic] + 0.05 * np.random.default_rng(2).normal(size=(32, 4)).astype(np.float32)
    clusters = clustered(vectors, 4, batch_size=8, seed=0)
    assert len(np.unique(clusters)) == 8
    assert all(len(set(topic[clusters == cluster])) == 1 for cluster in range(8))


def test_sizes_double_at_every_refresh(recipe_of):
    settings = recipe_of(batches="clustered", batch_clusters=1, batch_refresh=2, batch_size=8).training
    assert [cluster_size(settings, epoch) for epoch in range(9)] == [None, None, 2, None, 4, None, 8, None, 8]
    assert cluster_size(recipe_of().training, 0) is None
    assert cluster_size(recipe_of(batches="clustered", batch_clusters=4).training, 0) == 4


@pytest.mark.parametrize("refresh", [1, 2])
@pytest.mark.parametrize(("event", "epoch", "step"), [("step", 2, 2), ("epoch", 2, None), ("step", 3, 1)])
def test_resuming_equals_the_straight_run(dataset, recipe_of, tmp_path, monkeypatch, refresh, event, epoch, step):
    recipe = recipe_of(
        batches="clustered", batch_clusters=2, batch_refresh=refresh, surrogate_epochs=3, ranker_epochs=0
    )
    seen = []
    original = fit.clustered
    monkeypatch.setattr(fit, "clustered", lambda *args, **more: seen.append(args[1]) or original(*args, **more))
    straight = train(dataset, recipe, device="cpu")
    assert seen == ([2, 4, 8] if refresh == 1 else [2, 4])

    def listener(name, values):
        if name == event and (values["epoch"], values.get("step")) == (epoch, step):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(dataset, recipe, folder=tmp_path, device="cpu", listener=listener)
    torch.manual_seed(999)
    resumed = train(dataset, recipe, folder=tmp_path, device="cpu", resume=True)
    np.testing.assert_array_equal(straight.ranker.scorer.vectors, resumed.ranker.scorer.vectors)
    np.testing.assert_array_equal(straight.encoder.table.dense(), resumed.encoder.table.dense())
    np.testing.assert_array_equal(straight.ranker.final.weights[0], resumed.ranker.final.weights[0])
    random = train(dataset, recipe_of(surrogate_epochs=3, ranker_epochs=0), device="cpu")
    assert not np.array_equal(straight.ranker.scorer.vectors, random.ranker.scorer.vectors)
