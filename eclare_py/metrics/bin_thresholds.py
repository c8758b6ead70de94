"""A threshold of its own for every range of label frequency, drawn towards the common one where little is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eclare_py.metrics.selective import Scored, lowest_threshold
from eclare_py.types import FloatArray, IntArray

EDGES = (5, 20, 100, 1000)  # greatest frequency of each bin but the open last one
# Predictions that the common threshold counts as. Thresholds chosen on a fifth or on four fifths of the held-out
# documents of debian-related missed the target precision least in the bins of the other documents with 300 to 1,000; of
# these, 1,000 kept the precision over all bins nearest to the target.
PRIOR = 1000.0
_FARTHEST = 15.0  # logits beyond are no different


@dataclass(frozen=True)
class BinThresholds:
    """Thresholds by label frequency.

    Attributes:
        common: The threshold of all predictions together, or where none reached the precision, a score above all.
        edges: (B - 1,) greatest train frequency of each bin but the last, ascending.
        thresholds: (B,) least score that is automated, rare to frequent.
        counts: (B,) validation predictions that they rest on.
    """

    common: float
    edges: tuple[int, ...]
    thresholds: tuple[float, ...]
    counts: tuple[int, ...]

    def of(self, frequencies: IntArray) -> FloatArray:
        """The threshold of each prediction by the frequency of its label; any shape."""
        return np.asarray(self.thresholds, dtype=np.float32)[bins_of(frequencies, self.edges)]


def bin_thresholds(
    scored: Scored,
    precision: float,
    *,
    edges: tuple[int, ...] = EDGES,
    prior: float = PRIOR,
    confidence: float | None = None,
) -> BinThresholds | None:
    """Thresholds at which each bin reaches a precision.

    logit theta_b = (n_b logit own_b + prior logit common) / (n_b + prior), n_b the validation predictions of the bin.
    Where no threshold reaches the precision, in a bin or in all, the next number above the best score stands for it: of
    a bin with many predictions (almost) nothing is automated then.

    Args:
        scored: Predictions on validation documents, scores from 0 to 1.
        precision: As in `lowest_threshold`, of which it is the threshold.
        edges: Borders of the bins.
        prior: Weight of the common threshold, in predictions; 0 leaves each bin its own.
        confidence: As in `lowest_threshold`.

    Returns:
        None where no threshold reaches the precision, neither in all nor in any bin.
    """
    places = bins_of(scored.frequencies, edges)
    parts = [scored, *(scored.only(places == number) for number in range(len(edges) + 1))]
    found = [lowest_threshold(part, precision, confidence=confidence) for part in parts]
    if all(one is None for one in found):
        return None
    common, *own = (_above(part) if one is None else one for one, part in zip(found, parts, strict=True))
    counts = [int(part.there.sum()) for part in parts[1:]]
    weights = [count / (count + prior) if count else 0.0 for count in counts]
    thresholds = [_between(one, common, weight) for one, weight in zip(own, weights, strict=True)]
    return BinThresholds(common, edges, tuple(thresholds), tuple(counts))


def own_thresholds(scored: Scored, precision: float, *, edges: tuple[int, ...] = EDGES) -> list[float | None]:
    """The lowest threshold of each bin alone, rare to frequent; None where none reaches the precision."""
    places = bins_of(scored.frequencies, edges)
    return [lowest_threshold(scored.only(places == number), precision) for number in range(len(edges) + 1)]


def threshold_spread(scored: Scored, precision: float, *, edges: tuple[int, ...] = EDGES) -> float | None:
    """How inconsistent thresholds are: the standard deviation of the bins' own ones, bins weighing by predictions.

    With 0 one threshold does for all labels (Almagro et al., arXiv 2510.04551, call the opposite threshold
    inconsistency). Bins that do not reach the precision are left out.

    Args:
        scored: Predictions of known outcome.
        precision: As in `lowest_threshold`.
        edges: Borders of the bins.

    Returns:
        In units of the scores; None where no bin reaches the precision.
    """
    places = bins_of(scored.frequencies, edges)
    counts = np.bincount(places[scored.there], minlength=len(edges) + 1)
    known = [
        (own, count)
        for own, count in zip(own_thresholds(scored, precision, edges=edges), counts.tolist(), strict=True)
        if own is not None
    ]
    if not known:
        return None
    values, weights = np.array(known, dtype=np.float64).T
    return float(np.sqrt(np.average((values - np.average(values, weights=weights)) ** 2, weights=weights)))


def bins_of(frequencies: IntArray, edges: tuple[int, ...]) -> IntArray:
    """Number of the bin of each frequency; any shape."""
    return np.searchsorted(np.asarray(edges), frequencies, side="left").astype(np.int64)


def _above(scored: Scored) -> float:
    """The next number above all scores."""
    return float(np.nextafter(scored.scores.max(), np.float32(2)))


def _between(own: float, common: float, weight: float) -> float:
    """A score at `weight` of the way from the common one to its own, in logits; each itself at the ends."""
    if weight in (0.0, 1.0) or own == common:
        return own if weight else common
    return float(1 / (1 + np.exp(-(weight * _logit(own) + (1 - weight) * _logit(common)))))


def _logit(score: float) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.clip(np.log(score) - np.log1p(-min(score, 1.0)), -_FARTHEST, _FARTHEST))
