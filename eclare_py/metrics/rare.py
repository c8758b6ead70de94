"""Quality by label frequency: where a model lives off frequent labels, this shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eclare_py.metrics.coverage import LabelCounts, coverage, macro_f1, micro_recall
from eclare_py.metrics.ranking import BoolArray
from eclare_py.types import IntArray

TAIL = 5
EDGES = (0, 5, 20, 100, 1000)  # greatest frequency of each bin; the last bin is open


def tail_mask(frequencies: IntArray, tail: int = TAIL) -> BoolArray:
    """(L,) labels with at most `tail` train documents; labels with none belong to it."""
    mask: BoolArray = frequencies <= tail
    return mask


@dataclass(frozen=True)
class FrequencyBin:
    """The labels of one range of train frequency, and how well they are found.

    Attributes:
        name: The range as text, e.g. "6-20".
        low: Least train frequency.
        high: Greatest train frequency; None in the last bin.
        labels: Labels in the range.
        test_labels: Those relevant somewhere in test.
        pairs: Relevant (document, label) pairs in test with such a label.
        metrics: In percent: R@10 and R@100 (share of the pairs), coverage@10 and macro_F1@5 (over the test labels);
            None where there are no pairs.
    """

    name: str
    low: int
    high: int | None
    labels: int
    test_labels: int
    pairs: int
    metrics: dict[str, float | None]


def frequency_bins(
    frequencies: IntArray, at5: LabelCounts, at10: LabelCounts, at100: LabelCounts, edges: Sequence[int] = EDGES
) -> list[FrequencyBin]:
    """The bins of `edges`, rare to frequent; bins without labels are kept, so that tables of several runs line up.

    Args:
        frequencies: (L,) train documents of each label.
        at5: Counts of the top 5.
        at10: Counts of the top 10.
        at100: Counts of the top 100.
        edges: Ascending greatest frequency of each bin but the open last one.
    """
    bounds = zip([0, *(edge + 1 for edge in edges)], [*edges, None], strict=True)
    return [_bin(low, high, frequencies, at5, at10, at100) for low, high in bounds]


def _bin(
    low: int, high: int | None, frequencies: IntArray, at5: LabelCounts, at10: LabelCounts, at100: LabelCounts
) -> FrequencyBin:
    inside = (frequencies >= low) & (frequencies <= (frequencies.max(initial=0) if high is None else high))
    values = {
        "R@10": micro_recall(at10, inside),
        "R@100": micro_recall(at100, inside),
        "coverage@10": coverage(at10, inside),
        "macro_F1@5": macro_f1(at5, inside),
    }
    return FrequencyBin(
        name=f"over {low - 1}" if high is None else str(low) if low == high else f"{low}-{high}",
        low=low,
        high=high,
        labels=int(inside.sum()),
        test_labels=int((at10.relevant[inside] > 0).sum()),
        pairs=int(at10.relevant[inside].sum()),
        metrics={name: percent(value) for name, value in values.items()},
    )


def percent(share: float | None) -> float | None:
    """A share in percent, rounded to the four places that a result file keeps."""
    return None if share is None else round(100.0 * share, 4)
