"""Metrics that count labels and not documents: how many distinct labels a model ever gets right, and macro F1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from eclare_py.metrics.judged import Judged
from eclare_py.types import BoolArray, IntArray

# Labels that macro F1 runs over: relevant somewhere in test, or also those predicted somewhere, or every label.
Over: TypeAlias = Literal["relevant", "seen", "all"]


@dataclass(frozen=True)
class LabelCounts:
    """What became of each label in the top k over all test documents; everything here is (L,) int64.

    Attributes:
        relevant: Documents the label is relevant for.
        predicted: Documents that have it in their top k.
        found: Documents of both kinds.
    """

    relevant: IntArray
    predicted: IntArray
    found: IntArray


def count_labels(judged: Judged, k: int) -> LabelCounts:
    """Count per label over the top k of each document; narrower rankings are taken as they are."""
    n_labels, slots = judged.labels.shape[1], judged.ranking.indices[:, :k]
    predicted = sum(
        (np.bincount(column[column >= 0], minlength=n_labels) for column in slots.T), np.zeros(n_labels, dtype=np.int64)
    )  # column by column: at k = 100 a copy of all slots would be the largest array of an evaluation
    return LabelCounts(
        relevant=np.bincount(judged.labels.indices, minlength=n_labels).astype(np.int64),
        predicted=predicted,
        found=np.bincount(judged.hits.labels[judged.hits.ranks < k], minlength=n_labels).astype(np.int64),
    )


def coverage(counts: LabelCounts, among: BoolArray | None = None) -> float | None:
    """coverage@k: of the distinct labels that are relevant somewhere in test, the share found at least once.

    Args:
        counts: Of the top k.
        among: (L,) labels to look at; all where not given. With the rare ones this is tail_coverage@k.

    Returns:
        A share from 0 to 1; None where no label qualifies.
    """
    there = _there(counts, among)
    return float((counts.found[there] > 0).mean()) if there.any() else None


def macro_f1(
    counts: LabelCounts, among: BoolArray | None = None, *, over: Over = "relevant", zero_division: float = 0.0
) -> float | None:
    """macro_F1@k: the F1 of each label, taking the top k as the prediction, averaged over labels.

    F1 of a label is 2 found / (predicted + relevant). "relevant" leaves out the labels without test positives: theirs
    is 0 as soon as they are predicted once, and undefined if they never are.

    Args:
        counts: Of the top k.
        among: (L,) labels to look at; all where not given.
        over: Labels that are averaged over.
        zero_division: F1 of a label that is neither predicted nor relevant; counts with "all" alone.

    Returns:
        A share from 0 to 1; None where no label qualifies.
    """
    total = counts.predicted + counts.relevant
    there = {"relevant": counts.relevant > 0, "seen": total > 0, "all": np.ones(len(total), dtype=bool)}[over]
    if among is not None:
        there = there & among
    if not there.any():
        return None
    undefined = np.full(int(there.sum()), zero_division)
    f1 = np.divide(2.0 * counts.found[there], total[there], out=undefined, where=total[there] > 0)
    return float(f1.mean())


def micro_recall(counts: LabelCounts, among: BoolArray | None = None) -> float | None:
    """Of all relevant (document, label) pairs, the share in the top k. With the rare labels this is tail_R@k.

    Args:
        counts: Of the top k.
        among: (L,) labels whose pairs count; all where not given.

    Returns:
        A share from 0 to 1; None where there is no such pair.
    """
    there = _there(counts, among)
    return float(counts.found[there].sum() / counts.relevant[there].sum()) if there.any() else None


def _there(counts: LabelCounts, among: BoolArray | None) -> BoolArray:
    """Labels that are relevant somewhere, of those asked for."""
    there: BoolArray = counts.relevant > 0
    return there if among is None else there & among
