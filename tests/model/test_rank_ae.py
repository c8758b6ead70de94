"""The network of Rank-AE: its losses against the formula over all labels, what learns by which objective."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from eclare_py.config import load_config
from eclare_py.model.rank_ae import RankAutoencoder
from eclare_py.model.rank_ae_config import RankAeConfig
from eclare_py.model.rank_losses import AtHand, RankLoss
from eclare_py.train.batches import BatchSource
from eclare_py.train.rank_ae.fit import judge_labels
from eclare_py.types import as_csr

V, C, L, N = 15, 6, 11, 9


def parts(**settings: object) -> tuple[RankAutoencoder, sp.csr_array, sp.csr_array]:
    random = np.random.default_rng(0)
    rows, labels = (sp.random_array((N, width), density=0.3, rng=random).toarray() for width in (V, L))
    labels[3] = 0
    config = load_config(RankAeConfig, {"latent": 7, "decoder": 8, "squeeze": 3, **settings}, "test")
    bias = np.linspace(-2, 0, L).astype(np.float32)
    network = RankAutoencoder(V, C, bias, config, dropout=0.0, term_dropout=0.0, seed=1)
    return network, as_csr(rows), as_csr(labels != 0)


def judged(labels: sp.csr_array, documents: np.ndarray, multiple: int) -> tuple[np.ndarray, AtHand]:
    pairs = np.array([[0, 2], [5, 4]])
    source = BatchSource(labels, pairs, batch_size=4, seed=0, stage="x", multiple=multiple)
    batch = source.batch(documents, np.random.default_rng(3))
    relevant = labels.toarray()
    relevant[tuple(pairs.T)] = 0
    return batch.labels, judge_labels(batch, as_csr(relevant)[documents], None, torch.device("cpu"))


@pytest.mark.parametrize("objective", ["rank", "bce"])
def test_with_all_labels_at_hand_it_is_the_loss_over_all_labels(objective: str) -> None:
    network, rows, labels = parts(objective=objective, document_weight=0.5, autoencoder_weight=0.7, margin=0.4)
    documents = np.array([0, 1, 3, 5, 8])
    at_hand, known = judged(labels, documents, multiple=500)
    assert at_hand.tolist() == list(range(L)) and (known.weights == 1).all()
    found = network.loss(rows[documents], labels[documents], at_hand, known)
    relevant, counted = torch.from_numpy(labels[documents].toarray() != 0), torch.ones(5, L, dtype=torch.bool)
    for row, label in ((0, 2), (3, 4)):  # filter pairs of documents 0 and 5
        relevant[row, label] = counted[row, label] = False
    x = network.encode_documents(rows[documents])
    y = torch.from_numpy(labels[documents].toarray()) @ network.sets.weight
    y = torch.sigmoid(network.label_set(torch.relu(network.set_norm(y))))
    of_documents, of_sets = (network.hidden(2 * h - 1) @ network.labels.weight.T + network.bias for h in (x, y))
    if objective == "bce":
        cells = binary_cross_entropy_with_logits(of_documents, relevant.float(), reduction="none")
        expected = (cells * counted).sum() / 5
    else:
        everything = AtHand(relevant, counted & ~relevant, torch.ones(L))
        both = [RankLoss(0.4)(scores, everything) for scores in (of_sets, of_documents)]
        expected = (x - y).square().mean() + 0.7 * (both[0] + 0.5 * both[1])
    torch.testing.assert_close(found, expected)


def test_random_labels_stand_for_the_others() -> None:
    _, _, labels = parts()
    documents = np.array([1, 2])
    at_hand, known = judged(labels, documents, multiple=1)
    own = np.unique(labels[documents].indices)
    assert at_hand.tolist() == own.tolist() and (known.weights == 1).all()
    at_hand, known = judged(labels, documents, multiple=len(own) + 2)
    drawn = ~np.isin(at_hand, own)
    assert drawn.sum() == 2
    np.testing.assert_allclose(known.weights.numpy(), np.where(drawn, (L - len(own)) / 2, 1))


def test_the_objective_says_what_learns() -> None:
    documents = np.arange(6)
    for objective, learns in (("rank", True), ("bce", False)):
        network, rows, labels = parts(objective=objective)
        before = {name: value.clone() for name, value in network.state_dict().items()}
        at_hand, known = judged(labels, documents, multiple=4)
        network.loss(rows[documents], labels[documents], at_hand, known).backward()
        network.step(0.1, 0.1)
        changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
        assert ("sets.weight" in changed) == learns
        assert {"words.bag.weight", "labels.weight"} <= changed
        assert (network.label_set.weight.grad is not None) == learns
        tables = ("words.bag.weight", "sets.weight", "labels.weight")
        named = dict(network.named_parameters())
        assert {id(p) for p in network.dense_parameters()} == {id(p) for n, p in named.items() if n not in tables}


def test_left_out_words_and_labels_only_in_training() -> None:
    network, rows, labels = parts(label_dropout=0.5)
    network.term_dropout = 0.5
    torch.manual_seed(0)
    noisy = [(network.encode_documents(rows), network.encode_sets(labels)) for _ in range(2)]
    assert not torch.equal(noisy[0][0], noisy[1][0]) and not torch.equal(noisy[0][1], noisy[1][1])
    network.eval()
    for encode, value in ((network.encode_documents, rows), (network.encode_sets, labels)):
        assert torch.equal(encode(value), encode(value))
