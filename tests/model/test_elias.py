"""ELIAS' forward pass, gates, teacher forcing, label classifiers and loss against hand-made and naive versions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eclare_py.index.learned import ClusterGraph
from eclare_py.model.bag import BagOfEmbeddings
from eclare_py.model.document_encoder import DocumentEncoder
from eclare_py.model.elias import EliasNetwork, Shortlist
from eclare_py.model.pair_scores import LabelClassifiers
from eclare_py.model.shortlist_loss import members, shortlist_loss
from eclare_py.types import as_csr


def network_of(pattern, n_labels, dim=2, *, sharpness=2.0, beta=2.0, learned=True, terms=5):
    torch.manual_seed(0)
    graph = ClusterGraph(np.asarray(pattern), n_labels, sharpness=beta, learned=learned)
    encoder = DocumentEncoder(BagOfEmbeddings(terms, dim, scale=0.5), dim, dropout=0.0)
    network = EliasNetwork(encoder, graph, n_labels, dim, scale=3.0, sharpness=sharpness, bias=-1.0)
    with torch.no_grad():
        network.labels.vectors.weight.normal_()
    return network


GOLDEN = [[0, 1, -1], [1, 2, 3], [3, 4, -1]]  # three clusters, five labels; 1 and 3 sit in two


def test_golden_forward_by_hand():
    network = network_of(GOLDEN, 5)
    with torch.no_grad():
        network.clusters.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
        network.clusters.bias.zero_()
        network.graph.theta.copy_(torch.log(torch.tensor([[3.0, 1.0, 9.0], [2.0, 1.0, 1.0], [1.0, 1.0, 9.0]])))
    encoded = torch.log(torch.tensor([[4.0, 2.0]]))
    # Cluster shares 4/7, 2/7, 1/7, doubled and cut at 1. Edge shares 3/4 1/4 | 1/2 1/4 1/4 | 1/2 1/2, the same.
    gates = network.gates(encoded)
    torch.testing.assert_close(gates, torch.tensor([[1.0, 4 / 7, 2 / 7]]))
    edges = network.graph.weights()
    torch.testing.assert_close(edges, torch.tensor([[1.0, 0.5, 0.0], [1.0, 0.5, 0.5], [1.0, 1.0, 0.0]]))
    clusters = network.found(gates, 2)
    assert clusters.tolist() == [[0, 1]]
    found = network.score(encoded, gates, clusters, 9)
    paths = dict(zip(found.labels[0].tolist(), found.paths[0].tolist(), strict=True))
    # Label 1: max(1 * 1/2, 4/7 * 1) through cluster 1.
    assert paths == pytest.approx({0: 1.0, 1: 4 / 7, 2: 2 / 7, 3: 2 / 7, -1: 0.0})
    vectors = network.labels.vectors.weight.detach()
    for label, value in zip(found.labels[0].tolist(), found.probabilities()[0].tolist(), strict=True):
        logit = float(vectors[label] @ encoded[0]) - 1
        assert value == pytest.approx(paths[label] / (1 + np.exp(-logit)), rel=1e-5)


def test_no_gradient_through_what_is_cut():
    network = network_of(GOLDEN, 5, sharpness=2.0)
    encoded = torch.log(torch.tensor([[40.0, 2.0]]))
    with torch.no_grad():
        network.clusters.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
        network.clusters.bias.zero_()
    logits = network.clusters(encoded).detach().requires_grad_()
    ((network.sharpness * logits.softmax(dim=1)).clamp(0, 1))[0, 0].backward()
    assert not logits.grad.any()
    gates = network.gates(encoded)
    assert gates[0, 0] == 1 and 0 < gates[0, 1] < 1
    network.graph.theta.data = torch.tensor([[9.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
    network.graph.weights()[0, 0].backward()
    assert not network.graph.theta.grad.any()
    network.graph.weights()[0, 1].backward()
    assert network.graph.theta.grad[0, :2].ne(0).all() and not network.graph.theta.grad[0, 2]


def naive_paths(gates, edges, slots, clusters):
    best = {}
    for cluster in clusters:
        for slot, label in enumerate(slots[cluster]):
            if label >= 0:
                path = gates[cluster] * edges[cluster, slot]
                best[label] = max(best.get(label, path), path)
    return best


@pytest.mark.parametrize(("n_labels", "n_clusters", "width", "size"), [(30, 7, 9, 12), (11, 4, 5, 50)])
def test_paths_and_their_gradients_are_those_of_a_loop(n_labels, n_clusters, width, size):
    rng = np.random.default_rng(n_labels)
    pattern = np.stack([rng.choice(n_labels, width, replace=False) for _ in range(n_clusters)])
    pattern[1, 3:] = -1
    pattern[2] = -1
    network = network_of(pattern, n_labels, 4, beta=4.0)
    encoded = torch.randn(6, 4)
    gates = network.gates(encoded)
    clusters = network.found(gates, 3)
    found = network.score(encoded, gates, clusters, size)
    edges = network.graph.weights()
    total = torch.zeros(())
    for row in range(6):
        best = naive_paths(gates[row], edges, pattern, clusters[row])
        kept = sorted(best, key=lambda label: (-float(best[label].detach()), label))[:size]
        assert sorted(found.labels[row][found.labels[row] >= 0].tolist()) == sorted(kept)
        for label, path in zip(found.labels[row].tolist(), found.paths[row], strict=True):
            assert path.item() == pytest.approx(best[label].item() if label >= 0 else 0.0)
        total = total + sum(best[label] for label in kept)
    parameters = [network.graph.theta, network.clusters.weight]
    by_loop = torch.autograd.grad(total, parameters, retain_graph=True)
    for ours, theirs in zip(torch.autograd.grad(found.paths.sum(), parameters), by_loop, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_parents_are_those_of_a_loop():
    rng = np.random.default_rng(5)
    pattern = np.stack([rng.choice(20, 6, replace=False) for _ in range(9)])
    pattern[4, 2:] = -1
    pattern[pattern == 19] = 3 if (pattern == 3).sum() == 0 else -1  # label 19 is in no cluster
    graph = ClusterGraph(pattern, 20, sharpness=3.0)
    edges = graph.weights().detach().numpy()
    for label, parent in enumerate(graph.parents().tolist()):
        weights = np.where(pattern == label, edges, -1).max(axis=1)
        assert parent == (int(weights.argmax()) if weights.max() >= 0 else -1)
    assert (graph.kept_parents == -1).all()
    graph.refresh()
    np.testing.assert_array_equal(graph.kept_parents, graph.parents())
    fixed = ClusterGraph(np.array([[2, 0], [1, -1]]), 4, learned=False)
    assert fixed.parents().tolist() == [0, 1, 0, -1] and list(fixed.parameters()) == []
    assert fixed.weights().tolist() == [[1, 1], [1, 0]]


def test_edges_start_in_proportion_to_what_is_given():
    start = np.array([[1, 1 / 3], [1, 1 / 3]], dtype=np.float32)
    graph = ClusterGraph(np.array([[2, 0], [1, -1]]), 4, sharpness=2.0, start=start)
    # Shares 3/4 and 1/4, times 2: the first is full. Alone in its cluster, a label is full too.
    torch.testing.assert_close(graph.weights(), torch.tensor([[1, 0.5], [1, 0]]))


def test_teacher_forcing_puts_every_parent_in():
    network = network_of(np.arange(40).reshape(20, 2), 40, 3)
    gates = network.gates(torch.randn(50, 3) * 4)
    rng = np.random.default_rng(0)
    parents = np.where(rng.random((50, 5)) < 0.6, rng.integers(0, 20, (50, 5)), -1)
    chosen = network.forced(gates, parents, 6, 3)
    assert chosen.shape == (50, 9)
    best = network.found(gates, 6)
    for row in range(50):
        wanted = set(parents[row][parents[row] >= 0].tolist())
        assert len(set(chosen[row].tolist())) == 9 and wanted <= set(chosen[row].tolist())
        if len(wanted | set(best[row].tolist())) <= 9:
            assert set(best[row].tolist()) <= set(chosen[row].tolist())
    crowded = network.forced(gates[:1], np.arange(12)[None], 2, 1)
    order = np.argsort(-gates[0, :12].detach().numpy(), kind="stable")[:3]
    assert set(crowded[0].tolist()) == set(order.tolist())
    assert network.forced(gates, parents, 40, 5).shape == (50, 20)


def test_label_classifiers_are_a_gather_and_a_product():
    rng, (n_labels, dim) = np.random.default_rng(1), (17, 6)
    classifiers = LabelClassifiers(n_labels, dim, bias=-2.0)
    with torch.no_grad():
        classifiers.vectors.weight.normal_()
    labels = np.stack([rng.choice(n_labels, 8, replace=False) for _ in range(5)])
    labels[2, 5:] = -1
    documents, weight = torch.randn(5, dim, requires_grad=True), classifiers.vectors.weight.detach().clone()
    slopes = torch.randn(5, 8) * torch.from_numpy(labels >= 0)
    scores = classifiers(documents, labels)
    (scores * slopes).sum().backward()
    plain, table = documents.detach().clone().requires_grad_(), weight.clone().requires_grad_()
    expected = torch.einsum("bd,bkd->bk", plain, table[torch.from_numpy(np.maximum(labels, 0))]) - 2
    (expected * slopes).sum().backward()
    valid = torch.from_numpy(labels >= 0)
    torch.testing.assert_close(scores[valid], expected[valid])
    torch.testing.assert_close(documents.grad, plain.grad)
    classifiers.vectors.step(0.1)
    gradient = table.grad
    step = 0.1 * gradient / (gradient.square().mean(dim=1, keepdim=True).sqrt() + 1e-6)
    torch.testing.assert_close(classifiers.vectors.weight.detach(), weight - step, rtol=1e-4, atol=1e-5)
    assert classifiers.bias.grad is not None
    with torch.no_grad():
        torch.testing.assert_close(classifiers(documents, labels).shape, torch.Size([5, 8]))
    classifiers.restart(None, -3.0)
    assert not classifiers.vectors.weight.any() and not classifiers.vectors.accumulator.any()
    assert (classifiers.bias == -3).all()


def test_loss_by_hand():
    labels = np.array([[3, 0, 1], [2, 4, -1]])
    paths = torch.tensor([[0.5, 1.0, 0.25], [1.0, 0.5, 0.0]], requires_grad=True)
    shortlist = Shortlist(labels, paths, torch.zeros(2, 3))
    relevant = members(as_csr(np.array([[1, 1, 0, 0, 0], [0, 0, 0, 0, 1]])), labels)
    assert relevant.tolist() == [[False, True, True], [False, True, False]]
    ignored = members(as_csr(np.array([[0, 0, 0, 1, 0], [0, 0, 0, 0, 0]])), labels)
    # Label 3 of document 0 is ignored, the third place of document 1 is empty; every probability is path / 2.
    terms = [-np.log(0.5), -np.log(0.125), -np.log(1 - 0.5), -np.log(0.25)]
    loss = shortlist_loss(shortlist, relevant, ignored, weight=0.0)
    assert float(loss) == pytest.approx(sum(terms) / 2, rel=1e-5)
    # Two positives at most: the mean of -log path runs over 2 x 2 places, times K = 3.
    more = shortlist_loss(shortlist, relevant, ignored, weight=0.1) - loss
    assert float(more) == pytest.approx(0.1 * 3 * (-np.log(0.25) - np.log(0.5)) / 4, rel=1e-5)
    nothing = torch.zeros_like(relevant)
    assert torch.isfinite(shortlist_loss(shortlist, nothing, nothing, weight=0.1))
