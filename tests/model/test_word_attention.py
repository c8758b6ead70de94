"""Word attention: values and gradients against dense torch, the frozen twin, and what happens to odd documents."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch.nn.functional import layer_norm

from eclare_py.model.word_attention import WordAttention, entry_dots, weighted_sums
from eclare_py.types import as_csr

V, C, B, SQUEEZE = 17, 6, 5, 3


def random_rows(seed=0):
    dense = sp.random_array((B, V), density=0.4, rng=np.random.default_rng(seed)).toarray().astype(np.float32)
    dense[2] = 0  # an empty document
    return as_csr(dense)


def lively(kind="both"):
    """Gates that are far from their start."""
    torch.manual_seed(1)
    attention = WordAttention(V, C, squeeze=SQUEEZE, kind=kind)
    with torch.no_grad():
        for parameter in (attention.excite.weight, attention.excite.bias, attention.query, attention.offset):
            parameter.copy_(torch.randn_like(parameter))
    return attention


def naive(attention, rows, table):
    """The formula word by word."""
    out = []
    for dense in torch.from_numpy(rows.toarray()):
        words = [w for w in range(V) if dense[w]]
        pooled = sum((dense[w] * table[w] for w in words), torch.zeros(C))
        gates = torch.ones(C)
        if attention.channel:
            squeezed = torch.relu(attention.squeeze(layer_norm(pooled[None], (C,))))
            gates = 2 * torch.sigmoid(attention.excite(squeezed))[0]
        total = torch.zeros(C)
        for w in words:
            spatial = 1.0
            if attention.spatial:
                spatial = 2 * torch.sigmoid((attention.query * gates * table[w]).sum() + attention.offset)
            total = total + spatial * dense[w] * table[w]
        out.append(gates * total)
    return torch.stack(out)


@pytest.mark.parametrize("kind", ["both", "channel", "spatial", "none"])
def test_values_and_all_gradients_are_those_of_the_formula(kind):
    attention, rows, pull = lively(kind), random_rows(), torch.randn(B, C)
    table = attention.bag.weight.detach().clone().requires_grad_()
    expected = naive(attention, rows, table)
    (expected * pull).sum().backward()
    wanted = {name: p.grad.clone() for name, p in attention.named_parameters() if p.grad is not None}
    attention.zero_grad()
    found = attention(rows)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    (found * pull).sum().backward()
    for name, gradient in wanted.items():
        torch.testing.assert_close(dict(attention.named_parameters())[name].grad, gradient, atol=1e-4, rtol=1e-3)
    noted = sum(torch.from_numpy(note.toarray()).T @ gradient for note, gradient in attention.bag.notes)
    torch.testing.assert_close(noted, table.grad, atol=1e-4, rtol=1e-3)


def test_it_starts_as_the_plain_bag():
    torch.manual_seed(0)
    attention, rows = WordAttention(V, C, squeeze=SQUEEZE), random_rows()
    found = attention(rows)
    assert found.shape == (B, C) and not found[2].any() and found[1].any()
    torch.testing.assert_close(found, attention.bag(rows))


def test_compiled_products_over_entries_equal_plain_ones():
    attention, rows, vectors = lively(), random_rows(3), torch.randn(B, C)
    weights = torch.randn(rows.nnz)
    compiled = entry_dots(attention.bag, rows, vectors), weighted_sums(attention.bag, rows, weights)
    owners = np.repeat(np.arange(B), np.diff(rows.indptr))
    words = attention.bag.weight[rows.indices]
    torch.testing.assert_close(compiled[0], (words * vectors[owners]).sum(dim=1), atol=1e-5, rtol=1e-4)
    summed = torch.zeros(B, C).index_add(0, torch.from_numpy(owners), weights[:, None] * words)
    torch.testing.assert_close(compiled[1], summed, atol=1e-5, rtol=1e-4)
