"""Quality by label frequency: where a model lives off frequent labels, this shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eclare_py.metrics.coverage import LabelCounts, coverage, macro_f1, micro_recall
from eclare_py.metrics.ranking import DoubleArray
from eclare_py.types import BoolArray, IntArray

TAIL = 5
EDGES = (0, 1, 2, 5, 10, 100)  # greatest train frequency of each bin; the last bin is open


def tail_mask(frequencies: IntArray, tail: int = TAIL) -> BoolArray:
    """(L,) labels with at most `tail` train documents; labels with none belong to it."""
    mask: BoolArray = frequencies <= tail
    return mask


@dataclass(frozen=True)
class FrequencyRange:
    """Labels with `low` to `high` train documents; `high` is None where there is no upper end."""

    low: int
    high: int | None

    @property
    def name(self) -> str:
        """The range as text: "unseen", "2", "3-5", ">100"."""
        if self.high is None:
            return f">{self.low - 1}" if self.low else "any"
        if self.high == 0:
            return "unseen"
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"

    def mask(self, frequencies: IntArray) -> BoolArray:
        """(L,) labels in the range."""
        inside: BoolArray = (frequencies >= self.low) & (True if self.high is None else frequencies <= self.high)
        return inside


def ranges(edges: Sequence[int] = EDGES) -> list[FrequencyRange]:
    """The ranges between ascending edges, rare to frequent; together they hold every label once."""
    bounds = zip([0, *(edge + 1 for edge in edges)], [*edges, None], strict=True)
    return [FrequencyRange(low, high) for low, high in bounds]


def decile_edges(frequencies: IntArray, relevant: npt.NDArray[np.integer], parts: int = 10) -> tuple[int, ...]:
    """Edges of ranges with a tenth of the test pairs each, as closely as whole frequencies allow.

    Equal shares of pairs and not of labels: most labels are rare, so that nine tenths of them would differ in nothing,
    and a figure over few pairs says little. Labels of one frequency stay together; where a single frequency holds
    more than a tenth, there are fewer ranges.

    Args:
        frequencies: (L,) train documents of each label.
        relevant: (L,) test documents each label is relevant for.
        parts: Ranges wanted.
    """
    values, place = np.unique(frequencies, return_inverse=True)
    mass = np.cumsum(np.bincount(place, relevant))
    wanted = mass[-1] * np.arange(1, parts) / parts
    cut = np.unique(np.searchsorted(mass, wanted))
    return tuple(int(value) for value in values[cut] if value < values[-1])


@dataclass(frozen=True)
class FrequencyBin:
    """The labels of one range of train frequency, and how well they are found.

    Attributes:
        name: The range as text, e.g. "6-10"; "unseen" for labels without train documents.
        low: Least train frequency.
        high: Greatest train frequency; None in the last bin.
        labels: Labels in the range.
        test_labels: Those relevant somewhere in test.
        pairs: Relevant (document, label) pairs in test with such a label.
        metrics: In percent; None where there are no pairs: R@10 and R@100 (share of the pairs), P_share@5 and
            PSP_share@5 (of the hits in the top 5, and of their inverse propensities, the part that is owed to this
            bin: they add up to 100 over the bins), coverage@10 and macro_F1@5 (over the test labels).
    """

    name: str
    low: int
    high: int | None
    labels: int
    test_labels: int
    pairs: int
    metrics: dict[str, float | None]


def frequency_bins(
    frequencies: IntArray,
    inverse: DoubleArray,
    counts: dict[int, LabelCounts],
    edges: Sequence[int] = EDGES,
) -> list[FrequencyBin]:
    """The bins of `edges`, rare to frequent; bins without labels are kept, so that tables of several runs line up.

    Args:
        frequencies: (L,) train documents of each label.
        inverse: (L,) inverse propensities.
        counts: Label counts of the top 5, 10 and 100.
        edges: Ascending greatest frequency of each bin but the open last one.
    """
    return [_bin(one, frequencies, inverse, counts) for one in ranges(edges)]


def _bin(
    one: FrequencyRange, frequencies: IntArray, inverse: DoubleArray, counts: dict[int, LabelCounts]
) -> FrequencyBin:
    inside, relevant, hits = one.mask(frequencies), counts[5].relevant, counts[5].found
    pairs = int(relevant[inside].sum())
    values = {
        "R@10": micro_recall(counts[10], inside),
        "R@100": micro_recall(counts[100], inside),
        "P_share@5": _part(hits, inside) if pairs else None,
        "PSP_share@5": _part(hits * inverse, inside) if pairs else None,
        "coverage@10": coverage(counts[10], inside),
        "macro_F1@5": macro_f1(counts[5], inside),
    }
    return FrequencyBin(
        name=one.name,
        low=one.low,
        high=one.high,
        labels=int(inside.sum()),
        test_labels=int((relevant[inside] > 0).sum()),
        pairs=pairs,
        metrics={name: percent(value) for name, value in values.items()},
    )


def _part(values: npt.NDArray[np.generic], inside: BoolArray) -> float:
    """The share of the sum that is inside; 0 of nothing."""
    total = float(values.sum())
    return float(values[inside].sum()) / total if total else 0.0


def percent(share: float | None) -> float | None:
    """A share in percent, rounded to the four places that a result file keeps."""
    return None if share is None else round(100.0 * share, 4)
