"""Losses of whole rankings: the lowest relevant label against all others, the highest other against all relevant."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

_FAR = 1e30  # instead of infinity, whose product with 0 is not a number


@dataclass(frozen=True)
class Judged:
    """Labels at hand in a step.

    Attributes:
        positives: (B, u) relevant ones.
        negatives: (B, u) those that are neither relevant nor filtered.
        weights: (u,) how many labels each stands for where it is a negative: 1 for labels that are there by themselves,
            more for random ones, so that sums over all labels are met in expectation; exactly, where all are at hand.
        trust: (u,) from 0 to 1, how far it is to be believed that a label is not relevant where it is a negative; None:
            in full.
    """

    positives: Tensor
    negatives: Tensor
    weights: Tensor
    trust: Tensor | None = None

    @property
    def say(self) -> Tensor:
        """(u,) factor on what a negative loses."""
        return self.weights if self.trust is None else self.weights * self.trust


def rank_loss(scores: Tensor, judged: Judged, *, margin: float, trim: float = 0.0, softness: float = 0.0) -> Tensor:
    """Mean over documents of L_P + L_N (Rank-AE, methods.md 6.2).

    L_P = sum_n max_p (m + s_n - s_p)_+    every negative against the lowest positive
    L_N = sum_p max_n (m + s_n - s_p)_+    every positive against the highest negative

    The paper says that noisy labels can be met; how was not to be had. Our formulation: `trim` leaves the highest
    negatives out, which may be relevant labels that are missing; `softness` puts means under a softmax in place of the
    lowest and the highest, so that one wrong label does not stand for all. It takes time linear in the scores.

    Args:
        scores: (B, u).
        judged: What the labels are; a document without positives or without negatives loses nothing.
        margin: m.
        trim: Share of the labels, by their weights, that are left out as perhaps missing.
        softness: Temperature; 0 takes the very lowest and highest.
    """
    positives, negatives = judged.positives, judged.negatives
    if trim:
        negatives = negatives & ~perhaps_missing(scores.detach(), judged, trim)
    both = positives.any(dim=1) & negatives.any(dim=1)
    lowest = -_highest(-scores, positives, softness)
    highest = _highest(scores, negatives, softness)
    against_lowest = torch.relu(margin + scores - lowest[:, None]) * (negatives * judged.say)
    against_highest = torch.relu(margin + highest[:, None] - scores) * positives
    losses = torch.where(both, against_lowest.sum(dim=1) + against_highest.sum(dim=1), 0.0)
    return losses.mean()


def weighted_bce(scores: Tensor, judged: Judged) -> Tensor:
    """Mean over documents of the binary cross entropy of all labels, random negatives standing for others."""
    weights = judged.positives + judged.negatives * judged.say
    cells = binary_cross_entropy_with_logits(scores, judged.positives.float(), weights, reduction="sum")
    return cells / len(scores)


def perhaps_missing(scores: Tensor, judged: Judged, share: float) -> Tensor:
    """(B, u) the highest negatives of each document that make up at most this share of the weight of all its labels."""
    budget = share * float(judged.weights.sum())
    count = min(int(budget), scores.shape[1])  # no weight is below 1
    marked = torch.zeros_like(judged.negatives)
    if count:
        best = scores.masked_fill(~judged.negatives, -_FAR).topk(count, dim=1).indices
        within = judged.weights[best].cumsum(dim=1) <= budget
        marked.scatter_(1, best, within)
    return marked & judged.negatives


def _highest(scores: Tensor, mask: Tensor, softness: float) -> Tensor:
    """(B,) highest score under a mask, or the mean by exp(score / softness), whose weights are no part of the slope."""
    masked = scores.masked_fill(~mask, -_FAR)
    if not softness:
        return masked.max(dim=1).values
    shares = torch.softmax(masked.detach() / softness, dim=1)
    return (shares * scores).sum(dim=1)
