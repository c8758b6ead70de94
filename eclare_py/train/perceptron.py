"""Two hidden ReLU layers and a logit, with gradients by hand.

A step on a thousand pairs and some sixty units is a dozen small products. In torch most of its time went into calls;
here it takes a third of that, and as neither numpy nor compiled code keeps other threads from running, several networks
can learn side by side.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numba import njit

from eclare_py.types import FloatArray


class Perceptron:
    """relu(relu(x W0 + b0) W1 + b1) w2 + b2.

    Attributes:
        values: All parameters in one row.
        gradient: Theirs of the last `learn`.
        layers: W0 (F, h), b0 (h,), W1 (h, h), b1 (h,), w2 (h,), b2 (1,): views of `values`.
    """

    def __init__(self, sizes: tuple[int, int, int]) -> None:
        inputs, outer, inner = sizes
        self.shapes: list[tuple[int, ...]] = [(inputs, outer), (outer,), (outer, inner), (inner,), (inner,), (1,)]
        count = sum(int(np.prod(shape)) for shape in self.shapes)
        self.values, self.gradient = np.zeros(count, dtype=np.float32), np.zeros(count, dtype=np.float32)
        self.layers, self._gradients = self._views(self.values), self._views(self.gradient)

    @classmethod
    def random(cls, sizes: tuple[int, int, int], random: np.random.Generator) -> Self:
        """Weights and biases between -1 and 1 over the root of a unit's inputs, as torch draws them.

        Args:
            sizes: F and both h.
            random: Draws.
        """
        made = cls(sizes)
        for place, layer in enumerate(made.layers):
            bound = sizes[place // 2] ** -0.5
            layer[:] = random.uniform(-bound, bound, layer.shape)
        return made

    def _views(self, values: FloatArray) -> list[FloatArray]:
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])
        return [part.reshape(shape) for part, shape in zip(np.split(values, ends[:-1]), self.shapes, strict=True)]

    def learn(self, x: FloatArray, targets: FloatArray, weights: FloatArray, start: FloatArray | None) -> float:
        """Loss and gradient of the weighted binary cross-entropy.

        Args:
            x: (n, F).
            targets: (n,) 0 or 1.
            weights: (n,) of the pairs.
            start: (n,) added to the logits.

        Returns:
            The loss; `gradient` is that of the parameters.
        """
        w0, b0, w1, b1, w2, b2 = self.layers
        outer = x @ w0
        _activate(outer, b0)
        inner = outer @ w1
        _activate(inner, b1)
        logits = inner @ w2
        logits += b2
        if start is not None:
            logits += start
        chances = 0.5 * (1 + np.tanh(0.5 * logits))
        slopes = weights * (chances - targets)
        to_w0, to_b0, to_w1, to_b1, to_w2, to_b2 = self._gradients
        np.matmul(slopes, inner, out=to_w2)
        to_b2[0] = slopes.sum()
        back = np.multiply.outer(slopes, w2)
        _gate(back, inner, to_b1)
        np.matmul(outer.T, back, out=to_w1)
        back = back @ w1.T
        _gate(back, outer, to_b0)
        np.matmul(x.T, back, out=to_w0)
        # log(1 + exp(-|z|)) + max(z, 0) - z t, which does not overflow
        losses = np.log1p(np.exp(-np.abs(logits))) + np.maximum(logits, 0) - logits * targets
        return float(weights @ losses)


@njit(cache=True, nogil=True)
def _activate(sums: FloatArray, bias: FloatArray) -> None:
    """max(sums + bias, 0) in place; NaN stays."""
    for i in range(sums.shape[0]):
        for unit in range(sums.shape[1]):
            value = sums[i, unit] + bias[unit]
            sums[i, unit] = np.float32(0.0) if value <= 0 else value


@njit(cache=True, nogil=True)
def _gate(slopes: FloatArray, active: FloatArray, total: FloatArray) -> None:
    """Slopes of units that are off become zero; `total` (h,) receives the sums of the others."""
    total[:] = 0
    for i in range(slopes.shape[0]):
        for unit in range(slopes.shape[1]):
            slope = slopes[i, unit] if active[i, unit] > 0 else np.float32(0.0)
            slopes[i, unit] = slope
            total[unit] += slope


class Adam:
    """Kingma and Ba, ICLR 2015, algorithm 1, with their constants.

    Args:
        count: Parameters.
    """

    def __init__(self, count: int) -> None:
        self.mean, self.square = np.zeros(count, dtype=np.float32), np.zeros(count, dtype=np.float32)
        self.steps = 0

    def step(self, gradient: FloatArray, rate: float) -> FloatArray:
        """What is to be taken from the parameters.

        Args:
            gradient: (count,).
            rate: Learning rate.
        """
        self.steps += 1
        self.mean += np.float32(0.1) * (gradient - self.mean)
        self.square += np.float32(0.001) * (gradient * gradient - self.square)
        deviation = np.sqrt(self.square) / np.float32((1 - 0.999**self.steps) ** 0.5) + np.float32(1e-8)
        return np.asarray(np.float32(rate / (1 - 0.9**self.steps)) * self.mean / deviation, dtype=np.float32)
