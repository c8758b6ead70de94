"""Exchanges that gradients flow back through."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from eclare_py.distributed.group import Group
from eclare_py.types import IntArray


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, owners: IntArray, group: Group) -> Tensor:
        places = [torch.from_numpy((owners == rank).nonzero()[0]).to(own.device) for rank in range(group.world)]
        ctx.group, ctx.place, ctx.type = group, places[group.rank], own.dtype
        # Float32 on the way: not every backend knows bfloat16, and it loses nothing.
        parts = group.gather_rows(own.float(), [len(place) for place in places])
        whole = own.new_empty((len(owners), *own.shape[1:]))
        for place, part in zip(places, parts, strict=True):
            whole[place] = part.to(own.dtype)
        return whole

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        total = ctx.group.sum(gradients[0].float().contiguous())
        return total[ctx.place].to(ctx.type), None, None


class _LogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, group: Group) -> Tensor:
        parts = group.gather_rows(own.logsumexp(dim=1), [len(own)] * group.world)
        sums = torch.stack(parts).logsumexp(dim=0)
        ctx.group = group
        ctx.save_for_backward(own, sums)
        return sums

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        own, sums = ctx.saved_tensors
        slopes = ctx.group.sum(gradients[0].contiguous())
        return (own - sums[:, None]).exp_().mul_(slopes[:, None]), None


def gathered(own: Tensor, owners: IntArray, group: Group) -> Tensor:
    """The rows of a batch of which every process has some.

    Args:
        own: (b, d) those of this process, in the order of the batch.
        owners: (B,) process that has each row.
        group: The processes.

    Returns:
        (B, d), the same everywhere. What flows back is the sum of the slopes that all processes have.
    """
    rows: Tensor = _Gathered.apply(own, owners, group)
    return rows


def log_sum_exp(own: Tensor, group: Group) -> Tensor:
    """(B, l) columns of this process -> (B,) log of the sum of exponentials over the columns of all processes.

    What flows back is the sum of the slopes that all processes have of the result: each uses it in a part of the loss.
    """
    sums: Tensor = _LogSumExp.apply(own, group)
    return sums
