"""Adam's moments under flat names, as checkpoints keep them."""

from __future__ import annotations

import torch


def flat_moments(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Adam's moments under flat names."""
    return {
        f"{index}/{name}": value if isinstance(value, torch.Tensor) else torch.tensor(value)
        for index, moments in optimizer.state_dict()["state"].items()
        for name, value in moments.items()
    }


def restore_moments(optimizer: torch.optim.Optimizer, flat: dict[str, torch.Tensor]) -> None:
    """Put moments from `flat_moments` back."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in flat.items():
        index, name = key.split("/", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
