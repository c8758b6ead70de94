"""Losses over the scores of a batch of documents against a shared set of labels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_HIDDEN = -1e4  # exp of it is zero in float32


def decoupled_softmax(scores: Tensor, positives: Tensor, ignored: Tensor | None = None) -> Tensor:
    """Mean over documents of the mean over their positives p of -log e^{s_p} / (e^{s_p} + sum_{n not in P} e^{s_n}).

    Positives do not compete with each other, which matters where a document has many labels.
    Source: DEXML (Gupta et al., ICLR 2024), decoupled softmax; here over the labels at hand instead of all L.

    Args:
        scores: (B, K) logits, of any float type; the sums are taken in float32 at least.
        positives: (B, K) true where the label is relevant.
        ignored: (B, K) true for filter pairs: neither positive nor negative.

    Returns:
        A scalar; documents without a positive at hand count as zero.
    """
    loss: Tensor = _DecoupledSoftmax.apply(scores, positives, positives if ignored is None else positives | ignored)
    return loss


class _DecoupledSoftmax(torch.autograd.Function):
    """The loss with its slope by hand: positives are few, so only the sum over negatives visits all B x K cells."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, positives: Tensor, hidden: Tensor) -> Tensor:
        rows, columns = positives.nonzero(as_tuple=True)
        wide = scores if scores.dtype == torch.float64 else scores.float()
        negatives = wide.masked_fill(hidden, _HIDDEN)
        sums = negatives.logsumexp(dim=1)
        margins = sums[rows] - wide[rows, columns]
        counts = torch.zeros_like(sums).index_add_(0, rows, torch.ones_like(margins))
        weights = 1 / (counts[rows] * len(scores))
        ctx.parts, ctx.type = (rows, columns, negatives, sums, margins, weights), scores.dtype
        return (torch.nn.functional.softplus(margins) * weights).sum()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        rows, columns, negatives, sums, margins, weights = ctx.parts
        slopes = margins.sigmoid() * weights * gradients[0]
        of_rows = torch.zeros_like(sums).index_add_(0, rows, slopes)
        # In place: the forward pass made these for nobody else.
        cells = negatives.sub_(sums[:, None]).exp_().mul_(of_rows[:, None])
        cells[rows, columns] = -slopes
        return cells.to(ctx.type), None, None
