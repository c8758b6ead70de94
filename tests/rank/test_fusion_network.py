import dataclasses

import numpy as np
import pytest
import torch

from eclare_py.errors import ModelError
from eclare_py.rank.fusion import FIRST_LOGIT, FusionNetwork, probability
from eclare_py.storage import State

F, H, P = 3, 5, 11


def network_of(seed=0):
    rng = np.random.default_rng(seed)
    shapes = [(F, H), (H, H), (H, 1)]
    weights = tuple(rng.normal(size=shape).astype(np.float32) for shape in shapes)
    biases = tuple(rng.normal(size=shape[1]).astype(np.float32) for shape in shapes)
    mean, scale = rng.normal(size=F).astype(np.float32), rng.uniform(0.5, 2, F).astype(np.float32)
    return FusionNetwork(("a", "b", "c"), mean, scale, weights, biases)


def test_numpy_equals_torch():
    network, columns = network_of(), np.random.default_rng(1).normal(size=(P, F)).astype(np.float32)
    hidden = (torch.from_numpy(columns) - torch.from_numpy(network.mean)) / torch.from_numpy(network.scale)
    for i, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        hidden = torch.nn.functional.linear(hidden, torch.from_numpy(weight.T), torch.from_numpy(bias))
        hidden = torch.relu(hidden) if i < 2 else hidden
    np.testing.assert_allclose(network.logits(columns), hidden[:, 0].numpy(), atol=1e-5)
    assert network.logits(columns[:0]).shape == (0,)


def test_a_first_logit_is_corrected():
    network, columns = network_of(), np.random.default_rng(1).normal(size=(P, F)).astype(np.float32)
    corrected = dataclasses.replace(network, columns=("a", FIRST_LOGIT, "c"))
    np.testing.assert_allclose(corrected.logits(columns), network.logits(columns) + columns[:, 1], atol=1e-5)


def test_state_round_trip():
    network, columns = network_of(), np.random.default_rng(1).normal(size=(P, F)).astype(np.float32)
    again = FusionNetwork.from_state(network.state())
    assert again.columns == network.columns
    np.testing.assert_array_equal(again.logits(columns), network.logits(columns))


@pytest.mark.parametrize("damage", ["mean", "mean and scale", "weight1", "bias2", "columns", "two outputs", "missing"])
def test_damaged_states_are_refused(damage):
    state = network_of().state()
    arrays, meta = dict(state.arrays), dict(state.meta)
    if damage == "columns":
        meta["columns"] = ["a", "b"]
    elif damage == "two outputs":
        arrays["weight2"], arrays["bias2"] = np.zeros((H, 2), np.float32), np.zeros(2, np.float32)
    elif damage == "missing":
        del arrays["weight2"]
    else:
        for name in damage.split(" and "):
            arrays[name] = arrays[name][:-1] if len(arrays[name]) > 1 else np.zeros(2, np.float32)
    with pytest.raises(ModelError, match="fusion network"):
        FusionNetwork.from_state(State(arrays, meta))


def test_probability_extremes():
    logits = np.array([-1e30, -100, 0, 100, 1e30], dtype=np.float32)
    with np.errstate(all="raise"):
        np.testing.assert_allclose(probability(logits), [0, 0, 0.5, 1, 1], atol=1e-7)
    grid = np.linspace(-8, 8, 33, dtype=np.float32)
    np.testing.assert_allclose(probability(grid), 1 / (1 + np.exp(-grid)), rtol=1e-3, atol=1e-7)
    assert np.all(np.diff(probability(grid)) > 0)
