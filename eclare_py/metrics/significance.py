"""Is one group of runs better than another? Tests that know of variation over documents and over seeds.

A group is one recipe trained with one or several seeds; all runs are evaluated on the same documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtr, stdtrit

from eclare_py.metrics.bootstrap import LEVEL
from eclare_py.metrics.crossed import Components, components, half_width, moderate, two_sided
from eclare_py.metrics.per_document import DocumentScores, counts_labels
from eclare_py.metrics.ranking import DoubleArray
from eclare_py.types import BoolArray

SWAPS = 9_999
_BLOCK = 1 << 22
_ROUNDING = 1e-10  # a swapped difference this close to the observed one counts as equal


@dataclass(frozen=True)
class GroupTest:
    """Two groups of runs compared cell by cell; every array is (M,), figures are in percent.

    Attributes:
        base: Figures of the first group.
        other: Figures of the second.
        low: Lower end of the interval of other - base.
        high: Upper end.
        p_documents: Two-sided, by swapping documents between the groups: the runs are taken as they are.
        p_seeds: Two-sided, of the crossed test; NaN where no group has two runs.
        p: The greater of the two.
    """

    base: DoubleArray
    other: DoubleArray
    low: DoubleArray
    high: DoubleArray
    p_documents: DoubleArray
    p_seeds: DoubleArray
    p: DoubleArray

    @property
    def difference(self) -> DoubleArray:
        """(M,) other - base."""
        return self.other - self.base


def mean_scores(runs: Sequence[DocumentScores]) -> DocumentScores:
    """A group as one: gained and possible averaged over its runs.

    Where what is possible depends on the truth alone, as in all figures but shares of what was predicted, the figures
    are the means of the runs' figures.
    """
    gained = np.mean([one.gained for one in runs], axis=0)
    possible = np.mean([one.possible for one in runs], axis=0)
    return replace(runs[0], gained=gained, possible=possible)


def spread_over_seeds(runs: Sequence[DocumentScores]) -> DoubleArray:
    """(M,) standard deviation of the figures over the runs of a group, in points of percent; NaN for one run."""
    if len(runs) < 2:
        return np.full(len(runs[0].cells), np.nan)
    spread: DoubleArray = np.std([one.figures() for one in runs], axis=0, ddof=1)
    return spread


def compare_groups(
    base: Sequence[DocumentScores],
    other: Sequence[DocumentScores],
    *,
    matched: bool = False,
    swaps: int = SWAPS,
    level: float = LEVEL,
    seed: int = 0,
) -> GroupTest:
    """Test for each cell whether two groups differ.

    Two tests, of which the greater p counts, so a difference has to hold against both:

    1. *Documents* (`swap_p`): approximate randomisation over the groups' means. Exact for the documents, in small bins
       too, but blind to seeds: with it alone, seed noise passes for a difference between recipes. Of figures that count
       labels, where a part of every influence is spread over all documents, one document that makes all of the
       difference would pass for many, so these have to hold against Student's t over documents besides.
    2. *Documents and seeds*: (other - base) against sqrt(V_s) T_s + sqrt(V_d) T_d, two independent Student's t, where
       V_s is the variance over seeds (`moderate`, with its degrees of freedom) and V_d what documents add to it
       (`Components.paired`). V = V_s + V_d is the quasi-F of Clark ("The language-as-fixed-effect fallacy", Journal of
       Verbal Learning and Verbal Behavior 1973) in the form of Hillis for readers nested in treatments ("A
       marginal-mean ANOVA approach ...", Statistics in Medicine 2014), which is never below what the seeds show. It
       needs two runs in at least one group.

    The interval is that of the second test, or that of the variance over documents alone where this is wider.

    Args:
        base: Runs of the first group.
        other: Runs of the second, with the same cells and documents.
        matched: Run s of both groups share what is random, as where the same models are evaluated at two settings.
            Then it is their differences that vary over seeds, and two runs in each group are needed.
        swaps: Random assignments of documents to groups; the least p is 1 / (swaps + 1).
        level: Of the interval.
        seed: Of the swaps.

    Raises:
        ValueError: Cells or documents of the runs are not the same, or matched groups differ in size.
    """
    if matched and len(base) != len(other):
        raise ValueError(f"{len(base)} and {len(other)} runs cannot be matched")
    for one in (*base, *other):
        if (one.cells, one.test_set, one.gained.shape) != (base[0].cells, base[0].test_set, base[0].gained.shape):
            raise ValueError("runs have different cells or test documents")
    first, second = mean_scores(base), mean_scores(other)
    before, after = first.figures(), second.figures()
    difference = after - before
    p_documents = swap_p(first, second, swaps=swaps, seed=seed)
    parts = components(base, other, matched=matched)
    margin, p_seeds = _crossed_test(parts, difference, level)
    spread = np.array([counts_labels(cell) for cell in first.cells])
    p_documents = np.where(spread, np.fmax(p_documents, _over_documents(parts, difference)), p_documents)
    p = np.fmax(p_documents, p_seeds)
    return GroupTest(before, after, difference - margin, difference + margin, p_documents, p_seeds, p)


def swap_p(base: DocumentScores, other: DocumentScores, *, swaps: int = SWAPS, seed: int = 0) -> DoubleArray:
    """(M,) two-sided p of approximate randomisation: each document's scores change sides with probability 1/2.

    p = (1 + number of swaps with a difference at least as large) / (1 + swaps); Noreen, "Computer-intensive methods for
    testing hypotheses", 1989; for ratios over a whole test set Yeh, "More accurate tests for the statistical
    significance of result differences", COLING 2000; for rankings Smucker, Allan and Carterette, CIKM 2007.

    Args:
        base: M cells over N documents.
        other: The same cells and documents.
        swaps: Random assignments.
        seed: Of the assignments; all cells see the same ones.

    Returns:
        NaN where a side has nothing possible.
    """
    gain, room = other.gained - base.gained, other.possible - base.possible
    moving = (gain != 0).any(axis=0) | (room != 0).any(axis=0)  # the other documents change nothing by swapping
    gain, room = gain[:, moving], room[:, moving]
    uneven = (room != 0).any(axis=1)
    sums = [part.sum(axis=1) for part in (base.gained, base.possible, other.gained, other.possible)]
    observed = np.abs(_difference(*sums))
    extreme = np.zeros(len(base.cells), dtype=np.int64)
    random = np.random.default_rng(seed)
    rows = max(1, _BLOCK // max(1, int(moving.sum())))
    for start in range(0, swaps, rows):
        swapped = random.integers(0, 2, (min(rows, swaps - start), gain.shape[1]), dtype=np.int8).astype(np.float64)
        gained, possible = swapped @ gain.T, np.zeros((len(swapped), len(gain)))
        possible[:, uneven] = swapped @ room[uneven].T
        moved = _difference(sums[0] + gained, sums[1] + possible, sums[2] - gained, sums[3] - possible)
        # A swap that leaves a side with nothing possible tells nothing: it counts against a difference.
        extreme += (~(np.abs(moved) < observed - _ROUNDING)).sum(axis=0)
    return np.where(np.isfinite(observed), (1 + extreme) / (1 + swaps), np.nan)


def holm(p: DoubleArray) -> DoubleArray:
    """Adjust p for the number of tests, so that the chance of any false alarm at all stays below the level.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 1979.

    Args:
        p: Any shape; NaN is no test and stays.
    """
    adjusted = np.full(p.shape, np.nan)
    tested: BoolArray = np.isfinite(p)
    values = p[tested]
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    result = np.empty(len(values))
    result[order] = np.minimum(steps, 1.0)
    adjusted[tested] = result
    return adjusted


def _over_documents(parts: Components, difference: DoubleArray) -> DoubleArray:
    """(M,) two-sided p of Student's t over documents alone; NaN where these tell nothing."""
    p = np.full(len(difference), np.nan)
    told = np.isfinite(parts.documents) & np.isfinite(difference) & (parts.documents > 0)
    distance = np.abs(difference[told]) / np.sqrt(parts.documents[told])
    p[told] = 2 * stdtr((parts.counted[told] - 1).astype(np.float64), -distance)
    return p


def _crossed_test(parts: Components, difference: DoubleArray, level: float) -> tuple[DoubleArray, DoubleArray]:
    """(M,) half the width of the interval, and p over documents and seeds: NaN where there are no seeds."""
    margin, p = np.full((2, len(difference)), np.nan)
    told = np.isfinite(parts.documents) & np.isfinite(difference)
    degrees = (parts.counted[told] - 1).astype(np.float64)
    margin[told] = stdtrit(degrees, (1 + level) / 2) * np.sqrt(parts.documents[told])
    if parts.spare > 0:
        seeds, of_seeds = moderate(parts)
        spare = np.full(len(degrees), of_seeds)
        wide = half_width(level, seeds[told], spare, parts.paired[told], degrees)
        margin[told] = np.maximum(margin[told], wide)
        p[told] = two_sided(np.abs(difference[told]), seeds[told], spare, parts.paired[told], degrees)
    return margin, p


def _difference(
    gained: DoubleArray, possible: DoubleArray, gained2: DoubleArray, possible2: DoubleArray
) -> DoubleArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        result: DoubleArray = 100.0 * (gained2 / possible2 - gained / possible)
    return result
