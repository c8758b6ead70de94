"""Our AdamW takes the steps of torch's, and its state goes both ways."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from eclare_py.train.adam import AdamW
from eclare_py.train.optimizer import optimizer_state, restore_optimizer

SHAPES = [(3, 5), (5,), (1,), (2, 7)]


def parameters(seed: int = 0) -> list[torch.nn.Parameter]:
    random = torch.Generator().manual_seed(seed)
    return [torch.nn.Parameter(torch.randn(shape, generator=random)) for shape in SHAPES]


def groups(made: list[torch.nn.Parameter], decay: float) -> list[dict[str, object]]:
    return [
        {"params": made[:2], "lr": 0.1, "weight_decay": decay},
        {"params": made[2:], "lr": 0.03, "weight_decay": 0.0, "height": 7},
    ]


def move(optimizer: AdamW | torch.optim.Optimizer, steps: range) -> None:
    """Steps with falling rates; the last parameter has a gradient in every other one alone."""
    for step in steps:
        random = torch.Generator().manual_seed(100 + step)
        for group in optimizer.param_groups:
            group["lr"] *= 0.9
        for parameter in [p for group in optimizer.param_groups for p in group["params"]]:
            gradient = torch.randn(parameter.shape, generator=random)
            parameter.grad = None if parameter.shape == SHAPES[-1] and step % 2 else gradient
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_steps_are_those_of_torch(decay: float) -> None:
    ours, theirs = parameters(), parameters()
    move(AdamW(groups(ours, decay)), range(9))
    move(torch.optim.AdamW(groups(theirs, decay)), range(9))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a.detach(), b.detach())
        assert a.grad is None


def test_groups_keep_what_else_they_hold() -> None:
    optimizer = AdamW([*groups(parameters(), 0.1)[1:], {"params": iter(parameters()), "lr": 1.0}])
    assert optimizer.param_groups[0]["height"] == 7
    assert [len(group["params"]) for group in optimizer.param_groups] == [2, 4]
    assert optimizer.param_groups[1]["weight_decay"] == 0.0


@pytest.mark.parametrize("other", [AdamW, torch.optim.AdamW])
def test_a_saved_state_goes_on_in_either(other: type[AdamW] | type[torch.optim.AdamW]) -> None:
    straight = parameters()
    first = AdamW(groups(straight, 0.2))
    move(first, range(5))
    halted = [torch.nn.Parameter(parameter.detach().clone()) for parameter in straight]
    second = other(groups(halted, 0.2))
    restore_optimizer(second, optimizer_state(first) if other is AdamW else copy.deepcopy(optimizer_state(first)))
    for group, before in zip(second.param_groups, first.param_groups, strict=True):
        group["lr"] = before["lr"]
    move(first, range(5, 8))
    move(second, range(5, 8))
    for a, b in zip(straight, halted, strict=True):
        np.testing.assert_array_equal(a.detach(), b.detach())
