"""Gradients by hand are those of torch, and so are the steps of Adam."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eclare_py.train.perceptron import Adam, Perceptron

PAIRS, INPUTS, UNITS, OTHERS = 37, 5, 7, 3


def in_torch(network: Perceptron) -> list[torch.Tensor]:
    return [torch.from_numpy(layer.copy()).requires_grad_() for layer in network.layers]


def loss_of(layers, x, targets, weights, start):
    w0, b0, w1, b1, w2, b2 = layers
    logits = torch.relu(torch.relu(x @ w0 + b0) @ w1 + b1) @ w2 + b2 + start
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, weight=weights, reduction="sum")


@pytest.mark.parametrize("with_start", [False, True])
def test_steps_are_those_of_torch(with_start: bool) -> None:
    random = np.random.default_rng(3)
    network = Perceptron.random((INPUTS, UNITS, OTHERS), random)
    layers = in_torch(network)
    ours, theirs = Adam(len(network.values)), torch.optim.Adam(layers, 0.05)
    for step in range(20):
        x = random.normal(size=(PAIRS, INPUTS)).astype(np.float32)
        targets = (random.random(PAIRS) < 0.3).astype(np.float32)
        weights = random.random(PAIRS).astype(np.float32)
        start = random.normal(size=PAIRS).astype(np.float32) * 5 if with_start else None
        loss = network.learn(x, targets, weights, start)
        theirs.zero_grad()
        arrays = (x, targets, weights, np.zeros(PAIRS, np.float32) if start is None else start)
        expected = loss_of(layers, *map(torch.from_numpy, arrays))
        expected.backward()
        assert loss == pytest.approx(expected.item(), rel=1e-4)
        for mine, layer in zip(network._gradients, layers, strict=True):
            np.testing.assert_allclose(mine, layer.grad.numpy(), rtol=1e-3, atol=1e-5)
        for group in theirs.param_groups:
            group["lr"] = 0.05 * (1 - step / 20)
        theirs.step()
        network.values -= ours.step(network.gradient, 0.05 * (1 - step / 20))
        for mine, layer in zip(network.layers, layers, strict=True):
            np.testing.assert_allclose(mine, layer.detach().numpy(), rtol=1e-3, atol=1e-5)


def test_it_starts_within_the_root_of_a_units_inputs() -> None:
    network = Perceptron.random((100, 64, 16), np.random.default_rng(0))
    for layer, inputs in zip(network.layers, (100, 100, 64, 64, 16, 16), strict=True):
        assert 0 < np.abs(layer).max() <= inputs**-0.5
    assert np.abs(network.layers[0]).max() > 0.99 * 100**-0.5


def test_logits_of_any_size_make_no_overflow() -> None:
    network = Perceptron((2, 3, 3))
    with np.errstate(all="raise", under="ignore"):
        loss = network.learn(
            np.ones((3, 2), np.float32), np.float32([1, 0, 1]), np.ones(3, np.float32), np.float32([-1e4, 1e4, 1e4])
        )
    assert loss == pytest.approx(2e4)
