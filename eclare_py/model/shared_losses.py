"""The softmax losses where every process has some of the columns, as it scores the labels that it holds."""

from __future__ import annotations

import torch
from torch import Tensor

from eclare_py.distributed.gradients import log_sum_exp
from eclare_py.distributed.group import Group
from eclare_py.model.losses import HIDDEN, SoftTargets, widened


def shared_softmax(
    scores: Tensor,
    positives: Tensor,
    ignored: Tensor,
    importance: Tensor | None = None,
    soft: SoftTargets | None = None,
    *,
    compete: bool,
    group: Group,
) -> Tensor:
    """This process' part of `decoupled_softmax` or, where positives compete, of `softmax_cross_entropy`.

    The parts of all processes add up to the loss of the whole. All but the sums over columns is done where the column
    is: of B x l scores only a few numbers per document travel.

    Args:
        scores: (B, l) logits of all documents for the labels of this process; l may be 0.
        positives: (B, l) true where relevant.
        ignored: (B, l) true for filter pairs.
        importance: (l,) weights of labels as positives.
        soft: Pairs with a target between 0 and 1; only where positives do not compete.
        compete: Whether the positives of a document push each other down.
        group: The processes.
    """
    wide = widened(scores)
    rows, columns = positives.nonzero(as_tuple=True)
    weights = torch.ones(len(rows), dtype=wide.dtype, device=wide.device)
    if importance is not None:
        weights = importance[columns].to(wide.dtype)
    rivals = wide.masked_fill(ignored if compete else positives | ignored, HIDDEN)
    if soft is not None:
        values = soft.values.to(wide.dtype)
        rivals = rivals.index_put((soft.rows, soft.columns), torch.log1p(-values), accumulate=True)
        graded = values if importance is None else values * importance[soft.columns]
        rows, columns = torch.cat([rows, soft.rows]), torch.cat([columns, soft.columns])
        weights = torch.cat([weights, graded])
    sums = log_sum_exp(rivals, group)
    totals = torch.zeros(len(wide), dtype=wide.dtype, device=wide.device).index_add_(0, rows, weights)
    totals = group.sum(totals)
    shares = weights / (totals[rows] * len(wide))
    margins = sums[rows] - wide[rows, columns]
    return ((margins if compete else torch.nn.functional.softplus(margins)) * shares).sum()
