"""Fitting the fusion on held-out documents."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numba import njit

from eclare_py.errors import TrainingError
from eclare_py.prefetch import AHEAD, prefetch_row
from eclare_py.rank.config import RankConfig
from eclare_py.rank.fusion import FIRST_LOGIT, FusionNetwork
from eclare_py.train.perceptron import Adam, Perceptron
from eclare_py.types import BoolArray, FloatArray, IntArray

# A flag that the held-out pairs (almost) never show must not become an input of a million where it shows up later.
_LEAST_SCALE = np.float32(0.1)
# One pair in fifty is relevant. Drawn more often, and weighted down for it, these say the same with less noise: as good
# after half as many draws.
_RELEVANT_SHARE = 0.1
_LEAST_STEPS = 250  # with fewer, the network has not come far from where it started
_BLOCK = 65536  # pairs worked on at once


def fit_fusion(
    columns: FloatArray,
    relevant: FloatArray,
    *,
    names: tuple[str, ...],
    config: RankConfig,
    seed: int,
    steps: int | None = None,
    inner: int | None = None,
) -> FusionNetwork:
    """Train a fusion network by binary cross-entropy, so that its output is a probability.

    Of a network that corrects a first logit only the share `config.correction` is kept.

    Args:
        columns: (P, F) evidence of held-out pairs.
        relevant: (P,) 1 where the label is relevant.
        names: Names of the columns.
        config: Size and optimiser.
        seed: Seed.
        steps: Most of the optimiser; None: as in the settings. See `fusion_steps`.
        inner: Units of the second layer; None: as many as the first has.

    Raises:
        TrainingError: No held-out pair is relevant, so there is nothing to learn from.
    """
    if not relevant.any():
        raise TrainingError(
            "no candidate of the held-out documents is relevant: hold out more (training.validation) or train longer"
        )
    mean, scale = mean_and_deviation(columns)
    scale = np.maximum(scale, _LEAST_SCALE)
    random = np.random.default_rng(seed)
    sizes = columns.shape[1], config.hidden, config.hidden if inner is None else inner
    network = Perceptron.random(sizes, random)
    start = None
    if FIRST_LOGIT in names:
        start = columns[:, names.index(FIRST_LOGIT)]
        for last in network.layers[4:]:
            last[:] = 0
    steps = fusion_steps(int((relevant > 0).sum()), config, steps)
    _descend(network, (columns, mean, scale), relevant > 0, start, config, random, steps)
    w0, b0, w1, b1, w2, b2 = (layer.copy() for layer in network.layers)
    if FIRST_LOGIT in names:
        # Half of a correction that a few thousand documents taught is better than all of it.
        w2, b2 = w2 * np.float32(config.correction), b2 * np.float32(config.correction)
    return FusionNetwork(names, mean, scale, (w0, w1, w2[:, None]), (b0, b1, b2))


def fusion_steps(relevant: int, config: RankConfig, most: int | None = None) -> int:
    """Steps of the optimiser for so many relevant pairs.

    A few documents are learned by heart: of 1,000 of debian-related, 80 of them held out, 250 steps gave two points of
    P@5 and six of R@10 more than 3000.

    Args:
        relevant: Relevant pairs of the held-out documents.
        config: The most steps, and the most `passes` over these pairs.
        most: Instead of the settings' steps.
    """
    enough = round(config.passes * relevant / _drawn_relevant(config))
    return min(config.steps if most is None else most, max(enough, _LEAST_STEPS))


def _drawn_relevant(config: RankConfig) -> int:
    """Relevant pairs among those of a step."""
    return max(1, round(_RELEVANT_SHARE * config.fusion_batch))


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


@njit(cache=True, nogil=True)
def _standardised(columns: FloatArray, rows: IntArray, mean: FloatArray, scale: FloatArray) -> FloatArray:
    """(columns[rows] - mean) / scale; rows that lie anywhere in memory are asked for some before."""
    out = np.empty((rows.shape[0], columns.shape[1]), np.float32)
    for i in range(rows.shape[0]):
        if i + AHEAD < rows.shape[0]:
            prefetch_row(columns, rows[i + AHEAD])
        for k in range(columns.shape[1]):
            out[i, k] = (columns[rows[i], k] - mean[k]) / scale[k]
    return out


def _descend(
    network: Perceptron, evidence: tuple[FloatArray, FloatArray, FloatArray], relevant: BoolArray,
    start: FloatArray | None, config: RankConfig, random: np.random.Generator, steps: int,
) -> None:  # fmt: skip
    """Adam on draws of relevant and other pairs, weighted so that the loss is that of all pairs."""
    columns, mean, scale = evidence
    pools = [pool for pool in (np.flatnonzero(relevant), np.flatnonzero(~relevant)) if len(pool)]
    sizes = [config.fusion_batch]
    if len(pools) == 2:
        few = _drawn_relevant(config)
        sizes = [few, max(1, config.fusion_batch - few)]
    shares = [len(pool) / len(relevant) / size for pool, size in zip(pools, sizes, strict=True)]
    weights = np.repeat(np.array(shares, dtype=np.float32), sizes)
    targets = np.repeat(np.array([1, 0][: len(pools)], dtype=np.float32), sizes)
    adam, draws = Adam(len(network.values)), list(zip(pools, sizes, strict=True))
    for step in range(steps):
        drawn = np.concatenate([pool[random.integers(len(pool), size=size)] for pool, size in draws])
        inputs = _standardised(columns, drawn, mean, scale)
        with np.errstate(over="ignore", invalid="ignore"):  # told below
            loss = network.learn(inputs, targets, weights, None if start is None else start[drawn])
        if not np.isfinite(loss):
            raise TrainingError(
                f"the loss of the fusion became {loss} in step {step + 1}: lower rank.fusion_rate and "
                "train again; the last checkpoint is kept"
            )
        network.values -= adam.step(network.gradient, config.fusion_rate * (1 - step / steps))
