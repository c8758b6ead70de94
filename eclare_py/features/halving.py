"""Half the tokens after some layers: neighbours are averaged in pairs, so that the layers above cost half.

Source: pooling of the sequence as in Funnel-Transformer (Dai et al., NeurIPS 2020), with its special first token kept
apart. Deviations: states are averaged once, between two layers, and nothing is expanded again, as one vector a text is
all that is wanted; queries are averaged too.

It works on the layers of a model from outside, by hooks, and keeps no state: the mask tells which tokens count. So it
fits stacks whose layers get states and an attention mask and nothing else that depends on the length (BERT, RoBERTa,
DistilBERT, ELECTRA); others (relative or rotary positions) are refused.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from eclare_py.errors import ModelError


def halve_stack(layers: torch.nn.ModuleList, after: int) -> None:
    """Make the layers from number `after` on work on pairs of tokens.

    Args:
        layers: The layers of a transformer.
        after: Layers that see every token.

    Raises:
        ModelError: There is no layer left to work on pairs.
    """
    if not 0 < after < len(layers):
        raise ModelError(f"transformer.halve_after={after} of a model of {len(layers)} layers: choose a number below")
    for number in range(after, len(layers)):
        layers[number].register_forward_pre_hook(partial(_before_layer, first=number == after), with_kwargs=True)


def halved_mask(own: Tensor) -> Tensor:
    """(B, T) which tokens count -> (B, 1 + ceil((T - 1) / 2)): a pair counts where one of its tokens does."""
    return torch.cat([own[:, :1], _pairs(own[:, 1:]).any(dim=2)], dim=1)


def halved(states: Tensor, own: Tensor) -> Tensor:
    """(B, T, h) states -> (B, 1 + ceil((T - 1) / 2), h): the first token, then means over the tokens that count."""
    weights = _pairs(own[:, 1:]).to(states.dtype)[..., None]
    means = (_pairs(states[:, 1:]) * weights).sum(dim=2) / weights.sum(dim=2).clamp(min=1)
    return torch.cat([states[:, :1], means], dim=1)


def _pairs(values: Tensor) -> Tensor:
    """(B, T, ...) -> (B, ceil(T / 2), 2, ...), zeros where a partner is missing."""
    if values.shape[1] % 2:
        values = torch.cat([values, torch.zeros_like(values[:, :1])], dim=1)
    return values.unflatten(1, (-1, 2))


def _before_layer(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, first: bool) -> Any:
    """Halves what a layer is given: the mask, and for the first such layer the states."""
    args = list(args)  # type: ignore[assignment]
    states = args[0] if args else kwargs.get("hidden_states")
    if not isinstance(states, Tensor) or states.ndim != 3:
        raise ModelError(_refusal(layer, "its states are not where they are looked for"))
    mask = kwargs.get("attention_mask", args[1] if len(args) > 1 else None)
    others = [value for name, value in kwargs.items() if name not in ("hidden_states", "attention_mask")]
    if any(_is_tensor(value) for value in [*args[2:], *others]):
        raise ModelError(_refusal(layer, "it is given positions"))
    own = _own(mask, states, layer)
    if first:
        states = halved(states, own)
    if mask is not None:
        mask = _mask_like(mask, halved_mask(own))
    return _replaced(args, kwargs, states, mask)


def _replaced(args: Any, kwargs: dict[str, Any], states: Tensor, mask: Tensor | None) -> tuple[Any, dict[str, Any]]:
    """The arguments with other states and another mask, each where it was."""
    kwargs = dict(kwargs)
    if args:
        args[0] = states
    else:
        kwargs["hidden_states"] = states
    if "attention_mask" in kwargs:
        kwargs["attention_mask"] = mask
    elif len(args) > 1:
        args[1] = mask
    return tuple(args), kwargs


def _is_tensor(value: Any) -> bool:
    """Whether an argument may hold something of every token or pair of tokens."""
    return any(map(_is_tensor, value)) if isinstance(value, tuple | list) else isinstance(value, Tensor)


def _own(mask: Tensor | None, states: Tensor, layer: Any) -> Tensor:
    """(B, T) which tokens count, read from any of the forms of a mask; without one all do."""
    if mask is None:
        return torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)
    row = mask[:, 0, 0] if mask.ndim == 4 else mask
    if row.ndim != 2:
        raise ModelError(_refusal(layer, f"its mask has {mask.ndim} dimensions"))
    if mask.ndim == 4 and row.is_floating_point():
        return row >= 0  # what is hidden has the lowest number there is added to its logits
    return row != 0


def _mask_like(mask: Tensor, own: Tensor) -> Tensor:
    """A mask of the given kind for other tokens."""
    if mask.ndim == 2:
        return own.to(mask.dtype)
    length = own.shape[1]
    cells = own[:, None, None].expand(-1, mask.shape[1], 1 if mask.shape[2] == 1 else length, -1)
    if not mask.is_floating_point():
        return cells.to(mask.dtype)
    return torch.zeros(cells.shape, dtype=mask.dtype, device=mask.device).masked_fill(
        ~cells, torch.finfo(mask.dtype).min
    )


def _refusal(layer: Any, reason: str) -> str:
    return f"transformer.halve_after does not know {type(layer).__name__}: {reason}; set it to null"
