"""The dense optimiser: Adam for the network's own parameters, AdamW for those of a transformer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from eclare_py.features.transformer_config import TransformerConfig
from eclare_py.model.network import EclareNetwork
from eclare_py.train.adam import AdamW


class Optimizer(Protocol):
    """What training asks of an optimiser: ours, or one of torch."""

    param_groups: list[dict[str, Any]]

    def zero_grad(self) -> None:
        """Forget the gradients."""

    def step(self) -> Any:
        """Change the parameters."""

    def state_dict(self) -> dict[str, Any]:
        """Under `state`: what is known of each parameter, by its number."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""


@dataclass(frozen=True)
class Rates:
    """Learning rates of a stage at their height.

    All fall as sqrt(1 - progress), but for the transformer's: it rises, and falls in a straight line.
    """

    table: float
    free: float
    dense: float
    transformer: float = 0.0


def make_optimizer(network: EclareNetwork, rate: float, config: TransformerConfig) -> Optimizer:
    """Adam, as one optimiser with AdamW for the transformer: without decay they agree.

    Args:
        network: Its bags are not part of it; they step for themselves.
        rate: Learning rate of its own parameters.
        config: Rate, warm-up and weight decay of a transformer that learns.
    """
    own = network.dense_parameters()
    learned = network.transformer_parameters()
    if not learned:
        return AdamW([{"params": own, "lr": rate}])
    groups = transformer_groups(learned, config, lr=config.rate, warmup=config.warmup)
    return torch.optim.AdamW([{"params": own, "lr": rate, "weight_decay": 0.0}, *groups])


def transformer_groups(
    parameters: Iterable[torch.nn.Parameter], config: TransformerConfig, **settings: float
) -> list[dict[str, Any]]:
    """Groups for AdamW of what learns in a transformer: its matrices decay; vectors (biases, norms) do not.

    Args:
        parameters: Those that do not learn are left out.
        config: The decay.
        settings: Of both groups.
    """
    known = [parameter for parameter in parameters if parameter.requires_grad]
    parts = ([p for p in known if p.ndim > 1], config.weight_decay), ([p for p in known if p.ndim < 2], 0.0)
    return [{"params": some, "weight_decay": decay, **settings} for some, decay in parts if some]


def set_rates(optimizer: Optimizer, rates: Rates, progress: float) -> None:
    """Set the learning rates for a moment of a stage.

    Args:
        optimizer: From `make_optimizer`.
        rates: Of the stage.
        progress: Share of its steps that are done, from 0 to below 1.
    """
    for group in optimizer.param_groups:
        if "warmup" in group:
            group["lr"] = rates.transformer * rise_and_fall(progress, group["warmup"])
        else:
            group["lr"] = rates.dense * (1 - progress) ** 0.5


def rise_and_fall(progress: float, warmup: float) -> float:
    """From 0 to 1 within the first `warmup` of the steps, then back to 0, both in a straight line."""
    return progress / warmup if progress < warmup else max(0.0, (1 - progress) / max(1 - warmup, 1e-9))


def optimizer_state(optimizer: Optimizer) -> dict[str, torch.Tensor]:
    """The moments under flat names."""
    return {
        f"{index}/{name}": value if isinstance(value, torch.Tensor) else torch.tensor(value)
        for index, moments in optimizer.state_dict()["state"].items()
        for name, value in moments.items()
    }


def restore_optimizer(optimizer: Optimizer, flat: dict[str, torch.Tensor]) -> None:
    """Take over what `optimizer_state` gave."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in flat.items():
        index, name = key.split("/", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
