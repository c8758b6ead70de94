"""Losses over the scores of a batch of documents against a shared set of labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

HIDDEN = -1e4  # exp of it is zero in float32


@dataclass(frozen=True)
class SoftTargets:
    """Pairs that are relevant in part.

    Attributes:
        rows: (S,) documents of the batch.
        columns: (S,) labels at hand; a pair occurs once and is neither positive nor ignored.
        values: (S,) targets, 0 < t < 1.
    """

    rows: Tensor
    columns: Tensor
    values: Tensor


def decoupled_softmax(
    scores: Tensor,
    positives: Tensor,
    ignored: Tensor | None = None,
    importance: Tensor | None = None,
    soft: SoftTargets | None = None,
) -> Tensor:
    """Mean over documents of the mean over their positives p of -log e^{s_p} / (e^{s_p} + sum_{n not in P} e^{s_n}).

    Positives do not compete with each other, which matters where a document has many labels.
    Source: DEXML (Gupta et al., ICLR 2024), decoupled softmax; here over the labels at hand instead of all L. A graded
    target t is ours: such a pair is a positive with t times the weight and a negative with 1 - t times.

    Args:
        scores: (B, K) logits, of any float type; the sums are taken in float32 at least.
        positives: (B, K) true where the label is relevant.
        ignored: (B, K) true for filter pairs: neither positive nor negative.
        importance: (K,) weights of labels as positives, above 0; the mean over positives is taken with them.
        soft: Pairs with a target between 0 and 1.

    Returns:
        A scalar; documents without a positive at hand count as zero.
    """
    if not scores.shape[1]:
        return scores.sum()
    loss: Tensor = _DecoupledSoftmax.apply(scores, positives, ignored, importance, soft)
    return loss


def softmax_cross_entropy(
    scores: Tensor, positives: Tensor, ignored: Tensor | None = None, importance: Tensor | None = None
) -> Tensor:
    """Mean over documents of the mean over their positives p of -log e^{s_p} / sum_k e^{s_k}, filter pairs left out.

    Positives push each other down: the baseline of DEXML (Gupta et al., ICLR 2024), for comparison.
    Arguments and result as in `decoupled_softmax`.
    """
    wide = widened(scores)
    sums = (wide if ignored is None else wide.masked_fill(ignored, HIDDEN)).logsumexp(dim=1)
    rows, columns = positives.nonzero(as_tuple=True)
    weights = pair_shares(wide, rows, None if importance is None else importance[columns])
    return ((sums[rows] - wide[rows, columns]) * weights).sum()


def widened(scores: Tensor) -> Tensor:
    """The scores in float32 at least."""
    return scores if scores.dtype == torch.float64 else scores.float()


def true_cells(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns of the true cells of a (B, K) mask, in order; without a GPU six times as fast as torch's own."""
    if mask.device.type != "cpu":
        return cast("tuple[Tensor, Tensor]", mask.nonzero(as_tuple=True))
    places = torch.from_numpy(np.flatnonzero(mask.numpy()))
    return places // mask.shape[1], places % mask.shape[1]


def pair_shares(wide: Tensor, rows: Tensor, weights: Tensor | None) -> Tensor:
    """(P,) weight of every pair in the mean over the documents of the weighted means over their pairs."""
    own = torch.ones(len(rows), dtype=wide.dtype, device=wide.device) if weights is None else weights.to(wide.dtype)
    totals = torch.zeros(len(wide), dtype=wide.dtype, device=wide.device).index_add_(0, rows, own)
    return own / (totals[rows] * len(wide))


class _DecoupledSoftmax(torch.autograd.Function):
    """The loss with its slope by hand: positives are few, so only the sum over negatives visits all B x K cells.

    That sum is kept as its terms over the largest of a row, which are the slopes but for a factor a row.
    """

    @staticmethod
    def forward(
        ctx: Any, scores: Tensor, positives: Tensor, ignored: Tensor | None, importance: Tensor | None,
        soft: SoftTargets | None,
    ) -> Tensor:  # fmt: skip
        rows, columns = true_cells(positives)
        wide = widened(scores)
        negatives = wide.clone()
        for hidden in [(rows, columns)] + ([] if ignored is None else [true_cells(ignored)]):
            negatives[hidden] = HIDDEN
        weights = None if importance is None else importance[columns]
        if soft is not None:
            values = soft.values.to(wide.dtype)
            negatives[soft.rows, soft.columns] += torch.log1p(-values)
            hard = torch.ones(len(rows), dtype=wide.dtype, device=wide.device) if weights is None else weights
            graded = values if importance is None else values * importance[soft.columns]
            rows, columns = torch.cat([rows, soft.rows]), torch.cat([columns, soft.columns])
            weights = torch.cat([hard.to(wide.dtype), graded.to(wide.dtype)])
        largest = negatives.amax(dim=1, keepdim=True)
        terms = negatives.sub_(largest).exp_()
        totals = terms.sum(dim=1)
        sums = totals.log() + largest.squeeze(1)
        margins = sums[rows] - wide[rows, columns]
        shares = pair_shares(wide, rows, weights)
        ctx.parts, ctx.type = (rows, columns, terms, totals, margins, shares), scores.dtype
        return (torch.nn.functional.softplus(margins) * shares).sum()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        rows, columns, terms, totals, margins, shares = ctx.parts
        slopes = margins.sigmoid() * shares * gradients[0]
        of_rows = torch.zeros_like(totals).index_add_(0, rows, slopes)
        # In place: the forward pass made these for nobody else.
        cells = terms.mul_((of_rows / totals)[:, None])
        cells[rows, columns] -= slopes
        return cells.to(ctx.type), None, None, None, None
