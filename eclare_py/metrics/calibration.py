"""Are scores probabilities? Of the predictions with a score of p, how many are relevant?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from eclare_py.metrics.ranking import DoubleArray
from eclare_py.types import BoolArray, FloatArray, IntArray

BINS = 10

Split = Literal["width", "mass"]


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram: predictions put into bins by score; bins without any are left out.

    Attributes:
        low: (B,) least score of each bin: its border with equal widths, a score that occurs with equal masses.
        high: (B,) likewise its greatest.
        score: (B,) mean score.
        share: (B,) share of relevant predictions.
        count: (B,) predictions.
    """

    low: DoubleArray
    high: DoubleArray
    score: DoubleArray
    share: DoubleArray
    count: IntArray

    @property
    def expected_error(self) -> float:
        """ECE: mean distance of score and share over the predictions (Naeini, Cooper and Hauskrecht, AAAI 2015)."""
        total = int(self.count.sum())
        return float((self.count * np.abs(self.score - self.share)).sum() / total) if total else 0.0

    @property
    def largest_error(self) -> float:
        """MCE: largest distance of score and share; with bins of equal width often that of a nearly empty bin."""
        return float(np.abs(self.score - self.share).max(initial=0.0))


def reliability(scores: FloatArray, hit: BoolArray, *, bins: int = BINS, split: Split = "width") -> Reliability:
    """Group predictions by score.

    Args:
        scores: (P,) scores from 0 to 1.
        hit: (P,) whether the label is relevant.
        bins: Most bins.
        split: "width": bins of equal width, each from its lower border up to below the next, 1 in the last. "mass":
            bins with equally many predictions; equal scores stay together in the later bin.

    Raises:
        ValueError: A score outside 0 to 1, or shapes that differ.
    """
    places = _places(scores, hit, bins, split)
    used, place = np.unique(places, return_inverse=True)
    count = np.bincount(place, minlength=len(used))
    values = scores.astype(np.float64)
    score, share = (np.bincount(place, weights=x, minlength=len(used)) / count for x in (values, hit))
    if split == "width":
        low, high = used / bins, (used + 1) / bins
    else:
        order = np.sort(values)
        ends = np.cumsum(count)
        low, high = order[ends - count], order[ends - 1]
    return Reliability(low, high, score, share, count.astype(np.int64))


@dataclass(frozen=True)
class Brier:
    """The Brier score and what it is made of: total = reliability - resolution + uncertainty + within.

    Attributes:
        total: Mean squared distance of score and outcome (0 or 1); small is good.
        reliability: Of it, what scores off the shares of their bins cost: 0 when calibrated.
        resolution: What telling bins with other shares apart earns: large is good.
        uncertainty: Of a score that is always the overall share.
        within: What scores that differ within a bin add, variance less twice the covariance with the outcome; the three
            parts of Murphy (1973) alone leave it out and are exact only for scores that are constant in a bin
            (Stephenson, Coelho and Jolliffe, 2008).
    """

    total: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float


def brier(scores: FloatArray, hit: BoolArray, *, bins: int = BINS, split: Split = "mass") -> Brier:
    """Brier score with its decomposition over bins; arguments as in `reliability`. All 0 without predictions."""
    if not len(scores):
        return Brier(0.0, 0.0, 0.0, 0.0, 0.0)
    groups = reliability(scores, hit, bins=bins, split=split)
    base, weight = float(hit.mean()), groups.count / groups.count.sum()
    total = float(np.mean((scores.astype(np.float64) - hit) ** 2))
    off = float((weight * (groups.score - groups.share) ** 2).sum())
    apart = float((weight * (groups.share - base) ** 2).sum())
    return Brier(total, off, apart, base * (1 - base), total - (off - apart + base * (1 - base)))


def _places(scores: FloatArray, hit: BoolArray, bins: int, split: Split) -> IntArray:
    """(P,) bin of each prediction."""
    if scores.shape != hit.shape or scores.ndim != 1:
        raise ValueError(f"scores {scores.shape} and hits {hit.shape} must be one (P,)")
    if len(scores) and not (scores.min() >= 0 and scores.max() <= 1):  # NaN fails both
        raise ValueError(f"scores run from {scores.min()} to {scores.max()}, calibration needs 0 to 1")
    if split == "width":
        return np.minimum((scores.astype(np.float64) * bins).astype(np.int64), bins - 1)
    order = np.sort(scores)
    borders = order[[number * len(scores) // bins for number in range(1, bins)]] if len(scores) else order
    return np.searchsorted(borders, scores, side="right").astype(np.int64)
