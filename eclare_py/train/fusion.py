"""Fitting the fusion on held-out documents."""

from __future__ import annotations

import numpy as np
import torch

from eclare_py.errors import TrainingError
from eclare_py.rank.config import RankConfig
from eclare_py.rank.fusion import FIRST_LOGIT, FusionNetwork
from eclare_py.types import FloatArray

# A flag that the held-out pairs (almost) never show must not become an input of a million where it shows up later.
_LEAST_SCALE = np.float32(0.1)


def fit_fusion(
    columns: FloatArray, relevant: FloatArray, *, names: tuple[str, ...], config: RankConfig, seed: int
) -> FusionNetwork:
    """Train a fusion network by binary cross-entropy, so that its output is a probability.

    Of a network that corrects a first logit only the share `config.correction` is kept.

    Args:
        columns: (P, F) evidence of held-out pairs.
        relevant: (P,) 1 where the label is relevant.
        names: Names of the columns.
        config: Size and optimiser.
        seed: Seed.

    Raises:
        TrainingError: No held-out pair is relevant, so there is nothing to learn from.
    """
    if not relevant.any():
        raise TrainingError(
            "no candidate of the held-out documents is relevant: hold out more (training.validation) or train longer"
        )
    mean, scale = columns.mean(axis=0), columns.std(axis=0)
    scale = np.maximum(scale, _LEAST_SCALE)
    inputs = torch.from_numpy(((columns - mean) / scale).astype(np.float32))
    targets = torch.from_numpy(relevant.astype(np.float32))
    torch.manual_seed(seed)
    sizes = (columns.shape[1], config.hidden, config.hidden, 1)
    layers = [torch.nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True)]
    start = torch.zeros(len(inputs))
    if FIRST_LOGIT in names:
        start = torch.from_numpy(np.ascontiguousarray(columns[:, names.index(FIRST_LOGIT)], dtype=np.float32))
        torch.nn.init.zeros_(layers[2].weight)
        torch.nn.init.zeros_(layers[2].bias)
    network = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
    optimizer = torch.optim.Adam(network.parameters(), config.fusion_rate)
    for step in range(config.steps):
        for group in optimizer.param_groups:
            group["lr"] = config.fusion_rate * (1 - step / config.steps)
        drawn = torch.randint(len(inputs), (config.fusion_batch,))
        logits = start[drawn] + network(inputs[drawn])[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets[drawn])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    weights = [np.ascontiguousarray(layer.weight.detach().numpy().T) for layer in layers]
    biases = [layer.bias.detach().numpy() for layer in layers]
    if FIRST_LOGIT in names:
        # Half of a correction that a few thousand documents taught is better than all of it.
        weights[2], biases[2] = (part * np.float32(config.correction) for part in (weights[2], biases[2]))
    return FusionNetwork(
        names,
        mean.astype(np.float32),
        scale.astype(np.float32),
        (weights[0], weights[1], weights[2]),
        (biases[0], biases[1], biases[2]),
    )
