"""Gradient caching: large batches through a transformer with the memory of a small one.

All chunks go through without a graph; once the loss has given the gradient of every vector, each chunk goes through
again, with the random state of its first pass, and its part of the gradient goes back. The gradients are those of one
pass over all chunks; the price is a second forward pass. Source: GradCache (Gao et al., RepL4NLP 2021). Deviation: it
is an autograd function, so that the training loop need not know of it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch import Tensor

from eclare_py.features.tokens import Tokens


class Embedder(Protocol):
    """A module that turns tokens into vectors in one pass."""

    @property
    def device(self) -> torch.device: ...  # noqa: D102

    @property
    def dim(self) -> int: ...  # noqa: D102

    def embed(self, tokens: Tokens) -> Tensor:
        """Tokens of B texts -> (B, t)."""
        ...


def encode_in_chunks(module: Embedder, tokens: Tokens, size: int) -> Tensor:
    """Tokens of N texts -> (N, t) with gradients, `size` texts at a time.

    Args:
        module: Its parameters get the gradients.
        tokens: N texts; those of like length share a chunk.
        size: Texts of a chunk.
    """
    start = torch.zeros((), device=module.device, requires_grad=True)  # so that autograd comes back to us at all
    result: Tensor = _Chunks.apply(start, module, [(rows, tokens[rows]) for rows in tokens.by_length(size)])
    return result


class _Chunks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, start: Tensor, module: Embedder, chunks: list[tuple[Any, Tokens]]) -> Tensor:
        kind = module.device.type
        ctx.module, ctx.chunks, ctx.states = module, chunks, []
        ctx.autocast = (torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind))
        out = start.new_empty(sum(len(rows) for rows, _ in chunks), module.dim)
        for rows, tokens in chunks:
            ctx.states.append(_random_state(module.device))
            # Autocast must not keep the weights it converts here: they have no graph, and a later pass would use them.
            with _autocast(kind, ctx.autocast):
                out[torch.from_numpy(rows).to(out.device)] = module.embed(tokens)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, None]:
        device = ctx.module.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            for (rows, tokens), state in zip(ctx.chunks, ctx.states, strict=True):
                _restore(state, device)
                with torch.enable_grad(), _autocast(device.type, ctx.autocast):
                    vectors = ctx.module.embed(tokens)
                torch.autograd.backward(vectors, gradients[0][torch.from_numpy(rows).to(device)])
        return None, None, None


def _autocast(kind: str, setting: tuple[bool, torch.dtype]) -> AbstractContextManager[Any]:
    return torch.autocast(kind, enabled=setting[0], dtype=setting[1], cache_enabled=False)


def _random_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def _restore(state: tuple[Tensor, Tensor | None], device: torch.device) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1], device)
