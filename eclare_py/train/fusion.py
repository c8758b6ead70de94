"""Fitting the fusion on held-out documents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from eclare_py.errors import TrainingError
from eclare_py.rank.config import RankConfig
from eclare_py.rank.fusion import FIRST_LOGIT, FusionNetwork
from eclare_py.storage.spool import empty
from eclare_py.types import FloatArray

# A flag that the held-out pairs (almost) never show must not become an input of a million where it shows up later.
_LEAST_SCALE = np.float32(0.1)
# One pair in fifty is relevant. Drawn more often, and weighted down for it, these say the same with less noise: as good
# after half as many draws.
_RELEVANT_SHARE = 0.1
_BLOCK = 65536  # pairs worked on at once


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
    mean, scale = mean_and_deviation(columns)
    scale = np.maximum(scale, _LEAST_SCALE)
    scaled: FloatArray = empty(columns.shape, np.float32)
    for first in range(0, len(columns), _BLOCK):
        rows = slice(first, first + _BLOCK)
        scaled[rows] = (columns[rows] - mean) / scale
    inputs = torch.from_numpy(scaled)
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
    with _one_thread():
        _descend(network, inputs, targets, start, config)
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


def mean_and_deviation(columns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """`columns.mean(axis=0)` and `.std(axis=0)` of (P, F > 1), to the bit, without (P, F) numbers in between."""
    blocks = [columns[start : start + _BLOCK] for start in range(0, len(columns), _BLOCK)]
    count = np.float32(len(columns))
    mean = _row_sum(iter(blocks)) / count
    return mean, np.sqrt(_row_sum(np.square(block - mean) for block in blocks) / count)


def _row_sum(blocks: Iterator[FloatArray]) -> FloatArray:
    """Sum of all rows, added one after the other as numpy does it."""
    total: FloatArray = next(blocks).sum(axis=0)
    for block in blocks:
        total = np.concatenate([total[None], block]).sum(axis=0)
    return total


def _descend(
    network: torch.nn.Module, inputs: torch.Tensor, targets: torch.Tensor, start: torch.Tensor, config: RankConfig
) -> None:
    """Adam on draws of relevant and other pairs, weighted so that the loss is that of all pairs."""
    pools = [targets.nonzero()[:, 0], (targets == 0).nonzero()[:, 0]]
    if not len(pools[1]):
        pools = pools[:1]
    sizes = [config.fusion_batch]
    if len(pools) == 2:
        relevant = max(1, round(_RELEVANT_SHARE * config.fusion_batch))
        sizes = [relevant, max(1, config.fusion_batch - relevant)]
    weights = torch.cat(
        [torch.full((size,), len(pool) / len(targets) / size) for pool, size in zip(pools, sizes, strict=True)]
    )
    optimizer = torch.optim.Adam(network.parameters(), config.fusion_rate)
    for step in range(config.steps):
        for group in optimizer.param_groups:
            group["lr"] = config.fusion_rate * (1 - step / config.steps)
        drawn = torch.cat([pool[torch.randint(len(pool), (size,))] for pool, size in zip(pools, sizes, strict=True)])
        logits = start[drawn] + network(inputs[drawn])[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, targets[drawn], weight=weights, reduction="sum"
        )
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss of the fusion became {float(loss.detach())} in step {step + 1}: lower rank.fusion_rate and "
                "train again; the last checkpoint is kept"
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Matrices as small as these cost two threads more in waiting for each other than they gain."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
