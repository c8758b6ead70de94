"""Groups of runs compared: figures with intervals, differences with verdicts, as plain values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from eclare_py.errors import UsageError
from eclare_py.metrics.bootstrap import LEVEL, RESAMPLES, bootstrap_intervals
from eclare_py.metrics.per_document import ALL, Cell, DocumentScores, by_frequency
from eclare_py.metrics.ranking import DoubleArray
from eclare_py.metrics.significance import SWAPS, GroupTest, compare_groups, holm, mean_scores, spread_over_seeds

LEFT_OUT = (
    "The results count label frequencies or propensities differently: bins of labels, rare labels and "
    "propensity-scored figures are left out. To compare these too, evaluate all with --frequencies data."
)


@dataclass(frozen=True)
class Figure:
    """One figure of a group, in percent.

    Attributes:
        metric: Its metric.
        bin: Its bin of labels.
        value: Mean over the runs.
        low: Lower end of the interval over documents.
        high: Upper end.
        spread: Standard deviation over seeds; None for one run.
    """

    metric: str
    bin: str
    value: float
    low: float
    high: float
    spread: float | None


@dataclass(frozen=True)
class Difference:
    """One figure of two groups, in percent.

    Attributes:
        metric: Its metric.
        bin: Its bin of labels.
        base: Figure of the first group.
        other: Figure of the second.
        difference: other - base.
        low: Lower end of the interval over documents and seeds; None where too few documents play a part.
        high: Upper end.
        p: Of this cell by itself.
        p_adjusted: After Holm's correction over all cells of all comparisons.
        verdict: better or worse where p_adjusted is below 1 - level, noise otherwise.
    """

    metric: str
    bin: str
    base: float
    other: float
    difference: float
    low: float | None
    high: float | None
    p: float
    p_adjusted: float
    verdict: str

    @property
    def name(self) -> str:
        """Metric and bin."""
        return cell_name((self.metric, self.bin))


@dataclass(frozen=True)
class Comparison:
    """A group against the first one."""

    base: str
    other: str
    differences: list[Difference]

    def of(self, verdict: str) -> list[Difference]:
        """The differences with a verdict, in their order."""
        return [one for one in self.differences if one.verdict == verdict]


@dataclass(frozen=True)
class Study:
    """All groups, and each one after the first compared to the first.

    Attributes:
        figures: Of each group by its name.
        runs: How many runs each group has.
        comparisons: One for each group but the first.
        settings: Level, resamples, swaps, number of tests.
        left_out: What was not compared, and why; empty where all was.
    """

    figures: dict[str, list[Figure]]
    runs: dict[str, int]
    comparisons: list[Comparison]
    settings: dict[str, Any]
    left_out: str = ""

    def to_mapping(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self)


def compare(
    groups: Mapping[str, Sequence[DocumentScores]],
    *,
    only: Sequence[str] = (),
    matched: bool = False,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Study:
    """Compare groups of runs on one test set; the first group is the base.

    Every figure is taken to be the better the greater it is. Runs that count label frequencies differently, as a model
    and what it was fine-tuned to do, are compared without the figures that depend on these.

    Args:
        groups: Runs by the name of their group.
        only: Patterns of cells to look at, such as "R@10*" or "PSP@?"; fewer cells leave more power to each. A cell is
            called "R@10", or "R@10 (3-5)" in a bin.
        matched: Run s of each group shares what is random with run s of the others (see `compare_groups`).
        level: Of intervals; 1 - level is the chance of any false alarm.
        resamples: Of the intervals of each group's figures.
        seed: Of all random draws.

    Raises:
        UsageError: No group, or no cell is in all runs and asked for.
    """
    if not groups:
        raise UsageError("there is nothing to compare")
    left_out = "" if _one_basis(groups) else LEFT_OUT
    groups = _same_cells(groups, only)
    figures = {name: _figures(runs, level, resamples, seed) for name, runs in groups.items()}
    (base_name, base), *others = groups.items()
    tests = len(others) * len(base[0].cells)
    # The least p there is has to be far below what Holm's first step asks for.
    swaps = max(SWAPS, int(np.ceil(4 * tests / (1 - level))))
    results = [compare_groups(base, runs, matched=matched, swaps=swaps, level=level, seed=seed) for _, runs in others]
    adjusted = holm(np.array([one.p for one in results]))
    comparisons = [
        Comparison(base_name, name, _differences(base[0].cells, result, corrected, 1 - level))
        for (name, _), result, corrected in zip(others, results, adjusted, strict=True)
    ]
    settings = {
        "level": level,
        "matched": matched,
        "resamples": resamples,
        "swaps": swaps,
        "tests": tests,
        "correction": "Holm",
    }
    return Study(figures, {name: len(runs) for name, runs in groups.items()}, comparisons, settings, left_out)


def cell_name(cell: Cell) -> str:
    """R@10 for all labels, R@10 (3-5) for a bin of them."""
    metric, place = cell
    return metric if place == ALL else f"{metric} ({place})"


def _same_cells(groups: Mapping[str, Sequence[DocumentScores]], only: Sequence[str]) -> dict[str, list[DocumentScores]]:
    """The runs with the cells that all of them have, that are asked for, and that something was possible in."""
    runs = [run for group in groups.values() for run in group]
    alike = _one_basis(groups)
    shared = [
        cell
        for cell in runs[0].cells
        if all(cell in run.cells for run in runs) and (alike or not by_frequency(cell))
    ]
    asked = [cell for cell in shared if not only or any(fnmatchcase(cell_name(cell), one) for one in only)]
    cells = [cell for cell in asked if all(run.possible[run.cells.index(cell)].any() for run in runs)]
    if asked and not cells:
        nothing = ", ".join(map(cell_name, asked[:8]))
        raise UsageError(f"no figure to compare: the test documents have nothing to find for {nothing}")
    if not cells:
        known = ", ".join(cell_name(cell) for cell in shared[:8])
        why = "" if alike else f" {LEFT_OUT}"
        raise UsageError(f"no figure to compare: those that all results have are {known or 'none'} ...{why}")
    return {name: [run.take(cells) for run in group] for name, group in groups.items()}


def _one_basis(groups: Mapping[str, Sequence[DocumentScores]]) -> bool:
    """Whether all runs have the same train frequencies and propensities of the labels."""
    return len({run.basis for group in groups.values() for run in group}) == 1


def _differences(cells: Sequence[Cell], test: GroupTest, adjusted: DoubleArray, alarm: float) -> list[Difference]:
    found = []
    for i, (metric, place) in enumerate(cells):
        moved, verdict = float(test.difference[i]), "noise"
        if adjusted[i] < alarm:
            verdict = "better" if moved > 0 else "worse"
        found.append(
            Difference(
                metric, place, float(test.base[i]), float(test.other[i]), moved, _number(test.low[i]),
                _number(test.high[i]), float(test.p[i]), float(adjusted[i]), verdict,
            )
        )  # fmt: skip
    return found


def _figures(runs: Sequence[DocumentScores], level: float, resamples: int, seed: int) -> list[Figure]:
    mean, spread = mean_scores(runs), spread_over_seeds(runs)
    ends, values = bootstrap_intervals(mean, resamples=resamples, level=level, seed=seed), mean.figures()
    return [
        Figure(metric, place, float(values[i]), float(ends.low[i]), float(ends.high[i]), _number(spread[i]))
        for i, (metric, place) in enumerate(mean.cells)
    ]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
