"""Where labels start in Rank-AE: the label encoder gives what the document encoder gives for a label's documents."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch

from eclare_py.config import load_config
from eclare_py.model.rank_ae import RankAutoencoder
from eclare_py.model.rank_ae_config import RankAeConfig
from eclare_py.train.rank_ae.start import start_labels
from eclare_py.types import as_csr

V, C, L, N = 40, 6, 5, 30


def test_labels_start_at_their_documents() -> None:
    random = np.random.default_rng(0)
    rows = as_csr(sp.random_array((N, V), density=0.2, rng=random).toarray().astype(np.float32))
    labels = as_csr(np.eye(L, dtype=np.float32)[np.arange(N) % L])  # one each, six documents a label
    config = load_config(RankAeConfig, {"latent": 9, "decoder": 2 * C, "squeeze": 3}, "test")
    network = RankAutoencoder(V, C, np.zeros(L, np.float32), config, dropout=0.0, term_dropout=0.0, seed=1)
    start_labels(network, rows, labels, 4.0, seed=0)
    with torch.no_grad():
        words = network.norm(network.words(rows))
        centred = (words - words.mean(dim=0)).numpy()
        typical = np.sqrt((centred**2).sum(axis=1).mean())
        means = labels.T @ centred
        means *= typical / np.linalg.norm(means, axis=1, keepdims=True)
        expected = torch.sigmoid(network.document(words.mean(dim=0) + torch.from_numpy(means.astype(np.float32))))
        torch.testing.assert_close(network.encode_sets(as_csr(np.eye(L))), expected, atol=1e-3, rtol=1e-3)
        decoded = network.decode(network.encode_documents(rows))
        moved = (decoded - decoded.mean(dim=0)).numpy()
        scores = moved @ network.labels.weight.numpy().T
    own = scores[np.arange(N), np.arange(N) % L]
    assert own.mean() > 1 > np.abs(scores.mean())
    lengths = np.linalg.norm(network.labels.weight.detach().numpy(), axis=1)
    np.testing.assert_allclose(lengths * np.sqrt((moved**2).sum(axis=1).mean()), 4.0, rtol=1e-4)


def test_a_label_without_documents_starts_at_nothing() -> None:
    rows = as_csr(np.eye(4, V, dtype=np.float32))
    labels = as_csr(np.eye(4, L, dtype=np.float32))  # none has the last label
    config = load_config(RankAeConfig, {"latent": 9, "decoder": 15, "squeeze": 3}, "test")
    network = RankAutoencoder(V, C, np.zeros(L, np.float32), config, dropout=0.0, term_dropout=0.0, seed=1)
    start_labels(network, rows, labels, 4.0, seed=0)
    assert not network.labels.weight[4].any() and not network.sets.weight[4, :14].any()
    assert all(torch.isfinite(parameter).all() for parameter in network.parameters())
