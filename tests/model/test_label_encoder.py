import numpy as np
import pytest
import torch

from eclare_py.graph.propagate import PropagationConfig
from eclare_py.model.config import LabelEncoderConfig
from eclare_py.model.label_encoder import LabelEncoder, LabelParts, rarity_features
from eclare_py.model.residual import ResidualBlock

L, D, COUNT = 9, 6, 4


def hops_of(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(COUNT, D, generator=generator) for _ in range(count)]


def encoder_of(hops=1, shaken=True, **settings):
    encoder = LabelEncoder(L, D, LabelEncoderConfig(propagation=PropagationConfig("simple", hops), **settings))
    if shaken:
        torch.manual_seed(0)
        with torch.no_grad():
            for parameter in encoder.parameters():
                if parameter.requires_grad:
                    parameter.normal_()
    return encoder


RARITY = rarity_features(torch.tensor([0, 1, 7, 500]))


@pytest.mark.parametrize("hops", [0, 1, 2])
@pytest.mark.parametrize("free", [True, False])
def test_learned_attention_sums_to_one_and_joins_the_components(hops, free):
    encoder = encoder_of(hops, free=free)
    vector = torch.randn(COUNT, D) if free else None
    parts = encoder(hops_of(hops + 1), vector, RARITY)
    assert parts.components.shape == (COUNT, hops + 1 + free, D)
    torch.testing.assert_close(parts.weights.sum(dim=1), torch.ones(COUNT))
    if hops:
        assert parts.weights.std() > 0.01
    mixed = np.einsum("ls,lsd->ld", parts.weights.detach().numpy(), parts.components.detach().numpy())
    mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
    np.testing.assert_allclose(parts.vectors().detach().numpy(), mixed, atol=1e-5)


def test_fixed_attention_is_one_for_all_labels_and_not_trained():
    encoder = encoder_of(1, attention="fixed").eval()
    parts = encoder(hops_of(2), torch.randn(COUNT, D), RARITY)
    torch.testing.assert_close(parts.weights.sum(dim=1), torch.ones(COUNT))
    assert torch.equal(parts.weights, parts.weights[:1].expand(COUNT, 3)) and (parts.weights > 0).all()
    torch.testing.assert_close(parts.weights[0, 1], parts.weights[0, 2])
    parts.vectors().sum().backward()
    assert encoder.attention.weight.grad is None


def test_without_text_hop_zero_plays_no_part():
    encoder = encoder_of(2, text=False, free=False).eval()
    first, second = hops_of(3), hops_of(3)
    second[0] = second[0] + 10
    assert len(encoder.blocks) == 2
    torch.testing.assert_close(encoder(first, None, RARITY).vectors(), encoder(second, None, RARITY).vectors())
    second[1] = second[1] + 10
    assert not torch.allclose(encoder(first, None, RARITY).vectors(), encoder(second, None, RARITY).vectors())


def test_component_dropout_never_leaves_a_label_with_nothing():
    encoder = encoder_of(2, component_dropout=0.9)
    hops, free = hops_of(3), torch.randn(COUNT, D)
    torch.manual_seed(0)
    dropped = torch.cat([encoder(hops, free, RARITY, dropped=encoder.drop(COUNT)).weights for _ in range(20)])
    torch.testing.assert_close(dropped.sum(dim=1), torch.ones(20 * COUNT))
    assert (dropped[:, 0] > 0).all() and 0.8 < float((dropped[:, 1:] == 0).float().mean()) < 0.97
    assert encoder.eval().drop(COUNT) is None
    assert (encoder(hops, free, RARITY).weights > 0).all()


@pytest.mark.parametrize("hops", [1, 2])
def test_what_a_label_does_without_is_not_computed_and_changes_nothing(hops):
    encoder, free = encoder_of(hops), torch.randn(COUNT, D)
    given = [hop.requires_grad_() for hop in hops_of(hops + 1)]
    dropped = torch.zeros(COUNT, hops + 2, dtype=torch.bool)
    dropped[1::2, 1:] = True
    dropped[2, 1] = True
    parts = encoder(given, free, RARITY, dropped=dropped)
    whole = encoder(given, free, RARITY)
    logits = whole.weights.log().masked_fill(dropped, -torch.inf)
    naive = LabelParts(whole.components, torch.softmax(logits, dim=1))
    torch.testing.assert_close(parts.vectors(), naive.vectors())
    sums = [one.vectors().square()[:, 0].sum() for one in (parts, naive)]
    slopes = [torch.autograd.grad(one, given, retain_graph=True) for one in sums]
    for ours, theirs in zip(*slopes, strict=True):
        torch.testing.assert_close(ours, theirs)
    assert (parts.components[1::2, 1 : hops + 1] == 0).all() and (parts.components[2, 1] != 0).any()


def test_nothing_known_is_a_zero_vector_that_can_learn():
    encoder = encoder_of(1, shaken=False)
    free = torch.zeros(COUNT, D, requires_grad=True)
    vectors = encoder([torch.zeros(COUNT, D)] * 2, free, RARITY).vectors()
    assert torch.all(vectors == 0)
    (vectors * torch.randn(COUNT, D)).sum().backward()
    assert 1 < float(free.grad.abs().max()) < 1e4


def test_rarity_features_golden():
    expected = [[0.0, 1.0], [np.log(2) / 5, 0.5], [np.log(8) / 5, 0.125]]
    np.testing.assert_allclose(rarity_features(torch.tensor([0, 1, 7])).numpy(), expected, rtol=1e-6)


def test_residual_block_golden_and_empty_rows():
    block = ResidualBlock(2)
    with torch.no_grad():
        block.linear.weight.copy_(torch.tensor([[1.0, 0.0], [2.0, 0.0]]))
        block.linear.bias.copy_(torch.tensor([0.0, 1.0]))
    rows = torch.tensor([[1.0, -1.0], [0.0, 0.0]], requires_grad=True)
    out = block(rows)
    # (1, -1) + W relu = (1, 2) + b = (0, 1) -> (2, 2) -> unit; an empty row stays zero though b is not.
    torch.testing.assert_close(out, torch.tensor([[0.5**0.5, 0.5**0.5], [0.0, 0.0]]))
    (out * torch.tensor([[1.0, 0.0], [3.0, 5.0]])).sum().backward()
    assert torch.all(rows.grad[1] == 0)


def test_an_empty_text_does_not_drown_the_gradient_of_the_bias():
    block = ResidualBlock(4)
    rows = torch.randn(3, 4)
    gradients = []
    for batch in (rows, torch.cat([rows, torch.zeros(2, 4)])):
        block.zero_grad()
        block(batch)[:, 0].sum().backward()
        gradients.append(block.linear.bias.grad.clone())
    assert torch.equal(*gradients)
