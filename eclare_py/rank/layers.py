"""A fusion network as compiled code runs it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from eclare_py.kernel_flags import SUM_FLAGS
from eclare_py.rank.fusion import FusionNetwork
from eclare_py.rank.tile import ROWS, UNITS, relu_tile
from eclare_py.types import FloatArray


class Layers(NamedTuple):
    """A fusion network with its standardisation folded into the first layer.

    Units are filled up to a multiple of 16 with some that have no weight in the next layer.

    Attributes:
        w0: (f, h) weights.
        b0: (h,) biases.
        w1: (h, h) weights.
        b1: (h,) biases.
        w2: (h,) weights of the logit.
        b2: Its bias.
    """

    w0: FloatArray
    b0: FloatArray
    w1: FloatArray
    b1: FloatArray
    w2: FloatArray
    b2: float

    @classmethod
    def of(cls, network: FusionNetwork) -> Layers:
        """Fold (x - mean) / scale."""
        folded = network.weights[0] / network.scale[:, None]
        units = (0, -folded.shape[1] % UNITS)
        return cls(
            np.pad(folded, ((0, 0), units)).astype(np.float32),
            np.pad(network.biases[0] - network.mean @ folded, units).astype(np.float32),
            np.pad(network.weights[1], (units, units)),
            np.pad(network.biases[1], units),
            np.pad(network.weights[2][:, 0], units),
            float(network.biases[2][0]),
        )


@njit(cache=True, nogil=True, fastmath=SUM_FLAGS)
def _weighed(values: FloatArray, weights: FloatArray) -> np.float32:
    total = np.float32(0.0)
    for unit in range(weights.shape[0]):
        total += values[unit] * weights[unit]
    return total


@njit(cache=True, nogil=True)
def judge(network: Layers, columns: FloatArray, start: int, stop: int, out: FloatArray) -> None:
    """Logits of pairs from their evidence.

    Args:
        network: The network.
        columns: (m, F) evidence; the network sees the first f columns.
        start: First pair.
        stop: Behind the last one.
        out: (m,) receives the logits.
    """
    outer = np.empty((ROWS, network.b0.shape[0]), np.float32)
    inner = np.empty((ROWS, network.b1.shape[0]), np.float32)
    for first in range(start, stop, ROWS):
        for unit in range(0, outer.shape[1], UNITS):
            relu_tile(columns, first, stop - 1, network.w0, network.b0, unit, outer)
        for unit in range(0, inner.shape[1], UNITS):
            relu_tile(outer, 0, ROWS - 1, network.w1, network.b1, unit, inner)
        for i in range(min(ROWS, stop - first)):
            out[first + i] = np.float32(network.b2) + _weighed(inner[i], network.w2)
