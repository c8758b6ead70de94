"""Linear classifiers over the clusters of one resolution, updated only where a batch looked at them."""

from __future__ import annotations

import torch
from torch import Tensor

from eclare_py.types import FloatArray, IntArray

_BETAS, _EPSILON = (0.9, 0.999), 1e-8


class LevelHead:
    """z = <W_c, e> + b_c for clusters c.

    `scores` gathers the rows at hand, the backward pass leaves their gradient, and `step` moves these rows alone by
    lazy Adam (as torch's SparseAdam: moments stand still while a row is not looked at, bias correction counts steps).

    Args:
        weight: (C, t) at the start.
        bias: (C,) at the start.
        device: Where to compute.
    """

    def __init__(self, weight: FloatArray, bias: FloatArray, device: torch.device | str = "cpu") -> None:
        # The bias is the last column, so that one update serves both.
        joined = torch.cat([torch.from_numpy(weight), torch.from_numpy(bias)[:, None]], dim=1)
        self.weight = joined.to(device, torch.float32)
        self.mean, self.square = torch.zeros_like(self.weight), torch.zeros_like(self.weight)
        self.steps = 0
        self._rows: Tensor | None = None
        self._taken: Tensor | None = None

    @property
    def n_clusters(self) -> int:
        """C."""
        return len(self.weight)

    def scores(self, vectors: Tensor, at_hand: IntArray | None = None) -> Tensor:
        """(B, t) -> (B, c) margins of the clusters at hand (c,), distinct; of all where None."""
        self._rows = None if at_hand is None else torch.from_numpy(at_hand).to(self.weight.device)
        taken = self.weight if self._rows is None else self.weight[self._rows]
        self._taken = taken.detach().clone().requires_grad_(torch.is_grad_enabled())
        return vectors.float() @ self._taken[:, :-1].T + self._taken[:, -1]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move the rows of the last `scores` against the gradient that its backward pass left."""
        if self._taken is None or self._taken.grad is None:
            return
        self.steps += 1
        gradient, rows = self._taken.grad, self._rows
        chosen = slice(None) if rows is None else rows
        (b1, b2), n = _BETAS, self.steps
        mean = b1 * self.mean[chosen] + (1 - b1) * gradient
        square = b2 * self.square[chosen] + (1 - b2) * gradient.square()
        self.mean[chosen], self.square[chosen] = mean, square
        self.weight[chosen] -= rate * (mean / (1 - b1**n)) / ((square / (1 - b2**n)).sqrt() + _EPSILON)
        self._taken = self._rows = None

    def inherited(self, parents: IntArray) -> LevelHead:
        """Classifiers of a finer resolution that start as those of the clusters above: W_i = C_i W_{i-1}."""
        weight = self.weight.cpu().numpy()[parents]
        return LevelHead(weight[:, :-1], weight[:, -1], self.weight.device)

    def state(self) -> dict[str, Tensor]:
        """What goes on exactly."""
        return {
            "weight": self.weight, "mean": self.mean, "square": self.square, "steps": torch.tensor(self.steps),
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: dict[str, Tensor], device: torch.device | str = "cpu") -> LevelHead:
        """What `state` gave."""
        head = cls(state["weight"][:, :-1].numpy(), state["weight"][:, -1].numpy(), device)
        head.mean, head.square = (state[name].to(device) for name in ("mean", "square"))
        head.steps = int(state["steps"])
        return head
