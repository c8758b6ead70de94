"""Losses of whole rankings: the lowest relevant label against all others, the highest other against all relevant."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

_FAR = 1e30  # instead of infinity, whose product with 0 is not a number


@dataclass(frozen=True)
class AtHand:
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


@dataclass(frozen=True)
class RankLoss:
    """Mean over documents of L_P + L_N (Rank-AE, methods.md 6.2), in time linear in the scores.

    L_P = sum_n max_p (m + s_n - s_p)_+    every negative against the lowest positive
    L_N = sum_p max_n (m + s_n - s_p)_+    every positive against the highest negative

    With `softness` t > 0 the highest negative becomes t log sum_n exp(s_n / t), the lowest positive its mirror image,
    and (z)_+ of L_N becomes t log(1 + exp(z / t)): at t = 1 a positive loses what it loses in a softmax against all
    negatives. The hard form moves one negative a document and does not learn tens of thousands of labels (measured: P@5
    14 instead of 25 on a third of debian-related). With `mean`, L_P is a mean over the negatives within the margin: the
    sum over all labels outweighs everything for long.

    The paper says that noisy labels can be met; how was not to be had. Our formulation, two ways: `trim` leaves the
    highest negatives out, which may be relevant labels that are missing; `bounded` q turns the loss l of a positive to
    (1 - exp(-q l)) / q, which gives up on a positive that nothing speaks for (at t = 1 the generalised cross entropy of
    Zhang and Sabuncu, NeurIPS 2018).

    Attributes:
        margin: m.
        softness: t; 0 takes the very lowest and highest.
        mean: L_P over the negatives within the margin instead of their sum.
        trim: Share of the labels, by their weights, that are left out as perhaps missing.
        bounded: q; 0 leaves the loss as it is.
    """

    margin: float = 1.0
    softness: float = 0.0
    mean: bool = False
    trim: float = 0.0
    bounded: float = 0.0

    def __call__(self, scores: Tensor, judged: AtHand) -> Tensor:
        """Of (B, u) scores; a document without positives or without negatives loses nothing."""
        positives, negatives = judged.positives, judged.negatives
        if self.trim:
            negatives = negatives & ~perhaps_missing(scores.detach(), judged, self.trim)
        say = negatives * judged.say
        both = positives.any(dim=1) & (say > 0).any(dim=1)
        lowest = -self._highest(-scores, positives.float())
        against_lowest = torch.relu(self.margin + scores - lowest[:, None])
        of_negatives = (against_lowest * say).sum(dim=1)
        if self.mean:
            of_negatives = of_negatives / ((against_lowest.detach() > 0) * say).sum(dim=1).clamp(min=1)
        against_highest = self._hinge(self.margin + self._highest(scores, say)[:, None] - scores)
        if self.bounded:
            against_highest = -torch.expm1(-self.bounded * against_highest) / self.bounded
        of_positives = (against_highest * positives).sum(dim=1)
        return torch.where(both, of_negatives + of_positives, 0.0).mean()

    def _highest(self, scores: Tensor, say: Tensor) -> Tensor:
        """(B,) highest of (B, u) scores that have a say, or the soft maximum in which each counts that often."""
        masked = scores.masked_fill(say == 0, -_FAR)
        if not self.softness:
            return masked.max(dim=1).values
        often = torch.log(say.clamp(min=1e-30))
        return self.softness * torch.logsumexp(masked / self.softness + often, dim=1)

    def _hinge(self, gaps: Tensor) -> Tensor:
        return self.softness * softplus(gaps / self.softness) if self.softness else torch.relu(gaps)


def weighted_bce(scores: Tensor, judged: AtHand) -> Tensor:
    """Mean over documents of the binary cross entropy of all labels, random negatives standing for others."""
    weights = judged.positives + judged.negatives * judged.say
    cells = binary_cross_entropy_with_logits(scores, judged.positives.float(), weights, reduction="sum")
    return cells / len(scores)


def perhaps_missing(scores: Tensor, judged: AtHand, share: float) -> Tensor:
    """(B, u) the highest negatives of each document that make up at most this share of the weight of all its labels."""
    budget = share * float(judged.weights.sum())
    count = min(int(budget), scores.shape[1])  # no weight is below 1
    marked = torch.zeros_like(judged.negatives)
    if count:
        best = scores.masked_fill(~judged.negatives, -_FAR).topk(count, dim=1).indices
        within = judged.weights[best].cumsum(dim=1) <= budget
        marked.scatter_(1, best, within)
    return marked & judged.negatives
