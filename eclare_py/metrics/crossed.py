"""Variance of the difference of two groups of runs, over documents and over seeds.

All runs answer the same documents, so documents are crossed with runs; seeds are nested in groups. That is the design
of studies with many readers and many cases, whose analysis this is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from eclare_py.metrics.bootstrap import influences
from eclare_py.metrics.per_document import DocumentScores
from eclare_py.metrics.ranking import DoubleArray
from eclare_py.types import IntArray

_ENOUGH_CELLS = 10  # to tell how seed variance differs from cell to cell
_LEAST_RATIO = 0.01  # of seed variance to what documents explain; by chance it can be 0, which has no logarithm
_SAME = 1e-4  # variance of the logarithm of seed variances that is none
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)
_ANGLES = _NODES * np.pi / 2


@dataclass(frozen=True)
class Components:
    """Variances of a difference of group means, in squared points of percent.

    With x_gsi = m_g + document_i + (group x document)_gi + seed_gs + rest_gsi and c = 1 / S_1 + 1 / S_2:

        documents = var_i(mean_s x_2si - mean_s x_1si) / N
        seeds     = c * pooled var_s(mean_i x_gsi)
        rest      = c * pooled var(x_gsi - x_g.i - x_gs. + x_g..) / N, which is part of both of them

    Attributes:
        documents: (M,) NaN where a group has nothing possible.
        seeds: (M,) 0 where there are no seeds to tell.
        rest: (M,) the same.
        counted: (M,) documents that play a part; the others are 0 in all runs.
        spare: Degrees of freedom of `seeds`, S_1 + S_2 - 2 unless runs are matched.
    """

    documents: DoubleArray
    seeds: DoubleArray
    rest: DoubleArray
    counted: IntArray
    spare: int

    @property
    def paired(self) -> DoubleArray:
        """(M,) what documents add to seeds: documents - rest, not below 0."""
        result: DoubleArray = np.maximum(self.documents - self.rest, 0.0)
        return result


def components(base: Sequence[DocumentScores], other: Sequence[DocumentScores], *, matched: bool = False) -> Components:
    """Take the variance of `mean of other - mean of base` apart, cell by cell.

    Ratios of sums are taken to first order, by the influence of each document (`influences`). Seeds vary alike in both
    groups by assumption: a group of one run borrows from the other.

    Args:
        base: S_1 runs of the first group.
        other: S_2 runs of the second, with the same M cells and N documents.
        matched: Run s of one group and run s of the other share what is random: the analysis is of their differences,
            one table of S runs with c = 1 / S and S - 1 degrees of freedom.
    """
    n_cells, n_documents = base[0].gained.shape
    sizes = (len(base),) if matched else (len(base), len(other))
    spare = sum(size - 1 for size in sizes)
    scale = sum(1 / size for size in sizes) / max(spare, 1)
    documents, seeds, rest = np.full((3, n_cells), np.nan)
    counted = np.zeros(n_cells, dtype=np.int64)
    for cell in range(n_cells):
        first, second = (_of_group(runs, cell) for runs in (base, other))
        counted[cell] = np.count_nonzero(first.any(axis=0) | second.any(axis=0))
        if counted[cell] > 1:
            tables = [second - first] if matched else [first, second]
            documents[cell] = np.var(second.mean(axis=0) - first.mean(axis=0), ddof=1) / n_documents
            seeds[cell] = scale * sum(np.sum((x.mean(axis=1) - x.mean()) ** 2) for x in tables)
            rests = [x - x.mean(axis=0) - x.mean(axis=1, keepdims=True) + x.mean() for x in tables]
            rest[cell] = scale * sum(np.sum(one**2) for one in rests) / (n_documents * (n_documents - 1))
    return Components(documents, seeds, rest, counted, spare)


def moderate(parts: Components) -> tuple[DoubleArray, float]:
    """Seed variances that borrow strength from the other cells, and their degrees of freedom.

    Three seeds tell little about a variance. How far seeds go beyond `rest` in the other cells is a prior for each one:
    seeds / rest is taken to follow an inverse chi-square distribution over cells, fitted by the moments of its
    logarithm, and the variance is the mean of prior and cell weighted by degrees of freedom (Smyth, "Linear models and
    empirical Bayes methods for assessing differential expression", Statistical Applications in Genetics and Molecular
    Biology 2004, sections 4 and 6). As cells share documents and seeds, fewer of them are independent than there are:
    the prior never counts for more than the cell itself.

    Returns:
        (M,) variances and their degrees of freedom; those of `parts` where too few cells can tell.
    """
    told = parts.rest > 0
    if parts.spare == 0 or told.sum() < _ENOUGH_CELLS:
        return parts.seeds, float(parts.spare)
    ratio = parts.seeds[told] / parts.rest[told]
    logs = np.log(np.maximum(ratio, _LEAST_RATIO)) - special.digamma(parts.spare / 2) + np.log(parts.spare / 2)
    beyond = np.var(logs, ddof=1) - special.polygamma(1, parts.spare / 2)
    center, prior = float(np.mean(logs)), float(parts.spare)
    if beyond > _SAME:
        from scipy.optimize import brentq  # with all of scipy.optimize: half a second for what is seldom asked

        half = brentq(lambda x: special.polygamma(1, x) - beyond, 1e-6, 2 / _SAME)
        center += special.digamma(half) - np.log(half)
        prior = min(2 * half, prior)
    seeds = parts.seeds.copy()
    seeds[told] = (prior * np.exp(center) * parts.rest[told] + parts.spare * parts.seeds[told]) / (prior + parts.spare)
    return seeds, prior + parts.spare


def two_sided(
    distance: DoubleArray, first: DoubleArray, df_1: DoubleArray, second: DoubleArray, df_2: DoubleArray
) -> DoubleArray:
    """P(|sqrt(first) T1 + sqrt(second) T2| >= distance) for independent T1, T2 of Student's t.

    The Behrens-Fisher distribution, for a variance that is the sum of two estimates with degrees of freedom of their
    own. Satterthwaite's single t is too small in its tails where one of them has few: at the levels that Holm's
    correction asks for it gives up to 3.5 times as many false alarms as it says (3 against 3 seeds).

    Args:
        distance: (M,) not negative.
        first: (M,) variances.
        df_1: (M,) their degrees of freedom.
        second: (M,) variances.
        df_2: (M,) their degrees of freedom.
    """
    swap = second > first
    wide, narrow = np.sqrt(np.where(swap, second, first)), np.sqrt(np.where(swap, first, second))
    df_wide, df_narrow = np.where(swap, df_2, df_1)[:, None], np.where(swap, df_1, df_2)[:, None]
    # Over the narrow one, by u = tan(angle): what is left to integrate is smooth even where its variance is 0.
    density = _student(np.tan(_ANGLES), df_narrow) * _WEIGHTS * (np.pi / 2) / np.cos(_ANGLES) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond = special.stdtr(df_wide, (narrow[:, None] * np.tan(_ANGLES) - distance[:, None]) / wide[:, None])
    result = np.minimum(2 * np.sum(density * beyond, axis=1), 1.0)
    return np.where(wide > 0, result, np.where(distance > 0, 0.0, 1.0))


def _student(x: DoubleArray, df: DoubleArray) -> DoubleArray:
    """Density of Student's t; `scipy.stats` has it too, but takes most of a second to import."""
    logs = special.gammaln((df + 1) / 2) - special.gammaln(df / 2) - np.log(np.pi * df) / 2
    return np.asarray(np.exp(logs - (df + 1) / 2 * np.log1p(x**2 / df)))


def half_width(
    level: float, first: DoubleArray, df_1: DoubleArray, second: DoubleArray, df_2: DoubleArray
) -> DoubleArray:
    """(M,) the distance that `two_sided` gives 1 - level for, by bisection."""
    # |x + y| > a + b only if |x| > a or |y| > b: half of what may be outside for each is an upper end.
    half = (3 + level) / 4
    low = np.zeros(len(first))
    high = special.stdtrit(df_1, half) * np.sqrt(first) + special.stdtrit(df_2, half) * np.sqrt(second)
    for _ in range(30):
        middle = (low + high) / 2
        outside = two_sided(middle, first, df_1, second, df_2) > 1 - level
        low, high = np.where(outside, middle, low), np.where(outside, high, middle)
    return high


def _of_group(runs: Sequence[DocumentScores], cell: int) -> DoubleArray:
    """(S, N) influences on the group's figure of one cell, in percent; zeros where nothing is possible."""
    gained = np.stack([one.gained[cell] for one in runs])
    possible = np.stack([one.possible[cell] for one in runs])
    total = possible.sum()
    if total == 0:
        return np.zeros_like(gained)
    return 100.0 * influences(gained, possible, gained.sum() / total, possible.mean())
