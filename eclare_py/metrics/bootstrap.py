"""How far a figure could move had other test documents been drawn: bootstrap intervals over documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from eclare_py.metrics.per_document import DocumentScores
from eclare_py.metrics.ranking import DoubleArray

RESAMPLES = 1_000
LEVEL = 0.95
_BLOCK = 1 << 22  # numbers drawn at a time: bounds the weights to 32 MB
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Intervals:
    """Ends of the interval of each cell, in percent.

    Attributes:
        low: (M,) NaN where nothing was possible.
        high: (M,) the same.
    """

    low: DoubleArray
    high: DoubleArray


def bootstrap_intervals(
    scores: DocumentScores, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> Intervals:
    """BCa bootstrap intervals of all cells, documents drawn with replacement and the same draws for every cell.

    Efron, "Better bootstrap confidence intervals", JASA 1987, equations 2.3 and 6.6: the quantiles of the resampled
    figures, moved for their bias z0 and their skew a. Figures of small bins are skewed, and plain percentiles end too
    low there: with about 6 hits among 20 documents they cover 89 % where 95 % are asked for, BCa 94 %.

    Where all documents of a cell agree (no hit at all, say) no resample differs. The ends are then those of a binomial
    share of n equal outcomes, (1 - level) / 2 = (1 - high)^n (Clopper and Pearson, Biometrika 1934).

    Args:
        scores: M cells over N documents.
        resamples: Draws of N documents.
        level: Share of the draws inside.
        seed: Of the draws; the same seed gives the same intervals.

    Raises:
        ValueError: `level` is not between 0 and 1, or no resample is asked for.
    """
    if not 0 < level < 1 or resamples < 1:
        raise ValueError(f"level={level} must be between 0 and 1, resamples={resamples} at least 1")
    figures = scores.figures()
    drawn = resampled_figures(scores, resamples, seed)
    ends = np.full((2, len(figures)), np.nan)
    for cell in np.flatnonzero(np.isfinite(figures)):
        share = figures[cell] / 100.0
        gained, possible = scores.gained[cell], scores.possible[cell]
        influence = influences(gained, possible, share, possible.max())
        if np.abs(influence).max() <= _ROUNDING:
            untold = ((1 - level) / 2) ** (1 / np.count_nonzero(possible))
            ends[:, cell] = 100.0 * share * untold, 100.0 * (1 - (1 - share) * untold)
        else:
            ends[:, cell] = _bca(drawn[:, cell], figures[cell], influence, level)
    # What stands for a count of labels is a share by its sum alone (label_influence.py): draws may leave 0..100.
    shares = (figures >= 0) & (figures <= 100)
    ends[:, shares] = ends[:, shares].clip(0, 100)
    return Intervals(*ends)


def resampled_figures(scores: DocumentScores, resamples: int, seed: int) -> DoubleArray:
    """(R, M) figures in percent of R draws of N documents with replacement; NaN where a draw holds nothing possible."""
    parts = []
    for weights in _weights(scores.n_documents, resamples, seed):
        with np.errstate(invalid="ignore", divide="ignore"):
            parts.append(100.0 * (weights @ scores.gained.T) / (weights @ scores.possible.T))
    return np.concatenate(parts)


def influences(gained: DoubleArray, possible: DoubleArray, share: float, unit: float) -> DoubleArray:
    """(N,) what each document adds to a ratio of sums, to first order: (g_i - share p_i) / unit.

    With the mean of p as unit, their variance by N is the variance of the ratio; their mean is 0 where `share` is it.
    """
    result: DoubleArray = (gained - share * possible) / unit
    return result


def _weights(n_documents: int, resamples: int, seed: int) -> Iterator[DoubleArray]:
    """How often each document is in each draw: blocks (r, N) that are R rows together."""
    random = np.random.default_rng(seed)
    rows = max(1, _BLOCK // n_documents)
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        drawn = random.integers(0, n_documents, (count, n_documents)) + np.arange(count)[:, None] * n_documents
        times = np.bincount(drawn.ravel(), minlength=count * n_documents)
        yield times.reshape(count, n_documents).astype(np.float64)


def _bca(drawn: DoubleArray, figure: float, influence: DoubleArray, level: float) -> npt.ArrayLike:
    """Both ends of one cell."""
    drawn = drawn[np.isfinite(drawn)]
    # Half of the ties, as figures of few documents are lumpy; off the ends, where z0 would be infinite.
    below = np.mean(drawn < figure) + 0.5 * np.mean(drawn == figure)
    bias = special.ndtri(np.clip(below, 0.5 / len(drawn), 1 - 0.5 / len(drawn)))
    skew = np.sum(influence**3) / (6 * np.sum(influence**2) ** 1.5)
    normal = bias + special.ndtri([(1 - level) / 2, (1 + level) / 2])
    ends: npt.ArrayLike = np.quantile(drawn, special.ndtr(bias + normal / (1 - skew * normal)))
    return ends
