import numpy as np
import pytest
import scipy.sparse as sp
import torch

from eclare_py.errors import ConfigError
from eclare_py.graph.build import GraphConfig, build_label_graph
from eclare_py.graph.export import to_pyg_data
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.graph.propagate import PROPAGATIONS, Propagation, PropagationConfig, to_torch_csr

L, D = 19, 7


@pytest.fixture
def graph():
    """A directed graph, clearly not symmetric, with an empty row and a column nobody points to."""
    weights = sp.random_array((L, L), density=0.2, format="csr", rng=np.random.default_rng(0)).toarray()
    weights[4] = 0.0
    weights[:, 9] = 0.0
    graph = LabelGraph.from_adjacency(sp.csr_array(weights.astype(np.float32)))
    assert abs(graph.normalized - graph.normalized.T).max() > 0.1
    return graph


@pytest.fixture
def x():
    return torch.randn(L, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)


def double(graph):
    return to_torch_csr(graph.normalized).to(torch.float64)


def dense(graph):
    return torch.from_numpy(graph.normalized.toarray().astype(np.float64))


@pytest.mark.parametrize("kind", ["simple", "light", "gcn"])
def test_hops_equal_scipy_products_forward_and_backward(kind, graph, x):
    hops = Propagation(D, PropagationConfig(kind, hops=3)).double()(x, double(graph))
    matrix, expected = graph.normalized.astype(np.float64), x.detach().numpy()
    assert len(hops) == 4 and hops[0] is x
    upstream = np.random.default_rng(2).normal(size=(4, L, D))
    grad = np.zeros((L, D))
    for hop, vectors in enumerate(hops):
        np.testing.assert_allclose(vectors.detach().numpy(), expected, rtol=1e-10, atol=1e-12)
        expected = matrix @ expected
        back = upstream[hop]
        for _ in range(hop):
            back = matrix.T @ back
        grad += back
    sum((vectors * torch.from_numpy(weight)).sum() for vectors, weight in zip(hops, upstream, strict=True)).backward()
    np.testing.assert_allclose(x.grad.numpy(), grad, rtol=1e-10, atol=1e-12)


def test_gcn_weights_and_their_gradients(graph, x):
    layer = Propagation(D, PropagationConfig("gcn", hops=1)).double()
    weight, bias = layer.layers[0].lin.weight, layer.layers[0].bias
    with torch.no_grad():
        weight.normal_(generator=torch.Generator().manual_seed(3))
        bias.normal_(generator=torch.Generator().manual_seed(4))
    out = layer(x, double(graph))[1]
    expected = dense(graph) @ x @ weight.T + bias
    torch.testing.assert_close(out, expected)
    given = torch.autograd.grad((out**3).sum(), [x, weight, bias])
    torch.testing.assert_close(given, torch.autograd.grad((expected**3).sum(), [x, weight, bias]))


def dense_attention(layer, x, matrix):
    """CsrAttention on dense matrices; rows without edges give zeros."""
    moved = x @ layer.weight.T
    match = (moved @ layer.to_label)[:, None] + (moved @ layer.to_neighbour)[None, :]
    logits = torch.nn.functional.leaky_relu(match, 0.2) + matrix.log()
    filled = matrix.sum(1) > 0
    return torch.zeros_like(moved).index_put((filled,), logits[filled].softmax(1) @ moved)


@pytest.mark.parametrize("block", [3, 10_000])
def test_attention_equals_dense_attention(graph, x, block, monkeypatch):
    import eclare_py.graph.attention as attention

    monkeypatch.setattr(attention, "_EDGE_BLOCK", block)
    module = Propagation(D, PropagationConfig("attention", hops=1)).double()
    layer = module.layers[0]
    with torch.no_grad():
        for seed, parameter in enumerate(layer.parameters()):
            parameter.normal_(generator=torch.Generator().manual_seed(seed))
    out, expected = module(x, double(graph))[1], dense_attention(layer, x, dense(graph))
    torch.testing.assert_close(out, expected)
    inputs = [x, *layer.parameters()]
    given = torch.autograd.grad((out**3).sum(), inputs)
    torch.testing.assert_close(given, torch.autograd.grad((expected**3).sum(), inputs))
    assert out[4].abs().sum() == 0


def test_attention_starts_from_the_row_normalized_graph(graph, x):
    out = Propagation(D, PropagationConfig("attention", hops=1)).double()(x, double(graph))[1]
    rows = dense(graph) / dense(graph).sum(1, keepdim=True).clamp_min(1e-300)
    torch.testing.assert_close(out, rows @ x)


def test_attention_runs_where_x_needs_no_gradient(graph):
    module = Propagation(D, PropagationConfig("attention", hops=1)).double()
    module(torch.ones(L, D, dtype=torch.float64), double(graph))[1].sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in module.parameters())


@pytest.mark.parametrize("kind", ["simple", "light", "gcn"])
def test_edge_list_of_pyg_gives_the_same(kind, graph):
    x = torch.randn(L, D, generator=torch.Generator().manual_seed(5))
    layer = PROPAGATIONS[kind](D)
    data = to_pyg_data(graph, x.numpy())
    from_edges = layer(data.x, data.edge_index, data.edge_weight)
    ours = Propagation(D, PropagationConfig(kind, hops=1))  # a matrix, where there is one, is the identity in both
    torch.testing.assert_close(ours(x, to_torch_csr(graph.normalized))[1], from_edges)


@pytest.mark.parametrize("kind", sorted(PROPAGATIONS))
def test_float32_walk_graph_end_to_end(kind):
    labels = sp.csr_array((np.random.default_rng(0).random((50, L)) < 0.1).astype(np.float32))
    graph = build_label_graph(labels, GraphConfig(top_k=3))
    x = torch.randn(L, D, requires_grad=True)
    hops = Propagation(D, PropagationConfig(kind, hops=2))(x, to_torch_csr(graph.normalized))
    assert [tuple(hop.shape) for hop in hops] == [(L, D)] * 3 and hops[2].dtype == torch.float32
    hops[2].square().sum().backward()
    assert torch.isfinite(x.grad).all() and x.grad.abs().sum() > 0


def test_no_hops_gives_the_input(x, graph):
    assert Propagation(D, PropagationConfig(hops=0))(x, double(graph)) == [x]


def test_to_torch_csr_checks_what_torch_does_not():
    good = sp.csr_array(np.array([[0, 1.5], [2, 0], [0, 0]], dtype=np.float32))
    tensor = to_torch_csr(good)
    assert tensor.layout == torch.sparse_csr and tensor.dtype == torch.float32
    np.testing.assert_array_equal(tensor.to_dense().numpy(), good.toarray())
    bad = good.copy()
    bad.indices[0] = 7
    with pytest.raises(ValueError, match="adjacency: column index 7"):
        to_torch_csr(bad)


def test_wrong_adjacency_or_config_is_named(graph, x):
    layer = Propagation(D)
    with pytest.raises(ValueError, match="to_torch_csr"):
        layer(x, dense(graph))
    with pytest.raises(ValueError, match=r"\(18, 18\)"):
        layer(x[:18], double(graph))
    with pytest.raises(ConfigError, match="propagation.kind='gat'"):
        PropagationConfig("gat")
    with pytest.raises(ConfigError, match="propagation.hops=-1"):
        PropagationConfig(hops=-1)
