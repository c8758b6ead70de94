"""AdamW, as torch computes it: its own takes two seconds to be made for the first time, as it loads a compiler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

_BETAS, _EPSILON = (0.9, 0.999), 1e-8


class AdamW:
    """Adam with weight decay apart from the gradient (Loshchilov, Hutter, ICLR 2019); without decay Adam.

    Steps are those of `torch.optim.AdamW`, bit by bit on a CPU, and so are the names in its state.

    Args:
        groups: Groups as torch has them: `params`, `lr` and `weight_decay`; what else they hold stays with them.
    """

    def __init__(self, groups: Iterable[Mapping[str, Any]]) -> None:
        self.param_groups = [{"weight_decay": 0.0, **group, "params": list(group["params"])} for group in groups]
        self._state: dict[int, dict[str, Tensor]] = {}

    def _parameters(self) -> list[tuple[dict[str, Any], Tensor]]:
        return [(group, parameter) for group in self.param_groups for parameter in group["params"]]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for _, parameter in self._parameters():
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Change the parameters that have a gradient."""
        first, second = _BETAS
        for number, (group, parameter) in enumerate(self._parameters()):
            gradient = parameter.grad
            if gradient is None:
                continue
            if number not in self._state:
                self._state[number] = {
                    "step": torch.tensor(0.0),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                }
            state = self._state[number]
            mean, square = state["exp_avg"], state["exp_avg_sq"]
            state["step"] += 1
            steps, rate = state["step"].item(), group["lr"]
            parameter.mul_(1 - rate * group["weight_decay"])
            mean.lerp_(gradient, 1 - first)
            square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
            spread = (square.sqrt() / (1 - second**steps) ** 0.5).add_(_EPSILON)
            parameter.addcdiv_(mean, spread, value=-rate / (1 - first**steps))

    def state_dict(self) -> dict[str, Any]:
        """Under `state`: steps and moments of each parameter, by its number."""
        return {"state": self._state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave; moments go where the parameter is."""
        numbered = dict(enumerate(parameter for _, parameter in self._parameters()))
        self._state = {
            number: {
                name: value.clone() if name == "step" else value.to(numbered[number], copy=True)
                for name, value in state.items()
            }
            for number, state in state_dict["state"].items()
        }
