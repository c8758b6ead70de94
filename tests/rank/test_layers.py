"""A fusion network in compiled code equals its matrices."""

import numpy as np
import pytest

from eclare_py.rank.fusion import FusionNetwork
from eclare_py.rank.layers import Layers, judge


@pytest.mark.parametrize(("width", "hidden", "pairs"), [(11, 64, 267), (19, 8, 64), (3, 5, 1), (4, 1, 130), (1, 7, 65)])
def test_logits_equal_those_of_the_matrices(width, hidden, pairs):
    rng = np.random.default_rng(width)

    def draw(*shape):
        return rng.normal(size=shape).astype(np.float32)

    network = FusionNetwork(
        tuple(f"c{i}" for i in range(width)), draw(width), np.abs(draw(width)) + np.float32(0.5),
        (draw(width, hidden), draw(hidden, hidden), draw(hidden, 1)), (draw(hidden), draw(hidden), draw(1)),
    )  # fmt: skip
    columns = np.full((pairs + 3, width + 2), np.nan, dtype=np.float32)  # what it must not look at
    columns[:, :width] = draw(pairs + 3, width)
    found = np.full(pairs + 3, -5, dtype=np.float32)
    judge(Layers.of(network), columns, 2, pairs + 2, found)
    assert found[:2].tolist() == [-5, -5] and found[-1] == -5
    expected = network.logits(columns[2 : pairs + 2, :width])
    np.testing.assert_allclose(found[2:-1], expected, rtol=1e-4, atol=1e-4)
    judge(Layers.of(network), columns, 2, 3, alone := np.zeros(3, dtype=np.float32))
    assert alone[2] == found[2]  # the pairs beside it change nothing
