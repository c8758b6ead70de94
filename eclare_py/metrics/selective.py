"""Selective prediction: which predictions can go out without a person looking, at a precision that is asked for.

Of every document the first prediction, or its first k, may be *automated*: kept where its score is at least a
threshold, left to a person where it is below. The threshold is chosen on documents with known labels that the scores
were not fitted on; what it gives is measured on others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from eclare_py.metrics.ranking import DoubleArray, hits
from eclare_py.types import BoolArray, Csr, FloatArray, IntArray, Ranking

TARGETS = (0.8, 0.9, 0.95, 0.99)
# Confidence of the guard that answers use. On documents without part in the choice, thresholds by bin without it missed
# their target about every second time: by little where thousands of predictions reach it (debian-related), by 10 points
# where a few dozen do (yso-en-60k). With it they missed one time in four on debian-related, for 4 to 14 % less that is
# automated, and a few lucky predictions on yso-en-60k make no threshold any more.
CONFIDENCE = 0.8
CURVE_POINTS = 200  # most points of a risk-coverage curve: enough to draw it


@dataclass(frozen=True)
class Scored:
    """Predictions with their outcome.

    Attributes:
        scores: (N, k) scores, best first; -inf where a document has fewer than k predictions.
        hit: (N, k) whether the label is relevant; False where there is no prediction.
        frequencies: (N, k) train documents of the predicted label; any number where there is no prediction.
    """

    scores: FloatArray
    hit: BoolArray
    frequencies: IntArray

    def __post_init__(self) -> None:
        if not self.scores.shape == self.hit.shape == self.frequencies.shape or self.scores.ndim != 2:
            raise ValueError(
                f"scores {self.scores.shape}, hits {self.hit.shape} and frequencies {self.frequencies.shape} "
                "must be one (N, k)"
            )

    @classmethod
    def of(cls, ranking: Ranking, labels: Csr, frequencies: IntArray) -> Scored:
        """The predictions of an (N, k) ranking, judged by the (N, L) labels; frequencies are (L,)."""
        return cls(ranking.scores, hits(ranking, labels), frequencies[ranking.indices])

    def top(self, k: int) -> Scored:
        """The first k of each document."""
        return Scored(self.scores[:, :k], self.hit[:, :k], self.frequencies[:, :k])

    def only(self, among: BoolArray) -> Scored:
        """The predictions of an (N, k) mask; the other places are empty."""
        scores = np.where(among, self.scores, np.float32(-np.inf))
        return Scored(scores, self.hit & among, self.frequencies)

    @property
    def there(self) -> BoolArray:
        """(N, k) where there is a prediction."""
        found: BoolArray = ~np.isneginf(self.scores)
        return found


@dataclass(frozen=True)
class Selection:
    """What is automated, as counts.

    Attributes:
        places: Places for a prediction, N x k: of a document without k predictions all count.
        kept: Those automated.
        hits: Of these the relevant ones.
        documents: Documents with at least one automated prediction.
    """

    places: int
    kept: int
    hits: int
    documents: int

    @property
    def precision(self) -> float | None:
        """Share of the automated predictions that is relevant; None where there is none."""
        return self.hits / self.kept if self.kept else None

    @property
    def share(self) -> float:
        """Share of the places that is automated: C@1(pi) where k = 1 and the threshold is the one of precision pi."""
        return self.kept / self.places if self.places else 0.0


def lowest_threshold(scored: Scored, precision: float, *, confidence: float | None = None) -> float | None:
    """The lowest score at which the predictions of this score or more reach a precision.

    theta(pi) = min {theta : precision of {s >= theta} >= pi}: precision needs not fall evenly with the threshold, and
    the lowest that is good enough automates most. Without `confidence` this is the threshold of C@1(pi), the share of
    documents whose first prediction is automated (after Almagro et al., arXiv 2510.04551, whose C@1 is not defined in
    print; C@k for the share of *labels* found once is another figure, `coverage@k` here).

    Args:
        scored: Predictions on validation documents.
        precision: pi, above 0 and at most 1.
        confidence: Ask for the Clopper-Pearson lower bound of this one-sided confidence to reach `precision`, in place
            of the precision itself. It treats predictions as independent, and does not account for the choice among
            many thresholds.

    Returns:
        A score that occurs, or None where no threshold reaches the precision.

    Raises:
        ValueError: `precision` or `confidence` out of range.
    """
    if not 0 < precision <= 1:
        raise ValueError(f"precision={precision} must be above 0 and at most 1")
    if confidence is not None and not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence} must be between 0 and 1")
    levels, kept, found = _levels(scored)
    reached = found / kept if confidence is None else precision_bound(found, kept, confidence)
    good = np.flatnonzero(reached >= precision)
    return float(levels[good[-1]]) if len(good) else None


def precision_bound(found: IntArray, kept: IntArray, confidence: float) -> DoubleArray:
    """Lower bound of a share of which `found` of `kept` were seen (Clopper and Pearson, Biometrika 1934), one-sided."""
    bound: DoubleArray = np.where(found > 0, betaincinv(np.maximum(found, 1), kept - found + 1, 1 - confidence), 0.0)
    return bound


def select(scored: Scored, threshold: float | FloatArray | None) -> Selection:
    """What a threshold automates; None automates nothing.

    Args:
        scored: Predictions with their outcome.
        threshold: Least score, one for all or (N, k).
    """
    kept = np.zeros_like(scored.hit) if threshold is None else scored.there & (scored.scores >= threshold)
    return Selection(kept.size, int(kept.sum()), int((kept & scored.hit).sum()), int(kept.any(axis=1).sum()))


@dataclass(frozen=True)
class RiskCoverage:
    """Risk (share of wrong ones) among the automated predictions, as more and more are automated, best first.

    Attributes:
        share: (P,) share of the places automated, ascending.
        risk: (P,) share of these that is wrong.
        threshold: (P,) their least score.
        area: AURC: the mean risk over all numbers of automated predictions.
        excess: By how much the area is above that of a score that puts every relevant prediction first.
    """

    share: DoubleArray
    risk: DoubleArray
    threshold: DoubleArray
    area: float
    excess: float


def risk_coverage(scored: Scored, points: int = CURVE_POINTS) -> RiskCoverage:
    """The risk-coverage curve and its area (Geifman, Uziel and El-Yaniv, ICLR 2019).

    Predictions with the same score are automated together: the curve has one point for them, and the area the mean over
    all orders in which they could come. The area of the best possible score is summed, not approximated as in the
    paper. Areas are 0 where there is no prediction.

    Args:
        scored: Predictions with their outcome.
        points: Most points of the curve; the first and the last are among them.
    """
    levels, kept, found = _levels(scored)
    if not len(levels):
        none = np.empty(0)
        return RiskCoverage(none, none, none, 0.0, 0.0)
    total = int(kept[-1])
    number = np.arange(1, total + 1)
    area = float(np.mean(1 - np.interp(number, np.concatenate([[0], kept]), np.concatenate([[0], found])) / number))
    best = float(np.mean(np.maximum(number - found[-1], 0) / number))
    shown = np.arange(len(levels))
    if len(levels) > points:
        shown = np.unique(np.searchsorted(kept, np.linspace(kept[0], total, points)))
    return RiskCoverage(
        kept[shown] / scored.hit.size, 1 - found[shown] / kept[shown], levels[shown].astype(np.float64), area,
        area - best,
    )  # fmt: skip


def _levels(scored: Scored) -> tuple[FloatArray, IntArray, IntArray]:
    """The distinct scores, falling; how many predictions have at least this score, and how many of them are hits."""
    there = scored.there
    scores, hit = scored.scores[there], scored.hit[there]
    order = np.argsort(-scores, kind="stable")
    scores, found = scores[order], np.cumsum(hit[order], dtype=np.int64)
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)[: len(scores)])
    return scores[last], (last + 1).astype(np.int64), found[last]
