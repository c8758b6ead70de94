"""Classifiers of a resolution: scores, lazy updates, inheritance, state."""

from __future__ import annotations

import numpy as np
import torch

from eclare_py.model.level_head import LevelHead

RANDOM = np.random.default_rng(0)
WEIGHT, BIAS = RANDOM.standard_normal((7, 4)).astype(np.float32), RANDOM.standard_normal(7).astype(np.float32)
VECTORS = torch.from_numpy(RANDOM.standard_normal((3, 4)).astype(np.float32))


def test_scores_are_products_with_the_rows_at_hand() -> None:
    head = LevelHead(WEIGHT, BIAS)
    expected = VECTORS.numpy() @ WEIGHT.T + BIAS
    np.testing.assert_allclose(head.scores(VECTORS).detach(), expected, rtol=1e-5)
    np.testing.assert_allclose(head.scores(VECTORS, np.array([1, 5])).detach(), expected[:, [1, 5]], rtol=1e-5)


def test_updates_are_those_of_sparse_adam_and_touch_no_other_row() -> None:
    head = LevelHead(WEIGHT, BIAS)
    table = torch.nn.Embedding(7, 5, sparse=True)
    with torch.no_grad():
        table.weight.copy_(torch.from_numpy(np.hstack([WEIGHT, BIAS[:, None]])))
    optimizer = torch.optim.SparseAdam(table.parameters(), lr=0.1)
    for at_hand in (np.array([1, 2, 5]), np.array([0, 5])):
        head.scores(VECTORS, at_hand).square().sum().backward()
        head.step(0.1)
        optimizer.zero_grad()
        rows = table(torch.from_numpy(at_hand))
        (VECTORS @ rows[:, :4].T + rows[:, 4]).square().sum().backward()
        optimizer.step()
    np.testing.assert_allclose(head.weight, table.weight.detach(), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(head.weight[[3, 4, 6], :4], WEIGHT[[3, 4, 6]])


def test_a_step_without_gradient_changes_nothing() -> None:
    head = LevelHead(WEIGHT, BIAS)
    with torch.no_grad():
        head.scores(VECTORS)
    head.step(0.1)
    np.testing.assert_array_equal(head.weight[:, :4], WEIGHT)
    assert head.steps == 0


def test_gradients_reach_the_vectors() -> None:
    vectors = VECTORS.clone().requires_grad_()
    LevelHead(WEIGHT, BIAS).scores(vectors, np.array([2])).sum().backward()
    assert vectors.grad is not None
    np.testing.assert_allclose(vectors.grad, np.tile(WEIGHT[2], (3, 1)))


def test_children_inherit() -> None:
    child = LevelHead(WEIGHT, BIAS).inherited(np.array([0, 0, 6]))
    np.testing.assert_array_equal(child.weight[:, :4], WEIGHT[[0, 0, 6]])
    np.testing.assert_array_equal(child.weight[:, 4], BIAS[[0, 0, 6]])


def test_a_saved_head_goes_on_exactly() -> None:
    one = LevelHead(WEIGHT, BIAS)
    one.scores(VECTORS).square().sum().backward()
    one.step(0.1)
    other = LevelHead.from_state({name: value.clone() for name, value in one.state().items()})
    for head in (one, other):
        head.scores(VECTORS, np.array([3, 4])).sum().backward()
        head.step(0.2)
    assert torch.equal(one.weight, other.weight) and other.steps == 2
