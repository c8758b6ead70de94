"""A fusion network as compiled code runs it: many pairs side by side."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from eclare_py.kernel_flags import SUM_FLAGS
from eclare_py.rank.fusion import FusionNetwork
from eclare_py.types import FloatArray

_PAIRS = 64  # judged side by side: with all units of a layer they fit the first-level cache
_INPUTS = 4  # added up before a sum goes back to memory
_UNITS = 2  # that read the same inputs at once


class Layers(NamedTuple):
    """A fusion network with its standardisation folded into the first layer.

    Inputs are filled up with zeros to a multiple of 4, units likewise: these have no weight in the next layer.

    Attributes:
        w0: (h, f) weights of each unit.
        b0: (h,) biases.
        w1: (h, h) weights of each unit.
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
        inputs, units = (-size % _INPUTS for size in folded.shape)
        first = np.pad(folded.T, ((0, units), (0, inputs)))
        second = np.pad(network.weights[1].T, ((0, units), (0, units)))
        return cls(
            np.ascontiguousarray(first, dtype=np.float32),
            np.pad(network.biases[0] - network.mean @ folded, (0, units)).astype(np.float32),
            np.ascontiguousarray(second, dtype=np.float32),
            np.pad(network.biases[1], (0, units)),
            np.pad(network.weights[2][:, 0], (0, units)),
            float(network.biases[2][0]),
        )


@njit(cache=True, nogil=True, fastmath=SUM_FLAGS)
def _two_units(inputs: FloatArray, weights: FloatArray, bias: FloatArray, unit: int, out: FloatArray) -> None:
    """relu(weights @ inputs + bias) of two units for all pairs; inputs (f, 64), out (2, 64)."""
    a, b, one, two = weights[unit], weights[unit + 1], out[0], out[1]
    one[:], two[:] = bias[unit], bias[unit + 1]
    for k in range(0, weights.shape[1], _INPUTS):
        a0, a1, a2, a3 = a[k], a[k + 1], a[k + 2], a[k + 3]
        b0, b1, b2, b3 = b[k], b[k + 1], b[k + 2], b[k + 3]
        in0, in1, in2, in3 = inputs[k], inputs[k + 1], inputs[k + 2], inputs[k + 3]
        for pair in range(_PAIRS):
            x0, x1, x2, x3 = in0[pair], in1[pair], in2[pair], in3[pair]
            one[pair] += a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3
            two[pair] += b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3
    for pair in range(_PAIRS):
        one[pair], two[pair] = max(one[pair], np.float32(0.0)), max(two[pair], np.float32(0.0))


@njit(cache=True, nogil=True, fastmath=SUM_FLAGS)
def judge(network: Layers, columns: FloatArray, start: int, stop: int, width: int, out: FloatArray) -> None:
    """Logits of pairs from their evidence.

    Args:
        network: The network.
        columns: (m, F) evidence.
        start: First pair.
        stop: Behind the last one.
        width: Columns that the network sees, the first ones.
        out: (m,) receives the logits.
    """
    inputs = np.zeros((network.w0.shape[1], _PAIRS), np.float32)
    outer, inner = np.empty((network.b0.shape[0], _PAIRS), np.float32), np.empty((_UNITS, _PAIRS), np.float32)
    logits = np.empty(_PAIRS, np.float32)
    for first in range(start, stop, _PAIRS):
        count = min(_PAIRS, stop - first)
        for pair in range(count):
            for k in range(width):
                inputs[k, pair] = columns[first + pair, k]
        for unit in range(0, outer.shape[0], _UNITS):
            _two_units(inputs, network.w0, network.b0, unit, outer[unit : unit + _UNITS])
        logits[:] = np.float32(network.b2)
        for unit in range(0, outer.shape[0], _UNITS):
            _two_units(outer, network.w1, network.b1, unit, inner)
            one, two = network.w2[unit], network.w2[unit + 1]
            for pair in range(_PAIRS):
                logits[pair] += inner[0, pair] * one + inner[1, pair] * two
        out[first : first + count] = logits[:count]
