"""Two hidden ReLU layers and a logit, with gradients by hand.

A step on a thousand pairs and some sixty units is a dozen small products. In torch most of its time went into calls;
here it takes half of that, and as numpy lets other threads run, several networks can learn side by side.
"""

from __future__ import annotations

from typing import Self

import numpy as np

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
        outer += b0
        np.maximum(outer, 0, out=outer)
        inner = outer @ w1
        inner += b1
        np.maximum(inner, 0, out=inner)
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
        back *= inner > 0
        np.matmul(outer.T, back, out=to_w1)
        back.sum(axis=0, out=to_b1)
        back = back @ w1.T
        back *= outer > 0
        np.matmul(x.T, back, out=to_w0)
        back.sum(axis=0, out=to_b0)
        # log(1 + exp(-|z|)) + max(z, 0) - z t, which does not overflow
        losses = np.log1p(np.exp(-np.abs(logits))) + np.maximum(logits, 0) - logits * targets
        return float(weights @ losses)


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
