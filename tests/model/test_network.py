import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from eclare_py.errors import ModelError
from eclare_py.graph import LabelGraph
from eclare_py.graph.propagate import PropagationConfig
from eclare_py.model import network as network_module
from eclare_py.model.config import DocumentEncoderConfig, LabelEncoderConfig
from eclare_py.model.frozen import FrozenEncoder
from eclare_py.model.inputs import Inputs
from eclare_py.model.losses import decoupled_softmax
from eclare_py.model.network import EclareNetwork, LabelSide
from eclare_py.storage import State
from eclare_py.train.freezing import freeze_documents
from eclare_py.types import as_csr

N, L, V, D, T = 21, 11, 17, 6, 4
KINDS = ("bag", "transformer", "both")


def sparse(rows, columns, seed):
    dense = sp.random_array((rows, columns), density=0.25, rng=np.random.default_rng(seed)).toarray()
    dense[1] = 0
    return as_csr(dense)


def vectors_of(rows, seed):
    return np.random.default_rng(seed).normal(size=(rows, T)).astype(np.float32)


def build(kind="bag", propagation="simple", hops=1, **settings):
    """A network that has been shaken: every parameter is random, nothing is zero by chance."""
    graph = LabelGraph.from_adjacency(as_csr(sp.random_array((L, L), density=0.3, rng=np.random.default_rng(2))))
    embeddings = None if kind == "bag" else vectors_of(L, 3)
    frequencies = np.arange(L, dtype=np.int64)
    side = LabelSide(Inputs(sparse(L, V, 4), embeddings), graph, frequencies)
    label = LabelEncoderConfig(propagation=PropagationConfig(propagation, hops), **settings)
    document = DocumentEncoderConfig(kind=kind, dim=D, dropout=0.4, coded=False)
    network = EclareNetwork(side, document, label, hop_features=None)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim:
                parameter.normal_(std=0.5)
    return network


def documents_of(kind):
    rows = sparse(N, V, 5)
    return Inputs(rows, None if kind == "bag" else vectors_of(N, 6))


@pytest.mark.parametrize("kind", KINDS)
def test_encoding_does_not_depend_on_the_block_size(kind, monkeypatch):
    network = build(kind)
    network.per_label = True
    documents, labels = network.encode_documents(documents_of(kind)), network.encode_labels()
    assert documents.shape == (N, D) and labels.shape == (L, D)
    for block in (1, 4, N):
        monkeypatch.setattr(network_module, "_BLOCK", block)
        np.testing.assert_allclose(network.encode_documents(documents_of(kind)), documents, atol=1e-5)
        np.testing.assert_allclose(network.encode_labels(), labels, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_encoding_restores_the_mode_and_has_no_dropout(training):
    network = build()
    network.train(training)
    inputs = documents_of("bag")
    first, second = network.encode_documents(inputs), network.encode_documents(inputs)
    network.encode_labels()
    assert network.training is training and network.documents.dropout.training is training
    np.testing.assert_array_equal(first, second)
    norms = np.linalg.norm(first, axis=1)
    np.testing.assert_allclose(norms[np.diff(inputs.rows.indptr) > 0], 1, atol=1e-5)
    assert np.all(first[1] == 0)  # an empty text


def test_no_documents_and_no_labels():
    network = build()
    assert network.encode_documents(documents_of("bag")[:0]).shape == (0, D)
    assert network.label_vectors(np.empty(0, dtype=np.int64)).shape == (0, D)


@pytest.mark.parametrize("kind", KINDS)
def test_the_frozen_encoder_equals_the_network(kind):
    network = build(kind)
    inputs = documents_of(kind)
    rows, embeddings = inputs.rows, inputs.embeddings
    encoder = freeze_documents(network.documents)
    if kind != "transformer":  # the frozen table is coarser than the trained one
        network.bag.weight.data = torch.from_numpy(encoder.table.dense())
    expected = network.encode_documents(inputs)
    np.testing.assert_allclose(encoder.encode(rows, embeddings), expected, atol=1e-5)
    again = FrozenEncoder.from_state(encoder.state())
    np.testing.assert_array_equal(again.encode(rows, embeddings), encoder.encode(rows, embeddings))
    one_by_one = [encoder.encode(rows[[i]], None if embeddings is None else embeddings[[i]]) for i in range(N)]
    np.testing.assert_allclose(np.concatenate(one_by_one), expected, atol=1e-5)
    if kind == "bag":  # without the product of a library, which adds up a row among others in another order
        np.testing.assert_array_equal(np.concatenate(one_by_one), encoder.encode(rows))


def test_a_missing_sentence_encoder_is_named():
    network = build("both")
    rows = documents_of("both").rows
    with pytest.raises(ValueError, match="transformer embeddings"):
        network.encode_documents(Inputs(rows))
    with pytest.raises(ModelError, match="sentence encoder"):
        freeze_documents(network.documents).encode(rows)


@pytest.mark.parametrize("damage", ["missing", "weight", "table"])
def test_damaged_frozen_encoders_are_refused(damage):
    state = freeze_documents(build().documents).state()
    arrays = dict(state.arrays)
    if damage == "missing":
        del arrays["projection"]
    else:
        arrays[damage] = arrays[damage][:, :-1]
    with pytest.raises(ModelError, match="projection" if damage == "missing" else damage):
        FrozenEncoder.from_state(State(arrays, state.meta))


def test_free_vectors_and_biases_join_in_the_ranker_stage():
    network = build()
    labels = np.array([2, 5, 9])
    documents = torch.randn(3, D)
    surrogate = network.label_parts(labels)
    assert torch.all(surrogate.components[:, -1] == 0)
    vectors = network.label_vectors(labels)
    plain = network.scores(documents, vectors, labels)
    torch.testing.assert_close(plain, network.log_scale.exp() * documents @ vectors.T)
    network.per_label = True
    joined = network.label_parts(labels)
    torch.testing.assert_close(joined.components[:, -1], network.label_encoder.free.weight[torch.from_numpy(labels)])
    biased = network.scores(documents, vectors, labels)
    torch.testing.assert_close(biased - plain, network.label_encoder.bias[labels].expand(3, 3))


def test_free_vectors_may_count_from_the_start():
    network = build(free_stage="surrogate")
    labels = np.array([2, 5, 9])
    parts = network.label_parts(labels)
    torch.testing.assert_close(parts.components[:, -1], network.label_encoder.free.weight[torch.from_numpy(labels)])
    vectors, documents = network.label_vectors(labels), torch.randn(3, D)
    torch.testing.assert_close(  # biases do not
        network.scores(documents, vectors, labels), network.log_scale.exp() * documents @ vectors.T
    )


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_labels_of_few_documents_have_no_free_vector(share):
    """Label l of this network has l train documents."""
    network = build(free_stage="surrogate", free_least=7, component_dropout=share)
    with torch.no_grad():
        network.label_encoder.free.weight.zero_()
    rare, frequent, every = np.arange(7), np.arange(7, L), np.arange(L)
    assert torch.all(network.eval().label_parts(every).weights[:, -1] == 0)  # nobody has learned one
    network.train()
    for seed in range(4):
        torch.manual_seed(seed)
        parts = network.label_parts(every)
        torch.testing.assert_close(parts.weights.sum(dim=1), torch.ones(L))
        assert torch.all(parts.weights[rare, -1] == 0) and torch.all(parts.components[rare, -1] == 0)
        (parts.vectors() * torch.randn(L, D)).sum().backward()
        network.label_encoder.free.step(0.1)
    learned = network.label_encoder.free.weight.detach()
    assert torch.all(learned[rare] == 0) and torch.all(learned[frequent].any(dim=1))
    assert torch.all((network.eval().label_parts(every).weights[:, -1] > 0) == learned.any(dim=1))
    # Of a model that learns on, labels keep what they have learned, however few their documents are now.
    network.side = dataclasses.replace(network.side, frequencies=np.zeros(L, dtype=np.int64))
    torch.manual_seed(9)
    found = network.train().label_parts(frequent).components[:, -1]
    torch.testing.assert_close(found, learned[frequent])


def test_a_fresh_network_starts_from_plain_sums():
    side = LabelSide(Inputs(sparse(L, V, 4)), build().side.graph, np.ones(L, dtype=np.int64))
    exact = DocumentEncoderConfig(dim=D, coded=False)
    network = EclareNetwork(side, exact, LabelEncoderConfig(), temperature=0.2, seed=3)
    inputs = documents_of("bag")
    sums = inputs.rows.toarray() @ network.bag.weight.detach().numpy()
    sums /= np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    np.testing.assert_allclose(network.encode_documents(inputs), sums, atol=1e-6)
    assert network.log_scale.exp().item() == pytest.approx(5)
    assert torch.all(network.label_encoder.free.weight == 0)
    again = EclareNetwork(side, DocumentEncoderConfig(dim=D), LabelEncoderConfig(), temperature=0.2, seed=3)
    other = EclareNetwork(side, DocumentEncoderConfig(dim=D), LabelEncoderConfig(), temperature=0.2, seed=4)
    assert torch.equal(network.bag.weight, again.bag.weight) and not torch.equal(network.bag.weight, other.bag.weight)


def test_a_label_without_documents_has_a_vector_from_text_and_graph():
    """Label 0 has train frequency 0; it moves with its own words and with its neighbours' words."""
    network = build(free=False)
    assert network.side.frequencies[0] == 0
    side, before = network.side, network.encode_labels()[0]
    assert np.linalg.norm(before) == pytest.approx(1, abs=1e-5)
    neighbour = int(side.graph.neighbours(0, 1)[0][0])
    for changed in (0, neighbour):
        dense = side.texts.rows.toarray()
        dense[changed] = np.roll(dense[changed], 1) + 0.5
        network.side, network._hops = dataclasses.replace(side, texts=Inputs(as_csr(dense))), None
        assert np.abs(network.encode_labels()[0] - before).max() > 1e-3


def test_every_parameter_belongs_to_one_optimiser():
    network = build("both")
    tables = {id(bag.weight) for bag in network.bags()}
    dense = {id(parameter) for parameter in network.dense_parameters()}
    assert len(tables) == 2 and not tables & dense
    assert tables | dense == {id(parameter) for parameter in network.parameters()}


@pytest.mark.parametrize("propagation", ["simple", "gcn", "attention"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_works_under_autocast(kind, propagation):
    """What a GPU runs: bfloat16 in the dense layers, float32 in bags, graph and loss."""
    network = build(kind, propagation)
    network.per_label = True
    labels = np.array([0, 3, 4, 8])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        documents = network.documents(documents_of(kind))
        scores = network.scores(documents, network.label_vectors(labels), labels)
    positives = torch.zeros(N, 4, dtype=torch.bool)
    positives[:, 1] = True
    loss = decoupled_softmax(scores.float(), positives)
    loss.backward()
    assert torch.isfinite(loss)
    before = [bag.weight.detach().clone() for bag in network.bags()]
    for bag in network.bags():
        assert all(gradient.dtype == torch.float32 for _, gradient in bag.notes)
        bag.step(0.1)
    moved = [not torch.equal(bag.weight, old) for bag, old in zip(network.bags(), before, strict=True)]
    assert moved == [kind != "transformer", True]


@pytest.mark.parametrize("kind", KINDS)
def test_no_tensor_stays_behind_on_the_cpu(kind):
    """On the shape-only device any operation that mixes devices raises, as it would on a GPU."""
    network = build(kind, hops=1).to("meta")
    network.per_label = True
    labels = np.array([0, 3, 4, 8])
    documents = network.documents(documents_of(kind))
    scores = network.scores(documents, network.label_vectors(labels), labels)
    assert scores.device.type == "meta" and scores.shape == (N, 4)
    scores.sum().backward()  # the loss asks how many positives there are, a value that this device does not know
    for bag in network.bags():
        bag.step(0.1)
        assert not bag.notes
    assert {parameter.device.type for parameter in network.dense_parameters()} == {"meta"}


def test_terms_are_dropped_from_texts_but_not_from_free_vectors():
    side = LabelSide(Inputs(sparse(L, V, 4)), build().side.graph, np.ones(L, dtype=np.int64))
    network = EclareNetwork(side, DocumentEncoderConfig(dim=D, term_dropout=0.25), LabelEncoderConfig())
    assert [bag.dropout for bag in network.bags()] == [0.25, 0.0]


def test_hops_that_do_not_count_are_left_out_of_a_training_step(monkeypatch):
    """The same step with all hops computed: the same vectors, and the same table after it."""
    slopes, found, entries = torch.randn(L, D, generator=torch.Generator().manual_seed(9)), [], []
    for all_of_them in (False, True):
        network = build(free=False, component_dropout=0.6)
        if all_of_them:
            monkeypatch.setattr(network_module, "beyond_first", lambda dropped: torch.ones(len(dropped), dtype=bool))
        torch.manual_seed(5)
        vectors = network.label_vectors(np.arange(L))
        (vectors * slopes).sum().backward()
        entries.append(sum(rows.nnz for rows, _ in network.bag.notes))
        network.bag.step(0.1)
        found.append((vectors.detach(), network.bag.weight.detach()))
    assert entries[0] < entries[1]
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_given_prototypes_stand_in_for_the_networks_own_ones():
    network = build(prototype=True).eval()
    labels = np.array([2, 5, 6])
    assert np.all(network.label_parts(labels).components[:, 2].detach().numpy() == 0)  # hop 0, hop 1, prototype, free
    network.prototypes = vectors_of(L, 7)[:, :1].repeat(D, axis=1)
    own = network.label_parts(labels)
    np.testing.assert_array_equal(own.components[:, 2].detach().numpy(), network.prototypes[labels])
    given = np.ones((3, D), dtype=np.float32)
    other = network.label_parts(labels, given)
    np.testing.assert_array_equal(other.components[:, 2].detach().numpy(), given)
    np.testing.assert_array_equal(other.components[:, :2].detach().numpy(), own.components[:, :2].detach().numpy())
    assert not torch.allclose(network.label_vectors(labels, given), network.label_vectors(labels))


def test_labels_of_a_cluster_share_a_vector_and_its_slope():
    network = build(shared=3, free=False, component_dropout=0.0)
    network.label_encoder.clusters.copy_(torch.tensor([0, 1, 2] * 3 + [0, 1]))
    labels = np.array([0, 1, 3, 9])
    parts = network.label_parts(labels)
    shared = parts.components[:, 2]
    assert torch.equal(shared[0], shared[2]) and torch.equal(shared[0], shared[3])
    assert not torch.equal(shared[0], shared[1])
    before = network.label_encoder.shared.weight.detach().clone()
    parts.vectors().square().sum(dim=0)[0].backward()
    for bag in network.bags():
        bag.step(0.1)
    moved = (network.label_encoder.shared.weight != before).any(dim=1)
    assert moved.tolist() == [True, True, False]
    assert id(network.label_encoder.shared.weight) not in {id(one) for one in network.dense_parameters()}
