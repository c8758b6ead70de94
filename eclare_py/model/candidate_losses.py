"""Losses over a few candidates per document: each counts as relevant, not relevant, or not at all."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus


def candidate_loss(
    margins: Tensor,
    counts: Tensor,
    candidates: Tensor,
    *,
    kind: str = "squared-hinge",
    weighted: bool = False,
    positive_cost: float = 1.0,
    negative_cost: float = 1.0,
) -> Tensor:
    """Mean over a document's candidates, then over the batch (XR-Transformer, NeurIPS 2021; PECOS).

    `squared-hinge` is relu(1 - y z)^2 and `bce` is log(1 + exp(-y z)), y = 1 where relevant, else -1. A document
    without candidates counts as a zero.

    Args:
        margins: (B, c) z.
        counts: (B, c) relevant labels behind each candidate; above 0 is relevant.
        candidates: (B, c) bool, which count.
        kind: "squared-hinge" or "bce".
        weighted: Relevant ones weigh by their counts.
        positive_cost: Weight of relevant candidates.
        negative_cost: Weight of the others.
    """
    relevant = counts > 0
    signed = margins.where(relevant, -margins)
    losses = softplus(-signed) if kind == "bce" else (1 - signed).clamp(min=0).square()
    weights = (counts * positive_cost if weighted else candidates * positive_cost).where(
        relevant, candidates * negative_cost
    )
    sums = (losses * weights * candidates).sum(dim=1)
    result: Tensor = (sums / candidates.sum(dim=1).clamp(min=1)).mean()
    return result
