"""Losses over candidates, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from eclare_py.model.candidate_losses import candidate_loss

MARGINS = torch.tensor([[0.5, -2.0, 0.25, 9.0], [2.0, 0.0, -0.5, 9.0], [9.0, 9.0, 9.0, 9.0]])
COUNTS = torch.tensor([[2.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 3.0], [0.0, 0.0, 0.0, 1.0]])
CANDIDATES = torch.tensor([[True, True, True, False], [True, True, True, False], [False] * 4])


def test_squared_hinge() -> None:
    # Row 0: (1 - .5)^2, (1 + 2)^2, (1 + .25)^2; row 1: 0, 1, (1 - .5)^2; row 2 has no candidate.
    rows = ((0.25 + 9 + 1.5625) / 3, (0 + 1 + 0.25) / 3, 0.0)
    assert candidate_loss(MARGINS, COUNTS, CANDIDATES).item() == pytest.approx(sum(rows) / 3)


def test_weights() -> None:
    rows = ((3 * (2 * 0.25 + 1 * 9) + 0.5 * 1.5625) / 3, (0 + 0.5 * (1 + 0.25)) / 3)
    loss = candidate_loss(MARGINS, COUNTS, CANDIDATES, weighted=True, positive_cost=3.0, negative_cost=0.5)
    assert loss.item() == pytest.approx(sum(rows) / 3)
    plain = candidate_loss(MARGINS, COUNTS, CANDIDATES, positive_cost=3.0)
    assert plain.item() == pytest.approx((3 * 9.25 + 1.5625 + 1 + 0.25) / 9)


def test_binary_cross_entropy() -> None:
    loss = candidate_loss(MARGINS[:1], COUNTS[:1], CANDIDATES[:1], kind="bce")
    expected = sum(math.log(1 + math.exp(-z)) for z in (0.5, -2.0, -0.25)) / 3
    assert loss.item() == pytest.approx(expected)


def test_what_is_no_candidate_has_no_gradient() -> None:
    margins = MARGINS.clone().requires_grad_()
    candidate_loss(margins, COUNTS, CANDIDATES).backward()
    assert margins.grad is not None
    expected = CANDIDATES.clone()
    expected[1, 0] = False  # its margin is beyond 1
    assert torch.equal(margins.grad != 0, expected)
