import numpy as np
import pytest
import scipy.sparse as sp
import torch

from eclare_py.graph import LabelGraph
from eclare_py.graph.propagate import Propagation, PropagationConfig
from eclare_py.model.bag import BagOfEmbeddings
from eclare_py.model.document_encoder import DocumentEncoder
from eclare_py.model.hop_kernels import spread_bags
from eclare_py.model.hops import ClosureHops, FoldedHops, hop_vectors
from eclare_py.model.inputs import Inputs
from eclare_py.storage.spool import spooled
from eclare_py.types import as_csr

L, V, D, T = 17, 23, 5, 4
LABELS = np.array([0, 3, 4, 11, 16])


@pytest.fixture
def graph():
    """Directed, with a label that has no neighbour at all."""
    weights = sp.random_array((L, L), density=0.2, format="csr", rng=np.random.default_rng(0)).toarray()
    weights[4] = 0
    return LabelGraph.from_adjacency(as_csr(weights))


@pytest.fixture
def features():
    dense = sp.random_array((L, V), density=0.2, rng=np.random.default_rng(1)).toarray()
    dense[3] = 0  # a label without any known word
    return as_csr(dense)


def new_encoder():
    bag = BagOfEmbeddings(V, D, scale=0.4, generator=torch.Generator().manual_seed(0))
    return DocumentEncoder(bag, D, dropout=0.0)


def after_one_step(make, hops):
    """Hop vectors, and the table after one update with a loss on all of them."""
    encoder = new_encoder()
    vectors = make(encoder)(LABELS)
    generator = torch.Generator().manual_seed(5)
    sum((torch.sin(v) * torch.randn(v.shape, generator=generator)).sum() for v in vectors).backward()
    encoder.bag.step(0.1)
    assert len(vectors) == hops + 1
    return [v.detach().numpy() for v in vectors], encoder.bag.weight.detach().numpy(), encoder.bag.accumulator.numpy()


@pytest.mark.parametrize("hops", [0, 1, 2])
@pytest.mark.parametrize("kind", ["simple", "light"])
def test_folded_hops_equal_propagation_with_its_gradients(graph, features, hops, kind):
    propagation = Propagation(D, PropagationConfig(kind, hops))
    folded = after_one_step(lambda e: FoldedHops(e, Inputs(features), graph, hops=hops, max_features=None), hops)
    closure = after_one_step(lambda e: ClosureHops(e, Inputs(features), graph, propagation), hops)
    for ours, theirs in zip(folded[0], closure[0], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    np.testing.assert_allclose(folded[1], closure[1], atol=1e-5)
    np.testing.assert_allclose(folded[2], closure[2], rtol=1e-4, atol=1e-6)
    table = new_encoder().bag.weight.detach().numpy()
    dense = features.toarray() @ table
    for vectors in folded[0]:
        np.testing.assert_allclose(vectors, dense[LABELS], atol=1e-5)
        dense = graph.normalized.toarray() @ dense


def test_hops_of_all_labels_do_not_depend_on_the_batch(graph, features):
    encoder, propagation = new_encoder(), Propagation(D, PropagationConfig("gcn", 2))
    hops = ClosureHops(encoder, Inputs(features), graph, propagation)
    whole = hops(np.arange(L))
    for part in (LABELS, np.array([7])):
        for few, everything in zip(hops(part), whole, strict=True):
            torch.testing.assert_close(few, everything[torch.from_numpy(part)], atol=1e-5, rtol=1e-4)


def test_truncation_keeps_the_heaviest_terms(graph, features):
    width = 3
    hops = FoldedHops(new_encoder(), Inputs(features), graph, hops=2, max_features=width)
    dense = features.toarray()
    np.testing.assert_array_equal(hops.texts.rows.toarray(), dense)  # the text itself is kept whole
    cut = 0
    for bag in (hop.rows for hop in hops.spread):
        spread = graph.normalized.toarray() @ dense
        expected = np.zeros_like(spread)
        for row in range(L):
            best = np.argsort(-spread[row], kind="stable")[:width]
            expected[row, best] = spread[row, best]
            cut += int((spread[row] > 0).sum() > width)
        np.testing.assert_allclose(bag.toarray(), expected, atol=1e-6)
        assert np.diff(bag.indptr).max() <= width and bag.has_sorted_indices
        dense = expected
    assert cut > 5


@pytest.mark.parametrize("spool", [False, True])
def test_blocks_of_labels_spread_the_same_bags(graph, features, spool, monkeypatch, tmp_path):
    whole = spread_bags(graph.normalized, features, 4)
    monkeypatch.setattr("eclare_py.model.hop_kernels._BLOCK", 5)
    with spooled(tmp_path if spool else None):
        parts = spread_bags(graph.normalized, features, 4)
    assert parts.indices.dtype == np.int32
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


def test_wide_enough_truncation_changes_nothing(graph, features):
    whole = FoldedHops(new_encoder(), Inputs(features), graph, hops=2, max_features=None)
    wide = FoldedHops(new_encoder(), Inputs(features), graph, hops=2, max_features=V)
    for ours, theirs in zip(wide.spread, whole.spread, strict=True):
        np.testing.assert_allclose(ours.rows.toarray(), theirs.rows.toarray(), atol=1e-6)


def test_the_cheaper_way_is_taken_only_where_it_is_exact(graph, features):
    encoder, embeddings = new_encoder(), np.zeros((L, 4), dtype=np.float32)

    def kind_of(kind, vectors):
        propagation = Propagation(D, PropagationConfig(kind, 1))
        return type(hop_vectors(encoder, Inputs(features, vectors), graph, propagation, max_features=None))

    assert kind_of("simple", None) is FoldedHops and kind_of("light", embeddings) is FoldedHops
    assert kind_of("gcn", None) is ClosureHops and kind_of("attention", embeddings) is ClosureHops


@pytest.mark.parametrize("use_bag", [True, False])
def test_folded_transformer_vectors_equal_the_closure(graph, features, use_bag):
    """Values, gradients of the map and of the table; also after other vectors came in."""
    rng = np.random.default_rng(3)
    old, new = (rng.normal(size=(L, T)).astype(np.float32) for _ in range(2))
    found = []
    for make in (
        lambda e: FoldedHops(e, Inputs(features, old), graph, hops=2, max_features=None),
        lambda e: ClosureHops(e, Inputs(features, old), graph, Propagation(D, PropagationConfig("simple", 2))),
    ):
        torch.manual_seed(0)
        bag = BagOfEmbeddings(V, D, scale=0.4)
        encoder = DocumentEncoder(bag, D, dropout=0.0, transformer_dim=T, use_bag=use_bag)
        hops = make(encoder)
        before = [vectors.detach().clone() for vectors in hops(LABELS)]
        bag.notes.clear()
        hops.renew(new)
        after = hops(LABELS)
        sum((torch.sin(v) * (i + 1)).sum() for i, v in enumerate(after)).backward()
        bag.step(0.1)
        found.append([*before, *after, encoder.project.weight.grad, bag.weight])
        assert not torch.allclose(before[1], after[1])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
