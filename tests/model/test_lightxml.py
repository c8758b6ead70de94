"""LightXML's heads and loss: golden values, logits against loops, folding of the bottleneck."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from eclare_py.model.lightxml import LightHeads, masked_bce
from eclare_py.model.lightxml_config import LightXmlConfig

SHARES = np.array([0.5, 0.1, 0.0], dtype=np.float32)


def heads(**settings: object) -> LightHeads:
    return LightHeads(6, SHARES, 11, LightXmlConfig(hidden=4, **settings), seed=5)  # type: ignore[arg-type]


def unit(rows: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.nn.functional.normalize(torch.randn(rows, 6, generator=generator), dim=1)


def test_loss_by_hand() -> None:
    logits = torch.tensor([[0.0, 2.0, 9.0], [-1.0, 0.5, 3.0]])
    positives = torch.tensor([[True, False, False], [False, True, False]])
    counted = torch.tensor([[True, True, False], [True, True, False]])
    cells = [math.log(2), math.log(1 + math.exp(2)), math.log(1 + math.exp(-1)), math.log(1 + math.exp(-0.5))]
    assert masked_bce(logits, positives, counted).item() == pytest.approx(sum(cells) / 4, rel=1e-6)
    assert masked_bce(logits, positives, torch.zeros_like(counted)).item() == 0.0


def test_the_generator_starts_at_the_shares() -> None:
    model = heads()
    chance = model.generator.bias.sigmoid().detach().numpy()
    np.testing.assert_allclose(chance, [0.5, 0.1, 1e-5], rtol=1e-4)
    torch.testing.assert_close(heads().labels.weight, model.labels.weight, rtol=0, atol=0)


def test_label_logits_equal_loops() -> None:
    model = heads().eval()
    features = model.features(unit(3))
    at_hand, columns = np.array([1, 4, 7, 10]), np.array([[0, 1], [3, 3], [2, 0]])
    found = model.label_logits(features, at_hand, columns)
    reduced = model.bottleneck(features)
    for row in range(3):
        for place in range(2):
            expected = reduced[row] @ model.labels.weight[at_hand[columns[row, place]]]
            assert found[row, place].item() == pytest.approx(expected.item(), abs=1e-6)


def test_folded_vectors_give_the_same_logits() -> None:
    model, x = heads().eval(), unit(5)
    (groups, group_bias), (labels, label_bias) = model.folded()
    assert groups.shape == (3, 6) and labels.shape == (11, 6)
    features = model.features(x)
    expected = model.label_logits(features, np.arange(11), np.tile(np.arange(11), (5, 1))).detach().numpy()
    np.testing.assert_allclose(x.numpy() @ labels.T + label_bias, expected, atol=1e-6)
    np.testing.assert_allclose(x.numpy() @ groups.T + group_bias, model.generator(features).detach().numpy(), atol=1e-6)


def test_dropout_is_of_training_alone_and_only_labels_at_hand_move() -> None:
    model, x = heads(dropout=0.5), unit(4)
    torch.manual_seed(0)
    assert (model.features(x) == 0).any() and not (model.eval().features(x) == 0).any()
    before = model.labels.weight.detach().clone()
    model.train().label_logits(model.features(x), np.array([2, 5]), np.zeros((4, 1), dtype=np.int64)).sum().backward()
    model.labels.step(0.1)
    moved = (model.labels.weight != before).any(dim=1).nonzero().flatten().tolist()
    assert moved == [2]
